import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { after, before, test } from 'node:test'
import { CERTIFICATE, PRIVATE_KEY } from '../wire/certificate.ts'
import { call, publishOrders, type Reply, startTestServer, type TestServer, until } from './server.ts'
import { echoes, once, openSocket, say } from './web-socket.ts'

let origin: Server
let server: TestServer
let token = ''
const sockets: Duplex[] = []

function upgraded(request: IncomingMessage, socket: Duplex, head: Buffer): void {
  sockets.push(socket)
  echoes(request, socket, head)
}

before(async () => {
  origin = createServer((_request, response) => response.end('plain'))
  origin.on('upgrade', upgraded)
  await new Promise<void>((done) => origin.listen(0, '127.0.0.1', done))
  server = await startTestServer()
  token = await publishOrders(server, `http://127.0.0.1:${(origin.address() as AddressInfo).port}`)
  const page = readFileSync(new URL('../../docs/websocket.md', import.meta.url), 'utf8')
  const example = /```http\nPOST [^\n]*\n\n([\s\S]*?)```/.exec(page)![1]!
  const made = await server.manage('POST', '/proxies', JSON.parse(example))
  assert.equal(made.status, 201, made.text)
})

after(async () => {
  await server.stop()
  origin.closeAllConnections()
  for (const socket of sockets) socket.destroy()
  origin.close()
})

const open = (path: string, headers: Record<string, string>): WebSocket =>
  openSocket(`${server.running.gatewayUrl}${path}`, headers)

test('a WebSocket passes the checks, outlives changes, and is recorded when it closes', async () => {
  const socket = open('/orders/v1/live', { authorization: `Bearer ${token}` })
  await once(socket, 'open')
  assert.equal(await say(socket, 'one'), 'one')
  // The configuration changes below it
  for (let i = 0; i < 3; i++) {
    const changed = await server.manage('PATCH', '/collections/orders', { description: `change ${i}` })
    assert.equal(changed.status, 200, changed.text)
    assert.equal(await say(socket, `after ${i}`), `after ${i}`)
  }
  const closed = once(socket, 'close')
  socket.close()
  await closed
  const list = await until(
    () => server.manage('GET', '/records?limit=10'),
    ({ json }) => json.items.some(({ status }: { status: number }) => status === 101),
  )
  const record = list.json.items.find(({ status }: { status: number }) => status === 101)
  assert.ok(record.bytes_in > 0 && record.bytes_out > 0, JSON.stringify(record))
  assert.equal(record.path, '/orders/v1/live')
})

test('without a credential no WebSocket opens, and other endpoints open none', async () => {
  const before = sockets.length
  await once(open('/orders/v1/live', {}), 'error')
  await once(open('/orders/v1/orders/1', { authorization: `Bearer ${token}` }), 'error')
  assert.equal(sockets.length, before)
})

test('an open WebSocket keeps its place in a limit until it closes', async () => {
  const made = async (resource: string, body: object) => {
    const reply = await server.manage('POST', `/${resource}`, body)
    assert.equal(reply.status, 201, reply.text)
    return reply.json
  }
  await made('policies', { name: 'One', limits: [{ name: 'one', kind: 'concurrency', max: 1 }] })
  await made('clients', { name: 'Narrow', collections: ['orders'], policy: 'one' })
  const profile = await made('profiles', { client: 'narrow', name: 'Main', auth: { type: 'token' } })
  const headers = { authorization: `Bearer ${profile.token}` }
  const socket = open('/orders/v1/live', headers)
  await once(socket, 'open')
  await once(open('/orders/v1/live', headers), 'error')
  const refused = await server.gateway('GET', '/orders/v1/orders/1', { token: profile.token })
  assert.deepEqual([refused.status, refused.json.code], [429, 'concurrency_exceeded'])
  const closed = once(socket, 'close')
  socket.close()
  await closed
  await until(
    () => server.gateway('GET', '/orders/v1/orders/1', { token: profile.token }),
    ({ status }) => status === 200,
  )
})

test('a request without the offer is told to upgrade', async () => {
  const answer = await server.gateway('GET', '/orders/v1/live', { token })
  assert.deepEqual([answer.status, answer.json.code], [426, 'upgrade_required'])
})

