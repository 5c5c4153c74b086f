import assert from 'node:assert/strict'
import { test } from 'node:test'
import { grantSentence } from './grant-sentence.ts'

const scope = { resource_types: [], verbs: [], collections: [], virtual_mcps: [], tags: [] }

test('a grant without limits reaches everything', () => {
  assert.equal(grantSentence({ user: 'ann', role: 'viewer', scope }), 'ann may read everything.')
})

test('a grant names its types, places, tags, verbs and end', () => {
  const grant = {
    user: null,
    team: 'payments',
    role: 'modifier',
    scope: {
      ...scope,
      resource_types: ['proxies', 'virtual_mcps'],
      collections: ['orders', 'refunds'],
      virtual_mcps: ['desk'],
      tags: ['partner', 'beta'],
      verbs: ['read', 'read_body'],
    },
    expires_at: '2026-12-01T00:00:00Z',
  }
  assert.equal(
    grantSentence(grant),
    'Members of the team payments may read and change proxies and virtual MCPs in the collections orders and refunds and the virtual MCP ' +
      'desk with the tag partner or beta, limited to read and read body until 2026-12-01.',
  )
})

test('a role of its own is named, as is the machine that holds it', () => {
  assert.equal(
    grantSentence({ service_identity: 'ci', role: 'deployer', scope }),
    'The service identity ci may do what the role deployer allows with everything.',
  )
})
