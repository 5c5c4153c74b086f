import assert from 'node:assert/strict'
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, beforeEach, test } from 'node:test'
import { runCommand } from './cli.ts'
import { type Orders, startOrders } from './orders.ts'
import { killNow, runPostern, startUp, temporaryDirectory } from './process.ts'
import { askMcp, call, callAsAgent, publishOrders, type Reply, type TestServer, until } from './server.ts'
import { startUpstream, type TestUpstream } from './upstream.ts'

const GET = '/orders/v1/orders/7'

interface Item {
  readonly limit: string
  readonly used: number | null
  readonly remaining: number | null
  readonly state: string
  readonly refused: number
  readonly client: string | null
  readonly attached_to: string
  readonly reset_at: string | null
}

let orders: Orders
let server: TestServer
let upstream: TestUpstream
let echo: TestUpstream['answer']
/** Slug of a policy, and of the client that it is attached to: others for each test. */
let gold: string
/** Of the one profile of that client. */
let profile: string
let token: string
let tests = 0

before(async () => {
  orders = await startOrders({ workers: 2 })
  ;({ server, upstream } = orders)
  echo = upstream.answer
})
after(() => orders.stop())

beforeEach(async () => {
  gold = `gold-${++tests}`
  upstream.answer = echo
  const its = { name: gold, slug: gold }
  await create('policies', { ...its, limits: [{ name: 'minute', kind: 'rate', max: 1000, window: '1m' }] })
  await create('clients', { ...its, collections: ['orders'], policy: gold, profiles: [] })
  const made = await create('profiles', { client: gold, name: 'Caller', auth: { type: 'token' } })
  profile = made.id
  token = made.token
})

async function create(resource: string, body: object): Promise<Reply['json']> {
  const answer = await server.manage('POST', `/${resource}`, body)
  assert.equal(answer.status, 201, answer.text)
  return answer.json
}

async function setPolicy(body: object): Promise<void> {
  const answer = await server.manage('PATCH', `/policies/${gold}`, body)
  assert.equal(answer.status, 200, answer.text)
}

async function usage(query = ''): Promise<Item[]> {
  const answer = await server.manage('GET', `/policies/${gold}/usage${query}`)
  assert.equal(answer.status, 200, answer.text)
  return answer.json.items
}

async function used(limit: string): Promise<number | null | undefined> {
  return (await usage()).find((item) => item.limit === limit)?.used
}

async function untilUsed(limit: string, count: number): Promise<void> {
  await until(
    () => used(limit),
    (counted) => counted === count,
  )
}

/** One `execute_call` of an agent: the status that it was answered with. */
async function executeCall(): Promise<number> {
  return (await callAsAgent(server, token, { endpoint: `GET ${GET}` })).status
}

/** What the upstream is asked from now on: it answers when it is told to. */
function holding(): ServerResponse[] {
  const held: ServerResponse[] = []
  upstream.answer = (_, response) => void held.push(response)
  return held
}

async function untilHeld(held: readonly ServerResponse[], count: number): Promise<void> {
  await until(
    async () => held.length,
    (length) => length === count,
  )
}

test('usage of a policy that is attached nowhere says so', async () => {
  const limits = [{ name: 'minute', kind: 'rate', max: 1, window: '1m' }]
  await server.manage('POST', '/policies', { name: 'Spare', limits })
  const { json } = await server.manage('GET', '/policies/spare/usage')
  assert.deepEqual(json.warnings, [{ pointer: '/id', reason: 'attached nowhere, so it limits no calls' }])
  const printed = await runCommand(server.data, ['policies', 'usage', 'spare'])
  assert.deepEqual(
    [printed.out, printed.err],
    ['None.\n', 'warning: /id: attached nowhere, so it limits no calls\n'],
  )
})

test('calls over REST and of agents are counted in one, and usage says so on every surface', async () => {
  await setPolicy({ limits: [{ name: 'minute', kind: 'rate', max: 5, window: '1m' }] })
  for (let i = 0; i < 2; i++) assert.equal((await server.gateway('GET', GET, { token })).status, 200)
  for (let i = 0; i < 2; i++) assert.equal(await executeCall(), 200)

  const [item] = await usage()
  assert.deepEqual(
    [item?.limit, item?.attached_to, item?.client, item?.used, item?.remaining, item?.state],
    ['minute', 'client', gold, 4, 1, 'warning'],
  )
  assert.ok(item?.reset_at !== null)
  assert.equal((await server.gateway('GET', GET, { token })).status, 200)
  assert.equal(await executeCall(), 429)
  assert.equal((await usage())[0]?.state, 'exceeded')
  assert.equal((await usage())[0]?.refused, 1)

  const params = { name: 'manage_policies', arguments: { action: 'usage', id: gold } }
  const tool = await askMcp(server, '/management/mcp', server.adminToken, 'tools/call', params)
  assert.equal(tool.json.result.structuredContent?.items?.[0]?.used, 5, tool.text)

  const printed = await runCommand(server.data, ['policies', 'usage', gold, '-o', 'json'])
  assert.equal(printed.code, 0, printed.err)
  assert.equal(JSON.parse(printed.out).items[0].used, 5)
})

