import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { applyContent } from './content.ts'
import { readForm } from './multipart.ts'
import { compileRule, type Rule, type RuleAction, type RuleSettings } from './rule.ts'
import { Tally } from './tally.ts'

const TYPE = 'multipart/form-data; boundary=AaB03x'
const CARD = '4111 1111 1111 1111'

const rule = (action: RuleAction, more: Partial<RuleSettings> = {}): Rule =>
  compileRule({
    id: `gdr_${action}`,
    slug: action,
    detector: { detector: 'pii', kinds: ['card'] },
    action,
    isObserved: false,
    passesFailures: false,
    refusesCompressed: false,
    bytesMax: 1000,
    ...more,
  })

const form = (...parts: readonly (readonly [head: string, body: string])[]): string =>
  `${parts.map(([head, body]) => `--AaB03x\r\nContent-Disposition: form-data; ${head}\r\n\r\n${body}\r\n`).join('')}--AaB03x--\r\n`

function apply(chain: readonly Rule[], text: string, type = TYPE) {
  const tally = new Tally()
  const { value, stop } = applyContent(chain, Buffer.from(text), type, 'request', tally)
  return { text: Buffer.from(value).toString(), stop, hits: tally.list() }
}

test('fields are changed by their media types, and files and all other bytes stay', () => {
  const given = form(
    ['name="note"', `pay ${CARD}`],
    ['name="data"\r\nContent-Type: application/json', `{"n": 1.0, "card": "${CARD}"}`],
    ['name="file"; filename="a.txt"\r\nContent-Type: text/plain', CARD],
    ['name="empty"', ''],
  )
  const after = form(
    ['name="note"', 'pay ********1111'],
    ['name="data"\r\nContent-Type: application/json', '{"n": 1.0, "card": "********1111"}'],
    ['name="file"; filename="a.txt"\r\nContent-Type: text/plain', CARD],
    ['name="empty"', ''],
  )
  assert.equal(apply([rule('mask')], given).text, after)
  assert.equal(apply([rule('block')], given).stop?.cause, 'found')
})

test('a part whose file has no name is looked at like a field, as servers read it', () => {
  for (const filename of ['', ' '])
    for (const type of ['', '\r\nContent-Type: text/plain', '\r\nContent-Type: application/octet-stream'])
      assert.equal(
        apply([rule('mask')], form([`name="a"; filename="${filename}"${type}`, CARD])).text,
        form([`name="a"; filename="${filename}"${type}`, '********1111']),
      )
  const none = form(['name="file"; filename=""\r\nContent-Type: application/octet-stream', ''])
  assert.equal(apply([rule('block')], none).stop, null)
})

test('a field that is JSON is looked at as JSON, whatever type it has', () => {
  const given = form([
    'name="payload"',
    '{"number": 4111111111111111.0, "name": "4111\\u00311111111\\u0031111"}',
  ])
  assert.match(apply([rule('mask')], given).text, /\{"number": "\*{8}1111", "name": "\*{8}1111"\}/)
})

test('a field in UTF-16 is a failure, whatever type it has, and a file in UTF-16 passes', () => {
  const wide = Buffer.from(`{"card":"${CARD}"}`, 'utf16le').toString()
  for (const type of ['', '\r\nContent-Type: application/octet-stream', '\r\nContent-Type: text/plain'])
    assert.equal(apply([rule('mask')], form([`name="a"${type}`, wide])).stop?.cause, 'failed', type)
  assert.equal(apply([rule('block')], form(['name="a"; filename="b.txt"', wide])).stop, null)
})

test('names of fields and files are looked at by rules that change nothing', () => {
  for (const head of [`name="${CARD}"`, `name="a"; filename="${CARD} a.txt"`]) {
    assert.equal(apply([rule('block')], form([head, 'x'])).stop?.cause, 'found')
    assert.equal(apply([rule('mask')], form([head, 'x'])).stop, null)
  }
})

