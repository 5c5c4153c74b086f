import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Control, example, refused, startControl } from '../../../test/control.ts'

let control: Control
let orders = ''
before(async () => {
  control = await startControl()
  await example(control)
  for (const path of ['/a', '/b'])
    await control.run('proxies.create', {
      collection: 'orders',
      name: path.slice(1),
      methods: ['GET'],
      path,
      tags: ['few'],
    })
  orders = String((await control.run('collections.get', { id: 'orders' })).output['id'])
  await control.run('collections.create', { name: 'Other', base_path: '/other' })
  await control.run('proxies.create', { collection: 'other', name: 'Far', methods: ['GET'], path: '/' })
})
after(() => control.close())

const policyOf = async (id: string) => (await control.run('proxies.get', { id })).output['policy']

test('what fits a filter is changed in one revision with one entry, and said item by item', async () => {
  const before = await control.store.read.revision()
  const { output, configRevision } = await control.run('proxies.bulk_update', {
    filter: { collection: 'orders', tag: 'few' },
    changes: { policy: 'gold' },
  })
  assert.equal(configRevision, before + 1)
  assert.deepEqual(
    (output['proxies'] as Record<string, unknown>[]).map(({ slug, collection, revision, changed }) => [
      slug,
      collection,
      revision,
      changed,
    ]),
    [
      ['a', 'orders', 2, true],
      ['b', 'orders', 2, true],
    ],
  )
  assert.deepEqual([await policyOf('a'), await policyOf('get-order')], ['gold', null])
  const entries = (await control.store.read.auditEntries({ limit: 3, collection: orders })).items
  assert.deepEqual(
    entries.map(({ operation, resource, diff }) => [operation, resource.slug, diff.map(({ path }) => path)]),
    [
      ['proxies.bulk_update', null, []],
      ['proxies.bulk_update', 'b', ['/policy']],
      ['proxies.bulk_update', 'a', ['/policy']],
    ],
  )
  assert.equal(new Set(entries.map(({ plan_id }) => plan_id)).size, 1)
  const again = await control.run('proxies.bulk_update', {
    ids: ['a', 'b', 'a'],
    changes: { policy: 'gold' },
  })
  assert.deepEqual([again.output['changed'], again.configRevision], [0, null])
})

test('one that is refused keeps all as they were, and the refusal says which and why', async () => {
  const changes = { target_path: '/{id}', policy: null }
  const refusal = await refused(
    control.run('proxies.bulk_update', { ids: ['get-order', 'a', 'b'], changes }),
    'input_invalid',
  )
  assert.deepEqual(refusal.facts.errors, [
    { pointer: '/changes/target_path', reason: 'a: the path has no parameter {id}' },
    { pointer: '/changes/target_path', reason: 'b: the path has no parameter {id}' },
  ])
  assert.match(refusal.message, /^a: .* And 1 more are refused\. Nothing was changed\.$/)
  assert.equal(await policyOf('a'), 'gold')
})

test('a call that does not say which, or one revision for many, is refused', async () => {
  const changes = { policy: null }
  await refused(control.run('proxies.bulk_update', { changes }), 'input_invalid')
  await refused(
    control.run('proxies.bulk_update', { ids: ['a'], filter: { tag: 'few' }, changes }),
    'input_invalid',
  )
  await refused(control.run('proxies.bulk_update', { filter: {}, changes }), 'input_invalid')
  await refused(control.run('proxies.bulk_update', { ids: ['nope'], changes }), 'not_found')
  await refused(
    control.run('proxies.bulk_update', { ids: Array.from({ length: 501 }, () => 'a'), changes }),
    'input_invalid',
  )
  await refused(
    control.run('proxies.bulk_update', { ids: ['a'], changes }, { expectedRevision: 1 }),
    'input_invalid',
  )
})

test('a dry run tells the difference; a scope bounds what a filter fits and what may be named', async () => {
  const changes = { description: 'ours' }
  const dry = await control.run(
    'proxies.bulk_update',
    { filter: { status: 'draft' }, changes },
    { dryRun: true },
  )
  assert.deepEqual(
    dry.diff?.map(({ path }) => path),
    ['/proxies/a/description', '/proxies/b/description', '/proxies/far/description'],
  )
  const scope = { types: [], verbs: [], collections: [orders], tags: [] }
  const grants = [{ role: 'modifier' as const, scope }]
  const { output } = await control.run(
    'proxies.bulk_update',
    { filter: { status: 'draft' }, changes },
    { grants },
  )
  assert.equal(output['changed'], 2)
  await refused(control.run('proxies.bulk_update', { ids: ['far'], changes }, { grants }), 'not_found')
  await refused(
    control.run('proxies.bulk_update', { ids: ['a'], changes }, { role: 'viewer' }),
    'permission_denied',
  )
  const publish = { ids: ['a'], changes: { status: 'published' } }
  await refused(
    control.run('proxies.bulk_update', publish, {
      grants: [{ role: { permissions: new Set(['proxies:read', 'proxies:update']) } }],
    }),
    'permission_denied',
  )
})
