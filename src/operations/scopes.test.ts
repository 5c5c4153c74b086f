import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Control, example, operationOf, refused, startControl, UNSERVED } from '../../test/control.ts'
import type { Grant, Scope } from '../access/principal.ts'
import { Refusal } from '../base/refusal.ts'
import type { WholeRecord } from '../model/record.ts'
import type { WriteOptions } from './engine/write-options.ts'
import { OPERATIONS } from './registry.ts'

let control: Control
let payments = ''
const RECORDS = new Map<string, string>()

before(async () => {
  control = await startControl({
    deps: {
      records: {
        ...UNSERVED.records,
        metrics: async (question) => {
          control.asked.push(question.selection)
          return UNSERVED.records.metrics(question)
        },
        list: async (filter) => {
          control.asked.push(filter)
          return { items: [], next_cursor: null }
        },
        get: async (id) => {
          const collection = RECORDS.get(id)
          // The operations read nothing else of it
          return collection === undefined
            ? undefined
            : ({
                id,
                collection,
                proxy: null,
                virtual_mcp: null,
                origin: null,
                client: null,
                profile: null,
                user: null,
              } as WholeRecord)
        },
      },
    },
  })
  await example(control)
  const made = await control.run('collections.create', {
    name: 'Payments',
    slug: 'payments',
    base_path: '/payments',
    tags: ['money'],
    upstream: { targets: [{ url: 'http://127.0.0.1:9001' }] },
  })
  payments = String(made.output['id'])
  for (const name of ['Pay', 'Refund'])
    await control.run('proxies.create', { collection: 'payments', name, methods: ['POST'], path: `/${name}` })
  await control.run('credentials.create', { name: 'Bank', auth: { type: 'bearer', token: 'planted' } })
  const orders = (await control.run('collections.get', { id: 'orders' })).output['id']
  RECORDS.set('req_orders', String(orders))
  RECORDS.set('req_payments', payments)
})
after(() => control.close())

const scoped = (role: Grant['role'], scope: Partial<Scope>): Grant => ({
  role,
  scope: { types: [], verbs: [], collections: [], tags: [], ...scope },
})
const proxiesOfPayments = () => [scoped('modifier', { types: ['proxies'], collections: [payments] })]
const slugs = ({ output }: { output: Record<string, unknown> }): string[] =>
  (output['items'] as { slug: string }[]).map(({ slug }) => slug)

test('a modifier of proxies in Payments does all of that', async () => {
  const grants = proxiesOfPayments()
  const as = (name: string, input: unknown, options: WriteOptions = {}) =>
    control.run(name, input, { ...options, grants })
  assert.deepEqual(slugs(await as('proxies.list', {})), ['pay', 'refund'])
  assert.deepEqual(slugs(await as('proxies.list', { collection: 'payments' })), ['pay', 'refund'])
  assert.deepEqual(slugs(await as('collections.proxies', { id: 'payments' })), ['pay', 'refund'])
  assert.equal((await as('proxies.get', { id: 'payments:pay' })).output['slug'], 'pay')
  const spec = { collection: 'payments', name: 'Void', methods: ['POST'], path: '/void' }
  assert.equal((await as('proxies.create', spec)).status, 201)
  await as('proxies.update', { id: 'void', description: 'Takes it back' })
  await as('proxies.put', { id: 'void', ...spec, path: '/void/{id}' })
  await as('proxies.publish', { id: 'void' })
  await as('proxies.update', { id: 'void', status: 'draft' })
  await as('proxies.delete', { id: 'void' }, { confirm: 'void' })
})

test('and nothing else: what lies beyond is not there, and what is there is not theirs to change', async () => {
  const grants = [...proxiesOfPayments(), scoped('viewer', { collections: [payments] })]
  const as = (name: string, input: unknown, options: WriteOptions = {}) =>
    control.run(name, input, { ...options, grants })
  const revision = await control.store.read.revision()
  for (const [name, input] of [
    ['proxies.get', { id: 'get-order' }],
    ['proxies.get', { id: 'orders:get-order' }],
    ['proxies.update', { id: 'get-order', name: 'Mine' }],
    ['proxies.publish', { id: 'get-order' }],
    ['proxies.delete', { id: 'get-order' }],
    ['collections.get', { id: 'orders' }],
    ['collections.proxies', { id: 'orders' }],
    ['proxies.list', { collection: 'orders' }],
    ['audit.get', { id: 'aud_none' }],
    ['records.get', { id: 'req_orders' }],
  ] as const)
    await refused(as(name, input, { confirm: 'get-order' }), 'not_found')
  const away = { collection: 'orders', name: 'In', methods: ['GET'], path: '/in' }
  await refused(as('proxies.create', away), 'input_invalid')
  await refused(as('proxies.put', { id: 'in', ...away }), 'input_invalid')
  for (const [name, input, permission] of [
    ['collections.update', { id: 'payments', name: 'Mine' }, 'collections:update'],
    ['collections.publish', { id: 'payments' }, 'collections:publish'],
    ['collections.create', { name: 'New', base_path: '/new' }, 'collections:create'],
    ['collections.import', { document: {}, base_path: '/new' }, 'collections:create'],
    ['clients.create', { name: 'New' }, 'clients:create'],
  ] as const) {
    const refusal = await refused(as(name, input), 'permission_denied')
    assert.match(refusal.message, new RegExp(permission), name)
  }
  // A credential that cannot be named cannot be attached
  const attach = await refused(as('proxies.update', { id: 'pay', credential: 'bank' }), 'input_invalid')
  assert.match(attach.message, /no credential "bank"/)
  assert.equal((await as('records.get', { id: 'req_payments' })).output['id'], 'req_payments')
  assert.equal(await control.store.read.revision(), revision)
})

