import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Control, refused, startControl } from '../../../test/control.ts'
import { compareDescription, readForComparison } from './compare-description.ts'

let control: Control
before(async () => {
  control = await startControl()
})
after(() => control.close())

const ORDER = { type: 'object', properties: { id: { type: 'integer' }, note: { type: 'string' } } }
const answer = (schema: object): object => ({
  responses: { 200: { description: 'ok', content: { 'application/json': { schema } } } },
})
const body = (schema: object): object => ({
  requestBody: { required: true, content: { 'application/json': { schema } } },
})

/** A description of these paths, with one shared schema. */
function description(paths: object, order: object = ORDER): object {
  return {
    openapi: '3.1.0',
    info: { title: 'Shop', version: '1' },
    servers: [{ url: 'http://127.0.0.1:9' }],
    paths,
    components: { schemas: { Order: order } },
  }
}

const reference = { $ref: '#/components/schemas/Order' }
const FIRST = {
  '/orders/{id}': { get: { operationId: 'getOrder', ...answer(reference) } },
  '/orders': {
    get: { operationId: 'listOrders', ...answer({ type: 'array', items: reference }) },
    post: { operationId: 'placeOrder', ...body(reference), ...answer(reference) },
  },
  '/health': { get: answer({}) },
}

async function shop(slug: string): Promise<void> {
  await control.run('collections.import', {
    document: description(FIRST),
    base_path: `/${slug}`,
    slug,
    publish: true,
  })
}

interface Change {
  readonly change: string
  readonly proxy: string
  readonly members: string[]
  readonly breaking: { pointer: string; reason: string }[]
}
const changesIn = (output: Record<string, unknown>): Change[] => output['changes'] as Change[]

test('the same description again changes nothing, and no revision', async () => {
  await shop('same')
  const before = await control.run('collections.get', { id: 'same' })
  const { output } = await control.run('collections.reimport', {
    id: 'same',
    document: { ...description(FIRST), 'x-postern': {} },
  })
  assert.match(JSON.stringify(output['warnings']), /x-postern/)
  assert.deepEqual(
    ['added', 'changed', 'missing', 'unchanged', 'breaking'].map((name) => output[name]),
    [0, 0, 0, 4, 0],
  )
  assert.deepEqual(output['changes'], [])
  assert.equal((output['collection'] as { revision: number }).revision, before.output['revision'])
})

test('operations are found by operationId though their route moved, and what operators set stays', async () => {
  await shop('moved')
  await control.run('proxies.update', {
    id: 'moved:get-order',
    idempotency: true,
    timeouts: { first_byte: '5s' },
  })
  const moved = {
    '/v2/orders/{key}': { get: { operationId: 'getOrder', summary: 'One order', ...answer(reference) } },
    '/orders': { ...FIRST['/orders'], delete: { operationId: 'clear', responses: {} } },
  }
  const document = description(moved)
  const refusal = await refused(
    control.run('collections.reimport', { id: 'moved', document }),
    'configuration_invalid',
  )
  assert.deepEqual(refusal.facts.errors, [{ pointer: '/proxies/get-order/path', reason: 'was /orders/{id}' }])
  assert.match(refusal.message, /breaking: "allow"/)

  const { output } = await control.run('collections.reimport', { id: 'moved', document, breaking: 'allow' })
  assert.deepEqual(
    changesIn(output).map(({ change, proxy, members }) => [change, proxy, members]),
    [
      ['changed', 'get-order', ['name', 'description', 'path', 'parameters']],
      ['added', 'clear', []],
      ['missing', 'get-health', []],
    ],
  )
  const proxy = (await control.run('proxies.get', { id: 'moved:get-order' })).output
  assert.deepEqual(
    [proxy['path'], proxy['name'], proxy['idempotency'], proxy['status']],
    ['/v2/orders/{key}', 'One order', true, 'published'],
  )
  assert.equal((await control.run('proxies.get', { id: 'moved:clear' })).output['status'], 'draft')
  assert.equal((await control.run('proxies.get', { id: 'moved:get-health' })).output['status'], 'published')
})

