import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { TokenEndpoint } from '../support/token-endpoint.ts'
import { callAsAgent, publishOrders, type Reply, startTestServer, type TestServer } from './server.ts'
import { startUpstream, type TestUpstream } from './upstream.ts'

const MINUTE = 60_000
const OLD = 'planted-S3cret-0ld-value'
const NEW = 'planted-S3cret-new-value'

let upstream: TestUpstream
let endpoint: TokenEndpoint
let server: TestServer
let token = ''
/** What the upstream knows. */
let known: string[] = []

before(async () => {
  upstream = await startUpstream()
  upstream.answer = ({ headers }, response) => {
    response.statusCode = known.some((text) => headers.authorization === `Bearer ${text}`) ? 200 : 401
    response.end('{}')
  }
  endpoint = await new TokenEndpoint().listen()
  server = await startTestServer()
  token = await publishOrders(server, upstream.url)
})

after(async () => {
  await server.stop()
  await upstream.close()
  await endpoint[Symbol.asyncDispose]()
})

const order = (method = 'GET', body?: object): Promise<Reply> =>
  server.gateway(method, method === 'GET' ? '/orders/v1/orders/7' : '/orders/v1/orders', { token, body })
const rotate = (body: object): Promise<Reply> => server.manage('POST', '/credentials/backend/rotate', body)
const sent = (): (string | undefined)[] => upstream.seen.map(({ headers }) => headers.authorization)

/** Puts the credential at its beginning: attached, with the old secret, which the upstream knows. */
async function begin(auth: object = { type: 'bearer', token: OLD }): Promise<void> {
  known = [OLD]
  const made = await server.manage('PUT', '/credentials/backend', { name: 'Backend', auth })
  assert.ok(made.status < 300, made.text)
  await server.manage('PATCH', '/collections/orders', { credential: 'backend' })
  upstream.seen.length = 0
}

test('what does not work is not switched to, unless it is asked for', async () => {
  await begin()
  const refused = await rotate({ auth: { token: NEW } })
  assert.deepEqual([refused.status, refused.json.code], [422, 'configuration_invalid'])
  assert.match(
    refused.json.detail,
    /Nothing was changed\. It failed at the call: the upstream refused it \(401\)/,
  )
  assert.equal((await order()).status, 200)
  assert.deepEqual(sent(), [`Bearer ${NEW}`, `Bearer ${OLD}`])
  assert.equal((await rotate({ auth: { token: NEW }, untested: true })).json.tested, false)
  known = [NEW]
  assert.equal((await order()).status, 200)
})

test('while the upstream learns, the present secret steps in for the new one, over REST and for agents', async () => {
  await begin()
  known = [OLD, NEW]
  const rotated = await rotate({ auth: { token: NEW }, overlap: '20m' })
  assert.deepEqual([rotated.status, rotated.json.tested], [200, true], rotated.text)
  // Another node of the upstream, that has not heard of it
  known = [OLD]
  upstream.seen.length = 0
  assert.equal((await order('POST', { item: 1 })).status, 200)
  assert.deepEqual(
    upstream.seen.map(({ headers, body }) => [headers.authorization, body]),
    [
      [`Bearer ${NEW}`, '{"item":1}'],
      [`Bearer ${OLD}`, '{"item":1}'],
    ],
  )
  const call = { endpoint: 'POST /orders/v1/orders', params: { body: { item: 1 } } }
  assert.equal((await callAsAgent(server, token, call)).status, 200)
  known = [NEW]
  upstream.seen.length = 0
  assert.equal((await order()).status, 200)
  assert.deepEqual(sent(), [`Bearer ${NEW}`])
  const state = await server.manage('GET', '/credentials/backend/state')
  assert.equal(state.json.previous_until, rotated.json.previous_until)

  // What neither is known is refused by the upstream itself, after one more try
  known = []
  assert.equal((await order()).status, 401)
  assert.deepEqual(sent().slice(1), [`Bearer ${NEW}`, `Bearer ${OLD}`])
  server.moveClock(21 * MINUTE)
  upstream.seen.length = 0
  assert.equal((await order()).status, 401)
  assert.deepEqual(sent(), [`Bearer ${NEW}`])
})

test('a key in the query, and a name and password, step in like a token', async () => {
  const answer = upstream.answer
  const pair = (password: string): string => `Basic ${Buffer.from(`u:${password}`).toString('base64')}`
  upstream.answer = ({ url, headers }, response) => {
    const isKnown = url === `/v1/orders/7?a=1&key=${OLD}` || headers.authorization === pair(OLD)
    response.writeHead(isKnown ? 200 : 401).end('{}')
  }
  for (const [auth, next] of [
    [{ type: 'api_key', in: 'query', name: 'key', key: OLD }, { key: NEW }],
    [
      { type: 'basic', username: 'u', password: OLD },
      { username: 'v', password: NEW },
    ],
  ] as const) {
    await begin(auth)
    assert.equal((await rotate({ auth: next, untested: true })).status, 200)
    const { status } = await server.gateway('GET', '/orders/v1/orders/7?a=1', { token })
    assert.deepEqual([status, upstream.seen.length], [200, 2])
  }
  upstream.answer = answer
})

