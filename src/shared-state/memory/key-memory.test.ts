import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testOnce } from '../../../test/shared-state/once.ts'
import { createKeyMemory, createSharedOnce, openKeyMemory } from './key-memory.ts'

testOnce('shared memory', () => {
  const cells = createKeyMemory(1024)
  let now = 1000
  return {
    members: [openKeyMemory(cells), openKeyMemory(cells)],
    now: () => now,
    move: (ms) => {
      now += ms
    },
  }
})

test('a key is remembered in all threads until its time', () => {
  const memory = createKeyMemory(64)
  const [one, other] = [openKeyMemory(memory), openKeyMemory(memory)]
  one.claim('a', 4000, 1000)
  assert.deepEqual(
    [one.has('a', 3999), other.has('a', 3999), one.has('a', 4000), one.has('c', 1000)],
    [true, true, false, false],
  )
})

test('what cannot be remembered is not let in, until others have expired', () => {
  const usedTokens = openKeyMemory(createKeyMemory(32))
  const claims = Array.from({ length: 36 }, (_, n) => usedTokens.claim(`t${n}`, 2000, 1000))
  assert.deepEqual(claims, [...Array(32).fill('first'), ...Array(4).fill('unavailable')])
  assert.equal(usedTokens.claim('t3', 2000, 1000), 'again')
  assert.equal(usedTokens.claim('t19', 3000, 2000), 'first')
})

test('a holder that has ever new keys remembered leaves places for the next holder', () => {
  const usedTokens = openKeyMemory(createKeyMemory(32 * 64))
  const claimed = (holder: string, count: number): number =>
    Array.from({ length: count }, (_, n) => usedTokens.claim(`${holder} ${n}`, 2000, 1000, holder)).filter(
      (one) => one === 'first',
    ).length
  assert.equal(claimed('greedy', 10_000), 64 * 16)
  assert.equal(claimed('acme', 100), 100)
  assert.equal(usedTokens.claim('acme 1', 2000, 1000, 'acme'), 'again')
  assert.deepEqual(
    [usedTokens.has('acme 1', 1999, 'acme'), usedTokens.has('acme 1', 2000, 'acme')],
    [true, false],
  )
  assert.equal(claimed('', 10_000), 64 * 32 - 64 * 16 - 100)
})

test('a claim that the shared memory cannot answer is forgotten, and its place is free', async () => {
  const own = openKeyMemory(createKeyMemory(32))
  let isReachable = false
  const once = createSharedOnce(own, { claim: () => (isReachable ? 'first' : 'unavailable') })
  for (let n = 0; n < 100; n++)
    assert.equal(await once.claim(`t${n}`, 2000, 1000, n % 2 === 0 ? 'acme' : ''), 'unavailable')
  isReachable = true
  assert.equal(await once.claim('t0', 2000, 1000, 'acme'), 'first')
  assert.equal(once.claim('t0', 2000, 1000, 'acme'), 'again')
})
