import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { after, test } from 'node:test'
import { TokenEndpoint } from '../support/token-endpoint.ts'
import { startOrders } from './orders.ts'
import { temporaryDirectory } from './process.ts'
import { publishOrders, type Reply, startTestServer, until } from './server.ts'

const SECRET = 'planted-S3cret-of-a-backend'

const { server, upstream, token, stop } = await startOrders()
const endpoint = await new TokenEndpoint().listen()
after(async () => {
  await stop()
  await endpoint[Symbol.asyncDispose]()
})

async function put(auth: object, more: object = {}): Promise<void> {
  const reply = await server.manage('PUT', '/credentials/backend', { name: 'Backend', auth, ...more })
  assert.ok(reply.status < 300, reply.text)
}

const bearer = { type: 'bearer', token: SECRET }
const grant = () => ({
  type: 'oauth2_client_credentials',
  token_url: endpoint.url,
  client_id: 'postern',
  client_secret: SECRET,
})

const tried = (body: object = {}): Promise<Reply> => server.manage('POST', '/credentials/backend/test', body)

/** As get and the list show it, which say the same. */
async function shown(admin = server.adminToken): Promise<unknown[]> {
  const one = await server.manage('GET', '/credentials/backend', undefined, { token: admin })
  const { items } = (await server.manage('GET', '/credentials', undefined, { token: admin })).json
  const [found] = items.filter(({ slug }: { slug: string }) => slug === 'backend')
  assert.deepEqual(found, one.json)
  return [found.state, found.ends_at, found.last_used_at]
}

const state = async (): Promise<Reply['json']> =>
  (await server.manage('GET', '/credentials/backend/state')).json

test('a token endpoint is asked, and what it says is said', async () => {
  await put(grant())
  const works = await tried()
  assert.equal(works.status, 200, works.text)
  assert.deepEqual([works.json.ok, works.json.steps.length], [true, 2])
  assert.equal(works.json.summary, 'It works: the token endpoint issued a token.')
  endpoint.status = 401
  const refused = await tried()
  assert.equal(refused.json.ok, false)
  assert.equal(refused.json.summary, 'It failed at the token: answered 401 (invalid_client).')
  endpoint.status = 200
  await put({ ...grant(), token_url: 'http://127.0.0.1:9/token' })
  assert.match((await tried()).json.summary, /cannot be reached \(ECONNREFUSED\)/)
})

