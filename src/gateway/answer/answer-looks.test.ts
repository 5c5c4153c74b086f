import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createClock, createClockCell, moveClock } from '../../base/clock.ts'
import type { Routed } from '../exchange.ts'
import { AnswerLooks } from './answer-looks.ts'
import { type AnswerRow, watchOf } from './answer-stages.ts'

test('in a second, ten answers of each endpoint are looked at, and a mebibyte of all', () => {
  const cell = createClockCell()
  moveClock(cell, 1000 - (createClock(cell).monotonic() % 1000))
  const looks = new AnswerLooks(createClock(cell))
  const [one, other] = [{}, {}]
  const count = (endpoint: object): number =>
    Array.from({ length: 30 }, () => looks.mayLook(endpoint)).filter(Boolean).length
  assert.deepEqual([count(one), count(one), count(other)], [10, 0, 10])
  assert.equal(looks.mayRead(1024 * 1024), true)
  assert.equal(looks.mayRead(1), false)
  assert.equal(count({}), 0, 'what would not be read is not copied')
  moveClock(cell, 1000)
  assert.deepEqual([count(one), looks.mayRead(1)], [10, true])
})

test('each row is asked once what it wants of an answer, since it may count what it was asked', () => {
  let asked = 0
  const row = (bytes: number): AnswerRow => ({
    name: 'counts',
    wants() {
      asked++
      return bytes
    },
  })
  const exchange = { isOver: true, proxy: { fragment: { features: {} } } } as unknown as Routed
  assert.equal(watchOf([row(5), row(-1), row(9)], exchange)!.keepBytesMax, 9)
  assert.equal(asked, 3)
})
