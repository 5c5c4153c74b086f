import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Control, example, refused, startControl } from '../../test/control.ts'
import type { Grant, Scope } from '../access/principal.ts'
import type { WriteOptions } from './engine/write-options.ts'

let control: Control
let payments = ''
before(async () => {
  control = await startControl()
  await example(control)
  const upstream = { targets: [{ url: 'http://127.0.0.1:9001' }] }
  await control.run('credentials.create', {
    name: 'Bank',
    auth: { type: 'bearer', token: 'planted' },
    tags: ['secret'],
  })
  const made = await control.run('collections.create', {
    name: 'Payments',
    base_path: '/payments',
    credential: 'bank',
    policy: 'gold',
    upstream,
  })
  payments = String(made.output['id'])
  await control.run('proxies.create', {
    collection: 'payments',
    name: 'Pay',
    methods: ['POST'],
    path: '/pay',
    credential: 'bank',
    policy: 'gold',
  })
})
after(() => control.close())

const scoped = (role: Grant['role'], scope: Partial<Scope>): Grant => ({
  role,
  scope: { types: [], verbs: [], collections: [], tags: [], ...scope },
})
const as =
  (...grants: Grant[]) =>
  (name: string, input: unknown, options: WriteOptions = {}) =>
    control.run(name, input, { ...options, grants })
const itemsOf = ({ output }: { output: Record<string, unknown> }) =>
  output['items'] as Record<string, unknown>[]

test('nobody comes to more by a tag that they give to what they may change', async () => {
  const run = as(
    scoped('modifier', { types: ['collections'] }),
    scoped('modifier', { types: ['proxies'], tags: ['mine'] }),
  )
  const refusal = await refused(
    run('collections.update', { id: 'orders', tags: ['mine'] }),
    'permission_denied',
  )
  assert.match(refusal.message, /tag/)
  await refused(
    run('collections.update', { id: 'orders', tags: ['mine'] }, { dryRun: true }),
    'permission_denied',
  )
  await run('collections.update', { id: 'orders', tags: ['other'] })
  await run('collections.create', { name: 'New', base_path: '/new', tags: ['mine'] })
  const use = as(
    scoped({ permissions: new Set(['credentials:read', 'credentials:update']) }, {}),
    scoped('modifier', { types: ['credentials'], verbs: ['use'], tags: ['free'] }),
  )
  await refused(use('credentials.update', { id: 'bank', tags: ['free'] }), 'permission_denied')
  // Nor by way of a draft, whoever wrote it
  await control.run('collections.update', { id: 'orders', tags: ['mine'] }, { mode: 'draft' })
  await refused(run('collections.publish', { id: 'orders' }), 'permission_denied')
  await control.run('collections.publish', { id: 'orders' })
  // What is reached already may be tagged and untagged as before
  await run('collections.update', { id: 'orders', tags: ['mine', 'more'] })
  await run('collections.update', { id: 'orders', tags: [] })
})

test('nothing is made below what is beyond a scope by the tags that it is given', async () => {
  const run = as(scoped('viewer', {}), scoped('modifier', { tags: ['mine'] }))
  const tags = ['mine']
  const route = { collection: 'payments', name: 'In', methods: ['GET'], path: '/in' }
  for (const [name, input] of [
    ['proxies.create', { ...route, tags }],
    ['proxies.put', { id: 'in', ...route, tags }],
    ['profiles.create', { client: 'acme', name: 'In', auth: { type: 'token' }, tags }],
  ] as const)
    assert.match(
      (await refused(run(name, input), 'permission_denied')).message,
      /:create outside of the scope/,
    )
  await run('collections.create', { name: 'Ours', base_path: '/ours', tags })
  await run('proxies.create', { ...route, collection: 'ours' })
  // Publishing is no more implied by them
  const draft = as(
    scoped('modifier', { types: ['proxies'], verbs: ['read', 'create'] }),
    scoped('modifier', { types: ['proxies'], verbs: ['publish'], tags }),
  )
  await refused(draft('proxies.create', { ...route, status: 'published', tags }), 'permission_denied')
})

