/** Virtual MCPs over origins of kind `collection`: endpoints as tools, prompts and resources. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import fc from 'fast-check'
import { createClock } from '../../src/base/clock.ts'
import { probeOrigin } from '../../src/mcp/origin/probe.ts'
import { toOriginAnswer } from '../../src/mcp/virtual/streams/watch-tools.ts'
import { CollectionSpec } from '../../src/model/api/collection.ts'
import { ProxySpec } from '../../src/model/api/proxy.ts'
import { approvedOf } from '../../src/model/mcp/capability-drift.ts'
import { OriginSpec } from '../../src/model/mcp/origin.ts'
import { VirtualMcpSpec } from '../../src/model/mcp/virtual-mcp.ts'
import { compileCollection, compileContracts, compileSchemas } from '../../src/snapshot/compile/compile.ts'
import { compileCatalogue, compileOrigin, compileVirtualMcp } from '../../src/snapshot/compile/mcp.ts'
import type { Fragment, ProfileFragment } from '../../src/snapshot/fragments.ts'
import { offeredBy } from '../../src/snapshot/offer/endpoint-catalogue.ts'
import { PEERS } from '../support/mcp-clients.ts'
import { type SdkServer, startSdkServer } from '../support/mcp-server.ts'
import { client, policy, profile, rate, token } from './fragments.ts'
import type { Served } from './serve.ts'
import { rpc, serveVirtualMcps } from './virtual-door.ts'

const NO_NAMES = { tools: [], prompts: [], resources: [], resource_templates: [] }
const acme = token('tok_acme')
const reader = token('tok_reader')
const stranger = token('tok_stranger')

const proxies = (
  [
    [
      'list-orders',
      ['GET'],
      '/v1/orders',
      {
        operation_id: 'listOrders',
        parameters: [
          { name: 'status', in: 'query', enum: ['open', 'paid'] },
          { name: 'filter[customer]', in: 'query' },
          { name: 'X-Reason', in: 'header' },
          { name: 'Authorization', in: 'header' },
        ],
      },
    ],
    ['get-order', ['GET'], '/v1/orders/{id}', { description: 'One order.', mcp: { title: 'Order' } }],
    ['export-orders', ['GET'], '/v1/orders/export', {}],
    [
      'create-order',
      ['POST'],
      '/v1/orders',
      {
        request_schema: {
          type: 'object',
          properties: { customer: { $ref: '#/$defs/Name' } },
          required: ['customer'],
        },
        mcp: { name: 'new_order', annotations: { destructiveHint: false } },
      },
    ],
    ['order', ['PUT', 'DELETE'], '/v1/orders/{id}', { tags: ['write'] }],
    ['about', ['GET'], '/about', { mcp: { as: 'resource' } }],
    ['note', ['GET'], '/notes/{name}', { mcp: { as: 'resource' } }],
    [
      'briefing',
      ['GET'],
      '/briefing',
      {
        mcp: { as: 'prompt' },
        parameters: [{ name: 'topic', in: 'query', required: true, description: 'What it is about' }],
      },
    ],
    ['internal', ['GET'], '/internal', { mcp: { as: 'hidden' } }],
    ['draft', ['GET'], '/draft', { status: 'draft' }],
  ] as const
).map(([slug, methods, path, more], index) => ({
  id: `prx_${index}`,
  slug,
  spec: ProxySpec.parse({ collection: 'shop', name: slug, methods, path, status: 'published', ...more }),
}))

const SCHEMAS = 'sha256-shop'
const schemas = JSON.stringify({ Name: { type: 'string', minLength: 1 } })
const origins = {
  shop: {
    id: 'ori_shop',
    slug: 'shop',
    spec: OriginSpec.parse({ name: 'Shop', kind: 'collection', collection: 'col_shop' }),
  },
  sums: (url: string) => ({ id: 'ori_sums', slug: 'sums', spec: OriginSpec.parse({ name: 'Sums', url }) }),
}

function shopOf(port: number) {
  const target = { targets: [{ url: `http://127.0.0.1:${port}` }] }
  const spec = { name: 'Shop', base_path: '/shop', status: 'published', upstream: target }
  return { id: 'col_shop', slug: 'shop', spec: { ...CollectionSpec.parse(spec), schemas: SCHEMAS } }
}

const open: Partial<ProfileFragment> = { auth: 'token', tokens: [acme.fragment] }
/** The client whose profile calls, with the rules of a test. */
const acmeWith = (rules: Partial<ProfileFragment> = {}, collections = ['col_shop']): Fragment =>
  client('acme', {
    collections,
    virtual_mcps: ['vmc_desk'],
    profiles: [profile('key', { ...open, ...rules })],
  })

