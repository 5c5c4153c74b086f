import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { after, before, test } from 'node:test'
import { LOOSER, OTHER_CODES } from '../wire/engine-differences.ts'
import { HOSTILE } from '../wire/hostile-requests.ts'
import { Caller, ENGINE, nativeAlone } from '../wire/peers.ts'
import {
  client,
  collection,
  credential,
  dailyQuota,
  policy,
  profile,
  proxy,
  rate,
  upstream,
} from './fragments.ts'
import { type Served, serve } from './serve.ts'

const IDS = { 'x-client-id': 'acme', 'x-profile-id': 'open' }
const ALL = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const
const WEBSOCKET = {
  gathers: false,
  response_validation: 'off',
  cache: null,
  idempotency: false,
  graphql: null,
  websocket: true,
} as const
const reversed = (text: string): string => [...text].reverse().join('')

let served: Served

before(async () => {
  served = await serve((port) => [
    collection('orders', {
      upstream: upstream(port, { path: '/backend' }),
      headers: [
        { name: 'X-Env', value: 'live' },
        { name: 'X-Both', value: 'collection' },
      ],
      credential: 'crd_basic',
      proxies: [
        proxy('root', '/'),
        proxy('get-order', '/v1/orders/{id}', { methods: ['GET', 'POST'] }),
        proxy('cancel', '/v1/orders/{id}:cancel', { methods: ['POST'] }),
        proxy('slash', '/v1/orders/'),
        proxy('moved', '/v2/{area}/{id}', { target_path: '/old/{id}/in/{area}' }),
        proxy('close', '/v3/{id}:close', { target_path: '/closed/{id}' }),
        proxy('files', '/files/*', { target_path: '/store/*', methods: [...ALL] }),
        proxy('slow', '/slow', { methods: ['GET'] }),
        proxy('headers', '/headers', {
          headers: [
            { name: 'x-both', value: 'proxy' },
            { name: 'Authorization', value: 'configured' },
          ],
        }),
        proxy('plain', '/plain', { credential: 'none' }),
        proxy('keyed', '/keyed', { credential: 'crd_header' }),
        proxy('asked', '/asked', { credential: 'crd_query' }),
        proxy('bearer', '/bearer', { credential: 'crd_bearer' }),
        proxy('broken', '/broken', { credential: 'crd_broken' }),
        proxy('missing', '/missing', { credential: 'crd_nowhere' }),
        proxy('unlimited', '/unlimited', { policy: 'pol_off' }),
        proxy('lost', '/lost', { policy: 'pol_nowhere' }),
        proxy('one', '/one', { policy: 'pol_one' }),
        proxy('socket', '/socket', { features: WEBSOCKET }),
        proxy('counted', '/counted', { methods: ['POST'], policy: 'pol_counted' }),
      ],
    }),
    collection('deep', {
      base_path: '/orders/v1/deep',
      upstream: upstream(port),
      proxies: [proxy('d', '/x')],
    }),
    collection('hosted', {
      upstream: upstream(port, { host_header: 'preserve' }),
      hosts: ['api.example.com'],
      proxies: [proxy('h', '/x')],
    }),
    collection('dead', { upstream: upstream(1), proxies: [proxy('dead', '/*')] }),
    collection('late', {
      upstream: upstream(port, { first_byte_ms: 50 }),
      proxies: [proxy('late', '/slow')],
    }),
    policy('one', [rate(1), dailyQuota(100)]),
    policy('off', [rate(1)], false),
    policy('counted', [rate(1)]),
    credential('basic', 'basic', { username: 'svc' }, { password: reversed('s3cret') }),
    credential('bearer', 'bearer', {}, { token: reversed('b3arer') }),
    credential(
      'header',
      'api_key',
      { in: 'header', name: 'X-Api-Key', prefix: 'Key ' },
      { key: reversed('k3y') },
    ),
    credential('query', 'api_key', { in: 'query', name: 'api key' }, { key: reversed('k3y&+') }),
    credential('broken', 'bearer', {}, { token: 'broken' }),
    client('acme', {
      collections: ['col_orders', 'col_deep', 'col_hosted', 'col_dead', 'col_late'],
      profiles: [
        profile('open', { forward_identity: true }),
        profile('reader', { allowed_methods: ['GET'], endpoints: { allow: [], deny: ['files'] } }),
      ],
    }),
  ])
})

