import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { authorization, consent, register } from '../support/authorization.ts'
import { Browser, type Shown } from '../support/browser.ts'
import { eventually } from '../support/eventually.ts'
import { Issuer, part, signedBy, signedWith, signingKey } from '../support/issuer.ts'
import { askMcp, type Reply, startTestServer, type TestServer } from './server.ts'

const key = signingKey('k1')
let issuer: Issuer
let server: TestServer

before(async () => {
  issuer = await new Issuer(key).listen()
  server = await startTestServer({
    flags: [
      ['--oidc-issuer', issuer.url],
      ['--oidc-client-id', 'postern'],
      ['--oidc-client-secret', 'secret'],
      ['--oidc-role-map', 'group:platform=admin; group:devs=modifier:collections'],
      ['--oidc-direct', 'only'],
    ].flat(),
  })
})
after(async () => {
  await server.stop()
  await issuer[Symbol.asyncDispose]()
})

const now = (): number => Math.floor(Date.now() / 1000)
const claims = (more: object = {}) => ({
  iss: issuer.url,
  sub: 'grace',
  aud: `${server.running.origin}/management/v1`,
  groups: ['devs'],
  client_id: 'agent',
  iat: now(),
  exp: now() + 300,
  ...more,
})
const as = (token: string, method = 'GET', path = '/collections', body?: object): Promise<Reply> =>
  server.manage(method, path, body, { token })
const usersCalled = async (subject: string) => {
  const { items } = (await server.manage('GET', '/users')).json
  return (items as { subject: string; revision: number; groups: string[]; email: string }[]).filter(
    (user) => user.subject === subject,
  )
}

test('while the provider does not answer nothing is said about its tokens', async () => {
  issuer.status = 500
  const answer = await as(signedBy(key, claims()))
  assert.equal(answer.status, 503, answer.text)
  assert.equal(answer.json.code, 'identity_unavailable')
  issuer.status = 200
  server.moveClock(60_000)
})

test('an access token of the provider administers, within what its claims are mapped to', async () => {
  const token = signedBy(key, claims({ name: 'Grace Hopper' }), { typ: 'at+jwt' })
  assert.equal((await as(token)).status, 200)
  const made = await as(token, 'POST', '/collections', { name: 'Orders', base_path: '/orders' })
  assert.equal(made.status, 201, made.text)
  assert.equal((await as(token, 'GET', '/clients')).status, 403)
  const { items } = (await server.manage('GET', '/audit?operation=collections.create')).json
  assert.deepEqual([items[0].actor.name, items[0].actor.auth_method], ['grace-hopper', 'oidc'])

  const forMcp = signedBy(key, claims({ aud: [`${server.running.origin}/management/mcp`, 'other'] }))
  const tools = await askMcp(server, '/management/mcp', forMcp, 'tools/list', {})
  assert.equal(tools.status, 200, tools.text)
})

test('a user is written when their claims have changed and not with each request', async () => {
  const [before] = await usersCalled('grace')
  for (let i = 0; i < 3; i++) await as(signedBy(key, claims({ jti: String(i) })))
  assert.deepEqual(await usersCalled('grace'), [before])
  assert.equal((await as(signedBy(key, claims({ groups: [] })))).status, 403)
  const [after] = await usersCalled('grace')
  assert.deepEqual([after?.groups, after?.revision], [[], before!.revision + 1])
  assert.equal((await as(signedBy(key, claims()))).status, 200)
})