let served: Served
let sums: SdkServer

before(async () => {
  sums = await startSdkServer()
  served = await serveVirtualMcps((port) => {
    const shop = shopOf(port)
    return [
      compileCollection(shop, proxies),
      compileSchemas(SCHEMAS, schemas),
      compileContracts(shop, proxies),
      acmeWith(),
      client('reader', {
        collections: ['col_shop'],
        virtual_mcps: ['vmc_desk', 'vmc_few'],
        profiles: [
          profile('read', {
            auth: 'token',
            tokens: [reader.fragment],
            allowed_methods: ['GET'],
            endpoints: { allow: [], deny: ['shop:export-orders'] },
          }),
        ],
      }),
      client('stranger', {
        collections: [],
        virtual_mcps: ['vmc_desk'],
        profiles: [profile('outside', { auth: 'token', tokens: [stranger.fragment] })],
      }),
    ]
  })
  const own = origins.sums(sums.url)
  const fragment = compileOrigin(own, null)
  const { found } = await probeOrigin({
    send: async (request) => toOriginAnswer(await served.gateway.askOrigin(fragment, request)),
    clock: createClock(),
    own: { name: 'postern', version: '0' },
  })
  const offer = { collection: shopOf(served.echo.port), proxies, schemas }
  const sources = new Map([
    ['ori_shop', { slug: 'shop', catalogue: offeredBy(offer, false).catalogue, isOwn: true }],
    ['ori_sums', { slug: 'sums', catalogue: found!.catalogue }],
  ])
  const virtualMcp = (slug: string, members: readonly unknown[], more: object = {}): Fragment =>
    compileVirtualMcp({
      virtualMcp: { id: `vmc_${slug}`, slug, spec: VirtualMcpSpec.parse({ name: slug, members, ...more }) },
      origins: sources,
      names: NO_NAMES,
      approved: { ori_sums: approvedOf(found!.catalogue) },
    })
  served.apply([
    compileOrigin(origins.shop, null),
    compileCatalogue(origins.shop, null, offer),
    compileOrigin(own, found),
    compileCatalogue(own, found),
    virtualMcp('desk', [{ origin: 'ori_shop' }, { origin: 'ori_sums' }]),
    policy('few', [rate(2)]),
    virtualMcp('few', [{ origin: 'ori_shop', capability_policy: { tools: ['get-order'] } }], {
      policy: 'pol_few',
    }),
  ])
})
after(async () => {
  await served.close()
  await sums[Symbol.asyncDispose]()
})

const toolsOf = async (bearer: string, slug = 'desk'): Promise<string[]> => {
  const { result } = await rpc(served, slug, bearer, 'tools/list')
  return result.tools.map(({ name }: { name: string }) => name).sort()
}
const call = (bearer: string, name: string, args: object = {}, slug = 'desk') =>
  rpc(served, slug, bearer, 'tools/call', { name, arguments: args })

const ALL = ['add', 'delete_order', 'export-orders', 'get-order', 'listOrders', 'new_order', 'put_order']

