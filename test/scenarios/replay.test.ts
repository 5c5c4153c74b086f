import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { runPage } from '../support/page.ts'
import { runCommand } from './cli.ts'
import { type Reply, startTestServer, type TestServer } from './server.ts'
import { startUpstream, type TestUpstream } from './upstream.ts'

let server: TestServer
let upstream: TestUpstream
let token = ''

async function manage(method: string, path: string, body?: unknown): Promise<Reply> {
  const reply = await server.manage(method, path, body)
  assert.ok(reply.status < 300, `${method} ${path}: ${reply.text}`)
  return reply
}

before(async () => {
  upstream = await startUpstream()
  server = await startTestServer()
  const orders = { name: 'Orders', base_path: '/orders', upstream: { targets: [{ url: upstream.url }] } }
  await manage('POST', '/collections', orders)
  for (const [name, methods, path] of [
    ['One', ['GET'], '/v1/orders/{id}'],
    ['Make', ['POST'], '/v1/orders'],
    ['Gone', ['GET'], '/v1/gone'],
  ] as const)
    await manage('POST', '/proxies', { collection: 'orders', name, methods, path })
  await manage('POST', '/collections', { name: 'Other', base_path: '/other' })
  const rate = { name: 'minute', kind: 'rate', max: 3, window: '1m' }
  await manage('POST', '/policies', { name: 'Gold', limits: [rate] })
  await manage('POST', '/clients', { name: 'Acme', collections: ['orders'], profiles: [] })
  const live = await manage('POST', '/profiles', { client: 'acme', name: 'Live', auth: { type: 'token' } })
  token = live.json.token
  await manage('POST', '/profiles', { client: 'acme', name: 'Open', auth: { type: 'none' } })
  await manage('POST', '/profiles', { client: 'acme', name: 'Slow', auth: { type: 'none' }, policy: 'gold' })
  await manage('POST', '/collections/orders/publish', { cascade: true })
})
after(async () => {
  await server.stop()
  await upstream.close()
})

/** Calls, and gives the id of the record. */
async function recorded(
  profile: string,
  path = '/orders/v1/orders/7',
  method = 'GET',
  body?: unknown,
): Promise<string> {
  const headers: Record<string, string> =
    profile === 'live'
      ? { authorization: `Bearer ${token}` }
      : { 'x-client-id': 'acme', 'x-profile-id': profile }
  const { headers: answered } = await server.gateway(method, path, { headers, body })
  return answered.get('x-request-id')!
}

const replay = (id: string, body: object = {}): Promise<Reply> =>
  server.manage('POST', `/requests/${id}/replay`, body)

async function refusedBecause(id: string, reason: RegExp): Promise<void> {
  const count = upstream.seen.length
  const { status, json } = await replay(id)
  assert.deepEqual([status, json.code], [409, 'replay_refused'])
  assert.match(json.detail, reason)
  assert.equal(upstream.seen.length, count)
}

test('a request of a source that is throttled by now is replayed, and a replay is no failure of the source', async () => {
  const id = await recorded('live')
  const last = token.at(-8) === 'a' ? 'b' : 'a'
  const authorization = `Bearer ${token.slice(0, 30)}${token[30] === last ? 'c' : last}${token.slice(31)}`
  const wrong = (): Promise<{ status: number }> =>
    server.gateway('GET', '/orders/v1/orders/7', { headers: { authorization } })
  const statuses: number[] = []
  for (let i = 0; i < 21; i++) statuses.push((await wrong()).status)
  assert.deepEqual(statuses, [...Array(20).fill(401), 429])
  const { status, json } = await replay(id)
  assert.deepEqual([status, json.status], [200, 200])
  server.moveClock(60_000)
  assert.equal((await wrong()).status, 401)
})