test('the trail of a collection shows and finds nothing of others that a change concerned', async () => {
  const { output } = await control.run('collections.create', { name: 'Gone', base_path: '/gone' })
  await control.run('clients.create', { name: 'Hidden Ltd', collections: ['gone'] })
  await control.run('collections.delete', { id: 'gone' }, { confirm: 'gone' })
  const run = as(scoped('viewer', { collections: [String(output['id'])] }))
  const shown = await run('audit.list', { operation: 'collections.delete' })
  assert.equal(itemsOf(shown).length, 1)
  const entry = await run('audit.get', { id: String(itemsOf(shown)[0]!['id']) })
  for (const { output: told } of [shown, entry]) assert.doesNotMatch(JSON.stringify(told), /hidden/)
  assert.deepEqual(itemsOf(await run('audit.list', { text: 'hidden-ltd' })), [])
  assert.match(
    JSON.stringify((await control.run('audit.list', { text: 'hidden-ltd' })).output),
    /collections.delete/,
  )
})

test('what a resource refers to beyond a scope stays as it is when something else changes', async () => {
  const run = as(scoped('modifier', { types: ['proxies'], collections: [payments] }))
  const changed = await run('proxies.update', { id: 'pay', description: 'Pays' })
  assert.equal(changed.output['credential'], 'bank')
  assert.equal(changed.output['policy'], 'gold')
  const put = await run('proxies.put', {
    id: 'pay',
    collection: 'payments',
    name: 'Pay',
    methods: ['POST'],
    path: '/pay',
    credential: 'bank',
    policy: 'gold',
  })
  assert.equal(put.output['credential'], 'bank')
  const away = { collection: 'payments', name: 'Away', methods: ['GET'], path: '/away', credential: 'bank' }
  await refused(run('proxies.create', away), 'input_invalid')
})

test('a credential goes to no other place without the right to use it', async () => {
  const run = as(scoped('modifier', { types: ['collections'], collections: [payments] }))
  const theirs = { targets: [{ url: 'http://127.0.0.1:6666' }] }
  for (const options of [{}, { dryRun: true }, { mode: 'draft' }] as const)
    assert.match(
      (
        await refused(
          run('collections.update', { id: 'payments', upstream: theirs }, options),
          'permission_denied',
        )
      ).message,
      /credentials:use/,
    )
  await run('collections.update', { id: 'payments', description: 'Pays' })
  // Also when only a proxy of it has one
  await control.run('collections.update', { id: 'payments', credential: null })
  await refused(run('collections.update', { id: 'payments', upstream: theirs }), 'permission_denied')
  const trusted = as(
    scoped('modifier', { types: ['collections'], collections: [payments] }),
    scoped('modifier', { types: ['credentials'], tags: ['secret'] }),
  )
  await trusted('collections.update', { id: 'payments', upstream: theirs })
})

