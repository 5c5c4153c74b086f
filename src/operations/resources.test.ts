import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Control, example, ORDERS, refused, startControl } from '../../test/control.ts'
import { UpstreamSpec } from '../model/api/upstream.ts'
import type { CollectionFragment, Fragment } from '../snapshot/fragments.ts'
import { fullSnapshot } from './engine/fragments.ts'

const items = (answer: { output: Record<string, unknown> }): Record<string, unknown>[] =>
  answer.output['items'] as Record<string, unknown>[]

async function fragments(control: Control): Promise<Fragment[]> {
  return [...(await fullSnapshot(control.store)).fragments].map((one) => one.fragment)
}

async function collectionFragment(control: Control): Promise<CollectionFragment | undefined> {
  return (await fragments(control)).find((one) => one.kind === 'collection')
}

test('the worked example gives a snapshot in which only what is published stands', async () => {
  const control = await startControl()
  await control.run('collections.create', ORDERS)
  assert.equal(await collectionFragment(control), undefined)
  await control.run('collections.delete', { id: 'orders' }, { confirm: 'orders' })
  await example(control)
  await control.run('proxies.create', { collection: 'orders', name: 'Draft', methods: ['GET'], path: '/d' })
  const collection = await collectionFragment(control)
  assert.deepEqual(
    collection?.proxies.map((proxy) => [proxy.path, proxy.target_path, proxy.credential]),
    [['/v1/orders/{id}', '/v1/orders/{id}', 'inherit']],
  )
  assert.equal(collection?.upstream?.port, 9000)
  const kinds = (await fragments(control)).map((one) => one.kind)
  assert.deepEqual(kinds.sort(), ['client', 'collection', 'contracts', 'policy'])
  await control.run('collections.publish', { id: 'orders', status: 'draft' })
  const last = control.published.at(-1)!
  assert.deepEqual(last.drop, [`collection:${collection!.id}`, `contracts:${collection!.id}`])
  await control.close()
})

test('slugs stand wherever ids do; a bare slug that fits several is refused with the candidates', async () => {
  const control = await startControl()
  await example(control)
  await control.run('clients.create', { name: 'Beta', slug: 'beta', profiles: [] })
  await control.run('profiles.create', { client: 'beta', name: 'Sandbox', auth: { type: 'none' } })
  const refusal = await refused(control.run('profiles.get', { id: 'sandbox' }), 'input_invalid')
  assert.deepEqual(refusal.facts.members?.['candidates'], ['acme:sandbox', 'beta:sandbox'])
  const one = await control.run('profiles.get', { id: 'beta:sandbox' })
  assert.equal(one.output['client'], 'beta')
  const byId = await control.run('profiles.get', { id: String(one.output['id']) })
  assert.deepEqual(byId.output, one.output)
  assert.equal(items(await control.run('profiles.list', { client: 'beta' })).length, 1)
  await refused(control.run('profiles.list', { client: 'nobody' }), 'not_found')
  await refused(control.run('profiles.get', { id: 'acme:nothing' }), 'not_found')
  await refused(control.run('collections.get', { id: 'a:b' }), 'not_found')
  const missing = await refused(
    control.run('clients.create', { name: 'C', collections: ['orders', 'nope'], policy: 'nope' }),
    'input_invalid',
  )
  assert.deepEqual(
    missing.facts.errors?.map((error) => error.pointer),
    ['/collections/1', '/policy'],
  )
  await control.close()
})

test('lists give each item once, by pages, with filters', async () => {
  const control = await startControl()
  for (let n = 0; n < 7; n++)
    await control.run('policies.create', { name: `P${n}`, tags: n < 3 ? ['low'] : [], active: n !== 2 })
  const seen: unknown[] = []
  let cursor: unknown
  do {
    const page = await control.run('policies.list', {
      limit: '3',
      ...(cursor === undefined ? {} : { cursor }),
    })
    seen.push(...items(page).map((one) => one['slug']))
    cursor = page.output['next_cursor'] ?? undefined
  } while (cursor !== undefined)
  assert.deepEqual(seen, ['p0', 'p1', 'p2', 'p3', 'p4', 'p5', 'p6'].sort())
  assert.equal(items(await control.run('policies.list', { tag: 'low' })).length, 3)
  assert.equal(items(await control.run('policies.list', { tag: 'low', active: 'false' })).length, 1)
  await refused(control.run('policies.list', { cursor: 'x' }), 'input_invalid')
  await refused(control.run('policies.list', { limit: 201 }), 'input_invalid')
  await control.close()
})