after(() => served.close())

async function seen(path: string, headers: Record<string, string> = {}, method = 'GET', body?: string) {
  const answer = await served.ask(path, {
    headers: { ...IDS, ...headers },
    method,
    ...(body === undefined ? {} : { body }),
  })
  assert.equal(answer.status, 200, `${path}: ${answer.text}`)
  return { ...answer, upstream: served.echo.seen.at(-1)! }
}

test('the path that matched is the path that is forwarded, below that of the upstream', async () => {
  const cases = [
    ['/orders/v1/orders/7?a=1&a=%20&b', '/backend/v1/orders/7?a=1&a=%20&b'],
    ['/orders/v1/orders/%7E%41', '/backend/v1/orders/~A'],
    ['/orders', '/backend'],
    ['/orders/', '/backend/'],
    ['/orders/v1/orders/', '/backend/v1/orders/'],
    ['/orders/v2/eu/42', '/backend/old/42/in/eu'],
    ['/orders/v3/..7:close', '/backend/closed/..7'],
    ['/orders/files/a/b%20c/', '/backend/store/a/b%20c/'],
    ['/orders/files/', '/backend/store/'],
    ['/orders/v1/deep/x', '/x'],
  ] as const
  for (const [asked, url] of cases) assert.equal((await seen(asked)).upstream.url, url, asked)
})

test('no part of a segment becomes dots or parameters of the path at the upstream', async () => {
  for (const id of ['..', '.', '...:close', '..;x', '%2E%2E']) {
    const before = served.echo.seen.length
    const answer = await served.ask(`/orders/v3/${id}:close`, { headers: IDS })
    const isSent = id === '...:close'
    assert.deepEqual(
      [answer.status, answer.json['code']],
      isSent ? [200, undefined] : [400, 'request_not_canonical'],
      id,
    )
    assert.equal(served.echo.seen.length - before, isSent ? 1 : 0)
  }
})

test('the record of an answer that is a stream of events says so', async () => {
  const index = served.records.length
  await served.ask('/orders/plain?events', { headers: IDS })
  await served.ask('/orders/plain', { headers: IDS })
  assert.deepEqual(
    [(await served.record(index)).isStream, (await served.record(index + 1)).isStream],
    [true, false],
  )
})

test('parameters inside a segment go before parameters that are one', async () => {
  const index = served.records.length
  await seen('/orders/v1/orders/7:cancel', {}, 'POST')
  assert.equal((await served.record(index)).proxy, 'prx_cancel')
  await seen('/orders/v1/orders/7:cancel')
  assert.equal((await served.record(index + 1)).proxy, 'prx_get-order')
})

test('identity and forwarding headers of the caller never reach the upstream', async () => {
  const { upstream: saw } = await seen('/orders/plain', {
    'x-postern-client': 'forged',
    'x-forwarded-for': '1.2.3.4',
    'x-forwarded-proto': 'gopher',
    'x-forwarded-host': 'forged.example',
    'x-forwarded-client-cert': 'forged',
    forwarded: 'for=1.2.3.4',
    'client-cert': 'forged',
    'x-request-id': 'forged',
    traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
    'x-own': 'kept',
    host: 'front.example:81',
  })
  assert.equal(saw.headers['x-postern-client'], 'acme')
  assert.equal(saw.headers['x-postern-profile'], 'open')
  assert.equal(saw.headers['x-forwarded-for'], '127.0.0.1')
  assert.equal(saw.headers['x-forwarded-proto'], 'http')
  assert.equal(saw.headers['x-forwarded-host'], 'front.example:81')
  assert.equal(saw.headers['host'], `127.0.0.1:${served.echo.port}`)
  assert.equal(saw.headers['x-request-id'], served.records.at(-1)!.id)
  assert.equal(saw.headers['traceparent'], '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01')
  assert.equal(saw.headers['x-own'], 'kept')
  for (const name of [
    ...['authorization', 'x-client-id', 'x-profile-id'],
    ...['forwarded', 'client-cert', 'x-forwarded-client-cert'],
  ])
    assert.equal(saw.headers[name], undefined, name)
})