test('a place is given back when the answer ends, the caller leaves or the upstream fails, and never twice', async () => {
  await setPolicy({ limits: [{ name: 'flight', kind: 'concurrency', max: 2 }] })
  const held = holding()
  const calls = [1, 2].map(() => server.gateway('GET', GET, { token }))
  await untilHeld(held, 2)
  assert.equal(await used('flight'), 2)
  const third = await server.gateway('GET', GET, { token })
  assert.equal(third.status, 429)
  assert.equal(third.json.code, 'concurrency_exceeded')
  assert.equal(third.json.limit_name, 'flight')
  assert.equal(third.headers.get('retry-after'), '1')
  assert.equal(third.headers.get('ratelimit'), '"flight";r=0')
  assert.equal(third.headers.get('ratelimit-policy'), '"flight";q=2;qu="concurrent-requests"')
  assert.equal(await executeCall(), 429)

  // One answer ends while it is streamed: the place is free only when its last byte is there.
  held[0]!.write('a')
  assert.equal((await server.gateway('GET', GET, { token })).status, 429)
  held[0]!.end('b')
  // The upstream breaks off the other, also when it is sent again, as on a connection that was kept
  upstream.answer = (_, response) => void response.destroy()
  held[1]!.destroy()
  // Either of them may have come first.
  const ended = (await Promise.all(calls)).map(({ status, text }) => (status === 200 ? text : status))
  assert.deepEqual(new Set(ended), new Set(['ab', 502]))
  await untilUsed('flight', 0)

  holding()
  const socket = connect(Number(new URL(server.running.gatewayUrl).port), '127.0.0.1')
  socket.write(`GET ${GET} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token}\r\n\r\n`)
  await untilUsed('flight', 1)
  socket.destroy()
  await untilUsed('flight', 0)
  upstream.answer = (_, response) => void response.end('ok')
  const many = await Promise.all(Array.from({ length: 20 }, () => server.gateway('GET', GET, { token })))
  assert.ok(many.some(({ status }) => status === 200))
  await untilUsed('flight', 0)
})

test('what was under way in a gateway thread that dies is given back', async () => {
  await setPolicy({ limits: [{ name: 'flight', kind: 'concurrency', max: 2 }] })
  const held = holding()
  const lost = [1, 2].map(() => server.gateway('GET', GET, { token }).catch((error: unknown) => error))
  await untilHeld(held, 2)
  assert.equal((await server.gateway('GET', GET, { token })).status, 429)
  for (const slot of [0, 1]) await server.running.killThread(slot)
  for (const one of await Promise.all(lost)) assert.ok(one instanceof Error)
  assert.equal(await used('flight'), 0)
  upstream.answer = (_, response) => void response.end('ok')
  assert.equal((await server.gateway('GET', GET, { token })).status, 200)
  // The caller has the last byte a moment before the place is given back
  await untilUsed('flight', 0)
})

test('a call waits a moment for a place, and one whose caller left while it waited takes none', async () => {
  await setPolicy({ limits: [{ name: 'flight', kind: 'concurrency', max: 1, wait: '1s' }] })
  const held = holding()
  const first = server.gateway('GET', GET, { token })
  await untilHeld(held, 1)
  const left = connect(Number(new URL(server.running.gatewayUrl).port), '127.0.0.1')
  left.write(`GET ${GET} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token}\r\n\r\n`)
  await once(left, 'connect')
  left.destroy()
  // Its record says that the gateway knows; until then it may still be given a place
  await until(
    () => server.manage('GET', `/records?client=${gold}&limit=10`),
    ({ json }) => json.items.some(({ aborted }: { aborted: boolean }) => aborted),
  )
  const second = server.gateway('GET', GET, { token })
  const third = executeCall()
  held[0]!.end('one')
  assert.equal((await first).text, 'one')
  await untilHeld(held, 2)
  held[1]!.end('{}')
  await untilHeld(held, 3)
  held[2]!.end('{}')
  assert.deepEqual([(await second).status, await third], [200, 200])
  await untilUsed('flight', 0)

  const fourth = server.gateway('GET', GET, { token })
  await untilHeld(held, 4)
  const late = await server.gateway('GET', GET, { token })
  assert.equal(late.json.code, 'concurrency_exceeded')
  held[3]!.end()
  await fourth
})

