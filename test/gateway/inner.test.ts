import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Exchange } from '../../src/gateway/exchange.ts'
import type { AnswerPieces, Caller, Identified, InnerAnswer } from '../../src/gateway/port.ts'
import type { RecordAgent } from '../../src/record/fields.ts'
import type { Incoming } from '../../src/wire/port.ts'
import { client, collection, dailyQuota, policy, profile, proxy, rate, token, upstream } from './fragments.ts'
import { type Seen, type Served, serve } from './serve.ts'

const good = token('tok_good')
const BEARER = { authorization: `Bearer ${good.text}` }
const AGENT: RecordAgent = {
  name: 'probe',
  version: '1',
  sessionId: 's',
  conversationId: 'c',
  mcpMethod: 'tools/call',
  tool: 'execute_call',
  mcpRequestId: '7',
  reason: 'because',
}

let served: Served
let door: Identified | null = null

/** The door of these tests: it says who called. */
async function answerIdentity(incoming: Incoming<Exchange>, exchange: Exchange): Promise<void> {
  door = await served.gateway.identify(incoming)
  incoming.answer(door.ok ? 200 : 401, `X-Request-ID: ${exchange.requestId}\r\n`, '')
}

before(async () => {
  served = await serve(
    (port) => [
      collection('orders', {
        upstream: upstream(port),
        hosts: ['api.example.com'],
        policy: 'pol_shared',
        body_bytes_max: 100,
        proxies: [
          proxy('list', '/v1/orders', { tags: ['read'] }),
          proxy('get-order', '/v1/orders/{id}', { tags: ['read'] }),
          proxy('change', '/v1/orders/{id}', { methods: ['PUT', 'DELETE'] }),
          proxy('slow', '/slow'),
        ],
      }),
      collection('internal', { upstream: upstream(port), proxies: [proxy('hidden', '/x')] }),
      collection('dead', { upstream: upstream(1), proxies: [proxy('dead', '/x')] }),
      collection('named', {
        base_path: '/twin',
        hosts: ['a.example'],
        upstream: upstream(port, { path: '/named' }),
        proxies: [proxy('named-x', '/x')],
      }),
      collection('any', {
        base_path: '/twin',
        upstream: upstream(port, { path: '/any' }),
        proxies: [proxy('any-x', '/x')],
      }),
      policy('shared', [rate(5), dailyQuota(8)]),
      policy('acme', [rate(1000, 1000, 'burst')]),
      client('acme', {
        collections: ['col_orders', 'col_dead'],
        policy: 'pol_acme',
        profiles: [
          profile('agent', {
            auth: 'token',
            tokens: [good.fragment],
            endpoints: { allow: [], deny: ['DELETE /orders/v1/orders/{id}'] },
          }),
          profile('reader', { endpoints: { allow: ['tag:read'], deny: ['get-order'] } }),
          profile('scoped', { endpoints: { allow: ['GET /orders/v1/*', 'prx_dead'], deny: [] } }),
        ],
      }),
      collection('payroll', {
        upstream: upstream(port),
        proxies: [proxy('pay', '/x')],
        teams: ['tea_finance'],
      }),
      client('firm', { collections: ['col_payroll'], profiles: [profile('firm-open')] }),
      { kind: 'team', id: 'tea_finance', slug: 'finance', parent: null, members: ['usr_bob'], groups: [] },
      { kind: 'person', id: 'usr_ann', slug: 'ann', active: true, groups: [] },
      { kind: 'person', id: 'usr_bob', slug: 'bob', active: true, groups: [] },
      client('other', {
        collections: ['col_orders', 'col_named', 'col_any'],
        profiles: [profile('other-open')],
      }),
    ],
    { reserved: answerIdentity },
  )
})

after(() => served.close())

async function callerOf(headers: Record<string, string>): Promise<Caller> {
  await served.ask('/mcp', { headers })
  assert.ok(door?.ok)
  return door.caller
}

let calls = 0

function call(
  caller: Caller,
  target: string,
  given: {
    method?: string
    host?: string
    fields?: string
    body?: string
    keepBytesMax?: number
    reader?: AnswerPieces
  } = {},
): Promise<InnerAnswer> {
  return new Promise((resolve) =>
    served.gateway.call(
      {
        caller,
        requestId: `req_inner_${++calls}`,
        target,
        method: given.method ?? 'GET',
        host: given.host ?? 'api.example.com',
        fields: given.fields ?? '',
        body: given.body === undefined ? null : Buffer.from(given.body),
        agent: AGENT,
        keepBytesMax: given.keepBytesMax ?? 10_000,
        ...(given.reader === undefined ? {} : { reader: given.reader }),
        until: null,
      },
      resolve,
    ),
  )
}

