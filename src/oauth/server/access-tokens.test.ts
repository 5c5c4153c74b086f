import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import {
  addUser,
  authorization,
  consent,
  postForm,
  postJson,
  register,
  startAuthorization,
  tokensFor,
} from '../../../test/support/authorization.ts'

const server = await startAuthorization()
after(() => server[Symbol.asyncDispose]())
const { origin } = server

const statusAtMcp = async (token: string): Promise<number> => {
  const headers = { authorization: `Bearer ${token}`, accept: 'application/json, text/event-stream' }
  return (await postJson(`${origin}/management/mcp`, LIST, headers)).status
}
const statusAtRest = async (token: string): Promise<number> =>
  (await fetch(`${origin}/management/v1/collections`, { headers: { authorization: `Bearer ${token}` } }))
    .status
const refresh = (client: string, token: string) =>
  postForm(`${origin}/oauth/token`, { grant_type: 'refresh_token', client_id: client, refresh_token: token })
const DAY_MS = 24 * 60 * 60_000
const LIST = { jsonrpc: '2.0', id: 1, method: 'tools/list', params: {} }

/** A client with a secret, as those register that run on a server. */
async function registerConfidential(): Promise<{ readonly id: string; readonly secret: string }> {
  const { body } = await postJson(`${origin}/oauth/register`, {
    client_name: 'Web app',
    redirect_uris: ['https://app.example/callback'],
    grant_types: ['authorization_code', 'refresh_token'],
    token_endpoint_auth_method: 'client_secret_post',
  })
  return { id: body.client_id, secret: body.client_secret }
}

/** What a client with a secret is told about a token, or does with it. */
const tokenAt = (
  path: string,
  token: string,
  { id, secret }: { id: string; secret: string },
  hint?: string,
) =>
  postForm(`${origin}/oauth/${path}`, {
    client_id: id,
    client_secret: secret,
    token,
    ...(hint === undefined ? {} : { token_type_hint: hint }),
  })

async function tokensOfConfidential(app: { id: string; secret: string }, name = 'ann') {
  const redirect_uri = 'https://app.example/callback'
  const { url, redeem } = authorization(origin, app.id, { redirect_uri })
  const code = (await consent(server.browser(), url, name)).url.searchParams.get('code')!
  return (await redeem(code, { client_secret: app.secret })).body
}

test('a client with a secret proves itself by it, and may ask about its own tokens alone', async () => {
  const [app, other] = [await registerConfidential(), await registerConfidential()]
  const redirect_uri = 'https://app.example/callback'
  const { url, redeem } = authorization(origin, app.id, { redirect_uri })
  const codeOf = async () => (await consent(server.browser(), url)).url.searchParams.get('code')!
  assert.equal((await redeem(await codeOf())).body.error, 'invalid_client')
  for (const client_secret of ['x', other.secret])
    assert.equal((await redeem(await codeOf(), { client_secret })).body.error, 'invalid_client')
  const { body } = await redeem(await codeOf(), { client_secret: app.secret })
  assert.equal(await statusAtMcp(body.access_token), 200)
  for (const token of [body.refresh_token, body.access_token]) {
    assert.equal((await tokenAt('introspect', token, app)).body.active, true)
    assert.deepEqual((await tokenAt('introspect', token, other)).body, { active: false })
    assert.equal((await tokenAt('introspect', token, { ...app, secret: 'x' })).status, 401)
  }
})