test('a patch changes what it names; a put replaces the rest but neither publishes nor switches', async () => {
  const control = await startControl()
  await example(control)
  await control.run('collections.update', { id: 'orders', description: 'kept', upstream: { pool_max: 5 } })
  const patched = await control.run('collections.get', { id: 'orders' })
  const before = UpstreamSpec.parse(ORDERS.upstream)
  assert.deepEqual(patched.output['upstream'], { ...before, pool_max: 5 })
  assert.equal(patched.output['status'], 'published')
  const { slug: _slug, ...body } = ORDERS
  const put = await control.run('collections.put', { id: 'orders', ...body })
  assert.equal(put.status, 200)
  assert.deepEqual([put.output['description'], put.output['status']], ['', 'published'])
  await control.run('clients.toggle', { id: 'acme', status: 'inactive' })
  const client = await control.run('clients.put', { id: 'acme', name: 'Acme 2' })
  assert.deepEqual([client.output['active'], client.output['collections']], [false, []])
  const made = await control.run('clients.put', { id: 'fresh', name: 'Fresh' })
  assert.deepEqual([made.status, made.output['slug'], made.output['active']], [201, 'fresh', true])
  await refused(control.run('clients.put', { id: 'fresh2', slug: 'other', name: 'F' }), 'input_invalid')
  await refused(control.run('clients.put', { id: 'cli_unknown', name: 'F' }), 'not_found')
  const renaming = { slug: 'renamed', name: 'F' }
  const refusal = await refused(control.run('clients.put', { id: 'fresh', ...renaming }), 'input_invalid')
  assert.match(refusal.message, /To rename, send only the new slug with PATCH, or use PUT/)
  const byId = await control.run('clients.put', { id: String(made.output['id']), ...renaming })
  assert.deepEqual([byId.output['id'], byId.output['slug']], [made.output['id'], 'renamed'])
  await control.run('clients.update', { id: 'renamed', slug: 'fresh' })
  await control.run('profiles.put', { id: 'sandbox', client: 'fresh', name: 'S', auth: { type: 'none' } })
  const other = { client: 'fresh', slug: 'other', name: 'S', auth: { type: 'none' } }
  for (const id of ['sandbox', 'fresh:sandbox'])
    await refused(control.run('profiles.put', { id, ...other }), 'input_invalid')
  await refused(
    control.run('profiles.put', { id: 'acme:sandbox', client: 'fresh', name: 'S', auth: { type: 'none' } }),
    'input_invalid',
  )
  await control.close()
})

test('a draft of a published resource waits until it is published', async () => {
  const control = await startControl()
  await example(control)
  const draft = { mode: 'draft' } as const
  await control.run('proxies.update', { id: 'get-order', path: '/v2/orders/{id}' }, draft)
  const staged = await control.run('proxies.update', { id: 'get-order', name: 'Second' }, draft)
  assert.equal(staged.output['path'], '/v1/orders/{id}')
  const pending = staged.output['pending_draft'] as Record<string, unknown>
  assert.deepEqual([pending['path'], pending['name']], ['/v2/orders/{id}', 'Second'])
  assert.equal((await collectionFragment(control))?.proxies[0]?.path, '/v1/orders/{id}')
  const live = await control.run('proxies.publish', { id: 'get-order' })
  assert.equal(live.output['path'], '/v2/orders/{id}')
  assert.equal('pending_draft' in live.output, false)
  assert.equal((await collectionFragment(control))?.proxies[0]?.path, '/v2/orders/{id}')
  const [entry] = (await control.store.read.auditEntries({ limit: 1 })).items
  assert.ok(entry?.diff.some((one) => one.path === '/path' && one.from === '/v1/orders/{id}'))
  await refused(control.run('policies.update', { id: 'gold', name: 'G' }, draft), 'input_invalid')
  await control.close()
})

test('a clash of base paths, hosts, routes and slugs is already_exists', async () => {
  const control = await startControl()
  await example(control)
  const exists = (name: string, input: object) => refused(control.run(name, input), 'already_exists')
  await exists('collections.create', { ...ORDERS, slug: 'other' })
  await exists('collections.create', { ...ORDERS, base_path: '/other' })
  await control.run('collections.create', { ...ORDERS, slug: 'hosted', hosts: ['a.test', 'b.test'] })
  await exists('collections.create', { ...ORDERS, slug: 'hosted2', hosts: ['b.test'] })
  const route = { collection: 'orders', name: 'Same', methods: ['POST', 'GET'], path: '/v1/orders/{other}' }
  await exists('proxies.create', route)
  await control.run('proxies.create', { ...route, methods: ['POST'] })
  await control.run('proxies.create', { ...route, collection: 'hosted' })
  await exists('proxies.update', { id: 'orders:same', methods: ['GET'] })
  await exists('clients.create', { name: 'Acme' })
  await control.close()
})

