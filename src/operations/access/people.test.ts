import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Control, example, refused, startControl } from '../../../test/control.ts'
import type { Accounts, Arrival } from '../../access/accounts.ts'
import type { Grant, Permission } from '../../access/principal.ts'
import { permits } from '../../access/roles.ts'
import { createClock } from '../../base/clock.ts'
import { createAccounts } from './accounts.ts'

const MINUTE_MS = 60_000

let control: Control
let accounts: Accounts
/** Ids of users by slug. */
const ids: Record<string, string> = {}
before(async () => {
  control = await startControl()
  await example(control)
  accounts = createAccounts(control.store.read, createClock(control.cell), control.invoke)
  for (const slug of ['ada', 'bob', 'cy', 'dee'])
    ids[slug] = String((await run('users.create', { name: slug })).output['id'])
  await run('teams.create', { name: 'Engineering', slug: 'eng', members: [{ user: 'ada', role: 'admin' }] })
  await run('teams.create', { name: 'Backend', parent: 'eng', members: [{ user: 'bob' }] })
  await run('teams.create', { name: 'Storage', parent: 'backend', idp_groups: ['storage'] })
  await run('teams.create', { name: 'Sales', members: [{ user: 'cy' }] })
})
after(() => control.close())

const run = (name: string, input: object, options = {}) => control.run(name, input, options)

async function grantsOf(slug: string): Promise<readonly Grant[]> {
  const proof = { authMethod: 'oauth', expiresAt: null, ceiling: null }
  return (await accounts.principalOf(ids[slug]!, proof)).grants
}

async function may(slug: string, permission: Permission): Promise<boolean> {
  return permits({ grants: await grantsOf(slug) }, permission)
}

async function grant(name: string, subject: object, role = 'viewer', more: object = {}): Promise<void> {
  await run('grants.create', { name, slug: name, role, ...subject, ...more })
}

async function arrive(subject: string, more: Partial<Arrival> = {}): Promise<void> {
  const arrival = {
    issuer: 'https://id.example.com',
    subject,
    email: null,
    name: subject,
    groups: [],
    grants: [],
  }
  ids[subject] = (await accounts.arrive({ ...arrival, ...more })).id
}

test('what a team is granted holds for its members and for those of the teams below it', async () => {
  await arrive('sam', { groups: ['storage', 'x'] })
  await grant('eng-view', { team: 'eng' }, 'viewer', { scope: { resource_types: ['policies'] } })
  await grant('backend-clients', { team: 'backend' }, 'modifier', { scope: { resource_types: ['clients'] } })
  const found: Record<string, boolean[]> = {}
  for (const slug of ['ada', 'bob', 'sam', 'cy'])
    found[slug] = [await may(slug, 'policies:read'), await may(slug, 'clients:update')]
  assert.deepEqual(found, { ada: [true, false], bob: [true, true], sam: [true, true], cy: [false, false] })
  await run('teams.update', { id: 'storage', parent: null })
  assert.equal(await may('sam', 'policies:read'), false)
  await run('teams.update', { id: 'storage', parent: 'backend' })
  await arrive('sam', { groups: ['x'] })
  assert.equal(await may('sam', 'policies:read'), false)
})

test('a grant is for one of user, team, group and service identity, and ends when it says', async () => {
  const expires_at = new Date(Date.now() + MINUTE_MS).toISOString()
  await grant('short', { user: 'dee' }, 'viewer', { expires_at })
  await grant('group-audit', { group: 'x' }, 'auditor')
  assert.equal(await may('dee', 'policies:read'), true)
  assert.equal(await may('sam', 'audit:verify'), true)
  assert.equal(await may('cy', 'audit:verify'), false)
  control.move(2 * MINUTE_MS)
  assert.deepEqual(await grantsOf('dee'), [])
  const wrong = { name: 'Wrong', role: 'viewer' }
  for (const subject of [{}, { user: 'dee', team: 'eng' }, { user: 'dee', group: 'x' }])
    await refused(run('grants.create', { ...wrong, ...subject }), 'input_invalid')
  await refused(run('grants.put', { id: 'dee:short', ...wrong, user: 'cy' }), 'input_invalid')
  await refused(run('grants.update', { id: 'dee:short', group: 'x' }), 'input_invalid')
  await run('grants.put', { id: 'group-audit', ...wrong, slug: 'group-audit', group: 'x' })
  await run('grants.put', { id: 'mine', ...wrong, user: 'dee' })
  const list = async (filter: object) =>
    ((await run('grants.list', filter)).output['items'] as { slug: string }[]).map(({ slug }) => slug)
  assert.deepEqual(await list({ user: 'dee' }), ['short', 'mine'])
  assert.deepEqual(await list({ group: 'x' }), ['group-audit'])
  await refused(run('grants.list', { user: 'dee', team: 'eng' }), 'input_invalid')
})