test('agents are shown no endpoint that only opens tunnels', async () => {
  const message = {
    jsonrpc: '2.0',
    id: 1,
    method: 'tools/call',
    params: { name: 'list_endpoints', arguments: {} },
  }
  const answer = await call('POST', `${server.running.gatewayUrl}/mcp`, {
    token,
    headers: { accept: 'application/json, text/event-stream', 'mcp-protocol-version': '2025-06-18' },
    body: message,
  })
  assert.equal(answer.status, 200, answer.text)
  assert.match(answer.text, /\/orders\/v1\/orders\/\{id\}/)
  assert.doesNotMatch(answer.text, /\/orders\/v1\/live/)
})

test('a proxy of kind websocket with steps that need bodies is refused', async () => {
  const reply = await server.manage('POST', '/proxies', {
    collection: 'orders',
    name: 'Wrong',
    methods: ['GET', 'POST'],
    path: '/v1/wrong',
    kind: 'websocket',
    cache: { ttl: '1m' },
  })
  assert.equal(reply.status, 422)
  const pointers = reply.json.errors.map(({ pointer }: { pointer: string }) => pointer)
  assert.ok(pointers.includes('/methods') && pointers.includes('/kind'), reply.text)
})

test('a WebSocket under a guardrail opens only if its failure_mode lets contents pass that nothing can look at', async () => {
  const made = await server.manage('POST', '/guardrails', {
    name: 'Cards',
    scope: { collections: ['orders'] },
    legs: ['response'],
    detector: { type: 'pii', kinds: ['card'] },
    action: 'block',
  })
  assert.equal(made.status, 201, made.text)
  assert.equal(made.json.warnings[0].pointer, '/scope')
  assert.match(made.json.warnings[0].reason, /^WebSockets of the proxy "live" are refused/)
  const proxies = await server.manage('GET', '/proxies?collection=orders&limit=50')
  const { id } = proxies.json.items.find(({ kind }: { kind: string }) => kind === 'websocket')
  const saved = await server.manage('PATCH', `/proxies/${id}`, { description: 'live' })
  assert.match(saved.json.warnings[0].reason, /refused, because these guardrails.*"cards"/)
  const change = (members: object): Promise<Reply> => server.manage('PATCH', '/guardrails/cards', members)
  const opens = async (query = ''): Promise<boolean> => {
    const socket = open(`/orders/v1/live${query}`, { authorization: `Bearer ${token}` })
    const isOpen = await Promise.race([
      once(socket, 'open').then(() => true),
      once(socket, 'error').then(() => false),
    ])
    if (isOpen) assert.equal(await say(socket, '4111 1111 1111 1111'), '4111 1111 1111 1111')
    socket.close()
    return isOpen
  }
  const refused = async () => {
    const list = await until(
      () => server.manage('GET', '/records?limit=10&code=guardrail_blocked'),
      ({ json }) => json.items.length > 0,
    )
    return list.json.items[0]
  }
  assert.equal(await opens(), false)
  const { check, reason } = await refused()
  assert.deepEqual([check, reason], ['guardrails', 'guardrail cards: WebSocket messages are not checked'])
  assert.equal((await change({ failure_mode: 'pass' })).json.warnings, undefined)
  assert.equal(await opens(), true)
  await change({ failure_mode: 'block', mode: 'observe' })
  assert.equal(await opens(), true)
  // The query of the request that opens it is looked at
  await change({ legs: ['request'], failure_mode: 'pass', mode: 'enforce' })
  assert.deepEqual([await opens('?a=1'), await opens('?card=4111111111111111')], [true, false])
  const gone = await server.manage('DELETE', '/guardrails/cards', { confirm: 'cards' })
  assert.equal(gone.status, 200, gone.text)
})

test('a WebSocket passes to an upstream over TLS', async () => {
  const secure = createTlsServer({ cert: CERTIFICATE, key: PRIVATE_KEY }).on('upgrade', upgraded)
  await new Promise<void>((done) => secure.listen(0, '127.0.0.1', done))
  const url = `https://127.0.0.1:${(secure.address() as AddressInfo).port}`
  const changed = await server.manage('PATCH', '/collections/orders', {
    upstream: { targets: [{ url }], tls: { ca: CERTIFICATE } },
  })
  assert.equal(changed.status, 200, changed.text)
  const socket = open('/orders/v1/live', { authorization: `Bearer ${token}` })
  await once(socket, 'open')
  assert.equal(await say(socket, 'over TLS'), 'over TLS')
  const closed = once(socket, 'close')
  socket.close()
  await closed
  secure.close()
})
