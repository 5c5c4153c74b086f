/** Agents that exchange tokens of people, and act for them at one virtual MCP (RFC 8693). */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import fc from 'fast-check'
import { type LegacyOrigin, startLegacyOrigin } from '../mcp/legacy.ts'
import { type AgentClient, addAgent, claimsOf, exchange, issueSecret } from '../support/agents.ts'
import { postForm } from '../support/authorization.ts'
import { eventually } from '../support/eventually.ts'
import { addUser, message, type SignedIn, signIn } from '../support/sign-in.ts'
import { startTestServer, type TestServer } from './server.ts'

let server: TestServer
let origin: LegacyOrigin
let base: string
let desk: string
let agent: AgentClient

async function make(path: string, body: object): Promise<string> {
  const made = await server.manage('POST', path, body)
  assert.equal(made.status, 201, made.text)
  return made.json.id
}
async function patch(path: string, body: object): Promise<void> {
  const { status, text } = await server.manage('PATCH', path, body)
  assert.equal(status, 200, text)
}
const toggle = async (path: string, active: boolean): Promise<void> => {
  const { status, text } = await server.manage('POST', `${path}/toggle`, { active })
  assert.equal(status, 200, text)
}
/** Status of a message at both threads, more or less: connections are spread over them. */
async function statuses(token: string, endpoint = desk): Promise<readonly number[]> {
  const answers = await Promise.all(Array.from({ length: 6 }, () => message(endpoint, token, 'tools/list')))
  return [...new Set(answers.map(({ status }) => status))]
}
const signInAt = (endpoint: string, person: string): Promise<SignedIn> =>
  signIn(endpoint, person, { client: 'Chat' })
async function actFor(person: string, by = agent): Promise<string> {
  const { accessToken } = await signInAt(desk, person)
  const { status, body } = await exchange(base, by, { subject_token: accessToken, resource: desk })
  assert.equal(status, 200, JSON.stringify(body))
  return body.access_token
}

const POLICY = { tools: ['progress', { match: { glob: '*' }, subjects: { users: ['ann'] } }] }

before(async () => {
  origin = await startLegacyOrigin()
  server = await startTestServer({ workers: 2 })
  base = server.running.gatewayUrl.replace('127.0.0.1', 'localhost')
  desk = `${base}/mcp/desk`
  for (const name of ['ann', 'bob', 'cid', 'dan']) await addUser(server, server.running.origin, name)
  await make('/teams', { name: 'Staff', slug: 'staff', members: [{ user: 'ann' }, { user: 'bob' }] })
  await make('/teams', { name: 'All', slug: 'all', members: [{ user: 'cid' }, { user: 'dan' }] })
  await make('/origins', { name: 'Old', slug: 'old', url: origin.url })
  const members = [{ origin: 'old', capability_policy: POLICY }]
  for (const slug of ['desk', 'other'])
    await make('/virtual_mcps', { name: slug, slug, status: 'published', members, teams: ['staff', 'all'] })
  await make('/hosts', { name: 'Concierge', slug: 'concierge' })
  agent = await addAgent(server, {
    slug: 'people',
    host: 'concierge',
    virtual_mcp: 'desk',
    acts_for: { users: ['cid'], teams: ['staff'] },
  })
})
after(async () => {
  await server?.stop()
  await origin?.[Symbol.asyncDispose]()
})

