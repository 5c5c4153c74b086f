import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Action, acted, compileAction, countHits, type Hits, merged } from './act.ts'
import type { Span } from './chars.ts'
import { compileDetectors } from './compile.ts'

const detectors = compileDetectors([{ detector: 'pii' }, { detector: 'secrets' }])
const KEY = 'a key of sixteen or more characters'

function after(text: string, action: Action): string {
  return acted(text, detectors.find(text), compileAction(action))
}

const TEXT = 'card 4111 1111 1111 1111 of ada@example.com'

test('each action leaves what it is to leave of a value', () => {
  assert.equal(after(TEXT, { action: 'redact' }), 'card [REDACTED:card] of [REDACTED:email]')
  assert.equal(after(TEXT, { action: 'remove' }), 'card  of ')
  assert.equal(after(TEXT, { action: 'mask' }), 'card ********1111 of ********@example.com')
  assert.equal(after(TEXT, { action: 'replace', text: '***' }), 'card *** of ***')
  assert.equal(after('AB123456C', { action: 'mask' }), '********')
})

test('a hash is an HMAC by a key, the same for all ways to write a number', () => {
  const hash = (text: string, key = KEY): string => after(text, { action: 'hash', key })
  const digest = createHmac('sha256', KEY).update('card\n4111111111111111').digest('hex').slice(0, 24)
  assert.equal(hash('4111 1111 1111 1111'), `[HASH:card:${digest}]`)
  assert.equal(hash('4111-1111-1111-1111'), hash('4111111111111111'))
  assert.equal(hash('Ada@Example.com'), hash('ada@example.com'))
  assert.notEqual(hash('4111111111111111'), hash('4111111111111111', `${KEY}.`))
  assert.throws(() => compileAction({ action: 'hash', key: 'short' }), /at least 16 characters/)
})

const span = (start: number, end: number, kind: string, confidence: number): Span => ({
  start,
  end,
  detector: 'regex',
  kind,
  confidence,
})

test('spans that overlap become one, with the kind of the surest and then of the longest', () => {
  assert.deepEqual(merged([span(5, 9, 'b', 0.9), span(0, 6, 'a', 0.5), span(9, 12, 'c', 1)]), [
    span(0, 9, 'b', 0.9),
    span(9, 12, 'c', 1),
  ])
  assert.deepEqual(merged([span(0, 4, 'b', 1), span(0, 9, 'a', 1)]), [span(0, 9, 'a', 1)])
  assert.deepEqual(merged([span(0, 4, 'b', 1), span(0, 4, 'a', 1)]), [span(0, 4, 'a', 1)])
})

const spans = fc.array(
  fc
    .tuple(
      fc.nat(60),
      fc.integer({ min: 1, max: 20 }),
      fc.constantFrom('a', 'b', 'c'),
      fc.constantFrom(0.5, 0.9),
    )
    .map(([start, length, kind, confidence]) => span(start, start + length, kind, confidence)),
  { maxLength: 12 },
)

test('the order of spans does not matter, and no character of a span remains', () => {
  fc.assert(
    fc.property(spans, fc.infiniteStream(fc.nat()), (list, random) => {
      const text = '0'.repeat(100)
      const act = (value: string, kind: string): string => `${kind}${'x'.repeat(value.length)}`
      const shuffled = list
        .map((one) => ({ one, by: random.next().value }))
        .sort((a, b) => a.by - b.by)
        .map(({ one }) => one)
      const result = acted(text, list, act)
      assert.equal(acted(text, shuffled, act), result)
      const covered = [...text].filter((_, at) =>
        list.some(({ start, end }) => at >= start && at < end),
      ).length
      assert.equal(result.replaceAll(/[^0]/g, '').length, 100 - covered)
    }),
  )
})

test('hits are counts by detector and kind', () => {
  const hits: Hits = {}
  countHits(hits, detectors.find(TEXT))
  countHits(hits, detectors.find('b@example.com'))
  assert.deepEqual(hits, { pii: { card: 1, email: 2 } })
})

test('a kind with the name of a member that all objects have is counted', () => {
  const hits: Hits = {}
  const span: Span = { start: 0, end: 1, detector: 'webhook', kind: 'constructor', confidence: 1 }
  countHits(hits, [span, span])
  assert.deepEqual(hits, { webhook: { constructor: 2 } })
})