test('the limits of profile, client, collection and proxy apply together with their weights, and the first that refuses is named', async (t) => {
  t.after(async () => {
    for (const path of ['/collections/orders', '/proxies/get-order'])
      assert.equal((await server.manage('PATCH', path, { policy: null })).status, 200)
  })
  const places = {
    profile: [`/profiles/${profile}`, { kind: 'quota', max: 6, window: '1d', cost: 2 }],
    client: [`/clients/${gold}`, { kind: 'rate', max: 40, window: '1h', cost: 10 }],
    collection: ['/collections/orders', { kind: 'rate', max: 7, window: '1h' }],
    proxy: ['/proxies/get-order', { kind: 'rate', max: 6, window: '1h', cost: 3, warn_at: 0.5 }],
  } as const
  for (const [place, [path, limit]] of Object.entries(places)) {
    const limits = [{ name: 'only', ...limit }]
    const made = await server.manage('POST', '/policies', { name: place, slug: place, limits })
    assert.equal(made.status, 201, made.text)
    assert.equal((await server.manage('PATCH', path, { policy: place })).status, 200)
  }
  const shown = async (member: 'used' | 'state'): Promise<unknown[]> =>
    Promise.all(
      Object.keys(places).map(async (place) => {
        const { json } = await server.manage('GET', `/policies/${place}/usage`)
        return json.items.find(({ client }: Item) => client === gold)?.[member]
      }),
    )
  const counted = (): Promise<unknown[]> => shown('used')
  const rest = async () => (await server.gateway('GET', GET, { token })).json
  const agent = async () => (await callAsAgent(server, token, { endpoint: `GET ${GET}` })).body
  const named = ({ policy, attached_to }: Reply['json']): unknown[] => [policy, attached_to]

  assert.equal((await rest()).code, undefined)
  assert.deepEqual(await shown('state'), ['ok', 'ok', 'ok', 'warning'])
  assert.equal((await agent()).code, undefined)
  assert.deepEqual(await counted(), [4, 20, 2, 6])
  // None but the proxy refuses, and nothing is taken from the others
  for (const ask of [rest, agent]) assert.deepEqual(named(await ask()), ['proxy', 'proxy'])
  assert.deepEqual(await counted(), [4, 20, 2, 6])
  await server.manage('PATCH', '/proxies/get-order', { policy: null })
  assert.equal((await agent()).code, undefined)
  // Now the profile refuses before the others are asked
  await server.manage('PATCH', '/policies/client', {
    limits: [{ name: 'only', kind: 'rate', max: 30, window: '1h', cost: 10 }],
  })
  for (const ask of [rest, agent]) assert.deepEqual(named(await ask()), ['profile', 'profile'])
  await server.manage('PATCH', `/profiles/${profile}`, { policy: null })
  for (const ask of [rest, agent]) assert.deepEqual(named(await ask()), ['client', 'client'])
  assert.deepEqual((await counted()).slice(1, 3), [30, 3])
})

test('a limit by tool counts the calls of agents apart from those over REST', async () => {
  await setPolicy({
    limits: [{ name: 'tools', kind: 'rate', max: 2, window: '1h', key: 'tool' }],
  })
  const rest = async (): Promise<number> => (await server.gateway('GET', GET, { token })).status
  assert.deepEqual([await rest(), await rest(), await rest()], [200, 200, 429])
  const agent = (): Promise<number> => executeCall()
  assert.deepEqual([await agent(), await agent(), await agent()], [200, 200, 429])
  assert.equal((await usage('?value=execute_call'))[0]?.used, 2)
})

test('a limit that observes counts and records what it would refuse, and shows callers nothing', async () => {
  await setPolicy({
    limits: [{ name: 'trial', kind: 'rate', max: 1, window: '1m', mode: 'observe' }],
  })
  const answers: Reply[] = []
  for (let i = 0; i < 3; i++) answers.push(await server.gateway('GET', GET, { token }))
  assert.deepEqual(
    answers.map(({ status }) => status),
    [200, 200, 200],
  )
  assert.equal(answers[2]!.headers.get('ratelimit'), null)
  const [item] = await usage()
  assert.deepEqual([item?.used, item?.refused, item?.state], [3, 2, 'exceeded'])
  const records = await server.manage('GET', `/records?client=${gold}`)
  const reasons: unknown[] = records.json.items.map((record: { reason: unknown }) => record.reason)
  assert.deepEqual(reasons.filter((reason) => reason !== null).length, 2)
  assert.match(String(reasons[0]), /^would be refused by limit "trial" of policy "gold-\d+" of the client$/)
})

