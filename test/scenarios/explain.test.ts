import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { after, before, test } from 'node:test'
import { REST } from '../../src/gateway/stages.ts'
import type { RequestRecord } from '../../src/model/record.ts'
import { issue } from '../certificates.ts'
import { runCommand } from './cli.ts'
import { REFUSALS } from './explain-refusals.ts'
import { askMcp, startTestServer, type TestServer, until } from './server.ts'
import { startUpstream, type TestUpstream } from './upstream.ts'

let server: TestServer
let upstream: TestUpstream
/** Ids of credentials by their slugs: settings name what the snapshot knows. */
const credentialIds = new Map<string, string>()

before(async () => {
  upstream = await startUpstream()
  server = await startTestServer({ workers: 2 })
  const made = [
    ['collections', { name: 'Orders', base_path: '/orders', upstream: { targets: [{ url: upstream.url }] } }],
    ['proxies', { collection: 'orders', name: 'One', methods: ['GET'], path: '/v1/orders/{id}' }],
    ['proxies', { collection: 'orders', name: 'Recent', methods: ['GET'], path: '/v1/orders/recent' }],
    ['proxies', { collection: 'orders', name: 'Rest', methods: ['GET', 'POST'], path: '/v1/*' }],
    ['policies', { name: 'Gold', limits: [{ name: 'minute', kind: 'rate', max: 2, window: '1m' }] }],
    ['clients', { name: 'Acme', collections: ['orders'], policy: 'gold' }],
    ['clients', { name: 'Other' }],
    ['clients', { name: 'Free', collections: ['orders'] }],
    [
      'profiles',
      { client: 'acme', name: 'Live', auth: { type: 'none' }, ip_allowlist: ['127.0.0.0/8', '10.0.0.0/8'] },
    ],
    ['profiles', { client: 'other', name: 'Live', auth: { type: 'none' } }],
    ['profiles', { client: 'free', name: 'Live', auth: { type: 'none' } }],
  ] as const
  for (const [resource, body] of made) {
    const { status, text } = await server.manage('POST', `/${resource}`, body)
    assert.equal(status, 201, text)
  }
  const published = await server.manage('POST', '/collections/orders/publish', { cascade: true })
  assert.equal(published.status, 200, published.text)
  await makeRefused()
})
/** Clients, profiles and credentials that are refused. */
async function makeRefused(): Promise<void> {
  const { certificate, key } = issue({ name: 'Ours', usage: 'client' })
  const auths = {
    unresolved: { type: 'bearer', token: { env: 'SECRET_NOBODY' } },
    certified: { type: 'mtls', client_cert_pem: certificate, client_key_pem: key },
    exchanged: {
      type: 'token_exchange',
      token_url: 'http://127.0.0.1:1/token',
      client_id: 'postern',
      client_secret: 'the-client-secret-0001',
    },
  }
  const none = { type: 'none' }
  const wanting = [
    ['clients', { name: 'Off', collections: ['orders'], active: false }],
    [
      'clients',
      { name: 'Past', collections: ['orders'], valid_until: new Date(Date.now() - 1000).toISOString() },
    ],
    ['profiles', { client: 'off', name: 'Live', auth: none }],
    ['profiles', { client: 'past', name: 'Live', auth: none }],
    ['profiles', { client: 'free', name: 'Off', auth: none, active: false }],
    ['profiles', { client: 'free', name: 'Far', auth: none, ip_allowlist: ['10.0.0.0/8'] }],
    ['profiles', { client: 'free', name: 'Nothing', auth: none, collections: [] }],
    [
      'profiles',
      { client: 'free', name: 'Denied', auth: none, endpoints: { deny: ['GET /orders/v1/orders/{id}'] } },
    ],
    [
      'profiles',
      { client: 'free', name: 'Allowed', auth: none, endpoints: { allow: ['GET /orders/v1/orders/recent'] } },
    ],
    ['profiles', { client: 'free', name: 'Reader', auth: none, allowed_methods: ['GET'] }],
    ['profiles', { client: 'free', name: 'Writer', auth: none, allowed_methods: ['POST'] }],
  ] as const
  for (const [resource, body] of wanting) {
    const { status, text } = await server.manage('POST', `/${resource}`, body)
    assert.equal(status, 201, text)
  }
  for (const [slug, auth] of Object.entries(auths)) {
    const { status, json, text } = await server.manage('POST', '/credentials', { name: slug, slug, auth })
    assert.equal(status, 201, text)
    credentialIds.set(slug, json.id)
    const made = await server.manage('POST', '/proxies', {
      collection: 'orders',
      name: slug,
      methods: ['GET'],
      path: `/v1/${slug}`,
      credential: slug,
      status: 'published',
    })
    assert.equal(made.status, 201, made.text)
  }
}

