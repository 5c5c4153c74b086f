import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { printable, visibleJson } from './visible.ts'

/** One of each class that a screen does not show as what it is. */
const UNSEEN = [
  ...['\u0000', '\u001b', '\r', '\t', '\u007f', '\u0085', '\u009b'],
  ...['\u200b', '\u2060', '\ufeff', '\u00ad', '\u061c', '\u200e', '\u202a', '\u202e', '\u2066', '\u2069'],
  ...['\u00a0', '\u2003', '\u3000', '\u2028', '\u2029', '\u3164', '\uffa0', '\u2800', '\u034f', '\ufe0f'],
  ...['\u{e0041}', '\u{e0100}', '\u{1d173}', '\u{1d159}', '\u{16fe4}', '\ue000', '\ufdd0', '\ud800'],
]

const NOT_SHOWN = /[[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}]--[ ]]/v

test('JSON with escapes of what a screen does not show is the same value', () => {
  for (const char of UNSEEN) {
    const value = { [`key${char}`]: `a${char}b`, list: [`\\${char}`, char] }
    const text = visibleJson(JSON.stringify(value))
    assert.match(text, /^[\x20-\x7e]*$/, JSON.stringify(char))
    assert.deepEqual(JSON.parse(text), value)
  }
  const text = fc.string({ unit: 'binary' })
  // V8 13 misreads a member that begins with an escape where another object has a member "\\"
  const members = fc.dictionary(
    text.map((rest) => `k${rest}`),
    fc.array(text, { maxLength: 5 }),
    { maxKeys: 5 },
  )
  fc.assert(
    fc.property(members, (value) => {
      for (const json of [JSON.stringify(value), JSON.stringify(value, null, 2)]) {
        const shown = visibleJson(json)
        assert.deepEqual(JSON.parse(shown), JSON.parse(json))
        assert.doesNotMatch(shown.replaceAll('\n', ''), NOT_SHOWN)
      }
    }),
    { numRuns: 100 },
  )
})

test('what a screen shows stays as it is', () => {
  for (const text of ['Zoë Łódź 北京 שלום 🙂', 'e\u0301', '^\\d+\\.json$', 'C:\\users'])
    assert.equal(printable(text), text)
  assert.equal(visibleJson('{"a":"北京 שלום 🙂"}'), '{"a":"北京 שלום 🙂"}')
})

test('two texts that differ are never printed alike', () => {
  assert.equal(printable('a\\u202eb'), 'a\\\\u202eb')
  assert.equal(printable('a\u202eb'), 'a\\u202eb')
  const pieces = ['a', '\\', 'u202e', '\u202e', '\n', 'n', '\t', 't', '\u{e0041}', 'udb40', '\\u', '']
  const seen = new Map<string, string>()
  for (const one of pieces)
    for (const two of pieces)
      for (const three of pieces.flatMap((last) => pieces.map((next) => last + next))) {
        const text = one + two + three
        const shown = printable(text)
        assert.equal(seen.get(shown) ?? text, text, shown)
        seen.set(shown, text)
      }
})