test('statuses that do not count are given back at the end, and a header divides the counter', async () => {
  await setPolicy({
    limits: [
      { name: 'good', kind: 'quota', max: 2, window: '1d', count: ['200-299'] },
      { name: 'each', kind: 'rate', max: 2, window: '1m', key: 'header:X-Tenant' },
    ],
    x_ratelimit: true,
  })
  const ask = (tenant: string) =>
    server.gateway('GET', GET, { token, headers: tenant === '' ? {} : { 'x-tenant': tenant } })
  upstream.answer = (_, response) => void response.writeHead(500).end()
  assert.equal((await ask('a')).status, 500)
  assert.equal((await ask('b')).status, 500)
  await untilUsed('good', 0)
  upstream.answer = (_, response) => void response.writeHead(200).end()
  const answer = await ask('a')
  assert.equal(answer.status, 200)
  assert.equal(answer.headers.get('x-ratelimit-limit'), '2')
  assert.equal(answer.headers.get('x-ratelimit-remaining'), '0')
  const refused = await ask('a')
  assert.equal(refused.json.limit_name, 'each')
  assert.equal((await ask('')).status, 200)
  assert.equal((await ask('c')).json.limit_name, 'good')
  const items = await usage('?value=a')
  assert.deepEqual(
    items.map(({ limit, used }) => [limit, used]),
    [
      ['good', 2],
      ['each', 2],
    ],
  )
  assert.deepEqual((await usage())[1]?.used, null)
})

test('the short form limits like the list, also when it is changed and taken away', async () => {
  await setPolicy({
    limits: [],
    rate: { max: 2, interval: '1m' },
    quota: { max: 3, interval: '12h' },
  })
  // A clock that is moved ends idle connections, perhaps while the next call is on its way on one.
  const ask = () => server.gateway('GET', GET, { token, headers: { connection: 'close' } })
  const statuses: number[] = []
  for (let i = 0; i < 3; i++) statuses.push((await ask()).status)
  assert.deepEqual(statuses, [200, 200, 429])
  server.moveClock(62_000)
  assert.equal((await ask()).status, 200)
  assert.equal((await ask()).json.code, 'quota_exceeded')
  await setPolicy({ quota: null })
  assert.equal((await ask()).status, 200)
  const clash = await server.manage('PATCH', `/policies/${gold}`, {
    limits: [{ name: 'rate', kind: 'rate', max: 1, window: '1s' }],
  })
  assert.equal(clash.status, 400)
  assert.equal(clash.json.errors[0].pointer, '/rate')
})

test('killed in the middle, no quota forgets what was counted a flush before', async () => {
  await using upstream = await startUpstream()
  const data = await temporaryDirectory()
  const first = await startUp(data)
  const admin = await runPostern(['token', '--data', data, '--role', 'admin', '-o', 'json'])
  const adminToken: string = JSON.parse(admin.stdout).token
  const on = (up: { readonly controlUrl: string }): Pick<TestServer, 'manage'> => ({
    manage: (method, path, body) =>
      call(method, `${up.controlUrl}/management/v1${path}`, { token: adminToken, body }),
  })
  const token = await publishOrders(on(first), upstream.url)
  const limits = [
    { name: 'week', kind: 'quota', max: 5, window: '7d', timezone: 'Asia/Kolkata' },
    { name: 'rolling', kind: 'quota', max: 6, window: '12h', rolling: true },
  ]
  await on(first).manage('PATCH', '/policies/gold', { limits })
  for (let i = 0; i < 4; i++)
    assert.equal((await call('GET', `${first.gatewayUrl}${GET}`, { token })).status, 200)
  const records = new DatabaseSync(join(data, 'records.db'), { readOnly: true })
  const stored = (): unknown[] =>
    records
      .prepare('SELECT count FROM quotas')
      .all()
      .map((row) => row['count'])
  await until(
    async () => stored(),
    (counts) => counts.length === 2 && counts.every((count) => count === 4),
  )
  records.close()
  await killNow(first)

  const next = await startUp(data)
  const counts = (await on(next).manage('GET', '/policies/gold/usage')).json.items as Item[]
  assert.deepEqual(
    counts.map(({ used }) => used),
    [4, 4],
  )
  assert.equal((await call('GET', `${next.gatewayUrl}${GET}`, { token })).status, 200)
  const refused = await call('GET', `${next.gatewayUrl}${GET}`, { token })
  assert.deepEqual([refused.status, refused.json.limit_name], [429, 'week'])
  await killNow(next)
  await rm(data, { recursive: true })
})
