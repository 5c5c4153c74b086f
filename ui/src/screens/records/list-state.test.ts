import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  EMPTY_TAIL,
  exportInput,
  KEPT_MAX,
  paused,
  pinned,
  received,
  resumed,
  type Tail,
  wordsOf,
} from './list-state.ts'

const NOW = Date.UTC(2026, 4, 1, 12)

test('a link to a relative range has absolute times, the same filters, and no live view', () => {
  assert.deepEqual(pinned({ from: '-1h', status: '4xx', live: 'true' }, NOW), {
    from: '2026-05-01T11:00:00.000Z',
    to: '2026-05-01T12:00:00.000Z',
    status: '4xx',
  })
})

test('a link to a list without a range ends now, and absolute times stay', () => {
  assert.deepEqual(pinned({}, NOW), { to: '2026-05-01T12:00:00.000Z' })
  const absolute = { from: '2026-04-01', to: '2026-04-02T00:00:00Z' }
  assert.deepEqual(pinned(absolute, NOW), absolute)
})

const START: Tail<number> = EMPTY_TAIL

test('new records stand at the top while the list is live', () => {
  const tail = received(received(START, [1, 2], false), [3], false)
  assert.deepEqual([tail.shown, tail.waiting, wordsOf(tail)], [[3, 2, 1], [], 'Live'])
})

test('a paused list does not move, counts what comes, and shows it when it goes on', () => {
  const tail = received(paused(received(START, [1], false)), [2, 3], false)
  assert.deepEqual([tail.shown, wordsOf(tail)], [[1], 'Paused, 2 new'])
  const on = resumed(tail)
  assert.deepEqual([on.shown, on.waiting, wordsOf(on)], [[3, 2, 1], [], 'Live'])
})

test('a page keeps the newest 2,000 records, of those that wait too', () => {
  const many = Array.from({ length: KEPT_MAX + 5 }, (_, index) => index)
  const live = received(START, many, false)
  assert.deepEqual([live.shown.length, live.shown[0], live.shown.at(-1)], [2000, 2004, 5])
  const still = received(paused(START), many, false)
  assert.deepEqual([still.waiting.length, wordsOf(still)], [2000, 'Paused, 2000 or more new'])
  assert.equal(resumed(received(paused(live), [9999], false)).shown.length, 2000)
})

test('records that could not be followed are not forgotten', () => {
  assert.equal(resumed(received(received(paused(START), [], true), [1], false)).missed, true)
})

test('an export takes the filters of the list, and nothing else of its address', () => {
  const search = { status: '4xx', from: '-1h', record: 'r1', live: 'true', order: 'oldest' }
  assert.deepEqual(exportInput('records', 'csv', search), {
    of: 'records',
    format: 'csv',
    status: '4xx',
    from: '-1h',
  })
})

test('the filter of audit entries by reason has its name in exports', () => {
  assert.deepEqual(exportInput('audit', 'ndjson', { reason: 'launch', entry: 'a1' }), {
    of: 'audit',
    format: 'ndjson',
    with_reason: 'launch',
  })
})