const WRONG: Readonly<Record<string, () => string>> = {
  'the audience of the other surface': () =>
    signedBy(key, claims({ aud: `${server.running.origin}/management/mcp` })),
  'no audience': () => signedBy(key, claims({ aud: undefined })),
  'the client among its audiences': () =>
    signedBy(key, claims({ aud: [`${server.running.origin}/management/v1`, 'postern'] })),
  'a nonce': () => signedBy(key, claims({ nonce: 'n' })),
  at_hash: () => signedBy(key, claims({ at_hash: 'h' })),
  'typ ID among its claims': () => signedBy(key, claims({ typ: 'ID' })),
  'another type': () => signedBy(key, claims(), { typ: 'logout+jwt' }),
  'another issuer': () => signedBy(key, claims({ iss: 'https://elsewhere.example' })),
  'the issuer and a slash': () => signedBy(key, claims({ iss: `${issuer.url}/` })),
  'no end': () => signedBy(key, claims({ exp: undefined })),
  'an end that has passed': () => signedBy(key, claims({ iat: now() - 900, exp: now() - 300 })),
  'a beginning to come': () => signedBy(key, claims({ nbf: now() + 300 })),
  'no subject': () => signedBy(key, claims({ sub: undefined })),
  'a machine as its subject': () => signedBy(key, claims({ sub: 'agent' })),
  'the key of another': () => signedBy(signingKey('k1'), claims()),
  'a shared secret': () => signedWith('secret', claims()),
  'no signature': () => `${part({ alg: 'none', typ: 'at+jwt' })}.${part(claims())}.`,
}
for (const [what, make] of Object.entries(WRONG))
  test(`a token with ${what} is refused, and the answer does not say why`, async () => {
    const answer = await as(make())
    assert.equal(answer.status, 401, answer.text)
    assert.doesNotMatch(answer.text, /audience|nonce|issuer|subject|signature|machine/)
  })

test('a token that a trust rule fits is the service identity of that rule', async () => {
  await server.manage('POST', '/service_identities', { name: 'CI', slug: 'ci' })
  await server.manage('POST', '/grants', { service_identity: 'ci', name: 'Read', role: 'viewer' })
  const rule = {
    service_identity: 'ci',
    name: 'Its client',
    issuer: issuer.url,
    audience: `${server.running.origin}/management/v1`,
    conditions: [{ claim: 'client_id', equals: 'pipeline' }],
  }
  assert.equal((await server.manage('POST', '/trust_rules', rule)).status, 201)
  const pipeline = signedBy(key, claims({ sub: 'pipeline', client_id: 'pipeline' }))
  assert.equal((await as(pipeline, 'GET', '/clients')).status, 200)
  assert.equal((await usersCalled('pipeline')).length, 0)
  assert.equal((await as(signedBy(key, claims()))).status, 200)
})

test('clients are told to have their tokens from the provider, and not which scopes', async () => {
  const metadata = await server.gateway('GET', '/.well-known/oauth-protected-resource/management/mcp')
  assert.deepEqual(metadata.json.authorization_servers, [issuer.url])
  assert.equal(metadata.json.scopes_supported, undefined)
  const { headers } = await server.gateway('POST', '/management/mcp', { body: {} })
  assert.doesNotMatch(headers.get('www-authenticate') ?? '', /scope=/)
})

/** As a browser that is sent to the provider and comes back. */
async function throughProvider(browser: Browser, page: Shown): Promise<Shown> {
  const link = /href="([^"]+\/provider)"/.exec(page.text)
  assert.ok(link !== null, page.text)
  const left = await browser.open(new URL(link[1]!, page.url))
  if (left.url.origin === server.running.origin) return left
  const { headers } = await fetch(left.url, { redirect: 'manual' })
  return browser.open(headers.get('location')!)
}

test('a person signs in at the provider by a browser, and their client gets a token of ours', async () => {
  issuer.person = { sub: 'ada', name: 'Ada Lovelace', email: 'ada@example.com', groups: ['devs'] }
  const { origin } = server.running
  const browser = new Browser(origin)
  const { url, redeem } = authorization(origin, await register(origin), {
    resource: `${origin}/management/v1`,
  })
  const back = await throughProvider(browser, await browser.open(url))
  assert.match(back.text, /Ada Lovelace/)
  const { url: done } = await browser.submit(back, { do: 'allow' })
  const { body } = await redeem(done.searchParams.get('code') ?? '')
  assert.equal((await as(body.access_token)).status, 200, JSON.stringify(body))
  assert.equal((await as(body.access_token, 'GET', '/clients')).status, 403)
  const { items } = (await server.manage('GET', '/audit?operation=access.sign_in')).json
  assert.deepEqual([items[0].actor.name, items[0].surface, items[0].outcome], ['ada', 'oauth', 'ok'])

  const [{ id }] = (await server.manage('GET', '/users?email=ada@example.com')).json.items
  assert.equal((await server.manage('POST', `/users/${id}/toggle`, { active: false })).status, 200)
  assert.equal((await as(body.access_token)).status, 401)
  assert.equal((await as(signedBy(key, claims({ sub: 'ada' })))).status, 401)
  assert.equal((await as(signedBy(key, claims({ sub: 'ada', groups: ['platform'] })))).status, 401)
})