test('an upstream is called with it, where and how it was said', async () => {
  await put(bearer)
  const nowhere = await tried()
  assert.deepEqual([nowhere.status, nowhere.json.errors[0].pointer], [422, '/collection'])
  const works = await tried({ collection: 'orders', path: '/health?deep=1' })
  assert.equal(works.json.summary, 'It works: the upstream answered 200.')
  const seen = upstream.seen.at(-1)!
  assert.deepEqual(
    [seen.method, seen.url, seen.headers.authorization],
    ['GET', '/health?deep=1', `Bearer ${SECRET}`],
  )

  // Attached, the place is known
  await server.manage('PATCH', '/collections/orders', { credential: 'backend' })
  upstream.answer = (_seen, response) => response.writeHead(403).end()
  assert.equal((await tried()).json.summary, 'It failed at the call: the upstream refused it (403).')
  assert.equal(upstream.seen.at(-1)!.url, '/')
  upstream.answer = (_seen, response) => response.socket?.destroy()
  assert.match((await tried()).json.summary, /the upstream cannot be reached \(unreachable: /)
  await put({ type: 'api_key', key: SECRET, in: 'query', name: 'key' })
  upstream.answer = (_seen, response) => response.end('{}')
  assert.equal((await tried({ path: '/a?b=1' })).json.ok, true)
  assert.equal(upstream.seen.at(-1)!.url, `/a?b=1&key=${SECRET}`)
  assert.match((await tried({ path: '/a/../b' })).json.summary, /the path is not canonical/)
})

test('a secret that cannot be read fails the first step', async () => {
  await put({ type: 'bearer', token: { env: 'SECRET_NOBODY' } })
  const { json } = await tried()
  assert.match(
    json.summary,
    /^It failed at the secret: token: the environment variable SECRET_NOBODY is not set/,
  )
  assert.deepEqual((await state()).state, 'unresolved')
})

test('a link-local address is never a token endpoint, however it is written', async () => {
  for (const host of [
    ...['[::ffff:169.254.169.254]', '[::ffff:a9fe:a9fe]', '169.254.169.254', '169.254.169.254.'],
    ...['2852039166', '0xa9fea9fe', '0251.0376.0251.0376', '169.254.43518', '[fe80::1]'],
  ]) {
    const made = await server.manage('PUT', '/credentials/backend', {
      name: 'Backend',
      auth: { ...grant(), token_url: `https://${host}/token` },
    })
    assert.deepEqual([made.status, made.json.errors?.[0].pointer], [400, '/auth/token_url'], host)
    assert.match(made.text, /link-local/, host)
  }
})

test('a dry run makes no call, a viewer may not make one, and each that was made is in the trail', async () => {
  await put(bearer)
  const { length } = upstream.seen
  assert.equal((await server.manage('POST', '/credentials/backend/test?dry_run=true', {})).status, 400)
  const viewer = await server.running.issueToken({ role: 'viewer', ttl: '1h', name: 'viewer' })
  const denied = await server.manage('POST', '/credentials/backend/test', {}, { token: viewer.token })
  assert.equal(denied.status, 403)
  assert.equal(upstream.seen.length, length)
  await tried()
  const audit = await server.manage('GET', '/audit?operation=credentials.test')
  const [last, refused] = audit.json.items
  assert.deepEqual([last.outcome, last.detail], ['ok', 'It works: the upstream answered 200.'])
  assert.equal(refused.outcome, 'denied')
  assert.equal(audit.text.includes(SECRET), false)
})

test('sent again with its idempotency key, a test answers as before and makes no other call', async () => {
  await put(bearer)
  const keyed = (): Promise<Reply> =>
    server.manage('POST', '/credentials/backend/test', {}, { headers: { 'idempotency-key': 'once' } })
  const first = await keyed()
  assert.equal(first.json.ok, true, first.text)
  const { length } = upstream.seen
  assert.deepEqual((await keyed()).json, first.json)
  assert.equal(upstream.seen.length, length)
})

test('the state tells expiry, last test and last use, also after a change, and get and the list tell them too', async () => {
  await server.manage('POST', '/credentials', { name: 'Spare', auth: bearer })
  await put(bearer)
  assert.deepEqual([(await state()).state, (await state()).last_used_at], ['ok', null])
  await server.gateway('GET', '/orders/v1/orders/7', { token })
  const used = await until(state, ({ last_used_at }) => last_used_at !== null)
  assert.match(used.last_used_at, /:00\.000Z$/)
  assert.deepEqual(used.used_by, ['collections/orders'])
  assert.deepEqual(await shown(), ['ok', null, used.last_used_at])

  upstream.answer = (_seen, response) => response.writeHead(401).end()
  await tried()
  const failing = await state()
  assert.deepEqual(
    [failing.state, failing.reason],
    ['failing', 'It failed at the call: the upstream refused it (401).'],
  )
  assert.equal((await shown())[0], 'failing')
  const soon = new Date(Date.now() + 3 * 86_400_000).toISOString()
  await put(bearer, { expires_at: soon })
  const expiring = await state()
  assert.deepEqual([expiring.state, expiring.expires_at], ['expiring', soon])
  assert.deepEqual(await shown(), ['expiring', soon, used.last_used_at])
  assert.equal(expiring.last_used_at, used.last_used_at)
  assert.match(expiring.last_test.summary, /refused it \(401\)/)
  server.moveClock(4 * 86_400_000)
  const admin = await server.running.issueToken({ role: 'admin', ttl: '1h', name: 'later' })
  const later = await server.manage('GET', '/credentials/backend/state', undefined, { token: admin.token })
  assert.equal(later.json.state, 'expired')
  assert.equal((await shown(admin.token))[0], 'expired')
})

test('a stop forgets no last use', async () => {
  const data = await temporaryDirectory()
  const first = await startTestServer({ data })
  const caller = await publishOrders(first, upstream.url)
  await first.manage('POST', '/credentials', { name: 'Backend', auth: bearer })
  await first.manage('PATCH', '/collections/orders', { credential: 'backend' })
  upstream.answer = (_seen, response) => response.end('{}')
  const called = await first.gateway('GET', '/orders/v1/orders/7', { token: caller })
  assert.equal(called.status, 200, called.text)
  await first.stop()
  await using second = await startTestServer({ data })
  assert.notEqual((await second.manage('GET', '/credentials/backend/state')).json.last_used_at, null)
  await second.stop()
  await rm(data, { recursive: true })
})
