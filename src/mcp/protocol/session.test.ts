import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createTombstones } from '../../../test/support/session-memory.ts'
import { createClock, createClockCell, moveClock } from '../../base/clock.ts'
import { createSessions, SESSION_MS_MAX } from './held-streams.ts'

const key = new Uint8Array(32).fill(1)
const facts = {
  identity: 'pro_1',
  agent: { name: 'agent', version: '1' },
  version: '2025-11-25',
  takesForms: true,
  askable: {},
}

test('a session carries what was said at initialize to any holder of the key', () => {
  const one = createSessions(key, 'door', createClock(), createTombstones())
  const other = createSessions(key, 'door', createClock(), createTombstones())
  const id = one.seal(facts)
  assert.match(id, /^[A-Za-z0-9_-]+$/)
  const session = other.open(id, 'pro_1')
  assert.deepEqual(session?.agent, facts.agent)
  assert.deepEqual([session.version, session.takesForms], ['2025-11-25', true])
  assert.ok(!id.includes(session.hashedId))
})

test('a session of the longest subject and agent can be opened', () => {
  const sessions = createSessions(key, 'door', createClock(), createTombstones())
  const identity = `${'c'.repeat(40)}/${'p'.repeat(40)}/${'\u20ac'.repeat(1024)}`
  const agent = { name: '\u20ac'.repeat(128), version: '\u20ac'.repeat(128) }
  const askable = { elicitation: { form: {}, url: {} }, sampling: { tools: {}, context: {} }, roots: {} }
  const id = sessions.seal({ ...facts, identity, agent, askable })
  assert.deepEqual(sessions.open(id, identity)?.agent, agent)
})

test('a broken, foreign or invented session is unknown', () => {
  const sessions = createSessions(key, 'door', createClock(), createTombstones())
  const id = sessions.seal(facts)
  assert.equal(sessions.open(id, 'pro_2'), null)
  assert.equal(createSessions(key, 'other', createClock(), createTombstones()).open(id, 'pro_1'), null)
  const otherKey = new Uint8Array(32).fill(2)
  assert.equal(createSessions(otherKey, 'door', createClock(), createTombstones()).open(id, 'pro_1'), null)
  for (let at = 0; at < id.length; at++) {
    // The last character holds bits that belong to no byte, so every other one must matter.
    const changed = id.slice(0, at) + (id[at] === 'A' ? 'B' : 'A') + id.slice(at + 1)
    const bytes = Buffer.from(changed, 'base64url')
    if (bytes.equals(Buffer.from(id, 'base64url'))) continue
    assert.equal(sessions.open(changed, 'pro_1'), null)
  }
  for (const invented of ['', 'x', '!', 'A'.repeat(80), 'A'.repeat(5000), `${id}\n`, id.slice(1)])
    assert.equal(sessions.open(invented, 'pro_1'), null)
})

test('an ended session is unknown wherever the tombstones are known', () => {
  const tombstones = createTombstones()
  const one = createSessions(key, 'door', createClock(), tombstones)
  const other = createSessions(key, 'door', createClock(), tombstones)
  const id = one.seal(facts)
  assert.equal(one.end(id, 'pro_2'), false)
  assert.ok(other.open(id, 'pro_1') !== null)
  assert.equal(one.end(id, 'pro_1'), true)
  assert.equal(other.open(id, 'pro_1'), null)
  assert.equal(one.end(id, 'pro_1'), false)
})

test('a session ends by itself', () => {
  const cell = createClockCell()
  const sessions = createSessions(key, 'door', createClock(cell), createTombstones())
  const id = sessions.seal(facts)
  moveClock(cell, SESSION_MS_MAX - 1000)
  assert.ok(sessions.open(id, 'pro_1') !== null)
  moveClock(cell, 2000)
  assert.equal(sessions.open(id, 'pro_1'), null)
})
