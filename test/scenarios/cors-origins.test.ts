import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Orders, startOrders } from './orders.ts'
import { call, type Reply, startTestServer, type TestServer } from './server.ts'

const ACCEPT = 'application/json, text/event-stream'
const INITIALIZE = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'page', version: '1' } },
}
const APP = 'https://app.example.com'
const LOCAL_TOOL = 'http://localhost:6274'

let orders: Orders
let listed: TestServer

before(async () => {
  orders = await startOrders()
  listed = await startTestServer({ flags: ['--cors-origins', `${APP},http://other.example:3000`] })
})
after(async () => {
  await listed.stop()
  await orders.stop()
})

function preflight(base: string, path: string, origin: string): Promise<Reply> {
  const headers = {
    origin,
    'access-control-request-method': 'POST',
    'access-control-request-headers': 'authorization,content-type,mcp-session-id,mcp-method',
  }
  return call('OPTIONS', base + path, { headers })
}

function post(base: string, path: string, origin: string, token?: string): Promise<Reply> {
  return call('POST', base + path, { headers: { origin, accept: ACCEPT }, token, body: INITIALIZE })
}

function assertReadable(reply: Reply, origin: string): void {
  assert.equal(reply.headers.get('access-control-allow-origin'), origin)
  assert.match(String(reply.headers.get('vary')), /\bOrigin\b/)
  assert.equal(reply.headers.get('access-control-allow-credentials'), null)
  const exposed = String(reply.headers.get('access-control-expose-headers')).split(', ')
  for (const name of ['WWW-Authenticate', 'Mcp-Session-Id']) assert.ok(exposed.includes(name), name)
}

function assertClosed(reply: Reply): void {
  assert.equal(reply.status, 403, reply.text)
  assert.equal(reply.headers.get('access-control-allow-origin'), null)
}

test('by default a page of the loopback may call /mcp, from the preflight to the session', async () => {
  const { gatewayUrl } = orders.server.running
  const asked = await preflight(gatewayUrl, '/mcp', LOCAL_TOOL)
  assert.equal(asked.status, 204)
  assert.equal(asked.headers.get('access-control-allow-origin'), LOCAL_TOOL)
  assert.equal(asked.headers.get('access-control-allow-credentials'), null)
  assert.match(String(asked.headers.get('access-control-allow-methods')), /POST.*DELETE/)
  assert.match(
    String(asked.headers.get('access-control-allow-headers')),
    /^Authorization, Content-Type, .*Mcp-Session-Id.*\*$/,
  )

  const challenged = await post(gatewayUrl, '/mcp', LOCAL_TOOL)
  assert.equal(challenged.status, 401)
  assert.ok(challenged.headers.get('www-authenticate'))
  assertReadable(challenged, LOCAL_TOOL)
  const begun = await post(gatewayUrl, '/mcp', LOCAL_TOOL, orders.token)
  assert.equal(begun.status, 200, begun.text)
  assert.ok(begun.headers.get('mcp-session-id'))
  assertReadable(begun, LOCAL_TOOL)
})

test('by default no foreign page may call management, not one of the loopback either; our own may', async () => {
  const { server } = orders
  const { gatewayUrl, controlUrl } = server.running
  for (const base of [gatewayUrl, controlUrl])
    for (const path of ['/management/mcp', '/api/v1/mcp', '/management/v1/collections']) {
      for (const origin of [LOCAL_TOOL, APP, 'null']) {
        assertClosed(await preflight(base, path, origin))
        assertClosed(await post(base, path, origin, server.adminToken))
      }
      const own = await preflight(base, path, gatewayUrl)
      assert.deepEqual([own.status, own.headers.get('access-control-allow-origin')], [204, gatewayUrl], path)
      assert.notEqual((await post(base, path, controlUrl, server.adminToken)).status, 403, path)
    }
  assertClosed(await preflight(gatewayUrl, '/mcp', APP))
  assertClosed(await post(gatewayUrl, '/mcp', 'null', orders.token))
})

test('the list is the one that the Origin check and CORS go by, on every endpoint; the loopback is in it or out', async () => {
  const { gatewayUrl, controlUrl } = listed.running
  const token = listed.adminToken
  for (const [base, path] of [
    [gatewayUrl, '/mcp'],
    [gatewayUrl, '/management/mcp'],
    [controlUrl, '/management/mcp'],
    [controlUrl, '/management/v1/collections'],
  ] as const) {
    const asked = await preflight(base, path, APP)
    assert.deepEqual([asked.status, asked.headers.get('access-control-allow-origin')], [204, APP], path)
    const refused = await post(base, path, APP)
    assert.equal(refused.status, 401, path)
    assertReadable(refused, APP)
    for (const origin of [LOCAL_TOOL, 'https://evil.example', 'https://x.app.example.com', 'null']) {
      assertClosed(await preflight(base, path, origin))
      assertClosed(await post(base, path, origin, token))
    }
  }
  const read = await listed.manage('GET', '/collections', undefined, { headers: { origin: APP } })
  assert.equal(read.status, 200)
  assertReadable(read, APP)
  const begun = await post(controlUrl, '/management/mcp', APP, token)
  assert.equal(begun.status, 200, begun.text)
  assert.ok(begun.headers.get('mcp-session-id'))
  assertReadable(begun, APP)
  // Whoever sends no Origin is no page
  const program = await listed.manage('GET', '/collections')
  assert.equal(program.status, 200)
  assert.equal(program.headers.get('access-control-allow-origin'), null)
})
