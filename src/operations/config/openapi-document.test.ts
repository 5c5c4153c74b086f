import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import fc from 'fast-check'
import { stringify } from 'yaml'
import { type Control, refused, startControl } from '../../../test/control.ts'
import { corpusText } from '../../../test/fixtures/openapi.ts'
import { withReplaced } from '../../../test/support/replaced.ts'
import { Refusal } from '../../base/refusal.ts'
import { readDocuments } from './read-documents.ts'
import { toDesired } from './state.ts'

const ORDER = { type: 'object', required: ['id'], properties: { id: { type: 'integer' } } }
const json = (schema: object) => ({ content: { 'application/json': { schema } } })

const SHOP = {
  openapi: '3.1.0',
  info: { title: 'Shop', version: '1', description: 'What is sold.' },
  'x-postern': {
    kind: 'collection',
    slug: 'shop',
    spec: {
      base_path: '/shop',
      status: 'published',
      tags: ['own'],
      upstream: { targets: [{ url: '$\u007bvar.UPSTREAM}' }], pool_max: 9 },
    },
  },
  servers: [{ url: 'https://shop.example.com/v1' }],
  paths: {
    '/orders': {
      post: {
        operationId: 'makeOrder',
        requestBody: json({ $ref: '#/components/schemas/Order' }),
        responses: { 200: { description: 'made' } },
        'x-postern': { timeouts: { first_byte: '5m' }, idempotency: true },
      },
      get: { operationId: 'listOrders', 'x-postern': { slug: 'orders', status: 'draft' } },
    },
    '/orders/{id}': { get: { operationId: 'getOrder' } },
  },
  components: { schemas: { Order: ORDER } },
}

/** The same API as it was described before. */
const SHOP_2 = {
  swagger: '2.0',
  info: SHOP.info,
  'x-postern': { kind: 'collection', slug: 'shop', spec: { base_path: '/shop' } },
  host: 'shop.example.com',
  schemes: ['https'],
  basePath: '/v1',
  consumes: ['application/json'],
  paths: {
    '/orders': {
      post: {
        operationId: 'makeOrder',
        parameters: [{ in: 'body', name: 'order', schema: { $ref: '#/definitions/Order' } }],
        responses: { 200: { description: 'made' } },
        'x-postern': { idempotency: true },
      },
    },
  },
  definitions: { Order: ORDER },
}

const read = async (document: unknown) =>
  toDesired((await readDocuments([document as Record<string, unknown>], variables)).documents)

const variables = { UPSTREAM: 'http://127.0.0.1:9000' }
let control: Control
const withControl = async (t: TestContext): Promise<void> => {
  control = await startControl()
  t.after(() => control.close())
}

interface Doc {
  readonly kind: string
  readonly slug: string
  readonly spec: Record<string, unknown>
}
const apply = (documents: readonly unknown[], more = {}) =>
  control.run('config.apply', { documents, variables, managed_by: 's', ...more })
const exported = async (from: Control): Promise<Doc[]> =>
  (await from.run('config.export', {})).output['documents'] as Doc[]
const specOf = (documents: readonly Doc[], slug: string) =>
  documents.find((one) => one.slug === slug)?.spec ?? assert.fail(slug)

test('a description that says which collection it is of gives the collection, its proxies and contracts', async (t) => {
  await withControl(t)
  const { output } = await apply([SHOP])
  assert.equal(output['create'], 4)
  const documents = await exported(control)
  const { upstream, ...shop } = specOf(documents, 'shop')
  assert.deepEqual(shop, {
    name: 'Shop',
    description: 'What is sold.',
    base_path: '/shop',
    request_validation: 'report',
    status: 'published',
    tags: ['own'],
    schemas: { Order: ORDER },
  })
  assert.deepEqual(
    upstream,
    { targets: [{ url: 'http://127.0.0.1:9000/v1' }], pool_max: 9 },
    'no member that is as it is by default',
  )
  const make = specOf(documents, 'make-order')
  assert.deepEqual(
    [make['status'], make['request_schema'], make['timeouts'], make['idempotency']],
    ['published', { $ref: '#/$defs/Order' }, { first_byte: '5m' }, true],
  )
  assert.equal(specOf(documents, 'orders')['status'], 'draft')
  assert.equal(specOf(documents, 'get-order')['path'], '/orders/{id}')
})

test('it is what an import makes of it', async (t) => {
  await withControl(t)
  const described = structuredClone(SHOP) as Record<string, unknown>
  described['x-postern'] = { kind: 'collection', slug: 'shop', spec: { base_path: '/shop' } }
  described['paths'] = JSON.parse(JSON.stringify(SHOP.paths).replaceAll('x-postern', 'x-other'))
  await apply([described])
  const other = await startControl()
  t.after(() => other.close())
  await other.run('collections.import', { document: described, base_path: '/shop', slug: 'shop' })
  assert.deepEqual(await exported(control), await exported(other))
})

test('what is exported of it makes an empty instance the same, and then there is nothing to plan', async (t) => {
  await withControl(t)
  const real = JSON.parse(corpusText('xkcd.com')) as object
  const comics = { kind: 'collection', slug: 'comics', spec: { base_path: '/comics', status: 'published' } }
  const descriptions = [stringify(SHOP), { ...real, 'x-postern': comics }]
  await apply(descriptions)
  const documents = await exported(control)
  assert.equal(documents.length, 4 + 3)
  const other = await startControl()
  t.after(() => other.close())
  await other.run('config.apply', { documents, managed_by: 's' })
  assert.deepEqual(await exported(other), documents)
  for (const [where, given] of [
    [control, descriptions],
    [control, documents],
    [other, descriptions],
  ] as const) {
    const { output } = await where.run('config.plan', {
      documents: given,
      variables,
      managed_by: 's',
      prune: true,
    })
    assert.deepEqual([output['items'], output['drift']], [[], []])
  }
})