for (const [name, connect] of Object.entries(PEERS))
  test(`${name} uses endpoints of a collection beside the tools of a server`, async () => {
    const url = `http://127.0.0.1:${served.port}/mcp/desk`
    const peer = await connect(url, { authorization: `Bearer ${acme.text}` })
    assert.deepEqual((await peer.tools()).map((tool) => tool.name).sort(), ALL)
    assert.deepEqual((await peer.call('add', { a: 19, b: 23 })).content, [{ type: 'text', text: '42' }])
    const order = await peer.call('get-order', { id: '7' })
    assert.equal(order.isError, false)
    const { status, body } = order.structuredContent as { status: number; body: { url: string } }
    assert.deepEqual([status, body.url], [200, '/v1/orders/7'])
    assert.deepEqual(await peer.prompts(), ['briefing'])
    assert.match(await peer.prompt('briefing', { topic: 'a b' }), /"url":"\/briefing\?topic=a%20b"/)
    assert.deepEqual(
      (await peer.resources()).map(({ uri }) => uri),
      ['postern://shop/about'],
    )
    assert.match(await peer.read('postern://shop/about'), /"url":"\/about"/)
    assert.deepEqual(await peer.templates(), ['postern://shop/notes/{name}'])
    assert.match(await peer.read('postern://shop/notes/first'), /"url":"\/notes\/first"/)
    await peer.close()
  })

test('a tool has the merged contract as its input, and hints that follow from its method', async () => {
  const { result } = await rpc(served, 'desk', acme.text, 'tools/list')
  const tool = (name: string) => result.tools.find((one: { name: string }) => one.name === name)
  assert.deepEqual(tool('listOrders').inputSchema, {
    type: 'object',
    properties: {
      status: { type: 'string', enum: ['open', 'paid'] },
      filter_customer: { type: 'string', description: 'Sent as "filter[customer]" in query.' },
      'X-Reason': { type: 'string' },
    },
    additionalProperties: false,
  })
  assert.deepEqual(tool('new_order').inputSchema, {
    type: 'object',
    properties: {
      body: {
        type: 'object',
        properties: { customer: { type: 'string', minLength: 1 } },
        required: ['customer'],
      },
    },
    required: ['body'],
    additionalProperties: false,
  })
  assert.deepEqual(tool('new_order').annotations, { readOnlyHint: false, destructiveHint: false })
  assert.equal(tool('get-order').title, 'Order')
  assert.equal(tool('get-order').annotations.readOnlyHint, true)
  assert.equal(tool('put_order').annotations.idempotentHint, true)
  assert.equal(tool('delete_order').annotations.destructiveHint, true)
})

test('arguments go where the contract has them', async () => {
  const listed = await call(acme.text, 'listOrders', {
    status: 'paid',
    filter_customer: 'Ann',
    'X-Reason': 'audit',
  })
  const seen = listed.result.structuredContent.body
  assert.equal(seen.url, '/v1/orders?status=paid&filter%5Bcustomer%5D=Ann')
  assert.equal(seen.headers['x-reason'], 'audit')
  const made = await call(acme.text, 'new_order', { body: { customer: 'Ann' } })
  assert.equal(made.result.structuredContent.body.body, '{"customer":"Ann"}')
  const wrong = await call(acme.text, 'get-order', { id: '7', nonsense: 1 })
  assert.equal(wrong.result.isError, true)
  assert.deepEqual(wrong.result.structuredContent.errors, [
    { pointer: '/nonsense', reason: 'no such argument; there are: id' },
  ])
  const missing = await call(acme.text, 'get-order')
  assert.equal(missing.result.structuredContent.errors[0].pointer, '/id')
})

test('arguments that make the path of another endpoint reach neither of them', async () => {
  const before = served.echo.seen.length
  const { result } = await call(acme.text, 'get-order', { id: 'export' })
  assert.equal(result.isError, true)
  assert.equal(result.structuredContent.code, 'route_not_found')
  assert.equal(served.echo.seen.length, before)
})

test('hidden endpoints, drafts and endpoints that the caller may not call are not listed and unknown', async () => {
  const unknown = await call(acme.text, 'no_such_tool')
  for (const [bearer, name] of [
    [acme.text, 'internal'],
    [acme.text, 'draft'],
    [reader.text, 'new_order'],
    [reader.text, 'export-orders'],
    [stranger.text, 'get-order'],
  ] as const) {
    assert.ok(!(await toolsOf(bearer)).includes(name), name)
    const { error } = await call(bearer, name)
    assert.deepEqual(error, {
      ...unknown.error,
      message: `Unknown tool: ${name}`,
    })
  }
  assert.deepEqual(await toolsOf(stranger.text), ['add'])
  const read = await rpc(served, 'desk', stranger.text, 'resources/read', { uri: 'postern://shop/about' })
  assert.equal(read.error?.code, -32602)
  for (const uri of ['postern://shop/notes/first', 'postern://shop~shop/notes/first']) {
    const noted = await rpc(served, 'desk', stranger.text, 'resources/read', { uri })
    assert.equal(noted.error?.code, -32602, uri)
  }
  const nowhere = { uri: 'postern://shop~shop/internal' }
  assert.equal((await rpc(served, 'desk', acme.text, 'resources/read', nowhere)).error?.code, -32602)
})