const jsonOf = (answer: InnerAnswer): Record<string, unknown> =>
  JSON.parse(Buffer.from(answer.body).toString()) as Record<string, unknown>

test('a caller of the door is proved by the checks of REST, and a failure is recorded as its own', async () => {
  const caller = await callerOf(BEARER)
  assert.equal(caller.client.id, 'cli_acme')
  assert.equal(caller.profile.id, 'pro_agent')
  assert.equal(caller.credentialId, 'tok_good')
  assert.equal(caller.ip, '127.0.0.1')
  const index = served.records.length
  await served.ask('/mcp', { headers: { authorization: 'Bearer wrong' } })
  assert.ok(door !== null && !door.ok)
  assert.equal(door.code, 'credential_invalid')
  const record = await served.record(index)
  assert.equal(record.surface, 1)
  assert.equal(record.status, 401)
  assert.equal(record.code, 'credential_invalid')
  assert.equal(record.reason, 'unknown token')
  assert.equal(record.stoppedAt, 9)
})

test('REST and calls from within meet one counter, and a refusal says the same', async () => {
  const caller = await callerOf(BEARER)
  const headers = { ...BEARER, host: 'api.example.com' }
  for (let i = 0; i < 2; i++) {
    assert.equal((await served.ask('/orders/v1/orders/7', { headers })).status, 200)
    assert.equal((await call(caller, '/orders/v1/orders/7')).status, 200)
  }
  assert.equal((await call(caller, '/orders/v1/orders')).status, 200)
  const inner = await call(caller, '/orders/v1/orders/7')
  assert.equal(inner.status, 429)
  assert.equal(inner.code, 'rate_limit_exceeded')
  assert.match(inner.fields, /Retry-After: \d+\r\n/)
  const index = served.records.length
  const outer = await served.ask('/orders/v1/orders/7', { headers })
  assert.equal(outer.status, 429)
  const told = jsonOf(inner)
  for (const name of ['code', 'policy', 'limit_name', 'attached_to', 'max', 'title', 'type'])
    assert.equal(outer.json[name], told[name], name)
  assert.equal(told['attached_to'], 'collection')
  assert.equal((await served.record(index)).surface, 0)
  assert.equal((await served.record(index - 1)).surface, 1)
  assert.deepEqual((await served.record(index - 1)).agent, AGENT)
  // Another client has a counter of its own in the collection.
  const other = { 'x-client-id': 'other', host: 'api.example.com' }
  assert.equal((await served.ask('/orders/v1/orders/7', { headers: other })).status, 200)
})

test('a daily quota ends at midnight UTC and says so until then', async () => {
  const caller = await callerOf(BEARER)
  served.moveClock(60_000)
  for (let i = 0; i < 3; i++) assert.equal((await call(caller, '/orders/v1/orders')).status, 200)
  const answer = await call(caller, '/orders/v1/orders')
  assert.equal(answer.code, 'quota_exceeded')
  const midnight = Math.ceil(served.now() / 86_400_000) * 86_400_000
  assert.equal(Date.parse(String(jsonOf(answer)['reset_at'])), midnight)
  served.moveClock(midnight - served.now())
  const again = await call(await callerOf(BEARER), '/orders/v1/orders')
  assert.equal(again.status, 200)
  assert.match(again.fields, /RateLimit: "minute";r=4;t=60, "day";r=7;t=\d+, "burst";r=999;t=1\r\n/)
})

test('a call from within goes out like one over REST, without what only the gateway may say', async () => {
  served.moveClock(86_400_000)
  const caller = await callerOf(BEARER)
  const fields =
    'accept: application/json\r\nAuthorization: Bearer forged\r\nX_Client_ID: forged\r\nX-Postern-Client: forged\r\n' +
    'X-Forwarded-For: 1.2.3.4\r\nConnection: close\r\nTransfer-Encoding: chunked\r\nContent-Length: 99\r\nHost: forged\r\n' +
    'broken line\r\nx-own: kept\r\n'
  const answer = await call(caller, '/orders/v1/orders/7?a=b', { method: 'PUT', fields, body: '{"a":1}' })
  assert.equal(answer.status, 200)
  assert.equal(answer.code, null)
  const saw = jsonOf(answer) as unknown as Seen
  assert.equal(saw.method, 'PUT')
  assert.equal(saw.url, '/v1/orders/7?a=b')
  assert.equal(saw.body, '{"a":1}')
  assert.equal(saw.headers['x-own'], 'kept')
  assert.equal(saw.headers['accept'], 'application/json')
  assert.equal(saw.headers['x-forwarded-for'], '127.0.0.1')
  assert.equal(saw.headers['x-forwarded-host'], 'api.example.com')
  assert.equal(saw.headers['x-request-id'], answer.requestId)
  for (const name of ['authorization', 'x_client_id', 'x-postern-client', 'transfer-encoding'])
    assert.equal(saw.headers[name], undefined, name)
  assert.match(answer.fields, /content-type: application\/json/i)
  const record = served.records.at(-1)!
  assert.equal(record.id, answer.requestId)
  assert.equal(record.upstreamStatus, 200)
  assert.equal(record.bytesIn, 7)
  assert.equal(record.bytesOut, answer.bodyBytes)
  assert.equal(record.route, '/orders/v1/orders/{id}')
  assert.ok(record.upstreamMs >= 0 && record.upstreamMs <= record.durationMs)
})

