import assert from 'node:assert/strict'
import { afterEach, beforeEach, test } from 'node:test'
import { type Control, example, refused, startControl } from '../../../test/control.ts'
import type { Grant } from '../../access/principal.ts'
import { permits } from '../../access/roles.ts'
import { hashToken } from '../../base/crypto/token.ts'
import { checkFragment } from '../../snapshot/compile/check.ts'
import type { ClientFragment } from '../../snapshot/fragments.ts'
import { REVISIONS_KEPT } from '../../store/ports/config.ts'
import { fullSnapshot } from '../engine/fragments.ts'
import type { WriteOptions } from '../engine/write-options.ts'

let control: Control
beforeEach(async () => {
  control = await startControl({ deps: { check: checkFragment } })
  await example(control)
})
afterEach(() => control.close())

const now = (): Promise<number> => control.store.read.revision()
const rollback = (
  revision: number,
  options: WriteOptions & { grants?: readonly Grant[]; role?: 'viewer' } = {},
) => control.run('revisions.rollback', { id: String(revision) }, { confirm: String(revision), ...options })
const get = async (type: string, id: string) => (await control.run(`${type}.get`, { id })).output

test('every revision says who made it, when, why and what it touched', async () => {
  const from = Date.now()
  await control.run('clients.update', { id: 'acme', name: 'Acme 2' }, { reason: 'renamed' })
  await control.run('profiles.rotate', { id: 'acme:sandbox' })
  const { output } = await control.run('revisions.list', { limit: 2 })
  const listed = output['items'] as Record<string, unknown>[]
  assert.deepEqual(
    listed.map(({ revision, operation, reason, items, first }) => [
      revision,
      operation,
      reason,
      items,
      first,
    ]),
    [
      [await now(), 'profiles.rotate', null, 1, 'profiles/acme:sandbox'],
      [(await now()) - 1, 'clients.update', 'renamed', 1, 'clients/acme'],
    ],
  )
  assert.deepEqual(listed[0]?.['actor'], { id: 'tok_admin', type: 'user', name: 'admin' })
  const [, changed] = listed.map(({ time }) => Date.parse(String(time)))
  assert.ok(changed! >= from && changed! <= Date.now(), String(changed))
  const next = await control.run('revisions.list', { limit: 2, cursor: output['next_cursor'] })
  assert.equal((next.output['items'] as Record<string, unknown>[])[0]?.['revision'], (await now()) - 2)
  const rotated = await control.run('revisions.get', { id: String(await now()) })
  assert.deepEqual(rotated.output['items'], [{ item: 'profiles/acme:sandbox', action: 'secrets' }])
  await refused(control.run('revisions.get', { id: '9999' }), 'not_found')
  await refused(control.run('revisions.get', { id: 'x' }), 'input_invalid')
})

test('a page of revisions asks the store as often as a single revision does', async (t) => {
  for (const name of ['Silver', 'Bronze', 'Tin']) await control.run('policies.create', { name, limits: [] })
  const { read } = control.store
  const methods = (['revisions', 'revisionItems', 'firstItems', 'slugs'] as const).map((method) =>
    t.mock.method(read, method),
  )
  const questions = async (limit: number): Promise<number[]> => {
    for (const { mock } of methods) mock.resetCalls()
    assert.equal(
      ((await control.run('revisions.list', { limit })).output['items'] as unknown[]).length,
      limit,
    )
    return methods.map(({ mock }) => mock.callCount())
  }
  assert.deepEqual(await questions(1), [1, 0, 1, 1])
  assert.deepEqual(await questions(8), [1, 0, 1, 1])
})

test('the difference between two revisions is told resource by resource, secrets never', async () => {
  const before = await now()
  const auth = { type: 'bearer', token: 'planted-secret' }
  await control.run('credentials.create', { name: 'Backend', auth })
  await control.run('collections.update', { id: 'orders', credential: 'backend', description: 'one' })
  const between = await now()
  await control.run('collections.update', { id: 'orders', description: 'two' })
  await control.run('clients.delete', { id: 'acme' }, { confirm: 'acme' })
  const diff = async (from: number, to?: number) => {
    const range = { from: String(from), ...(to === undefined ? {} : { to: String(to) }) }
    const { output } = await control.run('revisions.diff', range)
    assert.ok(!JSON.stringify(output).includes('planted'))
    return (output['items'] as { item: string; action: string; diff: { path: string }[] }[]).map(
      ({ item, action, diff }) => [item, action, diff.map(({ path }) => path).join(' ')],
    )
  }
  assert.deepEqual(await diff(before, between), [
    ['collections/orders', 'changed', '/description /credential'],
    ['credentials/backend', 'created', ''],
  ])
  assert.deepEqual((await diff(between)).map(([item, action]) => `${action} ${item}`).sort(), [
    'changed collections/orders',
    'removed clients/acme',
    'removed profiles/acme:default',
    'removed profiles/acme:open',
    'removed profiles/acme:sandbox',
  ])
  assert.deepEqual(await diff(between, between), [])
  await refused(control.run('revisions.diff', { from: String(between), to: String(before) }), 'input_invalid')
  await refused(control.run('revisions.diff', { from: '9999' }), 'not_found')
})