test('rules beyond the schema are refused where they are broken', async () => {
  const control = await startControl()
  await control.run('collections.create', { name: 'Bare', base_path: '/bare' })
  await refused(control.run('collections.publish', { id: 'bare' }), 'configuration_invalid')
  await refused(
    control.run('collections.update', { id: 'bare', status: 'published' }),
    'configuration_invalid',
  )
  const proxy = { collection: 'bare', name: 'P', methods: ['GET'], path: '/a/{id}' }
  for (const target_path of ['/b/{other}', '/b/*'])
    await refused(control.run('proxies.create', { ...proxy, target_path }), 'input_invalid')
  await control.run('proxies.create', { ...proxy, path: '/a/{id}/*', target_path: '/b/{id}/*' })
  const local = { targets: [{ url: 'http://169.254.169.254/latest' }] }
  await refused(control.run('collections.update', { id: 'bare', upstream: local }), 'input_invalid')
  await refused(
    control.run('collections.update', { id: 'bare', schemas: `sha256-${'a'.repeat(43)}` }),
    'input_invalid',
  )
  await refused(control.run('proxies.update', { id: 'p', collection: 'bare' }), 'input_invalid')
  await control.run('clients.create', { name: 'C', profiles: [{ name: 'N', auth: { type: 'none' } }] })
  for (const entry of ['orders', '* /a', 'TRACE /a'])
    await refused(control.run('profiles.update', { id: 'n', endpoints: { deny: [entry] } }), 'input_invalid')
  await control.run('profiles.update', { id: 'n', endpoints: { deny: ['tag:x', 'GET /a/*'] } })
  await control.close()
})

test('deleting a collection takes its proxies and assignments with it, and needs its slug', async () => {
  const control = await startControl()
  await example(control)
  await control.run('profiles.update', { id: 'open', collections: ['orders'] })
  await refused(control.run('collections.delete', { id: 'orders' }), 'confirmation_required')
  await refused(
    control.run('collections.delete', { id: 'orders' }, { confirm: 'acme' }),
    'confirmation_required',
  )
  await control.run('collections.update', { id: 'orders', policy: 'gold' })
  const { output } = await control.run('collections.delete', { id: 'orders' }, { confirm: 'orders' })
  const gone = {
    removed: ['proxies/orders:get-order'],
    detached: ['clients/acme', 'profiles/acme:open', 'policies/gold'],
  }
  assert.deepEqual([output['removed'], output['detached']], [gone.removed, gone.detached])
  const [entry] = items(await control.run('audit.list', { limit: 1 }))
  assert.equal(entry?.['detail'], `Removed ${gone.removed}. Detached ${gone.detached.join(', ')}.`)
  assert.deepEqual(items(await control.run('proxies.list', {})), [])
  assert.deepEqual((await control.run('clients.get', { id: 'acme' })).output['collections'], [])
  // An empty list, not null: a profile that was narrowed must not widen.
  assert.deepEqual((await control.run('profiles.get', { id: 'open' })).output['collections'], [])
  await refused(control.run('collections.get', { id: 'orders' }), 'not_found')
  await control.run('clients.delete', { id: 'acme' }, { confirm: 'acme' })
  assert.deepEqual(items(await control.run('profiles.list', {})), [])
  assert.deepEqual(
    (await fragments(control)).map((one) => one.kind),
    ['policy'],
  )
  await control.close()
})

test('what is in use is not deleted, not even when only a draft refers to it', async () => {
  const control = await startControl()
  await example(control)
  const refusal = await refused(control.run('policies.delete', { id: 'gold' }, { confirm: 'gold' }), 'in_use')
  assert.deepEqual(refusal.facts.members?.['used_by'], ['clients/acme'])
  await control.run('clients.update', { id: 'acme', policy: null })
  await control.run('collections.update', { id: 'orders', policy: 'gold' }, { mode: 'draft' })
  await refused(control.run('policies.delete', { id: 'gold' }, { confirm: 'gold' }), 'in_use')
  await control.run('collections.update', { id: 'orders', policy: null }, { mode: 'draft' })
  await control.run('policies.delete', { id: 'gold' }, { confirm: 'gold' })
  await control.close()
})

