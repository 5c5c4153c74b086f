import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { type Answer, ask } from '../gateway/serve.ts'
import { type Example, examplesOf } from '../support/examples.ts'
import { Issuer, signedBy, signedWith, signingKey } from '../support/issuer.ts'
import { startOrders } from './orders.ts'
import { callAsAgent, type Reply, until } from './server.ts'

const KEY = signingKey('one')
const ORDER = '/orders/v1/orders/7'

const { server, upstream, stop } = await startOrders({ workers: 2 })
const issuer = await new Issuer(KEY).listen()
after(async () => {
  await stop()
  await issuer[Symbol.asyncDispose]()
})

const seconds = (): number => Math.floor(Date.now() / 1000)
const claims = (given: Record<string, unknown> = {}): Record<string, unknown> => ({
  iat: seconds(),
  exp: seconds() + 300,
  ...given,
})
const get = (token: string, headers: Record<string, string> = {}): Promise<Reply> =>
  server.gateway('GET', ORDER, { token, headers })

async function made(auth: object, slug: string, more: object = {}): Promise<Reply['json']> {
  const reply = await server.manage('POST', '/profiles', { client: 'acme', name: slug, slug, auth, ...more })
  assert.equal(reply.status, 201, reply.text)
  return reply.json
}

/** Runs an example of the docs; what it answers. */
async function run(example: Example, fill: Record<string, string> = {}): Promise<Reply['json']> {
  const { method, path, body, status } = example
  const headers = Object.fromEntries(
    Object.entries(example.headers).map(([name, value]) => [
      name,
      value.replace(/\{(.*)\}/, (_, word: string) => fill[word] ?? `no ${word}`),
    ]),
  )
  const managed = path.startsWith('/management/v1')
  const reply = managed
    ? await server.manage(method, path.slice('/management/v1'.length), JSON.parse(body ?? 'null'))
    : await server.gateway(method, path, { headers })
  assert.equal(reply.status, status, `${method} ${path}: ${reply.text}`)
  return reply.json
}

test('the examples of the docs work: none and token', async () => {
  const [makeNone, callNone] = examplesOf('profiles/none.md', {})
  await run(makeNone!)
  await run(callNone!)
  const [makeToken, callToken, rotate, ...imported] = examplesOf('profiles/token.md', {})
  const { token } = await run(makeToken!)
  await run(callToken!, { token })
  const rotated = await run(rotate!)
  for (const one of [token, rotated.token]) await run(callToken!, { token: one })
  for (const example of imported) await run(example)
  assert.equal(imported.length, 3)
})

test('the examples of the docs work: jwt and oidc', async () => {
  const replace = { 'https://id.example.com': issuer.url }
  const [makeSecret, call, makeKeys] = examplesOf('profiles/jwt.md', replace)
  const { signing_secret, kid } = await run(makeSecret!)
  const own = claims({ iss: 'acme', sub: 'nightly', team: 'core' })
  await run(call!, { jwt: signedWith(signing_secret, own) })
  await run(call!, { jwt: signedWith(signing_secret, own, { kid, alg: 'HS512' }) })
  await run(makeKeys!)
  await run(call!, { jwt: signedBy(KEY, claims({ iss: issuer.url, aud: 'orders' })) })
  const [makeOidc, callOidc] = examplesOf('profiles/oidc.md', replace)
  await server.manage('POST', '/profiles/partner/toggle', { status: 'inactive' })
  await run(makeOidc!)
  const staff = claims({
    iss: issuer.url,
    aud: ['orders'],
    scope: 'orders.read',
    groups: ['staff'],
    sub: 'ann',
  })
  await run(callOidc!, { 'access token': signedBy(KEY, staff) })
  for (const slug of ['staff', 'partner', 'batch-jobs'])
    assert.equal((await server.manage('DELETE', `/profiles/${slug}?confirm=${slug}`)).status, 200)
})

