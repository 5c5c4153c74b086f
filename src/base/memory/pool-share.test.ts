import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PoolShare, WaitingLine } from './pool-share.ts'

/** Takes places for a holder until none is left to it; gives how many. */
function fill(share: PoolShare, holder: string): number {
  let taken = 0
  for (; share.mayTake(holder); taken++) share.take(holder)
  return taken
}

test('one holder gets half of the places, the next ones shares of what remains, and there is always one more', () => {
  const share = new PoolShare(256)
  assert.equal(fill(share, 'a'), 128)
  assert.equal(fill(share, 'b'), 64)
  assert.equal(fill(share, 'c'), 32)
  assert.equal(fill(share, 'd'), 16)
  assert.equal(share.mayTake('e'), true)
  assert.equal(fill(share, ''), 16)
  assert.equal(share.mayTake('e'), false)
})

test('a single place can be taken by any holder', () => {
  const share = new PoolShare(1)
  assert.equal(fill(share, 'a'), 1)
  share.give('a')
  assert.equal(fill(share, 'b'), 1)
})

test('what is given back counts for everybody', () => {
  const share = new PoolShare(16)
  assert.equal(fill(share, 'a'), 8)
  assert.equal(fill(share, 'b'), 4)
  for (let i = 0; i < 8; i++) share.give('a')
  assert.equal(fill(share, 'b'), 4)
  assert.equal(fill(share, 'a'), 4)
})

test('holders that come once leave nothing behind', () => {
  const share = new PoolShare(4)
  for (let i = 0; i < 5000; i++) {
    share.take(`holder ${i}`)
    share.give(`holder ${i}`)
  }
  assert.equal(fill(share, 'a'), 2)
})

test('those that wait get their turns by holder, and only those whose holder may take a place', () => {
  const line = new WaitingLine<{ holder: string; name: string }>(16)
  const users = ['a1', 'a2', 'a3', 'b1', 'b2', 'c1'].map((name) => ({ holder: name[0]!, name }))
  for (const user of users) assert.equal(line.add(user, 10), true)
  const share = new PoolShare(4)
  share.take('c')
  share.take('c')
  const served: string[] = []
  for (let next = line.next(share); next !== null; next = line.next(share)) served.push(next.name)
  assert.deepEqual(served, ['a1', 'b1', 'a2', 'b2', 'a3'])
  assert.equal(line.size, 1)
})

test('one holder takes half of the waiting line, and leaves it when its time is over', () => {
  const line = new WaitingLine<{ holder: string }>(8)
  const added = Array.from({ length: 8 }, () => ({ holder: 'a' })).filter((user) => line.add(user, 10))
  assert.equal(added.length, 4)
  assert.equal(line.add({ holder: 'b' }, 20), true)
  const expired: string[] = []
  assert.equal(
    line.expire(10, ({ holder }) => expired.push(holder)),
    20,
  )
  assert.deepEqual(expired, ['a', 'a', 'a', 'a'])
  assert.equal(line.size, 1)
  assert.equal(
    line.expire(20, () => {}),
    Infinity,
  )
})
