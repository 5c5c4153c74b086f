import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { after, before, test } from 'node:test'
import { examplesOf } from '../support/examples.ts'
import { runCommand } from './cli.ts'
import { callAsAgent, publishOrders, type Reply, startTestServer, type TestServer, until } from './server.ts'
import { startUpstream, type TestUpstream } from './upstream.ts'

const ORDER = '/orders/v1/orders/7'

let server: TestServer
let first: TestUpstream
let second: TestUpstream
let token: string

before(async () => {
  first = await startUpstream()
  second = await startUpstream()
  server = await startTestServer({ workers: 1 })
  token = await publishOrders(server, first.url)
})
after(async () => {
  await server?.stop()
  await first?.close()
  await second?.close()
})

const get = (headers: Record<string, string> = {}): Promise<Reply> =>
  server.gateway('GET', ORDER, { token, headers })

async function setUpstream(upstream: object): Promise<void> {
  const reply = await server.manage('PATCH', '/collections/orders', { upstream })
  assert.equal(reply.status, 200, reply.text)
}

/** A port on which nothing listens. */
async function closedPort(): Promise<number> {
  const listener = createServer()
  await new Promise<void>((done) => listener.listen(0, '127.0.0.1', done))
  const address = listener.address()
  await new Promise((done) => listener.close(done))
  return typeof address === 'object' && address !== null ? address.port : 0
}

/** How many requests each upstream gets meanwhile. */
async function counted(work: () => Promise<unknown>): Promise<[number, number]> {
  const before = [first.seen.length, second.seen.length] as const
  await work()
  return [first.seen.length - before[0], second.seen.length - before[1]]
}

async function times(count: number, work: () => Promise<Reply>): Promise<Reply[]> {
  const replies: Reply[] = []
  for (let index = 0; index < count; index++) replies.push(await work())
  return replies
}

test('requests of apps and agents are shared out by weight', async () => {
  await setUpstream({
    targets: [{ url: first.url, weight: 3 }, { url: `${second.url}/base` }],
    breaker: null,
  })
  const shares = await counted(async () => {
    await times(8, get)
    for (let index = 0; index < 8; index++) {
      const { status } = await callAsAgent(server, token, { endpoint: `GET ${ORDER}` })
      assert.equal(status, 200)
    }
  })
  assert.deepEqual(shares, [12, 4])
  assert.equal(second.seen.at(-1)!.url, '/base/v1/orders/7')
  assert.equal(second.seen.at(-1)!.headers.host, new URL(second.url).host)
})

test('equal values of a header meet the same server', async () => {
  await setUpstream({
    targets: [{ url: first.url }, { url: second.url }],
    balance: 'hash',
    hash_key: 'header:X-Tenant',
  })
  let both = 0
  for (let tenant = 0; tenant < 20; tenant++) {
    const shares = await counted(() => times(2, () => get({ 'x-tenant': `tenant ${tenant}` })))
    assert.deepEqual(shares.toSorted(), [0, 2])
    both |= shares[0] === 2 ? 1 : 2
  }
  assert.equal(both, 3)
})

test('the server with the fewest requests under way is asked next', async () => {
  await setUpstream({
    targets: [{ url: first.url }, { url: second.url }],
    balance: 'least_pending',
    breaker: null,
  })
  const { answer } = first
  const asked = Promise.withResolvers<() => void>()
  first.answer = (seen, response) => asked.resolve(() => answer(seen, response))
  // One goes to each
  const both = [get(), get()]
  const release = await asked.promise
  await Promise.race(both)
  assert.deepEqual(await counted(() => times(6, get)), [0, 6])
  release()
  await Promise.all(both)
  first.answer = answer
  assert.deepEqual(await counted(() => times(6, get)), [3, 3])
})