test('nor by way of the Host, or of a header that stands for it', async () => {
  await control.run('collections.create', {
    name: 'Shared server',
    slug: 'behind',
    base_path: '/behind',
    hosts: ['api.example.com'],
    credential: 'bank',
    upstream: { targets: [{ url: 'https://127.0.0.1:9001' }] },
  })
  await control.run('proxies.create', {
    collection: 'behind',
    name: 'One',
    slug: 'one',
    methods: ['GET'],
    path: '/one',
  })
  const { output } = await control.run('collections.get', { id: 'behind' })
  const id = String(output['id'])
  const run = as(
    scoped('modifier', { types: ['collections'], collections: [id] }),
    scoped('modifier', { types: ['proxies'], collections: [id] }),
  )
  const needsUse = async (name: string, input: Record<string, unknown>) =>
    assert.match(
      (await refused(run(name, input), 'permission_denied')).message,
      /credentials:use/,
      JSON.stringify(input),
    )
  for (const changed of [
    { upstream: { host_header: 'preserve' } },
    { upstream: { tls: { server_name: 'elsewhere.example.com' } } },
    { upstream: { tls: { verify: false } } },
    { pass_headers: ['X-Original-Host'] },
    { headers: [{ name: 'X-Original-Host', value: 'elsewhere.example.com' }] },
    { headers: [{ name: 'X_Forwarded_Server', value: 'elsewhere.example.com' }] },
  ])
    await needsUse('collections.update', { id: 'behind', ...changed })
  const headers = [{ name: 'X-Rewrite-URL', value: '/accounts' }]
  await needsUse('proxies.update', { id: 'behind:one', headers })
  const two = { collection: 'behind', name: 'Two', methods: ['GET'], path: '/two' }
  await needsUse('proxies.create', { ...two, headers })
  // What goes to the same place needs no such right
  await run('collections.update', { id: 'behind', hosts: ['api.example.com', 'b.example.com'] })
  await run('collections.update', { id: 'behind', headers: [{ name: 'X-Stage', value: 'test' }] })
  await run('proxies.create', { ...two, headers: [{ name: 'X-Stage', value: 'test' }] })
  await run('proxies.create', { ...two, name: 'Three', path: '/three', credential: 'none', headers })
  // Where the Host is passed on, the hosts decide as well
  await control.run('collections.update', { id: 'behind', upstream: { host_header: 'preserve' } })
  await needsUse('collections.update', { id: 'behind', hosts: [] })
  await run('collections.update', { id: 'behind', description: 'As it was' })
})

test('nor when a draft of before is published', async () => {
  const { output } = await control.run('collections.create', {
    name: 'Later',
    base_path: '/later',
    status: 'published',
    upstream: { targets: [{ url: 'http://127.0.0.1:9001' }] },
  })
  const run = as(scoped('modifier', { types: ['collections'], collections: [String(output['id'])] }))
  const upstream = { targets: [{ url: 'http://127.0.0.1:6666' }] }
  await run('collections.update', { id: 'later', upstream }, { mode: 'draft' })
  const proxy = { collection: 'later', name: 'Send', methods: ['POST'], path: '/', credential: 'bank' }
  await control.run('proxies.create', proxy)
  const publish = () => run('collections.publish', { id: 'later' })
  assert.match((await refused(publish(), 'permission_denied')).message, /credentials:use/)
  await control.run('proxies.update', { id: 'later:send', credential: 'none' })
  await publish()
})

test('nor does a secret that is kept, or a credential for introspection', async () => {
  await control.run('credentials.create', {
    name: 'Tokens',
    auth: {
      type: 'oauth2_client_credentials',
      token_url: 'https://id.example.com/token',
      client_id: 'postern',
      client_secret: 'planted',
    },
  })
  const keep = as(scoped({ permissions: new Set(['credentials:read', 'credentials:update']) }, {}))
  const auth = { token_url: 'https://elsewhere.example.com/token' }
  const moved = await refused(keep('credentials.update', { id: 'tokens', auth }), 'permission_denied')
  assert.match(moved.message, /credentials:use/)
  await keep('credentials.update', { id: 'tokens', auth: { scopes: ['read'] } })

  await control.run('credentials.create', {
    name: 'Asks',
    auth: { type: 'basic', username: 'postern', password: 'planted' },
  })
  await control.run('profiles.create', {
    client: 'acme',
    name: 'People',
    auth: {
      type: 'oidc',
      issuer: 'https://id.example.com',
      audience: 'orders',
      introspection_credential: 'asks',
    },
  })
  const run = as(scoped('modifier', { types: ['profiles'] }))
  for (const part of [
    { issuer: 'https://elsewhere.example.com' },
    { introspection_url: 'https://elsewhere.example.com/introspect' },
  ])
    await refused(run('profiles.update', { id: 'people', auth: part }), 'permission_denied')
  await run('profiles.update', { id: 'people', auth: { audience: 'others' } })
})

