import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Control, example, refused, startControl } from '../../test/control.ts'
import type { Grant } from '../access/principal.ts'

let control: Control
let orders = ''
before(async () => {
  control = await startControl()
  await example(control)
  await control.run('credentials.create', { name: 'Backend', auth: { type: 'bearer', token: 'planted' } })
  const { output } = await control.run('collections.update', {
    id: 'orders',
    credential: 'backend',
    tags: ['shop'],
  })
  orders = String(output['id'])
})
after(() => control.close())

const within = (scope: object): Grant[] => [
  { role: 'modifier', scope: { types: [], verbs: [], collections: [], tags: [], ...scope } },
]

test('a copy of a collection is a draft with drafts of its proxies, and the original stays', async () => {
  const copy = await control.run('collections.duplicate', { id: 'orders', base_path: '/orders-2' })
  const { output } = copy
  assert.equal(copy.status, 201)
  assert.deepEqual(
    [output['slug'], output['name'], output['status'], output['credential'], output['proxies']],
    ['orders-copy', 'Orders (copy)', 'draft', 'backend', 1],
  )
  const proxies = await control.run('collections.proxies', { id: 'orders-copy' })
  const [proxy] = proxies.output['items'] as Record<string, unknown>[]
  assert.deepEqual(
    [proxy?.['slug'], proxy?.['path'], proxy?.['status']],
    ['get-order', '/v1/orders/{id}', 'draft'],
  )
  const original = await control.run('collections.get', { id: 'orders' })
  assert.deepEqual([original.output['status'], original.output['revision']], ['published', 3])
  const [entry] = (await control.store.read.auditEntries({ limit: 1 })).items
  assert.deepEqual(
    [entry?.operation, entry?.action, entry?.resource.slug, entry?.outcome],
    ['collections.duplicate', 'CREATE', 'orders-copy', 'ok'],
  )
})

test('a copy is refused for a path or slug that is taken, a revision that has passed and what is not there', async () => {
  const again = { id: 'orders', base_path: '/orders' }
  await refused(control.run('collections.duplicate', again), 'already_exists')
  await refused(
    control.run('collections.duplicate', { ...again, base_path: '/o3', slug: 'orders' }),
    'already_exists',
  )
  await refused(
    control.run('collections.duplicate', { ...again, base_path: '/o3' }, { expectedRevision: 1 }),
    'revision_conflict',
  )
  await refused(control.run('collections.duplicate', { id: 'nope', base_path: '/o3' }), 'not_found')
  await refused(control.run('proxies.duplicate', { id: 'orders:get-order' }), 'already_exists')
})

test('a dry run of a copy stores nothing; the same key makes one copy', async () => {
  const input = { id: 'orders', base_path: '/orders-4', slug: 'four' }
  const dry = await control.run('collections.duplicate', input, { dryRun: true })
  assert.ok(dry.diff!.some(({ path }) => path === '/proxies/get-order'))
  await refused(control.run('collections.get', { id: 'four' }), 'not_found')
  const first = await control.run('collections.duplicate', input, { idempotencyKey: 'k' })
  const second = await control.run('collections.duplicate', input, { idempotencyKey: 'k' })
  assert.deepEqual(second.output, first.output)
})

test('a copy of a proxy is a draft at another path, or in another collection', async () => {
  const there = await control.run('proxies.duplicate', { id: 'orders:get-order', path: '/v2/orders/{id}' })
  assert.deepEqual(
    [there.output['slug'], there.output['status'], there.output['collection']],
    ['get-order-copy', 'draft', 'orders'],
  )
  const elsewhere = await control.run('proxies.duplicate', {
    id: 'orders:get-order',
    collection: 'four',
    path: '/other',
    name: 'Other',
  })
  assert.deepEqual([elsewhere.output['slug'], elsewhere.output['collection']], ['other', 'four'])
})

test('who may not read the original, make the copy or use its credential gets none', async () => {
  const copy = { id: 'orders', base_path: '/mine' }
  await refused(control.run('collections.duplicate', copy, { role: 'viewer' }), 'permission_denied')
  const here = within({ collections: [orders] })
  await refused(control.run('collections.duplicate', copy, { grants: here }), 'input_invalid')
  await refused(
    control.run('collections.duplicate', copy, { grants: within({ tags: ['shop'] }) }),
    'input_invalid',
  )
  await refused(
    control.run('collections.duplicate', copy, { grants: within({ tags: ['else'] }) }),
    'not_found',
  )
  const proxy = { id: 'orders:get-order', path: '/v3', slug: 'third' }
  const made = await control.run('proxies.duplicate', proxy, { grants: here })
  assert.equal(made.output['path'], '/v3')
  await refused(
    control.run('proxies.duplicate', { ...proxy, collection: 'four' }, { grants: here }),
    'input_invalid',
  )
})