test('where a user and a team have the same slug, a grant is told by the id of its subject', async () => {
  await run('users.create', { name: 'Sales' })
  await grant('same', { user: 'sales' })
  await grant('same', { team: 'sales' })
  const refusal = await refused(run('grants.get', { id: 'sales:same' }), 'input_invalid')
  const { candidates } = refusal.facts.members as { candidates: string[] }
  assert.equal(candidates.length, 2)
  for (const id of candidates) await run('grants.delete', { id }, { confirm: 'same' })
})

test('teams are no part of themselves and at most eight deep', async () => {
  await refused(run('teams.update', { id: 'eng', parent: 'storage' }), 'configuration_invalid')
  await refused(run('teams.update', { id: 'eng', parent: 'eng' }), 'configuration_invalid')
  for (let level = 1; level <= 8; level++)
    await run('teams.create', {
      name: `Level ${level}`,
      ...(level === 1 ? {} : { parent: `level-${level - 1}` }),
    })
  await refused(run('teams.create', { name: 'Level 9', parent: 'level-8' }), 'configuration_invalid')
  await refused(run('teams.update', { id: 'level-1', parent: 'sales' }), 'configuration_invalid')
  await refused(
    run('teams.update', { id: 'sales', members: [{ user: 'cy' }, { user: ids['cy'] }] }),
    'input_invalid',
  )
  await refused(run('teams.delete', { id: 'backend' }, { confirm: 'backend' }), 'in_use')
})

test('who leads a team changes its members and those of the teams below it, and nothing else', async () => {
  const grants = await grantsOf('ada')
  const as = (name: string, input: object) => control.run(name, input, { grants })
  const slugs = async (name: string) =>
    ((await as(name, {})).output['items'] as { slug: string }[]).map(({ slug }) => slug)
  assert.deepEqual(await slugs('teams.list'), ['eng', 'backend', 'storage'])
  await as('teams.update', { id: 'eng', members: [{ user: 'ada', role: 'admin' }, { user: 'dee' }] })
  assert.equal(await may('dee', 'policies:read'), true)
  // What ada lacks herself, she gives to nobody, but she may take it
  const gain = await refused(
    as('teams.update', { id: 'backend', members: [{ user: 'bob' }, { user: 'dee' }] }),
    'permission_denied',
  )
  assert.match(gain.message, /you lack the permission clients:/)
  await refused(as('teams.update', { id: 'backend', idp_groups: ['x'] }), 'permission_denied')
  await refused(
    as('teams.update', { id: 'backend', members: [{ user: 'bob', role: 'admin' }] }),
    'permission_denied',
  )
  await as('teams.update', { id: 'backend', members: [] })
  assert.equal(await may('bob', 'clients:update'), false)
  await run('teams.update', { id: 'backend', members: [{ user: 'bob' }] })
  // Nor does she take a team out of those above it, or see beyond them
  await refused(as('teams.update', { id: 'storage', parent: null }), 'permission_denied')
  await refused(as('teams.create', { name: 'Own' }), 'permission_denied')
  await refused(as('teams.update', { id: 'sales', members: [] }), 'not_found')
  await refused(as('users.list', {}), 'permission_denied')
  await refused(as('grants.create', { name: 'G', team: 'eng', role: 'viewer' }), 'permission_denied')
  const gone = await grantsOf('bob')
  await refused(
    control.run('teams.update', { id: 'eng', name: 'Mine' }, { grants: gone }),
    'permission_denied',
  )
})

test('who may change teams and users puts nobody where more may be done than they may do', async () => {
  const scope = { types: ['teams', 'users'], verbs: [], collections: [], tags: [] }
  const clerk = { grants: [{ role: 'admin', scope }] as const }
  const members = [{ user: 'ada', role: 'admin' }, { user: 'cy' }]
  await refused(run('teams.update', { id: 'eng', members }, clerk), 'permission_denied')
  await refused(run('teams.update', { id: 'sales', parent: 'eng' }, clerk), 'permission_denied')
  await refused(run('teams.create', { name: 'In', parent: 'eng', members: [] }, clerk), 'permission_denied')
  await run('teams.update', { id: 'sales', members: [{ user: 'cy' }, { user: 'dee' }] }, clerk)
  await run('teams.update', { id: 'eng', description: 'Builds' }, clerk)
  // By the email somebody signs in
  await refused(run('users.update', { id: 'bob', email: 'mine@example.com' }, clerk), 'permission_denied')
  await run('users.toggle', { id: 'bob', active: false }, clerk)
  await refused(run('users.toggle', { id: 'bob', active: true }, clerk), 'permission_denied')
  await run('users.toggle', { id: 'bob', active: true })
})

test('a user takes their grants and memberships with them', async () => {
  await grant('own', { user: 'dee' })
  await run('users.delete', { id: 'dee' }, { confirm: 'dee' })
  const { output } = await run('teams.get', { id: 'sales' })
  assert.deepEqual(output['members'], [{ user: 'cy', role: 'member' }])
  const grants = (await run('grants.list', { limit: 200 })).output['items'] as { slug: string }[]
  assert.ok(grants.length > 0 && grants.every(({ slug }) => slug !== 'own'))
  const proof = { authMethod: 'oauth', expiresAt: null, ceiling: null }
  await refused(accounts.principalOf(ids['dee']!, proof), 'credential_invalid')
})
