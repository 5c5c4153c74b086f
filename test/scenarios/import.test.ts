import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CORPUS, corpusText } from '../fixtures/openapi.ts'
import { IS_LONG } from '../support/long.ts'
import { startOrders } from './orders.ts'
import { call, startTestServer } from './server.ts'

/** Characters of one contract with everything in it: two schemas, two examples, parameters. */
const CONTRACT_CHARS_MAX = 100 * 1024

test('real descriptions import over REST, and agents get a bounded contract of their endpoints', async () => {
  await using server = await startTestServer()
  // src/import imports all of them in either form
  const documents = CORPUS.filter(({ name }) => IS_LONG || name !== 'kubernetes.io')
  const slugs: string[] = []
  for (const { name } of documents) {
    const slug = name.replaceAll('.', '-')
    const reply = await server.manage('POST', '/collections/import', {
      document: corpusText(name),
      base_path: `/${slug}`,
      slug,
      upstream: 'http://127.0.0.1:9',
      publish: true,
    })
    assert.equal(reply.status, 201, `${name}: ${reply.text.slice(0, 500)}`)
    slugs.push(slug)
  }
  const client = await server.manage('POST', '/clients', { name: 'Agent', slug: 'agent', collections: slugs })
  assert.equal(client.status, 201)
  const profile = await server.manage('POST', '/profiles', {
    client: 'agent',
    name: 'Tools',
    slug: 'tools',
    auth: { type: 'token' },
  })
  assert.equal(profile.status, 201)
  const token: string = profile.json.token

  let id = 0
  // biome-ignore lint/suspicious/noExplicitAny: structured content of several tools; the test reads what it asserts on
  const tool = async (name: string, args: object): Promise<{ structured: any; chars: number }> => {
    const reply = await call('POST', `${server.running.gatewayUrl}/mcp`, {
      token,
      headers: {
        accept: 'application/json, text/event-stream',
        'mcp-protocol-version': '2025-11-25',
      },
      body: { jsonrpc: '2.0', id: ++id, method: 'tools/call', params: { name, arguments: args } },
    })
    assert.equal(reply.status, 200, reply.text.slice(0, 500))
    const structured = reply.json.result.structuredContent
    return { structured, chars: JSON.stringify(structured).length }
  }

  for (const { name, operations } of documents) {
    const collection = name.replaceAll('.', '-')
    const listed = await tool('list_endpoints', { collection, limit: 100 })
    const endpoints: { endpoint_id: string; methods: string[] }[] = listed.structured.endpoints
    assert.equal(endpoints.length, Math.min(operations, 100))
    // Discovery has a rate of its own, so every tenth.
    for (const { endpoint_id: endpoint } of endpoints.filter((_, index) => index % 10 === 0)) {
      const { structured, chars } = await tool('inspect_contract', { endpoint })
      assert.ok(chars < CONTRACT_CHARS_MAX, `${chars} characters`)
      assert.equal(structured.endpoint_id, endpoint)
      assert.doesNotMatch(JSON.stringify(structured.request_schema), /"\$ref":"#/)
    }
  }
})

test('a broken description is refused over REST with the pointer of what is wrong', async () => {
  await using server = await startTestServer()
  const reply = await server.manage('POST', '/collections/import', {
    document: 'openapi: 3.1.0\ninfo: {title: T}\npaths:\n  /x:\n    get:\n      parameters: [{in: query}]\n',
    base_path: '/broken',
  })
  assert.equal(reply.status, 422)
  assert.equal(reply.json.code, 'document_invalid')
  assert.deepEqual(reply.json.errors, [
    { pointer: '/paths/~1x/get/parameters/0/name', reason: 'a parameter must have a name' },
  ])
  assert.equal((await server.manage('GET', '/collections')).json.items.length, 0)
})

test('requests are held to the schemas that an imported description shares', async () => {
  await using orders = await startOrders()
  const { server, upstream, token } = orders
  const shared = (name: string) => ({ $ref: `#/components/schemas/${name}` })
  const document = {
    openapi: '3.1.0',
    info: { title: 'Shop', version: '1' },
    servers: [{ url: upstream.url }],
    paths: {
      '/items': {
        post: {
          requestBody: { content: { 'application/json': { schema: shared('Item') } } },
          responses: { 200: { description: 'made' } },
        },
      },
    },
    components: {
      schemas: {
        Item: { type: 'object', required: ['price'], properties: { price: shared('Price') } },
        Price: { type: 'integer', minimum: 1 },
      },
    },
  }
  const made = await server.manage('POST', '/collections/import', {
    document: JSON.stringify(document),
    base_path: '/shop',
    slug: 'shop',
    publish: true,
  })
  assert.equal(made.status, 201, made.text)
  assert.equal(made.json.collection.request_validation, 'report')
  const assigned = await server.manage('PATCH', '/clients/acme', { collections: ['orders', 'shop'] })
  assert.equal(assigned.status, 200, assigned.text)
  const post = (body: unknown) => server.gateway('POST', '/shop/items', { token, body })
  assert.equal((await post({ price: 1 })).status, 200)
  assert.equal((await post({ price: 0 })).status, 200, 'a new import reports')
  const enforced = await server.manage('PATCH', '/collections/shop', { request_validation: 'enforce' })
  assert.equal(enforced.status, 200, enforced.text)
  const refused = await post({ price: 0 })
  assert.deepEqual(
    [refused.status, refused.json.errors],
    [400, [{ pointer: '/price', reason: 'must be >= 1' }]],
  )
})