test('a form that readers may split in different ways is a failure', () => {
  const disposition = 'Content-Disposition: form-data; name="a"'
  const one = form(['name="a"', 'x'])
  for (const [text, type] of [
    ['', 'multipart/form-data'],
    [one, 'multipart/form-data'],
    [one, 'multipart/form-data; boundary=AaB03x; boundary=other'],
    [`preamble\r\n${one}`, TYPE],
    [`${one}epilogue`, TYPE],
    [one.replaceAll('\r\n', '\n'), TYPE],
    [one.slice(0, -4), TYPE],
    [form(['name="a"', `x\n--AaB03x\n${disposition}\n\n${CARD}`]), TYPE],
    [form(['name="a"\r\nContent-Transfer-Encoding: base64', 'eA==']), TYPE],
    [form([`name="a"\r\n${disposition}`, 'x']), TYPE],
    [form(['name=a', 'x']), TYPE],
    [form(['name="a"; filename*=utf-8\'\'x', 'x']), TYPE],
    [form(['name="a"\r\n folded: x', 'x']), TYPE],
    [form(['name="a"\r\nContent-Type: text/plain; charset=utf-16', 'x']), TYPE],
    [`--AaB03x  \r\n${disposition}\r\n\r\nx\r\n--AaB03x--`, TYPE],
    [form(...Array.from({ length: 1001 }, () => ['name="a"', 'x'] as const)), TYPE],
  ] as const)
    if (text !== '')
      assert.equal(
        apply([rule('mask')], text, type).stop?.cause,
        'failed',
        JSON.stringify(text.slice(0, 200)),
      )
})

test('only fields count against max_body, and the whole form against a limit of size', () => {
  const large = form(['name="a"; filename="a"', 'x'.repeat(5000)], ['name="b"', CARD])
  assert.match(apply([rule('mask')], large).text, /\*{8}1111/)
  assert.equal(apply([rule('mask')], form(['name="b"', 'x'.repeat(1001)])).stop?.cause, 'failed')
  const size = rule('block', { detector: { detector: 'size', bytes: 1000 } })
  assert.equal(apply([size], large).stop?.cause, 'found')
})

test('what stands in the place of a value makes no new part', () => {
  const given = form(['name="a"', `--${CARD}`])
  const replace = rule('replace', { text: 'AaB03x' })
  assert.equal(apply([replace], given).stop?.cause, 'failed')
  // However many parts there are: why a form cannot be read is a text, which has a length too
  for (let others = 1; others < 60; others++) {
    const more = Array.from({ length: others }, () => ['name="b"', 'x'] as const)
    assert.equal(apply([replace], form(['name="a"', `--${CARD} `], ...more)).stop?.cause, 'failed')
  }
})

test('any form of fields is read as it was written, and any bytes give parts within them or a failure', () => {
  const text = fc
    .string({ unit: 'binary' })
    .filter((value) => !value.includes('AaB03x') && value.isWellFormed())
  fc.assert(
    fc.property(fc.array(text, { maxLength: 20 }), (values) => {
      const bytes = Buffer.from(
        values.length === 0 ? '--AaB03x--' : form(...values.map((value) => ['name="n"', value] as const)),
      )
      const parts = readForm(bytes, 'AaB03x')
      assert.ok(typeof parts !== 'string', String(parts))
      assert.deepEqual(
        parts.map(({ start, end }) => bytes.subarray(start, end).toString()),
        values,
      )
    }),
  )
  const piece = fc.oneof(
    fc.constantFrom(
      '--AaB03x',
      '--',
      '\r\n',
      '\r\n\r\n',
      '\n',
      'Content-Disposition: form-data; name="a"',
      '"',
      ':',
    ),
    fc.string(),
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
      const bytes = Buffer.from(pieces.join(''))
      const parts = readForm(bytes, 'AaB03x')
      if (typeof parts === 'string') return
      let last = 0
      for (const { start, end } of parts) {
        assert.ok(last < start && start <= end && end <= bytes.length)
        last = end
      }
    }),
    { numRuns: 2000 },
  )
})
