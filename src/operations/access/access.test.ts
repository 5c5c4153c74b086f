import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Control, example, refused, startControl } from '../../../test/control.ts'
import { grantsOf } from '../../access/identities.ts'
import type { Grant } from '../../access/principal.ts'
import { permits } from '../../access/roles.ts'
import { PERMISSIONS } from '../../model/access/access.ts'
import { OPERATIONS } from '../registry.ts'

const GITHUB = {
  name: 'Main branch',
  service_identity: 'ci',
  issuer: 'https://token.actions.githubusercontent.com',
  audience: 'https://gateway.example',
  conditions: [{ claim: 'repository', equals: 'acme/orders' }],
}

let control: Control
let orders = ''
before(async () => {
  control = await startControl()
  await example(control)
  orders = String((await control.run('collections.get', { id: 'orders' })).output['id'])
  await control.run('service_identities.create', { name: 'CI', slug: 'ci' })
})
after(() => control.close())

const id = async (): Promise<string> =>
  String((await control.run('service_identities.get', { id: 'ci' })).output['id'])

test('every permission of an operation is one that roles may hold', () => {
  for (const { permission } of OPERATIONS) assert.ok(PERMISSIONS.includes(permission), permission)
})

test('a grant gives a role within a scope, until it ends', async () => {
  const made = await control.run('grants.create', {
    service_identity: 'ci',
    name: 'Deploy',
    role: 'modifier',
    scope: { resource_types: ['proxies'], collections: ['orders'] },
    expires_at: new Date(Date.now() + 60_000).toISOString(),
  })
  assert.deepEqual((made.output['scope'] as { collections: string[] }).collections, ['orders'])
  const now = Date.now()
  const held = await grantsOf(control.store.read, await id(), now)
  const inside = { collection: orders, tags: [] }
  assert.equal(permits({ grants: held }, 'proxies:update', inside), true)
  assert.equal(permits({ grants: held }, 'proxies:update', { collection: 'col_other', tags: [] }), false)
  assert.equal(permits({ grants: held }, 'collections:update', inside), false)
  assert.deepEqual(await grantsOf(control.store.read, await id(), now + 61_000), [])
})

test('a role of your own holds exactly its permissions', async () => {
  await control.run('roles.create', {
    name: 'Publisher',
    permissions: ['collections:read', 'proxies:read', 'proxies:publish'],
  })
  await control.run('grants.put', {
    id: 'ci:publish',
    service_identity: 'ci',
    name: 'Publish',
    role: 'publisher',
  })
  const { output } = await control.run('grants.get', { id: 'ci:publish' })
  assert.equal(output['role'], 'publisher')
  const held = await grantsOf(control.store.read, await id(), Date.now() + 61_000)
  assert.equal(permits({ grants: held }, 'proxies:publish'), true)
  assert.equal(permits({ grants: held }, 'proxies:update'), false)
  const run = (name: string, input: object) => control.run(name, input, { grants: held })
  assert.equal((await run('proxies.publish', { id: 'get-order', status: 'draft' })).output['status'], 'draft')
  await refused(run('proxies.update', { id: 'get-order', name: 'Mine' }), 'permission_denied')
  // Its cascade is publishing too
  await refused(run('collections.publish', { id: 'orders', cascade: true }), 'permission_denied')
  await refused(control.run('roles.delete', { id: 'publisher' }, { confirm: 'publisher' }), 'in_use')
  for (const name of ['Admin', 'viewer'])
    await refused(control.run('roles.create', { name, permissions: ['audit:read'] }), 'input_invalid')
  await refused(control.run('roles.create', { name: 'Odd', permissions: ['proxies:fly'] }), 'input_invalid')
})