test('a recorded request is made again as who made it, recorded and told of in the trail', async () => {
  const id = await recorded('live', '/orders/v1/orders/7?full=1')
  const first = upstream.seen.at(-1)!
  const given = {
    query: 'full=1',
    headers: ['X-Stage: test', 'X-Client-ID: other', 'X-Forwarded-For: 10.9.9.9'],
  }
  const { status, json, text } = await replay(id, given)
  assert.equal(status, 200, text)
  const again = upstream.seen.at(-1)!
  assert.notEqual(again, first)
  assert.deepEqual([again.method, again.url], [first.method, first.url])
  assert.equal(again.headers['x-stage'], 'test')
  assert.equal(again.headers['x-client-id'], undefined)
  assert.equal(again.headers['x-forwarded-for'], '127.0.0.1')
  assert.partialDeepStrictEqual(json, { id, method: 'GET', status: 200, upstream_status: 200, differs: [] })
  assert.equal(
    json.duration_ms,
    Number(json.duration_ms.toFixed(3)),
    'to the microsecond, as records have it',
  )
  assert.deepEqual([json.body_encoding, JSON.parse(json.body).url], ['text', '/v1/orders/7?full=1'])
  assert.deepEqual(json.headers, { 'content-type': 'application/json' })

  const [was, is] = [
    (await manage('GET', `/records/${id}`)).json,
    (await manage('GET', `/records/${json.request_id}`)).json,
  ]
  for (const member of ['client', 'profile', 'proxy', 'route', 'path', 'credential_id', 'status', 'surface'])
    assert.equal(is[member], was[member], member)
  assert.deepEqual([is.replay_of, is.replayed_over], [id, 'management_api'])
  assert.deepEqual([was.replay_of, was.replayed_over], [null, null])
  const { items } = (await manage('GET', `/audit?operation=requests.replay&request_id=${json.request_id}`))
    .json
  assert.deepEqual(
    items.map((entry: Reply['json']) => [entry.resource.slug, entry.detail, entry.outcome]),
    [['one', `Replayed ${id}: GET was answered 200.`, 'ok']],
  )
  // What callers send and upstreams answer is not for the trail
  const { request, response } = (await manage('GET', `/audit/${items[0].id}`)).json
  assert.deepEqual([request.id, response.status], [id, 200])
  assert.doesNotMatch(JSON.stringify([request, response]), /full=1|X-Stage|x-stage|application.json/)
})

test('what was otherwise the first time is named, and bytes that are no text are told as such', async () => {
  const id = await recorded('open')
  const { answer } = upstream
  upstream.answer = (_seen, response) => {
    response.statusCode = 503
    response.end(Buffer.from([0xff, 0x00, 0xfe]))
  }
  const { json } = await replay(id)
  upstream.answer = answer
  assert.deepEqual(json.differs, [
    { field: 'status', was: 200, is: 503 },
    { field: 'upstream_status', was: 200, is: 503 },
  ])
  assert.deepEqual([json.body, json.body_encoding, json.body_bytes], ['/wD+', 'base64', 3])
})

test('limits count it, and the address of who asks is judged', async () => {
  const id = await recorded('slow')
  assert.equal((await replay(id)).json.status, 200)
  assert.equal((await replay(id)).json.status, 200)
  const { json } = await replay(id)
  assert.partialDeepStrictEqual(json, {
    status: 429,
    code: 'rate_limit_exceeded',
    stopped_at: 13,
    check: 'limits',
  })
  assert.deepEqual(
    json.differs.map(({ field }: { field: string }) => field),
    ['status', 'code', 'stopped_at', 'upstream_status'],
  )
  await manage('PATCH', '/profiles/acme:slow', { ip_allowlist: ['10.0.0.0/8'] })
  assert.partialDeepStrictEqual((await replay(id)).json, {
    status: 403,
    code: 'ip_not_allowed',
    stopped_at: 7,
    check: 'address',
  })
})

test('a method that may change something wants its confirmation, and a body what was its body', async () => {
  const id = await recorded('open', '/orders/v1/orders', 'POST', { item: 1 })
  const count = upstream.seen.length
  for (const [given, pointer] of [
    [{ body: '{}' }, '/confirm'],
    [{ confirm: 'POST', body: '{}' }, '/confirm'],
    [{ confirm: id }, '/body'],
    [{ confirm: id, body: '{}', dry_run: true }, '/dry_run'],
    [{ confirm: id, body: '{}', expected_revision: 9 }, '/expected_revision'],
    [{ confirm: id, body: '{}', idempotency_key: 'k' }, '/idempotency_key'],
    [{ confirm: id, body: '{}', headers: ['authorization: Bearer x'] }, '/headers/0'],
  ] as const) {
    const { status, json } = await replay(id, given)
    assert.deepEqual([status, json.errors[0].pointer], [400, pointer])
  }
  assert.equal(upstream.seen.length, count)
  const headers = ['Content-Type: application/json']
  assert.equal((await replay(id, { confirm: id, body: '{"item":2}', headers })).json.status, 200)
  assert.equal(upstream.seen.at(-1)?.body, '{"item":2}')
  // Some servers take it for another method
  const read = await recorded('open')
  const override = { headers: ['X-HTTP-Method-Override: DELETE'] }
  assert.equal((await replay(read, override)).json.errors[0].pointer, '/confirm')
  assert.equal((await replay(read, { ...override, confirm: read })).json.status, 200)
})

