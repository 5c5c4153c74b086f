/** Started by `counted-work.test.ts` with the flags and the module of `count-work.ts`: prints what a request of each kind costs. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { startTestServer } from '../scenarios/server.ts'
import { Caller } from '../wire/peers.ts'
import { askCounts, type WorkCounts } from './count-work.ts'

const WARM_UP = 100
const REQUESTS = 300
const BATCHES = 3
const BODY = JSON.stringify({ id: 7, note: 'x'.repeat(1000) })

const upstream = createServer((_, answer) => {
  answer.setHeader('content-type', 'application/json')
  answer.end(BODY)
})
upstream.listen(0, '127.0.0.1')
await once(upstream, 'listening')
const url = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`
const server = await startTestServer()
const make = async (path: string, body: object): Promise<Record<string, unknown>> => {
  const reply = await server.manage('POST', path, body)
  if (reply.status >= 300) throw new Error(`${path}: ${reply.text}`)
  return reply.json
}
for (const slug of ['plain', 'governed']) {
  const isGoverned = slug === 'governed'
  await make('/collections', {
    name: slug,
    slug,
    base_path: `/${slug}`,
    upstream: { targets: [{ url }] },
    ...(isGoverned ? { headers: [{ name: 'X-Tenant', value: 'acme' }] } : {}),
  })
  await make('/proxies', {
    collection: slug,
    name: 'Get order',
    methods: ['GET'],
    path: '/orders/{id}',
    status: 'published',
  })
  await make(`/collections/${slug}/publish`, {})
}
await make('/policies', {
  name: 'Gold',
  slug: 'gold',
  limits: [
    { name: 'rate', kind: 'rate', max: 1_000_000, window: '1s' },
    { name: 'quota', kind: 'quota', max: 100_000_000, window: '1d' },
  ],
})
await make('/clients', { name: 'Open', slug: 'open', collections: ['plain'] })
await make('/profiles', { client: 'open', name: 'Open', slug: 'open', auth: { type: 'none' } })
await make('/clients', { name: 'Acme', slug: 'acme', collections: ['governed'], policy: 'gold' })
const { token } = await make('/profiles', {
  client: 'acme',
  name: 'Live',
  slug: 'live',
  auth: { type: 'token' },
  ip_allowlist: ['127.0.0.0/8'],
})

const port = Number(new URL(server.running.gatewayUrl).port)
const call = JSON.stringify({
  jsonrpc: '2.0',
  id: 1,
  method: 'tools/call',
  params: {
    name: 'execute_call',
    arguments: { endpoint: 'GET /governed/orders/{id}', params: { path: { id: '7' } } },
    _meta: {
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
      'io.modelcontextprotocol/clientCapabilities': {},
    },
  },
})
const OPEN = 'x-client-id: open\r\nx-profile-id: open\r\n'
const TOKEN = `authorization: Bearer ${token}\r\n`
const MESSAGE =
  'content-type: application/json\r\naccept: application/json\r\nmcp-protocol-version: 2026-07-28\r\n' +
  `mcp-method: tools/call\r\nmcp-name: execute_call\r\ncontent-length: ${call.length}\r\n`
const REQUEST = {
  plain: `GET /plain/orders/7 HTTP/1.1\r\nhost: localhost\r\n${OPEN}\r\n`,
  governed: `GET /governed/orders/7 HTTP/1.1\r\nhost: localhost\r\n${TOKEN}\r\n`,
  execute_call: `POST /mcp HTTP/1.1\r\nhost: localhost\r\n${TOKEN}${MESSAGE}\r\n${call}`,
}
const costs: Record<string, WorkCounts> = {}
for (const [name, text] of Object.entries(REQUEST)) {
  const caller = new Caller(port)
  const ask = async (times: number): Promise<void> => {
    for (let count = 0; count < times; count++) {
      caller.received = ''
      await caller.ask(text, /^HTTP\/1\.1 200 [\s\S]*\}$/)
    }
  }
  await ask(WARM_UP)
  const batches: WorkCounts[] = []
  for (let batch = 0; batch < BATCHES; batch++) {
    const before = await askCounts('gateway-0')
    await ask(REQUESTS)
    const after = await askCounts('gateway-0')
    const each = (of: keyof WorkCounts): number => (after[of] - before[of]) / REQUESTS
    batches.push({ bytes: each('bytes'), promises: each('promises'), writes: each('writes') })
  }
  caller.socket.destroy()
  const least = (of: keyof WorkCounts): number => Math.min(...batches.map((one) => one[of]))
  costs[name] = { bytes: least('bytes'), promises: least('promises'), writes: least('writes') }
}
// That promises and writes are counted at all is seen by those of the start
console.log(JSON.stringify({ costs, all: await askCounts('gateway-0') }))
await server.stop()
upstream.closeAllConnections()
upstream.close()