test('an agent exchanges the token of a person for a short token: sub is the person, act the agent', async () => {
  const { accessToken } = await signInAt(desk, 'ann')
  const { status, headers, body } = await exchange(base, agent, {
    subject_token: accessToken,
    resource: desk,
  })
  assert.equal(status, 200, JSON.stringify(body))
  assert.equal(headers.get('cache-control'), 'no-store')
  assert.equal(body.refresh_token, undefined)
  assert.ok(body.expires_in <= 900)
  assert.equal(body.scope, 'mcp:tools mcp:prompts mcp:resources')
  const [{ json: ann }, { json: host }] = [
    await server.manage('GET', '/users/ann'),
    await server.manage('GET', '/hosts/concierge'),
  ]
  const claims = claimsOf(body.access_token)
  assert.deepEqual(
    [claims.sub, claims.act, claims.aud, claims.client_id],
    [ann.id, { sub: host.id }, desk, agent.id],
  )
  assert.deepEqual(await statuses(body.access_token), [200])
  await eventually(async () => {
    const { json } = await server.manage('GET', '/records?surface=virtual_mcp&mcp_method=tools/list')
    return json.items.some(
      (one: { subject: string; agent_host: string }) => one.subject === ann.id && one.agent_host === host.id,
    )
  })
  const { json: audit } = await server.manage('GET', '/audit?operation=oauth.issue_token')
  const entry = audit.items.find((one: { resource: { id: string } }) => one.resource.id === agent.id)
  assert.equal(entry.actor.id, ann.id)
  assert.ok(entry.diff.some((one: { value: unknown }) => one.value === host.id))
})

test('one agent acts for two people, each of whom sees what is theirs', async () => {
  const [ann, bob] = [await actFor('ann'), await actFor('bob')]
  const tools = async (token: string): Promise<number> =>
    (await message(desk, token, 'tools/list')).json.result.tools.length
  assert.equal(await tools(bob), 1)
  assert.ok((await tools(ann)) > 1)
})

test('the capabilities of the binding bound what the agent may do for a person', async () => {
  const bounded = await addAgent(server, {
    ...{ slug: 'bounded', host: 'concierge', virtual_mcp: 'desk' },
    acts_for: { teams: ['staff'] },
    capabilities: { tools: ['progress'] },
  })
  const token = await actFor('ann', bounded)
  for (let n = 0; n < 4; n++) {
    const { json } = await message(desk, token, 'tools/list')
    assert.deepEqual(
      json.result.tools.map(({ name }: { name: string }) => name),
      ['progress'],
    )
  }
})

test('scopes are at most those of the person, and are asked of the token', async () => {
  const { accessToken } = await signIn(desk, 'ann', { client: 'Chat', ticked: ['mcp:tools'] })
  const { body } = await exchange(base, agent, { subject_token: accessToken, resource: desk })
  assert.equal(body.scope, 'mcp:tools')
  assert.equal((await message(desk, body.access_token, 'prompts/list')).status, 403)
  const beyond = await exchange(base, agent, { subject_token: accessToken, scope: 'mcp:prompts' })
  assert.deepEqual([beyond.status, beyond.body.error], [400, 'invalid_scope'])
})

test('a token for one virtual MCP opens no other, and a token for another is exchanged for nothing', async () => {
  const token = await actFor('ann')
  for (const path of ['/mcp/other', '/mcp', '/management/mcp', '/mcp/unknown'])
    assert.deepEqual(await statuses(token, base + path), [401], path)
  const elsewhere = (await signInAt(`${base}/mcp/other`, 'ann')).accessToken
  for (const form of [{}, { resource: desk }] as Record<string, string>[]) {
    const { status, body } = await exchange(base, agent, { subject_token: elsewhere, ...form })
    assert.deepEqual([status, body.error], [400, 'invalid_grant'])
  }
  for (const resource of [`${base}/mcp/other`, `${base}/mcp`, `${base}/management/v1`]) {
    const { status, body } = await exchange(base, agent, { subject_token: elsewhere, resource })
    assert.deepEqual([status, body.error], [400, 'invalid_target'], resource)
  }
})

test('an agent acts for nobody whom its binding does not name, and the attempt is audited', async () => {
  const { accessToken } = await signInAt(desk, 'dan')
  const { status, body } = await exchange(base, agent, { subject_token: accessToken, resource: desk })
  assert.deepEqual([status, body.error], [400, 'access_denied'])
  const { json } = await server.manage('GET', '/audit?operation=oauth.issue_token')
  const [entry] = json.items
  const { json: dan } = await server.manage('GET', '/users/dan')
  assert.deepEqual([entry.actor.name, entry.outcome, entry.resource.id], ['concierge', 'denied', agent.id])
  assert.ok(entry.diff.some((one: { value: unknown }) => one.value === dan.id))
  assert.ok(!JSON.stringify(entry).includes(accessToken))
})

