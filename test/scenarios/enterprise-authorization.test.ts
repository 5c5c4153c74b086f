/** People of an identity provider who reach MCP endpoints without a browser: identity assertions (ID-JAG), and agents that act for them. */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, test } from 'node:test'
import { Client, CrossAppAccessProvider, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { type LegacyOrigin, startLegacyOrigin } from '../mcp/legacy.ts'
import { type AgentClient, addAgent, claimsOf, exchange } from '../support/agents.ts'
import { postForm } from '../support/authorization.ts'
import { eventually } from '../support/eventually.ts'
import { Issuer, signedBy, signingKey } from '../support/issuer.ts'
import { message } from '../support/sign-in.ts'
import { startTestServer, type TestServer } from './server.ts'

const GRANT = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
const key = signingKey('corporate')
let server: TestServer
let origin: LegacyOrigin
let issuer: Issuer
let base: string
let desk: string
let service: AgentClient

async function make(path: string, body: object): Promise<string> {
  const made = await server.manage('POST', path, body)
  assert.equal(made.status, 201, made.text)
  return made.json.id
}
const toggle = (path: string, active: boolean) => server.manage('POST', `${path}/toggle`, { active })
async function statuses(token: string, endpoint = desk): Promise<readonly number[]> {
  const answers = await Promise.all(Array.from({ length: 4 }, () => message(endpoint, token, 'tools/list')))
  return [...new Set(answers.map(({ status }) => status))]
}
const seconds = (): number => Math.floor(Date.now() / 1000)

before(async () => {
  origin = await startLegacyOrigin()
  issuer = await new Issuer(key).listen()
  server = await startTestServer({
    workers: 2,
    flags: [
      ['--oidc-issuer', issuer.url],
      ['--oidc-client-id', 'postern'],
      ['--oidc-client-secret', 'secret'],
      ['--oidc-direct', 'on'],
    ].flat(),
  })
  base = server.running.gatewayUrl.replace('127.0.0.1', 'localhost')
  desk = `${base}/mcp/desk`
  await make('/teams', { name: 'Devs', slug: 'devs', idp_groups: ['devs'] })
  await make('/origins', { name: 'Old', slug: 'old', url: origin.url })
  for (const slug of ['desk', 'other'])
    await make('/virtual_mcps', {
      name: slug,
      slug,
      status: 'published',
      members: [{ origin: 'old' }],
      teams: ['devs'],
    })
  await make('/service_identities', { name: 'Assistant', slug: 'assistant' })
  const { json } = await server.manage('POST', '/service_identities/assistant/issue_secret', {})
  service = { id: 'assistant', secret: json.client_secret }
})
after(async () => {
  await server?.stop()
  await origin?.[Symbol.asyncDispose]()
  await issuer?.[Symbol.asyncDispose]()
})

function assertionOf(claims: Record<string, unknown> = {}, header: Record<string, unknown> = {}): string {
  const whole = {
    iss: issuer.url,
    sub: 'ada',
    groups: ['devs'],
    aud: base,
    client_id: service.id,
    resource: desk,
    jti: randomUUID(),
    iat: seconds(),
    exp: seconds() + 300,
  }
  return signedBy(key, { ...whole, ...claims }, { typ: 'oauth-id-jag+jwt', ...header })
}
const redeem = (assertion: string, form: Readonly<Record<string, string>> = {}, by = service) =>
  postForm(`${base}/oauth/token`, {
    grant_type: GRANT,
    assertion,
    client_id: by.id,
    client_secret: by.secret,
    ...form,
  })
async function tokenFor(sub: string): Promise<string> {
  const { status, body } = await redeem(assertionOf({ sub }))
  assert.equal(status, 200, JSON.stringify(body))
  return body.access_token
}
const hosts = async () => (await server.manage('GET', '/hosts')).json.items

test('an assertion is a sign-in of its person at one virtual MCP, with a host for the client', async () => {
  const { status, body } = await redeem(assertionOf())
  assert.equal(status, 200, JSON.stringify(body))
  assert.deepEqual(
    [body.scope, body.refresh_token, body.expires_in],
    ['mcp:tools mcp:prompts mcp:resources', undefined, 900],
  )
  const { json: identity } = await server.manage('GET', '/service_identities/assistant')
  const [host] = await hosts()
  assert.deepEqual([host.name, host.software, host.active], ['Assistant', `service:${identity.id}`, true])
  const { sub, aud } = claimsOf(body.access_token)
  assert.equal(aud, desk)
  assert.deepEqual(await statuses(body.access_token), [200])
  for (const path of ['/mcp/other', '/mcp', '/management/mcp'])
    assert.deepEqual(await statuses(body.access_token, base + path), [401], path)
  await eventually(async () => {
    const { json } = await server.manage('GET', '/records?surface=virtual_mcp&mcp_method=tools/list')
    return json.items.some(
      (one: { subject: string; agent_host: string }) => one.subject === sub && one.agent_host === host.id,
    )
  })
})

test('an official SDK client comes in by an assertion', async () => {
  const authProvider = new CrossAppAccessProvider({
    clientId: service.id,
    clientSecret: service.secret,
    expectedIssuer: base,
    assertion: ({ authorizationServerUrl, resourceUrl, scope }) =>
      assertionOf({ aud: authorizationServerUrl, resource: resourceUrl, scope }),
  })
  const client = new Client({ name: 'assistant', version: '1' })
  await client.connect(new StreamableHTTPClientTransport(new URL(desk), { authProvider }))
  assert.ok((await client.listTools()).tools.length > 0)
  await client.close()
})

test('an assertion is good once, for its client and for what is shared with its person', async () => {
  const once = assertionOf()
  const answers = await Promise.all(Array.from({ length: 5 }, () => redeem(once)))
  assert.equal(answers.filter(({ status }) => status === 200).length, 1)
  await make('/service_identities', { name: 'Thief', slug: 'thief' })
  const { json } = await server.manage('POST', '/service_identities/thief/issue_secret', {})
  const thief = { id: 'thief', secret: json.client_secret }
  for (const [why, error, answer] of [
    ['replayed', 'invalid_grant', redeem(once)],
    ['of another client', 'invalid_grant', redeem(assertionOf(), {}, thief)],
    ['expired', 'invalid_grant', redeem(assertionOf({ iat: seconds() - 500, exp: seconds() - 200 }))],
    ['another type', 'invalid_grant', redeem(assertionOf({}, { typ: 'JWT' }))],
    ['asked for another', 'invalid_target', redeem(assertionOf(), { resource: `${base}/mcp/other` })],
    ['unknown', 'invalid_target', redeem(assertionOf({ resource: `${base}/mcp/unknown` }))],
    ['no profile', 'invalid_target', redeem(assertionOf({ resource: `${base}/mcp` }))],
    ['outside of the team', 'invalid_target', redeem(assertionOf({ sub: 'eve', groups: [] }))],
    ['scopes of management', 'invalid_scope', redeem(assertionOf({ scope: 'management:admin' }))],
  ] as const) {
    const { status, body } = await answer
    assert.deepEqual([status, body.error], [400, error], why)
  }
  const narrow = await redeem(assertionOf({ scope: 'mcp:tools other' }), { scope: 'mcp:tools mcp:prompts' })
  assert.equal(narrow.body.scope, 'mcp:tools')
})

test('the host of the client, the person and the team end what came by an assertion, from the next call on', async () => {
  const token = await tokenFor('bea')
  const { sub } = claimsOf(token)
  const [host] = await hosts()
  assert.deepEqual(await statuses(token), [200])
  await toggle(`/hosts/${host.slug}`, false)
  assert.deepEqual(await statuses(token), [403])
  const refused = await redeem(assertionOf({ sub: 'bea' }))
  assert.deepEqual([refused.status, refused.body.error], [400, 'access_denied'])
  const { json: trail } = await server.manage('GET', '/audit?operation=oauth.issue_token')
  assert.deepEqual([trail.items[0].actor.id, trail.items[0].outcome], [sub, 'denied'])
  await toggle(`/hosts/${host.slug}`, true)
  assert.deepEqual(await statuses(token), [200])
  await server.manage('PATCH', '/teams/devs', { idp_groups: ['others'] })
  assert.deepEqual(await statuses(token), [404])
  await server.manage('PATCH', '/teams/devs', { idp_groups: ['devs'] })
  await toggle(`/users/${sub}`, false)
  assert.deepEqual(await statuses(token), [401])
  assert.equal((await redeem(assertionOf({ sub: 'bea' }))).body.error, 'invalid_grant')
})

test('with new_hosts hold, a client that comes with an assertion waits for an administrator', async () => {
  await make('/service_identities', { name: 'Late', slug: 'late' })
  const { json } = await server.manage('POST', '/service_identities/late/issue_secret', {})
  const late = { id: 'late', secret: json.client_secret }
  await server.manage('PATCH', '/settings/current', { new_hosts: 'hold' })
  const held = await redeem(assertionOf({ client_id: 'late' }), {}, late)
  assert.deepEqual([held.status, held.body.error], [400, 'access_denied'])
  assert.match(held.body.error_description, /must activate it first/)
  const { slug, active } = (await hosts()).find((one: { name: string }) => one.name === 'Late')
  assert.equal(active, false)
  await toggle(`/hosts/${slug}`, true)
  assert.equal((await redeem(assertionOf({ client_id: 'late' }), {}, late)).status, 200)
  await server.manage('PATCH', '/settings/current', { new_hosts: 'allow' })
})

test('at /mcp an assertion picks the one profile that names its person', async () => {
  await make('/clients', { name: 'Acme', slug: 'acme' })
  await make('/profiles', {
    client: 'acme',
    name: 'Web',
    slug: 'web',
    auth: { type: 'token' },
    agent_sign_in: { teams: ['devs'] },
  })
  const { status, body } = await redeem(assertionOf({ resource: `${base}/mcp` }))
  assert.equal(status, 200, JSON.stringify(body))
  assert.deepEqual(await statuses(body.access_token, `${base}/mcp`), [200])
  assert.deepEqual(await statuses(body.access_token), [401])
})

test('an agent exchanges an access token of the identity provider that is for its virtual MCP', async () => {
  await make('/hosts', { name: 'Concierge', slug: 'concierge' })
  const agent = await addAgent(server, {
    slug: 'people',
    host: 'concierge',
    virtual_mcp: 'desk',
    acts_for: { teams: ['devs'] },
  })
  const accessToken = (claims: Record<string, unknown> = {}, by = key): string =>
    signedBy(
      by,
      {
        iss: issuer.url,
        sub: 'ada',
        groups: ['devs'],
        aud: desk,
        client_id: 'frontend',
        iat: seconds(),
        exp: seconds() + 120,
        ...claims,
      },
      { typ: 'at+jwt' },
    )
  const { status, body } = await exchange(base, agent, { subject_token: accessToken() })
  assert.equal(status, 200, JSON.stringify(body))
  assert.ok(body.expires_in <= 180, `${body.expires_in} is not more than the subject token has left`)
  const host = (await hosts()).find((one: { slug: string }) => one.slug === 'concierge')
  assert.deepEqual(claimsOf(body.access_token).act, { sub: host.id })
  assert.deepEqual(await statuses(body.access_token), [200])
  for (const [why, token, error] of [
    ['for another virtual MCP', accessToken({ aud: `${base}/mcp/other` }), 'invalid_grant'],
    ['for management', accessToken({ aud: `${base}/management/v1` }), 'invalid_grant'],
    ['an ID token', accessToken({ aud: 'postern' }), 'invalid_grant'],
    ['expired', accessToken({ iat: seconds() - 400, exp: seconds() - 120 }), 'invalid_grant'],
    ['another key', accessToken({}, signingKey('corporate')), 'invalid_grant'],
    ['another issuer', accessToken({ iss: 'https://evil.example' }), 'invalid_grant'],
    ['of a machine', accessToken({ sub: 'frontend' }), 'invalid_grant'],
    ['outside of the team', accessToken({ sub: 'eve', groups: [] }), 'access_denied'],
  ] as const) {
    const answer = await exchange(base, agent, { subject_token: token })
    assert.deepEqual([answer.status, answer.body.error], [400, error], why)
  }
})