/** What the upstream saw of a request with these lines. */
async function seenOf(lines: string, path = '/orders/plain') {
  const caller = new Caller(served.port)
  caller.send(
    `GET ${path} HTTP/1.1\r\nHost: a\r\nX-Client-ID: acme\r\nX-Profile-ID: open\r\n${lines}Connection: close\r\n\r\n`,
  )
  assert.match(await caller.closed(), /^HTTP\/1\.1 200 /, lines)
  return served.echo.seen.at(-1)!
}

test('cookies of the authorization server never reach an upstream, all others do as they came', async () => {
  const signed = 'postern_session=abc; postern_session.sig=x_-1'
  for (const [lines, cookie] of [
    ['Cookie: a=1;b="2, 3";  c\r\n', 'a=1;b="2, 3";  c'],
    ['Cookie: my_postern_session=1; postern_sessions=2; postern_theme=3; x=postern_session=4\r\n', undefined],
    [`Cookie: ${signed}\r\n`, null],
    [`Cookie: a=1; ${signed}; b=2;c=3\r\n`, 'a=1; b=2;c=3'],
    [`COOKIE:${signed};a=1\r\n`, 'a=1'],
    [`cookie: a=1; b=2;${signed}\r\n`, 'a=1; b=2'],
    [`Cookie: \t postern_session = abc ;\ta=1 ; postern_session\r\n`, 'a=1'],
    [`Cookie: a=1\r\nX-Own: kept\r\nCookie: ${signed}\r\nCookie: b=2; postern_resume=1\r\n`, 'a=1; b=2'],
    [`Cookie: a=1, ${signed}, b=2\r\n`, 'a=1, b=2'],
    ['Cookie: __Host-postern_session=1; __Host-postern_session.legacy.sig=2; a=1\r\n', 'a=1'],
    [
      'Cookie: __Secure-postern_interaction=1; __Secure-postern_resume.sig=1; postern_interaction=1\r\n',
      null,
    ],
  ] as const) {
    const { headers } = await seenOf(lines)
    const wanted = cookie === undefined ? lines.slice('Cookie: '.length, -2) : (cookie ?? undefined)
    assert.equal(headers['cookie'], wanted, lines)
    assert.equal(headers['x-own'], lines.includes('X-Own') ? 'kept' : undefined)
  }
})

test(
  'an offer of a WebSocket takes none of them along either',
  nativeAlone('the engine on node:http takes no offers'),
  async () => {
    const offer = 'Upgrade: websocket\r\nConnection: upgrade\r\n'
    const saw = await seenOf(`Cookie: __Host-postern_session=1; a=1\r\n${offer}`, '/orders/socket')
    assert.deepEqual([saw.headers['upgrade'], saw.headers['cookie']], ['websocket', 'a=1'])
  },
)

