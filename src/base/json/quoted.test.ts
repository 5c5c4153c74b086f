import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { quotedJson } from './quoted.ts'

/** What is between the quotes of the general way; null for what is no JSON. */
function generally(text: string): string | null {
  try {
    JSON.parse(text)
  } catch {
    return null
  }
  return JSON.stringify(text).slice(1, -1)
}

const quoted = (text: string) => quotedJson(Buffer.from(text))

test('a document is quoted as JSON.stringify quotes its text', () => {
  const texts = [
    '0',
    '-0.5e+10',
    ' \t\r\n true \t\r\n ',
    'false',
    'null',
    '""',
    '"\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e4\\ud800"',
    '"ä € 𝄞 \u2028 \u007f"',
    '[]',
    '{}',
    '[[],{},[1,2 , 3]]',
    '{"a":{"b":[{"c":null}]},"":""}',
    '[ [ ] , { } ]',
  ]
  for (const text of texts) {
    assert.equal(quoted(text), JSON.stringify(text).slice(1, -1), text)
    assert.notEqual(generally(text), null, text)
  }
})

test('what is no document is not quoted', () => {
  const texts = [
    ...['', ' ', ',', ':', '"', '"a', '"\\', '"\\"', '"\\x"', '"\\u00g0"', '"\\u12', '"\n"', '"\u0000"'],
    ...[
      '01',
      '-',
      '-a',
      '1.',
      '.5',
      '1e',
      '1e+',
      '+1',
      '0x1',
      'NaN',
      'tru',
      'truE',
      'nul',
      'falsee',
      'undefined',
    ],
    ...[
      '[',
      ']',
      '{',
      '}',
      '[}',
      '{]',
      '[1',
      '[1,',
      '[1,]',
      '[,1]',
      '[1 2]',
      '[1:2]',
      '{"a"}',
      '{"a":}',
      '{"a":1',
    ],
    ...[
      '{"a":1,}',
      '{,"a":1}',
      '{1:2}',
      '{a:1}',
      '{"a":1 "b":2}',
      '{"a"::1}',
      '[]]',
      '{}{}',
      '1 1',
      '\ufeff{}',
      '\f1',
    ],
  ]
  for (const text of texts) {
    assert.equal(quoted(text), null, text)
    assert.equal(generally(text), null, text)
  }
})

test('any document that was changed anywhere is judged as JSON.parse judges it', () => {
  const edit = fc.tuple(
    fc.nat(),
    fc.constantFrom(...' \n"\\{}[],:0-.eEtn/u', 'é', '\u0001', ''),
    fc.boolean(),
  )
  const document = fc.tuple(fc.jsonValue({ maxDepth: 6 }), fc.constantFrom(undefined, 1, '\t'))
  fc.assert(
    fc.property(document, fc.array(edit, { maxLength: 3 }), ([value, space], edits) => {
      let text = JSON.stringify(value, null, space)
      for (const [place, piece, replaces] of edits) {
        const at = place % (text.length + 1)
        text = (text.slice(0, at) + piece + text.slice(at + (replaces ? 1 : 0))).toWellFormed()
      }
      assert.equal(quoted(text), generally(text), text)
    }),
    { numRuns: 5000 },
  )
})

test('a document that is too deep or too long is left to the general way', () => {
  const nested = (depth: number): string => `${'['.repeat(depth)}${']'.repeat(depth)}`
  assert.equal(quoted(nested(29)), nested(29))
  assert.equal(quoted(nested(30)), null)
  assert.equal(quoted(nested(2000)), null)
  assert.equal(quoted(`${' '.repeat(65_535)}1`)?.length, 65_536)
  assert.equal(quoted(`${' '.repeat(65_536)}1`), null)
  // Every byte of the longest one doubles
  assert.equal(quoted(`${'\n'.repeat(65_535)}1`)?.length, 131_071)
})
