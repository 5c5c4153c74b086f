import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { after, before, test } from 'node:test'
import { runCommand } from './cli.ts'
import { startTestServer, type TestServer } from './server.ts'
import { startUpstream, type TestUpstream } from './upstream.ts'

let server: TestServer
let upstream: TestUpstream

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
    [
      'profiles',
      { client: 'acme', name: 'Live', auth: { type: 'none' }, ip_allowlist: ['127.0.0.0/8', '10.0.0.0/8'] },
    ],
    ['profiles', { client: 'other', name: 'Live', auth: { type: 'none' } }],
  ] as const
  for (const [resource, body] of made) {
    const { status, text } = await server.manage('POST', `/${resource}`, body)
    assert.equal(status, 201, text)
  }
  const published = await server.manage('POST', '/collections/orders/publish', { cascade: true })
  assert.equal(published.status, 200, published.text)
})
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
  assert.match(candidates[1]!.reason, /recent goes first: its segment 3 is the literal "recent"/)
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

const REFUSALS: readonly (readonly [string, Record<string, string>, string, string | null])[] = [
  ['a path that no collection has', { ...ACME, target: '/nowhere' }, 'route_not_found', null],
  [
    'a path that can be read in two ways',
    { ...ACME, target: '/orders/v1/%2e%2e/x' },
    'request_not_canonical',
    null,
  ],
  [
    'an address outside of the list',
    { ...ACME, target: '/orders/v1/orders/7', ip: '192.0.2.1' },
    'ip_not_allowed',
    'profiles/acme:live ip_allowlist',
  ],
  [
    'a client without the collection',
    { client: 'other', target: '/orders/v1/orders/7' },
    'collection_not_assigned',
    'clients/other collections',
  ],
  [
    'a body that is too large',
    { ...ACME, target: '/orders/v1/orders/7', body_bytes: '99999999' },
    'body_too_large',
    'collections/orders max_body',
  ],
]

for (const [what, query, code, setting] of REFUSALS)
  test(`${what} is refused in the explanation as it is in truth`, async () => {
    const answer = await explained({ method: 'GET', ...query })
    assert.equal(answer.outcome, 'refused')
    assert.equal(answer.code, code)
    const refusing = answer.checks.find(({ result }) => result === 'refuse')
    assert.deepEqual([refusing?.code, refusing?.setting], [code, setting])
    if ('ip' in query && query['ip'] !== '127.0.0.1') return
    if ('body_bytes' in query) return
    const real = await server.gateway('GET', query['target']!, {
      headers: { 'x-client-id': query['client']!, 'x-profile-id': 'live' },
    })
    // fetch resolves dot segments before it sends
    if (code !== 'request_not_canonical') assert.equal(real.json.code, code)
    assert.equal(real.status === answer.status || code === 'request_not_canonical', true)
  })

test('without a caller the route is explained and the rest stays open', async () => {
  const { outcome, checks } = await explained({ method: 'GET', target: '/orders/v1/orders/7' })
  assert.equal(outcome, 'open')
  assert.equal(checks.find(({ name }) => name === 'assignment')?.result, 'not_judged')
})

test('an explanation counts nothing against a limit and leaves no record of a call', async () => {
  for (let i = 0; i < 5; i++) await explained({ ...ACME, method: 'GET', target: '/orders/v1/orders/7' })
  const { checks } = await explained({ ...ACME, method: 'GET', target: '/orders/v1/orders/7' })
  assert.match(checks.find(({ name }) => name === 'limits')!.setting!, /policies\/gold of the client/)
  const real = await server.gateway('GET', '/orders/v1/orders/7', {
    headers: { 'x-client-id': 'acme', 'x-profile-id': 'live' },
  })
  assert.equal(real.status, 200)
  assert.match(real.headers.get('ratelimit')!, /r=1;/)
})

test('a recorded request is judged again by the configuration of now', async () => {
  const real = await server.gateway('GET', '/orders/v1/orders/7', {
    headers: { 'x-client-id': 'other', 'x-profile-id': 'live' },
  })
  const again = await explained({ request_id: real.headers.get('x-request-id')! })
  assert.equal(again.code, 'collection_not_assigned')
})

const postern = (...args: string[]) => runCommand(server.data, args)

test('the command prints who wins, who loses and what decides', async () => {
  const { code, out, err } = await postern(
    ...['explain', 'get', '/orders/v1/orders/recent', '--client', 'acme', '--ip', '192.0.2.1'],
  )
  assert.equal(code, 0, err)
  assert.match(out, /^Refused by check 7 \(address\) with 403 ip_not_allowed/)
  assert.match(out, /\* orders:recent {2}GET \/orders\/v1\/orders\/recent/)
  assert.match(out, /REFUSE {2}7 address: ip_not_allowed: .*\[profiles\/acme:live ip_allowlist\]/)
})

test('the example of the page about routing prints what the page says', async () => {
  const page = await readFile(resolve(import.meta.dirname, '../../docs/routing.md'), 'utf8')
  const [, command, expected] = /\$ postern (.*)\n([\s\S]*?)\.\.\.\n```/.exec(page)!
  const { code, out, err } = await postern(...command!.split(' '))
  assert.equal(code, 0, err)
  assert.equal(out.slice(0, expected!.length), expected)
})

test('a save says which routes overlap and who goes first, and which base paths nest', async () => {
  const proxy = await server.manage('POST', '/proxies', {
    collection: 'orders',
    name: 'Search',
    methods: ['GET'],
    path: '/v1/orders/search',
  })
  assert.deepEqual(
    proxy.json.warnings.map(({ reason }: { reason: string }) => reason.split(' where')[0]),
    ['goes before /v1/orders/{id} of "one"', 'goes before /v1/* of "rest"'],
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