test('a call from within keeps to the bounds of a head', async () => {
  const caller = await callerOf(BEARER)
  const before = served.records.length
  const answer = await call(caller, '/orders/v1/orders/7', { fields: `x-large: ${'a'.repeat(40_000)}\r\n` })
  assert.deepEqual([answer.code, answer.status], ['headers_too_large', 431])
  assert.equal(served.records[before]?.code, 'headers_too_large')
})

test('calls from within are refused by the same rules, with the problem as their body', async () => {
  const caller = await callerOf(BEARER)
  const cases = [
    ['/orders/v1/../x', 'GET', 'request_not_canonical', 400, 3],
    ['orders', 'GET', 'request_not_canonical', 400, 3],
    [`/orders/v1/orders/${'7'.repeat(9000)}`, 'GET', 'uri_too_long', 414, 1],
    ['/internal/x', 'GET', 'collection_not_assigned', 403, 11],
    ['/nowhere', 'GET', 'route_not_found', 404, 4],
    ['/management/v1/clients', 'GET', 'route_not_found', 404, 4],
    ['/orders/nowhere', 'GET', 'route_not_found', 404, 10],
    ['/orders/v1/orders/7', 'DELETE', 'endpoint_not_allowed', 403, 11],
    ['/orders/v1/orders/7', 'PATCH', 'method_not_allowed', 405, 12],
    ['/dead/x', 'GET', 'upstream_unreachable', 502, 17],
  ] as const
  for (const [target, method, code, status, stoppedAt] of cases) {
    const answer = await call(caller, target, { method })
    assert.equal(answer.code, code, target)
    assert.equal(answer.status, status)
    assert.equal(jsonOf(answer)['code'], code)
    assert.equal(jsonOf(answer)['request_id'], answer.requestId)
    const record = served.records.at(-1)!
    assert.equal(record.stoppedAt, stoppedAt, target)
    assert.equal(record.surface, 1)
  }
  const large = await call(caller, '/orders/v1/orders/7', { method: 'PUT', body: 'x'.repeat(101) })
  assert.equal(large.code, 'body_too_large')
})

test('an answer is kept up to the bytes that were asked for', async () => {
  const answer = await call(await callerOf(BEARER), '/orders/v1/orders', { keepBytesMax: 5 })
  assert.equal(answer.body.length, 5)
  assert.equal(answer.truncated, true)
  assert.ok(answer.bodyBytes > 5)
})

test('a reader of an answer that throws refuses its call alone', async () => {
  const caller = await callerOf(BEARER)
  const before = served.faults.length
  const places = ['head', 'piece', 'judge', 'elsewhere'] as const
  for (const place of places) {
    const at = (name: string): void => {
      if (name === place) throw new Error(`at ${name}`)
    }
    // Of what was used of the limits before, nothing is left
    served.moveClock(86_400_000)
    const { code } = await call(caller, '/orders/v1/orders', {
      reader: {
        head: () => at('head'),
        piece() {
          at('piece')
          return true
        },
        elsewhere() {
          at('elsewhere')
          return false
        },
        judge() {
          at('judge')
          return { code: null, reason: '', bytes: 0 }
        },
        gaveUp() {},
      },
    })
    assert.equal(code, 'internal_error', place)
  }
  assert.deepEqual(
    served.faults.slice(before),
    places.map((place) => `Error: at ${place}`),
  )
  assert.equal((await call(caller, '/orders/v1/orders')).status, 200)
})

const CALLERS: Readonly<Record<string, Record<string, string>>> = {
  agent: BEARER,
  reader: { 'x-client-id': 'acme', 'x-profile-id': 'reader' },
  scoped: { 'x-client-id': 'acme', 'x-profile-id': 'scoped' },
}
const ASKED = [
  ['GET', '/dead/x'],
  ['GET', '/internal/x'],
  ['GET', '/orders/v1/orders'],
  ['GET', '/orders/v1/orders/{id}'],
  ['PUT', '/orders/v1/orders/{id}'],
  ['DELETE', '/orders/v1/orders/{id}'],
] as const