test('an upstream always gets a traceparent: that of the caller, or a new one where it is none', async () => {
  const [trace, span] = ['4bf92f3577b34da6a3ce929d0e0e4736', '00f067aa0ba902b7']
  const good = `00-${trace}-${span}-01`
  const state = 'tracestate: a=1\r\nTraceState: b=2\r\n'
  for (const [lines, passed, stateful] of [
    [`TraceParent: ${good} \r\n${state}`, good, 'a=1, b=2'],
    [`traceparent: 00-${trace}-${span}-00\r\n`, `00-${trace}-${span}-00`],
    [`traceparent: cc-${trace}-${span}-03-more\r\n${state}`, good, 'a=1, b=2'],
    [state, null],
    [`traceparent: ${good}\r\ntraceparent: ${good}\r\n${state}`, null],
    [`traceparent: ${good.toUpperCase()}\r\n${state}`, null],
    [`traceparent: ${good}-more\r\n`, null],
    [`traceparent: ff-${trace}-${span}-01\r\n`, null],
    [`traceparent: 00-${'0'.repeat(32)}-${span}-01\r\n`, null],
    [`traceparent: 00-${trace}-${'0'.repeat(16)}-01\r\n`, null],
    ['traceparent:\r\n', null],
  ] as const) {
    const { headers } = await seenOf(lines)
    if (passed === null) {
      assert.match(headers['traceparent']!, /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/, lines)
      assert.ok(!headers['traceparent']!.includes(trace), lines)
    } else assert.equal(headers['traceparent'], passed, lines)
    assert.equal(headers['tracestate'], stateful, lines)
  }
})

test('configured headers replace inbound ones, the proxy wins over the collection, the credential over both', async () => {
  const first = (await seen('/orders/headers', { 'X-ENV': 'mine', 'x-both': 'mine' })).upstream.headers
  assert.equal(first['x-env'], 'live')
  assert.equal(first['x-both'], 'proxy')
  assert.equal(first['authorization'], `Basic ${Buffer.from('svc:s3cret').toString('base64')}`)
  const second = (await seen('/orders/keyed', { 'x-api-key': 'mine' })).upstream.headers
  assert.equal(second['x-api-key'], 'Key k3y')
  assert.equal(second['x-both'], 'collection')
  assert.equal(second['authorization'], undefined)
})

test('a bearer token and a key in the query are sent, and take the place of what the caller sent', async () => {
  assert.equal((await seen('/orders/bearer')).upstream.headers['authorization'], 'Bearer b3arer')
  assert.equal((await seen('/orders/asked')).upstream.url, '/backend/asked?api%20key=k3y%26%2B')
  const { upstream: saw } = await seen('/orders/asked?a=1&api+key=mine&api%20key=mine&b=2')
  assert.equal(saw.url, '/backend/asked?a=1&b=2&api%20key=k3y%26%2B')
})

test('answers carry the request id and not the server of the upstream', async () => {
  const { headers } = await seen('/orders/plain')
  assert.equal(headers['x-request-id'], served.records.at(-1)!.id)
  assert.equal(headers['server'], undefined)
})

test('the host decides among collections and is passed on where that is wanted', async () => {
  const { upstream: saw } = await seen('/hosted/x', { host: 'API.example.com:8080' })
  assert.equal(saw.headers['host'], 'api.example.com:8080')
  const answer = await served.ask('/hosted/x', { headers: { ...IDS, host: 'other.example.com' } })
  assert.equal(answer.json['code'], 'route_not_found')
})

test('HEAD is answered by GET, with no body', async () => {
  const answer = await served.ask('/orders/v1/orders/7', { method: 'HEAD', headers: IDS })
  assert.equal(answer.status, 200)
  assert.equal(answer.text, '')
  assert.equal(served.echo.seen.at(-1)!.method, 'HEAD')
})

async function refusal(path: string, method = 'GET', headers: Record<string, string> = IDS, body?: string) {
  const index = served.records.length
  const answer = await served.ask(path, { headers, method, ...(body === undefined ? {} : { body }) })
  const record = await served.record(index)
  assert.equal(record.code, answer.json['code'] ?? record.code)
  return { ...answer, code: record.code, record }
}