test('an access token is active where it would be taken, and only there', async () => {
  await addUser(server, 'ian')
  const app = await registerConfidential()
  const { access_token: token } = await tokensOfConfidential(app, 'ian')
  const asked = await tokenAt('introspect', token, app, 'access_token')
  const claims = JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString())
  assert.deepEqual(asked.body, {
    active: true,
    sub: claims.sub,
    client_id: app.id,
    exp: claims.exp,
    iat: claims.iat,
    jti: claims.jti,
    iss: origin,
    aud: `${origin}/management/mcp`,
    scope: 'management:read management:write',
    token_type: 'Bearer',
  })
  const isActive = async (text: string): Promise<boolean> =>
    (await tokenAt('introspect', text, app, 'refresh_token')).body.active
  const [head, body, tail] = token.split('.')
  const changed = Buffer.from(JSON.stringify({ ...claims, scope: 'management:admin' })).toString('base64url')
  assert.equal(await isActive(`${head}.${changed}.${tail}`), false)
  assert.equal(await isActive(`${head}.${body}.`), false)
  assert.equal(await isActive(`${head}..`), false)
  assert.equal(await isActive(token), true)
  server.move(16 * 60_000)
  assert.equal(await isActive(token), false, 'expired')
  server.move(-16 * 60_000)
  assert.equal((await server.manage('PATCH', '/users/ian', { active: false })).status, 200)
  assert.equal(await isActive(token), false, 'its user is inactive')
  const open = await register(origin)
  const { access_token: ofOpen } = await tokensFor(origin, server.browser(), open)
  const answer = await postForm(`${origin}/oauth/introspect`, { client_id: open, token: ofOpen })
  assert.deepEqual(answer.body, { active: false }, 'a client without a secret is told nothing')
})

test('revoking an access token ends its grant, by the client that it is of alone', async () => {
  const [app, other] = [await registerConfidential(), await registerConfidential()]
  const { access_token: token, refresh_token } = await tokensOfConfidential(app)
  assert.equal((await tokenAt('revoke', token, other)).status, 200)
  assert.equal(await statusAtMcp(token), 200)
  assert.equal((await tokenAt('revoke', token, app)).status, 200)
  assert.equal(await statusAtMcp(token), 401)
  assert.equal((await tokenAt('introspect', token, app)).body.active, false)
  assert.equal((await tokenAt('introspect', refresh_token, app)).body.active, false)
  const [entry] = (await server.store.read.auditEntries({ limit: 1, operation: 'oauth.revoke' })).items
  assert.deepEqual([entry!.resource.id, entry!.actor.name], [app.id, 'ann'])
  assert.equal((await tokenAt('revoke', token, app)).status, 200, 'once more says nothing')
  const open = await register(origin)
  const ofOpen = await tokensFor(origin, server.browser(), open)
  await postForm(`${origin}/oauth/revoke`, { client_id: open, token: ofOpen.access_token })
  assert.equal(await statusAtMcp(ofOpen.access_token), 401)
})

test('the token of a service identity has no grant that could be ended, and that is said', async () => {
  const { manage } = server
  const made = await manage('POST', '/service_identities', { name: 'asker', slug: 'asker' })
  const secret = (await manage('POST', '/service_identities/asker/issue_secret', {})).body.client_secret
  const app = { id: 'asker', secret }
  const { access_token } = (
    await postForm(`${origin}/oauth/token`, {
      grant_type: 'client_credentials',
      client_id: 'asker',
      client_secret: secret,
    })
  ).body
  const { body } = await tokenAt('introspect', access_token, app)
  assert.deepEqual([body.active, body.sub, body.client_id], [true, made.body.id, 'asker'])
  const revoked = await tokenAt('revoke', access_token, app)
  assert.deepEqual([revoked.status, revoked.body.error], [400, 'unsupported_token_type'])
  assert.equal(await statusAtMcp(access_token), 200)
  assert.equal((await tokenAt('revoke', access_token, await registerConfidential())).status, 200)
})

