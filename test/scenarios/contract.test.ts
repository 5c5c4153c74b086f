import assert from 'node:assert/strict'
import { request } from 'node:http'
import { after, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { ask as plainAsk } from '../gateway/serve.ts'
import { DEEP, GRAPHQL_OPERATIONS, schemaOf, WIDE } from '../support/graphql-operations.ts'
import { runPage } from '../support/page.ts'
import { startOrders } from './orders.ts'
import { call } from './server.ts'

const { server, upstream, token, ask, addProxy, executeCall, record, stop } = await startOrders()
after(stop)

for (const page of ['validation.md', 'graphql.md'])
  test(`what docs/${page} shows is what happens`, async () => {
    assert.ok((await runPage(page, server, { $TOKEN: token })) >= 4)
    await server.manage('PATCH', '/collections/orders', { request_validation: 'enforce' })
  })

test('operations arrive or are refused with their code, over REST and for an agent alike', async () => {
  const graphql = { max_depth: 3, max_complexity: 5 }
  const members = { kind: 'graphql', methods: ['GET', 'POST'], path: '/v1/graph', graphql }
  assert.equal((await addProxy('Bounded graph', members)).status, 201)
  const stoppedAt = new Map<string, readonly [string, number | null]>()
  for (const { what, url = {}, body, refused } of GRAPHQL_OPERATIONS) {
    const method = body === undefined ? 'GET' : 'POST'
    const query = new URLSearchParams(
      Object.entries(url).flatMap(([name, value]) =>
        [value].flat().map((one) => [name, one] as [string, string]),
      ),
    )
    let before = upstream.seen.length
    const rest = await ask(method, `/v1/graph?${query}`, body)
    const arrived = refused === undefined ? 1 : 0
    assert.deepEqual(
      [rest.status, upstream.seen.length - before],
      [arrived ? 200 : rest.status, arrived],
      what,
    )
    before = upstream.seen.length
    const agent = await executeCall({ endpoint: `${method} /orders/v1/graph`, params: { query: url, body } })
    assert.equal(upstream.seen.length - before, arrived, `${what}: ${JSON.stringify(agent)}`)
    for (const answer of [rest.json, { ...agent.body, code: agent.code }])
      if (refused !== undefined)
        assert.deepEqual(
          [answer.code, answer.errors[0].pointer],
          refused,
          `${what}: ${JSON.stringify(answer)}`,
        )
      else
        assert.deepEqual(
          [answer.code, answer.method, answer.body],
          [undefined, method, body === undefined ? '' : JSON.stringify(body)],
          what,
        )
    for (const id of [rest.headers.get('x-request-id')!, agent.request_id])
      stoppedAt.set(id, [what, arrived ? null : 14])
  }
  for (const [id, [what, stopped_at]] of stoppedAt)
    assert.equal((await record(id)).stopped_at, stopped_at, what)
  const told = new URLSearchParams({
    method: 'GET',
    target: `/orders/v1/graph?query=${encodeURIComponent(WIDE)}`,
    client: 'acme',
    headers: 'Accept: */*',
  })
  const { json: explained } = await server.manage('GET', `/requests/explain?${told}`)
  const operation = explained.checks.find(({ name }: { name: string }) => name === 'operation')
  assert.deepEqual(
    [explained.code, operation.code, operation.setting],
    ['graphql_rejected', 'graphql_rejected', 'proxies/orders:bounded-graph graphql'],
  )
  const wide = await ask('POST', '/v1/graph', { query: WIDE })
  assert.deepEqual(
    [wide.status, wide.json.max_complexity, wide.json.errors[0].reason],
    [400, 5, 'has 6 fields, and 5 are allowed'],
  )
  const behind = await ask('POST', `/v1/graph?a=b;query=${encodeURIComponent(DEEP)}`, { query: '{ a }' })
  assert.equal(behind.json.code, 'parameter_invalid')
})

test('the schema is shown where the proxy says so, and bodies that are no JSON are refused', async () => {
  const shown = { graphql: { introspection: true } }
  assert.equal((await server.manage('PATCH', '/proxies/orders:bounded-graph', shown)).status, 200)
  const before = upstream.seen.length
  assert.equal((await ask('POST', '/v1/graph', { query: schemaOf('__schema') })).status, 200)
  const query = new URLSearchParams({ query: schemaOf('__type') })
  assert.equal((await ask('GET', `/v1/graph?${query}`)).status, 200)
  assert.equal(upstream.seen.length - before, 2)
  const unreadable: readonly Record<string, string>[] = [
    { 'content-type': 'application/graphql' },
    { 'content-type': 'application/x-www-form-urlencoded' },
    { 'content-type': 'application/json', 'content-encoding': 'br' },
    ...OTHERWISE_READ.map((type) => ({ 'content-type': type })),
  ]
  for (const headers of unreadable) {
    const reply = await ask('POST', '/v1/graph', '{"query":"{ a }"}', headers)
    assert.deepEqual([reply.status, reply.json.code], [415, 'unsupported_media_type'])
  }
  assert.equal(upstream.seen.length - before, 2)
})

test('an agent is held to the contract with the same codes, and the records name the check', async () => {
  const made = await addProxy('Book', {
    methods: ['POST'],
    path: '/v1/books',
    parameters: [{ name: 'size', in: 'query', type: 'integer', max: 10 }],
    request_schema: { type: 'object', required: ['title'] },
  })
  assert.equal(made.status, 201, made.text)
  const seen = upstream.seen.length
  const rest = await ask('POST', '/v1/books', { name: 1 })
  const agent = await executeCall({ endpoint: 'POST /orders/v1/books', params: { body: { name: 1 } } })
  assert.deepEqual([rest.json.code, agent.code], ['body_invalid', 'body_invalid'])
  assert.deepEqual(agent.body.errors, rest.json.errors)
  const wrong = await executeCall({
    endpoint: 'POST /orders/v1/books',
    params: { query: { size: 11 }, body: { title: 'a' } },
  })
  assert.equal(wrong.code, 'parameter_invalid')
  assert.equal(upstream.seen.length, seen)
  const right = await executeCall({ endpoint: 'POST /orders/v1/books', params: { body: { title: 'a' } } })
  assert.equal(right.status, 200)
  for (const id of [rest.json.request_id, agent.request_id]) assert.equal((await record(id)).stopped_at, 14)
})

test('queries are taken strictly from the moment the proxy says so, while its contract stays as it is', async () => {
  const send = () => ask('POST', '/v1/books?colour=red', { title: 'a' })
  const strictly = (strict_query: boolean) => server.manage('PATCH', '/proxies/orders:book', { strict_query })
  assert.equal((await send()).status, 200)
  assert.equal((await strictly(true)).status, 200)
  assert.equal((await send()).json.code, 'parameter_invalid')
  assert.equal((await strictly(false)).status, 200)
  assert.equal((await send()).status, 200)
})

test('a body arrives unchanged after it was judged, also in pieces', async () => {
  const title = 'ä'.repeat(300_000)
  const reply = await ask('POST', '/v1/books', { title })
  assert.equal(reply.status, 200, reply.text.slice(0, 500))
  assert.equal(upstream.seen.at(-1)!.body, JSON.stringify({ title }))
})

/** Types of bodies that some read in another charset than UTF-8. */
const OTHERWISE_READ = [
  'application/json; charset=utf-7',
  'application/json; charset=utf-8; charset=utf-7',
  'application/json; v="; charset=utf-8"; charset=utf-7',
  'application/json; charset="utf\\-7"',
  'application/json; charset = utf-7',
  'application/json, text/plain',
]

test('bodies that two readers could read differently are refused', async () => {
  const seen = upstream.seen.length
  for (const [body, reason] of [
    ['{"title":"a","title":"b"}', 'has the member "title" twice in one object'],
    ['{"title":"a","\\u0074itle":"b"}', 'has the member "title" twice in one object'],
    [`{"title":${'['.repeat(200)}${']'.repeat(200)}}`, 'is nested more than 100 deep'],
    ['{"title":', 'must be JSON'],
    ['', 'is required'],
  ] as const) {
    const reply = await ask('POST', '/v1/books', body, { 'content-type': 'application/json' })
    assert.equal(reply.status, 400, body)
    assert.deepEqual(reply.json.errors, [{ pointer: '', reason }])
  }
  for (const type of OTHERWISE_READ) {
    const reply = await ask('POST', '/v1/books', '{"title":"a"}', { 'content-type': type })
    assert.deepEqual([reply.status, reply.json.code], [415, 'unsupported_media_type'], type)
  }
  assert.equal(upstream.seen.length, seen)
  for (const type of ['application/json;', 'Application/JSON; v=";charset=utf-7"; Charset="UTF-8"'])
    assert.equal(
      (await ask('POST', '/v1/books', '{"title":"a"}', { 'content-type': type })).status,
      200,
      type,
    )
})

test('a proxy that streams always, or a schema that cannot be used, is not stored', async () => {
  for (const [members, pointer] of [
    [{ streaming: 'always', idempotency: true }, '/streaming'],
    [{ streaming: 'always', request_schema: {} }, '/streaming'],
    [{ request_schema: { type: 'strange' } }, '/request_schema'],
    [{ request_schema: { pattern: '(?=a)' } }, '/request_schema'],
    [{ response_schema: { $ref: '#/$defs/Missing' } }, '/response_schema'],
    [{ parameters: [{ name: 'a', in: 'query', pattern: '(a)\\1' }] }, '/parameters/0/pattern'],
    [{ contracts: { PUT: { request_schema: {} } } }, '/contracts/PUT'],
    [{ graphql: { max_depth: 3 } }, '/graphql'],
    [{ cache: {} }, '/cache'],
  ] as const) {
    const reply = await addProxy('Refused', { methods: ['POST'], path: '/v1/refused', ...members })
    assert.equal(reply.status, 422, reply.text)
    assert.equal(reply.json.code, 'configuration_invalid')
    assert.equal(reply.json.errors[0].pointer, pointer)
  }
  assert.equal((await server.manage('GET', '/proxies/orders:refused')).status, 404)
  const cors = await server.manage('PATCH', '/collections/orders', {
    cors: { origins: ['*'], credentials: true },
  })
  assert.equal(cors.status, 400, cors.text)
})

test('what differs by method is held to by method', async () => {
  const made = await addProxy('Note', {
    methods: ['PUT', 'PATCH'],
    path: '/v1/notes/{id}',
    request_schema: { type: 'object', required: ['text'] },
    contracts: { PATCH: { request_schema: { type: 'object', minProperties: 1 } } },
  })
  assert.equal(made.status, 201, made.text)
  assert.equal((await ask('PUT', '/v1/notes/1', { title: 'a' })).status, 400)
  assert.equal((await ask('PATCH', '/v1/notes/1', { title: 'a' })).status, 200)
  assert.equal((await ask('PATCH', '/v1/notes/1', {})).status, 400)
})

test('an answer that breaks its schema passes, is noted, or held back', async () => {
  const schema = { type: 'object', required: ['price'] }
  for (const mode of ['off', 'report', 'enforce']) {
    const made = await addProxy(`Answer ${mode}`, {
      methods: ['GET'],
      path: `/v1/${mode}`,
      response_schema: schema,
      response_validation: mode,
    })
    assert.equal(made.status, 201, made.text)
  }
  const unjudged = await ask('GET', '/v1/off')
  assert.equal(unjudged.status, 200)
  assert.equal((await record(unjudged.headers.get('x-request-id')!)).reason, null)
  const reported = await ask('GET', '/v1/report')
  assert.equal(reported.status, 200)
  assert.match(
    (await record(reported.headers.get('x-request-id')!)).reason,
    /response_invalid: \/price is required/,
  )
  const enforced = await ask('GET', '/v1/enforce')
  assert.equal(enforced.status, 502)
  assert.equal(enforced.json.code, 'response_invalid')
  const kept = await record(enforced.json.request_id)
  assert.deepEqual([kept.stopped_at, kept.reason, kept.upstream_status], [18, '/price is required', 200])
  const agent = await executeCall({ endpoint: 'GET /orders/v1/enforce' })
  assert.equal(agent.code, 'response_invalid')
  const before = upstream.answer
  upstream.answer = (_seen, response) => {
    response.setHeader('content-type', 'application/json')
    response.setHeader('x-own', 'yes')
    response.end('{"price":1}')
  }
  const good = await ask('GET', '/v1/enforce')
  upstream.answer = before
  assert.deepEqual([good.status, good.text, good.headers.get('x-own')], [200, '{"price":1}', 'yes'])
})

test('a collection reports answers that break their schema unless it says otherwise, also compressed ones, and the report counts them apart from requests', async () => {
  const made = await addProxy('Inherited', {
    methods: ['GET'],
    path: '/v1/inherited',
    response_schema: { type: 'object', required: ['price'] },
  })
  assert.equal(made.status, 201, made.text)
  assert.equal(made.json.response_validation, 'inherit')
  const before = upstream.answer
  const bodies: Buffer[] = [
    Buffer.from('{"price":1}'),
    Buffer.from('{"cost":1}'),
    gzipSync('{"cost":2}'),
    Buffer.from('oops'),
  ]
  for (const [index, body] of bodies.entries()) {
    upstream.answer = (seen, response) => {
      assert.equal(seen.headers['accept-encoding'], 'gzip')
      response.setHeader('content-type', 'application/json')
      if (index === 2) response.setHeader('content-encoding', 'gzip')
      response.end(body)
    }
    const reply = await ask('GET', '/v1/inherited', undefined, { 'accept-encoding': 'gzip' })
    assert.equal(reply.status, 200)
    const { contract_code, contract_pointer } = await record(reply.headers.get('x-request-id')!)
    const expected = [null, '/price', '/price', ''][index]
    assert.deepEqual([contract_code, contract_pointer], [index === 0 ? null : 'response_invalid', expected])
  }
  upstream.answer = before
  const report = (await server.manage('GET', '/collections/orders/contract_report?proxy=inherited')).json
  assert.deepEqual([report.response_validation, report.requests, report.would_refuse], ['report', 4, 3])
  assert.deepEqual(
    report.items.map((item: { code: string; pointer: string; requests: number }) => [
      item.code,
      item.pointer,
      item.requests,
    ]),
    [
      ['response_invalid', '/price', 2],
      ['response_invalid', '', 1],
    ],
  )
  assert.equal(
    (await server.manage('PATCH', '/collections/orders', { response_validation: 'enforce' })).status,
    200,
  )
  assert.equal((await ask('GET', '/v1/inherited')).status, 502)
  assert.equal(
    (await server.manage('PATCH', '/collections/orders', { response_validation: 'off' })).status,
    200,
  )
  const quiet = await ask('GET', '/v1/inherited')
  assert.equal((await record(quiet.headers.get('x-request-id')!)).contract_code, null)
  assert.equal(
    (await server.manage('PATCH', '/collections/orders', { response_validation: 'report' })).status,
    200,
  )
})

test('a proxy that never streams gathers both bodies', async () => {
  const made = await addProxy('Gather', { methods: ['PUT'], path: '/v1/gather', streaming: 'never' })
  assert.equal(made.status, 201, made.text)
  const body = 'x'.repeat(500_000)
  const reply = await ask('PUT', '/v1/gather', body, { 'content-type': 'text/plain' })
  assert.equal(reply.status, 200)
  assert.equal(reply.json.body, body)
  assert.equal(upstream.seen.at(-1)!.headers['content-length'], '500000')
})

test('an answer is kept where the upstream allows it, and stands in for a while when the upstream fails', async () => {
  const made = await addProxy('Prices', {
    methods: ['GET'],
    path: '/v1/prices/*',
    cache: { stale_if_error: '10m' },
  })
  assert.equal(made.status, 201, made.text)
  const before = upstream.answer
  let count = 0
  const fields: Record<string, string> = {}
  let status = 200
  upstream.answer = (_seen, response) => {
    response.writeHead(status, { 'content-type': 'text/plain', etag: '"1"', ...fields })
    response.end(`answer ${++count}`)
  }
  assert.equal((await ask('GET', '/v1/prices/a')).headers.get('x-cache'), 'MISS')
  for (let i = 0; i < 4; i++) assert.equal((await ask('GET', '/v1/prices/a')).headers.get('x-cache'), 'HIT')
  assert.equal(count, 1)
  // fetch would add Cache-Control: no-cache. Else the same headers, which are part of the key.
  const matched = await plainAsk(Number(new URL(server.running.gatewayUrl).port), '/orders/v1/prices/a', {
    headers: {
      authorization: `Bearer ${token}`,
      'if-none-match': 'W/"1"',
      accept: '*/*',
      'accept-encoding': 'gzip, deflate',
      'accept-language': '*',
    },
  })
  assert.equal(matched.status, 304)
  const head = await ask('HEAD', '/v1/prices/a')
  assert.deepEqual([head.headers.get('x-cache'), head.text], ['HIT', ''])
  assert.equal((await ask('GET', '/v1/prices/a?b=1')).headers.get('x-cache'), 'MISS')
  assert.equal(
    (await ask('GET', '/v1/prices/a', undefined, { cookie: 'a=b' })).headers.get('x-cache'),
    'BYPASS',
  )
  for (const [name, value] of [
    ['cache-control', 'private'],
    ['cache-control', 'no-store'],
    ['set-cookie', 'a=b'],
    ['vary', 'X-Tenant'],
    ['vary', '*'],
  ] as const) {
    fields[name] = value
    for (let i = 0; i < 4; i++)
      assert.equal(
        (await ask('GET', `/v1/prices/${name}${value.length}`)).headers.get('x-cache'),
        'MISS',
        value,
      )
    delete fields[name]
  }

  server.moveClock(120_000)
  status = 503
  const stale = await ask('GET', '/v1/prices/a')
  assert.deepEqual([stale.status, stale.headers.get('x-cache')], [200, 'STALE'])
  assert.ok(Number(stale.headers.get('age')) >= 120)
  server.moveClock(600_000)
  assert.equal((await ask('GET', '/v1/prices/a')).status, 503)
  upstream.answer = before
})

test('an answer that differs by origin is kept only where the gateway speaks to origins', async () => {
  const before = upstream.answer
  const made = await addProxy('By origin', {
    methods: ['GET'],
    path: '/v1/by-origin',
    cache: { scope: 'shared' },
  })
  assert.equal(made.status, 201, made.text)
  upstream.answer = ({ headers }, response) => {
    response.setHeader('access-control-allow-origin', headers['origin'] ?? 'none')
    response.writeHead(200, { vary: 'Origin' }).end('answer')
  }
  const askFrom = async (origin: string) => {
    const { headers } = await ask('GET', '/v1/by-origin', undefined, { origin })
    return [headers.get('x-cache'), headers.get('access-control-allow-origin')]
  }
  assert.equal((await server.manage('PATCH', '/collections/orders', { cors: null })).status, 200)
  assert.deepEqual(await askFrom('https://a.test'), ['MISS', 'https://a.test'])
  assert.deepEqual(await askFrom('https://b.test'), ['MISS', 'https://b.test'])
  const told = { cors: { origins: ['https://b.test'] } }
  assert.equal((await server.manage('PATCH', '/collections/orders', told)).status, 200)
  assert.deepEqual(await askFrom('https://a.test'), ['MISS', null])
  assert.deepEqual(await askFrom('https://b.test'), ['HIT', 'https://b.test'])
  assert.equal((await server.manage('PATCH', '/collections/orders', { cors: null })).status, 200)
  upstream.answer = before
})

test('a request with a body is answered for itself alone', async () => {
  const made = await addProxy('Search', {
    methods: ['GET'],
    path: '/v1/search',
    cache: { scope: 'shared' },
  })
  assert.equal(made.status, 201, made.text)
  const port = Number(new URL(server.running.gatewayUrl).port)
  const search = async (body?: string) => {
    const headers = { authorization: `Bearer ${token}` }
    const answer = await plainAsk(port, '/orders/v1/search', {
      headers,
      ...(body === undefined ? {} : { body }),
    })
    return [answer.headers['x-cache'], answer.json.body]
  }
  assert.deepEqual(await search('planted'), ['BYPASS', 'planted'])
  assert.deepEqual(await search(), ['MISS', ''])
  assert.deepEqual(await search('planted'), ['BYPASS', 'planted'])
})

test('kept answers and keys are shared as far as is set, and by nobody else', async () => {
  const profileOf = async (client: string, slug: string): Promise<string> => {
    const made = await server.manage('POST', '/profiles', {
      client,
      name: slug,
      slug,
      auth: { type: 'token' },
    })
    assert.equal(made.status, 201, made.text)
    return made.json.token
  }
  const client = await server.manage('POST', '/clients', { name: 'Stranger', collections: ['orders'] })
  assert.equal(client.status, 201, client.text)
  const callers = [token, await profileOf('acme', 'second'), await profileOf('stranger', 'only')]
  const outcomes = async (path: string, headers: Record<string, string> = {}): Promise<unknown[]> => {
    const all: unknown[] = []
    for (const one of callers) {
      const options = { token: one, headers: { 'cache-control': 'max-age=60', ...headers } }
      all.push((await server.gateway('GET', `/orders${path}`, options)).headers.get('x-cache'))
    }
    return all
  }
  for (const [scope, expected] of [
    ['profile', ['MISS', 'MISS', 'MISS']],
    ['client', ['MISS', 'HIT', 'MISS']],
    ['shared', ['MISS', 'HIT', 'HIT']],
  ] as const) {
    const members = { methods: ['GET'], path: `/v1/kept/${scope}`, cache: { scope, vary: ['x-tenant'] } }
    const made = await addProxy(`Kept by ${scope}`, members)
    assert.equal(made.status, 201, made.text)
    assert.deepEqual(await outcomes(`/v1/kept/${scope}`), expected)
    assert.deepEqual(await outcomes(`/v1/kept/${scope}`), ['HIT', 'HIT', 'HIT'])
    assert.deepEqual(await outcomes(`/v1/kept/${scope}`, { 'x-tenant': 'a' }), expected)
  }

  const made = await addProxy('Once', { methods: ['POST'], path: '/v1/once', idempotency: true })
  assert.equal(made.status, 201, made.text)
  const before = upstream.seen.length
  for (const replayed of [null, 'true'])
    for (const one of callers) {
      const options = { token: one, headers: { 'idempotency-key': 'same' }, body: {} }
      const reply = await server.gateway('POST', '/orders/v1/once', options)
      assert.deepEqual([reply.status, reply.headers.get('idempotency-replayed')], [200, replayed])
    }
  assert.equal(upstream.seen.length - before, callers.length)
})

test('an origin that only looks like an allowed one is told nothing, and the upstream has no say', async () => {
  const cors = { origins: ['https://shop.example', 'https://*.partners.example'], credentials: true }
  assert.equal((await server.manage('PATCH', '/collections/orders', { cors })).status, 200)
  const before = upstream.answer
  upstream.answer = (_seen, response) => {
    response.writeHead(200, {
      'access-control-allow-origin': '*',
      'access-control-allow-headers': 'x-anything',
      vary: 'accept',
    })
    response.end('{}')
  }
  for (const origin of [
    'null',
    'http://shop.example',
    'https://shop.example.evil.example',
    'https://shop.example:8443',
    'https://SHOP.example',
    'https://evilpartners.example',
    'https://.partners.example',
    'https://partners.example',
    'https://a.partners.example/',
    'https://a b.partners.example',
  ]) {
    const asked = await ask('GET', '/v1/orders/7', undefined, { origin })
    const preflight = await call('OPTIONS', `${server.running.gatewayUrl}/orders/v1/orders/7`, {
      headers: { origin, 'access-control-request-method': 'GET' },
    })
    assert.deepEqual([asked.status, preflight.status], [200, 204])
    for (const { headers } of [asked, preflight]) {
      for (const name of ['origin', 'headers', 'credentials', 'methods'])
        assert.equal(headers.get(`access-control-allow-${name}`), null, `${origin} ${name}`)
      assert.match(headers.get('vary')!, /Origin/)
    }
  }
  const good = await ask('GET', '/v1/orders/7', undefined, { origin: 'https://a.b.partners.example' })
  assert.equal(good.headers.get('access-control-allow-origin'), 'https://a.b.partners.example')
  assert.equal(good.headers.get('access-control-allow-credentials'), 'true')
  assert.equal(good.headers.get('vary'), 'accept, Origin')
  // Without the header that makes it a preflight, OPTIONS is a request like any other.
  assert.equal(
    (await ask('OPTIONS', '/v1/orders/7', undefined, { origin: 'https://shop.example' })).status,
    405,
  )
  upstream.answer = before
})

test('a body that outgrows the bound while it is gathered is refused', async () => {
  assert.equal((await server.manage('PATCH', '/collections/orders', { max_body: 1000 })).status, 200)
  const seen = upstream.seen.length
  const url = new URL(`${server.running.gatewayUrl}/orders/v1/books`)
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  const outgoing = request(url, { method: 'POST', headers }, (answer) => resolve(answer.statusCode!))
  outgoing.on('error', reject)
  outgoing.write('{"title":"')
  outgoing.end('x'.repeat(5000))
  assert.equal(await promise, 413)
  assert.equal(upstream.seen.length, seen)
})

test('an answer that was held back leaves its key used, and one too long to gather is refused', async () => {
  const made = await addProxy('Strict', {
    methods: ['POST', 'GET'],
    path: '/v1/strict',
    idempotency: true,
    response_schema: { type: 'object', required: ['price'] },
    response_validation: 'enforce',
    streaming: 'never',
  })
  assert.equal(made.status, 201, made.text)
  const headers = { 'idempotency-key': 'strict' }
  const seen = upstream.seen.length
  assert.equal((await ask('POST', '/v1/strict', {}, headers)).json.code, 'response_invalid')
  assert.equal((await ask('POST', '/v1/strict', {}, headers)).json.code, 'idempotency_conflict')
  assert.equal(upstream.seen.length, seen + 1)
  const before = upstream.answer
  upstream.answer = (_seen, response) => response.end('x'.repeat(17 * 1024 * 1024))
  assert.equal((await ask('GET', '/v1/strict')).status, 502)
  upstream.answer = before
})