test('a rollback is a new revision with the state of the older one', async () => {
  const before = await now()
  const orders = await get('collections', 'orders')
  const limits = (await get('policies', 'gold'))['limits']
  await control.run('collections.update', { id: 'orders', base_path: '/orders-2', slug: 'orders-2' })
  await control.run('collections.create', { name: 'New', slug: 'orders', base_path: '/orders' })
  await control.run('clients.update', { id: 'acme', collections: ['orders'], policy: null })
  await control.run('proxies.delete', { id: 'get-order' }, { confirm: 'get-order' })
  await control.run('policies.update', { id: 'gold', limits: [] })
  const { output, configRevision } = await rollback(before)
  assert.deepEqual(output, {
    rolled_back_to: before,
    restored: ['proxies/orders:get-order'],
    changed: ['clients/acme', 'collections/orders', 'policies/gold'],
    removed: ['collections/orders'],
    kept: [],
  })
  assert.equal(configRevision, before + 6)
  const { revision, updated_at, ...rest } = await get('collections', 'orders')
  const { revision: was, updated_at: _, ...same } = orders
  assert.deepEqual(rest, same)
  assert.ok(Number(revision) > Number(was) && updated_at !== undefined)
  const client = await get('clients', 'acme')
  assert.deepEqual([client['collections'], client['policy']], [['orders'], 'gold'])
  assert.deepEqual((await get('policies', 'gold'))['limits'], limits)
  assert.equal((await get('proxies', 'orders:get-order'))['status'], 'published')
  const [entry] = (await control.store.read.auditEntries({ limit: 1 })).items
  assert.deepEqual(
    [entry?.operation, entry?.config_revision, entry?.resource.id],
    ['revisions.rollback', configRevision, String(before)],
  )
  assert.match(entry?.detail ?? '', /1 restored, 3 changed, 1 removed/)
  assert.equal(control.published.at(-1)?.revision, configRevision)
  const again = await rollback(before)
  assert.deepEqual([again.configRevision, again.output['changed']], [null, []])
  await rollback(before + 5)
  assert.equal((await get('collections', 'orders'))['name'], 'New')
})

test('what was switched off, revoked or deleted lets nobody in again', async () => {
  const created = await control.run('profiles.create', {
    client: 'acme',
    name: 'Old',
    auth: { type: 'token' },
  })
  const token = String(created.output['token'])
  const before = await now()
  await control.run('profiles.update', { id: 'acme:sandbox', auth: { type: 'none' } })
  await control.run('profiles.toggle', { id: 'acme:open', active: false })
  await control.run('profiles.delete', { id: 'acme:old' }, { confirm: 'old' })
  const { output } = await rollback(before)
  assert.deepEqual(output['kept'], [
    { item: 'profiles/acme:sandbox', reason: 'auth keeps its current value' },
    { item: 'profiles/acme:open', reason: 'stays inactive' },
    { item: 'profiles/acme:old', reason: 'was deleted and is inactive now; its tokens were deleted' },
  ])
  assert.deepEqual((await get('profiles', 'acme:sandbox'))['auth'], { type: 'none' })
  assert.equal((await get('profiles', 'acme:open'))['active'], false)
  assert.equal((await get('profiles', 'acme:old'))['active'], false)
  const fragments = [...(await fullSnapshot(control.store)).fragments].map(({ fragment }) => fragment)
  const client = fragments.find((one): one is ClientFragment => one.kind === 'client')
  const hashes = client?.profiles.flatMap(({ tokens }) => tokens.map(({ hash }) => hash))
  assert.ok(hashes?.every((hash) => hash !== hashToken(token)))
})

