import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Control, example, operationOf, refused, startControl } from '../../../test/control.ts'
import type { Accounts, Arrival } from '../../access/accounts.ts'
import type { Grant, Permission } from '../../access/principal.ts'
import { permits } from '../../access/roles.ts'
import { createClock } from '../../base/clock.ts'
import { createAccounts } from './accounts.ts'

const ISSUER = 'https://id.example.com'
const ADA: Arrival = {
  issuer: ISSUER,
  subject: 's-1',
  email: 'Ada@Example.com',
  name: 'Ada Lovelace',
  groups: ['engineering'],
  grants: ['modifier:proxies@orders', 'admin@nowhere', 'Owner'],
}
const PROOF = { authMethod: 'oauth', expiresAt: null, ceiling: null }

let control: Control
let accounts: Accounts
let orders = ''
before(async () => {
  control = await startControl()
  await example(control)
  orders = String((await control.run('collections.get', { id: 'orders' })).output['id'])
  accounts = createAccounts(control.store.read, createClock(control.cell), control.invoke)
})
after(() => control.close())

const entries = async () => (await control.store.read.auditEntries({ limit: 1000 })).items

test('who signs in for the first time becomes a user, known again by issuer and subject', async () => {
  const ada = await accounts.arrive(ADA)
  assert.match(ada.id, /^usr_/)
  assert.deepEqual(
    { ...ada, id: '' },
    { id: '', slug: 'ada', name: 'Ada Lovelace', email: 'ada@example.com', active: true },
  )
  const [made] = await entries()
  assert.deepEqual(
    [made?.operation, made?.action, made?.actor.type, made?.actor.name, made?.resource.slug],
    ['users.arrive', 'CREATE', 'system', ISSUER, 'ada'],
  )
  const before = (await entries()).length
  assert.deepEqual(await accounts.arrive(ADA), ada)
  assert.equal((await entries()).length, before)
  const renamed = await accounts.arrive({ ...ADA, name: 'Ada King', groups: ['research'] })
  assert.deepEqual([renamed.id, renamed.name], [ada.id, 'Ada King'])
  const { output } = await control.run('users.get', { id: 'ada' })
  assert.deepEqual([output['groups'], output['mapped_grants']], [['research'], ADA.grants])
  // Another one there is another one here, whatever they say of their email
  const other = await accounts.arrive({ ...ADA, subject: 's-2' })
  assert.notEqual(other.id, ada.id)
  assert.equal(other.email, null)
  assert.match(other.slug, /^ada-/)
})

test('what was told before the last time gives nobody their groups back', async () => {
  const eve = { ...ADA, subject: 's-late', email: null, name: 'Late' }
  const { id, slug } = await accounts.arrive({ ...eve, claimsIssuedAt: 1000 })
  const groups = async () => (await control.run('users.get', { id: slug })).output['groups']
  await accounts.arrive({ ...eve, groups: [], grants: [], claimsIssuedAt: 2000 })
  assert.equal((await accounts.arrive({ ...eve, claimsIssuedAt: 1999 })).id, id)
  assert.deepEqual(await groups(), [])
  await accounts.arrive({ ...eve, claimsIssuedAt: 2000 })
  assert.deepEqual(await groups(), ['engineering'])
})

test('claims that say they are of the future do not make those that follow look old', async () => {
  const zoe = { ...ADA, subject: 's-future', email: null, name: 'Future' }
  const now = Math.floor(createClock(control.cell).now() / 1000)
  const { slug } = await accounts.arrive({ ...zoe, claimsIssuedAt: 4e9 })
  const groups = async () => (await control.run('users.get', { id: slug })).output['groups']
  control.move(62_000)
  await accounts.arrive({ ...zoe, groups: [], grants: [], claimsIssuedAt: now + 62 })
  assert.deepEqual(await groups(), [])
  // A provider whose clock is a little ahead: what it said first arrives last
  await accounts.arrive({ ...zoe, groups: [], grants: [], claimsIssuedAt: now + 70 })
  await accounts.arrive({ ...zoe, claimsIssuedAt: now + 69 })
  assert.deepEqual(await groups(), [])
})

test('claims give what they are mapped to, and what leads nowhere gives nothing', async () => {
  const { id } = await accounts.arrive(ADA)
  const principal = await accounts.principalOf(id, PROOF)
  assert.deepEqual([principal.type, principal.name, principal.authMethod], ['user', 'ada', 'oauth'])
  assert.equal(principal.grants.length, 1)
  assert.equal(permits(principal, 'proxies:update', { collection: orders, tags: [] }), true)
  assert.equal(permits(principal, 'proxies:update', { collection: 'col_other', tags: [] }), false)
  const { id: fallen } = await accounts.arrive({ ...ADA, subject: 's-3', grants: [] })
  assert.deepEqual((await accounts.principalOf(fallen, PROOF)).grants, [])
})