test('the policy of the virtual MCP counts its calls besides the limits of the endpoint', async () => {
  assert.deepEqual(await toolsOf(reader.text, 'few'), ['get-order'])
  const states = []
  for (let index = 0; index < 3; index++)
    states.push((await call(reader.text, 'get-order', { id: '1' }, 'few')).result.structuredContent)
  assert.deepEqual(
    states.map(({ status }) => status),
    [200, 200, 429],
  )
  assert.equal(states[2].code, 'rate_limit_exceeded')
  // Neither over REST nor through another virtual MCP
  const overRest = await served.ask('/shop/v1/orders/1', {
    headers: { authorization: `Bearer ${reader.text}` },
  })
  assert.equal(overRest.status, 200)
  assert.equal((await call(reader.text, 'get-order', { id: '1' })).result.structuredContent.status, 200)
})

test('an assignment that is taken away hides the endpoints from the next message on', async () => {
  assert.deepEqual(await toolsOf(acme.text), ALL)
  served.apply([acmeWith({}, [])])
  assert.deepEqual(await toolsOf(acme.text), ['add'])
  assert.equal((await call(acme.text, 'get-order', { id: '1' })).error?.code, -32602)
  served.apply([acmeWith()])
  assert.deepEqual(await toolsOf(acme.text), ALL)
})

const ENTRIES = [
  'shop:get-order',
  'list-orders',
  'tag:write',
  'GET /shop/*',
  'POST /shop/v1/orders',
  'PUT /shop/v1/orders/{id}',
  'export-orders',
]
const ARGUMENTS: Readonly<Record<string, object>> = {
  'get-order': { id: '1' },
  put_order: { id: '1', body: {} },
  delete_order: { id: '1' },
  new_order: { body: { customer: 'Ann' } },
  add: { a: 1, b: 2 },
}

test('for any rules of a profile, the tools listed are the tools that can be called', async () => {
  const rules = fc.record({
    allowed_methods: fc.subarray(['GET', 'POST', 'PUT', 'DELETE'] as const),
    endpoints: fc.record({ allow: fc.subarray(ENTRIES), deny: fc.subarray(ENTRIES) }),
  })
  await fc.assert(
    fc.asyncProperty(rules, async (given) => {
      served.apply([acmeWith(given)])
      const listed = await toolsOf(acme.text)
      const callable: string[] = []
      for (const name of ALL) {
        const { result, error } = await call(acme.text, name, ARGUMENTS[name] ?? {})
        if (error === undefined) {
          assert.equal(result.isError ?? false, false, JSON.stringify(result))
          callable.push(name)
        } else assert.equal(error.code, -32602)
      }
      assert.deepEqual(listed, callable)
    }),
    { numRuns: 25 },
  )
  served.apply([acmeWith()])
})

test('the record of a call names the virtual MCP and the origin, and the endpoint that was called', async () => {
  const before = served.records.length
  await call(acme.text, 'get-order', { id: '7' })
  const record = await served.record(before)
  const { surface, virtualMcp, origin, collection, proxy, method, path, agent } = record
  assert.deepEqual(
    { surface, virtualMcp, origin, collection, proxy, method, path },
    {
      surface: 2,
      virtualMcp: 'vmc_desk',
      origin: 'ori_shop',
      collection: 'col_shop',
      proxy: 'prx_1',
      method: 'GET',
      path: '/shop/v1/orders/7',
    },
  )
  assert.deepEqual([agent?.mcpMethod, agent?.tool], ['tools/call', 'get-order'])
  assert.equal(record.argumentBytes, '{"id":"7"}'.length)
  assert.equal(served.records.length, before + 1)
})