test('when the provider refuses the client of the gateway, the page sends the user to an administrator, and the log names the cause', async () => {
  const { origin } = server.running
  const { url } = authorization(origin, await register(origin))
  const browser = new Browser(origin)
  const page = await browser.open(url)
  issuer.client = 'postern:changed'
  const refused = await throughProvider(browser, page)
  assert.equal(refused.status, 503)
  assert.match(refused.text, /configured incorrectly.*ask an administrator/)
  assert.doesNotMatch(refused.text, /Try again|temporarily/)
  assert.doesNotMatch(refused.text, /invalid_client|at .*\.ts/)
  const said = server.log.filter((line) => line.includes('fails for every user'))
  assert.equal(said.length, 1)
  assert.match(said[0]!, /invalid_client/)
  const [, requestId] = /request id <code>(req_[0-9a-z]+)<\/code>/.exec(refused.text)!
  assert.ok(said[0]!.includes(requestId!), 'the page names the line of the log')
  assert.match((await consent(browser, url, 'nobody')).text, /name or password is wrong/i)
})

test('a person whom the provider turns away is shown a request id, and the log and the audit the cause', async () => {
  const { origin } = server.running
  const { url } = authorization(origin, await register(origin))
  issuer.client = 'postern:secret'
  issuer.callback = { code: '', error: 'access_denied', error_description: 'not on the list' }
  const browser = new Browser(origin)
  server.moveClock(60_000)
  const refused = await throughProvider(browser, await browser.open(url))
  issuer.callback = {}
  assert.equal(refused.status, 401)
  assert.doesNotMatch(refused.text, /not on the list/)
  const [, requestId] = /request id <code>(req_[0-9a-z]+)<\/code>/.exec(refused.text)!
  const said = server.log.filter((line) => line.includes(requestId!))
  assert.match(said.join(' '), /A sign-in at .* failed: it answered access_denied: not on the list/)
  server.moveClock(61_000)
  await eventually(async () => {
    const { json } = await server.manage('GET', '/audit?operation=access.authenticate')
    return JSON.stringify(json).includes('not on the list')
  })
})

test('a start with a rule for a role that does not exist is refused', async () => {
  const flags = [
    ['--oidc-issuer', issuer.url],
    ['--oidc-client-id', 'postern'],
    ['--oidc-role-map', '*=publisher'],
  ].flat()
  await assert.rejects(startTestServer({ flags }), /there is no role "publisher"/)
})

test('a role that claims are mapped to cannot be deleted', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'postern-'))
  const first = await startTestServer({ data: directory })
  const role = { name: 'Publisher', permissions: ['proxies:read'] }
  assert.equal((await first.manage('POST', '/roles', role)).status, 201)
  await first.stop()
  const flags = [
    ['--oidc-issuer', issuer.url],
    ['--oidc-client-id', 'postern'],
    ['--oidc-role-map', '*=publisher'],
  ].flat()
  const again = await startTestServer({ data: directory, flags })
  const { status, json } = await again.manage('DELETE', '/roles/publisher', { confirm: 'publisher' })
  assert.deepEqual([status, json.code], [409, 'in_use'])
  assert.match(json.detail, /POSTERN_OIDC_ROLE_MAP/)
  await again.stop()
  rmSync(directory, { recursive: true, force: true })
})