test('a list within a scope finds nothing beyond it, in any order', async () => {
  const grants = proxiesOfPayments()
  for (const order of ['oldest', 'newest', 'slug', 'updated']) {
    const all = slugs(await control.run('proxies.list', { order }, { grants }))
    assert.deepEqual(all.toSorted(), ['pay', 'refund'])
    assert.deepEqual(slugs(await control.run('proxies.list', { order, text: 'ORDER' }, { grants })), [])
    assert.deepEqual(slugs(await control.run('proxies.list', { order, text: 'REF' }, { grants })), ['refund'])
  }
})

test('whoami names the operations that narrowed grants allow', async () => {
  const { output } = await control.run('whoami.show', { operations: true }, { grants: proxiesOfPayments() })
  const operations = output['operations'] as string[]
  for (const name of ['proxies.list', 'proxies.create', 'proxies.update', 'whoami.show'])
    assert.ok(operations.includes(name), name)
  for (const name of ['clients.list', 'settings.update', 'records.list'])
    assert.ok(!operations.includes(name), name)
  const plain = await control.run('whoami.show', {}, { grants: proxiesOfPayments() })
  assert.ok(!('operations' in plain.output))
})

test('a credential is attached with the right to use it, and shows no more of itself for that', async () => {
  const use = scoped('modifier', { types: ['credentials'], tags: ['shared'] })
  const grants = [...proxiesOfPayments(), use]
  const attach = () =>
    control.run('proxies.update', { id: 'pay', credential: 'bank' }, { grants, dryRun: true })
  await refused(attach(), 'input_invalid')
  await control.run('credentials.update', { id: 'bank', tags: ['shared'] })
  const { output } = await attach()
  assert.equal(output['credential'], 'bank')
  const { output: bank } = await control.run('credentials.get', { id: 'bank' })
  for (const hidden of ['planted', String(bank['id']), '"auth"'])
    assert.ok(!JSON.stringify(output).includes(hidden), hidden)
})

test('every operation on a collection, proxy, policy, client, profile or credential beyond a scope is refused, and no list shows one', async () => {
  const INSIDE: Readonly<Record<string, string>> = {
    collections: 'orders',
    proxies: 'get-order',
    policies: 'gold',
    clients: 'acme',
    profiles: 'sandbox',
    credentials: 'bank',
  }
  /** What an operation or action needs besides. */
  const MORE: Readonly<Record<string, object>> = {
    toggle: { active: false },
    duplicate: { base_path: '/new' },
    assign: { collections: ['payments'] },
    unassign: { collections: ['payments'] },
    access: { endpoint: 'pay' },
    set_workflow: { definition: null },
    'proxies.duplicate': { path: '/new' },
    'credentials.rotate': { auth: { token: 'y' } },
    'profiles.import': { token: 'key-of-another-gateway' },
    'collections.reimport': { document: {} },
  }
  const grants = [scoped('admin', { collections: [payments] })]
  const revision = await control.store.read.revision()
  for (const operation of OPERATIONS) {
    const name = `${operation.resource}.${operation.action}`
    const call = (input: object) =>
      control.run(name, input, { grants, confirm: INSIDE[operation.resource] ?? '' })
    if (operation.unscoped === true) {
      await refused(call({}), 'permission_denied')
      continue
    }
    const slug = INSIDE[operation.resource]
    // It lists what is shared with a user, and no user calls
    if (name === 'mcp_endpoints.list') {
      await refused(call({}), 'input_invalid')
      continue
    }
    if (operation.action === 'list') {
      const { output } = await call({})
      const text = JSON.stringify(output)
      for (const [type, inside] of Object.entries(INSIDE))
        if (type === operation.resource) assert.ok(!text.includes(`"${inside}"`), `${name} shows ${inside}`)
      continue
    }
    if (!('id' in operation.input.shape) || slug === undefined || operation.action === 'put') continue
    await refused(call({ id: slug, ...(MORE[name] ?? MORE[operation.action]) }), 'not_found')
  }
  assert.equal(await control.store.read.revision(), revision)
})

