import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import {
  addUser,
  authorization,
  choose,
  consent,
  PASSWORD,
  postForm,
  postJson,
  REDIRECT,
  register,
  startAuthorization,
  tokensFor,
} from '../../../test/support/authorization.ts'
import { signedBy, signingKey } from '../../../test/support/issuer.ts'
import { openTamper, storedBytes } from '../../../test/support/tamper.ts'

const server = await startAuthorization()
after(() => server[Symbol.asyncDispose]())
const { origin } = server
const DAY_MS = 24 * 60 * 60_000

const listOf = (path: string, token: string): Promise<Response> =>
  fetch(origin + path, { headers: { authorization: `Bearer ${token}` } })
const statusAtRest = async (token: string): Promise<number> =>
  (await listOf('/management/v1/collections', token)).status
const askMcp = (token: string, path: string, method: string, params: object): Promise<Response> =>
  fetch(origin + path, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
  })
const statusAtMcp = async (token: string, path = '/management/mcp'): Promise<number> =>
  (await askMcp(token, path, 'tools/list', {})).status
const callTool = (token: string, name: string, values: object): Promise<Response> =>
  askMcp(token, '/management/mcp?view=full', 'tools/call', { name, arguments: values })
const refresh = (client: string, token: string) =>
  postForm(`${origin}/oauth/token`, { grant_type: 'refresh_token', client_id: client, refresh_token: token })
const entriesOf = async (operation: string) =>
  (await server.store.read.auditEntries({ limit: 200, operation })).items

test('a client that knows nothing registers, has a user sign in and agree, and gets a token for one resource', async () => {
  const client = await register(origin)
  const { url, redeem } = authorization(origin, client)
  const browser = server.browser()
  const { url: back } = await consent(browser, url)
  assert.equal(back.origin + back.pathname, REDIRECT)
  assert.equal(back.searchParams.get('state'), 'the-state')
  assert.equal(back.searchParams.get('iss'), origin)
  const { status, body } = await redeem(back.searchParams.get('code')!)
  assert.equal(status, 200, JSON.stringify(body))
  assert.deepEqual([body.scope, body.expires_in], ['management:read management:write', 900])
  const [header, claims] = body.access_token
    .split('.', 2)
    .map((part: string) => JSON.parse(Buffer.from(part, 'base64url').toString()))
  assert.equal(header.typ, 'at+jwt')
  const { body: ann } = await server.manage('GET', '/users/ann')
  assert.deepEqual([claims.iss, claims.aud, claims.sub], [origin, `${origin}/management/mcp`, ann.id])
  assert.deepEqual(
    [await statusAtMcp(body.access_token), await statusAtMcp(body.access_token, '/api/v1/mcp')],
    [200, 200],
  )
  assert.equal(await statusAtRest(body.access_token), 401, 'a token for one resource is none for another')
  assert.deepEqual(server.faults, [])
  const [agreed] = await entriesOf('oauth.consent')
  assert.deepEqual([agreed!.actor.id, agreed!.resource.id, agreed!.ip], [ann.id, client, '127.0.0.1'])
  const [issued] = await entriesOf('oauth.issue_token')
  assert.deepEqual([issued!.actor.id, issued!.resource.id], [ann.id, client])
  assert.equal((await entriesOf('oauth.register_client'))[0]!.resource.id, client)
  assert.ok(!JSON.stringify([agreed, issued]).includes(body.access_token))
})