test('a token is for the resource that was named, by default for Management MCP, and for no other', async () => {
  const client = await register(origin)
  const browser = server.browser()
  const rest = await tokensFor(origin, browser, client, { resource: `${origin}/management/v1` })
  assert.deepEqual([await statusAtRest(rest.access_token), await statusAtMcp(rest.access_token)], [200, 401])
  const { url, redeem } = authorization(origin, client)
  url.searchParams.delete('resource')
  const { body } = await redeem((await consent(browser, url)).url.searchParams.get('code')!)
  assert.deepEqual([await statusAtRest(body.access_token), await statusAtMcp(body.access_token)], [401, 200])
  const form = { grant_type: 'refresh_token', client_id: client, refresh_token: body.refresh_token }
  const other = await postForm(`${origin}/oauth/token`, { ...form, resource: `${origin}/management/v1` })
  assert.equal(other.body.error, 'invalid_target')
  const stolen = await refresh(await register(origin), body.refresh_token)
  assert.deepEqual([stolen.body.error, stolen.headers.get('cache-control')], ['invalid_grant', 'no-store'])
  const same = await postForm(`${origin}/oauth/token`, { ...form, resource: `${origin}/api/v1/mcp` })
  assert.deepEqual([same.status, same.headers.get('cache-control')], [200, 'no-store'])
  const inQuery = await fetch(`${origin}/management/v1/collections?access_token=${rest.access_token}`)
  assert.equal(inQuery.status, 401)
})

test('a code is for one use, by the client that began, with its verifier', async () => {
  const client = await register(origin)
  const other = await register(origin)
  const browser = server.browser()
  const { url, redeem } = authorization(origin, client)
  const codeOf = async () => (await consent(browser, url)).url.searchParams.get('code')!
  assert.equal((await redeem(await codeOf(), { code_verifier: 'x'.repeat(43) })).body.error, 'invalid_grant')
  assert.equal((await redeem(await codeOf(), { client_id: other })).body.error, 'invalid_grant')
  assert.equal(
    (await redeem(await codeOf(), { redirect_uri: 'http://127.0.0.1:9/x' })).body.error,
    'invalid_grant',
  )
  assert.equal(
    (await redeem(await codeOf(), { resource: `${origin}/management/v1` })).body.error,
    'invalid_target',
  )
  const code = await codeOf()
  const { body } = await redeem(code)
  assert.equal(await statusAtMcp(body.access_token), 200)
  assert.equal((await redeem(code)).body.error, 'invalid_grant')
  assert.equal(await statusAtMcp(body.access_token), 401, 'what came of a code that was used twice has ended')
  const late = await codeOf()
  server.move(61_000)
  assert.equal((await redeem(late)).body.error, 'invalid_grant')
  server.move(-61_000)
})

test('a refresh token that was replaced is taken again for a minute, and after that ends all that came from it', async () => {
  const client = await register(origin)
  const browser = server.browser()
  const first = await tokensFor(origin, browser, client, { resource: `${origin}/management/v1` })
  const second = (await refresh(client, first.refresh_token)).body
  assert.notEqual(second.refresh_token, first.refresh_token)
  server.move(59_000)
  const again = (await refresh(client, first.refresh_token)).body
  assert.equal(new Set([first, second, again].map(({ refresh_token }) => refresh_token)).size, 3)
  const tokens = [first, second, again].map(({ access_token }) => access_token)
  assert.deepEqual(await Promise.all(tokens.map(statusAtRest)), [200, 200, 200])
  server.move(1001)
  assert.equal((await refresh(client, first.refresh_token)).body.error, 'invalid_grant')
  for (const { refresh_token } of [second, again])
    assert.equal((await refresh(client, refresh_token)).body.error, 'invalid_grant')
  assert.deepEqual(await Promise.all(tokens.map(statusAtRest)), [401, 401, 401])
  server.move(-60_001)
})

test('a refresh token is not taken again once the one that replaced it was used: then it is in two hands', async () => {
  const client = await register(origin)
  const first = await tokensFor(origin, server.browser(), client)
  const second = (await refresh(client, first.refresh_token)).body
  const third = (await refresh(client, second.refresh_token)).body
  assert.equal(await statusAtMcp(third.access_token), 200)
  assert.equal((await refresh(client, first.refresh_token)).body.error, 'invalid_grant')
  assert.equal((await refresh(client, third.refresh_token)).body.error, 'invalid_grant')
  assert.equal(await statusAtMcp(third.access_token), 401)
})

