import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testOnce } from '../../../test/shared-state/once.ts'
import { createKeyMemory, openKeyMemory } from './key-memory.ts'

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
  const usedTokens = openKeyMemory(createKeyMemory(16))
  const claims = Array.from({ length: 20 }, (_, n) => usedTokens.claim(`t${n}`, 2000, 1000))
  assert.deepEqual(claims, [...Array(16).fill('first'), ...Array(4).fill('unavailable')])
  assert.equal(usedTokens.claim('t3', 2000, 1000), 'again')
  assert.equal(usedTokens.claim('t19', 3000, 2000), 'first')
})