test('claims are mapped to a role of your own by its slug, and then nobody makes a role of more than they hold', async () => {
  await control.run('roles.create', { name: 'Publisher', permissions: ['proxies:read', 'proxies:publish'] })
  const few: Grant[] = [
    { role: { permissions: new Set(['roles:create', 'roles:update', 'roles:read', 'proxies:read']) } },
  ]
  const make = (name: string, permissions: string[]) =>
    control.run('roles.create', { name, permissions }, { grants: few })
  await make('Before', ['proxies:update'])
  const grants = ['publisher:proxies@orders', 'nobody', 'before@nowhere']
  const { id } = await accounts.arrive({ ...ADA, subject: 's-own', grants })
  const principal = await accounts.principalOf(id, PROOF)
  assert.equal(principal.grants.length, 1)
  const may = (permission: Permission, collection = orders) =>
    permits(principal, permission, { collection, tags: [] })
  assert.deepEqual(
    [may('proxies:publish'), may('proxies:publish', 'col_other'), may('proxies:update')],
    [true, false, false],
  )
  await refused(make('Nobody', ['proxies:update']), 'permission_denied')
  await make('Nobody', ['proxies:read'])
  await refused(
    control.run('roles.update', { id: 'nobody', permissions: ['proxies:delete'] }, { grants: few }),
    'permission_denied',
  )
})

test('a role that the settings map claims to is made by those alone who hold what it gives', async () => {
  const mapped = await startControl({ deps: { mappedGrants: ['viewer', 'ops@orders'] } })
  const grants: Grant[] = [{ role: { permissions: new Set(['roles:create']) } }]
  const ops = { name: 'Ops', permissions: ['proxies:update'] }
  await refused(mapped.run('roles.create', ops, { grants }), 'permission_denied')
  await mapped.run('roles.create', ops)
  await mapped.close()
})

test('a ceiling takes away, and what it took away stays known', async () => {
  const { id } = await accounts.arrive(ADA)
  const viewer = await accounts.principalOf(id, { ...PROOF, ceiling: [{ role: 'viewer' }] })
  assert.equal(permits(viewer, 'proxies:read'), true)
  assert.equal(permits(viewer, 'clients:read'), false)
  assert.equal(permits(viewer, 'proxies:update'), false)
  assert.equal(permits({ grants: viewer.unnarrowed! }, 'proxies:update'), true)
})

test('whoever is switched off proves nothing from then on', async () => {
  const { id } = await accounts.arrive(ADA)
  await control.run('service_identities.create', { name: 'CI', active: false })
  const svc = String((await control.run('service_identities.get', { id: 'ci' })).output['id'])
  await control.run('users.toggle', { id, active: false })
  await refused(accounts.principalOf(id, PROOF), 'credential_invalid')
  await refused(accounts.arrive(ADA), 'credential_invalid')
  await refused(accounts.arrive({ ...ADA, name: 'New' }), 'credential_invalid')
  await refused(accounts.principalOf(svc, PROOF), 'credential_invalid')
  await refused(accounts.principalOf('usr_none', PROOF), 'credential_invalid')
  await control.run('users.toggle', { id, active: true })
  await control.run('service_identities.toggle', { id: 'ci', active: true })
  assert.equal((await accounts.principalOf(id, PROOF)).id, id)
  assert.equal((await accounts.principalOf(svc, PROOF)).type, 'service')
})

test('local users are found by slug or email, and those who sign in elsewhere are not', async () => {
  await control.run('users.create', { name: 'Grace', email: 'Grace@Example.com' })
  assert.equal((await accounts.findLocal('grace'))?.email, 'grace@example.com')
  assert.equal((await accounts.findLocal('GRACE@example.com'))?.slug, 'grace')
  for (const name of ['ada', 'ada@example.com', 'nobody'])
    assert.equal(await accounts.findLocal(name), undefined)
  assert.equal(await accounts.find('usr_none'), undefined)
  for (const email of ['grace@example.com', 'GRACE@EXAMPLE.COM'])
    await refused(control.run('users.create', { name: 'Eve', email }), 'already_exists')
  await control.run('users.update', { id: 'grace', description: 'Counts' })
  assert.equal((await accounts.findLocal('grace'))?.email, 'grace@example.com')
})

test('what signing in sets nobody else writes, and no other write loses it', async () => {
  for (const more of [
    { issuer: ISSUER },
    { subject: 's' },
    { groups: ['x'] },
    { mapped_grants: ['admin'] },
  ]) {
    await refused(control.run('users.create', { name: 'Eve', ...more }), 'input_invalid')
    await refused(control.run('users.update', { id: 'ada', ...more }), 'input_invalid')
    await refused(control.run('users.put', { id: 'ada', name: 'Ada', ...more }), 'input_invalid')
  }
  const { output } = await control.run('users.put', { id: 'ada', name: 'Countess' })
  assert.deepEqual([output['name'], output['subject'], output['email']], ['Countess', 's-1', null])
  assert.ok(!('mapped_grants' in operationOf('users.create').input.shape))
})
