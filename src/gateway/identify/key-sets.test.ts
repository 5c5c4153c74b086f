import assert from 'node:assert/strict'
import { test } from 'node:test'
import { signingKey } from '../../../test/support/issuer.ts'
import { createClock, createClockCell, moveClock } from '../../base/clock.ts'
import { createKeySets, KEPT_MS, type KeptKeySet, type KeptKeySets } from './key-sets.ts'

const SOURCE = 'jwks https://id.test/keys'
const MINUTE_MS = 60_000
const KEY = { ...signingKey('one').jwk, d: 'private', x5c: ['chain'] }
const PUBLIC = signingKey('two').jwk

/** A provider, and what outlives the process. */
function start(memory = new Map<string, KeptKeySet>()) {
  const cell = createClockCell()
  const provider = { isUp: true, keys: [KEY, PUBLIC, { kty: 'oct', k: 'secret' }] as unknown[], asked: 0 }
  const kept: KeptKeySets = {
    load: (source) => memory.get(source) ?? null,
    keep: (source, set) => void memory.set(source, structuredClone(set)),
  }
  const load = createKeySets(
    createClock(cell),
    async () => {
      provider.asked++
      if (!provider.isUp) throw new Error('is down')
      return { keys: provider.keys as never }
    },
    kept,
  )
  return { provider, memory, load, move: (ms: number) => moveClock(cell, ms) }
}

test('the keys of a run before are good through an outage, no longer than those of this one', async () => {
  const before = start()
  assert.equal((await before.load(SOURCE, MINUTE_MS)).ok, true)
  const after = start(before.memory)
  after.provider.isUp = false
  after.move(2 * MINUTE_MS)
  const answer = await after.load(SOURCE, MINUTE_MS)
  assert.ok(answer.ok && !answer.isFresh && answer.ageMs >= 2 * MINUTE_MS)
  assert.deepEqual(
    answer.keys.map((key) => key['kid']),
    ['one', 'two'],
  )
  assert.equal(after.provider.asked, 1, 'the provider goes before what is kept')
  after.move(KEPT_MS - 3 * MINUTE_MS)
  assert.equal((await after.load(SOURCE, MINUTE_MS)).ok, true)
  after.move(MINUTE_MS)
  assert.equal((await after.load(SOURCE, MINUTE_MS)).ok, false)
})

test('a key that its issuer has withdrawn is gone when the issuer can be asked', async () => {
  const before = start()
  await before.load(SOURCE, MINUTE_MS)
  const after = start(before.memory)
  after.move(MINUTE_MS)
  after.provider.keys = [PUBLIC]
  const answer = await after.load(SOURCE, MINUTE_MS)
  assert.ok(answer.ok && answer.isFresh)
  assert.equal(answer.keys.length, 1)
  assert.equal(after.memory.get(SOURCE)?.keys.length, 1)
})

test('what is kept are the public members of keys for signatures', async () => {
  const { memory, load } = start()
  await load(SOURCE, MINUTE_MS)
  assert.doesNotMatch(JSON.stringify(memory.get(SOURCE)), /private|secret|chain/)
})

test('keys that are too old, or from a time to come, are not used', async () => {
  for (const move of [KEPT_MS, -MINUTE_MS]) {
    const before = start()
    await before.load(SOURCE, MINUTE_MS)
    const after = start(before.memory)
    after.provider.isUp = false
    after.move(move)
    assert.deepEqual(await after.load(SOURCE, KEPT_MS), { ok: false, reason: 'is down' }, `${move}`)
  }
})
