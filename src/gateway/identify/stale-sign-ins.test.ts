import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Snapshot } from '../../snapshot/snapshot.ts'
import { isStale, standingOfSignIn } from './sign-in.ts'
import type { SignIns } from './sign-in-port.ts'

test('if the end of some grant was not remembered, sign-ins that were proved before are proved again, and their streams end', () => {
  let epoch = 0
  const signIns: SignIns = {
    issuer: 'https://gateway.example',
    prove: () => assert.fail(),
    hasEnded: () => false,
    epoch: () => epoch,
  }
  // All that is looked up for a person at a host
  const snapshot = {
    people: new Map([['usr_ann', { active: true }]]),
    hosts: new Map([['hst_a', { fragment: { active: true } }]]),
  } as unknown as Snapshot
  const signIn = { user: 'usr_ann', grant: 'gra_a', scopes: new Set<string>(), epoch }
  const fault = () =>
    standingOfSignIn({ snapshot, lane: { signIns }, now: 0 }, null, { agentHost: 'hst_a' }, signIn).fault
  assert.deepEqual([isStale(signIn, { signIns }), fault()], [false, null])
  epoch++
  assert.deepEqual([isStale(signIn, { signIns }), fault()], [true, 'the grant was revoked'])
  // An agent with a token for itself has no grant
  assert.equal(isStale({ ...signIn, grant: null }, { signIns }), false)
})