test('a credential that was deleted with its secret comes back only as another of its slug', async () => {
  const make = (token: string) =>
    control.run('credentials.create', { name: 'Backend', auth: { type: 'bearer', token } })
  await make('planted-one')
  await control.run('collections.update', { id: 'orders', credential: 'backend' })
  const before = await now()
  await control.run('collections.update', { id: 'orders', credential: null })
  await control.run('credentials.delete', { id: 'backend' }, { confirm: 'backend' })
  const refusal = await refused(rollback(before), 'configuration_invalid')
  assert.match(
    refusal.message,
    /"backend" was deleted, and its secret cannot be restored.*Create a credential with this slug/,
  )
  const other = await make('planted-two')
  const { output } = await rollback(before)
  assert.deepEqual(
    [output['changed'], output['removed'], output['restored']],
    [['collections/orders'], [], []],
  )
  assert.equal((await get('collections', 'orders'))['credential'], 'backend')
  assert.equal((await get('credentials', 'backend'))['id'], other.output['id'])
})

test('a rollback is confirmed, may be tried, and is refused where something has changed since', async () => {
  const before = await now()
  await control.run('clients.update', { id: 'acme', name: 'Acme 2' })
  await refused(control.run('revisions.rollback', { id: String(before) }), 'confirmation_required')
  await refused(rollback(before, { expectedRevision: before }), 'revision_conflict')
  await refused(rollback(9999), 'not_found')
  const dry = await rollback(before, { dryRun: true, confirm: '' })
  assert.deepEqual(dry.diff, [{ op: 'replace', path: '/clients/acme/name', from: 'Acme 2', value: 'Acme' }])
  assert.equal((await get('clients', 'acme'))['name'], 'Acme 2')
  const key = { idempotencyKey: 'back', expectedRevision: before + 1 }
  const first = await rollback(before, key)
  assert.deepEqual((await rollback(before, key)).output, first.output)
  assert.equal(await now(), before + 2)
})

test('each resource needs the right to do that to it; a narrow grant goes back to nothing', async () => {
  const before = await now()
  await control.run('clients.update', { id: 'acme', name: 'Acme 2' })
  await control.run('proxies.publish', { id: 'get-order', status: 'draft' })
  const holding = (...permissions: string[]): Grant[] => [{ role: { permissions: new Set(permissions) } }]
  for (const [grants, missing] of [
    [holding('config:update', 'clients:update'), 'proxies:publish'],
    [holding('config:update', 'clients:update', 'proxies:publish'), 'proxies:update'],
    [holding('config:update', 'proxies:publish', 'proxies:update'), 'clients:update'],
    [holding('config:read'), 'config:update'],
  ] as const) {
    assert.match(
      (await refused(rollback(before, { grants }), 'permission_denied')).message,
      new RegExp(missing),
    )
    assert.equal(permits({ grants }, 'config:update'), missing !== 'config:update')
  }
  await refused(rollback(before, { role: 'viewer' }), 'permission_denied')
  const scope = { types: [], verbs: [], collections: [], tags: ['money'] }
  for (const name of ['revisions.list', 'revisions.get', 'revisions.diff', 'revisions.rollback'])
    await refused(
      control.run(name, { id: '1', from: '1' }, { grants: [{ role: 'admin', scope }] }),
      'permission_denied',
    )
  await rollback(before, {
    grants: holding('config:update', 'clients:update', 'proxies:publish', 'proxies:update'),
  })
  assert.equal((await get('clients', 'acme'))['name'], 'Acme')
})

test('what a grant was narrowed to since is not removed under it, and grants are not gone back to', async () => {
  await control.run('service_identities.create', { name: 'CI' })
  const before = await now()
  await control.run('collections.create', { name: 'New', base_path: '/new' })
  const grant = { service_identity: 'ci', name: 'New', role: 'viewer', scope: { collections: ['new'] } }
  await control.run('grants.create', grant)
  assert.match((await refused(rollback(before), 'in_use')).message, /grants\/new refers to it/)
  await control.run('grants.update', { id: 'ci:new', scope: { collections: [] } })
  assert.deepEqual((await rollback(before)).output['removed'], ['collections/new'])
  assert.equal((await get('grants', 'ci:new'))['role'], 'viewer')
  const listed = await control.run('revisions.get', { id: String(before + 2) })
  assert.deepEqual(listed.output['items'], [{ item: 'grants/ci:new', action: 'created' }])
})

test(`the newest ${REVISIONS_KEPT} revisions are kept`, async () => {
  const one = (revision: number) => ({
    revision,
    time: '2026-01-01T00:00:00.000Z',
    actor: { id: 'a', type: 'user', name: 'a' },
    surface: 'cli',
    operation: 'clients.update',
    reason: null,
    request_id: 'req',
  })
  const oldest = (await control.store.read.oldestRevision())!
  await control.store.write(async (writer) => {
    for (const ahead of [1, 2]) await writer.putRevision(one(REVISIONS_KEPT + oldest + ahead), [])
  })
  assert.equal(await control.store.read.oldestRevision(), oldest + 3)
  await refused(rollback(oldest), 'not_found')
})
