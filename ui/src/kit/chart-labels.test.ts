import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deltaOf, dotsOf, momentLabel, tickLabel, ticksOf } from './chart-labels.ts'

const seconds = (time: string): number => Date.parse(time) / 1000

test('marks stand at round times of UTC, and are no more than fit', () => {
  const ticks = ticksOf(seconds('2026-03-28T22:10:00Z'), seconds('2026-03-29T22:10:00Z'), 8)
  assert.deepEqual(ticks.map(tickLabel), [
    'Mar 29',
    '03:00',
    '06:00',
    '09:00',
    '12:00',
    '15:00',
    '18:00',
    '21:00',
  ])
  for (const span of [1, 30, 900, 3600, 86_400, 7 * 86_400, 90 * 86_400]) {
    const found = ticksOf(1_700_000_000, 1_700_000_000 + span, 6)
    assert.ok(found.length >= 1 && found.length <= 7, `${span} s: ${found.length}`)
    for (const tick of found) assert.ok(tick >= 1_700_000_000 && tick <= 1_700_000_000 + span)
  }
})

test('a mark shows seconds where they count, and the date at midnight', () => {
  assert.equal(tickLabel(seconds('2026-03-29T00:00:00Z')), 'Mar 29')
  assert.equal(tickLabel(seconds('2026-03-29T14:05:00Z')), '14:05')
  assert.equal(tickLabel(seconds('2026-03-29T14:05:30Z')), '14:05:30')
  assert.equal(momentLabel(seconds('2026-03-29T14:05:00Z')), 'Mar 29, 14:05')
})

test('a value between two gaps has a dot, and so has the last one while it still counts', () => {
  assert.deepEqual(dotsOf([null, 5, null, 1, 2, null], false), [1])
  assert.deepEqual(dotsOf([0, 0, 11], false), [])
  assert.deepEqual(dotsOf([0, 0, 11], true), [2])
  assert.deepEqual(dotsOf([11], false), [0])
  assert.deepEqual(dotsOf([11, null], true), [0])
  assert.deepEqual(dotsOf([], true), [])
})

test('a figure is compared with the period before in words', () => {
  assert.equal(deltaOf(150, 100), '50 % more than before')
  assert.equal(deltaOf(50, 100), '50 % less than before')
  assert.equal(deltaOf(100, 100), 'as before')
  assert.equal(deltaOf(2000, 100), '20 times as before')
  assert.equal(deltaOf(5, null), null)
})

test('where there was nothing before, that is said', () => {
  assert.equal(deltaOf(5, 0), 'none before')
  assert.equal(deltaOf(0, 0), 'as before')
  assert.equal(deltaOf(5, 'none'), 'no requests before')
  assert.equal(deltaOf(null, 'none'), 'no requests before')
})
