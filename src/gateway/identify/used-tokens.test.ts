import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createUsedTokenMemory, createUsedTokens } from './used-tokens.ts'

test('a token is let in once over all threads, and again after it has expired', () => {
  const memory = createUsedTokenMemory(64)
  const [one, other] = [createUsedTokens(memory), createUsedTokens(memory)]
  assert.equal(one.claim('a', 2000, 1000), 'first')
  assert.equal(other.claim('a', 2000, 1000), 'again')
  assert.equal(one.claim('a', 2000, 1999), 'again')
  assert.equal(other.claim('b', 2000, 1000), 'first')
  assert.equal(other.claim('a', 4000, 2000), 'first')
  assert.equal(one.claim('a', 4000, 3999), 'again')
})

test('what cannot be remembered is not let in, until others have expired', () => {
  const usedTokens = createUsedTokens(createUsedTokenMemory(16))
  const claims = Array.from({ length: 20 }, (_, n) => usedTokens.claim(`t${n}`, 2000, 1000))
  assert.deepEqual(claims, [...Array(16).fill('first'), ...Array(4).fill('full')])
  assert.equal(usedTokens.claim('t3', 2000, 1000), 'again')
  assert.equal(usedTokens.claim('t19', 3000, 2000), 'first')
})
