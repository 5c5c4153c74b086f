import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type KeptAnswer, toKept } from '../kept-answer.ts'
import { IdempotencyMemory } from './keys.ts'

const kept = (bytes: number): KeptAnswer =>
  toKept(200, 'date: x\r\nx-a: 1\r\nAge: 3\r\n', new Uint8Array(bytes))

test('a key is claimed once, and its answer given to the same request alone', () => {
  let now = 0
  const memory = new IdempotencyMemory({ now: () => now, bytesMax: 10_000, entriesMax: 10 })
  assert.equal(memory.claim('k', 'f', 0).state, 'claimed')
  assert.equal(memory.claim('k', 'f', 1).state, 'busy')
  assert.equal(memory.claim('k', 'other', 1).state, 'conflict')
  memory.settle('k', kept(5), 1)
  assert.equal(memory.claim('k', 'f', 1).state, 'busy', 'only the thread that made the request settles it')
  memory.settle('k', kept(5), 0)
  assert.deepEqual(memory.claim('k', 'f', 1), { state: 'answered', answer: kept(5) })
  memory.release('k', 0)
  assert.equal(memory.claim('k', 'other', 1).state, 'conflict')
  now = 24 * 3_600_000
  assert.equal(memory.claim('k', 'other', 1).state, 'claimed')
})

test('claims of a thread that died are cut off, its answers stay', () => {
  const memory = new IdempotencyMemory({ now: () => 0, bytesMax: 10_000, entriesMax: 10 })
  memory.claim('open', 'f', 0)
  memory.claim('done', 'f', 0)
  memory.settle('done', kept(5), 0)
  memory.claim('unkept', 'f', 0)
  memory.settle('unkept', null, 0)
  memory.cutOff(0)
  assert.equal(memory.claim('open', 'f', 1).state, 'cut_off')
  assert.equal(memory.claim('open', 'other', 1).state, 'conflict')
  assert.deepEqual(memory.claim('done', 'f', 1), { state: 'answered', answer: kept(5) })
  assert.equal(memory.claim('unkept', 'f', 1).state, 'forgotten')
})

test('at its bounds the oldest answers go, requests under way never', () => {
  const memory = new IdempotencyMemory({ now: () => 0, bytesMax: 100_000, entriesMax: 3 })
  memory.claim('under way', 'f', 0)
  memory.claim('a', 'f', 0)
  memory.settle('a', kept(5), 0)
  memory.claim('b', 'f', 0)
  memory.settle('b', kept(5), 0)
  assert.equal(memory.claim('c', 'f', 0).state, 'claimed')
  assert.equal(memory.claim('under way', 'f', 0).state, 'busy')
  assert.equal(memory.claim('b', 'f', 0).state, 'answered')
  assert.equal(memory.claim('d', 'f', 0).state, 'claimed')
  assert.equal(memory.claim('e', 'f', 0).state, 'unavailable')
  assert.equal(memory.size, 3)
})

test('a client that uses many keys makes its own answers be forgotten, not those of others', () => {
  const memory = new IdempotencyMemory({ now: () => 0, bytesMax: 100_000, entriesMax: 1000 })
  const make = (key: string, bytes: number): void => {
    assert.equal(memory.claim(key, 'f', 0).state, 'claimed')
    memory.settle(key, kept(bytes), 0)
  }
  make('cli_small one', 100)
  for (let i = 0; i < 50; i++) make(`cli_large ${i}`, 10_000)
  assert.equal(memory.claim('cli_small one', 'f', 0).state, 'answered')
  assert.equal(memory.claim('cli_large 49', 'f', 0).state, 'answered')
  assert.equal(memory.claim('cli_large 0', 'f', 0).state, 'claimed')
  assert.ok(memory.size < 15, String(memory.size))
})
