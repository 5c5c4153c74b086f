/** Captures over real sockets: which requests they take, what is never kept of these, who may read them, and how they end. */
import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { request as httpRequest } from 'node:http'
import { after, afterEach, test } from 'node:test'
import { PEERS } from '../support/mcp-clients.ts'
import { answer, type Definition, flow, startFlows } from './flows.ts'
import { type CallOptions, type Reply, until } from './server.ts'

const { server, upstream, token, post, executeCall, stop } = await startFlows({ workers: 2 })
after(stop)

/** One that is in force wherever the clock was moved to. */
const admin = async () =>
  (await server.running.issueToken({ role: 'admin', ttl: '24h', name: 'admin' })).token
const DAY_MS = 86_400_000
let root = await admin()
const manage = (method: string, path: string, body?: unknown, options: CallOptions = { token: root }) =>
  server.manage(method, path, body, options)
let flows = 0
/** Publishes an endpoint with the workflow; gives its path at the gateway. */
async function endpoint(workflow: Definition): Promise<string> {
  const path = `/v1/flow-${++flows}`
  const made = await manage('POST', '/proxies', {
    ...{ collection: 'orders', name: `Flow ${flows}`, methods: ['GET', 'POST'], path, workflow },
    status: 'published',
  })
  assert.equal(made.status, 201, made.text)
  return `/orders${path}`
}
const proxyOf = (path: string) => `orders:flow-${path.slice(path.lastIndexOf('-') + 1)}`
const arm = (path: string, more: object = {}, options?: CallOptions) =>
  manage('POST', '/workflows/start_capture', { proxy: proxyOf(path), ...more }, options)
async function armed(path: string, more: object = {}): Promise<string> {
  const reply = await arm(path, more)
  assert.equal(reply.status, 200, reply.text)
  return reply.json.id
}
const show = async (id: string): Promise<Reply['json']> =>
  (await manage('GET', `/workflows/get_capture?capture=${id}`)).json
const captured = (id: string) =>
  until(
    () => show(id),
    ({ state }) => state === 'captured',
  )
/** A call that waits until the threads have told what they have taken: any later answer of management would do. */
const tried = (input: object, options: CallOptions = { token: root }) =>
  manage('POST', '/workflows/test', input, options)

const ECHO = flow(
  [
    { id: 'pick', type: 'set_node', inputs: { order: '{{ $.http.request.body.order }}' } },
    answer('ok', { body: { order: '{{ $.pick.order }}' } }),
  ],
  ['http pick', 'pick ok'],
)

afterEach(async () => {
  const { json } = await manage('GET', '/workflows/captures')
  for (const { id, state } of json.items)
    if (state === 'waiting' || state === 'captured')
      await manage('POST', '/workflows/cancel_capture', { capture: id })
})