test('a server that refuses connections costs no call that may go elsewhere, and is soon left alone', async () => {
  await setUpstream({
    targets: [{ url: `http://127.0.0.1:${await closedPort()}` }, { url: second.url }],
    balance: 'round_robin',
  })
  for (const { status } of await times(4, get)) assert.equal(status, 200)
  const agent = await callAsAgent(server, token, { endpoint: `GET ${ORDER}` })
  assert.equal(agent.status, 200)
  const create = () => server.gateway('POST', '/orders/v1/orders', { token, body: { n: 1 } })
  const created = await times(4, create)
  assert.deepEqual(
    created.map(({ status }) => status).toSorted(),
    [201, 201, 502, 502].map((status) => (status === 201 ? 200 : status)),
  )
  // Five failures in a row by now
  await times(2, get)
  for (const { status } of await times(6, create)) assert.equal(status, 200)
})

test('what is known of the servers outlives a change, and ends with its time', async () => {
  await setUpstream({ targets: [{ url: first.url }, { url: second.url }], balance: 'round_robin' })
  first.answer = (_seen, response) => void response.writeHead(503).end()
  const answer = second.answer
  await times(12, get)
  const [failing] = await counted(() => times(4, get))
  assert.equal(failing, 0)
  await server.manage('PATCH', '/collections/orders', { description: 'changed' })
  assert.deepEqual(await counted(() => times(4, get)), [0, 4])
  first.answer = answer
  server.moveClock(10_001)
  assert.deepEqual(await counted(() => times(4, get)), [2, 2])
})

test('the breaker answers for an upstream that fails, and tries it again', async () => {
  await setUpstream({ targets: [{ url: first.url }], breaker: {} })
  const { answer } = first
  first.answer = (_seen, response) => void response.writeHead(504).end()
  await times(20, get)
  const reply = await get()
  assert.deepEqual([reply.status, reply.json.code], [503, 'upstream_unavailable'])
  assert.match(reply.headers.get('retry-after') ?? '', /^[1-5]$/)
  assert.ok(reply.json.retry_after_ms > 0)
  const agent = await callAsAgent(server, token, { endpoint: `GET ${ORDER}` })
  assert.equal(agent.code, 'upstream_unavailable')
  assert.deepEqual(await counted(() => times(5, get)), [0, 0])
  first.answer = answer
  server.moveClock(5001)
  for (const { status } of await times(5, get)) assert.equal(status, 200)
})

test('a kept answer stands in while the breaker is open, for apps and agents', async () => {
  await setUpstream({ targets: [{ url: first.url }], breaker: { errors: 1, requests: 1 } })
  const cached = await server.manage('PATCH', '/proxies/get-order', {
    cache: { ttl: '1s', scope: 'client', stale_if_error: '10m' },
  })
  assert.equal(cached.status, 200, cached.text)
  const agentStatus = async () => (await callAsAgent(server, token, { endpoint: `GET ${ORDER}` })).status
  assert.deepEqual([(await get()).status, await agentStatus()], [200, 200])
  server.moveClock(1001)
  const { answer } = first
  first.answer = (_seen, response) => void response.writeHead(503).end()
  const create = () => server.gateway('POST', '/orders/v1/orders', { token, body: {} })
  assert.deepEqual(
    (await times(2, create)).map(({ status }) => status),
    [503, 503],
  )
  const unasked = await counted(async () => {
    const reply = await get()
    assert.deepEqual([reply.status, reply.headers.get('x-cache')], [200, 'STALE'], reply.text)
    assert.equal(await agentStatus(), 200)
  })
  assert.deepEqual(unasked, [0, 0])
  first.answer = answer
  server.moveClock(5001)
  assert.equal((await create()).status, 200)
  await server.manage('PATCH', '/proxies/get-order', { cache: null })
  await setUpstream({ targets: [{ url: first.url }], breaker: { errors: 50, requests: 20 } })
})

test('the health of servers is shown, with what is known of them', async () => {
  await setUpstream({ targets: [{ url: first.url }, { url: second.url }] })
  const { answer } = first
  first.answer = (_seen, response) => void response.writeHead(502).end()
  await times(12, get)
  first.answer = answer
  const health = await server.manage('GET', '/collections/orders/health')
  assert.equal(health.status, 200, health.text)
  const { breaker, targets } = health.json
  assert.equal(breaker, 'closed')
  assert.deepEqual(
    targets.map((one: { server: string; state: string; pending: number }) => [
      one.server,
      one.state,
      one.pending,
    ]),
    [
      [first.url, 'ejected', 0],
      [second.url, 'healthy', 0],
    ],
  )
  assert.ok(Date.parse(targets[0].until) > 0 && targets[1].until === null)
  server.moveClock(10_001)
})