test('a shared schema that narrows is told at each proxy that takes it, and a dry run stores nothing', async () => {
  await shop('narrow')
  const document = description(FIRST, { ...ORDER, required: ['note'] })
  const wish = { id: 'narrow', document, breaking: 'allow' }
  const dry = await control.run('collections.reimport', wish, { dryRun: true })
  assert.deepEqual(
    changesIn(dry.output).map(({ proxy, breaking }) => [proxy, breaking]),
    [['place-order', [{ pointer: '/request_schema/required', reason: '"note" has become required' }]]],
  )
  const schemas = async (): Promise<unknown> =>
    (await control.run('collections.get', { id: 'narrow' })).output['schemas']
  const stored = await schemas()
  await control.run('collections.reimport', wish)
  assert.notEqual(await schemas(), stored)
})

test('what the description has no more becomes a draft where that is wished', async () => {
  await shop('gone')
  const { '/health': _, ...rest } = FIRST
  const wish = { id: 'gone', document: description(rest), missing: 'draft' }
  await refused(control.run('collections.reimport', wish), 'configuration_invalid')
  await control.run('collections.reimport', { ...wish, breaking: 'allow' })
  assert.equal((await control.run('proxies.get', { id: 'gone:get-health' })).output['status'], 'draft')
})

test('one change with one audit entry, and only for who may change the collection and its proxies', async () => {
  await shop('audited')
  const document = description({ ...FIRST, '/new': { get: { operationId: 'fresh', responses: {} } } })
  await refused(
    control.run('collections.reimport', { id: 'audited', document }, { role: 'viewer' }),
    'permission_denied',
  )
  const grants = [
    { role: { permissions: new Set(['collections:read', 'collections:update', 'proxies:read']) } },
  ]
  await refused(
    control.run('collections.reimport', { id: 'audited', document }, { grants }),
    'permission_denied',
  )
  const before = await control.store.read.revision()
  await control.run('collections.reimport', { id: 'audited', document }, { role: 'modifier' })
  assert.equal(await control.store.read.revision(), before + 1)
  const { output } = await control.run('audit.list', { operation: 'collections.reimport', outcome: 'ok' })
  const items = output['items'] as { resource: { slug: string }; diff: { path: string }[] }[]
  const [entry, ...others] = items.filter(({ resource }) => resource.slug === 'audited')
  assert.deepEqual(others, [])
  assert.ok(entry?.diff.some(({ path }) => path === '/proxies/fresh'))
})

/** Paths of endpoints in thousands of characters. */
const many = (count: number): object =>
  Object.fromEntries(
    Array.from({ length: count }, (_, at) => [
      `/many${at}`,
      { get: { operationId: `many${at}`, description: 'What it does. '.repeat(20), ...answer(reference) } },
    ]),
  )

test('the main thread neither reads nor compares a description that is not small', async (t) => {
  await control.run('collections.import', {
    document: description(many(50)),
    base_path: '/many',
    slug: 'many',
  })
  const here = [readForComparison, compareDescription].map((job) => t.mock.method(job, 'run'))
  const { output } = await control.run('collections.reimport', {
    id: 'many',
    document: description(many(49), { ...ORDER, required: ['id'] }),
    breaking: 'allow',
  })
  assert.deepEqual(
    [output['missing'], output['changed'], output['unchanged'], output['breaking']],
    [1, 0, 49, 0],
  )
  assert.deepEqual(
    here.map(({ mock }) => mock.callCount()),
    [0, 0],
  )
})

test('a comparison goes by what the collection has become meanwhile', async (t) => {
  await shop('meanwhile')
  const compared = t.mock.method(compareDescription, 'run')
  const { '/health': _, ...rest } = FIRST
  const held = Promise.withResolvers<void>()
  const writing = control.store.write(() => held.promise)
  const again = (): ReturnType<typeof control.run> =>
    control.run('collections.reimport', {
      ...{ id: 'meanwhile', missing: 'draft', breaking: 'allow' },
      document: description(rest),
    })
  const reimports = [again(), again()]
  // Both are compared before the first of them is written
  while (compared.mock.callCount() < reimports.length) await new Promise(setImmediate)
  held.resolve()
  await writing
  const outputs = (await Promise.all(reimports)).map(({ output }) => output)
  // What the first has hidden is not hidden by the second
  assert.deepEqual(
    outputs.map((output) => changesIn(output).map(({ proxy, members }) => [proxy, members])),
    [[['get-health', ['status']]], [['get-health', []]]],
  )
  assert.deepEqual(
    outputs.map(({ breaking }) => breaking),
    [1, 0],
  )
})
