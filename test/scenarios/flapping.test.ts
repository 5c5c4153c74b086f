import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { Socket } from 'node:net'
import { after, before, test } from 'node:test'
import { ownPort } from '../support/ports.ts'
import { type Orders, startOrders } from './orders.ts'

const WORKERS = 4
/** Second sendings that a gateway thread may make in a row. */
const IN_A_ROW = 10

let orders: Orders

before(async () => {
  orders = await startOrders({ workers: WORKERS })
  const unlimited = await orders.server.manage('PATCH', '/policies/gold', { active: false })
  assert.equal(unlimited.status, 200, unlimited.text)
})
after(() => orders.stop())

/** So many times, eight at once. */
async function all<T>(count: number, ask: (index: number) => Promise<T>): Promise<T[]> {
  const answers: T[] = []
  while (answers.length < count) {
    const size = Math.min(8, count - answers.length)
    answers.push(...(await Promise.all(Array.from({ length: size }, (_, i) => ask(answers.length + i)))))
  }
  return answers
}

/** By REST and by an agent in turn. Gives the status. */
async function getOrder(index: number): Promise<number> {
  const { ask, executeCall } = orders
  return index % 2 === 0
    ? (await ask('GET', '/v1/orders/7')).status
    : Number((await executeCall({ endpoint: 'GET /orders/v1/orders/7' })).status)
}

test('a backend that drops its connections gets at most a fifth more requests than callers send, and ten of each of four threads', async () => {
  const { server, upstream, ask } = orders
  const upstreamOf = { targets: [{ url: upstream.url }], breaker: null }
  const changed = await server.manage('PATCH', '/collections/orders', { upstream: upstreamOf })
  assert.equal(changed.status, 200, changed.text)
  const { answer } = upstream
  const used = new WeakSet<Socket>()
  upstream.answer = (seen, response) => {
    const socket = response.socket!
    if (used.has(socket)) socket.resetAndDestroy()
    else answer(seen, response)
    used.add(socket)
  }
  const sent = 600
  const statuses = await all(sent, getOrder)
  const received = upstream.seen.length
  assert.ok(received <= sent * 1.2 + WORKERS * IN_A_ROW, `${received} received, ${sent} sent`)
  assert.deepEqual(
    statuses.filter((status) => status !== 200),
    [],
    'every call is answered',
  )
  upstream.answer = answer
  const before = upstream.seen.length
  for (const { status } of await all(40, () => ask('GET', '/v1/orders/7'))) assert.equal(status, 200)
  assert.equal(upstream.seen.length - before, 40)
})

test('of the calls while one of two servers comes and goes at most one in a thousand fails', async () => {
  const { server, upstream } = orders
  const port = await ownPort()
  // A clock that is moved must not end what connects
  const upstreamOf = {
    targets: [{ url: upstream.url }, { url: `http://127.0.0.1:${port}` }],
    timeouts: { connect: '1m' },
    health: { passive: { failures: 5, eject: '1s' } },
  }
  const changed = await server.manage('PATCH', '/collections/orders', { upstream: upstreamOf })
  assert.equal(changed.status, 200, changed.text)
  const statuses: number[] = []
  let received = 0
  for (let flaps = 0; flaps < 5; flaps++) {
    const flapping = createServer((_, response) => {
      received++
      response.end('{}')
    }).listen(port, '127.0.0.1')
    await once(flapping, 'listening')
    // Whoever was left alone is asked again
    server.moveClock(1100)
    statuses.push(...(await all(100, getOrder)))
    flapping.close()
    flapping.closeAllConnections()
    await once(flapping, 'close')
    statuses.push(...(await all(100, getOrder)))
  }
  const failed = statuses.filter((status) => status !== 200)
  assert.ok(failed.length <= statuses.length / 1000, `${failed.length} of ${statuses.length}: ${failed}`)
  assert.ok(received > 50, `${received} received by the one that flaps`)
})

test('the breaker counts the failures of all routes of an upstream, and each of four threads lets no more through', async () => {
  await using others = await startOrders({ workers: WORKERS })
  const { server, upstream, ask, addProxy } = others
  const breaker = { errors: 50, requests: 20, window: '1h', open: '1h' }
  const upstreamOf = { targets: [{ url: upstream.url }], breaker }
  const changed = await server.manage('PATCH', '/collections/orders', { upstream: upstreamOf })
  assert.equal(changed.status, 200, changed.text)
  const made = await addProxy('Never asked', { methods: ['GET'], path: '/v1/never' })
  assert.equal(made.status, 201, made.text)
  upstream.answer = (_seen, response) => void response.writeHead(504).end()
  const sent = 300
  const replies = []
  for (let i = 0; i < sent; i++) {
    const headers = { connection: 'close' }
    replies.push(
      i % 2 === 0
        ? await ask('GET', '/v1/orders/7', undefined, headers)
        : await ask('POST', '/v1/orders', {}, headers),
    )
  }
  const refused = replies.filter(({ json }) => json?.code === 'upstream_unavailable')
  const { length: received } = upstream.seen
  assert.equal(refused.length + received, sent)
  assert.equal(received, WORKERS * breaker.requests)
  for (const reply of await all(24, () => ask('GET', '/v1/never', undefined, { connection: 'close' })))
    assert.deepEqual([reply.status, reply.json.code], [503, 'upstream_unavailable'])
  assert.equal(upstream.seen.length, received)
})