test('the metadata says what is served, and each protected resource names its issuer', async () => {
  const roots = ['/.well-known/oauth-authorization-server', '/.well-known/openid-configuration']
  const below = ['', '/management/mcp', '/api/v1/mcp', '/management/v1']
  for (const path of roots.flatMap((root) => below.map((resource) => root + resource))) {
    const metadata = (await (await fetch(`${origin}${path}?x=1`)).json()) as Record<string, unknown>
    assert.equal(metadata['issuer'], origin)
    assert.equal(metadata['token_endpoint'], `${origin}/oauth/token`)
    assert.deepEqual(metadata['code_challenge_methods_supported'], ['S256'])
    assert.deepEqual(metadata['response_types_supported'], ['code'])
    assert.equal(metadata['authorization_response_iss_parameter_supported'], true)
    assert.deepEqual(metadata['scopes_supported'], [
      'management:read',
      'management:write',
      'openid',
      'offline_access',
    ])
    const grants = metadata['grant_types_supported'] as string[]
    assert.ok(!grants.some((one) => one.endsWith(':jwt-bearer')), 'there is no issuer of assertions')
    assert.equal(metadata['authorization_grant_profiles_supported'], undefined)
    for (const [name, value] of Object.entries(metadata))
      if (name.endsWith('_endpoint'))
        assert.ok(String(value).startsWith(`${origin}/oauth/`), `${name}: ${String(value)}`)
    assert.ok(!('dpop_signing_alg_values_supported' in metadata), 'resources take bearers alone')
  }
  for (const path of [...roots.map((root) => `${root}/orders`), `${roots[0]}/`, `${roots[0]}x`])
    assert.equal((await fetch(origin + path)).status, 404, path)
  for (const path of below) {
    const answer = await fetch(`${origin}/.well-known/oauth-protected-resource${path}`)
    const metadata = (await answer.json()) as Record<string, unknown>
    assert.equal(metadata['resource'], origin + (path === '' ? '/management/mcp' : path))
    assert.deepEqual(metadata['authorization_servers'], [origin])
    assert.deepEqual(metadata['scopes_supported'], ['management:read', 'management:write'])
  }
  const mcp = await (await fetch(`${origin}/.well-known/oauth-protected-resource/mcp`)).json()
  const { authorization_servers, scopes_supported } = mcp as Record<string, unknown>
  assert.deepEqual(
    [authorization_servers, scopes_supported],
    [[origin], ['mcp:tools', 'mcp:prompts', 'mcp:resources']],
  )
})

test('a client that names the origin as its resource is told which resources there are', async () => {
  const client = await register(origin)
  for (const resource of [origin, `${origin}/`]) {
    const { url } = authorization(origin, client, { resource })
    const { headers } = await fetch(url, { redirect: 'manual' })
    const told = new URL(headers.get('location')!).searchParams
    assert.equal(told.get('error'), 'invalid_target')
    for (const path of ['/management/mcp', '/management/v1', '/mcp', '/mcp/{slug}'])
      assert.ok(told.get('error_description')!.includes(`${origin}${path} (`), path)
  }
})

test('a page of any origin may read the metadata and register, and nothing else', async () => {
  const headers = {
    origin: 'https://app.example',
    'access-control-request-method': 'GET',
    'access-control-request-headers': 'mcp-protocol-version',
  }
  for (const path of ['oauth-authorization-server', 'oauth-protected-resource/management/mcp'])
    for (const method of ['GET', 'OPTIONS']) {
      const answer = await fetch(`${origin}/.well-known/${path}`, { method, headers })
      const from = answer.headers.get('access-control-allow-origin')
      assert.ok(answer.ok && (from === '*' || from === headers.origin), `${method} ${path}: ${from}`)
      if (method === 'OPTIONS')
        assert.match(answer.headers.get('access-control-allow-headers')!, /mcp-protocol-version/)
    }
  const preflight = await fetch(`${origin}/oauth/register`, { method: 'OPTIONS', headers })
  assert.deepEqual([preflight.status, preflight.headers.get('access-control-allow-origin')], [204, '*'])
  assert.match(preflight.headers.get('access-control-allow-headers')!, /content-type/)
  for (const redirect of [REDIRECT, 'http://evil.example'])
    assert.equal(
      (await postJson(`${origin}/oauth/register`, { redirect_uris: [redirect] }, headers)).headers.get(
        'access-control-allow-origin',
      ),
      '*',
    )
  for (const path of ['/management/v1/collections', '/management/mcp', '/oauth/authorize']) {
    const answer = await fetch(origin + path, { headers })
    assert.equal(answer.headers.get('access-control-allow-origin'), null, path)
  }
})

test('a client that knows no scope of ours gets the default, and is given and shown none that it made up', async () => {
  const client = await register(origin)
  const browser = server.browser()
  const scopeFor = async (scope: string): Promise<string> =>
    (await tokensFor(origin, browser, client, { scope })).scope
  assert.equal(await scopeFor('mcp:read offline_access'), 'management:read management:write')
  assert.equal(await scopeFor('mcp:everything'), 'management:read management:write')
  const { text } = await browser.open(
    authorization(origin, client, { scope: 'management:read management:everything' }).url,
  )
  assert.match(text, /management:read/)
  assert.doesNotMatch(text, /everything/)
})