test('what a caller sees is what its calls reach', async () => {
  const lists: Record<string, string[]> = {}
  for (const [name, headers] of Object.entries(CALLERS)) {
    const caller = await callerOf(headers)
    const endpoints = served.gateway.endpoints(caller)
    assert.equal(served.gateway.endpoints(caller), endpoints, 'the same list while nothing changed')
    lists[name] = endpoints.map(({ methods, path }) => `${methods.join(',')} ${path}`)
  }
  assert.deepEqual(
    { ...lists },
    {
      agent: [
        'GET /dead/x',
        'GET /orders/slow',
        'GET /orders/v1/orders',
        'PUT /orders/v1/orders/{id}',
        'GET /orders/v1/orders/{id}',
      ],
      reader: ['GET /orders/v1/orders'],
      scoped: ['GET /dead/x', 'GET /orders/v1/orders', 'GET /orders/v1/orders/{id}'],
    },
  )
  for (const [name, headers] of Object.entries(CALLERS)) {
    // Of what was used of the limits before, nothing is left
    served.moveClock(86_400_000)
    const caller = await callerOf(headers)
    const reached: string[] = []
    for (const [method, path] of ASKED) {
      const { code } = await call(caller, path.replace('{id}', '7'), { method })
      if (code === null || code === 'upstream_unreachable') reached.push(`${method} ${path}`)
      else
        assert.match(code, /^(endpoint_not_allowed|collection_not_assigned)$/, `${name}: ${method} ${path}`)
    }
    // The one that never answers is not called
    const listed = lists[name]!.filter((endpoint) => !endpoint.endsWith('/slow'))
    assert.deepEqual(reached.sort(), listed.sort(), name)
  }
})

test('contracts come with the schemas they point into, and policies with where they are attached', async () => {
  const caller = await callerOf(BEARER)
  const endpoint = served.gateway.endpoints(caller).find(({ proxy: { slug } }) => slug === 'list')!
  assert.equal(served.gateway.contract(endpoint), null)
  const contract = {
    description: 'd',
    operation_id: null,
    parameters: [],
    request_schema: null,
    response_schema: { $ref: '#/$defs/A' },
  }
  served.apply([
    {
      kind: 'contracts',
      id: 'col_orders',
      schemas: 'schemas:sha256-1',
      json: JSON.stringify({ prx_list: contract }),
    },
    { kind: 'schemas', id: 'sha256-1', json: '{"A":{"type":"string"}}' },
  ])
  assert.deepEqual(served.gateway.contract(endpoint), { contract, schemas: { A: { type: 'string' } } })
  assert.deepEqual(
    served.gateway
      .policies(caller, endpoint)
      .map(({ attachedTo, policy: { slug } }) => `${attachedTo} ${slug}`),
    ['client acme', 'collection shared'],
  )
})

test('of two collections at one base path, a call reaches the one whose host it says', async () => {
  const caller = await callerOf({ 'x-client-id': 'other' })
  for (const [host, url] of [
    ['a.example', '/named/x'],
    ['', '/any/x'],
  ] as const) {
    assert.equal((await call(caller, '/twin/x', { host })).status, 200)
    assert.equal(served.echo.seen.at(-1)!.url, url)
  }
})

test('a caller that is identified goes on when its token is revoked, and not when its client is deleted', async () => {
  const caller = await callerOf(BEARER)
  served.moveClock(86_400_000)
  const profiles = [profile('agent', { auth: 'token', tokens: [] })]
  served.apply([client('acme', { collections: ['col_orders'], profiles })])
  await served.ask('/mcp', { headers: BEARER })
  assert.equal(door?.ok, false, 'the token is revoked')
  assert.equal((await call(caller, '/orders/v1/orders')).status, 200)
  served.apply([], ['client:cli_acme'])
  assert.equal((await call(caller, '/orders/v1/orders')).code, 'identity_rejected')
  assert.deepEqual(served.gateway.endpoints(caller), [])
})

test('a collection with teams is called by members and by clients, and is not there for other people', async () => {
  const caller = await callerOf({ 'x-client-id': 'cli_firm' })
  const of = (user: string): Caller => ({
    ...caller,
    subject: user,
    signIn: { user, grant: 'gnt_1', epoch: 0, scopes: new Set<string>() },
  })
  for (const [who, status, endpoints] of [
    [caller, 200, 1],
    [of('usr_bob'), 200, 1],
    [of('usr_ann'), 404, 0],
    [of('usr_gone'), 404, 0],
  ] as const) {
    assert.equal((await call(who, '/payroll/x')).status, status, who.subject)
    assert.equal(served.gateway.endpoints(who).length, endpoints, who.subject)
  }
})
