import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventually } from '../../../test/support/eventually.ts'
import { FairQueue, type Place } from './control-door.ts'

/** Requests of a queue: who has begun, in order, and who was refused. */
function lineOf(places: number, waitMs?: number) {
  const queue = new FairQueue(places, waitMs)
  const begun: string[] = []
  const refused: string[] = []
  const enter = (holder: string): Place =>
    queue.enter(
      holder,
      () => begun.push(holder),
      () => refused.push(holder),
    )
  return { enter, begun, refused }
}

test('one holder takes half of the places, and every further holder finds one', () => {
  const { enter, begun } = lineOf(8)
  for (let i = 0; i < 100; i++) enter('flood')
  assert.equal(begun.length, 4)
  for (const holder of ['a', 'b', 'c', 'd']) enter(holder)
  assert.deepEqual(begun.slice(4), ['a', 'b', 'c', 'd'])
})

test('holders that flood the line leave a place in it for every further holder', () => {
  const { enter, refused } = lineOf(1)
  enter('first')
  for (const holder of ['a', 'b', 'c', 'd']) for (let i = 0; i < 200; i++) enter(holder)
  const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((one) => 200 - refused.filter((name) => name === one).length)
  // A holder has at most as many places as it leaves to others, and 128
  assert.deepEqual([a, b, c, d], [128, 128, 128, 64])
  enter('e')
  assert.ok(!refused.includes('e'))
})

test('holders that wait get their turns one after the other, however many requests one of them has', () => {
  const { enter, begun } = lineOf(1)
  const places = new Map<string, Place[]>()
  for (const holder of ['flood', 'flood', 'flood', 'a', 'b'])
    places.set(holder, [...(places.get(holder) ?? []), enter(holder)])
  for (let turn = 0; turn < 4; turn++) places.get(begun.at(-1)!)!.shift()!.leave()
  assert.deepEqual(begun, ['flood', 'flood', 'a', 'b', 'flood'])
})

test('a request that waits for too long, or finds the queue full, is refused; one that has left never begins', async () => {
  const { enter, begun, refused } = lineOf(2, 20)
  const first = enter('a')
  for (let i = 0; i < 200; i++) enter('a')
  assert.equal(begun.length, 1)
  assert.equal(refused.length, 200 - 128)
  const left = enter('b')
  left.leave()
  left.leave()
  await eventually(() => refused.length === 200)
  assert.deepEqual(begun, ['a', 'b'])
  first.leave()
  enter('c')
  enter('d')
  assert.deepEqual(begun, ['a', 'b', 'c', 'd'])
})