test('puts under a name that is taken beyond the scope say that, and change nothing', async () => {
  const grants = [scoped('admin', { tags: ['none-has-it'] })]
  const before = (await control.run('policies.get', { id: 'gold' })).output
  await refused(
    control.run('policies.put', { id: 'gold', name: 'Mine', tags: ['none-has-it'] }, { grants }),
    'already_exists',
  )
  assert.deepEqual((await control.run('policies.get', { id: 'gold' })).output, before)
})

test('a scope of tags reaches what has the tag and what belongs to it, and nothing is made or moved out of it', async () => {
  const grants = [scoped('modifier', { tags: ['money'] })]
  const as = (name: string, input: unknown) => control.run(name, input, { grants })
  assert.deepEqual(slugs(await as('collections.list', {})), ['payments'])
  assert.deepEqual(slugs(await as('proxies.list', {})), ['pay', 'refund'])
  await as('proxies.update', { id: 'pay', name: 'Pay' })
  const bare = await refused(as('policies.create', { name: 'Free', slug: 'free' }), 'permission_denied')
  assert.match(bare.message, /policies:create outside of the scope/)
  await as('policies.create', { name: 'Free', slug: 'free', tags: ['money'] })
  await refused(as('policies.update', { id: 'free', tags: ['other'] }), 'permission_denied')
  assert.deepEqual(slugs(await as('policies.list', {})), ['free'])
  assert.equal((await as('policies.update', { id: 'free', tags: ['money', 'more'] })).output['slug'], 'free')
})

test('a collection goes only with the right to all that goes with it', async () => {
  const all = [payments]
  const alone = [scoped('modifier', { types: ['collections'], collections: all })]
  const go = (grants: readonly Grant[]) =>
    control.run('collections.delete', { id: 'payments' }, { grants, confirm: 'payments', dryRun: true })
  assert.match((await refused(go(alone), 'permission_denied')).message, /proxies:delete/)
  assert.equal((await go([scoped('modifier', { collections: all })])).output['deleted'], true)
})

test('records and the trail show what belongs to the collections of a scope', async () => {
  const grants = [scoped('viewer', { collections: [payments] })]
  control.asked.length = 0
  await control.run('records.list', {}, { grants })
  assert.deepEqual(control.asked[0]?.['collections'], [payments])
  await control.run('records.list', {}, { grants: [scoped('viewer', { tags: ['money'] })] })
  assert.deepEqual(control.asked[1]?.['collections'], [payments])
  await control.run('records.list', {}, { grants: [scoped('viewer', { tags: ['nobody'] })] })
  assert.deepEqual(control.asked[2]?.['collections'], [])
  await control.run('records.list', {}, { grants: [scoped('viewer', { types: ['records'] })] })
  assert.equal(control.asked[3]?.['collections'], undefined)
  await control.run('metrics.top_endpoints', {}, { grants })
  assert.deepEqual(control.asked[4]?.['collections'], [payments])
  await refused(
    control.run('metrics.overview', {}, { grants: [scoped('viewer', { types: ['records'] })] }),
    'permission_denied',
  )

  const { output } = await control.run('audit.list', { limit: 200 }, { grants })
  const entries = output['items'] as { id: string; resource: { type: string; collection: string | null } }[]
  assert.ok(entries.some(({ resource }) => resource.type === 'proxy'))
  assert.ok(entries.every(({ resource }) => resource.collection === payments))
  assert.equal(
    (await control.run('audit.get', { id: entries[0]!.id }, { grants })).output['id'],
    entries[0]!.id,
  )
  const all = (await control.run('audit.list', { limit: 200 })).output['items'] as typeof entries
  const other = all.find(({ resource }) => resource.type === 'client')!
  await refused(control.run('audit.get', { id: other.id }, { grants }), 'not_found')
})

test('a read that is denied for its resource is one entry of the trail, as any denial', async () => {
  const grants = proxiesOfPayments()
  // Its proxies may be listed, so the collection may be named; but not read
  const wider = [...grants, scoped('viewer', { types: ['collections'], tags: ['none-has-it'] })]
  await refused(control.run('collections.get', { id: 'payments' }, { grants: wider }), 'permission_denied')
  const [latest] = (await control.store.read.auditEntries({ limit: 1 })).items
  assert.equal(latest?.outcome, 'denied')
  assert.equal(latest?.operation, 'collections.get')
  assert.match(latest?.detail ?? '', /collections:read/)
})

