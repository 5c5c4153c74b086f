import assert from 'node:assert/strict'
import { once } from 'node:events'
import { get, type IncomingMessage, type ServerResponse } from 'node:http'
import { test } from 'node:test'
import { eventually } from '../support/eventually.ts'
import { skip, stalled } from '../wire/stalled.ts'
import { type Orders, startOrders } from './orders.ts'

/** The timeouts of the upstream, and those of the route /v1/orders/{id} in their place. */
async function withTimeouts(orders: Orders, upstream: object, route: object): Promise<void> {
  const { server } = orders
  for (const [path, change] of [
    ['/collections/orders', { upstream: { breaker: null, ...upstream } }],
    ['/proxies/get-order', { timeouts: route }],
  ] as const) {
    const reply = await server.manage('PATCH', path, change)
    assert.equal(reply.status, 200, reply.text)
  }
  const other = await orders.addProxy('Patient', { methods: ['GET'], path: '/v1/patient' })
  assert.equal(other.status, 201, other.text)
}

test('a route has its own time for a connection, and agents too get the code of what was late', {
  skip,
}, async (t) => {
  const { port, asking, letGo } = await stalled(t)
  await using orders = await startOrders()
  const targets = [{ url: `http://127.0.0.1:${port}` }]
  await withTimeouts(orders, { targets, timeouts: { connect: '1h' } }, { connect: '10s' })
  const hasty = orders.ask('GET', '/v1/orders/7')
  const agent = orders.executeCall({ endpoint: 'GET /orders/v1/orders/7' })
  const patient = orders.ask('GET', '/v1/patient')
  await eventually(() => asking() === 3)
  orders.server.moveClock(60_000)
  const late = await hasty
  assert.deepEqual([late.status, late.json.code], [504, 'upstream_timeout'])
  assert.equal((await agent).code, 'upstream_timeout')
  const { reason } = await orders.record(late.headers.get('x-request-id')!)
  assert.equal(reason, 'connect')
  letGo()
  assert.equal((await patient).status, 200)
})

test('a route has its own time for the first byte', async () => {
  await using orders = await startOrders()
  const { server, upstream } = orders
  const targets = [{ url: upstream.url }]
  await withTimeouts(orders, { targets, timeouts: { first_byte: '1h' } }, { first_byte: '10s' })
  const waiting: ServerResponse[] = []
  upstream.answer = (_seen, response) => void waiting.push(response)
  const hasty = orders.ask('GET', '/v1/orders/7')
  const agent = orders.executeCall({ endpoint: 'GET /orders/v1/orders/7' })
  const patient = orders.ask('GET', '/v1/patient')
  await eventually(() => waiting.length === 3)
  server.moveClock(60_000)
  const late = await hasty
  assert.deepEqual([late.status, late.json.code], [504, 'upstream_timeout'])
  assert.equal((await agent).code, 'upstream_timeout')
  const { reason } = await orders.record(late.headers.get('x-request-id')!)
  assert.equal(reason, 'first byte')
  for (const response of waiting) response.end('ok')
  assert.equal((await patient).text, 'ok')
})

test('a route has its own time between two pieces of an answer, and one that breaks off is recorded as such', async () => {
  await using orders = await startOrders()
  const { server, upstream, token } = orders
  const targets = [{ url: upstream.url }]
  await withTimeouts(orders, { targets, timeouts: { idle: '1h' } }, { idle: '10s' })
  const waiting: ServerResponse[] = []
  upstream.answer = (_seen, response) => {
    response.write('half')
    waiting.push(response)
  }
  const begun = async (path: string): Promise<IncomingMessage> => {
    const url = `${server.running.gatewayUrl}/orders${path}`
    const asked = get(url, { headers: { authorization: `Bearer ${token}` }, agent: false })
    const [answer] = (await once(asked, 'response')) as [IncomingMessage]
    await once(answer, 'data')
    return answer
  }
  const hasty = await begun('/v1/orders/7')
  const patient = await begun('/v1/patient')
  const agent = orders.executeCall({ endpoint: 'GET /orders/v1/orders/7' })
  await eventually(() => waiting.length === 3)
  const brokenOff = once(hasty, 'error')
  server.moveClock(60_000)
  await brokenOff
  assert.equal((await agent).code, 'upstream_timeout')
  const record = await orders.record(String(hasty.headers['x-request-id']))
  assert.deepEqual(
    [record.status, record.code, record.reason, record.aborted],
    [200, 'upstream_invalid_response', 'the answer broke off', false],
  )
  for (const response of waiting) response.end()
  await once(patient.resume(), 'end')
  assert.equal((await orders.record(String(patient.headers['x-request-id']))).code, null)
})
