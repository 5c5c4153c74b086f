/** The id of a request is its client's: an integer that no double holds comes back with the digits that it was sent with. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type RecordingOrigin, startRecordingOrigin } from '../mcp/recording-origin.ts'
import { eventually } from '../support/eventually.ts'
import { type Orders, startOrders } from './orders.ts'
import { call, type Reply } from './server.ts'

const ERAS = ['modern', 'legacy'] as const
type Era = (typeof ERAS)[number]
const VERSIONS = { modern: '2026-07-28', legacy: '2025-11-25' }
const META = {
  'io.modelcontextprotocol/protocolVersion': VERSIONS.modern,
  'io.modelcontextprotocol/clientInfo': { name: 'raw', version: '0' },
  'io.modelcontextprotocol/clientCapabilities': {},
}
/** The first is a double with those digits. */
const IDS = ['9007199254740992', '9007199254740993', '-12345678901234567890', '9'.repeat(256)]

let orders: Orders
let origin: RecordingOrigin
let endpoints: Readonly<Record<string, { url: string; token: string; tool: string; arguments: object }>>

before(async () => {
  orders = await startOrders()
  origin = await startRecordingOrigin('modern', {
    tools: [{ name: 'open', inputSchema: { type: 'object' } }],
  })
  const { server, token } = orders
  const made = async (path: string, body: object): Promise<Reply> => {
    const reply = await server.manage('POST', path, body)
    assert.equal(reply.status, 201, reply.text)
    return reply
  }
  await made('/origins', { name: 'one', url: origin.url })
  await made('/virtual_mcps', { name: 'desk', members: [{ origin: 'one' }], status: 'published' })
  await made('/clients', { name: 'agents', virtual_mcps: ['desk'] })
  const profile = await made('/profiles', { client: 'agents', name: 'key', auth: { type: 'token' } })
  const endpoint = { endpoint: 'GET /orders/v1/orders/7' }
  const { gatewayUrl, controlUrl } = server.running
  endpoints = {
    '/mcp': { url: `${gatewayUrl}/mcp`, token, tool: 'execute_call', arguments: endpoint },
    '/mcp/{slug}': { url: `${gatewayUrl}/mcp/desk`, token: profile.json.token, tool: 'open', arguments: {} },
    '/management/mcp': {
      url: `${controlUrl}/management/mcp`,
      token: server.adminToken,
      tool: 'manage_collections',
      arguments: { action: 'list' },
    },
  }
})
after(async () => {
  await orders.stop()
  await origin[Symbol.asyncDispose]()
})

/** Posts the text of a request. */
function post(
  { url, token }: { url: string; token: string },
  era: Era,
  id: string,
  method: string,
  params: Readonly<Record<string, unknown>>,
  fields: Readonly<Record<string, string>> = {},
): Promise<Reply> {
  const isModern = era === 'modern'
  const { name } = params
  const sent = isModern ? { ...params, _meta: META } : params
  const headers = {
    accept: 'application/json, text/event-stream',
    'mcp-protocol-version': VERSIONS[era],
    ...(isModern ? { 'mcp-method': method, ...(typeof name === 'string' ? { 'mcp-name': name } : {}) } : {}),
    ...fields,
  }
  const body = `{"jsonrpc":"2.0","method":"${method}","params":${JSON.stringify(sent)},"id": ${id}}`
  return call('POST', url, { token, headers, body })
}

/** Texts of the ids of all that was answered, subscriptions included. */
function idsIn(text: string): string[] {
  return [...text.matchAll(/"(?:id|io\.modelcontextprotocol\/subscriptionId)":(-?\d+)/g)].map(([, id]) => id!)
}

for (const path of ['/mcp', '/mcp/{slug}', '/management/mcp'])
  for (const era of ERAS)
    test(`${path} answers results and errors with the digits of the id: ${era}`, async () => {
      const at = endpoints[path]!
      for (const id of IDS) {
        const right = { name: at.tool, arguments: at.arguments }
        const asked: readonly (readonly [string, Readonly<Record<string, unknown>>, object?])[] = [
          ['tools/list', {}],
          ['tools/call', right],
          ['tools/call', { ...right, more: 'x'.repeat(200_000) }],
          ['tools/call', { name: 'unknown' }],
          ['no/method', {}],
          // Another spelling of a declared member
          ['tools/call', { Name: at.tool }],
          ['tools/list', {}, { 'mcp-protocol-version': '2099-01-01' }],
          ['tools/call', { name: 7 }],
        ]
        for (const [method, params, fields] of asked) {
          const { text } = await post(at, era, id, method, params, fields as Record<string, string>)
          const shown = text.slice(0, 400)
          const outer = /"id":\s*(-?\d+)[,}]/.exec(text.replaceAll(/"result":.*/gs, ''))?.[1]
          assert.equal(outer, id, `${method} ${JSON.stringify(params).slice(0, 60)}: ${shown}`)
        }
      }
    })

test('what is no integer, or longer than 256 characters, is no id', async () => {
  for (const id of ['1e400', '12345678901234567890.5', '1'.repeat(257), '1e30', 'null', '[1]']) {
    const { status, json } = await post(endpoints['/mcp/{slug}']!, 'modern', id, 'tools/list', {})
    assert.deepEqual([status, json.error.code, json.id], [400, -32600, undefined], id)
  }
})

test('messages of a subscription name it with the digits of its id', async () => {
  const { url, token } = endpoints['/mcp/{slug}']!
  for (const id of IDS) {
    const leaving = new AbortController()
    const response = await fetch(url, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${token}`,
        accept: 'text/event-stream, application/json',
        'content-type': 'application/json',
        'mcp-protocol-version': VERSIONS.modern,
        'mcp-method': 'subscriptions/listen',
      },
      body: `{"jsonrpc":"2.0","id":${id},"method":"subscriptions/listen","params":${JSON.stringify({
        notifications: { toolsListChanged: true },
        _meta: META,
      })}}`,
      signal: leaving.signal,
    })
    const { value } = await response.body!.getReader().read()
    assert.deepEqual(idsIn(Buffer.from(value!).toString()), [id])
    leaving.abort()
  }
})

test('a call is taken back by its id with all digits, and no other call is', async () => {
  const { url, token } = endpoints['/mcp']!
  const at = { url, token }
  const opened = await post(at, 'legacy', '1', 'initialize', {
    protocolVersion: VERSIONS.legacy,
    capabilities: {},
    clientInfo: { name: 'x', version: '1' },
  })
  const session = { 'mcp-session-id': opened.headers.get('mcp-session-id')! }
  const open = new Map<string, { end(text: string): unknown }>()
  const { upstream } = orders
  const { answer } = upstream
  upstream.answer = (seen, response) => {
    open.set(seen.url, response)
    response.on('close', () => open.delete(seen.url))
  }
  // As doubles the two are one
  const ids = ['9007199254740993', '9007199254740992']
  const calls = ids.map((id) =>
    post(
      at,
      'legacy',
      id,
      'tools/call',
      { name: 'execute_call', arguments: { endpoint: `GET /orders/v1/orders/${id}` } },
      session,
    ),
  )
  await eventually(() => open.size === 2)
  const body = `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":${ids[0]}}}`
  await call('POST', url, { token, headers: { accept: 'application/json', ...session }, body })
  await eventually(() => open.size === 1)
  open.get(`/v1/orders/${ids[1]}`)!.end('{}')
  assert.equal((await calls[0]!).text, '')
  assert.deepEqual(idsIn((await calls[1]!).text).slice(0, 1), [ids[1]])
  upstream.answer = answer
})