test('a secret that is read from an external source is in no scope: who may use all of them refers to it', async () => {
  const made = (name: string) => ({
    name,
    tags: ['mine'],
    auth: { type: 'bearer', token: { env: 'BANK_TOKEN' } },
  })
  const run = as(scoped('modifier', { tags: ['mine'] }))
  const refusal = await refused(run('credentials.create', made('Taken')), 'permission_denied')
  assert.match(refusal.message, /credentials:use outside of the scope/)
  await run('credentials.create', { ...made('Own'), auth: { type: 'bearer', token: 'planted' } })
  const auth = made('Own').auth
  await refused(run('credentials.update', { id: 'own', auth }), 'permission_denied')
  await as(scoped('modifier', { types: ['credentials'] }))('credentials.create', made('Given'))
  await run('credentials.update', { id: 'given', description: 'As it was' })
})

test('nobody takes paths from a collection that is not theirs to change', async () => {
  const run = as(scoped('modifier', { tags: ['mine'] }))
  const ours = { name: 'Over', tags: ['mine'] }
  for (const where of [
    { base_path: '/payments/pay' },
    { base_path: '/payments', hosts: ['api.example.com'] },
  ])
    assert.match(
      (await refused(run('collections.create', { ...ours, ...where }), 'permission_denied')).message,
      /collections:update outside of the scope/,
    )
  await run('collections.create', { ...ours, base_path: '/over' })
  await refused(run('collections.update', { id: 'over', base_path: '/payments/pay' }), 'permission_denied')
  await control.run('collections.update', { id: 'over', base_path: '/payments/pay' })
  await run('collections.update', { id: 'over', description: 'Where it is' })
  await run('collections.create', { ...ours, name: 'Below', base_path: '/payments/pay/below' })
})

