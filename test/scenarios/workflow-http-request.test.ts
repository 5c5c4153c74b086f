/** http_request_node over real sockets: what it sends and what it never sends, how it fails, and how it is bounded. */
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { Agent, type IncomingMessage, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { json } from 'node:stream/consumers'
import { after, test } from 'node:test'
import { ownPort } from '../support/ports.ts'
import { CERTIFICATE, OTHER_CERTIFICATE, PRIVATE_KEY } from '../wire/certificate.ts'
import { answer, type Definition, flow, startFlows } from './flows.ts'
import { call, publishOrders, type Reply, startTestServer, until } from './server.ts'
import { startUpstream } from './upstream.ts'

const PLANTED = 'planted-bearer-0042'

const { server, upstream, token, endpoint, get, post, share, record, executeCall, stop } = await startFlows()
/** The server that nodes ask. */
const other = await startUpstream()
const secure = await startUpstream({ cert: CERTIFICATE, key: PRIVATE_KEY })
after(async () => {
  await stop()
  await other.close()
  await secure.close()
})

const made = await server.manage('POST', '/credentials', {
  name: 'Rates',
  auth: { type: 'bearer', token: PLANTED },
})
assert.equal(made.status, 201, made.text)

const node = (config: object, more: object = {}): object => ({
  id: 'ask',
  type: 'http_request_node',
  config: { url: other.url, ...config },
  ...more,
})
/** Answers with what came. */
const asking = (config: object, more: object = {}): Definition =>
  flow(
    [
      node(config, more),
      answer('ok', { body: { status: '{{ $.ask.status }}', body: '{{ $.ask.body }}' } }),
      answer('bad', { body: '{{ $.ask.error }}' }, { status: 502 }),
    ],
    ['http ask', 'ask success ok', 'ask error bad'],
  )
async function reasonOf(reply: Reply): Promise<string> {
  return (await record(reply.headers.get('x-request-id')!)).reason
}

test('a node asks a server of its own with path, query, headers and body from inputs, the same over REST and by an agent', async () => {
  const path = await endpoint(
    asking(
      { url: `${other.url}/v2/`, method: 'PUT' },
      {
        inputs: {
          path: '/rates/{{ $.http.request.query.from }}',
          query: { to: '{{ $.http.request.query.to }}', on: ['a', 'b'] },
          headers: { 'X-Trace': '{{ $.http.request.client }}' },
          body: { amount: '{{ $.http.request.body.amount }}' },
        },
      },
    ),
  )
  const reply = await post(`${path}?from=eur&to=u%26sd`, { amount: 7 })
  assert.equal(reply.status, 200, reply.text)
  const { method, url, headers, body } = reply.json.body
  assert.deepEqual(
    [reply.json.status, method, url, headers['x-trace'], headers['content-type'], body],
    [200, 'PUT', '/v2/rates/eur?to=u%26sd&on=a&on=b', 'acme', 'application/json', '{"amount":7}'],
  )
  assert.equal(headers.host, `127.0.0.1:${other.port}`)
  const agent = await executeCall({
    endpoint: `POST ${path}`,
    params: { query: { from: 'eur', to: 'usd' }, body: { amount: 8 } },
  })
  assert.deepEqual([agent.status, agent.body.body.body], [200, '{"amount":8}'])
})

test('nothing of the caller is sent but what an input gives: no authorization, identity, address, header, query or body', async () => {
  const forwards = await server.manage('PATCH', '/profiles/sandbox', { forward_identity: true })
  assert.equal(forwards.status, 200, forwards.text)
  const path = await endpoint(asking({ method: 'POST', url: `${other.url}/exact/` }))
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
  const reply = await call('POST', `${server.running.gatewayUrl}${path}?secret=1`, {
    token,
    headers: { cookie: 'sid=1', 'x-own': 'mine', 'x-client-id': 'acme', traceparent, accept: 'text/csv' },
    body: { secret: 1 },
  })
  assert.equal(reply.status, 200, reply.text)
  const { url, headers, body } = reply.json.body
  assert.deepEqual([url, body], ['/exact/', ''])
  assert.deepEqual(
    Object.keys(headers)
      .filter((name) => !['connection', 'content-length'].includes(name))
      .sort(),
    ['accept', 'host', 'traceparent', 'user-agent', 'x-request-id'],
  )
  assert.deepEqual(
    [headers.accept, headers['user-agent'], headers.traceparent],
    ['*/*', 'postern', traceparent],
  )
  assert.equal(headers['x-request-id'], reply.headers.get('x-request-id'))
  // The upstream of the same collection is told who calls
  await get('/orders/v1/orders/7')
  assert.equal(upstream.seen.at(-1)?.headers['x-postern-client'], 'acme')
})

test('the credential of the node is sent, goes before an Authorization of the inputs, and stands in no record', async () => {
  const path = await endpoint(
    asking({ credential: 'rates' }, { inputs: { headers: { Authorization: '{{ "Bearer mine" }}' } } }),
  )
  const reply = await get(path)
  assert.equal(reply.json.body.headers.authorization, `Bearer ${PLANTED}`)
  const stored = await record(reply.headers.get('x-request-id')!)
  assert.ok(!JSON.stringify(stored).includes('planted'))
  assert.equal(stored.upstream_status, 200)
  const key = await server.manage('POST', '/credentials', {
    name: 'In query',
    auth: { type: 'api_key', in: 'query', name: 'key', key: PLANTED },
  })
  assert.equal(key.status, 201, key.text)
  const inQuery = await endpoint(
    asking({ credential: 'in-query' }, { inputs: { query: { key: 'mine', a: 1 } } }),
  )
  const second = await get(inQuery)
  assert.equal(second.json.body.url, `/?a=1&key=${PLANTED}`)
  assert.ok(!JSON.stringify(await record(second.headers.get('x-request-id')!)).includes('planted'))
  const own = await endpoint(asking({}, { inputs: { headers: { Authorization: '{{ "Bearer mine" }}' } } }))
  assert.equal((await get(own)).json.body.headers.authorization, 'Bearer mine')
})

test('names that Postern keeps for itself, and a value that breaks out of a header or a path, are not sent', async () => {
  const path = await endpoint(
    asking(
      {},
      {
        inputs: {
          path: '/a/{{ $.http.request.query.path }}',
          headers: {
            'X-Given': '{{ $.http.request.query.header }}',
            'X-Postern-Client': 'forged',
            Host: 'elsewhere',
            'X-Forwarded-Host': 'elsewhere',
            'Content-Length': '7',
          },
        },
      },
    ),
  )
  const { headers } = (await get(`${path}?path=b&header=c`)).json.body
  assert.deepEqual(
    [headers['x-given'], headers['x-postern-client'], headers['x-forwarded-host'], headers.host],
    ['c', undefined, undefined, `127.0.0.1:${other.port}`],
  )
  const before = other.seen.length
  for (const query of [
    'path=..%2Fadmin&header=c',
    'path=b%3Fx=1&header=c',
    'path=b&header=c%0D%0AX-Evil:%201',
  ]) {
    const reply = await get(`${path}?${query}`)
    assert.deepEqual([reply.status, reply.json.code], [500, 'workflow_failed'], query)
  }
  assert.equal(other.seen.length, before)
})

test('an error status is an answer, and a failure with on_error or retry; redirects are not followed', async () => {
  const before = other.answer
  let count = 0
  other.answer = ({ url }, response) => {
    if (url === '/moved') response.writeHead(302, { location: `${other.url}/secret` }).end()
    else if (url === '/third')
      response.writeHead(++count < 3 ? 503 : 200, { 'content-type': 'text/plain' }).end('up')
    else response.writeHead(503).end()
  }
  try {
    const at = (path: string, more: object = {}) => asking({}, { inputs: { path }, ...more })
    assert.deepEqual((await get(await endpoint(at('/down')))).json, { status: 503, body: null })
    const handled = await get(await endpoint(at('/down', { on_error: 'handle' })))
    assert.deepEqual([handled.status, handled.json], [502, { kind: '503', message: 'it answered 503' }])
    const seen = other.seen.length
    const retried = await endpoint(at('/third', { retry: { max: 2, delay: '1ms', on: ['503'] } }))
    assert.deepEqual((await get(retried)).json, { status: 200, body: 'up' })
    assert.equal(other.seen.length - seen, 3)
    assert.deepEqual((await get(await endpoint(at('/moved')))).json, { status: 302, body: null })
    assert.ok(!other.seen.some(({ url }) => url === '/secret'))
  } finally {
    other.answer = before
  }
})

test('a server that does not answer in time, or at all, fails the node, and its connection is closed', async () => {
  const before = other.answer
  const gone = Promise.withResolvers<void>()
  other.answer = (_seen, response) => void response.once('close', () => gone.resolve())
  try {
    const slow = await endpoint(asking({}, { timeout: '50ms' }))
    const reply = await get(slow)
    assert.deepEqual([reply.status, reply.json.code], [500, 'workflow_failed'])
    assert.equal(await reasonOf(reply), 'node "ask": it took too long')
    await gone.promise
  } finally {
    other.answer = before
  }
  const closed = await startUpstream()
  await closed.close()
  const handled = await get(await endpoint(asking({ url: closed.url }, { on_error: 'handle' })))
  assert.deepEqual([handled.status, handled.json.kind], [502, '502'])
  const failed = await get(await endpoint(asking({ url: closed.url })))
  assert.deepEqual([failed.status, failed.json.code], [502, 'upstream_unreachable'])
  assert.ok(!failed.text.includes('127.0.0.1'))
})

test('a caller that leaves ends the request that its run has under way', async () => {
  const path = await endpoint(asking({}))
  const before = other.answer
  const asked = Promise.withResolvers<void>()
  const gone = Promise.withResolvers<void>()
  other.answer = (_seen, response) => {
    response.once('close', () => gone.resolve())
    asked.resolve()
  }
  try {
    const outgoing = request(`${server.running.gatewayUrl}${path}`, {
      headers: { authorization: `Bearer ${token}` },
    })
    outgoing.end()
    await asked.promise
    outgoing.destroy()
    await once(outgoing, 'error')
    await gone.promise
  } finally {
    other.answer = before
  }
})

test('a response of max_body bytes is read, and a longer one is a failure, declared or not', async () => {
  const before = other.answer
  other.answer = ({ url }, response) => {
    const [, way, bytes] = url.split('/')
    response.setHeader('content-type', 'text/plain')
    if (way === 'declared') response.end('x'.repeat(Number(bytes)))
    else {
      response.write('x')
      response.end('x'.repeat(Number(bytes) - 1))
    }
  }
  try {
    const path = await endpoint(
      asking({ max_body: 1000 }, { inputs: { path: '/{{ $.http.request.query.at }}' }, on_error: 'handle' }),
    )
    for (const way of ['declared', 'chunked']) {
      assert.equal((await get(`${path}?at=${way}/1000`)).json.body.length, 1000)
      const long = await get(`${path}?at=${way}/1001`)
      assert.deepEqual(long.json, {
        kind: 'max_body',
        message: 'the body of the response is longer than max_body, 1000 bytes',
      })
    }
  } finally {
    other.answer = before
  }
})

test('TLS is verified with the authorities and the name of the settings', async () => {
  const at = (tls: object | null) => asking({ url: secure.url, tls }, { on_error: 'handle' })
  assert.equal((await get(await endpoint(at({ ca: CERTIFICATE })))).json.status, 200)
  const named = { ca: CERTIFICATE, server_name: 'origin.test', min_version: '1.3' }
  assert.equal((await get(await endpoint(at(named)))).json.status, 200)
  for (const tls of [null, { ca: OTHER_CERTIFICATE }, { ca: CERTIFICATE, server_name: 'other.test' }])
    assert.equal((await get(await endpoint(at(tls)))).json.kind, '502', JSON.stringify(tls))
  const plain = await server.manage('POST', '/workflows/validate', { definition: asking({ tls: {} }) })
  assert.deepEqual(
    plain.json.findings.map(({ code, pointer }: Record<string, string>) => [code, pointer]),
    [['bad_config', '/nodes/1/config/tls']],
  )
})

test('two clients that call at once get the answers to their own requests', async () => {
  await server.manage('POST', '/clients', { name: 'Globex', slug: 'globex', collections: ['orders'] })
  const profile = await server.manage('POST', '/profiles', {
    client: 'globex',
    name: 'Live',
    auth: { type: 'token' },
  })
  const path = await endpoint(
    flow(
      [
        node({}, { inputs: { path: '/of/{{ $.http.request.client }}/{{ $.http.request.query.n }}' } }),
        answer('ok', { body: '{{ $.ask.body.url }}' }),
      ],
      ['http ask', 'ask success ok'],
    ),
  )
  const before = other.answer
  other.answer = (seen, response) => {
    response.setHeader('set-cookie', `of=${seen.url}`)
    before(seen, response)
  }
  try {
    const numbers = Array.from({ length: 20 }, (_, n) => n)
    const [acme, globex] = await Promise.all(
      [token, profile.json.token].map((one: string) =>
        Promise.all(numbers.map(async (n) => (await get(`${path}?n=${n}`, one)).json)),
      ),
    )
    assert.deepEqual(
      acme,
      numbers.map((n) => `/of/acme/${n}`),
    )
    assert.deepEqual(
      globex,
      numbers.map((n) => `/of/globex/${n}`),
    )
    assert.ok(other.seen.every(({ headers }) => headers.cookie === undefined))
  } finally {
    other.answer = before
  }
})

test('a URL with an expression, a query or a login, and one that the egress rule refuses, is refused at save', async () => {
  const own = (url: string) =>
    server.manage('POST', '/proxies', {
      ...{
        collection: 'orders',
        name: 'Refused',
        methods: ['GET'],
        path: '/v1/refused',
        status: 'published',
      },
      workflow: asking({ url }),
    })
  for (const url of [
    'https://{{ $.http.request.query.host }}/',
    'https://api.example.com:{{ $.http.request.query.port }}/',
    '{{ $.http.request.query.scheme }}://api.example.com/',
    'https://api.example.com/{{ $.http.request.query.path }}',
    'https://api.example.com/?to={{ $.http.request.query.to }}',
    'https://api.example.com/?to=usd',
    'https://user:pass@api.example.com/',
    'file:///etc/passwd',
  ]) {
    const reply = await own(url)
    assert.deepEqual(
      [reply.status, reply.json.code, reply.json.errors?.[0]?.pointer],
      [422, 'configuration_invalid', '/workflow/nodes/1/config/url'],
      `${url}: ${reply.text}`,
    )
  }
  const control = new URL(server.running.controlUrl)
  for (const url of [
    'http://169.254.169.254/latest/meta-data',
    'http://[fe80::1]/',
    `http://localhost:${control.port}/management/v1`,
    `http://127.0.0.1:${control.port}/`,
  ]) {
    const reply = await own(url)
    assert.deepEqual([reply.status, reply.json.code], [422, 'configuration_invalid'], reply.text)
    assert.match(reply.json.errors[0].reason, /is refused/)
    assert.equal(reply.json.errors[0].pointer, '/workflow/nodes/1/config/url')
    const shared = await share('Refused', asking({ url }))
    assert.equal(shared.json.errors?.[0]?.pointer, '/definition/nodes/1/config/url', shared.text)
  }
})

test('a shared workflow and an inner one ask their servers, a change holds at the next call, and a used credential stays', async () => {
  const first = await share('Asks', asking({ credential: 'rates' }, { inputs: { path: '/one' } }))
  assert.equal(first.status, 201, first.text)
  const path = await endpoint('asks')
  assert.equal((await get(path)).json.body.url, '/one')
  const outer = await endpoint(
    flow(
      [
        { id: 'inner', type: 'subworkflow_node', config: { workflow: 'asks' } },
        answer('ok', { body: '{{ $.inner.body }}' }),
      ],
      ['http inner', 'inner success ok'],
    ),
  )
  assert.equal((await get(outer)).json.body.headers.authorization, `Bearer ${PLANTED}`)
  const changed = await server.manage('PATCH', '/workflows/asks', {
    definition: asking({ credential: 'rates' }, { inputs: { path: '/two' } }),
  })
  assert.equal(changed.status, 200, changed.text)
  for (let again = 0; again < 4; again++) assert.equal((await get(path)).json.body.url, '/two')
  const gone = await server.manage('DELETE', '/credentials/rates?confirm=rates')
  assert.deepEqual([gone.status, gone.json.code], [409, 'in_use'], gone.text)
})

test('the connection of a node is kept over changes of other things, also of a shared workflow', async () => {
  await using mine = await startUpstream()
  await using shared = await startUpstream()
  for (const one of [mine, shared])
    one.answer = (_seen, response) => {
      response.setHeader('content-type', 'application/json')
      response.end(String(response.req.socket.remotePort))
    }
  await share('Kept', asking({ url: shared.url }))
  const paths = [await endpoint(asking({ url: mine.url })), await endpoint('kept')]
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  // One connection, so one gateway thread
  const portOf = async (path: string): Promise<unknown> => {
    const outgoing = request(`${server.running.gatewayUrl}${path}`, {
      agent,
      headers: { authorization: `Bearer ${token}` },
    })
    outgoing.end()
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
    return ((await json(response)) as { body: unknown }).body
  }
  const ports = async (): Promise<unknown[]> => [await portOf(paths[0]!), await portOf(paths[1]!)]
  try {
    const before = await ports()
    assert.deepEqual(
      before.map((port) => typeof port),
      ['number', 'number'],
    )
    const changed = await server.manage('PATCH', '/proxies/orders:get-order', { name: 'Changed' })
    assert.equal(changed.status, 200, changed.text)
    assert.deepEqual(await ports(), before)
  } finally {
    agent.destroy()
  }
})

test('the egress rule judges each connection: a port that has become the control listener is not asked', async () => {
  const data = await mkdtemp(join(tmpdir(), 'postern-node-'))
  try {
    const port = await ownPort()
    await using first = await startTestServer({ data })
    const own = await publishOrders(first, upstream.url)
    const added = await first.manage('POST', '/proxies', {
      ...{ collection: 'orders', name: 'Asks', methods: ['GET'], path: '/v1/asks', status: 'published' },
      workflow: asking({ url: `http://127.0.0.1:${port}/management/v1` }),
    })
    assert.equal(added.status, 201, added.text)
    await first.stop()
    await using second = await startTestServer({ data, controlListen: `127.0.0.1:${port}` })
    const reply = await second.gateway('GET', '/orders/v1/asks', { token: own })
    assert.deepEqual([reply.status, reply.json.code], [502, 'upstream_unreachable'], reply.text)
    const { json: stored } = await until(
      () => second.manage('GET', `/records/${reply.json.request_id}`),
      ({ status }) => status === 200,
    )
    assert.match(stored.reason, /is refused: it is the control listener of this Postern/)
  } finally {
    await rm(data, { recursive: true, force: true })
  }
})

test('a credential that would be made of the token of the caller is never fetched, also if it became one later', async () => {
  await using tokens = await startUpstream()
  const profile = await server.manage('POST', '/profiles', {
    client: 'acme',
    name: 'Signed',
    auth: { type: 'jwt', issuer: 'acme', audience: 'orders' },
  })
  assert.equal(profile.status, 201, profile.text)
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const now = Math.floor(Date.now() / 1000)
  const signed = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ iss: 'acme', aud: 'orders', sub: 'ann', iat: now, exp: now + 600 })}`
  const jwt = `${signed}.${createHmac('sha256', profile.json.signing_secret).update(signed).digest('base64url')}`
  const later = { name: 'Later', auth: { type: 'bearer', token: PLANTED } }
  assert.equal((await server.manage('POST', '/credentials', later)).status, 201)
  const path = await endpoint(asking({ credential: 'later' }))
  assert.equal((await get(path, jwt)).json.body.headers.authorization, `Bearer ${PLANTED}`)
  const changed = await server.manage('PATCH', '/credentials/later', {
    auth: { type: 'token_exchange', token_url: `${tokens.url}/token`, client_id: 'a', client_secret: 'b' },
  })
  assert.equal(changed.status, 200, changed.text)
  const before = other.seen.length
  const reply = await get(path, jwt)
  assert.deepEqual([reply.status, reply.json.code], [500, 'credential_unavailable'], reply.text)
  assert.match(await reasonOf(reply), /the caller sent no token that could be exchanged/)
  assert.deepEqual([tokens.seen.length, other.seen.length - before], [0, 0])
})

test('a node shows its client certificate to the server', async () => {
  const closed = await startUpstream({
    cert: CERTIFICATE,
    key: PRIVATE_KEY,
    ca: [CERTIFICATE],
    requestCert: true,
    rejectUnauthorized: true,
  })
  try {
    const made = await server.manage('POST', '/credentials', {
      name: 'Ours',
      auth: { type: 'mtls', client_cert_pem: CERTIFICATE, client_key_pem: PRIVATE_KEY },
    })
    assert.equal(made.status, 201, made.text)
    const at = (credential: string | null) =>
      asking({ url: closed.url, tls: { ca: CERTIFICATE }, credential }, { on_error: 'handle' })
    assert.equal((await get(await endpoint(at('ours')))).json.status, 200)
    assert.equal((await get(await endpoint(at(null)))).status, 502)
  } finally {
    await closed.close()
  }
})

test('a live run of a definition that is not stored asks its own servers, with their credentials', async () => {
  const stored = await endpoint(asking({ url: `${other.url}/stored` }))
  const { json } = await server.manage('POST', '/workflows/test', {
    definition: asking({ url: `${other.url}/tried`, credential: 'rates' }),
    proxy: `orders:flow-${stored.slice(stored.lastIndexOf('-') + 1)}`,
    request: { path: stored, client: 'acme', profile: 'acme:sandbox' },
    live: true,
  })
  assert.equal(json.status, 200, JSON.stringify(json))
  const { url, headers } = json.body.body
  assert.deepEqual([url, headers.authorization], ['/tried', `Bearer ${PLANTED}`])
  assert.equal((await get(stored)).json.body.url, '/stored')
})