test('of two that came of one refresh token one goes on: who brings the other when it was used ends both', async () => {
  const client = await register(origin)
  const first = await tokensFor(origin, server.browser(), client)
  const second = (await refresh(client, first.refresh_token)).body
  server.move(30_000)
  const stolen = (await refresh(client, first.refresh_token)).body
  server.move(1000)
  const third = (await refresh(client, second.refresh_token)).body
  assert.equal(await statusAtMcp(third.access_token), 200)
  assert.equal((await refresh(client, stolen.refresh_token)).body.error, 'invalid_grant')
  assert.equal((await refresh(client, third.refresh_token)).body.error, 'invalid_grant')
  assert.deepEqual(await Promise.all([stolen, third].map((one) => statusAtMcp(one.access_token))), [401, 401])
  server.move(-31_000)
})

test('of many requests with one code at once, at most one gets tokens; with one refresh token each gets its own', async () => {
  const client = await register(origin)
  const { url, redeem } = authorization(origin, client)
  const code = (await consent(server.browser(), url)).url.searchParams.get('code')!
  const answers = await Promise.all(Array.from({ length: 8 }, () => redeem(code)))
  assert.ok(answers.filter(({ status }) => status === 200).length <= 1)
  const { refresh_token } = await tokensFor(origin, server.browser(), client)
  const refreshed = await Promise.all(Array.from({ length: 8 }, () => refresh(client, refresh_token)))
  assert.deepEqual(
    refreshed.map(({ status }) => status),
    Array(8).fill(200),
  )
  assert.equal(new Set(refreshed.map(({ body }) => body.refresh_token)).size, 8)
})

test('a revoked refresh token takes its access tokens with it, and nobody else can revoke it', async () => {
  const client = await register(origin)
  const tokens = await tokensFor(origin, server.browser(), client)
  const revoke = (by: string) =>
    postForm(`${origin}/oauth/revoke`, { client_id: by, token: tokens.refresh_token })
  await revoke(await register(origin))
  assert.equal(await statusAtMcp(tokens.access_token), 200)
  assert.equal((await revoke(client)).status, 200)
  assert.equal(await statusAtMcp(tokens.access_token), 401)
  assert.equal(
    (await server.store.read.auditEntries({ limit: 1, operation: 'oauth.revoke' })).items[0]!.resource.id,
    client,
  )
})

test('keys are replaced after ninety days or when asked, and what they have signed stays good', async () => {
  const client = await register(origin)
  const browser = server.browser()
  const kidsOf = async (): Promise<string[]> => {
    const { keys } = (await (await fetch(`${origin}/oauth/jwks`)).json()) as { keys: { kid: string }[] }
    assert.ok(keys.every((key) => !('d' in key)))
    return keys.map(({ kid }) => kid)
  }
  const kidOf = ({ access_token }: { access_token: string }): string =>
    JSON.parse(Buffer.from(access_token.split('.', 1)[0]!, 'base64url').toString()).kid
  const [first] = await kidsOf()
  const before = await tokensFor(origin, browser, client)
  assert.equal(kidOf(before), first)
  assert.equal((await server.manage('POST', '/keys/rotate', {})).status, 200)
  const after = await tokensFor(origin, browser, client)
  assert.notEqual(kidOf(after), first)
  assert.deepEqual(await kidsOf(), [kidOf(after), first])
  assert.deepEqual(
    [await statusAtMcp(before.access_token), await statusAtMcp(after.access_token)],
    [200, 200],
  )
  server.move(25 * 60 * 60_000)
  assert.deepEqual(await kidsOf(), [kidOf(after)], 'nothing lives any more that the first has signed')
  server.move(89 * DAY_MS)
  const [newest, second] = await kidsOf()
  assert.notEqual(newest, kidOf(after))
  assert.equal(second, kidOf(after))
  server.move(-25 * 60 * 60_000 - 89 * DAY_MS)
})