test('publishing with cascade does the same to all proxies, in one revision', async () => {
  const control = await startControl()
  await control.run('collections.create', ORDERS)
  for (const path of ['/a', '/b'])
    await control.run('proxies.create', { collection: 'orders', name: path, methods: ['GET'], path })
  const before = await control.store.read.revision()
  await control.run('collections.publish', { id: 'orders', cascade: true })
  assert.equal(await control.store.read.revision(), before + 1)
  assert.equal((await collectionFragment(control))?.proxies.length, 2)
  assert.deepEqual(
    items(await control.run('collections.proxies', { id: 'orders' })).map((one) => one['status']),
    ['published', 'published'],
  )
  await control.close()
})

test('a policy that is off and attached is warned of, where it is switched off and where it is attached', async () => {
  const control = await startControl()
  await example(control)
  await control.run('policies.create', { name: 'Spare', active: false, limits: [] })
  const told = async (name: string, input: object, options = {}): Promise<string[]> => {
    const { warnings = [] } = (await control.run(name, input, options)).output
    return (warnings as { pointer: string; reason: string }[])
      .filter(({ pointer }) => pointer === '/policy' || pointer === '/active')
      .map(({ pointer, reason }) => `${pointer} ${reason}`)
  }
  const attached = '/policy the policy "spare" is inactive: it limits nothing until it is activated'
  for (const [name, input] of [
    ['clients.create', { name: 'Beta' }],
    ['clients.update', { id: 'acme' }],
    ['profiles.update', { id: 'open' }],
    ['collections.update', { id: 'orders' }],
    ['proxies.update', { id: 'get-order' }],
    ['proxies.bulk_update', { ids: ['get-order'] }],
  ] as const) {
    const policy = (slug: string | null) =>
      'ids' in input ? { changes: { policy: slug } } : { policy: slug }
    assert.deepEqual(await told(name, { ...input, ...policy('spare') }), [attached], name)
    if (name !== 'clients.create')
      assert.deepEqual(await told(name, { ...input, ...policy('gold') }), [], name)
  }
  const staged = { id: 'get-order', policy: 'spare' }
  assert.deepEqual(await told('proxies.update', staged, { mode: 'draft' }), [attached])
  assert.deepEqual(await told('policies.update', { id: 'gold', active: false }), [
    '/active the policy "gold" is inactive and limits nothing where it is attached: clients/acme, collections/orders, profiles/open, proxies/get-order',
  ])
  assert.match(
    (await told('policies.toggle', { id: 'spare', active: false })).join(),
    /attached: clients\/beta, proxies\/get-order$/,
  )
  assert.deepEqual(await told('policies.toggle', { id: 'spare', active: true }), [])
  assert.deepEqual(await told('clients.update', { id: 'beta', policy: 'spare' }), [])
  await control.close()
})

test('toggle takes an explicit state and refuses a contradiction', async () => {
  const control = await startControl()
  await example(control)
  for (const [type, id] of [
    ['policies', 'gold'],
    ['clients', 'acme'],
    ['profiles', 'open'],
  ]) {
    const off = await control.run(`${type}.toggle`, { id, status: 'inactive' })
    assert.equal(off.output['active'], false)
    assert.equal((await control.run(`${type}.toggle`, { id, active: false })).revision, off.revision)
    assert.equal((await control.run(`${type}.toggle`, { id, active: true })).output['active'], true)
    await refused(control.run(`${type}.toggle`, { id }), 'input_invalid')
    await refused(control.run(`${type}.toggle`, { id, active: true, status: 'inactive' }), 'input_invalid')
  }
  await control.close()
})

