import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { signedWith } from '../support/issuer.ts'
import { addUser, signIn } from '../support/sign-in.ts'
import { TokenEndpoint } from '../support/token-endpoint.ts'
import { callAsAgent, publishOrders, type Reply, startTestServer, type TestServer, until } from './server.ts'
import { startUpstream, type TestUpstream } from './upstream.ts'

const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'

let upstream: TestUpstream
let endpoint: TokenEndpoint
let server: TestServer
/** Of Postern's own. */
let token = ''
let signing = ''

const auth = (): object => ({
  type: 'token_exchange',
  token_url: endpoint.url,
  client_id: 'postern',
  client_secret: 'the-client-secret-0001',
  audience: 'orders',
})

before(async () => {
  upstream = await startUpstream()
  endpoint = await new TokenEndpoint().listen()
  // The token that comes back tells whose it is
  endpoint.tokenFor = (form) => `for-${claimsOf(form.get('subject_token') ?? '')}-${endpoint.asked.length}`
  server = await startTestServer()
  token = await publishOrders(server, upstream.url)
  const profile = { client: 'acme', name: 'People', slug: 'people' }
  const made = await server.manage('POST', '/profiles', {
    ...profile,
    auth: { type: 'jwt', issuer: 'https://people.test' },
  })
  assert.equal(made.status, 201, made.text)
  signing = made.json.signing_secret
  await put(auth())
  assert.equal((await attach()).status, 200)
})

after(async () => {
  await server.stop()
  await upstream.close()
  await endpoint[Symbol.asyncDispose]()
})

function claimsOf(jwt: string): string {
  const [, claims = ''] = jwt.split('.')
  const { sub, jti } = JSON.parse(Buffer.from(claims, 'base64url').toString() || '{}')
  return `${sub}-${jti}`
}

const issuedAt = Math.floor(Date.now() / 1000)

/** The token of a person, another for each `jti`; the same each time, though the clock goes on. */
function of(sub: string | undefined, jti = 'a'): string {
  return signedWith(signing, { iss: 'https://people.test', sub, jti, iat: issuedAt, exp: issuedAt + 3000 })
}

const put = async (members: object): Promise<void> => {
  const reply = await server.manage('PUT', '/credentials/backend', { name: 'Backend', auth: members })
  assert.ok(reply.status < 300, reply.text)
}
const attach = (): Promise<Reply> => server.manage('PATCH', '/collections/orders', { credential: 'backend' })
const cache = (members: object | null, proxy = 'get-order'): Promise<Reply> =>
  server.manage('PATCH', `/proxies/${proxy}`, { cache: members })
const get = (caller: string): Promise<Reply> =>
  server.gateway('GET', '/orders/v1/orders/7', { token: caller })
const sent = (): string => String(upstream.seen.at(-1)?.headers.authorization)

test("a caller's token is exchanged once, for that caller alone, over REST and for an agent", async () => {
  const [ann, bo] = [of('ann'), of('bo')]
  assert.equal((await get(ann)).status, 200)
  assert.equal(sent(), 'Bearer for-ann-a-1')
  const [{ form, authorization }] = endpoint.asked as [(typeof endpoint.asked)[0]]
  assert.deepEqual(Object.fromEntries(form), {
    grant_type: EXCHANGE,
    subject_token: ann,
    subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    audience: 'orders',
  })
  assert.match(authorization, /^Basic /)
  assert.equal((await get(bo)).status, 200)
  assert.equal(sent(), 'Bearer for-bo-a-2')
  await callAsAgent(server, ann, { endpoint: 'GET /orders/v1/orders/{id}', params: { path: { id: '7' } } })
  assert.equal(sent(), 'Bearer for-ann-a-1')
  // Another token of the same person may allow something else
  await get(of('ann', 'b'))
  assert.equal(sent(), 'Bearer for-ann-b-3')
  assert.equal(endpoint.asked.length, 3)
})

test('a refused token is exchanged anew for its caller, and for nobody else', async () => {
  await get(of('ann'))
  await get(of('bo'))
  const [asked, known] = [endpoint.asked.length, sent()]
  upstream.answer = ({ headers }, response) => {
    response.statusCode = String(headers.authorization).startsWith('Bearer for-ann-a-1') ? 401 : 200
    response.end('{}')
  }
  assert.equal((await get(of('ann'))).status, 200)
  assert.equal(sent(), `Bearer for-ann-a-${asked + 1}`)
  await get(of('bo'))
  assert.equal(sent(), known)
  upstream.answer = ({ headers }, response) => response.end(JSON.stringify({ who: headers.authorization }))
})