test('a server that does not answer its health checks gets no requests until it does', async () => {
  await setUpstream({
    targets: [{ url: first.url }, { url: second.url }],
    health: { active: { path: '/alive', interval: '1s', failures: 2, successes: 1 } },
  })
  const { answer } = first
  const asked: string[] = []
  first.answer = (seen, response) => {
    asked.push(seen.url)
    if (seen.url === '/alive') response.writeHead(500).end()
    else answer(seen, response)
  }
  const stateOf = async () => {
    server.moveClock(1000)
    return (await server.manage('GET', '/collections/orders/health')).json.targets[0].state
  }
  await until(stateOf, (state) => state === 'down')
  asked.length = 0
  for (const { status } of await times(6, get)) assert.equal(status, 200)
  assert.deepEqual(
    asked.filter((url) => url !== '/alive'),
    [],
  )
  first.answer = answer
  await until(stateOf, (state) => state === 'healthy')
  await setUpstream({ targets: [{ url: first.url }], health: { active: { path: '/alive', interval: '1s' } } })
  first.answer = (seen, response) =>
    seen.url === '/alive' ? void response.writeHead(500).end() : answer(seen, response)
  await until(stateOf, (state) => state === 'down')
  const reply = await get()
  assert.deepEqual([reply.status, reply.json.code], [503, 'upstream_unavailable'])
  await setUpstream({ targets: [{ url: first.url }], health: { active: null } })
  assert.equal((await get()).status, 200)
  first.answer = answer
})

test('a proxy may wait longer than its upstream', async () => {
  await setUpstream({ targets: [{ url: first.url }], timeouts: { first_byte: '1s' }, breaker: null })
  const changed = await server.manage('PATCH', '/proxies/create-order', { timeouts: { first_byte: '5m' } })
  assert.equal(changed.status, 200, changed.text)
  const { answer } = first
  const waiting: (() => void)[] = []
  const asked = Promise.withResolvers<void>()
  first.answer = (seen, response) => {
    waiting.push(() => answer(seen, response))
    if (waiting.length === 2) asked.resolve()
  }
  const replies = [get(), server.gateway('POST', '/orders/v1/orders', { token, body: {} })]
  await asked.promise
  server.moveClock(60_000)
  assert.equal((await replies[0]!).json.code, 'upstream_timeout')
  first.answer = answer
  for (const end of waiting) end()
  assert.equal((await replies[1]!).status, 200)
})

test('the examples of the docs work', async () => {
  const examples = examplesOf('forwarding.md', {
    'http://10.0.0.1:9000': first.url,
    'http://10.0.0.2:9000': second.url,
  })
  assert.equal(examples.length, 4)
  for (const { method, path, body, status } of examples) {
    const reply = await server.manage(method, path.slice('/management/v1'.length), body)
    assert.equal(reply.status, status, reply.text)
  }
  const shown = await runCommand(server.data, ['collections', 'health', 'orders'])
  assert.match(shown.out, /healthy/, shown.err)
})

test('what cannot be meant is refused at its place', async () => {
  for (const [upstream, pointer] of [
    [{ targets: [] }, '/upstream/targets'],
    [{ targets: [{ url: first.url }, { url: first.url }] }, '/upstream/targets'],
    [{ targets: [{ url: first.url }, { url: `${first.url}/` }] }, '/upstream/targets'],
    [{ targets: [{ url: first.url, weight: 0 }] }, '/upstream/targets/0/weight'],
    [{ targets: [{ url: first.url }, { url: 'http://169.254.169.254' }] }, '/upstream/targets/1/url'],
    [{ targets: [{ url: first.url }], hash_key: 'moon' }, '/upstream/hash_key'],
    [{ targets: [{ url: first.url }], health: { active: { path: 'x' } } }, '/upstream/health/active/path'],
  ] as const) {
    const reply = await server.manage('PATCH', '/collections/orders', { upstream })
    assert.equal(reply.status, 400, reply.text)
    assert.equal(reply.json.errors[0].pointer, pointer, reply.text)
  }
})
