import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testLinks } from '../../../test/shared-state/links.ts'
import { createLinks } from './links.ts'

testLinks('memory of one thread', () => {
  let now = 0
  const links = createLinks<{ readonly secret: string }>(
    { now: () => now, monotonic: () => now },
    { max: 4, ownMax: 2 },
  )
  return {
    members: [links, links],
    move: (ms) => {
      now += ms
    },
  }
})

test('where the oldest gives way, a new link pushes out the oldest one', () => {
  const links = createLinks<number>({ now: () => 0, monotonic: () => 0 }, { max: 3, dropsOldest: true })
  for (let n = 0; n < 5; n++) assert.equal(links.put(`${n}`, n, 1000, null), true)
  assert.deepEqual(
    ['0', '1', '2', '3', '4'].map((key) => links.take(key)),
    [null, null, 2, 3, 4],
  )
})