test('no call fails from before a rotation to after it', async () => {
  await begin()
  known = [OLD, NEW]
  let isOver = false
  const statuses = new Set<number>()
  const callers = Array.from({ length: 4 }, async () => {
    while (!isOver) statuses.add((await order()).status)
  })
  assert.equal((await rotate({ auth: { token: NEW } })).status, 200)
  assert.equal((await order()).status, 200)
  isOver = true
  await Promise.all(callers)
  assert.deepEqual([...statuses], [200])
  known = [NEW]
  assert.equal((await order()).status, 200)
})

test('a rotation is taken back while its overlap lasts, and not after a plain change', async () => {
  await begin()
  const [first, second] = ['2031-01-01T00:00:00.000Z', '2032-01-01T00:00:00.000Z']
  await server.manage('PATCH', '/credentials/backend', { expires_at: first })
  const rotated = await rotate({ auth: { token: NEW }, untested: true, expires_at: second })
  assert.equal(rotated.json.expires_at, second)
  // Other members leave the overlap alone
  await server.manage('PATCH', '/credentials/backend', { description: 'changed' })
  const reverted = await server.manage('POST', '/credentials/backend/revert', {})
  assert.deepEqual([reverted.status, reverted.json.expires_at], [200, first], reverted.text)
  upstream.seen.length = 0
  assert.equal((await order()).status, 200)
  assert.deepEqual(sent(), [`Bearer ${OLD}`])
  const twice = await server.manage('POST', '/credentials/backend/revert', {})
  assert.equal(twice.status, 422)

  await rotate({ auth: { token: NEW }, untested: true })
  await server.manage('PATCH', '/credentials/backend', { auth: { token: `${NEW}-2` } })
  assert.equal((await server.manage('POST', '/credentials/backend/revert', {})).status, 422)
  await rotate({ auth: { token: NEW }, untested: true, overlap: '0s' })
  assert.equal((await server.manage('POST', '/credentials/backend/revert', {})).status, 422)
  assert.equal((await order()).status, 401)
})

test('a client whose new secret the token endpoint does not know yet goes on with the present one', async () => {
  const grant = { type: 'oauth2_client_credentials', token_url: endpoint.url, client_id: 'postern' }
  endpoint.clientSecrets = [OLD]
  endpoint.token = () => NEW
  await begin({ ...grant, client_secret: OLD })
  known = [NEW]
  assert.equal((await order()).status, 200)
  const refused = await rotate({ auth: { client_secret: NEW } })
  assert.match(refused.json.detail, /It failed at the token: answered 401 \(invalid_client\)/)
  assert.equal((await rotate({ auth: { client_secret: NEW }, untested: true })).status, 200)
  assert.equal((await order()).status, 200)
  const tested = await server.manage('POST', '/credentials/backend/test', {})
  assert.equal(tested.json.ok, false)
  endpoint.clientSecrets = [NEW]
  assert.equal((await server.manage('POST', '/credentials/backend/test', {})).json.ok, true)
})

test('what is no new secret of its type is refused', async () => {
  await begin()
  for (const [body, pointer] of [
    [{ auth: { type: 'basic', username: 'a', password: NEW } }, '/auth/type'],
    [{ auth: {} }, '/auth/token'],
    [{ auth: { token: NEW }, overlap: '31d' }, '/overlap'],
    [{ auth: { token: `${NEW}\n` } }, '/auth/token'],
  ] as const)
    assert.equal((await rotate(body)).json.errors[0].pointer, pointer)
  await begin({ type: 'bearer', token: { env: 'SECRET_X' } })
  assert.match((await rotate({ auth: { token: NEW } })).json.detail, /is read from an external source/)
})

test('neither secret is in an answer, the trail or the log', async () => {
  await begin()
  const texts = [(await rotate({ auth: { token: NEW }, untested: true })).text, ...server.log]
  for (const path of ['/credentials/backend', '/credentials/backend/state', '/audit?limit=200'])
    texts.push((await server.manage('GET', path)).text)
  for (const text of texts) assert.equal(/planted-S3cret|0ld-value/.test(text), false, text)
  const [entry] = (await server.manage('GET', '/audit?operation=credentials.rotate')).json.items
  assert.deepEqual(
    entry.diff.map(({ path }: { path: string }) => path.replace(/@.*/, '')),
    ['/auth/token', '/auth/previous'],
  )
})