test('an attempt that names a resource beyond the scope is denied in the audit log, whichever member names it', async () => {
  const grants = [scoped('admin', { collections: [payments] }), scoped('admin', { tags: ['money'] })]
  const outcome = async (name: string, input: unknown, options: WriteOptions = {}) => {
    const error = await control.run(name, input, { ...options, grants }).then(
      () => assert.fail(`${name} is refused`),
      (cause: unknown) => cause,
    )
    assert.ok(error instanceof Refusal)
    const [latest] = (await control.store.read.auditEntries({ limit: 1 })).items
    assert.deepEqual([latest?.operation, latest?.error], [name, error.code])
    return [latest?.outcome, error.code]
  }
  const orders = String((await control.run('collections.get', { id: 'orders' })).output['id'])
  const tags = ['money']
  const route = { name: 'New', methods: ['GET'], path: '/new' }
  const upstream = { targets: [{ url: 'http://127.0.0.1:9001' }] }
  const made = { name: 'Made', base_path: '/made', upstream, tags }
  const documents = (kind: string, slug: string, spec: object) => ({ documents: [{ kind, slug, spec }] })
  const cases: readonly (readonly [string, (ref: string) => unknown, string, string, string])[] = [
    ['proxies.create', (ref) => ({ ...route, collection: ref }), 'orders', 'nothing', 'input_invalid'],
    ['proxies.create', (ref) => ({ ...route, collection: ref }), orders, `${orders}x`, 'input_invalid'],
    [
      'proxies.create',
      (ref) => ({ ...route, collection: 'payments', policy: ref }),
      'gold',
      'tin',
      'input_invalid',
    ],
    ['collections.create', (ref) => ({ ...made, policy: ref }), 'gold', 'tin', 'input_invalid'],
    ['collections.update', (ref) => ({ id: 'payments', policy: ref }), 'gold', 'tin', 'input_invalid'],
    ['collections.put', (ref) => ({ ...made, id: 'made', policy: ref }), 'gold', 'tin', 'input_invalid'],
    ['collections.put', (id) => ({ ...made, id }), orders, `${orders}x`, 'not_found'],
    [
      'proxies.bulk_update',
      (ref) => ({ ids: ['pay', 'refund'], changes: { policy: ref } }),
      'gold',
      'tin',
      'input_invalid',
    ],
    [
      'config.plan',
      (ref) => documents('collection', 'made', { ...made, policy: ref }),
      'gold',
      'tin',
      'input_invalid',
    ],
    [
      'config.apply',
      (ref) => documents('proxy', 'new', { ...route, collection: ref }),
      'orders',
      'nothing',
      'input_invalid',
    ],
  ]
  for (const [name, input, hidden, absent, code] of cases) {
    assert.deepEqual(await outcome(name, input(hidden)), ['denied', code], `${name} ${hidden}`)
    assert.deepEqual(await outcome(name, input(absent)), ['failed', code], `${name} ${absent}`)
  }
  // A slug that is taken: a put and a document mean the resource that has it, a create does not
  const policy = { name: 'Mine', tags }
  assert.deepEqual(await outcome('policies.put', { id: 'gold', ...policy }), ['denied', 'already_exists'])
  assert.deepEqual(await outcome('config.apply', documents('policy', 'gold', policy)), [
    'denied',
    'already_exists',
  ])
  assert.deepEqual(await outcome('policies.put', { id: 'gold', ...policy }, { expectedRevision: 1 }), [
    'denied',
    'revision_conflict',
  ])
  assert.deepEqual(await outcome('policies.put', { id: 'tin', ...policy }, { expectedRevision: 1 }), [
    'failed',
    'revision_conflict',
  ])
  assert.deepEqual(await outcome('policies.create', { ...policy, slug: 'gold' }), [
    'failed',
    'already_exists',
  ])
})

test('operations about what no scope can name are few and known', () => {
  assert.deepEqual(
    OPERATIONS.filter(({ unscoped }) => unscoped).map(({ resource, action }) => `${resource}.${action}`),
    [
      'users.reach',
      ...['revisions.list', 'revisions.get', 'revisions.diff', 'revisions.rollback'],
      ...['settings.list', 'settings.get', 'settings.update'],
      ...[
        'keys.list',
        'keys.rotate',
        'nodes.list',
        'nodes.get',
        'nodes.drain',
        'nodes.remove',
        'audit.verify',
        'requests.explain',
      ],
    ],
  )
  assert.equal(operationOf('proxies.get').unscoped, undefined)
})