after(async () => {
  await server.stop()
  await upstream.close()
})

interface Explained {
  readonly outcome: string
  readonly code: string | null
  readonly status: number | null
  readonly route: { readonly proxy: string } | null
  readonly candidates: readonly { readonly proxy: string; readonly wins: boolean; readonly reason: string }[]
  readonly checks: readonly {
    readonly name: string
    readonly result: string
    readonly code: string | null
    readonly reason: string
    readonly setting: string | null
  }[]
  readonly forward: { readonly path: string; readonly upstream: string } | null
}

async function explained(query: Record<string, string>): Promise<Explained> {
  const { status, json, text } = await server.manage('GET', `/requests/explain?${new URLSearchParams(query)}`)
  assert.equal(status, 200, text)
  return json as Explained
}

const ACME = { client: 'acme', profile: 'live', ip: '127.0.0.1' }

test('the route that wins is named, and those that lose with why', async () => {
  const { route, candidates, outcome, forward } = await explained({
    ...ACME,
    method: 'GET',
    target: '/orders/v1/orders/recent',
  })
  assert.equal(outcome, 'forwarded')
  assert.equal(route?.proxy, 'recent')
  assert.deepEqual(
    candidates.map(({ proxy, wins }) => [proxy, wins]),
    [
      ['recent', true],
      ['one', false],
      ['rest', false],
    ],
  )
  assert.match(candidates[1]!.reason, /recent takes precedence: its segment 3 is the literal "recent"/)
  assert.deepEqual(forward, {
    method: 'GET',
    upstream: new URL(upstream.url).host,
    path: '/v1/orders/recent',
    credential: null,
  })
})

test('a route without the method is passed over, and that is said', async () => {
  const { route, candidates } = await explained({ ...ACME, method: 'POST', target: '/orders/v1/orders/7' })
  assert.equal(route?.proxy, 'rest')
  assert.match(candidates.find(({ proxy }) => proxy === 'one')!.reason, /does not answer POST/)
})

for (const refusal of REFUSALS)
  test(`${refusal.what} is refused in the explanation as it is in truth`, async () => {
    const { client = 'free', profile = 'live', method = 'GET', target = '/orders/v1/orders/7' } = refusal
    const { code, number, reason = /./, body_bytes } = refusal
    const query = { client, profile, method, target, ip: '127.0.0.1' }
    const answer = await explained({ ...query, ...(body_bytes !== undefined && { body_bytes }) })
    const refusing = answer.checks.find(({ result }) => result === 'refuse')
    const [kind, name] = refusal.setting?.split('/') ?? []
    const setting = kind === 'credentials' ? `${kind}/${credentialIds.get(name!)}` : refusal.setting
    assert.deepEqual(
      [answer.outcome, answer.code, refusing?.code, refusing?.setting],
      ['refused', code, code, setting],
    )
    assert.match(refusing!.reason, reason)
    // An agent is told the same
    const tool = await askMcp(server, '/management/mcp', server.adminToken, 'tools/call', {
      name: 'query_logs',
      arguments: {
        action: 'explain',
        ...query,
        ...(body_bytes !== undefined && { body_bytes: Number(body_bytes) }),
      },
    })
    assert.deepEqual(tool.json.result.structuredContent, answer)

    const before = upstream.seen.length
    const length = body_bytes === undefined ? [] : [`Content-Length: ${body_bytes}`]
    const ids = [`X-Client-ID: ${client}`, `X-Profile-ID: ${profile}`]
    const real = await sendRaw(`${method} ${target} HTTP/1.1`, [...ids, ...length], '')
    const problem = JSON.parse(real.slice(real.indexOf('\r\n\r\n')))
    assert.deepEqual([problem.code, problem.status], [answer.code, answer.status])
    assert.equal(/^Allow: (.*)\r$/m.exec(real)?.[1], refusal.allow)
    const record = await recordOf(problem.request_id)
    assert.deepEqual([record.code, record.stopped_at, record.check], [code, number, refusing?.name])
    if (refusal.reason !== undefined) assert.equal(record.reason, refusing!.reason)
    assert.equal(upstream.seen.length, before)
  })

