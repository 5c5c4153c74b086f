import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { RequestRecord } from '../../src/model/record.ts'
import { PEERS } from '../support/mcp-clients.ts'
import { type SdkServer, startSdkServer } from '../support/mcp-server.ts'
import { publishOrders, startTestServer, type TestServer } from './server.ts'
import { startUpstream, type TestUpstream } from './upstream.ts'

let server: TestServer
let upstream: TestUpstream
let sums: SdkServer

before(async () => {
  upstream = await startUpstream()
  sums = await startSdkServer()
  server = await startTestServer()
  const token = await publishOrders(server, upstream.url)
  const origin = await server.manage('POST', '/origins', { name: 'Sums', slug: 'sums', url: sums.url })
  assert.equal(origin.status, 201, origin.text)
  const desk = await server.manage('POST', '/virtual_mcps', {
    name: 'Desk',
    slug: 'desk',
    status: 'published',
    members: [{ origin: 'sums' }],
  })
  assert.equal(desk.status, 201, desk.text)
  const assigned = await server.manage('PATCH', '/clients/acme', { virtual_mcps: ['desk'] })
  assert.equal(assigned.status, 200, assigned.text)
  const peer = await PEERS['SDK v1']!(`${server.running.gatewayUrl}/mcp/desk`, {
    authorization: `Bearer ${token}`,
  })
  await peer.tools()
  await peer.call('add', { a: 19, b: 23 })
  await peer.close()
  await server.gateway('GET', '/orders/v1/orders/7', { token })
})
after(async () => {
  await server?.stop()
  await sums?.[Symbol.asyncDispose]()
  await upstream?.[Symbol.asyncDispose]()
})

async function found(query: string): Promise<readonly (RequestRecord & Record<string, unknown>)[]> {
  const answer = await server.manage('GET', `/records?order=oldest&${query}`)
  assert.equal(answer.status, 200, answer.text)
  return answer.json.items
}

test('a call at a virtual MCP is found by slugs, capability and method, and is shown with slugs and tokens', async () => {
  for (const query of [
    'virtual_mcp=desk&origin=sums',
    'capability=add',
    'surface=virtual_mcp&mcp_method=tools/call',
    'surface=agent&origin=sums',
  ]) {
    const items = await found(query)
    assert.deepEqual(
      items.map((one) => [one.mcp_method, one.capability, one['virtual_mcp_slug'], one['origin_slug']]),
      [['tools/call', 'add', 'desk', 'sums']],
      query,
    )
    const [call] = items
    assert.deepEqual([call?.collection, call?.proxy, call?.tool, call?.tokens_in], [null, null, null, 5])
    assert.ok(call?.tokens_out !== null && call!.tokens_out! > 0)
  }
})

test('all messages at a virtual MCP are of it, and none of a collection', async () => {
  const items = await found('virtual_mcp=desk')
  const methods = items.map(({ mcp_method }) => mcp_method)
  for (const method of ['initialize', 'tools/list', 'tools/call']) assert.ok(methods.includes(method), method)
  assert.deepEqual(new Set(items.map(({ surface }) => surface)), new Set(['virtual_mcp']))
  const ofCollection = await found('collection=orders')
  assert.deepEqual(new Set(ofCollection.map(({ surface }) => surface)), new Set(['gateway']))
  const list = items.find(({ mcp_method }) => mcp_method === 'tools/list')
  assert.ok(list?.tokens_out !== null && list!.tokens_out! > 10, JSON.stringify(list))
})

test('metrics are asked for by virtual MCP and by origin', async () => {
  const all = await server.manage('GET', '/metrics/overview?virtual_mcp=desk')
  const calls = await server.manage('GET', '/metrics/overview?origin=sums')
  const items = await found('virtual_mcp=desk')
  assert.equal(all.json.requests, items.length, all.text)
  assert.equal(all.json.from_agents, items.length)
  assert.equal(calls.json.requests, 1, calls.text)
})
