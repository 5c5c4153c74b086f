import assert from 'node:assert/strict'
import { once } from 'node:events'
import { request } from 'node:http'
import { after, before, test } from 'node:test'
import { eventually } from '../support/eventually.ts'
import { type Family, parseExposition } from '../support/exposition-parser.ts'
import { call, publishOrders, startTestServer, type TestServer } from './server.ts'
import { startUpstream, type TestUpstream } from './upstream.ts'

let server: TestServer
let upstream: TestUpstream
let token: string
const AWAY = { 'x-forwarded-for': '203.0.113.9' }

before(async () => {
  upstream = await startUpstream()
  server = await startTestServer({ workers: 2, flags: ['--trusted-proxies', '127.0.0.1'] })
  token = await publishOrders(server, upstream.url)
})
after(async () => {
  await server?.stop()
  await upstream?.[Symbol.asyncDispose]()
})

const page = (headers: Record<string, string> = {}, own?: string) =>
  call('GET', `${server.running.controlUrl}/metrics`, { headers, token: own })

async function families(): Promise<Family[]> {
  return parseExposition((await page()).text, 'prometheus')
}

function sumOf(all: readonly Family[], name: string, labels: Record<string, string> = {}): number {
  return all
    .flatMap(({ series }) => series)
    .filter((one) => one.name === name)
    .filter((one) => Object.entries(labels).every(([label, value]) => one.labels[label] === value))
    .reduce((sum, { value }) => sum + value, 0)
}

test('requests of all threads are counted by collection, surface and class, refusals by check and code', async () => {
  const before = await families()
  for (let i = 0; i < 10; i++) await server.gateway('GET', `/orders/v1/orders/${i}`, { token })
  for (let i = 0; i < 30; i++) await server.gateway('GET', '/nowhere')
  await server.gateway('DELETE', '/orders/v1/orders/7', { token })
  const grown = async (name: string, labels: Record<string, string>): Promise<number> =>
    sumOf(await families(), name, labels) - sumOf(before, name, labels)
  const served = { collection: 'orders', surface: 'gateway', class: '2xx' }
  await eventually(async () => (await grown('postern_requests_total', served)) === 10)
  await eventually(
    async () => (await grown('postern_requests_total', { collection: '', class: '4xx' })) === 30,
  )
  assert.equal(await grown('postern_refusals_total', { check: 'route', code: 'route_not_found' }), 30)
  assert.equal(await grown('postern_refusals_total', { check: 'method', code: 'method_not_allowed' }), 1)
  assert.equal(await grown('postern_upstream_duration_seconds_count', { collection: 'orders' }), 10)
  assert.equal(await grown('postern_gateway_duration_seconds_count', { collection: 'orders' }), 11)
})

test('the page tells of the process: revision, threads, heap, stores, lost records', async () => {
  await eventually(async () => {
    const all = await families()
    const { revision } = (await server.gateway('GET', '/readyz')).json
    return sumOf(all, 'postern_config_revision', { thread: 'gateway-0' }) === revision
  })
  const all = await families()
  for (const thread of ['gateway-0', 'gateway-1', 'main'])
    assert.ok(sumOf(all, 'postern_heap_used_bytes', { thread }) > 1_000_000, thread)
  assert.deepEqual(
    [
      'postern_ready',
      'postern_gateway_threads',
      'postern_gateway_threads_stalled',
      'postern_gateway_threads_replaced_total',
      'postern_gateway_workers',
      'postern_records_dropped_total',
    ].map((name) => sumOf(all, name)),
    [1, 2, 0, 0, 2, 0],
  )
  assert.equal(sumOf(all, 'postern_store_available'), 5)
  assert.equal(sumOf(all, 'postern_store_fault'), 0)
  assert.ok(sumOf(all, 'process_resident_memory_bytes') > 20_000_000)
  assert.ok(sumOf(all, 'process_cpu_seconds_total') > 0)
  const age = Date.now() / 1000 - sumOf(all, 'process_start_time_seconds')
  assert.ok(age >= 0 && age < 3600, `${age} s`)
})

