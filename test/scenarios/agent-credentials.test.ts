/** Headless agents that get tokens for their virtual MCP at the authorization server (client credentials, RFC 6749 section 4.4). */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import {
  Client,
  ClientCredentialsProvider,
  PrivateKeyJwtProvider,
  StreamableHTTPClientTransport,
} from '@modelcontextprotocol/client'
import { type LegacyOrigin, startLegacyOrigin } from '../mcp/legacy.ts'
import { type AgentClient, addAgent, claimsOf, issueSecret } from '../support/agents.ts'
import { postForm } from '../support/authorization.ts'
import { eventually } from '../support/eventually.ts'
import { signingKey } from '../support/issuer.ts'
import { message } from '../support/sign-in.ts'
import { startTestServer, type TestServer } from './server.ts'

let server: TestServer
let origin: LegacyOrigin
let base: string
let desk: string
let own: AgentClient
let forBob: AgentClient

async function make(path: string, body: object): Promise<void> {
  const made = await server.manage('POST', path, body)
  assert.equal(made.status, 201, made.text)
}
const toggle = (path: string, active: boolean) => server.manage('POST', `${path}/toggle`, { active })
function ask({ id, secret }: AgentClient, form: Readonly<Record<string, string>> = {}) {
  return postForm(`${base}/oauth/token`, {
    grant_type: 'client_credentials',
    client_id: id,
    client_secret: secret,
    resource: desk,
    ...form,
  })
}
async function tokenOf(agent: AgentClient, form: Readonly<Record<string, string>> = {}): Promise<string> {
  const { status, body } = await ask(agent, form)
  assert.equal(status, 200, JSON.stringify(body))
  return body.access_token
}
async function statuses(token: string, endpoint = desk): Promise<readonly number[]> {
  const answers = await Promise.all(Array.from({ length: 4 }, () => message(endpoint, token, 'tools/list')))
  return [...new Set(answers.map(({ status }) => status))]
}

before(async () => {
  origin = await startLegacyOrigin()
  server = await startTestServer({ workers: 2 })
  base = server.running.gatewayUrl.replace('127.0.0.1', 'localhost')
  desk = `${base}/mcp/desk`
  await make('/origins', { name: 'Old', slug: 'old', url: origin.url })
  await make('/users', { name: 'Bob', slug: 'bob' })
  await make('/teams', { name: 'Staff', slug: 'staff', members: [{ user: 'bob' }] })
  for (const slug of ['desk', 'other'])
    await make('/virtual_mcps', {
      name: slug,
      slug,
      status: 'published',
      members: [{ origin: 'old' }],
      teams: ['staff'],
    })
  await make('/hosts', { name: 'Nightly', slug: 'nightly' })
  const bound = { host: 'nightly', virtual_mcp: 'desk' }
  own = await addAgent(server, { ...bound, slug: 'own', capabilities: { tools: ['progress'] } })
  forBob = await addAgent(server, { ...bound, slug: 'for-bob', user: 'bob' })
})
after(async () => {
  await server?.stop()
  await origin?.[Symbol.asyncDispose]()
})

test('an official SDK client gets in with the id and the token of a binding', async () => {
  const client = new Client({ name: 'nightly', version: '1' })
  await client.connect(
    new StreamableHTTPClientTransport(new URL(desk), {
      authProvider: new ClientCredentialsProvider({
        clientId: own.id,
        clientSecret: own.secret,
        expectedIssuer: base,
      }),
    }),
  )
  assert.deepEqual(
    (await client.listTools()).tools.map(({ name }) => name),
    ['progress'],
  )
  await client.close()
})

test('the token is for the virtual MCP of the binding, and is restricted as the binding is', async () => {
  const { body } = await ask(own)
  assert.deepEqual(
    [body.scope, body.refresh_token, body.expires_in],
    ['mcp:tools mcp:prompts mcp:resources', undefined, 900],
  )
  const { json: host } = await server.manage('GET', '/hosts/nightly')
  const claims = claimsOf(body.access_token)
  assert.deepEqual([claims.sub, claims.act, claims.aud], [host.id, undefined, desk])
  assert.deepEqual(await statuses(body.access_token), [200])
  for (const path of ['/mcp/other', '/mcp', '/management/mcp'])
    assert.deepEqual(await statuses(body.access_token, base + path), [401], path)
  const called = await message(desk, body.access_token, 'tools/call', { name: 'add', arguments: {} })
  assert.ok(called.json.error !== undefined)
  for (const resource of [
    `${base}/mcp/other`,
    `${base}/mcp`,
    `${base}/management/v1`,
    `${base}/management/mcp`,
  ])
    assert.equal((await ask(own, { resource })).body.error, 'invalid_target', resource)
  const { body: bare } = await postForm(`${base}/oauth/token`, {
    grant_type: 'client_credentials',
    client_id: own.id,
    client_secret: own.secret,
  })
  assert.equal(bare.error, 'invalid_target')
})