test('a token that a caller signs is one caller over REST and MCP, and rotation and revocation hold for it', async () => {
  const auth = { type: 'jwt', issuer: 'https://jobs.test', claims: ['team'] }
  const { signing_secret: first, credential_id } = await made(auth, 'jobs', { forward_identity: true })
  const own = claims({ iss: 'https://jobs.test', sub: 'nightly', team: 'core' })
  const token = signedWith(first, own)
  assert.equal((await get(token)).status, 200)
  assert.equal(upstream.seen.at(-1)?.headers['x-postern-subject'], 'nightly')
  assert.equal((await callAsAgent(server, token, { endpoint: `GET ${ORDER}` })).status, 200)
  assert.equal(upstream.seen.at(-1)?.headers['x-postern-subject'], 'nightly')
  assert.equal(upstream.seen.at(-1)?.headers['authorization'], undefined)

  const rotated = await server.manage('POST', '/profiles/jobs/rotate', {})
  assert.equal(rotated.status, 200, rotated.text)
  const second = signedWith(rotated.json.signing_secret, own)
  for (const one of [token, second]) assert.equal((await get(one)).status, 200)
  const states = async () => (await server.manage('GET', '/profiles/jobs/state')).json.credentials
  assert.deepEqual(
    (await states()).map((one: { state: string }) => one.state),
    ['retiring', 'valid'],
  )
  await until(states, (list) =>
    list.every((one: { last_used_at: string | null }) => one.last_used_at !== null),
  )
  assert.equal((await server.manage('POST', '/profiles/jobs/rotate', {})).json.code, 'configuration_invalid')

  assert.equal((await server.manage('POST', '/profiles/jobs/revoke', { credential_id })).status, 200)
  for (let i = 0; i < 4; i++) {
    assert.equal((await get(token)).json.code, 'credential_invalid')
    assert.equal((await get(second)).status, 200)
  }
  assert.equal((await server.manage('POST', '/profiles/jobs/toggle', { active: false })).status, 200)
  assert.equal((await get(second)).json.code, 'profile_inactive')
  const { items } = (await server.manage('GET', '/audit?resource=jobs&limit=50')).json
  const trail = JSON.stringify(items)
  assert.ok(!trail.includes(first) && !trail.includes(rotated.json.signing_secret), 'no secret in the trail')
})

test('what is kept for one person of a profile is not given to another', async () => {
  const auth = { type: 'jwt', issuer: 'https://people.test' }
  const { signing_secret } = await made(auth, 'crowd', { forward_identity: true })
  const of = (sub: string): string => signedWith(signing_secret, claims({ iss: 'https://people.test', sub }))
  const rules = { get: { cache: { ttl: '1m' } }, create: { idempotency: true } }
  for (const [verb, rule] of Object.entries(rules)) {
    const changed = await server.manage('PATCH', `/proxies/${verb}-order`, rule)
    assert.equal(changed.status, 200, changed.text)
  }
  const subject = ({ json }: Reply): string => json.headers['x-postern-subject']
  for (const [name, cached] of [
    ['ann', 'MISS'],
    ['bo', 'MISS'],
    ['ann', 'HIT'],
    ['bo', 'HIT'],
  ] as const) {
    const reply = await get(of(name), { 'cache-control': 'max-age=60' })
    assert.deepEqual([subject(reply), reply.headers.get('x-cache')], [name, cached])
  }
  const post = (token: string, headers: Record<string, string> = { 'idempotency-key': 'k1' }) =>
    server.gateway('POST', '/orders/v1/orders', { token, headers, body: {} })
  for (const name of ['ann', 'bo', 'ann']) {
    const reply = await post(of(name))
    assert.equal(subject(reply), name, reply.text)
  }
  // Who a token without a subject stands for nobody knows: answers are for the token, a key cannot outlive it.
  const nameless = (jti: string): string =>
    signedWith(signing_secret, claims({ iss: 'https://people.test', jti }))
  const [one, two] = [nameless('one'), nameless('two')]
  const ask = async (token: string) => (await get(token, { connection: 'close' })).headers.get('x-cache')
  // Each gateway thread has a cache of its own.
  for (let hits = 0; hits < 8; ) if ((await ask(one)) === 'HIT') hits++
  assert.equal(await ask(two), 'MISS')
  const before = upstream.seen.length
  for (const token of [one, two]) {
    const { status, json } = await post(token)
    assert.deepEqual([status, json.code], [400, 'parameter_invalid'])
    assert.equal(json.detail, 'Idempotency-Key needs a token that names its subject (sub).')
  }
  assert.equal(upstream.seen.length, before)
  assert.equal((await post(one, {})).status, 200)
  for (const verb of ['get', 'create'])
    await server.manage(
      'PATCH',
      `/proxies/${verb}-order`,
      verb === 'get' ? { cache: null } : { idempotency: false },
    )
})

