import assert from 'node:assert/strict'
import { test } from 'node:test'
import { byLimit } from './usage.ts'

test('counters are gathered by limit, the fullest first, and those at zero stand apart', () => {
  const counter = (limit: string, id: string, used: number | null, refused = 0) => ({
    ...{ limit, id, used, refused },
    max: 10,
  })
  const groups = byLimit(
    [
      counter('month', 'a', 0),
      counter('minute', 'a', 2),
      counter('minute', 'b', 9),
      counter('minute', 'c', 0),
      counter('minute', 'd', 0, 4),
      counter('minute', 'e', null),
      counter('gone', 'a', 1),
    ],
    ['minute', 'month'],
  )
  assert.deepEqual(
    groups.map(({ limit, used, idle }) => [limit, used.map(({ id }) => id), idle.map(({ id }) => id)]),
    [
      ['minute', ['b', 'a', 'd', 'e'], ['c']],
      ['month', [], ['a']],
      ['gone', ['a'], []],
    ],
  )
})
