import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inspect } from 'node:util'
import fc from 'fast-check'
import { createClock, createClockCell, moveClock, toMs } from './clock.ts'
import { Secret } from './crypto/token.ts'
import { createRequestIds, idTime, newId } from './ids.ts'
import { canonicalJson, contentHash } from './json/canonical.ts'
import { Lru } from './memory/lru.ts'
import { PROBLEMS, refuse, toProblem } from './refusal.ts'

test('clocks that share a cell move together, and others do not', () => {
  const cell = createClockCell()
  const [one, other, alone] = [createClock(cell), createClock(cell), createClock()]
  const before = alone.now()
  moveClock(cell, 3_600_000)
  assert.ok(one.now() - before >= 3_600_000 && other.now() - before >= 3_600_000)
  assert.ok(one.monotonic() - alone.monotonic() >= 3_599_000)
  assert.ok(alone.now() - before < 60_000)
})

test('durations are a whole number and a unit, and nothing else', () => {
  assert.deepEqual(
    ['200ms', '30s', '1m', '24h', '30d'].map(toMs),
    [200, 30_000, 60_000, 86_400_000, 2_592_000_000],
  )
  for (const wrong of ['', '1', 's', '0s', '-1s', '1.5s', '1 s', '1S', '01s', '1w', '9999999999s'])
    assert.throws(() => toMs(wrong), RangeError, wrong)
})

test('ids sort by the time they were made, and request ids of a thread never repeat', () => {
  const cell = createClockCell()
  const clock = createClock(cell)
  const early = newId('col', clock)
  moveClock(cell, 5)
  assert.match(early, /^col_[0-9a-hjkmnp-tv-z]{26}$/)
  assert.ok(early < newId('col', clock))
  const next = createRequestIds(clock)
  const ids = new Set(Array.from({ length: 100_000 }, next))
  assert.equal(ids.size, 100_000)
  const now = 1_795_241_795_240
  const id = createRequestIds({ now: () => now, monotonic: () => 0 })()
  assert.match(id, /^req_[0-9a-hjkmnp-tv-z]{26}$/)
  assert.deepEqual([idTime(id), idTime(`${id}.2`), idTime(`${id}.`)], [now, now, undefined])
})

test('a secret shows itself in no way of printing, only when asked by name', () => {
  const secret = new Secret('hunter2')
  const shown = [
    `${secret}`,
    JSON.stringify({ secret }),
    inspect({ secret }),
    inspect(secret, { showHidden: true }),
  ]
  for (const text of shown) assert.ok(!text.includes('hunter2') && text.includes('[secret]'), text)
  assert.equal(secret.reveal(), 'hunter2')
})

test('equal data has equal canonical JSON and hash, whatever the order of its members', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
      const reversed = Object.fromEntries(Object.entries(value).reverse())
      assert.equal(canonicalJson(value), canonicalJson(reversed))
      assert.equal(contentHash(value), contentHash(reversed))
    }),
  )
  assert.notEqual(contentHash({ a: 1 }), contentHash({ a: 2 }))
})

test('the least recently used entry is forgotten first', () => {
  const lru = new Lru<string, number>(2)
  lru.set('a', 1)
  lru.set('b', 2)
  assert.equal(lru.get('a'), 1)
  lru.set('c', 3)
  assert.deepEqual([lru.get('a'), lru.get('b'), lru.get('c')], [1, undefined, 3])
})

test('a problem object has the members of RFC 9457 and ours, and never what only the log may know', () => {
  const refusal = refuse('rate_limit_exceeded', { detail: 'Wait.', members: { max: 3 }, inner: 'table full' })
  const problem = toProblem(refusal, 'req_1')
  assert.deepEqual(problem, {
    type: 'urn:postern:problem:rate_limit_exceeded',
    title: PROBLEMS.rate_limit_exceeded.title,
    status: 429,
    detail: 'Wait.',
    code: 'rate_limit_exceeded',
    request_id: 'req_1',
    errors: [],
    max: 3,
  })
})
