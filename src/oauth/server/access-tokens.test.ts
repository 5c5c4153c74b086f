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