test('a person outside of the teams of the virtual MCP is acted for by nobody', async () => {
  const { accessToken } = await signInAt(desk, 'cid')
  const before = await exchange(base, agent, { subject_token: accessToken })
  assert.equal(before.status, 200, JSON.stringify(before.body))
  await patch('/teams/all', { members: [{ user: 'dan' }] })
  const { status, body } = await exchange(base, agent, { subject_token: accessToken })
  assert.deepEqual([status, body.error], [400, 'access_denied'])
  assert.deepEqual(await statuses(before.body.access_token), [404])
  await patch('/teams/all', { members: [{ user: 'dan' }, { user: 'cid' }] })
})

test('without a proven person or a proven agent nothing is exchanged', async () => {
  const { accessToken, refreshToken } = await signInAt(desk, 'ann')
  const acting = await actFor('ann')
  const [head, body, signature] = accessToken.split('.')
  const { json: ann } = await server.manage('GET', '/users/ann')
  const forged = Buffer.from(JSON.stringify({ ...claimsOf(accessToken), sub: ann.id })).toString('base64url')
  for (const [why, subject_token] of [
    ['a token of an agent', acting],
    ['a refresh token', refreshToken],
    ['the id of a user', ann.id],
    ['another signature', `${head}.${body}.${signature!.slice(0, -4)}AAAA`],
    ['no signature', `${Buffer.from('{"alg":"none","typ":"at+jwt"}').toString('base64url')}.${forged}.`],
    ['its own secret', agent.secret],
    ['a token of an administrator', server.adminToken],
  ] as const) {
    const answer = await exchange(base, agent, { subject_token })
    assert.deepEqual([answer.status, answer.body.error], [400, 'invalid_grant'], why)
  }
  for (const [why, by] of [
    ['another secret', { id: agent.id, secret: `${agent.secret.slice(0, -4)}AAAA` }],
    ['no secret', { id: agent.id, secret: '' }],
    ['an unknown binding', { id: 'bnd_01m8000000000000000000000', secret: agent.secret }],
  ] as const) {
    const answer = await exchange(base, by, { subject_token: accessToken })
    assert.deepEqual([answer.status, answer.body.error], [401, 'invalid_client'], why)
  }
  for (const form of [
    { actor_token: agent.secret },
    { requested_token_type: 'urn:ietf:params:oauth:token-type:refresh_token' },
    { subject_token_type: 'urn:ietf:params:oauth:token-type:id_token' },
  ] as Record<string, string>[]) {
    const answer = await exchange(base, agent, { subject_token: accessToken, ...form })
    assert.deepEqual([answer.status, answer.body.error], [400, 'invalid_request'], JSON.stringify(form))
  }
  // Neither the secret nor a header with a name opens anything
  assert.deepEqual(await statuses(agent.secret), [401])
})

test('any text as subject_token is refused', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        fc.string({ minLength: 1, maxLength: 200 }),
        fc
          .array(fc.base64String({ maxLength: 40 }), { minLength: 3, maxLength: 3 })
          .map((parts) => parts.join('.')),
      ),
      async (subject_token) => {
        const { status } = await exchange(base, agent, { subject_token })
        assert.equal(status, 400)
      },
    ),
    { numRuns: 40 },
  )
})

test('a binding without acts_for exchanges nothing, and one with it gets no token for itself', async () => {
  const alone = await addAgent(server, { slug: 'alone', host: 'concierge', virtual_mcp: 'desk' })
  const { accessToken } = await signInAt(desk, 'ann')
  const refused = await exchange(base, alone, { subject_token: accessToken })
  assert.equal(refused.body.error, 'unauthorized_client')
  assert.match(refused.body.error_description, /use grant_type client_credentials, or set acts_for/)
  const { body } = await postForm(`${base}/oauth/token`, {
    grant_type: 'client_credentials',
    client_id: agent.id,
    client_secret: agent.secret,
    resource: desk,
  })
  assert.equal(body.error, 'unauthorized_client')
  assert.match(body.error_description, /exchange the access token of a person/)
  const { status, json } = await server.manage('POST', '/bindings', {
    name: 'Both',
    host: 'concierge',
    virtual_mcp: 'desk',
    user: 'ann',
    acts_for: { users: ['bob'] },
  })
  assert.equal(status, 400)
  assert.match(JSON.stringify(json.errors), /\/acts_for/)
})