test('a narrower scope bounds the token', async () => {
  const token = await tokenOf(own, { scope: 'mcp:tools' })
  assert.equal((await message(desk, token, 'tools/list')).status, 200)
  assert.equal((await message(desk, token, 'prompts/list')).status, 403)
})

test('the token of a binding for a person names both, and ends with the person', async () => {
  const token = await tokenOf(forBob)
  const [{ json: bob }, { json: host }] = [
    await server.manage('GET', '/users/bob'),
    await server.manage('GET', '/hosts/nightly'),
  ]
  assert.deepEqual([claimsOf(token).sub, claimsOf(token).act], [bob.id, { sub: host.id }])
  assert.deepEqual(await statuses(token), [200])
  await eventually(async () => {
    const { json } = await server.manage('GET', '/records?surface=virtual_mcp&mcp_method=tools/list')
    return json.items.some(
      (one: { subject: string; agent_host: string }) => one.subject === bob.id && one.agent_host === host.id,
    )
  })
  await server.manage('PATCH', '/teams/staff', { members: [] })
  assert.deepEqual(await statuses(token), [404])
  await server.manage('PATCH', '/teams/staff', { members: [{ user: 'bob' }] })
  await toggle('/users/bob', false)
  assert.deepEqual(await statuses(token), [401])
  await toggle('/users/bob', true)
})

test('host, binding and a new token of the binding end what was got for it, from the next call on', async () => {
  const token = await tokenOf(own)
  for (const path of ['/hosts/nightly', '/bindings/nightly:own'] as const) {
    await toggle(path, false)
    assert.deepEqual(await statuses(token), [403], path)
    assert.equal((await ask(own)).body.error, 'invalid_client', path)
    await toggle(path, true)
    assert.deepEqual(await statuses(token), [200], path)
  }
  const before = own
  own = await issueSecret(server, own.id)
  assert.deepEqual(await statuses(token), [401])
  assert.equal((await ask(before)).body.error, 'invalid_client')
  const next = await tokenOf(own)
  await server.manage('POST', '/bindings/nightly:own/revoke_token', {})
  assert.deepEqual(await statuses(next), [401])
  assert.equal((await ask(own)).body.error, 'invalid_client')
})

test('the trail names the agent that got a token', async () => {
  const { json } = await server.manage('GET', '/audit?operation=oauth.issue_token')
  const { json: host } = await server.manage('GET', '/hosts/nightly')
  const [entry] = json.items
  assert.deepEqual([entry.actor.id, entry.actor.name, entry.resource.id], [host.id, 'nightly', own.id])
})

test('an expired token of a binding gets nothing, and ends what was got for it', async () => {
  const bound = { host: 'nightly', virtual_mcp: 'desk', slug: 'short', expires_in: '10m' }
  const short = await addAgent(server, bound)
  const token = await tokenOf(short)
  server.moveClock(11 * 60_000)
  assert.deepEqual(await statuses(token), [401])
  assert.equal((await ask(short)).body.error, 'invalid_client')
  server.moveClock(-11 * 60_000)
})

test('the addresses of a binding hold for what was got for its token', async () => {
  const bound = { host: 'nightly', virtual_mcp: 'desk', slug: 'away', ip_allowlist: ['203.0.113.0/24'] }
  assert.deepEqual(await statuses(await tokenOf(await addAgent(server, bound))), [403])
})

test('an official SDK client gets in with a key of the binding, and a change of the keys ends what it got', async () => {
  const [first, second] = [signingKey('first'), signingKey('second')]
  const { id, secret } = await addAgent(server, {
    ...{ host: 'nightly', virtual_mcp: 'desk', slug: 'signing' },
    keys: [first.jwk],
  })
  let last = ''
  const provider = (key: typeof first) => {
    const made = new PrivateKeyJwtProvider({
      clientId: id,
      privateKey: key.key.export({ format: 'jwk' }) as Record<string, unknown>,
      algorithm: 'ES256',
      expectedIssuer: base,
    })
    const save = made.saveTokens.bind(made)
    made.saveTokens = (tokens) => {
      last = tokens.access_token
      save(tokens)
    }
    return made
  }
  const connect = async (key: typeof first): Promise<void> => {
    const client = new Client({ name: 'signing', version: '1' })
    await client.connect(new StreamableHTTPClientTransport(new URL(desk), { authProvider: provider(key) }))
    assert.ok((await client.listTools()).tools.length > 0)
    await client.close()
  }
  await connect(first)
  const token = last
  assert.deepEqual(await statuses(token), [200])
  // The token of the binding opens its virtual MCP still, and is no client secret
  assert.deepEqual(await statuses(secret), [200])
  assert.equal((await ask({ id, secret })).body.error, 'invalid_client')
  await assert.rejects(connect(second))
  const { status, text } = await server.manage('PATCH', `/bindings/${id}`, { keys: [second.jwk] })
  assert.equal(status, 200, text)
  assert.deepEqual(await statuses(token), [401])
  await assert.rejects(connect(first))
  await connect(second)
})
