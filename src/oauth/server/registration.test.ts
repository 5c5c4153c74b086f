import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import {
  authorization,
  PASSWORD,
  postForm,
  postJson,
  REDIRECT,
  register,
  startAuthorization,
  tokensFor,
} from '../../../test/support/authorization.ts'

const server = await startAuthorization()
after(() => server[Symbol.asyncDispose]())
const { origin } = server
const DAY_MS = 24 * 60 * 60_000

const refresh = (client: string, token: string) =>
  postForm(`${origin}/oauth/token`, { grant_type: 'refresh_token', client_id: client, refresh_token: token })

test('metadata of any type are answered, and leave no fault in the log', async () => {
  const odd: readonly unknown[] = [
    5,
    true,
    [],
    ['x'],
    {},
    { toString: 1 },
    { toString: 1, valueOf: 1 },
    null,
    '',
  ]
  for (const member of [
    ...['client_name', 'client_uri', 'redirect_uris', 'grant_types', 'response_types', 'jwks', 'jwks_uri'],
    ...['token_endpoint_auth_method', 'application_type', 'token_endpoint_auth_signing_alg', 'scope'],
  ])
    for (const value of odd) {
      const given = { redirect_uris: [REDIRECT], [member]: value }
      const { status } = await postJson(`${origin}/oauth/register`, given)
      assert.ok(status === 201 || status === 400, `${member} ${JSON.stringify(value)}: ${status}`)
      server.move(1100)
    }
  // What follows registers in a minute of its own
  server.move(60_000)
  assert.deepEqual(server.faults, [])
})

test('metadata that are nested without end are refused, and leave no fault in the log', async () => {
  const deep = `${'['.repeat(20_000)}${']'.repeat(20_000)}`
  for (const member of ['client_name', 'jwks', 'jwks_uri', 'token_endpoint_auth_method', 'unknown']) {
    const response = await fetch(`${origin}/oauth/register`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: `{"redirect_uris":["${REDIRECT}"],"${member}":${deep}}`,
    })
    assert.equal(response.status, 400, member)
    const { error, error_description: text } = (await response.json()) as Record<string, string>
    assert.equal(error, 'invalid_client_metadata')
    assert.match(text!, /nested deeper than 128/)
  }
  assert.deepEqual(server.faults, [])
})

test('a name is cut between characters', async () => {
  const { body } = await postJson(`${origin}/oauth/register`, {
    redirect_uris: [REDIRECT],
    client_name: `${'x'.repeat(99)}😀`,
  })
  assert.equal(body.client_name, 'x'.repeat(99))
})

test('clients register with what they leave out, and with what we do not know', async () => {
  const custom = await postJson(`${origin}/oauth/register`, {
    client_name: 'Editor',
    redirect_uris: ['cursor://anysphere/callback'],
    grant_types: ['authorization_code', 'refresh_token', 'implicit'],
    response_types: ['code', 'token'],
    token_endpoint_auth_method: 'none',
    scope: 'openid mcp:everything',
    software_id: 'x',
    id_token_signed_response_alg: 'RS256',
  })
  assert.equal(custom.status, 201, JSON.stringify(custom.body))
  assert.equal(custom.body.application_type, 'native')
  for (const given of [{}, { grant_types: [] }, { grant_types: ['implicit'] }]) {
    const { body } = await postJson(`${origin}/oauth/register`, { redirect_uris: [REDIRECT], ...given })
    assert.deepEqual(body.grant_types, ['authorization_code', 'refresh_token'])
  }
  const { body: lone } = await postJson(`${origin}/oauth/register`, {
    redirect_uris: [REDIRECT],
    grant_types: ['authorization_code'],
  })
  assert.deepEqual(lone.grant_types, ['authorization_code'], 'what a client says is kept')
  for (const redirect_uris of [['http://evil.example/callback'], ['javascript:alert(1)'], []]) {
    const { status } = await postJson(`${origin}/oauth/register`, {
      redirect_uris,
      token_endpoint_auth_method: 'none',
    })
    assert.equal(status, 400, String(redirect_uris))
  }
  const page = await server
    .browser()
    .open(authorization(origin, custom.body.client_id, { redirect_uri: 'cursor://anysphere/callback' }).url)
  assert.match(page.headers.get('content-security-policy')!, /form-action 'self' cursor:;/)
})

test('a redirect URI that leads to Postern, or has user information, is refused at registration', async () => {
  const port = new URL(origin).port
  for (const redirect of [
    `${origin}/payments/callback`,
    `http://localhost:${port}/callback`,
    `http://[::1]:${port}/callback`,
    'https://user:word@app.example.com/callback',
  ]) {
    const redirect_uris = [REDIRECT, redirect]
    const { status, body } = await postJson(`${origin}/oauth/register`, { redirect_uris })
    assert.deepEqual([status, body.error], [400, 'invalid_redirect_uri'], redirect)
  }
})