test('a challenge names the metadata and the scopes', async () => {
  const { headers } = await fetch(`${origin}/management/v1/collections`)
  assert.equal(
    headers.get('www-authenticate'),
    `Bearer resource_metadata="${origin}/.well-known/oauth-protected-resource/management/v1", scope="management:read management:write"`,
  )
})

test('what is no sound request for authorization is not answered with a code', async () => {
  const client = await register(origin)
  const browser = server.browser()
  const cases: [string, Record<string, string>, boolean][] = [
    ['redirect of somebody else', { redirect_uri: 'https://evil.example/callback' }, false],
    ['other path on the loopback', { redirect_uri: 'http://127.0.0.1:9/other' }, false],
    ['unknown client', { client_id: 'nobody' }, false],
    ['plain challenge', { code_challenge_method: 'plain' }, true],
    ['no challenge', { code_challenge: '' }, true],
    ['another response type', { response_type: 'id_token' }, true],
    ['unknown resource', { resource: `${origin}/orders` }, true],
    ['resource elsewhere', { resource: 'https://evil.example/management/mcp' }, true],
  ]
  for (const [what, more, isTold] of cases) {
    const { url } = authorization(origin, client, more)
    const page = await browser.open(url)
    if (isTold) {
      const told = new URLSearchParams(page.url.search || page.url.hash.slice(1))
      assert.ok(told.has('error'), `${what}: ${page.text}`)
      assert.deepEqual([told.get('iss'), told.get('state')], [origin, 'the-state'], what)
    } else {
      assert.equal(page.url.origin, origin, what)
      assert.equal(page.status, 400, what)
    }
    assert.equal(page.url.searchParams.get('code'), null, what)
  }
  const onOtherPort = authorization(origin, client, { redirect_uri: 'http://127.0.0.1:61010/callback' })
  const { url: back } = await consent(browser, onOtherPort.url)
  assert.equal(back.origin, 'http://127.0.0.1:61010', 'a program takes the port that is free')
})

test('a disabled user is out at once: tokens, refreshing and the session of the browser', async () => {
  await addUser(server, 'eve')
  const client = await register(origin)
  const browser = server.browser()
  const tokens = await tokensFor(origin, browser, client, {}, 'eve')
  assert.equal(await statusAtMcp(tokens.access_token), 200)
  assert.equal((await server.manage('PATCH', '/users/eve', { active: false })).status, 200)
  assert.equal(await statusAtMcp(tokens.access_token), 401)
  assert.equal((await refresh(client, tokens.refresh_token)).body.error, 'invalid_grant')
  const page = await browser.open(authorization(origin, client).url)
  assert.match(page.text, /name="password"/, 'someone has to sign in')
  assert.equal((await server.manage('PATCH', '/users/eve', { active: true })).status, 200)
  assert.equal(await statusAtMcp(tokens.access_token), 401, 'what has ended does not come back with the user')
  assert.equal((await refresh(client, tokens.refresh_token)).body.error, 'invalid_grant')
})

