import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { after, before, beforeEach, test } from 'node:test'
import { eventually } from '../support/eventually.ts'
import { client, collection, proxy, upstream } from './fragments.ts'
import { type Served, serve } from './serve.ts'

/** Longer than the test waits for anything, so that no second trial decides. */
const OPEN_MS = 60_000
/** More than the buffers of all sockets on the way. */
const LARGE = Buffer.alloc(32 * 1024 * 1024)

let status = 503
let begun = 0
const origin: Server = createServer((incoming, response) => {
  begun++
  incoming.resume()
  incoming.on('end', () => {
    response.writeHead(status)
    response.end(incoming.url!.endsWith('/large') ? LARGE : 'answer')
  })
})
let served: Served
const sockets: Socket[] = []

before(async () => {
  origin.listen(0, '127.0.0.1')
  await once(origin, 'listening')
  const { port } = origin.address() as AddressInfo
  served = await serve(() => [
    collection('orders', {
      upstream: upstream(port, {
        rules: {
          balance: 'round_robin',
          hash_key: 'client',
          retries: 0,
          eject_after: 0,
          eject_ms: 0,
          active: null,
          breaker: { errors_percent: 1, requests: 1, window_ms: 10_000, open_ms: OPEN_MS },
        },
        // The clock is moved while slow callers hold their requests
        first_byte_ms: 600_000,
        idle_ms: 600_000,
      }),
      proxies: [proxy('all', '/*', { methods: ['GET', 'POST'] })],
    }),
    client('acme', { collections: ['col_orders'] }),
  ])
})
after(async () => {
  for (const socket of sockets) socket.destroy()
  await served.close()
  origin.closeAllConnections()
  origin.close()
})

/** The breaker is open, its time is over, and the upstream is well again. */
beforeEach(async () => {
  status = 503
  assert.equal((await ask()).status, 503)
  const before = begun
  assert.equal((await ask()).json['code'], 'upstream_unavailable')
  assert.equal(begun, before)
  status = 200
  served.moveClock(OPEN_MS)
})

function ask(method = 'GET', body?: string) {
  const headers = { 'x-client-id': 'acme' }
  return served.ask('/orders/any', { method, headers, ...(body === undefined ? {} : { body }) })
}

/** Sends a request from a socket that is not read; resolves when the upstream has it. */
async function hold(head: string): Promise<void> {
  const before = begun
  const socket = connect(served.port, '127.0.0.1')
  sockets.push(socket)
  socket.pause()
  socket.on('error', () => {})
  socket.write(`${head}\r\nHost: gateway.test\r\nX-Client-ID: acme\r\n`)
  socket.write(head.startsWith('POST') ? 'Content-Length: 1000\r\n\r\nx' : '\r\n')
  await eventually(
    () => begun > before,
    () => 'the request at the upstream',
  )
}

test('a caller that does not read its answer keeps the breaker open for no one else', async () => {
  await hold('GET /orders/large HTTP/1.1')
  // Only the answer to the held request can have closed the breaker: it is not open for long enough for another trial
  await eventually(
    async () => (await ask()).status === 200,
    () => 'an answer to another caller',
  )
})

test('a caller that does not send its body keeps requests without a body waiting for no time', async () => {
  await hold('POST /orders/slow HTTP/1.1')
  assert.equal((await ask()).status, 200)
  assert.equal((await ask('POST', 'order')).status, 200)
})

test('a caller that does not send its body keeps requests with a body waiting for a second', async () => {
  await hold('POST /orders/slow HTTP/1.1')
  assert.equal((await ask('POST', 'order')).json['code'], 'upstream_unavailable')
  served.moveClock(1000)
  assert.equal((await ask('POST', 'order')).status, 200)
  assert.equal((await ask('POST', 'order')).status, 200)
})
