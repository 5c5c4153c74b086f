import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { after, before, test } from 'node:test'
import { z } from 'zod'
import { readDocument } from '../../src/import/descriptions.ts'
import { toCollection } from '../../src/import/openapi/collection.ts'
import { boundedSchema } from '../../src/snapshot/schema/bounded.ts'
import { createOrdersService, type OrdersService } from './service.ts'

let service: OrdersService
before(async () => {
  service = await createOrdersService()
})
after(() => service.close())

const text = readFileSync(resolve(import.meta.dirname, 'openapi.yaml'), 'utf8')
const described = (upstream: string) =>
  toCollection(readDocument(text, { bytesMax: 1e6 }), { base_path: '/shop', upstream })

const post = (body: unknown, headers: Record<string, string> = {}): RequestInit => ({
  method: 'POST',
  headers: { 'content-type': 'application/json', ...headers },
  body: JSON.stringify(body),
})
const newOrder = { customer: 'ada', items: [{ sku: 'SKU-1', quantity: 2, unit_price: 1250 }] }

test('the description imports without a warning, with the path of its servers', () => {
  const { collection, proxies, warnings } = described(service.url)
  assert.deepEqual(warnings, [])
  assert.equal(collection.upstream?.targets[0]?.url, `${service.url}/api`)
  assert.ok(proxies.some((proxy) => proxy.path === '/v1/orders/{id}:cancel'))
})

test('every endpoint answers as it is described', async () => {
  const { collection, proxies, schemas } = described(service.url)
  const upstream = collection.upstream!.targets[0]!.url
  const path = (pattern: string): string =>
    `${upstream}${pattern.replace('{id}', pattern.startsWith('/v1/payments') ? 'pay-1' : '1')}`
  // Paying comes before reading the payment.
  const order = proxies.toSorted((a, b) =>
    a.slug === 'create-payment' ? -1 : b.slug === 'create-payment' ? 1 : 0,
  )
  let judged = 0
  for (const proxy of order) {
    const method = proxy.methods[0]!
    const response = await fetch(
      path(proxy.path).replace('1:cancel', '4:cancel'),
      proxy.request_example === undefined ? { method } : { ...post(proxy.request_example), method },
    )
    assert.equal(response.status, proxy.slug?.startsWith('create') ? 201 : 200, proxy.path)
    const answer = await response.text()
    if (!proxy.response_schema) continue
    judged++
    const schema = z.fromJSONSchema(boundedSchema(proxy.response_schema, schemas ?? {}, 24_576) as never)
    const result = schema.safeParse(JSON.parse(answer))
    assert.ok(result.success, `${proxy.path}: ${result.error?.message}`)
  }
  assert.ok(judged > 3, `${judged} answers have a schema`)
})

test('errors are problem details', async () => {
  const cases: [string, RequestInit, number][] = [
    ['/v1/orders/999', {}, 404],
    ['/v1/nothing', {}, 404],
    ['/elsewhere', {}, 404],
    ['/api/v1/orders/999', {}, 404],
    ['/api/api/v1/orders/1', {}, 404],
    ['/v1/orders/3:cancel', { method: 'POST' }, 409],
    ['/v1/payments', post({ order_id: '3', amount: 3750, method: 'card' }), 409],
    ['/v1/payments', post({ order_id: '5', amount: 1, method: 'card' }), 422],
    ['/v1/orders', post({ customer: 'ada', items: [] }), 422],
    ['/v1/orders?limit=1000', {}, 422],
    ['/v1/orders?status=lost', {}, 422],
    ['/v1/orders', { method: 'POST', body: '[' }, 400],
    ['/v1/orders', { method: 'POST', body: `"${'x'.repeat(1_100_000)}"` }, 413],
    ['/v1/orders/%ff', {}, 400],
  ]
  for (const [target, init, status] of cases) {
    const response = await fetch(`${service.url}${target}`, init)
    assert.equal(response.status, status, target)
    assert.equal(response.headers.get('content-type'), 'application/problem+json')
    const problem = (await response.json()) as { status: number; title: string }
    assert.equal(problem.status, status)
    assert.notEqual(problem.title, '')
  }
})

test('creating with the same key creates once', async () => {
  const key = { 'idempotency-key': 'k-1' }
  const first = await fetch(`${service.url}/v1/orders`, post(newOrder, key))
  const created = (await first.json()) as { id: string }
  const again = await fetch(`${service.url}/v1/orders`, post(newOrder, key))
  assert.deepEqual(await again.json(), created)
  assert.equal(again.status, 201)
  assert.equal(again.headers.get('idempotent-replay'), 'true')
  const other = await fetch(`${service.url}/v1/orders`, post({ ...newOrder, customer: 'ken' }, key))
  assert.equal(other.status, 409)
  const without = await fetch(`${service.url}/v1/orders`, post(newOrder))
  assert.notEqual(((await without.json()) as { id: string }).id, created.id)
})

test('whoami shows the headers that arrived', async () => {
  const response = await fetch(`${service.url}/v1/whoami?x=1`, { headers: { authorization: 'Bearer abc' } })
  const body = (await response.json()) as { target: string; headers: Record<string, string> }
  assert.equal(body.target, '/v1/whoami?x=1')
  assert.equal(body.headers['authorization'], 'Bearer abc')
})

test('events and reports stream', async () => {
  const events = await fetch(`${service.url}/v1/events?count=3&every_ms=1`)
  assert.equal(events.headers.get('content-type'), 'text/event-stream')
  assert.equal(events.headers.get('content-length'), null)
  assert.equal((await events.text()).match(/^data: /gm)?.length, 3)
  const report = await fetch(`${service.url}/v1/reports/r1?rows=1200`)
  assert.equal(report.headers.get('content-length'), null)
  assert.equal((await report.text()).trim().split('\n').length, 1201)
})

test('a WebSocket tells events and closes, and what asks for none is told so', async () => {
  const socket = new WebSocket(`${service.url.replace('http', 'ws')}/api/v1/live?count=3&every_ms=1`)
  const heard: unknown[] = []
  socket.addEventListener('message', ({ data }) => heard.push(JSON.parse(data)))
  const [end] = (await once(socket, 'close')) as [CloseEvent]
  assert.deepEqual([end.code, end.wasClean, heard.length], [1000, true, 3])
  assert.deepEqual(heard[0], { id: 1, type: 'order.updated', order_id: '1' })
  assert.equal((await fetch(`${service.url}/v1/live`)).status, 426)
})

test('a reader that goes away does not disturb other readers', async () => {
  const leave = new AbortController()
  const response = await fetch(`${service.url}/v1/reports/r1?rows=10000000`, { signal: leave.signal })
  await response.body!.getReader().read()
  leave.abort()
  assert.equal((await fetch(`${service.url}/v1/orders/1`)).status, 200)
})

test('it goes down and comes up again on the same port with its state', async () => {
  const own = await createOrdersService()
  const created = (await (await fetch(`${own.url}/v1/orders`, post(newOrder))).json()) as { id: string }
  const slow = fetch(`${own.url}/v1/slow?ms=60000`)
  slow.catch(() => undefined)
  while (own.requests() < 2) await new Promise((done) => setImmediate(done))
  await own.stop()
  await own.stop()
  await assert.rejects(slow)
  await assert.rejects(fetch(`${own.url}/v1/orders/1`))
  await own.start()
  assert.equal((await fetch(`${own.url}/v1/orders/${created.id}`)).status, 200)
  await own.close()
})

test('a busy port is an error', async () => {
  await assert.rejects(createOrdersService({ port: service.port }), { code: 'EADDRINUSE' })
})