test('checks stand in the order in which they run, and those behind a refusal name the one that refuses', async () => {
  const target = '/orders/v1/orders/7'
  const large = { client: 'other', method: 'POST', target, body_bytes: '99999999' }
  const inOrder = ['canonical', ...REST.map(({ name }) => name)]
  for (const query of [{ ...ACME, method: 'GET', target }, large])
    assert.deepEqual(
      (await explained(query)).checks.map(({ name }) => name),
      inOrder,
    )
  const { checks } = await explained({ client: 'other', method: 'GET', target })
  const body = checks.find(({ name }) => name === 'declared body')
  assert.deepEqual(
    [body?.result, body?.reason],
    ['not_reached', 'the check "assignment" has already refused the request'],
  )
})

const REPORT = {
  collection: 'orders',
  name: 'Report',
  methods: ['POST'],
  path: '/v1/reports',
  status: 'published',
  parameters: [
    { name: 'X-Trace', in: 'header', required: true, pattern: '^[a-z]+$' },
    { name: 'page', in: 'query', type: 'integer' },
  ],
  request_schema: { type: 'object' },
}
const CALLER = ['X-Client-ID: free', 'X-Profile-ID: live']
const GOOD = [...CALLER, 'X-Trace: abc', 'Content-Type: application/json', 'Content-Length: 2']

/** Header lines, what they come to with a target, and in which check. */
const LINES: readonly (readonly [string, string, readonly string[], string | null, string])[] = [
  ['a header that is asked for is absent', '', GOOD.toSpliced(2, 1), 'parameter_invalid', 'contract'],
  ['a header has the wrong form', '', GOOD.toSpliced(2, 1, 'X-Trace: 1'), 'parameter_invalid', 'contract'],
  ['a parameter of the query', '?page=x', GOOD, 'parameter_invalid', 'contract'],
  [
    'a type of body',
    '',
    GOOD.toSpliced(3, 1, 'Content-Type: text/plain'),
    'unsupported_media_type',
    'contract',
  ],
  ['no body', '', GOOD.slice(0, 4), 'body_invalid', 'contract'],
  ['an id that is sent twice', '', [...GOOD, CALLER[0]!], 'request_not_canonical', 'canonical'],
  ['a twin of an id', '', [...GOOD, 'X_Client_ID: other'], 'request_not_canonical', 'canonical'],
  ['two ways to frame', '', [...GOOD, 'Transfer-Encoding: chunked'], 'malformed_request', 'wire'],
  ['an unknown client', '', GOOD.toSpliced(0, 1, 'X-Client-ID: nobody'), 'identity_rejected', 'identify'],
  ['all as it is asked for', '', GOOD, null, 'contract'],
]

test('header lines are judged as the gateway judges those that it gets', async () => {
  assert.equal((await server.manage('POST', '/proxies', REPORT)).status, 201)
  for (const [what, query, headers, code, name] of LINES) {
    const target = `/orders/v1/reports${query}`
    const asked = new URLSearchParams({ method: 'POST', target, ip: '127.0.0.1' })
    for (const line of headers) asked.append('headers', line)
    const { json, text } = await server.manage('GET', `/requests/explain?${asked}`)
    const deciding = json.checks.find((check: { name: string }) => check.name === name)
    const setting = name === 'contract' ? 'proxies/orders:report request_validation: enforce' : null
    assert.deepEqual(
      [json.code, deciding?.code, deciding?.setting],
      [code, code, setting],
      `${what}: ${text}`,
    )
    if (code === null) assert.deepEqual([json.outcome, deciding.result], ['forwarded', 'not_judged'], text)
    const real = await sendRaw(`POST ${target} HTTP/1.1`, headers, '{}')
    assert.match(real, code === null ? /^HTTP\/1\.1 200 / : new RegExp(`"code":"${code}"`), what)
    const record = await recordOf(/^X-Request-ID: (.*)\r$/im.exec(real)![1]!)
    assert.equal(record.check, code === null ? null : deciding.name, what)
  }
})

/** The record of a request, once it is stored. */
async function recordOf(id: string): Promise<RequestRecord> {
  const { json } = await until(
    () => server.manage('GET', `/records/${id}`),
    ({ status }) => status === 200,
  )
  return json
}

/** A request as these very lines; the answer as text. */
async function sendRaw(start: string, headers: readonly string[], body: string): Promise<string> {
  const socket = connect(Number(new URL(server.running.gatewayUrl).port), '127.0.0.1')
  const lines = [start, 'Host: a', 'Connection: close', ...headers]
  socket.write(`${lines.join('\r\n')}\r\n\r\n${body}`)
  let text = ''
  for await (const piece of socket) text += piece
  return text
}