test('older descriptions keep what they say of the collection', async (t) => {
  await withControl(t)
  await apply([SHOP_2])
  const documents = await exported(control)
  assert.deepEqual(
    [specOf(documents, 'shop')['schemas'], specOf(documents, 'make-order')['idempotency']],
    [{ Order: ORDER }, true],
  )
})

test('what goes from the description is removed, and what is changed by hand is drift', async (t) => {
  await withControl(t)
  await apply([SHOP])
  await control.run('proxies.update', { id: 'shop:make-order', idempotency: false })
  const { '/orders/{id}': _, ...paths } = SHOP.paths
  const less = { ...SHOP, paths, components: {} }
  const bare = JSON.parse(JSON.stringify(less).replaceAll('#/components/schemas/Order', '#/paths'))
  const { output } = await control.run('config.plan', {
    documents: [bare],
    variables,
    managed_by: 's',
    prune: true,
  })
  const items = output['items'] as { action: string; item: string; side: string }[]
  assert.deepEqual(items.map(({ action, item }) => `${action} ${item}`).sort(), [
    'remove proxy/shop:get-order',
    'update collection/shop',
    'update proxy/shop:make-order',
  ])
  assert.deepEqual(
    (output['drift'] as { item: string }[]).map(({ item }) => item),
    ['proxy/shop:make-order'],
  )
})

test('what is read differently is told with its place', async (t) => {
  await withControl(t)
  const trace = { ...SHOP, paths: { ...SHOP.paths, '/t': { trace: {} } }, security: [{ key: [] }] }
  const { output } = await apply([{ kind: 'policy', slug: 'p', spec: { name: 'P' } }, trace])
  assert.deepEqual(
    (output['warnings'] as { pointer: string }[]).map(({ pointer }) => pointer),
    ['/documents/1/paths/~1t/trace', '/documents/1/security'],
  )
})

const withRoot = (extension: unknown) => ({ ...SHOP, 'x-postern': extension })
const withOperation = (extension: unknown) => ({
  ...SHOP,
  paths: { '/a': { get: { 'x-postern': extension } } },
})
const spec = SHOP['x-postern'].spec
for (const [what, document, pointer, code = 'document_invalid'] of [
  ['no word of the collection', withRoot(undefined), '/documents/0/x-postern'],
  ['a text for it', withRoot('shop'), '/documents/0/x-postern'],
  ['another kind', withRoot({ kind: 'proxy', slug: 'a', spec }), '/documents/0/x-postern/kind'],
  ['no slug', withRoot({ kind: 'collection', spec }), '/documents/0/x-postern/slug'],
  [
    'a slug that is none',
    withRoot({ kind: 'collection', slug: 'A b', spec }),
    '/documents/0/x-postern/slug',
    'input_invalid',
  ],
  ['no spec', withRoot({ kind: 'collection', slug: 'a' }), '/documents/0/x-postern/spec'],
  [
    'no base path',
    withRoot({ kind: 'collection', slug: 'a', spec: {} }),
    '/documents/0/x-postern/spec/base_path',
    'input_invalid',
  ],
  [
    'an unknown member',
    withRoot({ kind: 'collection', slug: 'a', spec, more: 1 }),
    '/documents/0/x-postern/more',
  ],
  [
    'schemas of its own',
    withRoot({ kind: 'collection', slug: 'a', spec: { schemas: {} } }),
    '/documents/0/x-postern/spec/schemas',
  ],
  [
    'an unknown setting of an operation',
    withOperation({ polcy: 'gold' }),
    '/documents/0/paths/~1a/get/x-postern/polcy',
  ],
  [
    'a setting that the description says',
    withOperation({ path: '/b' }),
    '/documents/0/paths/~1a/get/x-postern/path',
  ],
  [
    'a setting that is none',
    withOperation({ cache: 5 }),
    '/documents/0/paths/~1a/get/x-postern/cache',
    'input_invalid',
  ],
  ['a list of settings', withOperation([]), '/documents/0/paths/~1a/get/x-postern'],
  ['a broken description', { ...SHOP, paths: [] }, '/documents/0/paths'],
] as readonly [string, object, string, 'input_invalid'?][])
  test(`refused with its place: ${what}`, async () => {
    const refusal = await refused(read(document), code)
    assert.equal(refusal.facts.errors?.[0]?.pointer, pointer, refusal.message)
  })

test('with any one part replaced by anything it becomes documents or one refusal', async () => {
  await fc.assert(
    fc.asyncProperty(fc.jsonValue({ maxDepth: 3 }), fc.nat(), async (value, seed) => {
      try {
        await read(withReplaced(SHOP, value, seed))
      } catch (error) {
        if (!(error instanceof Refusal)) throw error
        assert.match(error.code, /^(document|input)_invalid$/)
      }
    }),
    { numRuns: 400, examples: [[{}, 1840220270]] },
  )
})

test('what is stored of an instance before, or said by hand, is how requests are judged', async (t) => {
  await withControl(t)
  await apply([SHOP])
  const modeOf = async () => specOf(await exported(control), 'shop')['request_validation'] ?? 'enforce'
  assert.equal(await modeOf(), 'report')
  await control.run('collections.update', { id: 'shop', request_validation: 'enforce' })
  const plan = async (document: unknown) =>
    (await control.run('config.plan', { documents: [document], variables, managed_by: 's' })).output
  const { items, drift } = await plan(SHOP)
  assert.deepEqual([items, drift], [[], []])
  await apply([SHOP])
  assert.equal(await modeOf(), 'enforce')
})