test('no client gets a code at Postern: by the port of a request, or by the host of a later collection', async () => {
  const shown = async (client: string, redirect_uri: string) =>
    (await server.browser().open(authorization(origin, client, { redirect_uri }).url)).status
  const local = await register(origin, { redirect_uris: ['http://127.0.0.1/callback'] })
  const { host } = new URL(origin)
  assert.equal(await shown(local, `http://${host}/callback`), 400)
  assert.equal(await shown('postern-cli', `http://${host}/callback`), 400)
  assert.equal(await shown(local, 'http://127.0.0.1:1/callback'), 200)

  const web = 'https://api.example.com/callback'
  const client = await register(origin, { redirect_uris: [web] })
  assert.equal(await shown(client, web), 200)
  const made = await server.manage('POST', '/collections', {
    ...{ name: 'Payments', base_path: '/payments', hosts: ['api.example.com'] },
  })
  assert.equal(made.status, 201)
  assert.equal(await shown(client, web), 400)
  const { body } = await postJson(`${origin}/oauth/register`, { redirect_uris: [web] })
  assert.equal(body.error, 'invalid_redirect_uri')
})

test('a client is called by what can be seen of its name, or by its id', async () => {
  const nameOf = async (client_name: string) =>
    (await postJson(`${origin}/oauth/register`, { client_name, redirect_uris: [REDIRECT] })).body.client_name
  assert.equal(await nameOf(' \u202eEditor\u200b\n'), 'Editor')
  assert.equal(await nameOf('\u202e \u3164'), undefined)
})

test('no client that registers itself is called like Postern, and the person is told that names are unverified', async () => {
  for (const client_name of [
    'Postern command line',
    'POSTERN  command line',
    'P o s t e r n',
    'Pos\u200btern',
    'P\u043e\u0455t\u0435rn command line',
    '\uff30\uff4f\uff53\uff54\uff45\uff52\uff4e',
    'P\u00f6stern',
    'P0stern CLI',
    'Postem',
    '\u1d18\u1d0f\ua731\u1d1b\u1d07\u0280\u0274',
    'The official postern-cli',
  ]) {
    const { body } = await postJson(`${origin}/oauth/register`, { client_name, redirect_uris: [REDIRECT] })
    assert.equal(body.client_name, undefined, client_name)
  }
  const browser = server.browser()
  const { url } = authorization(origin, await register(origin, { client_name: 'Patterns' }))
  const page = await browser.submit(await browser.open(url), {
    name: 'ann',
    password: PASSWORD,
    do: 'password',
  })
  assert.match(page.text, /<strong>Patterns<\/strong>/)
  assert.match(page.text, /unverified: the client chose it/)
})

test('a client that registered is forgotten ninety days after it was used last', async () => {
  const [used, unused] = [await register(origin), await register(origin)]
  const isKnown = async (client: string): Promise<boolean> =>
    (await server.browser().open(authorization(origin, client).url)).status === 200
  server.move(89 * DAY_MS)
  assert.deepEqual([await isKnown(used), await isKnown(unused)], [true, true])
  const { refresh_token } = await tokensFor(origin, server.browser(), used)
  server.move(25 * DAY_MS)
  assert.equal((await refresh(used, refresh_token)).status, 200)
  server.move(80 * DAY_MS)
  assert.deepEqual([await isKnown(used), await isKnown(unused)], [true, false])
  server.move(10 * DAY_MS)
  assert.equal(await isKnown(used), false)
})

test('a parameter or member that no store keeps is refused by name, wherever it stands', async () => {
  const named = async (asked: Promise<Response>): Promise<[number, string, string]> => {
    const answer = await asked
    const { error, error_description: description } = (await answer.json()) as Record<string, string>
    return [answer.status, error!, description!.split(' ', 1)[0]!]
  }
  const post = (path: string, type: string, body: string) =>
    fetch(origin + path, { method: 'POST', headers: { 'content-type': type }, body })
  const form = (path: string, body: string) => post(path, 'application/x-www-form-urlencoded', body)
  const json = (given: object) => post('/oauth/register', 'application/json', JSON.stringify(given))

  for (const client_name of ['Edi\0tor', 'Edi\ud800tor'])
    assert.deepEqual(await named(json({ redirect_uris: [REDIRECT], client_name })), [
      400,
      'invalid_client_metadata',
      '/client_name',
    ])
  assert.deepEqual(await named(json({ redirect_uris: [REDIRECT], contacts: ['a\0'] })), [
    400,
    'invalid_client_metadata',
    '/contacts/0',
  ])
  const client = await register(origin)
  for (const path of [
    '/oauth/token',
    '/oauth/revoke',
    '/oauth/introspect',
    '/oauth/device/authorize',
    '/oauth/device',
  ])
    assert.deepEqual(
      await named(form(path, `client_id=${client}&code=a%00b`)),
      [400, 'invalid_request', 'code'],
      path,
    )
  const asked = `/oauth/authorize?client_id=${client}&state=%00`
  assert.deepEqual(await named(fetch(origin + asked)), [400, 'invalid_request', 'state'])
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const assertion = `${part({ alg: 'ES256' })}.${part({ iss: 'a\0b', sub: 'a\0b' })}.${part({})}`
  const unknown = await postForm(`${origin}/oauth/token`, {
    grant_type: 'refresh_token',
    refresh_token: 'x',
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: assertion,
  })
  assert.deepEqual([unknown.status, unknown.body.error, server.faults], [401, 'invalid_client', []])
})

test('a field of a page that no store keeps is refused, and the page goes on', async () => {
  const client = await register(origin)
  const { url } = authorization(origin, client)
  const browser = server.browser()
  const page = await browser.open(url)
  const refused = await browser.submit(page, { do: 'password', name: 'a\0nn', password: PASSWORD })
  assert.equal(refused.status, 400)
  assert.match(refused.text, /The field name must not contain/)
  assert.equal((await browser.open(page.url)).status, 200)
})
