import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createKeyMemory, openKeyMemory } from './key-memory.ts'

test('a token is let in once over all threads, and again after it has expired', () => {
  const memory = createKeyMemory(64)
  const [one, other] = [openKeyMemory(memory), openKeyMemory(memory)]
  assert.equal(one.claim('a', 2000, 1000), 'first')
  assert.equal(other.claim('a', 2000, 1000), 'again')
  assert.equal(one.claim('a', 2000, 1999), 'again')
  assert.equal(other.claim('b', 2000, 1000), 'first')
  assert.equal(other.claim('a', 4000, 2000), 'first')
  assert.equal(one.claim('a', 4000, 3999), 'again')
  assert.deepEqual(
    [one.has('a', 3999), other.has('a', 3999), one.has('a', 4000), one.has('c', 1000)],
    [true, true, false, false],
  )
})

test('what cannot be remembered is not let in, until others have expired', () => {
  const usedTokens = openKeyMemory(createKeyMemory(16))
  const claims = Array.from({ length: 20 }, (_, n) => usedTokens.claim(`t${n}`, 2000, 1000))
  assert.deepEqual(claims, [...Array(16).fill('first'), ...Array(4).fill('full')])
  assert.equal(usedTokens.claim('t3', 2000, 1000), 'again')
  assert.equal(usedTokens.claim('t19', 3000, 2000), 'first')
})
