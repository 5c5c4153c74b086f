import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assigned, bindingHindrance, clientHindrance, opening, sharingOf } from './callers.ts'

const NOW = Date.parse('2026-11-24T12:00:00Z')

test('sharing is with everyone, with teams or with nobody', () => {
  assert.deepEqual(sharingOf({ all_users: true, teams: ['support'] }), { everyone: true, teams: ['support'] })
  assert.deepEqual(sharingOf({}), { everyone: false, teams: [] })
})

test('a client may call what is assigned to it while it is active and valid', () => {
  const client = { active: true, valid_until: null, virtual_mcps: ['desk'] }
  assert.deepEqual(assigned([client, { ...client, virtual_mcps: ['other'] }], 'desk'), [client])
  assert.equal(clientHindrance(client, NOW), null)
  assert.equal(clientHindrance({ ...client, active: false }, NOW), 'inactive')
  assert.equal(clientHindrance({ ...client, valid_until: '2026-11-24T11:59:59Z' }, NOW), 'expired')
  assert.equal(clientHindrance({ ...client, valid_until: '2026-11-24T12:00:01Z' }, NOW), null)
})

test('an agent may call with a valid token, or with a key that has not retired', () => {
  const binding = { virtual_mcp: 'desk', active: true, keys: [], token_state: 'valid' }
  assert.deepEqual(opening([binding, { ...binding, virtual_mcp: 'other' }], 'desk'), [binding])
  assert.equal(bindingHindrance(binding, NOW), null)
  assert.equal(bindingHindrance({ ...binding, token_state: 'expiring_soon' }, NOW), null)
  assert.equal(bindingHindrance({ ...binding, active: false }, NOW), 'inactive')
  assert.equal(bindingHindrance({ ...binding, token_state: 'none' }, NOW), 'no valid token')
  const keyed = { ...binding, token_state: 'none', keys: [{}] }
  assert.equal(bindingHindrance(keyed, NOW), null)
  const retired = { ...keyed, keys: [{ retires_at: '2026-11-24T11:00:00Z' }] }
  assert.equal(bindingHindrance(retired, NOW), 'no valid token')
})
