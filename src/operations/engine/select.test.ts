import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Control, example, operationOf, refused, startControl } from '../../../test/control.ts'
import type { Grant } from '../../access/principal.ts'
import { ALL_KINDS } from '../kinds.ts'
import { OPERATIONS } from '../registry.ts'

let control: Control
before(async () => {
  control = await startControl()
  await example(control)
  await control.run('policies.create', { name: 'Two', slug: 'two', limits: [], tags: ['a', 'b'] })
  await control.run('policies.create', { name: 'One', slug: 'one', limits: [], tags: ['a'] })
})
after(() => control.close())

async function answer(
  name: string,
  input: object,
  grants?: readonly Grant[],
): Promise<Record<string, unknown>> {
  return (await control.run(name, input, grants === undefined ? {} : { grants })).output
}

test('fields choose members of a resource and of every item of a list, at any depth', async () => {
  const profile = await answer('profiles.get', { id: 'acme:sandbox', fields: 'slug, auth.type' })
  assert.deepEqual(profile, { slug: 'sandbox', auth: { type: 'token' } })
  const policies = await answer('policies.list', { fields: 'slug,limits.name,limits.max', limit: 1 })
  assert.deepEqual(policies['items'], [{ slug: 'gold', limits: [{ name: 'minute', max: 1000 }] }])
  assert.equal(typeof policies['next_cursor'], 'string')
  const proxies = await answer('collections.proxies', { id: 'orders', fields: 'slug' })
  assert.deepEqual(proxies, { items: [{ slug: 'get-order' }], next_cursor: null })
  // The whole of a member is more than a part of it
  assert.deepEqual(
    await answer('profiles.get', { id: 'acme:sandbox', fields: 'endpoints.allow,endpoints' }),
    { endpoints: { allow: [], deny: [] } },
  )
})

test('every read of items, and every read of one resource, takes fields', () => {
  const reads = OPERATIONS.filter(
    ({ effect, action, output }) =>
      effect === 'read' && (action === 'get' || Object.hasOwn(output.shape, 'items')),
  )
  assert.ok(reads.length > 50)
  assert.deepEqual(
    reads.filter(({ input }) => !Object.hasOwn(input.shape, 'fields')).map(({ resource }) => resource),
    [],
  )
})

test('the revision is known also where fields leave it out', async () => {
  const { revision } = await control.run('policies.get', { id: 'gold', fields: 'slug' })
  assert.equal(revision, 1)
})

test('a field, or a reference to expand, that there is not is refused', async () => {
  for (const fields of ['nme', 'slug,', 'auth.typ', 'slug.x', '__proto__', 'limits.constructor', ''])
    await refused(control.run('policies.list', { fields }), 'input_invalid')
  const refusal = await refused(control.run('clients.get', { id: 'acme', expand: 'polcy' }), 'input_invalid')
  assert.match(refusal.message, /there is no "polcy"; there are: .*policy/)
  await refused(control.run('policies.list', { expand: 'tags' }), 'input_invalid')
})

test('every read of one resource or a list of them takes fields, and no write does', () => {
  for (const operation of OPERATIONS) {
    const { resource, action, effect, input } = operation
    const has = Object.hasOwn(input.shape, 'fields')
    if (effect !== 'read') assert.equal(has, false, `${resource}.${action}`)
    else if (ALL_KINDS.some(({ type }) => type === resource) && ['get', 'list'].includes(action))
      assert.equal(has, true, `${resource}.${action}`)
  }
  for (const [name, has] of [
    ['audit.list', true],
    ['records.get', true],
    ['collections.proxies', true],
    ['collections.health', false],
    ['policies.update', false],
  ] as const)
    assert.equal(Object.hasOwn(operationOf(name).input.shape, 'fields'), has, name)
})

test('expand tells what is referred to beside the reference', async () => {
  const proxy = await answer('proxies.get', {
    id: 'get-order',
    expand: 'collection',
    fields: 'slug,collection',
  })
  const orders = await answer('collections.get', { id: 'orders' })
  const summary = { id: orders['id'], slug: 'orders', name: 'Orders', status: 'published' }
  assert.deepEqual(proxy, { slug: 'get-order', collection: 'orders', expanded: { collection: summary } })
  const clients = await answer('clients.list', { expand: 'collections,policy' })
  const [acme] = clients['items'] as Record<string, Record<string, unknown>>[]
  assert.deepEqual(acme!['expanded']!['collections'], [summary])
  assert.equal((acme!['expanded']!['policy'] as Record<string, unknown>)['slug'], 'gold')
})

test('expand tells nothing of what the principal may not read', async () => {
  const scope = { types: ['clients', 'profiles'], verbs: [], collections: [], tags: [] } as const
  const client = await answer('clients.get', { id: 'acme', expand: 'collections,policy' }, [
    { role: 'viewer', scope },
  ])
  assert.equal(client['policy'], 'gold')
  assert.deepEqual(client['expanded'], { collections: [] })
})

test('a list filters by several tags, which must all be there', async () => {
  const slugs = async (tag: unknown): Promise<unknown[]> =>
    ((await answer('policies.list', { tag }))['items'] as { slug: string }[]).map(({ slug }) => slug)
  assert.deepEqual(await slugs('a'), ['two', 'one'])
  assert.deepEqual(await slugs(['a', 'b']), ['two'])
  assert.deepEqual(await slugs(['a', 'c']), [])
})