test('whoever has signed in and not gone on is out with the password that they knew', async () => {
  await addUser(server, 'fay')
  const client = await register(origin)
  const browser = server.browser()
  const page = await browser.open(authorization(origin, client).url)
  const held = await browser.submit(page, { name: 'fay', password: PASSWORD, do: 'password' }, false)
  assert.match(held.url.pathname, /^\/oauth\/authorize\//)
  const { body } = await server.manage('POST', '/users/fay/invite', {})
  await choose(server.browser(), body.set_up_url, {})
  const late = await browser.open(held.url)
  assert.equal(late.status, 400, late.text)
})

test('an ID token opens nothing, nor does a token that is changed, old or of other keys', async () => {
  const client = await register(origin)
  const tokens = (await tokensFor(origin, server.browser(), client, { scope: 'openid management:read' })) as {
    access_token: string
    id_token?: string
  }
  assert.ok(tokens.id_token !== undefined)
  assert.equal(await statusAtMcp(tokens.id_token), 401)
  const [head, , signature] = tokens.access_token.split('.')
  const claims = JSON.parse(Buffer.from(tokens.access_token.split('.')[1]!, 'base64url').toString())
  const changed = Buffer.from(JSON.stringify({ ...claims, scope: 'management:admin' })).toString('base64url')
  assert.equal(await statusAtMcp(`${head}.${changed}.${signature}`), 401)
  const { alg, kid, ...header } = JSON.parse(Buffer.from(head!, 'base64url').toString())
  const stranger = signingKey(kid, alg)
  assert.equal(await statusAtMcp(signedBy(stranger, claims, header)), 401)
  server.move(16 * 60_000)
  assert.equal(await statusAtMcp(tokens.access_token), 401)
  server.move(-16 * 60_000)
})

test('pages cannot be framed, run nothing, and take forms of their own alone', async () => {
  const { url } = authorization(origin, await register(origin, { client_name: '<script>alert(1)</script>' }))
  const browser = server.browser()
  const page = await browser.open(url)
  assert.match(page.headers.get('content-security-policy')!, /default-src 'none'.*frame-ancestors 'none'/)
  assert.equal(page.headers.get('x-frame-options'), 'DENY')
  assert.equal(page.headers.get('referrer-policy'), 'no-referrer')
  assert.equal(page.headers.get('cache-control'), 'no-store')
  assert.doesNotMatch(page.text, /<script/i)
  const forged = await browser.submit(page, { csrf: 'x', name: 'ann', password: PASSWORD, do: 'password' })
  assert.equal(forged.status, 403)
  const inOther = await server.browser().open(page.url)
  assert.equal(inOther.status, 400, 'a page belongs to the browser that came to it')
  const wrong = await browser.submit(page, { name: 'ann', password: 'wrong', do: 'password' })
  assert.equal(wrong.status, 401)
  const agreement = await browser.submit(wrong, { name: 'ann', password: PASSWORD, do: 'password' })
  assert.match(agreement.text, /Any program on your computer could use this name/)
  for (const named of [
    '<strong>&#60;script&#62;alert(1)&#60;/script&#62;</strong>',
    '<code>127.0.0.1:9</code>',
    `<code>${origin}/management/mcp</code>`,
    '<code>management:read</code>',
    '<code>management:write</code>',
  ])
    assert.ok(agreement.text.includes(named), named)
  assert.equal(agreement.headers.get('cache-control'), 'no-store')
  assert.match(agreement.headers.get('content-security-policy')!, /frame-ancestors 'none'/)
  const unsigned = await browser.submit(agreement, { do: 'allow', csrf: 'x' })
  assert.equal(unsigned.status, 403)
  assert.match(
    agreement.headers.get('content-security-policy')!,
    /form-action 'self' http:\/\/127\.0\.0\.1:9;/,
  )
  const { url: back } = await browser.submit(agreement, { do: 'deny' })
  assert.equal(back.searchParams.get('error'), 'access_denied')
  assert.equal(back.searchParams.get('iss'), origin)
  assert.equal((await entriesOf('oauth.consent'))[0]!.outcome, 'denied')
})

test('consent is remembered for what was agreed to, but never for a program on the computer of the user', async () => {
  const redirect = { redirect_uri: 'https://agent.example/callback' }
  const client = await register(origin, { redirect_uris: [redirect.redirect_uri] })
  const browser = server.browser()
  const asked = (scope: string) => authorization(origin, client, { ...redirect, scope }).url
  await consent(browser, asked('management:read'))
  assert.ok((await browser.open(asked('management:read'))).url.searchParams.has('code'))
  assert.match((await browser.open(asked('management:read management:write'))).text, /Allow access/)
  const both = 'management:read management:write'
  await consent(browser, asked(both))
  assert.ok((await browser.open(asked(both))).url.searchParams.has('code'))
  const page = await browser.open(`${asked(both).href}&prompt=consent`)
  await browser.submit(page, { do: 'allow' }, true, ['management:read'])
  assert.match((await browser.open(asked(both))).text, /Allow access/, 'what was unticked is not remembered')
  assert.ok((await browser.open(asked('management:read'))).url.searchParams.has('code'))
  const admin = 'management:read management:admin'
  await consent(browser, asked(admin))
  assert.match((await browser.open(asked(admin))).text, /Allow access/, 'administration is ticked each time')
  const local = authorization(origin, await register(origin)).url
  await consent(browser, local)
  assert.match((await browser.open(local)).text, /Allow access/)
  const secure = { redirect_uri: 'https://localhost/callback' }
  const there = await register(origin, { redirect_uris: [secure.redirect_uri], application_type: 'web' })
  const program = authorization(origin, there, secure).url
  await consent(browser, program)
  assert.match((await browser.open(program)).text, /Allow access/)
})

test('what was agreed to for a client is asked about again when a device comes under its name', async () => {
  const redirect_uri = 'https://agent.example/callback'
  const client = await register(origin, {
    redirect_uris: [redirect_uri],
    grant_types: ['authorization_code', 'urn:ietf:params:oauth:grant-type:device_code'],
  })
  const browser = server.browser()
  const scope = 'management:admin'
  await consent(browser, authorization(origin, client, { redirect_uri, scope }).url)
  const form = { client_id: client, scope, resource: `${origin}/management/mcp` }
  const { verification_uri_complete, user_code } = (await postForm(`${origin}/oauth/device/authorize`, form))
    .body
  const shown = await browser.submit(await browser.open(verification_uri_complete), { user_code })
  assert.match((await browser.submit(shown, { confirm: 'yes' })).text, /Allow access/)
})

test('a path is taken by its one spelling alone, so that none is around what is asked of it', async () => {
  const machine = {
    redirect_uris: ['https://agent.example/callback'],
    grant_types: ['authorization_code', 'client_credentials'],
  }
  assert.deepEqual((await postJson(`${origin}/oauth/register`, machine)).body.grant_types, [
    'authorization_code',
  ])
  for (const path of ['/oauth/REGISTER', '/oauth/register/', '/oauth/Register/'])
    assert.equal((await postJson(origin + path, machine)).status, 404, path)
  for (const path of ['/oauth/Token', '/oauth/token/', '/oauth/device/AUTHORIZE'])
    assert.equal((await postForm(origin + path, {})).status, 404, path)
})

test('what was issued and begun outlives a restart', async () => {
  const client = await register(origin)
  const browser = server.browser()
  const tokens = await tokensFor(origin, browser, client)
  const { url, redeem } = authorization(origin, client)
  const page = await browser.open(url)
  await server.restart()
  assert.equal(await statusAtMcp(tokens.access_token), 200)
  const { url: back } = await browser.submit(page, { do: 'allow' })
  const code = back.searchParams.get('code')!
  await server.restart()
  const { status, body } = await redeem(code)
  assert.equal(status, 200)
  assert.equal((await refresh(client, tokens.refresh_token)).status, 200)
  await server.restart()
  assert.equal((await redeem(code)).body.error, 'invalid_grant')
  assert.equal(await statusAtMcp(body.access_token), 401)
  server.move(60_000)
  assert.equal((await refresh(client, tokens.refresh_token)).body.error, 'invalid_grant')
  assert.equal(await statusAtMcp(tokens.access_token), 401)
  server.move(-60_000)
})

test('a page for signing in waits ten minutes, one for consent fifteen', async () => {
  const { url } = authorization(origin, await register(origin))
  const [one, other] = [server.browser(), server.browser()]
  const signIn = await one.open(url)
  const person = { name: 'ann', password: PASSWORD, do: 'password' }
  const agreement = await other.submit(await other.open(url), person)
  server.move(10 * 60_000)
  assert.equal((await one.open(signIn.url)).status, 400)
  server.move(4 * 60_000)
  assert.match((await other.open(agreement.url)).text, /Allow access/)
  server.move(60_000)
  assert.equal((await other.open(agreement.url)).status, 400)
  server.move(-15 * 60_000)
})

test('a browser is signed in until it was not used for eight hours', async () => {
  const client = await register(origin)
  const browser = server.browser()
  const { url } = authorization(origin, client)
  await consent(browser, url)
  server.move(7 * 60 * 60_000)
  assert.match((await browser.open(url)).text, /Allow access/)
  server.move(8 * 60 * 60_000)
  assert.match((await browser.open(url)).text, /name="password"/)
  server.move(-15 * 60 * 60_000)
})

test('nothing that proves something stands in the store as it is', async () => {
  const client = await register(origin)
  const browser = server.browser()
  const tokens = await tokensFor(origin, browser, client)
  const { url } = authorization(origin, client)
  const code = (await consent(browser, url)).url.searchParams.get('code')!
  const stored = await storedBytes(server.directory)
  const holds = (text: string): boolean => stored.some((bytes) => bytes.includes(text))
  assert.ok(holds(client), 'all was read')
  for (const secret of [tokens.refresh_token, code, tokens.access_token, '"d":'])
    assert.ok(!holds(secret), secret)
})

test('a token that is too narrow is told the scopes it takes, over REST and MCP, and that is audited', async () => {
  const client = await register(origin)
  const browser = server.browser()
  const scope = 'management:read'
  const needed = 'scope="management:read management:write"'
  const { access_token: rest } = await tokensFor(origin, browser, client, {
    scope,
    resource: `${origin}/management/v1`,
  })
  const body = { name: 'Gold', slug: 'gold', limits: [{ name: 'm', kind: 'rate', max: 5, window: '1m' }] }
  const overRest = await fetch(`${origin}/management/v1/policies`, {
    method: 'POST',
    headers: { authorization: `Bearer ${rest}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  assert.equal(overRest.status, 403)
  assert.equal(
    overRest.headers.get('www-authenticate'),
    `Bearer resource_metadata="${origin}/.well-known/oauth-protected-resource/management/v1", ${needed}, error="insufficient_scope", error_description="This needs the permission policies:create. The account has it, but this token does not include it. Request a token with the scopes management:read management:write."`,
  )
  const { access_token: mcp } = await tokensFor(origin, browser, client, { scope })
  const overMcp = await callTool(mcp, 'create_policy', body)
  assert.equal(overMcp.status, 403)
  assert.match(overMcp.headers.get('www-authenticate')!, /management:write", error="insufficient_scope"/)
  const denied = (await entriesOf('policies.create')).map(({ outcome, error }) => [outcome, error])
  assert.deepEqual(denied, [
    ['denied', 'insufficient_scope'],
    ['denied', 'insufficient_scope'],
  ])
  const broad = await tokensFor(origin, browser, client, { scope: 'management:write' })
  assert.equal((await callTool(broad.access_token, 'create_policy', body)).status, 200)
  const ofBob = await tokensFor(origin, server.browser(), client, { scope }, 'bob')
  const bob = await callTool(ofBob.access_token, 'create_policy', body)
  assert.equal(bob.status, 200, 'no scope gives what the account lacks')
  assert.match(await bob.text(), /permission_denied/)
})

test('a device gets a token when its user has entered the code, looked at it and agreed', async () => {
  const form = { client_id: 'postern-cli', resource: `${origin}/management/v1/`, scope: 'management:admin' }
  const begin = async () => (await postForm(`${origin}/oauth/device/authorize`, form)).body
  const poll = async (device: string) =>
    (
      await postForm(`${origin}/oauth/token`, {
        grant_type: 'urn:ietf:params:oauth:grant-type:device_code',
        client_id: 'postern-cli',
        device_code: device,
      })
    ).body
  const { device_code, user_code, verification_uri, verification_uri_complete } = await begin()
  assert.equal(verification_uri, `${origin}/oauth/device`)
  assert.equal((await poll(device_code)).error, 'authorization_pending')
  const browser = server.browser()
  const wrong = await browser.submit(await browser.open(verification_uri), { user_code: 'BBBB-BBBB' })
  assert.match(wrong.text, /is unknown, was already used, or has expired/)
  const filled = await browser.open(verification_uri_complete)
  assert.ok(filled.text.includes(`value="${user_code}"`) && !/<script/.test(filled.text))
  assert.match(filled.headers.get('content-security-policy')!, /frame-ancestors 'none'/)
  const shown = await browser.submit(filled, { user_code })
  assert.match(shown.text, /Postern command line/)
  const signIn = await browser.submit(shown, { confirm: 'yes' })
  const agreement = await browser.submit(signIn, { name: 'ann', password: PASSWORD, do: 'password' })
  assert.match(agreement.text, /management:admin/)
  const done = await browser.submit(agreement, { do: 'allow' }, true, ['management:admin'])
  assert.match(done.text, /Device connected/)
  const tokens = await poll(device_code)
  assert.equal(await statusAtRest(tokens.access_token), 200)
  assert.equal((await poll(device_code)).error, 'invalid_grant', 'once')

  const refused = await begin()
  const page = await browser.submit(await browser.open(refused.verification_uri_complete), {
    user_code: refused.user_code,
  })
  await browser.submit(page, { abort: 'yes' })
  assert.equal((await poll(refused.device_code)).error, 'access_denied')

  const bare = (await postForm(`${origin}/oauth/device/authorize`, { client_id: 'postern-cli' })).body
  const entered = await browser.open(bare.verification_uri_complete)
  const asked = await browser.submit(await browser.submit(entered, { user_code: bare.user_code }), {
    confirm: 'yes',
  })
  assert.match(asked.text, /management:read[\s\S]*management:write/)
  assert.doesNotMatch(asked.text, /management:admin/)
  const late = await begin()
  server.move(10 * 60_000)
  assert.equal((await poll(late.device_code)).error, 'expired_token')
  server.move(-10 * 60_000)

  await server.flush()
  const details = (await entriesOf('access.authenticate')).map(({ detail }) => detail)
  assert.ok(details.includes('grant: access_denied'))
  assert.ok(!details.includes('grant: authorization_pending'), 'who waits is refused nothing')
})

test('the form of a device without the session of its page is refused with what to do', async () => {
  for (const body of ['', 'user_code=BBBB-BBBB&xsrf=x&confirm=yes']) {
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    const answer = await fetch(`${origin}/oauth/device`, { method: 'POST', headers, body })
    assert.equal(answer.status, 400)
    assert.match(answer.headers.get('content-security-policy') ?? '', /frame-ancestors 'none'/)
    assert.match(await answer.text(), /Open the address that your device shows again/)
    assert.equal(answer.headers.get('set-cookie'), null)
  }
  assert.deepEqual(server.faults, [])
})

test('what has ended is forgotten, and what was begun by nobody known is bounded', async () => {
  const client = await register(origin)
  await tokensFor(origin, server.browser(), client)
  const count = async (): Promise<Record<string, number>> => {
    await using tamper = await openTamper(server.directory)
    const rows = await tamper.rows('select kind, count(*) as count from oauth_artifacts group by kind')
    return Object.fromEntries(rows.map(({ kind, count }) => [String(kind), Number(count)]))
  }
  const before = await count()
  assert.ok(before['AuthorizationCode']! > 0 && before['Grant']! > 0)
  server.move(DAY_MS)
  await server.sweep()
  const left = await count()
  assert.deepEqual(
    ['AuthorizationCode', 'Interaction', 'Session'].map((kind) => left[kind] ?? 0),
    [0, 0, 0],
  )
  assert.equal(left['Client'], before['Client'])
  await server.store.writeOAuth(async (oauth) => {
    const made = {
      kind: 'Client',
      grant_id: null,
      other_id: null,
      account_id: null,
      sealed: '',
      expires_at: null,
    }
    for (const [index, used_at] of [null, 5, null, 7].entries())
      await oauth.put({ ...made, kind: 'Test', id: `test-${index}`, created_at: index, used_at }, 3)
    assert.deepEqual(
      await oauth.artifact('Test', 'test-0'),
      undefined,
      'the oldest that was never used gives way',
    )
    assert.ok((await oauth.artifact('Test', 'test-1')) !== undefined)
  })
  server.move(-DAY_MS)
})

test('cookies are for pages of ours alone, and under https for encrypted connections of this host', async () => {
  const cookiesOf = async (issuer: string): Promise<string[]> => {
    const redirect_uri = 'http://127.0.0.1/callback'
    const { pathname, search } = authorization(issuer, 'postern-cli', { redirect_uri }).url
    const answers = [pathname + search, '/oauth/device'].map((path) =>
      fetch(origin + path, { redirect: 'manual' }),
    )
    const cookies = (await Promise.all(answers)).flatMap(({ headers }) => headers.getSetCookie())
    const own = cookies.filter((one) => !/^[^=]+\.sig=/.test(one))
    assert.deepEqual(own.map((one) => /postern_\w+/.exec(one)![0]).sort(), [
      'postern_interaction',
      'postern_resume',
      'postern_session',
    ])
    for (const one of cookies) assert.ok(/; httponly/.test(one) && /; samesite=lax/.test(one), one)
    return cookies
  }
  assert.ok((await cookiesOf(origin)).every((one) => !one.includes('; secure')))
  await server.restart({ issuer: 'https://gateway.example' })
  const cookies = await cookiesOf('https://gateway.example')
  assert.ok(
    cookies.every((one) => /^__(Host|Secure)-.*; secure/.test(one)),
    cookies.join(),
  )
})
