import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SHARED } from '../../model/access/caller.ts'
import { accountOf, connectionFacts, NO_PERSON } from './connected.ts'

const signIn = { user: 'usr_ann', grant: 'gra_a', epoch: 0, scopes: new Set<string>() }
const NOBODY = { signIn: null, subject: 'usr_ann' }
const bound = (user: string | null) => ({ binding: { virtual_mcp: 'vmc_desk', user } })
const UNBOUND = { binding: null }

test('the account is that of the person who has signed in or is bound to the agent', () => {
  assert.equal(accountOf({ connection: 'user' }, { signIn }, UNBOUND), 'usr_ann')
  assert.equal(accountOf({ connection: 'user' }, { signIn: null }, bound('usr_bob')), 'usr_bob')
})

test('an agent that acts for people uses the account of the person of its token, and none for itself', () => {
  assert.equal(accountOf({ connection: 'user' }, { signIn }, bound(null)), 'usr_ann')
  assert.equal(accountOf({ connection: 'user' }, { signIn: { ...signIn, user: null } }, bound(null)), null)
})

test('a subject of others, an agent that acts for itself and a deleted profile have no account', () => {
  assert.equal(accountOf({ connection: 'user' }, NOBODY, UNBOUND), null)
  assert.equal(accountOf({ connection: 'user' }, NOBODY, bound(null)), null)
  assert.equal(accountOf({ connection: 'user' }, { signIn }, null), null)
})

test('where all callers share an account, it is that of each', () => {
  for (const profile of [UNBOUND, bound(null), null])
    assert.equal(accountOf({ connection: 'shared' }, NOBODY, profile), SHARED)
})

test('a refusal names the origin and the page, and no page where no person can connect', () => {
  const page = 'https://postern.test/connect/crm'
  const reason = 'No account is connected.'
  const { detail, members } = connectionFacts('crm', { ok: false, code: 'connect_required', reason, page })
  assert.deepEqual(members, { origin: 'crm', connect_url: page })
  assert.match(detail!, /"crm" needs a connected account\. No account is connected\. Open https:/)
  assert.deepEqual(connectionFacts('crm', NO_PERSON).members, { origin: 'crm' })
})
