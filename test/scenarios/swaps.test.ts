import assert from 'node:assert/strict'
import { once as onceOf } from 'node:events'
import { createServer, get, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { publishOrders, startTestServer, type TestServer } from './server.ts'
import { echoes, once, openSocket, say } from './web-socket.ts'

const SWAPS = 200

/** What changes with each swap: words, what decides which connections are shared, limits, routes, who is let in. */
const CHANGES: readonly ((server: TestServer, swap: number) => Promise<{ readonly status: number }>)[] = [
  (server, swap) => server.manage('PATCH', '/collections/orders', { description: `change ${swap}` }),
  (server, swap) =>
    server.manage('PATCH', '/collections/orders', { upstream: { timeouts: { idle: `${swap + 60}s` } } }),
  (server, swap) =>
    server.manage('PATCH', '/policies/gold', {
      limits: [{ name: 'minute', kind: 'rate', max: 1000 + swap, window: '1m' }],
    }),
  (server, swap) =>
    server.manage('PUT', '/proxies/one-more', {
      collection: 'orders',
      name: 'One more',
      methods: ['GET'],
      path: `/v1/more/${swap}`,
      status: 'published',
    }),
  (server, swap) => server.manage('PATCH', '/clients/acme', { description: `change ${swap}` }),
]

/** The text of an answer as far as it has come. */
class Download {
  text = ''
  readonly answer: IncomingMessage
  readonly #pieces: AsyncIterator<Buffer>

  constructor(answer: IncomingMessage) {
    this.answer = answer
    this.#pieces = answer[Symbol.asyncIterator]()
  }

  async upTo(text: string): Promise<void> {
    while (!this.text.endsWith(text)) {
      const { value, done } = await this.#pieces.next()
      assert.ok(done !== true, `ended after ${this.text.slice(-100)}`)
      this.text += value.toString()
    }
  }

  async isOver(): Promise<boolean> {
    return (await this.#pieces.next()).done === true && this.answer.complete
  }
}

test('what streams while the configuration changes again and again comes whole, and no call fails', {
  timeout: 120_000,
}, async () => {
  const streams: ServerResponse[] = []
  const origin = createServer((request, response) => {
    if (!request.url!.startsWith('/v1/streams/')) response.end('ok')
    else {
      const type = request.url!.endsWith('events') ? 'text/event-stream' : 'application/octet-stream'
      response.writeHead(200, { 'content-type': type }).flushHeaders()
      streams.push(response)
    }
  })
  origin.on('upgrade', echoes).listen(0, '127.0.0.1')
  await onceOf(origin, 'listening')
  await using server = await startTestServer({ workers: 2 })
  const token = await publishOrders(server, `http://127.0.0.1:${(origin.address() as AddressInfo).port}`)
  const routes = {
    Streams: { path: '/v1/streams/{kind}' },
    Socket: { path: '/v1/socket', kind: 'websocket' },
  }
  for (const [name, members] of Object.entries(routes)) {
    const proxy = { collection: 'orders', name, methods: ['GET'], status: 'published', ...members }
    assert.equal((await server.manage('POST', '/proxies', proxy)).status, 201)
  }
  const orders = `${server.running.gatewayUrl}/orders/v1`
  const headers = { authorization: `Bearer ${token}` }
  const download = async (kind: string): Promise<Download> => {
    const [answer] = await onceOf(get(`${orders}/streams/${kind}`, { headers, agent: false }), 'response')
    return new Download(answer)
  }
  const events = await download('events')
  const file = await download('file')
  const socket = openSocket(`${orders}/socket`, headers)
  await once(socket, 'open')
  assert.equal(streams.length, 2)

  let sent = ''
  for (let swap = 0; swap < SWAPS; swap++) {
    const piece = `data: ${swap}\n\n`
    sent += piece
    const change = CHANGES[swap % CHANGES.length]!(server, swap)
    for (const stream of streams) stream.write(piece)
    const [{ status }, reply, said] = await Promise.all([
      change,
      server.gateway('GET', '/orders/v1/orders/7', { token }),
      say(socket, `after ${swap}`),
      events.upTo(piece),
      file.upTo(piece),
    ])
    assert.ok(status === 200 || status === 201, `change ${swap}: ${status}`)
    assert.deepEqual([reply.status, reply.text], [200, 'ok'])
    assert.equal(said, `after ${swap}`)
  }
  for (const stream of streams) stream.end()
  assert.deepEqual([await events.isOver(), await file.isOver()], [true, true])
  assert.deepEqual([events.text, file.text], [sent, sent])
  const closed = once(socket, 'close')
  socket.close()
  assert.ok(((await closed) as CloseEvent).wasClean)
  origin.closeAllConnections()
  origin.close()
})
