import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { runCommand } from './cli.ts'
import { askMcp, callAsAgent, publishOrders, startTestServer, type TestServer } from './server.ts'
import { startUpstream, type TestUpstream } from './upstream.ts'

let server: TestServer
let upstream: TestUpstream

before(async () => {
  upstream = await startUpstream()
  server = await startTestServer({ workers: 1 })
  const token = await publishOrders(server, upstream.url)
  upstream.answer = (seen, response) => {
    response.statusCode = seen.url === '/v1/orders/9' ? 500 : 200
    response.end('{}')
  }
  for (const id of [7, 8, 9]) await server.gateway('GET', `/orders/v1/orders/${id}`, { token })
  await server.gateway('POST', '/orders/v1/orders', { token, body: {} })
  await server.gateway('GET', '/orders/nowhere', { token })
  await callAsAgent(server, token, { endpoint: 'GET /orders/v1/orders/7' })
})
after(async () => {
  // Whichever did not come up has nothing to stop.
  await server?.stop()
  await upstream?.[Symbol.asyncDispose]()
})

/** The structured answer of a tool of Management MCP. */
async function tool(name: string, args: object) {
  const { json } = await askMcp(server, '/management/mcp', server.adminToken, 'tools/call', {
    name,
    arguments: args,
  })
  return json.result.structuredContent
}

test('metrics are the same over REST, the command line and both views of Management MCP', async () => {
  const { json } = await server.manage('GET', '/metrics/overview?collection=orders&from=-1h')
  assert.deepEqual(
    [json.requests, json.errors, json.server_errors, json.error_rate, json.clients, json.from_agents],
    [6, 2, 1, 0.3333, 1, 1],
  )
  assert.ok(json.duration_ms.p50 > 0 && json.upstream_ms.p99 > 0 && json.bytes_out > 0)
  const counted = ({ requests, errors, clients, bytes_out }: typeof json) => ({
    requests,
    errors,
    clients,
    bytes_out,
  })
  const said = await runCommand(server.data, [
    ...['metrics', 'overview', '--collection', 'orders', '--from', '-1h', '-o', 'json'],
  ])
  assert.equal(said.code, 0, said.err)
  assert.deepEqual(counted(JSON.parse(said.out)), counted(json))
  const args = { collection: 'orders', from: '-1h' }
  assert.deepEqual(counted(await tool('metrics_overview', args)), counted(json))
  assert.deepEqual(counted(await tool('query_metrics', { action: 'overview', ...args })), counted(json))
})

test('each view counts what it says, narrowed as asked', async () => {
  const get = async (path: string) => (await server.manage('GET', `/metrics/${path}`)).json
  const statuses = (await get('status_codes?client=acme')).items
  assert.deepEqual(
    statuses.map(({ status, requests }: { status: number; requests: number }) => [status, requests]),
    [
      [200, 4],
      [404, 1],
      [500, 1],
    ],
  )
  const methods = (await get('methods?surface=app')).items
  assert.deepEqual(
    methods.map(({ method, requests }: { method: string; requests: number }) => [method, requests]),
    [
      ['GET', 4],
      ['POST', 1],
    ],
  )
  const clients = await get('top?by=client&collection=orders')
  assert.deepEqual(
    [
      clients.items.map(({ slug, requests, errors }: Record<string, unknown>) => [slug, requests, errors]),
      clients.entries,
    ],
    [[['acme', 6, 2]], 1],
  )
  const proxies = await get('top?by=proxy&order=error_rate&limit=1')
  assert.match(proxies.items[0].slug, /^orders:/)
  const top = await get('top_endpoints?limit=1')
  assert.deepEqual(
    [top.items.length, top.items[0].endpoint, top.items[0].requests, top.endpoints, top.unmatched],
    [1, 'GET /orders/v1/orders/{id}', 4, 2, 1],
  )
  const failing = (await get('error_endpoints')).items
  assert.deepEqual(
    failing.map(({ endpoint, errors }: { endpoint: string; errors: number }) => [endpoint, errors]),
    [['GET /orders/v1/orders/{id}', 1]],
  )
  assert.deepEqual((await get('error_endpoints?order=errors&limit=1')).items, failing)
  assert.equal((await server.manage('GET', '/metrics/error_endpoints?order=latency')).status, 400)
  const overTime = await get('over_time?from=-2h&bucket=1h')
  assert.ok(overTime.items.length >= 2, 'empty points are there too')
  assert.equal(
    overTime.items.reduce((sum: number, { requests }: { requests: number }) => sum + requests, 0),
    6,
  )
  assert.equal((await get('over_time')).bucket, '15m')
  assert.equal((await get('overview?agent_name=nobody')).requests, 0)
})