test('a caller with a token of Postern itself, or with none, has nothing to exchange', async () => {
  const { length } = endpoint.asked
  const reply = await get(token)
  assert.deepEqual([reply.status, reply.json.code], [500, 'credential_unavailable'])
  const record = await until(
    () => server.manage('GET', `/records/${reply.json.request_id}`),
    ({ status }) => status === 200,
  )
  assert.equal(record.json.stopped_at, 17)
  const open = { client: 'acme', name: 'Open', slug: 'open', auth: { type: 'none' } }
  assert.equal((await server.manage('POST', '/profiles', open)).status, 201)
  const headers = { 'x-client-id': 'acme', 'x-profile-id': 'open' }
  const without = await server.gateway('GET', '/orders/v1/orders/7', { headers })
  assert.deepEqual([without.status, without.json.code], [500, 'credential_unavailable'])
  assert.equal(endpoint.asked.length, length)
})

test('what is kept of an answer is for the very token that it was made for', async () => {
  assert.equal((await cache({ ttl: '1m' })).status, 200)
  const who = async (caller: string): Promise<unknown[]> => {
    const { json, headers } = await get(caller)
    return [json.who.replace(/-\d+$/, ''), headers.get('x-cache')]
  }
  // A token need not name a subject
  const [nobody, other] = [of(undefined, 'x'), of(undefined, 'y')]
  for (const [caller, name] of [
    [of('ann'), 'ann-a'],
    [of('bo'), 'bo-a'],
    [of('ann', 'b'), 'ann-b'],
    [nobody, 'undefined-x'],
    [other, 'undefined-y'],
  ] as const) {
    assert.deepEqual(await who(caller), [`Bearer for-${name}`, 'MISS'])
    assert.deepEqual(await who(caller), [`Bearer for-${name}`, 'HIT'])
  }
  await cache(null)
})

test('answers that are kept for others are refused, from whichever end they come', async () => {
  for (const scope of ['client', 'shared']) {
    const reply = await cache({ ttl: '1m', scope })
    assert.equal(reply.status, 422, reply.text)
    assert.equal(reply.json.errors[0].pointer, '/cache/scope')
    assert.match(reply.json.detail, /token_exchange, each caller gets its own responses/)
  }
  // A proxy with its own credential may
  assert.equal(
    (
      await server.manage('PATCH', '/proxies/get-order', {
        credential: 'none',
        cache: { ttl: '1m', scope: 'shared' },
      })
    ).status,
    200,
  )
  const inherit = await server.manage('PATCH', '/proxies/get-order', { credential: 'inherit' })
  assert.deepEqual([inherit.status, inherit.json.errors[0].pointer], [422, '/cache/scope'])

  await put({ type: 'bearer', token: 'x' })
  assert.equal((await server.manage('PATCH', '/proxies/get-order', { credential: 'inherit' })).status, 200)
  const changed = await server.manage('PUT', '/credentials/backend', { name: 'Backend', auth: auth() })
  assert.deepEqual([changed.status, changed.json.errors[0].pointer], [422, '/auth/type'])
  await server.manage('PUT', '/credentials/other', { name: 'Other', auth: auth() })
  const attached = await server.manage('PATCH', '/collections/orders', { credential: 'other' })
  assert.deepEqual([attached.status, attached.json.errors[0].pointer], [422, '/credential'])
  await cache(null)
  await put(auth())
})

test('a trial exchanges the token that is given for it, and keeps it nowhere', async () => {
  const without = await server.manage('POST', '/credentials/backend/test', {})
  assert.deepEqual([without.status, without.json.errors[0].pointer], [422, '/subject_token'])
  const subject_token = of('carl')
  const tried = await server.manage('POST', '/credentials/backend/test', { subject_token })
  assert.equal(tried.json.summary, 'It works: the token endpoint issued a token.', tried.text)
  assert.equal(endpoint.asked.at(-1)!.form.get('subject_token'), subject_token)
  for (const path of ['/audit?limit=200', '/records?limit=200', '/credentials/backend/state']) {
    const { text } = await server.manage('GET', path)
    for (const secret of [subject_token, of('ann'), 'for-ann', 'the-client-secret'])
      assert.equal(text.includes(secret), false, path)
  }
})

test('an endpoint that refuses the token of a caller refuses nobody else', async () => {
  await get(of('bo'))
  endpoint.status = 400
  const refused = await get(of('dora'))
  assert.deepEqual([refused.status, refused.json.code], [500, 'credential_unavailable'])
  assert.equal((await get(of('bo'))).status, 200)
  endpoint.status = 200
})

test('the token of a person who has signed in to Postern is sent to no token endpoint', async () => {
  await addUser(server, server.running.origin, 'eve')
  const named = await server.manage('PATCH', '/profiles/acme:people', { agent_sign_in: { users: ['eve'] } })
  assert.equal(named.status, 200, named.text)
  const mcp = `${server.running.gatewayUrl.replace('127.0.0.1', 'localhost')}/mcp`
  const { accessToken } = await signIn(mcp, 'eve')
  const asked = endpoint.asked.length
  const call = { endpoint: 'GET /orders/v1/orders/{id}', params: { path: { id: '7' } } }
  const answer = await callAsAgent(server, accessToken, call)
  assert.equal(endpoint.asked.length, asked)
  assert.equal(answer.code ?? answer.body?.code, 'credential_unavailable', JSON.stringify(answer))
})