test('audit lists filter by singular and plural types, and give the newest first', async () => {
  const control = await startControl()
  await example(control)
  await control.run('collections.delete', { id: 'orders' }, { confirm: 'orders', reason: 'old thing' })
  const count = async (filter: object) => items(await control.run('audit.list', filter)).length
  assert.equal(await count({ resource_type: 'collection' }), 3)
  assert.equal(await count({ resource_type: 'collections', action: 'DELETE' }), 1)
  assert.equal(await count({ resource: 'acme' }), 1)
  assert.equal(await count({ operation: 'profiles.create', actor: 'admin', surface: 'management_api' }), 2)
  assert.equal(await count({ collection: 'orders' }), 5)
  assert.equal(await count({ text: 'OLD THING' }), 2)
  assert.equal(await count({ outcome: 'denied' }), 0)
  assert.equal(await count({ from: '2100-01-01T00:00:00+02:00' }), 0)
  assert.equal(await count({ to: '2100-01-01T00:00:00Z' }), 9)
  await assert.rejects(control.run('audit.list', { from: 'yesterday' }), /such as 2026-05-01T00:00:00Z/)
  const first = await control.run('audit.list', { limit: 5, bodies: true })
  const rest = await control.run('audit.list', { limit: 5, cursor: first.output['next_cursor'] })
  assert.equal(rest.output['next_cursor'], null)
  const ids = [...items(first), ...items(rest)].map((one) => one['id'])
  assert.equal(new Set(ids).size, 9)
  const [newest] = items(first)
  assert.equal(newest?.['operation'], 'collections.delete')
  assert.deepEqual((await control.run('audit.get', { id: newest!['id'] })).output, newest)
  await refused(control.run('audit.get', { id: 'aud_x' }), 'not_found')
  await control.close()
})

test('records are asked for by id, named by slug, by slug within the client, or by id', async () => {
  const control = await startControl()
  await example(control)
  const id = async (type: string, ref: string) => (await control.run(`${type}.get`, { id: ref })).output['id']
  await control.run('records.list', {
    client: 'acme',
    profile: 'sandbox',
    collection: 'orders',
    status: '429',
  })
  const [asked] = control.asked
  assert.equal(asked?.['client'], await id('clients', 'acme'))
  assert.equal(asked?.['profile'], await id('profiles', 'sandbox'))
  assert.equal(asked?.['collection'], await id('collections', 'orders'))
  assert.equal(asked?.['status'], '429')
  await control.run('records.list', { client: 'gone' })
  assert.equal(control.asked[1]?.['client'], 'gone')
  await control.run('records.list', { client: asked?.['client'], profile: 'acme:sandbox' })
  assert.deepEqual(
    ['client', 'profile'].map((name) => control.asked[2]?.[name]),
    ['client', 'profile'].map((name) => asked?.[name]),
  )
  await control.close()
})

test('a rule of a profile that covers nothing is stored and told', async () => {
  const control = await startControl()
  await example(control)
  await control.run('collections.create', { name: 'Else', slug: 'else', base_path: '/else' })
  const reasons = (answer: { output: Record<string, unknown> }): string[] =>
    ((answer.output['warnings'] ?? []) as { pointer: string }[]).map((one) => one.pointer)
  const known = await control.run('proxies.get', { id: 'get-order' })
  const right = await control.run('profiles.update', {
    id: 'sandbox',
    allowed_methods: ['GET', 'PATCH'],
    collections: ['orders'],
    endpoints: {
      allow: ['GET /orders/*', String(known.output['id'])],
      deny: ['HEAD /orders/v1/orders/{any}'],
    },
  })
  assert.deepEqual(reasons(right), [])
  const wrong = {
    allowed_methods: ['DELETE'],
    collections: ['orders', 'else'],
    endpoints: {
      allow: ['tag:nothing', 'GET /orders/*'],
      deny: ['DELETE /orders/*', 'GET /order/*', 'prx_00000000000000000000000000', 'GET /else/*'],
    },
  }
  const pointers = [
    '/collections/1',
    '/endpoints/allow/0',
    '/endpoints/deny/0',
    '/endpoints/deny/1',
    '/endpoints/deny/2',
    '/endpoints/deny/3',
    '/allowed_methods',
  ]
  assert.deepEqual(reasons(await control.run('profiles.update', { id: 'sandbox', ...wrong })), pointers)
  const put = { client: 'acme', name: 'Put', auth: { type: 'none' }, ip_allowlist: ['127.0.0.1'], ...wrong }
  assert.deepEqual(reasons(await control.run('profiles.put', { id: 'put', ...put })), pointers)
  assert.deepEqual(reasons(await control.run('profiles.put', { id: 'put', ...put })), pointers)
  const { client: _client, ...inner } = put
  const made = await control.run('clients.create', {
    name: 'Third',
    collections: ['orders'],
    profiles: [inner],
  })
  assert.deepEqual(reasons({ output: items({ output: { items: made.output['profiles'] } })[0]! }), pointers)
  const read = await control.run('profiles.get', { id: 'acme:put' })
  assert.deepEqual([read.output['allowed_methods'], read.output['endpoints']], [['DELETE'], wrong.endpoints])
  assert.equal('warnings' in read.output, false)
  await control.close()
})
