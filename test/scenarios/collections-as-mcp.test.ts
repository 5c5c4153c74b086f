import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { PEERS } from '../support/mcp-clients.ts'
import { startTestServer, type TestServer } from './server.ts'
import { startUpstream, type TestUpstream } from './upstream.ts'

let server: TestServer
let upstream: TestUpstream
let token: string

before(async () => {
  server = await startTestServer({ workers: 2 })
  upstream = await startUpstream()
  for (const slug of ['shop', 'crm']) {
    const target = { targets: [{ url: upstream.url }] }
    await made('/collections', {
      name: slug,
      slug,
      base_path: `/${slug}`,
      upstream: target,
      status: 'published',
    })
    await made('/origins', { name: slug, slug, kind: 'collection', collection: slug })
  }
  await proxy('shop', 'orders', '/orders', { mcp: { name: 'list' } })
  await proxy('crm', 'people', '/people', { mcp: { name: 'list' } })
  const members = [{ origin: 'shop' }, { origin: 'crm' }]
  await made('/virtual_mcps', { name: 'Desk', slug: 'desk', members, status: 'published' })
  await made('/clients', { name: 'Acme', slug: 'acme', collections: ['shop', 'crm'], virtual_mcps: ['desk'] })
  token = (await made('/profiles', { client: 'acme', name: 'Agent', slug: 'agent', auth: { type: 'token' } }))
    .token
})
after(async () => {
  await server.stop()
  await upstream.close()
})

async function made(path: string, body: object) {
  const reply = await server.manage('POST', path, body)
  assert.equal(reply.status, 201, reply.text)
  return reply.json
}

const proxy = (collection: string, slug: string, path: string, more: object = {}) =>
  made('/proxies', { collection, name: slug, slug, methods: ['GET'], path, status: 'published', ...more })

async function update(path: string, body: object) {
  const reply = await server.manage('PATCH', path, body)
  assert.equal(reply.status, 200, reply.text)
}

async function tools(): Promise<string[]> {
  const connect = PEERS['SDK v2, pinned to 2026-07-28']!
  const peer = await connect(`${server.running.gatewayUrl}/mcp/desk`, { authorization: `Bearer ${token}` })
  const names = (await peer.tools()).map(({ name }) => name)
  await peer.close()
  return names.sort()
}

test('tools of a virtual MCP follow each change of the collection, and keep the names that were published', async () => {
  assert.deepEqual(await tools(), ['crm_list', 'list'])
  await proxy('shop', 'order', '/orders/{id}')
  assert.deepEqual(await tools(), ['crm_list', 'list', 'order'])
  await update('/proxies/shop:order', { mcp: { as: 'hidden' } })
  assert.deepEqual(await tools(), ['crm_list', 'list'])
  await update('/proxies/shop:order', { mcp: null })
  assert.deepEqual(await tools(), ['crm_list', 'list', 'order'])
  await update('/proxies/shop:orders', { mcp: { as: 'hidden' } })
  assert.deepEqual(await tools(), ['crm_list', 'order'])
  // The name is kept for the endpoint while it is hidden
  await update('/proxies/shop:orders', { mcp: { as: 'tool' } })
  assert.deepEqual(await tools(), ['crm_list', 'list', 'order'])
  await update('/origins/crm', { active: false })
  assert.deepEqual(await tools(), ['list', 'order'])
  await update('/origins/crm', { active: true })
  assert.deepEqual(await tools(), ['crm_list', 'list', 'order'])
  assert.equal((await server.manage('POST', '/collections/shop/publish', { status: 'draft' })).status, 200)
  assert.deepEqual(await tools(), ['crm_list'])
  assert.equal((await server.manage('POST', '/collections/shop/publish', {})).status, 200)
  assert.deepEqual(await tools(), ['crm_list', 'list', 'order'])
})

test('a proxy without GET is neither a resource nor a prompt, and a collection with an origin is not deleted', async () => {
  for (const as of ['resource', 'prompt']) {
    const body = { collection: 'shop', name: as, methods: ['POST'], path: `/${as}`, mcp: { as } }
    const reply = await server.manage('POST', '/proxies', body)
    assert.equal(reply.status, 400, reply.text)
    assert.deepEqual(reply.json.errors, [
      { pointer: '/mcp/as', reason: 'needs kind http and the method GET' },
    ])
  }
  const deleted = await server.manage('DELETE', '/collections/crm?confirm=crm')
  assert.equal(deleted.json.code, 'in_use', deleted.text)
})
