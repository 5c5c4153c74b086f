import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { startOrders } from './orders.ts'
import { until } from './server.ts'

const { server, upstream, token, record, stop } = await startOrders()
after(stop)

const DOCUMENT = {
  openapi: '3.1.0',
  info: { title: 'Shop', version: '1' },
  paths: {
    '/items': {
      post: {
        parameters: [{ name: 'size', in: 'query', schema: { type: 'integer' } }],
        requestBody: {
          content: {
            'application/json': {
              schema: {
                type: 'object',
                properties: {
                  lines: {
                    type: 'array',
                    items: { required: ['sku'], properties: { sku: { type: 'string' } } },
                  },
                },
              },
            },
          },
        },
        responses: { 200: { description: 'made' } },
      },
    },
  },
}
const send = (path: string, body: unknown) => server.gateway('POST', `/shop${path}`, { token, body })
const report = async () => (await server.manage('GET', '/collections/shop/contract_report')).json

test('an import reports, the report names endpoint and pointer, and one command enforces', async () => {
  const given = { base_path: '/shop', slug: 'shop', upstream: upstream.url, publish: true }
  const made = await server.manage('POST', '/collections/import', { document: DOCUMENT, ...given })
  assert.equal(made.status, 201, made.text)
  assert.equal(made.json.collection.request_validation, 'report')
  await server.manage('PATCH', '/clients/acme', { collections: ['orders', 'shop'] })

  const bad = { lines: [{ sku: 'a' }, {}, { sku: 1 }] }
  const ids: string[] = []
  for (const [path, body] of [
    ['/items', { lines: [] }],
    ['/items', bad],
    ['/items', { lines: [{}] }],
    ['/items?size=x', {}],
  ] as const) {
    const reply = await send(path, body)
    assert.equal(reply.status, 200, reply.text)
    ids.push(reply.headers.get('x-request-id')!)
  }
  const stored = await record(ids[1]!)
  assert.deepEqual(
    [stored.code, stored.contract_code, stored.contract_pointer, stored.contract_faults],
    [null, 'body_invalid', '/lines/*/sku', 2],
  )
  assert.match(stored.reason, /^body_invalid: \/lines\/1\/sku is required\. \(and 1 more\)$/)
  assert.equal((await record(ids[0]!)).contract_code, null)
  await record(ids[3]!)

  const told = await until(report, ({ requests }) => requests === 4)
  assert.deepEqual(
    [told.request_validation, told.would_refuse, told.places, told.truncated],
    ['report', 3, 2, false],
  )
  assert.deepEqual(
    told.items.map((item: Record<string, unknown>) => [
      item['endpoint'],
      item['code'],
      item['pointer'],
      item['requests'],
      item['faults'],
    ]),
    [
      ['POST /shop/items', 'body_invalid', '/lines/*/sku', 2, 3],
      ['POST /shop/items', 'parameter_invalid', '/query/size', 1, 1],
    ],
  )
  assert.equal(told.items[0].record, ids[2])

  const own = await server.manage('GET', '/collections/shop/proxies')
  const { slug } = own.json.items[0]
  const alone = await server.manage('PATCH', `/proxies/shop:${slug}`, { request_validation: 'report' })
  assert.equal(alone.status, 200, alone.text)
  const dry = await server.manage('POST', '/collections/shop/enforce?dry_run=true', {})
  assert.equal(dry.status, 200, dry.text)
  assert.equal((await send('/items', bad)).status, 200, 'a dry run changes nothing')
  const enforced = await server.manage('POST', '/collections/shop/enforce', {})
  assert.deepEqual(
    [enforced.status, enforced.json.collection.request_validation, enforced.json.proxies, enforced.json.off],
    [200, 'enforce', [slug], 0],
  )
  const refused = await send('/items', bad)
  assert.deepEqual([refused.status, refused.json.code], [400, 'body_invalid'])
  assert.equal((await send('/items', { lines: [] })).status, 200)

  const again = await server.manage('POST', '/collections/shop/reimport', { document: DOCUMENT })
  assert.deepEqual([again.status, again.json.collection.request_validation], [200, 'enforce'], again.text)
})