test('a conflict with what lies beyond a scope does not name it', async () => {
  const run = as(scoped('modifier', { tags: ['mine'] }))
  const taken = await refused(
    run('collections.create', { name: 'Mine', base_path: '/payments', tags: ['mine'] }),
    'already_exists',
  )
  assert.doesNotMatch(JSON.stringify([taken.message, taken.facts]), /"payments/i)
  const bare = await refused(
    run('collections.create', { name: 'Mine', base_path: '/payments' }),
    'permission_denied',
  )
  assert.match(bare.message, /collections:create/)
  const below = as(
    scoped('viewer', { types: ['collections'] }),
    scoped('modifier', { types: ['proxies'], verbs: ['create'] }),
    scoped('viewer', { types: ['proxies'], tags: ['mine'] }),
  )
  const same = { collection: 'payments', name: 'Mine', methods: ['POST'], tags: ['mine'] }
  const route = await refused(below('proxies.create', { ...same, path: '/pay' }), 'already_exists')
  assert.doesNotMatch(JSON.stringify([route.message, route.facts]), /proxy \\?"pay/)
  const made = await below('proxies.create', { ...same, path: '/{any}' }, { dryRun: true })
  assert.doesNotMatch(JSON.stringify(made.output['warnings'] ?? []), /\\"pay\\"/)
})

test('a warning tells nobody which endpoints there are beyond a scope', async () => {
  const run = as(scoped('modifier', { types: ['profiles'] }))
  const warned = async (entry: string) =>
    (await run('profiles.update', { id: 'sandbox', endpoints: { deny: [entry] } }, { dryRun: true })).output[
      'warnings'
    ]
  assert.deepEqual(await warned('GET /orders/v1/orders/*'), await warned('GET /orders/nothing'))
})

test('a denial is in the trail, also that of a dry run', async () => {
  const run = as(scoped('modifier', { tags: ['mine'] }))
  await refused(run('policies.create', { name: 'Bare' }, { dryRun: true }), 'permission_denied')
  const [latest] = (await control.store.read.auditEntries({ limit: 1 })).items
  assert.equal(latest?.operation, 'policies.create')
  assert.equal(latest?.outcome, 'denied')
})

test('an answer is not given again to who may do less than then', async () => {
  const input = { id: 'pay', description: 'Pays again' }
  const options = { idempotencyKey: 'once' }
  const wide = as(scoped('modifier', { types: ['proxies'] }))
  await wide('proxies.update', input, options)
  assert.equal((await wide('proxies.update', input, options)).output['slug'], 'pay')
  await refused(
    as(scoped('modifier', { tags: ['mine'] }))('proxies.update', input, options),
    'idempotency_conflict',
  )
})

test('a role cannot take the name of one that is always there, whatever the way', async () => {
  const role = { name: 'Boss', permissions: ['audit:read'] }
  await refused(control.run('roles.put', { id: 'admin', ...role }), 'input_invalid')
  await refused(control.run('roles.create', { ...role, slug: 'admin' }), 'input_invalid')
  await refused(control.run('roles.create', { ...role, name: 'Admin' }), 'input_invalid')
  await control.run('roles.create', role)
  await refused(control.run('roles.update', { id: 'boss', slug: 'admin' }), 'input_invalid')
})

test('a policy that is used beyond a scope is not said to be attached nowhere', async () => {
  const run = as(scoped('viewer', { types: ['policies'] }))
  const { output } = await run('policies.usage', { id: 'gold' })
  assert.deepEqual(output['items'], [])
  assert.equal(output['warnings'], undefined)
})

test('a slug that many collections have is found in the one of the scope', async () => {
  for (let index = 0; index < 21; index++) {
    const slug = `many-${String(index).padStart(2, '0')}`
    await control.run('collections.create', { name: slug, slug, base_path: `/${slug}` })
    await control.run('proxies.create', { collection: slug, name: 'List', methods: ['GET'], path: '/' })
  }
  const id = String((await control.run('collections.get', { id: 'many-20' })).output['id'])
  const run = as(scoped('viewer', { collections: [id] }))
  assert.equal(itemsOf(await run('proxies.list', {})).length, 1)
  assert.equal((await run('proxies.get', { id: 'list' })).output['collection'], 'many-20')
})

test('a node sends its credential to no other server without the right to use the credential', async () => {
  await control.run('credentials.create', {
    name: 'Login',
    auth: { type: 'basic', username: 'app', password: 'long-enough' },
  })
  const asking = (config: object) => ({
    nodes: [
      { id: 'http', type: 'http_trigger' },
      {
        id: 'redis',
        type: 'redis_node',
        config: { credential: 'login', command: 'GET', ...config },
        inputs: { key: 'a' },
      },
      { id: 'end', type: 'response_node' },
    ],
    edges: [
      { from: 'http', to: 'redis' },
      { from: 'redis', to: 'end' },
    ],
  })
  const own = asking({ host: '10.0.0.1' })
  await control.run('workflows.create', { name: 'Asks', definition: own })
  await control.run('proxies.update', { id: 'pay', workflow: own })
  const run = as(
    scoped({ permissions: new Set(['workflows:read', 'workflows:update']) }, {}),
    scoped('modifier', { types: ['proxies'] }),
  )
  for (const config of [
    { host: '10.0.0.2' },
    { host: '10.0.0.1', port: 6380 },
    { host: '10.0.0.1', tls: false },
  ])
    for (const change of [
      () => run('workflows.update', { id: 'asks', definition: asking(config) }),
      () => run('proxies.update', { id: 'pay', workflow: asking(config) }),
    ])
      assert.match(
        (await refused(change(), 'permission_denied')).message,
        /credentials:use/,
        JSON.stringify(config),
      )
  const same = { ...asking({ host: '10.0.0.1', prefix: 'app:' }) }
  await run('workflows.update', { id: 'asks', definition: same })
  await run('proxies.update', { id: 'pay', workflow: same })
})
