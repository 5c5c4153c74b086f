import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createReplayMemory, createReplays } from './replays.ts'

test('a token is let in once over all threads, and again after it has expired', () => {
  const memory = createReplayMemory(64)
  const [one, other] = [createReplays(memory), createReplays(memory)]
  assert.equal(one.claim('a', 2000, 1000), 'first')
  assert.equal(other.claim('a', 2000, 1000), 'again')
  assert.equal(one.claim('a', 2000, 1999), 'again')
  assert.equal(other.claim('b', 2000, 1000), 'first')
  assert.equal(other.claim('a', 4000, 2000), 'first')
  assert.equal(one.claim('a', 4000, 3999), 'again')
})

test('what cannot be remembered is not let in, until others have expired', () => {
  const replays = createReplays(createReplayMemory(16))
  const claims = Array.from({ length: 20 }, (_, n) => replays.claim(`t${n}`, 2000, 1000))
  assert.deepEqual(claims, [...Array(16).fill('first'), ...Array(4).fill('full')])
  assert.equal(replays.claim('t3', 2000, 1000), 'again')
  assert.equal(replays.claim('t19', 3000, 2000), 'first')
})
