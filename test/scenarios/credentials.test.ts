import assert from 'node:assert/strict'
import { generateKeyPairSync, verify } from 'node:crypto'
import { test } from 'node:test'
import { TokenEndpoint } from '../support/token-endpoint.ts'
import { callAsAgent, publishOrders, startTestServer, type TestServer, until } from './server.ts'
import { startUpstream, type TestUpstream } from './upstream.ts'

async function attach(server: TestServer, auth: object): Promise<void> {
  const made = await server.manage('PUT', '/credentials/backend', { name: 'Backend', auth })
  assert.ok(made.status < 300, made.text)
  const attached = await server.manage('PATCH', '/collections/orders', { credential: 'backend' })
  assert.equal(attached.status, 200, attached.text)
}

const grant = (endpoint: TokenEndpoint, more: object = {}) => ({
  type: 'oauth2_client_credentials',
  token_url: endpoint.url,
  client_id: 'postern',
  client_secret: 'the-client-secret-0001',
  scopes: ['orders.read', 'orders.write'],
  ...more,
})

const sent = (upstream: TestUpstream): (string | undefined)[] =>
  upstream.seen.map(({ headers }) => headers.authorization)

test('a token is fetched once, used by all, renewed before it ends, and fetched anew when it is refused', async () => {
  await using upstream = await startUpstream()
  await using endpoint = await new TokenEndpoint().listen()
  await using server = await startTestServer()
  const token = await publishOrders(server, upstream.url)
  await attach(server, grant(endpoint, { audience: 'orders' }))

  // All that wait share one question.
  let open = (): void => {}
  endpoint.gate = new Promise((resolve) => {
    open = resolve
  })
  const calls = Array.from({ length: 20 }, () => server.gateway('GET', '/orders/v1/orders/7', { token }))
  await until(
    async () => endpoint.asked.length,
    (count) => count > 0,
  )
  open()
  endpoint.gate = null
  for (const answer of await Promise.all(calls)) assert.equal(answer.status, 200, answer.text)
  assert.equal(endpoint.asked.length, 1)
  assert.deepEqual(new Set(sent(upstream)), new Set(['Bearer issued-token-1']))
  const { form, authorization } = endpoint.asked[0]!
  assert.deepEqual(Object.fromEntries(form), {
    grant_type: 'client_credentials',
    scope: 'orders.read orders.write',
    audience: 'orders',
  })
  assert.equal(authorization, `Basic ${Buffer.from('postern:the-client-secret-0001').toString('base64')}`)

  // In the last minute it is renewed in the background, and the old one is still used.
  server.moveClock(3600_000 - 45_000)
  assert.equal((await server.gateway('GET', '/orders/v1/orders/7', { token })).status, 200)
  assert.equal(sent(upstream).at(-1), 'Bearer issued-token-1')
  await until(
    () => server.gateway('GET', '/orders/v1/orders/7', { token }),
    () => sent(upstream).at(-1) === 'Bearer issued-token-2',
  )

  // A refused token is replaced, and the request is made once more, with its body.
  upstream.answer = (seen, response) => {
    response.statusCode = seen.headers.authorization === 'Bearer issued-token-2' ? 401 : 200
    response.end('{}')
  }
  const before = upstream.seen.length
  const posted = await server.gateway('POST', '/orders/v1/orders', { token, body: { item: 1 } })
  assert.equal(posted.status, 200, posted.text)
  assert.deepEqual(
    upstream.seen.slice(before).map(({ headers, body }) => [headers.authorization, body]),
    [
      ['Bearer issued-token-2', '{"item":1}'],
      ['Bearer issued-token-3', '{"item":1}'],
    ],
  )
  // An upstream that refuses every token is believed after one retry.
  upstream.answer = (_seen, response) => response.writeHead(401).end('no')
  server.moveClock(2000)
  const refused = await server.gateway('GET', '/orders/v1/orders/7', { token })
  assert.deepEqual([refused.status, refused.text], [401, 'no'])
  assert.equal(endpoint.asked.length, 4)
})

test('a token endpoint that fails is a problem of the gateway, told to operators without a secret', async () => {
  await using upstream = await startUpstream()
  await using endpoint = await new TokenEndpoint().listen()
  await using server = await startTestServer()
  const token = await publishOrders(server, upstream.url)
  endpoint.status = 401
  await attach(server, grant(endpoint, { auth_method: 'client_secret_post' }))
  const answer = await server.gateway('GET', '/orders/v1/orders/7', { token })
  assert.equal(answer.status, 500)
  assert.equal(answer.json.code, 'credential_unavailable')
  assert.doesNotMatch(answer.text, /invalid_client|127\.0\.0\.1/)
  assert.equal(endpoint.asked[0]!.form.get('client_secret'), 'the-client-secret-0001')
  assert.equal(upstream.seen.length, 0)
  const record = await until(
    () => server.manage('GET', '/records'),
    (reply) => reply.json.items.length > 0,
  )
  const [{ status, reason }] = record.json.items
  assert.equal(status, 500)
  assert.match(reason, /^credential crd_\w+: the token endpoint: answered 401 \(invalid_client\)$/)
  assert.equal(record.text.includes('the-client-secret'), false)
  endpoint.status = 200
  server.moveClock(2000)
  assert.equal((await server.gateway('GET', '/orders/v1/orders/7', { token })).status, 200)
})