test('a method outside of the lists is 405 with the ones that work', async () => {
  const one = await refusal('/orders/v1/orders/7', 'DELETE')
  assert.equal(one.status, 405)
  assert.equal(one.code, 'method_not_allowed')
  assert.equal(one.headers['allow'], 'GET, HEAD, POST')
  assert.equal(one.record.stoppedAt, 12)
  const reader = { 'x-client-id': 'acme', 'x-profile-id': 'reader' }
  const two = await refusal('/orders/v1/orders/7', 'POST', reader)
  assert.equal(two.headers['allow'], 'GET, HEAD')
  assert.equal((await served.ask('/orders/v1/orders/7', { method: 'HEAD', headers: reader })).status, 200)
  assert.equal((await refusal('/orders/files/x', 'POST', reader)).code, 'endpoint_not_allowed')
})

test('a body that is too large is refused: a declared one before the upstream and at no cost to a limit, a chunked one when it is over', async () => {
  const contacts = served.echo.seen.length
  const declared = await refusal('/orders/files/x', 'POST', IDS, 'x'.repeat(10_001))
  assert.equal(declared.status, 413)
  assert.equal(declared.code, 'body_too_large')
  assert.equal(declared.record.stoppedAt, 1)
  assert.equal((await refusal('/orders/counted', 'POST', IDS, 'x'.repeat(10_001))).code, 'body_too_large')
  assert.equal(served.echo.seen.length, contacts)
  await seen('/orders/counted', {}, 'POST', 'x')
  assert.equal((await refusal('/orders/counted', 'POST', IDS, 'x')).code, 'rate_limit_exceeded')
  assert.equal((await seen('/orders/files/x', {}, 'POST', 'x'.repeat(10_000))).upstream.body.length, 10_000)
  const caller = new Caller(served.port)
  const lines = 'Host: a\r\nX-Client-ID: acme\r\nX-Profile-ID: open\r\nTransfer-Encoding: chunked\r\n'
  caller.send(`POST /orders/files/x HTTP/1.1\r\n${lines}\r\n`)
  for (let i = 0; i < 11; i++) caller.send(`400\r\n${'x'.repeat(1024)}\r\n`)
  assert.match(await caller.closed(), /^HTTP\/1\.1 413 [\s\S]*"code":"body_too_large"/)
})

test('an upstream that is not there is 502, one that is silent 504, a missing credential 500', async () => {
  const dead = await refusal('/dead/x')
  assert.equal(dead.status, 502)
  assert.equal(dead.code, 'upstream_unreachable')
  assert.equal(dead.record.stoppedAt, 17)
  assert.ok(!dead.text.includes('127.0.0.1'), 'no address of the upstream')
  const late = await refusal('/late/slow')
  assert.equal(late.status, 504)
  assert.equal(late.code, 'upstream_timeout')
  for (const path of ['/orders/broken', '/orders/missing']) {
    const answer = await refusal(path)
    assert.equal(answer.status, 500)
    assert.equal(answer.code, 'credential_unavailable')
    assert.equal(answer.record.stoppedAt, 17)
  }
  assert.deepEqual(served.gateway.snapshot.faults, ['credential broken cannot be used: cannot open'])
})

test('an answer that is no HTTP is 502 and not passed on', async () => {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.on('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx'))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  try {
    served.apply([
      collection('dead', {
        upstream: upstream((server.address() as AddressInfo).port),
        proxies: [proxy('dead', '/*')],
      }),
    ])
    const answer = await refusal('/dead/x')
    assert.equal(answer.status, 502)
    assert.equal(answer.code, 'upstream_invalid_response')
  } finally {
    server.close()
  }
})