test('a limit by claim counts what the claims of proved tokens say', async () => {
  const limit = { name: 'team', kind: 'rate', max: 2, window: '1h', key: 'claim:team' }
  const policy = await server.manage('POST', '/policies', { name: 'Teams', slug: 'teams', limits: [limit] })
  assert.equal(policy.status, 201, policy.text)
  const auth = { type: 'jwt', issuer: 'https://teams.test', claims: ['team'] }
  const { signing_secret } = await made(auth, 'teams', { policy: 'teams' })
  const of = (team: string, n: number): string =>
    signedWith(signing_secret, claims({ iss: 'https://teams.test', team, n }))
  for (const [team, status] of [
    ['core', 200],
    ['core', 200],
    ['core', 429],
    ['edge', 200],
  ] as const)
    assert.equal((await get(of(team, status))).status, status, team)
})

test('a token that may be used once is let in once over all threads', async () => {
  const auth = { type: 'jwt', issuer: 'https://once.test', jti_replay: true }
  const { signing_secret } = await made(auth, 'once')
  const token = signedWith(signing_secret, claims({ iss: 'https://once.test', jti: 'one' }))
  assert.equal((await get(token)).status, 200)
  const port = Number(new URL(server.running.gatewayUrl).port)
  for (let i = 0; i < 8; i++) {
    const again = await ask(port, ORDER, { headers: { authorization: `Bearer ${token}` } })
    assert.equal(again.json['code'], 'credential_invalid')
  }
})

test('a message at /mcp waits for the keys of a provider that nobody has asked yet', async () => {
  await using provider = await new Issuer(KEY).listen()
  await made({ type: 'oidc', issuer: provider.url, audience: 'orders', claims: ['dept'] }, 'agents')
  const token = signedBy(KEY, claims({ iss: provider.url, aud: 'orders', sub: 'ann' }))
  const list = (bearer: string): Promise<Reply> =>
    server.gateway('POST', '/mcp', {
      token: bearer,
      headers: { accept: 'application/json, text/event-stream' },
      body: {
        jsonrpc: '2.0',
        id: 1,
        method: 'tools/call',
        params: { name: 'list_endpoints', arguments: {} },
      },
    })
  const reply = await list(token)
  assert.equal(reply.status, 200, reply.text)
  assert.match(reply.text, /v1\/orders/)
  assert.equal((await list(`${token.slice(0, -4)}AAAA`)).status, 401)
  const state = async () => (await server.manage('GET', '/profiles/agents/state')).json
  await until(state, ({ last_used_at }) => last_used_at !== null)
})

test('two threads fetch the keys of a provider no more than once each, and hold on through its outage', async () => {
  const from = issuer.times('/keys')
  await made({ type: 'oidc', issuer: issuer.url, audience: 'orders' }, 'people')
  // The clock moves so that what the examples have fetched is old.
  server.moveClock(11 * 60_000)
  const tokenOf = (n: number): string =>
    signedBy(KEY, claims({ iss: issuer.url, aud: 'orders', exp: seconds() + 90_000, n }))
  // A connection for each call: the jump of the clock closes idle ones.
  const port = Number(new URL(server.running.gatewayUrl).port)
  const call = (token: string): Promise<Answer> =>
    ask(port, ORDER, { headers: { authorization: `Bearer ${token}` } })
  const replies = await Promise.all(Array.from({ length: 24 }, (_, n) => call(tokenOf(n))))
  for (const reply of replies) assert.equal(reply.status, 200, reply.text)
  await until(
    async () => issuer.times('/keys') - from,
    (count) => count >= 1,
  )
  assert.ok(issuer.times('/keys') - from <= 2, `${issuer.times('/keys') - from} fetches`)
  issuer.status = 503
  server.moveClock(20 * 3_600_000)
  for (let n = 0; n < 8; n++) assert.equal((await call(tokenOf(n))).status, 200)
  // A thread that starts meanwhile gets the keys that the others have
  for (const slot of [0, 1]) await server.running.killThread(slot)
  for (let n = 0; n < 8; n++) assert.equal((await call(tokenOf(n))).status, 200)
  server.moveClock(5 * 3_600_000)
  const lost = await call(tokenOf(99))
  assert.equal(lost.status, 503, lost.text)
  assert.equal(lost.json['code'], 'identity_unavailable')
  issuer.status = 200
})