test('an agent waits for a token as an app does, and a refused one is replaced under its call too', async () => {
  await using upstream = await startUpstream()
  await using endpoint = await new TokenEndpoint().listen()
  await using server = await startTestServer()
  const token = await publishOrders(server, upstream.url)
  await attach(server, grant(endpoint))
  upstream.answer = (seen, response) => {
    response.statusCode = seen.headers.authorization === 'Bearer issued-token-1' ? 401 : 200
    response.end(seen.body === '' ? '{}' : seen.body)
  }
  const call = { endpoint: 'POST /orders/v1/orders', params: { body: { item: 1 } } }
  const result = await callAsAgent(server, token, call)
  assert.deepEqual([result.status, result.body], [200, { item: 1 }])
  assert.deepEqual(sent(upstream), ['Bearer issued-token-1', 'Bearer issued-token-2'])
  endpoint.status = 401
  upstream.answer = (_seen, response) => response.writeHead(401).end('{}')
  server.moveClock(2000)
  const failed = await callAsAgent(server, token, call)
  assert.equal(failed.code, 'credential_unavailable')
})

for (const [alg, type, options, audience] of [
  ['RS256', 'rsa', { modulusLength: 2048 }, null],
  ['ES256', 'ec', { namedCurve: 'P-256' }, 'https://id.example'],
] as const)
  test(`a client that signs (${alg}) shows a short assertion for ${audience ?? 'the endpoint'}, and its key nowhere`, async () => {
    await using upstream = await startUpstream()
    await using endpoint = await new TokenEndpoint().listen()
    await using server = await startTestServer()
    const token = await publishOrders(server, upstream.url)
    // biome-ignore lint/suspicious/noExplicitAny: the overloads of one function, by the row
    const { privateKey, publicKey } = generateKeyPairSync(type as any, options)
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }) as string
    const signing = {
      auth_method: 'private_key_jwt',
      client_secret: undefined,
      private_key: pem,
      key_id: 'k1',
      ...(audience === null ? {} : { assertion_audience: audience }),
    }
    await attach(server, grant(endpoint, signing))
    assert.equal((await server.gateway('GET', '/orders/v1/orders/7', { token })).status, 200)
    const { form, authorization } = endpoint.asked[0]!
    assert.equal(authorization, '')
    assert.equal(form.get('client_id'), 'postern')
    assert.equal(form.get('client_assertion_type'), 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer')
    const [header, claims, signature] = form.get('client_assertion')!.split('.') as [string, string, string]
    const key = { key: publicKey, ...(type === 'ec' ? { dsaEncoding: 'ieee-p1363' as const } : {}) }
    const signed = Buffer.from(`${header}.${claims}`)
    assert.ok(verify('sha256', signed, key, Buffer.from(signature, 'base64url')))
    const read = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString())
    assert.deepEqual(read(header), { alg, typ: 'JWT', kid: 'k1' })
    const { iat, exp, jti, ...names } = read(claims)
    assert.deepEqual(names, { iss: 'postern', sub: 'postern', aud: audience ?? endpoint.url })
    assert.ok(exp - iat <= 60 && exp * 1000 > Date.now() && jti.length > 20)

    const line = pem.split('\n')[1]!
    const shown = await server.manage('GET', '/credentials/backend')
    assert.equal(shown.json.auth.private_key.set, true)
    const audit = await server.manage('GET', '/audit?limit=200')
    for (const text of [shown.text, audit.text, ...server.log]) assert.equal(text.includes(line), false)
  })

test('what a token endpoint could not be asked with is refused by its place', async () => {
  await using endpoint = await new TokenEndpoint().listen()
  await using server = await startTestServer()
  const curve = generateKeyPairSync('x25519').privateKey.export({ type: 'pkcs8', format: 'pem' })
  const cases: readonly (readonly [object, string])[] = [
    [{ token_url: 'http://id.example.com/token' }, '/auth/token_url'],
    [{ token_url: 'http://169.254.169.254/token' }, '/auth/token_url'],
    [{ token_url: 'https://[fe80::1]/token' }, '/auth/token_url'],
    [{ token_url: 'https://u:p@id.example.com/token' }, '/auth/token_url'],
    [{ client_secret: undefined }, '/auth/client_secret'],
    [{ private_key: '-----BEGIN X-----\nx\n-----END X-----' }, '/auth/private_key'],
    [{ scopes: ['two words'] }, '/auth/scopes/0'],
    [{ client_secret: { env: 'not a name' } }, '/auth/client_secret'],
    [{ auth_method: 'private_key_jwt', client_secret: undefined, private_key: curve }, '/auth/private_key'],
    [{ auth_method: 'private_key_jwt', client_secret: undefined, private_key: 'x' }, '/auth/private_key'],
  ]
  for (const [members, pointer] of cases) {
    const reply = await server.manage('PUT', '/credentials/x', { name: 'X', auth: grant(endpoint, members) })
    assert.equal(reply.status, 400, `${pointer}: ${reply.text}`)
    assert.ok(
      reply.json.errors.some((one: { pointer: string }) => one.pointer.startsWith(pointer)),
      `${pointer}: ${reply.text}`,
    )
  }
})