test('the exchange ends with the subject token: an expired one is worth nothing', async () => {
  const { accessToken } = await signInAt(desk, 'ann')
  const acting = await actFor('ann')
  const life = 15 * 60_000 + 1000
  server.moveClock(life)
  const { status, body } = await exchange(base, agent, { subject_token: accessToken })
  assert.deepEqual([status, body.error], [400, 'invalid_grant'])
  assert.deepEqual(await statuses(acting), [401])
  server.moveClock(-life)
})

test('an agent cannot end the sign-in of a person by revoking its own token', async () => {
  const { accessToken } = await signInAt(desk, 'ann')
  const { body } = await exchange(base, agent, { subject_token: accessToken })
  const revoked = await postForm(`${base}/oauth/revoke`, {
    token: body.access_token,
    client_id: agent.id,
    client_secret: agent.secret,
  })
  assert.deepEqual([revoked.status, revoked.body.error], [400, 'unsupported_token_type'])
  assert.deepEqual(await statuses(accessToken), [200])
})

test('switching off host, binding, sharing, permission or person ends calls and exchanges from the next on, on all threads', async () => {
  const { accessToken, refreshToken, clientId } = await signInAt(desk, 'bob')
  const acting = async (): Promise<string> => {
    const { status, body } = await exchange(base, agent, { subject_token: accessToken })
    assert.equal(status, 200, JSON.stringify(body))
    return body.access_token
  }
  const token = await acting()
  const { json: bob } = await server.manage('GET', '/users/bob')
  const off = await make('/bindings', {
    name: 'Bob here',
    slug: 'bob-here',
    host: 'concierge',
    virtual_mcp: 'desk',
    user: 'bob',
  })
  for (const [what, set, refused, error] of [
    ['the host', (on: boolean) => toggle('/hosts/concierge', on), 403, 'invalid_client'],
    ['the binding', (on: boolean) => toggle('/bindings/concierge:people', on), 403, 'invalid_client'],
    ['the person at the host', (on: boolean) => toggle(`/bindings/${off}`, on), 404, 'access_denied'],
    [
      'the permission',
      (on: boolean) => patch('/bindings/concierge:people', { acts_for: { teams: on ? ['staff'] : ['all'] } }),
      401,
      'access_denied',
    ],
    [
      'the sharing',
      (on: boolean) => patch('/virtual_mcps/desk', { teams: on ? ['staff', 'all'] : ['all'] }),
      404,
      'access_denied',
    ],
  ] as const) {
    assert.deepEqual(await statuses(token), [200], what)
    await set(false)
    assert.deepEqual(await statuses(token), [refused], what)
    assert.equal((await exchange(base, agent, { subject_token: accessToken })).body.error, error, what)
    await set(true)
  }
  assert.deepEqual(await statuses(token), [200])
  // Failures are counted for a minute
  server.moveClock(61_000)
  const before = agent
  agent = await issueSecret(server, agent.id)
  assert.deepEqual(await statuses(token), [401], 'a new token of the binding')
  assert.equal((await exchange(base, before, { subject_token: accessToken })).body.error, 'invalid_client')
  const revoked = await acting()
  await postForm(`${base}/oauth/revoke`, { token: refreshToken, client_id: clientId })
  assert.deepEqual(await statuses(revoked), [401], 'the grant of the person')
  assert.equal((await exchange(base, agent, { subject_token: accessToken })).body.error, 'invalid_grant')
  server.moveClock(61_000)
  const last = await actFor('bob')
  await toggle('/users/bob', false)
  assert.deepEqual(await statuses(last), [401], bob.id)
  await toggle('/users/bob', true)
  assert.deepEqual(await statuses(last), [401], 'its grant has ended')
})