test('the totals of the period before are added where they are asked for', async () => {
  const get = async (query: string) => (await server.manage('GET', `/metrics/overview?${query}`)).json
  const hour = await get('from=-1h')
  assert.equal(hour.before, null)
  const both = await get('from=-1h&before=true')
  assert.deepEqual([both.requests, both.before.requests], [hour.requests, 0])
  assert.equal(both.before.to, both.from)
  assert.equal(Date.parse(both.before.to) - Date.parse(both.before.from), 3_600_000)
  const [from, to] = [0, 1].map((hours) => new Date(Date.now() + hours * 3_600_000).toISOString())
  const later = await get(`from=${from}&to=${to}&before=true`)
  assert.deepEqual([later.requests, later.before.requests], [0, hour.requests])
})

test('requests and errors over time are added to the totals where they are asked for', async () => {
  const get = async (query: string) => (await server.manage('GET', `/metrics/overview?${query}`)).json
  assert.equal((await get('from=-1h')).points, null)
  const { points, requests, errors } = await get('from=-1h&points=true')
  assert.equal(points.bucket, '1m')
  const sum = (name: string): number =>
    points.items.reduce((all: number, item: Record<string, number>) => all + item[name]!, 0)
  assert.deepEqual([sum('requests'), sum('errors')], [requests, errors])
  assert.ok(requests > 0 && errors > 0 && points.items.length >= 60)
})

test('a time or a width that cannot be is refused', async () => {
  for (const [query, pointer] of [
    ['from=-91d', '/from'],
    ['from=now&to=-1h', '/from'],
    ['from=yesterday', '/from'],
    ['from=-30d&bucket=1m', '/bucket'],
  ] as const) {
    const { status, json } = await server.manage('GET', `/metrics/over_time?${query}`)
    assert.equal(status, 400, query)
    assert.equal(json.errors[0].pointer, pointer)
  }
})

test('an admin deletes records by client and time, confirmed and audited with their number, and nobody else does', async () => {
  const asked = { client: 'acme', to: 'now' }
  const unsure = await server.manage('POST', '/records/purge', asked)
  assert.deepEqual([unsure.status, unsure.json.code], [400, 'confirmation_required'])
  const dry = await server.manage('POST', '/records/purge?dry_run=true', asked)
  assert.equal(dry.json.result.removed, 6)
  for (const role of ['viewer', 'modifier', 'auditor'] as const) {
    const { token } = await server.running.issueToken({ role, ttl: '5m', name: role })
    const denied = await server.manage('POST', '/records/purge', { ...asked, confirm: 'records' }, { token })
    assert.deepEqual([denied.status, denied.json.permission], [403, 'records:delete'], role)
  }
  assert.equal((await server.manage('POST', '/records/purge', { confirm: 'records' })).status, 400)
  assert.equal((await server.manage('GET', '/records?client=acme')).json.items.length, 6)

  const args = {
    action: 'delete_request_logs',
    client: 'acme',
    from: '-1h',
    confirm: 'records',
    reason: 'asked to',
  }
  assert.deepEqual(await tool('query_logs', args), { removed: 6, more: false })
  assert.deepEqual((await server.manage('GET', '/records?client=acme')).json.items, [])
  assert.equal((await server.manage('GET', '/metrics/overview?client=acme')).json.requests, 0)
  const { json } = await server.manage('GET', '/audit?resource_type=record&action=DELETE&outcome=ok')
  const [entry] = json.items
  assert.equal(json.items.length, 1)
  assert.deepEqual(
    [entry.operation, entry.surface, entry.reason, entry.detail],
    ['records.purge', 'management_mcp', 'asked to', '6 request records were deleted: client acme, from -1h.'],
  )
})