test('a preflight is told as answered by the gateway, and whom ids name as who calls', async () => {
  const cors = { origins: ['https://shop.test'] }
  assert.equal((await server.manage('PATCH', '/collections/orders', { cors })).status, 200)
  const preflight = ['Origin: https://shop.test', 'Access-Control-Request-Method: GET']
  const params = { method: 'OPTIONS', target: '/orders/v1/orders/7', headers: preflight }
  const tool = await askMcp(server, '/management/mcp', server.adminToken, 'tools/call', {
    name: 'query_logs',
    arguments: { action: 'explain', ...params },
  })
  const answered = tool.json.result.structuredContent
  assert.equal(answered?.outcome, 'answered', tool.text)
  assert.match(answered.summary, /^The gateway responds itself: a preflight/)
  assert.equal((await server.manage('PATCH', '/collections/orders', { cors: null })).status, 200)

  const { code, out } = await postern(
    ...['explain', 'get', '/orders/v1/orders/7', '--client', 'other', '-H', 'X-Client-ID: acme'],
  )
  assert.equal(code, 0)
  assert.match(out, /REFUSE identify: identity_rejected: X-Client-ID or X-Profile-ID does not name/)
  const secret = new URLSearchParams({ method: 'GET', target: '/', headers: 'Authorization: Bearer abc' })
  const refused = await server.manage('GET', `/requests/explain?${secret}`)
  assert.deepEqual([refused.status, refused.json.errors[0].pointer], [400, '/headers/0'])
  assert.ok(!refused.text.includes('abc'))
})

test('without a caller the route is explained and the rest stays open', async () => {
  const { outcome, checks, route } = await explained({ method: 'GET', target: '/orders/v1/orders/7' })
  assert.deepEqual([outcome, route?.proxy], ['open', 'one'])
  assert.equal(checks.find(({ name }) => name === 'assignment')?.result, 'not_judged')
})

test('an explanation counts nothing against a limit and leaves no record of a call', async () => {
  const recorded = async () =>
    (await server.manage('GET', '/records?client=acme&limit=200')).json.items.length
  const before: number = await recorded()
  for (let i = 0; i < 5; i++) await explained({ ...ACME, method: 'GET', target: '/orders/v1/orders/7' })
  const { checks } = await explained({ ...ACME, method: 'GET', target: '/orders/v1/orders/7' })
  const limits = checks.find(({ name }) => name === 'limits')!
  assert.deepEqual(
    [limits.setting, limits.reason],
    ['policies/gold of the client', 'minute (rate) has 2 of 2 left'],
  )
  const real = await server.gateway('GET', '/orders/v1/orders/7', {
    headers: { 'x-client-id': 'acme', 'x-profile-id': 'live' },
  })
  assert.equal(real.status, 200)
  assert.match(real.headers.get('ratelimit')!, /r=1;/)
  const ids = { 'x-client-id': 'acme', 'x-profile-id': 'live' }
  await server.gateway('GET', '/orders/v1/orders/7', { headers: ids })
  const last = await explained({ ...ACME, method: 'GET', target: '/orders/v1/orders/7' })
  assert.deepEqual([last.code, last.status], ['rate_limit_exceeded', 429])
  // What stands there beside them are the two calls
  assert.equal(await until(recorded, (count) => count >= before + 2), before + 2)
  server.moveClock(61_000)
})

test('a collection that hides from whom it is not assigned to is explained by both settings', async () => {
  const hide = async (hide_unassigned: boolean) => {
    const { status, text } = await server.manage('PATCH', '/collections/orders', { hide_unassigned })
    assert.equal(status, 200, text)
  }
  await hide(true)
  const target = '/orders/v1/orders/7'
  const headers = { 'x-client-id': 'other', 'x-profile-id': 'live' }
  assert.equal((await server.gateway('GET', target, { headers })).status, 404)
  const { code, checks } = await explained({ client: 'other', method: 'GET', target })
  const refusing = checks.find(({ result }) => result === 'refuse')
  assert.deepEqual(
    [code, refusing?.name, refusing?.reason, refusing?.setting],
    [
      'route_not_found',
      'assignment',
      'collection_not_assigned, shown to the caller as route_not_found',
      'clients/other collections; collections/orders hide_unassigned',
    ],
  )
  const member = await explained({ ...ACME, method: 'GET', target })
  assert.notEqual(member.code, 'route_not_found')
  await hide(false)
})