test('a token of an application that was switched off is exchanged for nothing', async () => {
  const { accessToken } = await signIn(desk, 'ann', { client: 'Shut' })
  const { body } = await exchange(base, agent, { subject_token: accessToken })
  assert.deepEqual(await statuses(body.access_token), [200])
  const { json } = await server.manage('GET', '/hosts')
  const { slug } = json.items.find((one: { name: string }) => one.name === 'Shut')
  await toggle(`/hosts/${slug}`, false)
  assert.equal((await exchange(base, agent, { subject_token: accessToken })).body.error, 'invalid_grant')
  assert.deepEqual(await statuses(body.access_token), [401], 'what was exchanged before ends too')
  await toggle(`/hosts/${slug}`, true)
  // Failures are counted for a minute
  server.moveClock(61_000)
  assert.deepEqual(await statuses(body.access_token), [200])
  const off = { name: 'Ann not here', slug: 'ann-not-here', host: slug, virtual_mcp: 'desk', user: 'ann' }
  await make('/bindings', { ...off, active: false })
  assert.deepEqual(await statuses(body.access_token), [401], 'the person is switched off at the application')
})

test('introspection says of a token of an agent what its endpoint would say', async () => {
  const isActive = async (token: string, { id, secret } = agent): Promise<boolean> => {
    const form = { token, client_id: id, client_secret: secret }
    const { status, body } = await postForm(`${base}/oauth/introspect`, form)
    assert.equal(status, 200, JSON.stringify(body))
    return body.active
  }
  const acting = await actFor('ann')
  assert.equal(await isActive(acting), true)
  for (const [path, off, on] of [
    ['/virtual_mcps/desk', { teams: ['all'] }, { teams: ['staff', 'all'] }],
    ['/bindings/concierge:people', { acts_for: { teams: ['all'] } }, { acts_for: { teams: ['staff'] } }],
  ] as const) {
    await patch(path, off)
    assert.equal(await isActive(acting), false, path)
    await patch(path, on)
    assert.equal(await isActive(acting), true, path)
  }
  const { json } = await server.manage('GET', '/hosts')
  const { slug } = json.items.find(({ name }: { name: string }) => name === 'Chat')
  await toggle(`/hosts/${slug}`, false)
  assert.equal(await isActive(acting), false, 'the application of the person')
  await toggle(`/hosts/${slug}`, true)
  const own = { host: 'concierge', virtual_mcp: 'desk' }
  for (const binding of [{ slug: 'itself' }, { slug: 'for-ann', user: 'ann' }]) {
    const first = await addAgent(server, { ...own, ...binding })
    const { body } = await postForm(`${base}/oauth/token`, {
      ...{ grant_type: 'client_credentials', resource: desk },
      ...{ client_id: first.id, client_secret: first.secret },
    })
    assert.equal(await isActive(body.access_token, first), true, binding.slug)
    const second = await issueSecret(server, first.id)
    assert.equal(await isActive(body.access_token, second), false, 'a new token of the binding')
    const path = `/bindings/concierge:${binding.slug}`
    await toggle(path, false)
    const form = { token: body.access_token, client_id: second.id, client_secret: second.secret }
    const refused = await postForm(`${base}/oauth/introspect`, form)
    assert.deepEqual([refused.status, refused.body.active], [401, undefined], 'nobody is told')
  }
})

test('a user who is deleted is left out of the people for whom agents act, and the binding stays', async () => {
  await patch('/bindings/concierge:people', { acts_for: { users: ['cid', 'dan'], teams: [] } })
  assert.equal((await server.manage('DELETE', '/users/cid', { confirm: 'cid' })).status, 200)
  const { json } = await server.manage('GET', '/bindings/concierge:people')
  assert.deepEqual(json.acts_for, { users: ['dan'], teams: [] })
})
