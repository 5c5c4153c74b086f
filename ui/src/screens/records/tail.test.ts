import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EMPTY_TAIL, KEPT_MAX, paused, received, resumed, type Tail, wordsOf } from './tail.ts'

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