test('a limit says what is left on answers and refusals, and on a refusal when to come back', async () => {
  const first = await served.ask('/orders/one', { headers: IDS })
  assert.equal(first.status, 200)
  assert.equal(first.headers['ratelimit-policy'], '"minute";q=1;w=60, "day";q=100;w=86400')
  assert.match(String(first.headers['ratelimit']), /^"minute";r=0;t=60, "day";r=99;t=\d+$/)
  const answer = await refusal('/orders/one')
  assert.equal(answer.status, 429)
  assert.equal(answer.code, 'rate_limit_exceeded')
  assert.equal(answer.record.stoppedAt, 13)
  assert.match(String(answer.headers['ratelimit']), /^"minute";r=0;t=(59|60), "day";r=99;t=\d+$/)
  assert.match(String(answer.headers['retry-after']), /^(59|60)$/)
  assert.equal(answer.json['policy'], 'one')
  assert.equal(answer.json['limit_name'], 'minute')
  assert.equal(answer.json['attached_to'], 'proxy')
  assert.equal(answer.json['max'], 1)
  assert.equal(answer.json['remaining'], 0)
  assert.ok(Number(answer.json['retry_after_ms']) > 50_000)
  assert.ok(Date.parse(String(answer.json['reset_at'])) > served.now())
})

test('an inactive policy limits nothing, and one that is not there fails closed', async () => {
  for (let i = 0; i < 3; i++) await seen('/orders/unlimited')
  const answer = await refusal('/orders/lost')
  assert.equal(answer.status, 500)
  assert.equal(answer.code, 'route_unavailable')
})

test('reserved paths go to their door, whatever base paths there are, and only /mcp leaves a record', async () => {
  const records = served.records.length
  for (const path of ['/mcp', '/management/v1/x', '/api/v1/mcp', '/healthz'])
    assert.equal((await served.ask(path)).text, 'reserved', path)
  await seen('/orders/plain')
  assert.deepEqual([(await served.record(records)).path, served.records[records]?.surface], ['/mcp', 1])
  assert.equal((await served.record(records + 1)).path, '/orders/plain')
  assert.equal((await served.ask('/mcpx', { headers: IDS })).json['code'], 'route_not_found')
})

test('hostile requests are refused with a record, and reach neither a route nor an upstream', async () => {
  const contacts = served.echo.seen.length
  for (const [name, bytes, code] of HOSTILE) {
    const caller = new Caller(served.port)
    // Node reads some of them well: then no check lets them pass, and the next request ends the connection
    caller.send(`${bytes}GET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`)
    const answer = await caller.closed()
    assert.match(answer, /^HTTP\/1\.1 [45]\d\d [\s\S]*X-Request-ID: req_/, name)
    const recorded = served.records.at(-1)!.code
    const wanted = ENGINE === 'node' ? (OTHER_CODES[name] ?? code) : code
    // A broken body is behind a head for which there is no route
    const isRead = /\bchunk\b|trailer/.test(name) || (ENGINE === 'node' && name in LOOSER)
    assert.ok(recorded === wanted || (isRead && recorded === 'route_not_found'), `${name}: ${recorded}`)
    assert.ok(answer.includes(`"code":"${recorded}"`), `${name}: ${answer}`)
  }
  assert.equal(served.echo.seen.length, contacts)
})

test('one target is authorised as the path that the upstream sees, or not at all', async () => {
  const reader = { 'x-client-id': 'acme', 'x-profile-id': 'reader' }
  const targets = [
    '/orders/v1/orders/../../files/x',
    '/orders/v1/orders/%2e%2e/files/x',
    '/orders/v1/orders/..%2ffiles',
    '/orders//files/x',
    '/orders/v1/orders/;/../files/x',
    '/orders/v1/orders/a%5c..%5cfiles',
    '/orders/fil%65s/x',
    '/ORDERS/files/x',
  ]
  for (const target of targets) {
    const contacts = served.echo.seen.length
    const caller = new Caller(served.port)
    caller.send(
      `GET ${target} HTTP/1.1\r\nHost: a\r\nX-Client-ID: acme\r\nX-Profile-ID: ${reader['x-profile-id']}\r\nConnection: close\r\n\r\n`,
    )
    assert.match(await caller.closed(), /^HTTP\/1\.1 4\d\d /, target)
    assert.equal(served.echo.seen.length, contacts, target)
  }
})
