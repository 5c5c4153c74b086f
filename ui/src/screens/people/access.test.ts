import assert from 'node:assert/strict'
import { test } from 'node:test'
import { grantChoices, grantLines, grantSentence, grantWords, gridOf, treeOf } from './access.ts'

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

test('a role of its own is named, as is the service identity that holds it', () => {
  assert.equal(
    grantSentence({ service_identity: 'ci', role: 'deployer', scope }),
    'The service identity ci may do what the role deployer allows with everything.',
  )
})

test('the compact form of a grant is read in the same words', () => {
  for (const [text, words] of [
    ['admin', 'May read, change and grant everything.'],
    ['modifier@orders,payments', 'May read and change everything in the collections orders and payments.'],
    [
      'modifier:proxies,policies@orders',
      'May read and change proxies and policies in the collection orders.',
    ],
    ['viewer@mcp:desk,tag:partner', 'May read everything in the virtual MCP desk with the tag partner.'],
    ['deployer', 'May do what the role deployer allows with everything.'],
  ] as const)
    assert.equal(grantWords(text), words)
})

const SCOPE = { resource_types: [], verbs: [], collections: ['orders'], virtual_mcps: [], tags: [] }

test('each grant with a role is a choice with a sentence, and one of single permissions is none', () => {
  assert.deepEqual(
    grantChoices([
      { grant: 'viewer@orders', role: 'viewer', scope: SCOPE },
      { grant: 'permissions', role: null, scope: SCOPE },
    ]),
    [{ grant: 'viewer@orders', sentence: 'You may read everything in the collection orders.' }],
  )
})

test('lines are grants, without spaces around them and without empty lines', () => {
  assert.deepEqual(grantLines(' viewer@orders \n\nmodifier:proxies\n'), ['viewer@orders', 'modifier:proxies'])
})

test('permissions become a row for each resource and a column for each verb, common verbs first', () => {
  const { verbs, rows } = gridOf(['proxies:publish', 'proxies:read', 'audit:verify', 'audit:read'])
  assert.deepEqual(verbs, ['read', 'publish', 'verify'])
  assert.deepEqual(
    rows.map(({ resource, verbs: own }) => [resource, [...own].sort()]),
    [
      ['audit', ['read', 'verify']],
      ['proxies', ['publish', 'read']],
    ],
  )
})

test('teams stand below their parents, and those with an unknown parent at the top', () => {
  const tree = treeOf([
    { slug: 'core', name: 'Core', parent: 'top' },
    { slug: 'top', name: 'Top', parent: null },
    { slug: 'lost', name: 'Lost', parent: 'elsewhere' },
  ])
  assert.deepEqual(tree, [
    { slug: 'top', name: 'Top', below: [{ slug: 'core', name: 'Core', below: [] }] },
    { slug: 'lost', name: 'Lost', below: [] },
  ])
})