test('who is gone, switched off or revoked is not acted as, and no other proxy is called', async () => {
  const [live, open, gone] = [
    await recorded('live'),
    await recorded('open'),
    await recorded('open', '/orders/v1/gone'),
  ]
  await refusedBecause(await recorded('open', '/orders/v1/nothing/there'), /names no proxy or no client/)
  await manage('PATCH', '/profiles/acme:open', { active: false })
  await refusedBecause(open, /the profile is inactive/)
  await manage('PATCH', '/profiles/acme:open', { active: true, auth: { type: 'token' } })
  await refusedBecause(open, /the caller was not authenticated with a token/)
  await manage('PATCH', '/profiles/acme:open', { auth: { type: 'jwt' } })
  await refusedBecause(open, /profile of type jwt are not recorded/)
  await manage('PATCH', '/profiles/acme:open', { auth: { type: 'none' } })
  await manage('PATCH', '/clients/acme', { active: false })
  await refusedBecause(live, /the client is inactive/)
  await manage('PATCH', '/clients/acme', { active: true })
  await manage('PATCH', '/proxies/orders:gone', { path: '/v1/elsewhere' })
  await refusedBecause(gone, /no published proxy has/)
  await manage('POST', '/proxies', {
    collection: 'orders',
    name: 'Takes',
    methods: ['GET'],
    path: '/v1/gone',
  })
  await manage('POST', '/proxies/orders:takes/publish')
  await refusedBecause(gone, /the path leads to another proxy now/)
  await manage('DELETE', '/proxies/orders:gone', { confirm: 'gone' })
  await refusedBecause(gone, /The proxy of the request was deleted/)
  token = (await manage('POST', '/profiles/acme:live/rotate', { overlap: '1m' })).json.token
  const newer = await recorded('live')
  assert.equal((await replay(live)).status, 200)
  server.moveClock(61_000)
  await refusedBecause(live, /the token of the caller is no longer valid: retired by rotation/)
  assert.equal((await replay(newer)).status, 200)
  await manage('POST', '/profiles/acme:live/revoke', { confirm: 'live' })
  await refusedBecause(newer, /the token of the caller was revoked/)
  assert.equal((await replay('req_none')).status, 404)
})

test('it takes the permission to test that very proxy, and to read the record', async () => {
  const id = await recorded('open')
  const as = async (...grants: string[]): Promise<Reply> => {
    const one = (await server.running.issueToken({ grants, ttl: '1h', name: 'one' })).token
    return server.manage('POST', `/requests/${id}/replay`, {}, { token: one })
  }
  const viewer = await as('viewer')
  assert.deepEqual([viewer.status, viewer.json.permission], [403, 'proxies:test'])
  assert.equal((await as('modifier@other')).status, 404)
  assert.equal((await as('modifier@orders')).status, 200)
  const count = upstream.seen.length
  const beyond = await as('viewer', 'modifier:proxies@other')
  assert.deepEqual([beyond.status, beyond.json.permission], [403, 'proxies:test'])
  const blind = await as('modifier:proxies@orders')
  assert.deepEqual([blind.status, blind.json.permission], [403, 'records:read'])
  assert.equal(upstream.seen.length, count)
})

test('the tool and the command do the same', async () => {
  const id = await recorded('open')
  const body = { tool: 'query_logs', action: 'replay_request', id }
  const { json } = await server.manage('POST', '/../mcp', body)
  assert.deepEqual([json.tool, json.result?.status], ['query_logs', 200])
  const { code, out, err } = await runCommand(server.data, ['requests', 'replay', id, '-o', 'json'])
  assert.equal(code, 0, err)
  const said = JSON.parse(out)
  assert.equal((await manage('GET', `/records/${said.request_id}`)).json.replayed_over, 'cli')
})

test('what docs/replay.md shows is answered', async () => {
  assert.equal(await runPage('replay.md', server, {}), 3)
})