test('nobody grants what they lack, by no way', async () => {
  const scope = { types: [], verbs: [], collections: [], tags: [] }
  /** May administer access, and modify proxies of Orders. */
  const clerk: Grant[] = [
    { role: 'admin', scope: { ...scope, types: ['roles', 'service_identities', 'grants', 'trust_rules'] } },
    { role: 'modifier', scope: { ...scope, types: ['proxies'], collections: [orders] } },
  ]
  const run = (name: string, input: object) => control.run(name, input, { grants: clerk })
  for (const more of [
    { role: 'admin' },
    { role: 'modifier' },
    { role: 'modifier', scope: { resource_types: ['proxies'] } },
    { role: 'viewer', scope: { collections: ['orders'] } },
  ])
    await refused(
      run('grants.create', { service_identity: 'ci', name: 'More', ...more }),
      'permission_denied',
    )
  await run('grants.create', {
    service_identity: 'ci',
    name: 'Fine',
    role: 'modifier',
    scope: { resource_types: ['proxies'], collections: [orders] },
  })
  const wider = await refused(
    run('grants.update', { id: 'ci:fine', scope: { resource_types: ['proxies'], collections: [] } }),
    'permission_denied',
  )
  assert.match(wider.message, /You can grant only permissions that you have.*proxies:/)
  // A role that is granted already
  await refused(
    run('roles.update', { id: 'publisher', permissions: ['collections:read', 'keys:rotate'] }),
    'permission_denied',
  )
  // Who a mightier identity is
  await refused(run('trust_rules.create', GITHUB), 'permission_denied')
  await control.run('trust_rules.create', GITHUB)
  await refused(
    run('trust_rules.update', { id: 'ci:main-branch', conditions: [{ claim: 'sub', glob: '*' }] }),
    'permission_denied',
  )
  // Nor by documents
  const apply = (kind: string, slug: string, spec: object) =>
    control.run(
      'config.apply',
      { documents: [{ kind, slug, spec }] },
      { grants: [...clerk, { role: { permissions: new Set(['config:read', 'config:update']) } }] },
    )
  const conditions = [{ claim: 'sub', equals: 'any' }]
  for (const [kind, slug, spec] of [
    ['grant', 'all', { name: 'All', service_identity: 'ci', role: 'admin' }],
    ['role', 'publisher', { name: 'Publisher', permissions: ['collections:read', 'keys:rotate'] }],
    ['trust_rule', 'any', { ...GITHUB, name: 'Any', conditions }],
  ] as const) {
    const given = await refused(apply(kind, slug, spec), 'permission_denied')
    assert.match(given.message, /You can grant only permissions that you have/, kind)
  }
  await apply('role', 'unused', { name: 'Unused', permissions: ['keys:rotate'] })
})

test('a rule that any workload of an issuer fits, or that could be read over plain HTTP, is refused', async () => {
  for (const wrong of [
    { conditions: [] },
    { issuer: 'http://issuer.example' },
    { audience: '' },
    { conditions: [{ claim: 'sub' }] },
  ])
    await refused(control.run('trust_rules.create', { ...GITHUB, name: 'Odd', ...wrong }), 'input_invalid')
})

test('a collection that a grant is narrowed to cannot go: the grant would reach all of them', async () => {
  const gone = control.run('collections.delete', { id: 'orders' }, { confirm: 'orders' })
  const refusal = await refused(gone, 'in_use')
  assert.match(refusal.message, /grants\/deploy/)
})

test('an identity takes its grants and rules with it', async () => {
  await control.run('service_identities.delete', { id: 'ci' }, { confirm: 'ci' })
  for (const name of ['grants.list', 'trust_rules.list'])
    assert.deepEqual((await control.run(name, {})).output['items'], [])
})

test('what says who may administer is for admins alone, and is served to no gateway thread', async () => {
  for (const role of ['viewer', 'modifier', 'auditor'] as const)
    for (const name of ['roles.list', 'service_identities.list', 'grants.list', 'trust_rules.list'])
      await refused(control.run(name, {}, { role }), 'permission_denied')
  const published = control.published.length
  await control.run('service_identities.create', { name: 'Other' })
  const delta = control.published[published]
  assert.deepEqual([delta?.put, delta?.drop], [[], []])
})