test('a scraper that asks for OpenMetrics gets it', async () => {
  const answer = await page({ accept: 'application/openmetrics-text; version=1.0.0,text/plain;q=0.5' })
  assert.match(answer.headers.get('content-type')!, /^application\/openmetrics-text; version=1\.0\.0/)
  const names = parseExposition(answer.text, 'openmetrics').map(({ name }) => name)
  assert.ok(names.includes('postern_requests'))
})

test('callers from elsewhere need a token with metrics:read for everything; callers on this machine need none', async () => {
  assert.equal((await page()).status, 200)
  const without = await page(AWAY)
  assert.deepEqual([without.status, without.json.code], [401, 'credentials_missing'])
  assert.equal((await page(AWAY, 'pst_at_wrong')).status, 401)
  const { token: viewer } = await server.running.issueToken({ role: 'viewer', ttl: '1h', name: 'scraper' })
  const allowed = await page(AWAY, viewer)
  assert.equal(allowed.status, 200, allowed.text)
  assert.match(allowed.headers.get('content-type')!, /^text\/plain; version=0\.0\.4/)
  assert.ok(sumOf(parseExposition(allowed.text, 'prometheus'), 'postern_requests_total') > 0)
  const { token: auditor } = await server.running.issueToken({ role: 'auditor', ttl: '1h', name: 'auditor' })
  const denied = await page(AWAY, auditor)
  assert.deepEqual([denied.status, denied.json.code], [403, 'permission_denied'])
  const { token: scoped } = await server.running.issueToken({
    grants: ['viewer@orders'],
    ttl: '1h',
    name: 'of orders',
  })
  const narrow = await page(AWAY, scoped)
  assert.deepEqual([narrow.status, narrow.json.code], [403, 'permission_denied'])
})

test('a request that a proxy on this machine passes on needs a token, whether the proxy is trusted or not', async () => {
  const untrusting = await startTestServer({ workers: 1 })
  try {
    for (const { controlUrl } of [server.running, untrusting.running]) {
      const ask = (headers: Record<string, string>) => call('GET', `${controlUrl}/metrics`, { headers })
      assert.equal((await ask({})).status, 200)
      const added: readonly Record<string, string>[] = [
        { 'x-forwarded-for': '127.0.0.1' },
        { 'x-forwarded-for': '' },
        { 'x-forwarded-host': 'metrics.example' },
        { 'x-forwarded-proto': 'https' },
        { 'x-real-ip': '127.0.0.1' },
        { forwarded: 'for=127.0.0.1' },
        { via: '1.1 proxy' },
      ]
      for (const headers of added) {
        const { status, json } = await ask(headers)
        assert.deepEqual([status, json.code], [401, 'credentials_missing'], JSON.stringify(headers))
        assert.match(json.detail, /X-Forwarded-For, .* or Via needs a token/)
      }
    }
  } finally {
    await untrusting.stop()
  }
})

test('a page that a browser shows under another name does not read them, and the gateway listener has none', async () => {
  const { hostname, port } = new URL(server.running.controlUrl)
  const sent = request({ hostname, port, path: '/metrics', headers: { host: `evil.example:${port}` } }).end()
  const [rebound] = await once(sent, 'response')
  rebound.resume()
  assert.equal(rebound.statusCode, 401)
  const elsewhere = await server.gateway('GET', '/metrics')
  assert.deepEqual([elsewhere.status, elsewhere.json.code], [404, 'not_available'])
  const { status, headers } = await call('POST', `${server.running.controlUrl}/metrics`)
  assert.deepEqual([status, headers.get('allow')], [405, 'GET, HEAD'])
})

test('a gateway thread that was replaced is counted, by the reason', async () => {
  await server.running.killThread(1)
  const all = await families()
  const count = (reason: string): number => sumOf(all, 'postern_gateway_threads_replaced_total', { reason })
  assert.deepEqual([count('died'), count('hung'), count('start_timeout')], [1, 0, 0])
})