test('a recorded request is judged again with the current configuration', async () => {
  const real = await server.gateway('GET', '/orders/v1/orders/7', {
    headers: { 'x-client-id': 'other', 'x-profile-id': 'live' },
  })
  const again = await explained({ request_id: real.headers.get('x-request-id')! })
  assert.equal(again.code, 'collection_not_assigned')
  const assign = async (collections: readonly string[]): Promise<void> => {
    assert.equal((await server.manage('PATCH', '/clients/other', { collections })).status, 200)
  }
  await assign(['orders'])
  const now = await explained({ request_id: real.headers.get('x-request-id')! })
  assert.deepEqual([now.outcome, now.code], ['forwarded', null])
  await assign([])
})

const postern = (...args: string[]) => runCommand(server.data, args)

test('the command prints who wins, who loses and what decides', async () => {
  const { code, out, err } = await postern(
    ...['explain', 'get', '/orders/v1/orders/recent', '--client', 'acme', '--ip', '192.0.2.1'],
  )
  assert.equal(code, 0, err)
  assert.match(out, /^Refused by the check "address" with 403 ip_not_allowed/)
  assert.match(out, /\* orders:recent {2}GET \/orders\/v1\/orders\/recent/)
  assert.match(out, /^ +orders:one {2}GET .*[\s\S]*recent takes precedence/m)
  assert.match(out, /REFUSE address: ip_not_allowed: .*\[profiles\/acme:live ip_allowlist\]/)
})

test('a save says which routes overlap and who goes first, and which base paths nest', async () => {
  const proxy = await server.manage('POST', '/proxies', {
    collection: 'orders',
    name: 'Search',
    methods: ['GET'],
    path: '/v1/orders/search',
  })
  assert.deepEqual(
    proxy.json.warnings.map(({ reason }: { reason: string }) => reason.split(' if')[0]),
    ['takes precedence over /v1/orders/{id} of "one"', 'takes precedence over /v1/* of "rest"'],
  )
  const nested = await server.manage('POST', '/collections', {
    name: 'Inner',
    base_path: '/orders/v1/orders',
  })
  assert.equal(nested.status, 201, nested.text)
  assert.match(nested.json.warnings[0].reason, /takes the paths below it from the collection "orders"/)
  const shadowed = await server.manage('PATCH', '/proxies/orders:search', { description: 'Looks for orders' })
  assert.match(
    shadowed.json.warnings[0].reason,
    /paths below \/orders\/v1\/orders go to the collection "inner"/,
  )
})

test('whether a profile may call an endpoint is told by the checks that would judge the call', async () => {
  const access = async (profile: string, query: Record<string, string>) => {
    const path = `/profiles/${profile}/access?${new URLSearchParams(query)}`
    const { status, json, text } = await server.manage('GET', path)
    assert.equal(status, 200, text)
    return json
  }
  const open = await access('free:live', { endpoint: 'orders:one' })
  assert.deepEqual(
    [open['allowed'], open['target'], open['code'], open['check'], open['endpoint'], open['profile']],
    [true, '/orders/v1/orders/x', null, null, 'orders:one', 'free:live'],
  )
  const stranger = await access('other:live', { endpoint: 'orders:one' })
  assert.deepEqual(
    [stranger['allowed'], stranger['code'], stranger['status']],
    [false, 'collection_not_assigned', 403],
  )
  const elsewhere = await access('acme:live', { endpoint: 'orders:one', ip: '192.0.2.1' })
  assert.deepEqual(
    [elsewhere['code'], elsewhere['setting']],
    ['ip_not_allowed', 'profiles/acme:live ip_allowlist'],
  )
  const target = '/orders/v1/orders/recent'
  const lost = await access('free:live', { endpoint: 'orders:one', target })
  assert.deepEqual([lost['allowed'], lost['reason']], [false, 'another route takes precedence for them'])
  const rest = await access('free:live', { endpoint: 'orders:rest', method: 'POST' })
  assert.deepEqual([rest['allowed'], rest['target'], rest['method']], [true, '/orders/v1/x', 'POST'])
  const hidden = await server.manage('POST', '/proxies/orders:rest/publish', { status: 'draft' })
  assert.equal(hidden.status, 200)
  const draft = await access('free:live', { endpoint: 'orders:rest' })
  assert.deepEqual([draft['allowed'], draft['reason']], [false, 'the endpoint is not published'])
  assert.equal((await server.manage('GET', '/profiles/free:live/access?endpoint=nope')).status, 404)
})