test('the next request over REST is kept as the request of test_workflow, test_node and a saved test', async () => {
  const path = await endpoint(ECHO)
  const started = await arm(path)
  assert.equal(started.status, 200, started.text)
  const { id, state, next, match, count, captured: taken, proxy } = started.json
  assert.deepEqual([state, count, taken, proxy], ['waiting', 1, 0, proxyOf(path)])
  assert.deepEqual(match, { method: null, path: null, client: null, profile: null, query: {}, headers: {} })
  assert.match(next, /^Call orders:flow-\d+ as a client before .*Z: 1 more request is captured\./)
  const reply = await server.gateway('POST', `${path}?on=a&on=b&at=now`, {
    token,
    headers: { 'X-Tenant': 'north', Cookie: 'sid=planted' },
    body: { order: 7 },
  })
  assert.equal(reply.status, 200, reply.text)
  const view = await captured(id)
  assert.equal(view.captured, 1)
  assert.match(view.next, /^Give capture "cap_/)
  const [{ request, request_id, door, body_state, body_bytes }] = view.requests
  assert.deepEqual(
    [request_id, door, body_state, body_bytes],
    [reply.headers.get('x-request-id'), 'rest', 'whole', 11],
  )
  const { headers, ...rest } = request
  assert.deepEqual(rest, {
    method: 'POST',
    path,
    path_params: {},
    query: { on: ['a', 'b'], at: 'now' },
    body: { order: 7 },
    client: 'acme',
    profile: 'acme:sandbox',
    claims: {},
    ip: '127.0.0.1',
  })
  assert.deepEqual([headers['x-tenant'], headers['content-type']], ['north', 'application/json'])
  const run = await tried({ definition: ECHO, capture: id })
  assert.deepEqual([run.json.status, run.json.body], [200, { order: 7 }], run.text)
  const node = await manage('POST', '/workflows/test_node', {
    type: 'set_node',
    inputs: { at: '{{ $.http.request.query.at }}' },
    context: { http: { request: { query: { at: 'sample' } } } },
    capture: id,
  })
  assert.equal(node.json.outputs.at, 'sample', node.text)
  const test = { name: 'as captured', request, expect: { body: [{ pointer: '/order', equals: 7 }] } }
  const saved = await manage('POST', '/workflows', { name: 'Saved', definition: { ...ECHO, tests: [test] } })
  assert.equal(saved.status, 201, saved.text)
  assert.equal((await manage('POST', '/workflows/run_tests', { workflow: 'saved' })).json.passed, true)
})

test('requests by execute_call and at each thread are taken, as many as the count says and no more', async () => {
  const path = await endpoint(ECHO)
  const id = await armed(path, { count: 3 })
  await executeCall({ endpoint: `POST ${path}`, params: { body: { order: 1 } } })
  assert.equal(
    (
      await until(
        () => show(id),
        (view) => view.captured === 1,
      )
    ).state,
    'waiting',
  )
  // Each on a connection of its own, so that both threads have some
  await Promise.all(
    Array.from({ length: 16 }, (_, order) =>
      server.gateway('POST', path, { token, headers: { connection: 'close' }, body: { order } }),
    ),
  )
  const { requests } = await captured(id)
  assert.deepEqual(
    requests.map(({ door }: { door: string }) => door),
    ['execute_call', 'rest', 'rest'],
  )
  await post(path, { order: 99 })
  assert.equal((await show(id)).requests.length, 3)
})

/** A route of the upstream, without a workflow: bodies stream. */
let routes = 0
async function route(more: object = {}): Promise<string> {
  const path = `/v1/route-${++routes}/{id}`
  const made = await manage('POST', '/proxies', {
    ...{ collection: 'orders', name: `Route ${routes}`, methods: ['GET', 'POST'], path, status: 'published' },
    ...more,
  })
  assert.equal(made.status, 201, made.text)
  return `/orders/v1/route-${routes}`
}
const ofRoute = (path: string) => ({ proxy: `orders:route-${path.slice(path.lastIndexOf('-') + 1)}` })

test('no credential and no secret of a request is kept, wherever it stands', async () => {
  const [key, password, jwt, aws, session] = [
    'planted-key-4711',
    'planted hunter two',
    'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJwbGFudGVkIn0.c2lnbmF0dXJlLXBsYW50ZWQ',
    'AKIAQX7PLANTED55KE7Z',
    'planted-session-0815',
  ]
  const headers = {
    'X-Api-Key': key,
    Cookie: `sid=${session}; theme=dark`,
    'X-Auth': key,
    'X-Session-Id': session,
    'Proxy-Authorization': `Basic ${Buffer.from(`u:${password}`).toString('base64')}`,
    'X-Note': `uses ${token}`,
  }
  const query = `api_key=${key}&key=${key}&access_token=${jwt}&color=red&note=${aws}`
  const bodies: readonly (readonly [type: string, body: string])[] = [
    [
      'application/json',
      JSON.stringify({
        password,
        nested: [{ client_secret: key, note: `see ${jwt}` }],
        fields: [{ name: 'api_key', value: key }],
        text: `caller ${token}`,
        [aws]: 1,
        color: 'red',
      }),
    ],
    ['application/x-www-form-urlencoded', `password=${key}&access_token=${jwt}&pass%77ord=hunter3&color=red`],
    ['application/xml', `<login><password>${key}</password><color>red</color><t>${token}</t></login>`],
    ['text/plain', `password: ${key}\ntoken ${jwt} ${aws} color red`],
    ['application/json', `{"password": "${key}", "color": "red", "broken": `],
    ['application/json', `{"color": "red", "password": "${key}", "long": "${'x'.repeat(70_000)}"}`],
  ]
  for (const path of [await endpoint(ECHO), `${await route()}/7`]) {
    for (const [type, body] of bodies) {
      const id = path.includes('route')
        ? (await manage('POST', '/workflows/start_capture', ofRoute(path.slice(0, path.lastIndexOf('/')))))
            .json.id
        : await armed(path)
      await server.gateway('POST', `${path}?${query}`, {
        token,
        headers: { ...headers, 'Content-Type': type },
        body,
      })
      const text = JSON.stringify(await captured(id))
      for (const planted of [key, password, jwt, aws, session, token, 'hunter'])
        assert.ok(!text.includes(planted), `${planted} in ${text.slice(0, 2000)}`)
      const [{ request }] = JSON.parse(text).requests
      const { headers: kept } = request
      assert.deepEqual([kept.authorization, kept['proxy-authorization']], [undefined, undefined])
      assert.deepEqual(
        [kept['x-api-key'], kept.cookie, kept['x-auth'], kept['x-session-id'], kept['x-note']],
        ['[secret]', '[secret]', '[secret]', '[secret]', 'uses [secret]'],
      )
      assert.deepEqual(
        [request.query.color, request.query.api_key, request.query.key],
        ['red', '[secret]', '[secret]'],
      )
      assert.match(JSON.stringify(request.body), /red/)
      await manage('POST', '/workflows/cancel_capture', { capture: id })
    }
  }
})

test('values that a guardrail masks are masked in what is kept', async () => {
  const path = await endpoint(ECHO)
  const made = await manage('POST', '/guardrails', {
    ...{ name: 'Mails', scope: { proxies: [proxyOf(path)] }, legs: ['request'] },
    ...{ detector: { type: 'pii' }, action: 'redact' },
  })
  assert.equal(made.status, 201, made.text)
  const id = await armed(path)
  await post(`${path}?mail=ada@example.com`, { order: 'ada@example.com' })
  const text = JSON.stringify(await captured(id))
  assert.ok(!text.includes('ada@example.com'), text)
  assert.match(text, /REDACTED:email/)
  await manage('DELETE', '/guardrails/mails', { confirm: 'mails' })
})

test('a match narrows by method, path, client, query and header, and a masked header fits nothing', async () => {
  const base = await route()
  const match = {
    ...{ method: 'POST', path: `${base}/1*`, client: 'acme', profile: 'acme:sandbox' },
    ...{ query: { kind: 'big' }, headers: { 'X-Tenant': 'north' } },
  }
  const { json } = await manage('POST', '/workflows/start_capture', { ...ofRoute(base), match })
  assert.deepEqual(json.match, { ...match, profile: 'sandbox', headers: { 'x-tenant': 'north' } })
  const tenant = { 'x-tenant': 'north' }
  const ask = (method: string, rest: string, headers: Record<string, string>) =>
    server.gateway(method, `${base}${rest}`, { token, headers })
  for (const [method, rest, headers] of [
    ['GET', '/10?kind=big', tenant],
    ['POST', '/20?kind=big', tenant],
    ['POST', '/10?kind=small', tenant],
    ['POST', '/10?kind=big', { 'x-tenant': 'south' }],
    ['POST', '/10?kind=big', {}],
  ] as const)
    assert.equal((await ask(method, rest, headers)).status, 200)
  assert.equal((await show(json.id)).captured, 0)
  await ask('POST', '/11?kind=big&more=1', tenant)
  assert.deepEqual((await captured(json.id)).requests[0].request.path_params, { id: '11' })
  const guess = await manage('POST', '/workflows/start_capture', {
    ...ofRoute(base),
    match: { headers: { 'x-api-key': 'planted-key' } },
  })
  await ask('POST', '/12', { 'x-api-key': 'planted-key' })
  assert.equal((await show(guess.json.id)).state, 'waiting')
})

/** A request whose body is written by hand. */
function open(path: string, headers: Record<string, string | number>) {
  const url = new URL(server.running.gatewayUrl)
  return httpRequest({
    ...{ host: url.hostname, port: url.port, path, method: 'POST', agent: false },
    headers: { authorization: `Bearer ${token}`, 'content-type': 'text/plain', ...headers },
  })
}

test('of a long body the first 64 KiB are kept, and the rest streams on while they are', async () => {
  const base = await route()
  const piece = 'a'.repeat(40_000)
  for (const [length, declared] of [
    [200_000, true],
    [200_000, false],
  ] as const) {
    const { json } = await manage('POST', '/workflows/start_capture', ofRoute(base))
    const heard = Promise.withResolvers<number>()
    let bytes = 0
    upstream.handler = (request, response) => {
      request.on('data', (part: Buffer) => {
        bytes += part.length
        // The body has not ended: the capture is there while it streams
        if (bytes >= 2 * piece.length) heard.resolve(bytes)
      })
      request.on('end', () => response.end(String(bytes)))
    }
    const request = open(`${base}/1`, declared ? { 'content-length': length } : {})
    const response = once(request, 'response')
    request.write(piece)
    request.write(piece)
    await heard.promise
    const view = await captured(json.id)
    const [{ request: kept, body_state, body_bytes }] = view.requests
    assert.deepEqual([body_state, body_bytes], ['cut', declared ? length : null])
    // What may be the beginning of a secret is left out: here the last 4096 letters
    assert.equal(kept.body.length, 64 * 1024 - 4096)
    request.end('a'.repeat(length - 2 * piece.length))
    const [answered] = await response
    const parts: Buffer[] = []
    for await (const part of answered) parts.push(part)
    assert.equal(Buffer.concat(parts).toString(), String(length))
    const refused = await tried({ definition: ECHO, capture: json.id })
    assert.deepEqual([refused.status, refused.json.code], [422, 'configuration_invalid'])
    assert.match(refused.json.detail, /only the beginning of the body/)
    await manage('POST', '/workflows/cancel_capture', { capture: json.id })
  }
  upstream.handler = null
})

test('a request is taken with its body by a workflow that does not look at it', async () => {
  const path = await endpoint(flow([answer('ok', { body: { said: 'fixed' } })], ['http ok']))
  const id = await armed(path)
  await post(path, { order: 'unread' })
  assert.deepEqual((await captured(id)).requests[0].request.body, { order: 'unread' })
})

test('a body that comes in very small pieces is kept whole', async () => {
  const base = await route()
  const { json } = await manage('POST', '/workflows/start_capture', ofRoute(base))
  const text = Array.from({ length: 20_000 }, (_, at) => at % 10).join('')
  const request = open(`${base}/1`, {})
  const response = once(request, 'response')
  request.flushHeaders()
  // Each digit is a chunk of its own (RFC 9112 section 7.1)
  request.cork()
  for (const digit of text) request.write(digit)
  request.uncork()
  request.end()
  await response
  const [{ request: kept, body_state }] = (await captured(json.id)).requests
  assert.deepEqual([body_state, kept.body], ['whole', text])
})

test('a body that is neither JSON nor text is not kept', async () => {
  const base = await route()
  for (const [type, body] of [
    ['image/png', 'bytes'],
    [
      'multipart/form-data; boundary=b',
      '--b\r\ncontent-disposition: form-data; name="password"\r\n\r\nhunter2\r\n--b--',
    ],
  ] as const) {
    const { json } = await manage('POST', '/workflows/start_capture', ofRoute(base))
    await server.gateway('POST', `${base}/1`, { token, headers: { 'content-type': type }, body })
    const [{ request, body_state, body_bytes }] = (await captured(json.id)).requests
    assert.deepEqual([request.body, body_state, body_bytes], [null, 'not_text', body.length])
  }
})

test('a request whose caller leaves before its body has come is not taken, nor is one that a check refuses', async () => {
  const path = await endpoint(ECHO)
  const base = await route()
  const id = await armed(path)
  const { json } = await manage('POST', '/workflows/start_capture', ofRoute(base))
  for (const at of [path, `${base}/1`]) {
    const request = open(at, { 'content-length': 100 })
    request.on('error', () => {})
    const reached = at === path ? null : once(upstreamRequests(), 'request')
    await new Promise<void>((resolve) => request.write('half', () => resolve()))
    await reached
    request.destroy()
  }
  upstream.handler = null
  assert.equal((await server.gateway('POST', path, { token: 'pst_ct_wrong', body: {} })).status, 401)
  assert.equal((await server.gateway('PUT', path, { token, body: {} })).status, 405)
  for (const one of [id, json.id]) assert.equal((await show(one)).captured, 0)
  await post(path, { order: 'whole' })
  assert.deepEqual((await captured(id)).requests[0].request.body, { order: 'whole' })
  await post(`${base}/2`, { order: 'whole' })
  assert.deepEqual((await captured(json.id)).requests[0].request.body, { order: 'whole' })
})

/** Tells that a request has reached the upstream, and never answers it. */
function upstreamRequests() {
  const target = new EventEmitter()
  upstream.handler = (request) => target.emit('request', request)
  return target
}

test('requests that an operator makes are not taken', async () => {
  const path = await endpoint(ECHO)
  const id = await armed(path)
  const request = { method: 'POST', path, body: { order: 7 }, client: 'acme', profile: 'acme:sandbox' }
  assert.equal((await tried({ proxy: proxyOf(path), request, live: true })).json.status, 200)
  assert.equal((await show(id)).captured, 0)
  const reply = await post(path, { order: 8 })
  await captured(id)
  // And a live run takes the captured request, as the client and profile of its caller
  const live = await tried({ proxy: proxyOf(path), capture: id, live: true })
  assert.deepEqual([live.json.status, live.json.body], [200, { order: 8 }], live.text)
  assert.equal(reply.status, 200)
})

test('a request that the response cache answers is not taken', async () => {
  const base = await route({ cache: { ttl: '1m' } })
  const ask = () => server.gateway('GET', `${base}/1`, { token })
  const first = await ask()
  const { json } = await manage('POST', '/workflows/start_capture', ofRoute(base))
  const second = await ask()
  assert.deepEqual([first.status, second.headers.get('x-cache')], [200, 'HIT'], second.text)
  await server.gateway('GET', `${base}/2`, { token })
  assert.equal((await captured(json.id)).requests[0].request.path, `${base}/2`)
})

test('what each node gave in the run for a captured request is kept, without secrets and within bounds', async () => {
  const path = await endpoint(
    flow(
      [
        {
          id: 'pick',
          type: 'set_node',
          inputs: { order: '{{ $.http.request.body.order }}', password: 'p {{ $.http.request.body.order }}' },
        },
        { id: 'long', type: 'set_node', inputs: { text: '{{ $.http.request.body.long }}' } },
        { id: 'bad', type: 'set_node', inputs: { x: '{{ $.pick.order.none }}' }, on_error: 'handle' },
        answer('ok', { body: { kind: '{{ $.bad.error.kind }}' } }),
      ],
      ['http pick', 'pick long', 'long bad', 'bad error ok'],
    ),
  )
  const id = await armed(path)
  await post(path, { order: 7, long: 'x'.repeat(9000) })
  const { requests } = await until(
    () => show(id),
    (view) => view.requests[0]?.nodes != null,
  )
  assert.deepEqual(
    requests[0].nodes.map(({ node, handle, outputs }: Record<string, unknown>) => [node, handle, outputs]),
    [
      ['pick', 'default', { order: 7, password: '[secret]' }],
      ['long', 'default', null],
      ['ok', null, { status: 200, body: { kind: 'expression' }, content_type: 'application/json' }],
    ],
  )
})

test('a capture waits for as long as its ttl, and a request is kept for an hour', async () => {
  const path = await endpoint(ECHO)
  const [short, long] = [await armed(path, { match: { method: 'GET' } }), await armed(path, { ttl: '1h' })]
  await post(path, { order: 7 })
  await captured(long)
  server.moveClock(10 * 60_000)
  root = await admin()
  const over = await show(short)
  assert.deepEqual([over.state, over.requests], ['expired', []])
  assert.match(
    over.next,
    /^No request is stored: no matching request arrived before .* Start another capture\.$/,
  )
  await server.gateway('GET', path, { token })
  assert.deepEqual((await show(short)).requests, [])
  const refused = await tried({ definition: ECHO, capture: short })
  assert.equal(refused.status, 422)
  assert.match(refused.json.detail, /has no request; get_trigger_capture shows what to do next/)
  server.moveClock(50 * 60_000 - 30_000)
  root = await admin()
  assert.equal((await show(long)).state, 'captured')
  server.moveClock(31_000)
  assert.deepEqual(((view) => [view.state, view.requests])(await show(long)), ['expired', []])
  for (const ttl of ['0s', '500ms', '61m'])
    assert.deepEqual(((reply) => [reply.status, reply.json.code])(await arm(path, { ttl })), [
      400,
      'input_invalid',
    ])
})

test('a clock that is set while a capture waits or keeps a request neither ends it nor has it kept for longer', async () => {
  for (const jump of [-DAY_MS, 50 * DAY_MS]) {
    const path = await endpoint(ECHO)
    const id = await armed(path)
    server.jumpClock(jump)
    root = await admin()
    await post(path, { order: 7 })
    await captured(id)
    server.jumpClock(-jump)
    root = await admin()
    assert.equal((await show(id)).state, 'captured')
    server.jumpClock(jump)
    server.moveClock(3_600_000)
    root = await admin()
    assert.deepEqual(((view) => [view.state, view.requests])(await show(id)), ['expired', []])
    server.jumpClock(-jump)
    root = await admin()
  }
})

test('captures that are started together wait for at most 10 requests', async () => {
  const path = await endpoint(ECHO)
  const { json } = await manage('GET', '/clients')
  const match = { client: json.items[0].slug }
  const started = await Promise.all(Array.from({ length: 6 }, () => arm(path, { count: 10, match })))
  assert.deepEqual(started.map(({ status }) => status).sort(), [200, 422, 422, 422, 422, 422])
})

test('a capture is cancelled with workflows:test for its proxy, and not for another one', async () => {
  const path = await endpoint(ECHO)
  const id = await armed(path)
  await manage('POST', '/collections', { name: 'Beside', slug: 'beside', base_path: '/beside' })
  for (const [name, permissions] of [
    ['Reads bodies', ['records:read_body', 'proxies:read']],
    ['Tries', ['workflows:test', 'proxies:read']],
  ] as const)
    assert.equal((await manage('POST', '/roles', { name, permissions })).status, 201)
  const as = await server.running.issueToken({
    ...{ ttl: '1h', name: 'beside', grants: ['reads-bodies@orders', 'tries@beside'] },
  })
  const options = { token: as.token }
  assert.equal((await manage('GET', `/workflows/get_capture?capture=${id}`, undefined, options)).status, 200)
  const refused = await manage('POST', '/workflows/cancel_capture', { capture: id }, options)
  assert.equal(refused.status, 403, refused.text)
  assert.equal((await show(id)).state, 'waiting')
})

test('all captures keep or wait for at most 10 requests, and a cancelled one keeps nothing and takes nothing', async () => {
  const path = await endpoint(ECHO)
  const first = await armed(path, { count: 7, match: { method: 'POST' } })
  await armed(path, { count: 3, match: { method: 'GET' } })
  const full = await arm(path)
  assert.deepEqual([full.status, full.json.code], [422, 'configuration_invalid'])
  assert.match(
    full.json.detail,
    /All captures together can have at most 10 stored or expected requests; there is room for 0 more/,
  )
  await post(path, { order: 1 })
  await until(
    () => show(first),
    (view) => view.captured === 1,
  )
  const cancelled = await manage('POST', '/workflows/cancel_capture', { capture: first })
  assert.deepEqual([cancelled.json.state, cancelled.json.captured], ['cancelled', 0], cancelled.text)
  await post(path, { order: 2 })
  assert.deepEqual((await show(first)).requests, [])
  assert.match((await show(first)).next, /was cancelled/)
  assert.equal((await arm(path, { count: 7 })).status, 200)
  const { json } = await manage('GET', '/workflows/captures?limit=2')
  assert.equal(json.items.length, 2)
  const more = await manage('GET', `/workflows/captures?limit=50&cursor=${json.next_cursor}`)
  assert.ok(more.json.items.some(({ id }: { id: string }) => id === first))
  assert.ok(![...json.items, ...more.json.items].some((item: object) => 'requests' in item))
})

test('several captures of a proxy take one request each, in the order in which they began', async () => {
  const path = await endpoint(ECHO)
  const ids = [await armed(path), await armed(path)]
  await post(path, { order: 'first' })
  assert.equal((await captured(ids[0]!)).requests[0].request.body.order, 'first')
  assert.equal((await show(ids[1]!)).state, 'waiting')
  await post(path, { order: 'second' })
  assert.equal((await captured(ids[1]!)).requests[0].request.body.order, 'second')
})

test('a capture ends with its proxy, and what it has kept is deleted', async () => {
  const path = await endpoint(ECHO)
  const [kept, waiting] = [await armed(path), await armed(path, { match: { method: 'GET' } })]
  await post(path, { order: 7 })
  await captured(kept)
  const slug = proxyOf(path).slice('orders:'.length)
  assert.equal((await manage('DELETE', `/proxies/${slug}`, { confirm: slug })).status, 200)
  for (const id of [kept, waiting]) {
    const view = await show(id)
    assert.deepEqual([view.state, view.requests], ['cancelled', []])
    assert.match(view.next, /The proxy orders:flow-\d+ was deleted, together with its captured requests/)
  }
  const gone = await arm(path)
  assert.equal(gone.status, 404)
  const draft = await manage('POST', '/proxies', {
    ...{ collection: 'orders', name: 'Draft', methods: ['GET'], path: '/v1/draft' },
  })
  assert.equal(draft.status, 201, draft.text)
  const refused = await manage('POST', '/workflows/start_capture', { proxy: 'draft' })
  assert.match(refused.json.detail, /"draft" is not published, so no request reaches the proxy/)
})

test('a thread that is replaced waits on', async () => {
  const path = await endpoint(ECHO)
  const id = await armed(path)
  for (const slot of [0, 1]) await server.running.killThread(slot)
  await post(path, { order: 7 })
  assert.equal((await captured(id)).requests[0].request.body.order, 7)
})

test('captures need records:read_body for the proxy, starting them workflows:test too, and each read is audited', async () => {
  const path = await endpoint(ECHO)
  const id = await armed(path)
  await post(path, { order: 'planted-in-the-body' })
  await captured(id)
  await manage('POST', '/collections', { name: 'Other', slug: 'other', base_path: '/other' })
  const role = { permissions: ['records:read_body', 'workflows:test', 'workflows:read', 'proxies:read'] }
  assert.equal((await manage('POST', '/roles', { name: 'Tester', ...role })).status, 201)
  const tokenOf = async (grants: readonly string[]): Promise<CallOptions> => ({
    token: (await server.running.issueToken({ grants: [...grants], ttl: '24h', name: grants.join() })).token,
  })
  const [viewer, modifier, auditor, inside, outside] = [
    await tokenOf(['viewer']),
    await tokenOf(['modifier']),
    await tokenOf(['auditor']),
    await tokenOf(['tester@orders']),
    await tokenOf(['tester@other']),
  ]
  const trial = { definition: ECHO, capture: id }
  const guard = { definition: { detector: { type: 'pii' }, action: 'mask' }, capture: id }
  const paths: readonly (readonly [string, string, object | undefined])[] = [
    ['GET', `/workflows/get_capture?capture=${id}`, undefined],
    ['GET', '/workflows/captures', undefined],
    ['POST', '/workflows/start_capture', { proxy: proxyOf(path) }],
    ['POST', '/workflows/cancel_capture', { capture: id }],
    ['POST', '/workflows/test', trial],
    ['POST', '/workflows/test_node', { type: 'set_node', capture: id }],
    ['POST', '/guardrails/test', guard],
  ]
  for (const [who, permission] of [
    [viewer, 'records:read_body'],
    [modifier, 'records:read_body'],
  ] as const)
    for (const [method, at, body] of paths) {
      const reply = await manage(method, at, body, who)
      assert.deepEqual([reply.status, reply.json.code], [403, 'permission_denied'], `${method} ${at}`)
      if (/capture|guardrails/.test(at)) assert.match(reply.json.detail, new RegExp(permission))
    }
  // An auditor reads what others have captured, and keeps nothing
  assert.equal(
    (await manage('GET', `/workflows/get_capture?capture=${id}`, undefined, auditor)).json.state,
    'captured',
  )
  const denied = await arm(path, {}, auditor)
  assert.deepEqual([denied.status, denied.json.permission], [403, 'workflows:test'], denied.text)
  // Beyond the scope there is no such capture
  assert.equal((await manage('GET', `/workflows/get_capture?capture=${id}`, undefined, outside)).status, 404)
  assert.deepEqual((await manage('GET', '/workflows/captures', undefined, outside)).json.items, [])
  assert.equal((await arm(path, {}, outside)).status, 404)
  assert.equal((await manage('POST', '/workflows/test', trial, outside)).status, 404)
  assert.equal(
    (await manage('GET', `/workflows/get_capture?capture=${id}`, undefined, inside)).json.requests.length,
    1,
  )
  const own = await arm(path, {}, inside)
  assert.equal(own.status, 200, own.text)
  assert.equal(
    (await manage('POST', '/workflows/cancel_capture', { capture: own.json.id }, inside)).json.state,
    'cancelled',
  )
  for (const body of [
    { ...trial, request: {} },
    { ...trial, capture: 'cap_none' },
  ])
    assert.notEqual((await tried(body)).status, 200)

  const entries = async (operation: string) =>
    (await manage('GET', `/audit?operation=${operation}&limit=100`)).json.items
  const reads = (await entries('workflows.get_capture')).filter(
    ({ resource, outcome }: Record<string, { id: string }>) =>
      resource!.id === id && (outcome as unknown) === 'ok',
  )
  assert.deepEqual(new Set(reads.map(({ action }: { action: string }) => action)), new Set(['READ']))
  assert.ok(reads.some(({ actor }: { actor: { name: string } }) => actor.name === 'auditor'))
  const made = await entries('workflows.start_capture')
  assert.ok(made.some(({ outcome }: { outcome: string }) => outcome === 'denied'))
  assert.ok(
    made.some(({ detail }: { detail: string | null }) => /Waiting for 1 request to/.test(detail ?? '')),
  )
  const looked = await manage('POST', '/guardrails/test', guard)
  assert.equal(looked.status, 200, looked.text)
  const noted = await entries('guardrails.test')
  const ofLook = noted.find(({ outcome }: { outcome: string }) => outcome === 'ok')
  assert.equal(ofLook?.action, 'READ', JSON.stringify(noted))
  assert.ok((await manage('GET', `/audit/${ofLook.id}`)).text.includes(id))
  assert.ok(!JSON.stringify(await entries('workflows.get_capture')).includes('planted-in-the-body'))
  assert.ok(!JSON.stringify(noted).includes('planted-in-the-body'))
})

test('a guardrail is tested with the body of a capture', async () => {
  const path = await endpoint(ECHO)
  const id = await armed(path)
  await post(path, { order: 'for ada@example.com' })
  await captured(id)
  const definition = { detector: { type: 'pii' }, action: 'redact' }
  const { json } = await manage('POST', '/guardrails/test', { definition, capture: id })
  assert.deepEqual([json.outcome, json.result], ['changed', '{"order":"for [REDACTED:email]"}'])
  const both = await manage('POST', '/guardrails/test', { definition, capture: id, sample: 'x' })
  assert.match(both.json.detail, /either sample or capture/)
})

test('a call through a virtual MCP is taken as one', async () => {
  const collection = { name: 'Shop', base_path: '/shop', upstream: { targets: [{ url: upstream.url }] } }
  for (const [at, body] of [
    ['/collections', { ...collection, status: 'published' }],
    [
      '/proxies',
      {
        collection: 'shop',
        name: 'Sold',
        methods: ['POST'],
        path: '/sold',
        status: 'published',
        workflow: ECHO,
      },
    ],
    ['/origins', { name: 'Shop', kind: 'collection', collection: 'shop' }],
    ['/virtual_mcps', { name: 'Desk', members: [{ origin: 'shop' }], status: 'published' }],
    ['/clients', { name: 'Buyer', collections: ['shop'], virtual_mcps: ['desk'] }],
  ] as const) {
    const made = await manage('POST', at, body)
    assert.equal(made.status, 201, made.text)
  }
  const profile = await manage('POST', '/profiles', {
    client: 'buyer',
    name: 'Agent',
    auth: { type: 'token' },
  })
  const connect = PEERS['SDK v2, pinned to 2026-07-28']!
  const peer = await connect(`${server.running.gatewayUrl}/mcp/desk`, {
    authorization: `Bearer ${profile.json.token}`,
  })
  const [tool] = await peer.tools()
  const { json } = await manage('POST', '/workflows/start_capture', { proxy: 'shop:sold' })
  await peer.call(tool!.name, { body: { order: 7 } })
  await peer.close()
  const [{ door, request }] = (await captured(json.id)).requests
  assert.deepEqual([door, request.method, request.path], ['virtual_mcp', 'POST', '/shop/sold'])
  assert.deepEqual([request.body, request.client], [{ order: 7 }, 'buyer'])
})
