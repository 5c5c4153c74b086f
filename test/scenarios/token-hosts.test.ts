/** Agents with tokens of bindings: each opens one virtual MCP, for the agent itself or for one person. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type LegacyOrigin, startLegacyOrigin } from '../mcp/legacy.ts'
import { eventually } from '../support/eventually.ts'
import { message } from '../support/sign-in.ts'
import { startTestServer, type TestServer } from './server.ts'

let server: TestServer
let origin: LegacyOrigin
let base: string

async function make(path: string, body: object): Promise<string> {
  const made = await server.manage('POST', path, body)
  assert.equal(made.status, 201, made.text)
  return made.json.id
}
async function issue(binding: string): Promise<string> {
  const { status, json, text } = await server.manage('POST', `/bindings/${binding}/issue_token`, {})
  assert.equal(status, 200, text)
  return json.token
}
const toggle = (path: string, active: boolean) => server.manage('POST', `${path}/toggle`, { active })
const list = async (slug: string, token: string): Promise<number> =>
  (await message(`${base}/mcp/${slug}`, token, 'tools/list')).status

before(async () => {
  origin = await startLegacyOrigin()
  server = await startTestServer({ workers: 2 })
  base = server.running.gatewayUrl
  await make('/origins', { name: 'Old', slug: 'old', url: origin.url })
  await make('/users', { name: 'Ada', slug: 'ada' })
  await make('/users', { name: 'Bob', slug: 'bob' })
  await make('/teams', { name: 'Staff', slug: 'staff', members: [{ user: 'ada' }, { user: 'bob' }] })
  const members = [{ origin: 'old', capability_policy: POLICY }]
  for (const name of ['desk', 'other'])
    await make('/virtual_mcps', { name, slug: name, status: 'published', members, teams: ['staff'] })
  await make('/hosts', { name: 'Nightly', slug: 'nightly' })
})
after(async () => {
  await server?.stop()
  await origin?.[Symbol.asyncDispose]()
})

/** Ada has all tools, others have one. */
const POLICY = {
  tools: ['progress', { match: { glob: '*' }, subjects: { users: ['ada'] } }],
}

test('a token of a binding opens its virtual MCP alone', async () => {
  await make('/bindings', { name: 'Own', slug: 'own', host: 'nightly', virtual_mcp: 'desk' })
  const token = await issue('own')
  assert.match(token, /^pst_ht_/)
  for (let n = 0; n < 4; n++) assert.equal(await list('desk', token), 200)
  for (const path of ['/mcp/other', '/mcp', '/management/mcp', '/mcp/unknown'])
    assert.equal((await message(base + path, token, 'tools/list')).status, 401, path)
  const rest = await fetch(`${base}/management/v1/hosts`, { headers: { authorization: `Bearer ${token}` } })
  await rest.text()
  assert.equal(rest.status, 401)
})

test('switching off host, binding or person, and a new token, hold from the next call on', async () => {
  await make('/bindings', {
    name: 'For Bob',
    slug: 'for-bob',
    host: 'nightly',
    virtual_mcp: 'desk',
    user: 'bob',
  })
  const token = await issue('for-bob')
  for (const [path, refused] of [
    ['/hosts/nightly', 403],
    ['/bindings/nightly:for-bob', 403],
    ['/users/bob', 401],
  ] as const) {
    assert.equal(await list('desk', token), 200, path)
    await toggle(path, false)
    assert.equal(await list('desk', token), refused, path)
    await toggle(path, true)
  }
  assert.equal(await list('desk', token), 200)
  const next = await issue('for-bob')
  assert.deepEqual([await list('desk', token), await list('desk', next)], [401, 200])
  const { json } = await server.manage('POST', '/bindings/for-bob/revoke_token', {})
  assert.equal(json.revoked, 1)
  assert.equal(await list('desk', next), 401)
})

test('an agent acts for each person as that person: what they see, what they may, and what is recorded', async () => {
  const tokens: Record<string, string> = {}
  for (const user of ['ada', 'bob']) {
    await make('/bindings', {
      name: `As ${user}`,
      slug: `as-${user}`,
      host: 'nightly',
      virtual_mcp: 'desk',
      user,
    })
    tokens[user] = await issue(`as-${user}`)
  }
  const seen = async (user: string): Promise<number> =>
    (await message(`${base}/mcp/desk`, tokens[user]!, 'tools/list')).json.result.tools.length
  assert.equal(await seen('bob'), 1)
  assert.ok((await seen('ada')) > 1)
  const { json: ada } = await server.manage('GET', '/users/ada')
  const { json: host } = await server.manage('GET', '/hosts/nightly')
  await eventually(async () => {
    const { json } = await server.manage('GET', '/records?surface=virtual_mcp&mcp_method=tools/list')
    return json.items.some(
      (one: { subject: string; agent_host: string }) => one.subject === ada.id && one.agent_host === host.id,
    )
  })
  await server.manage('PATCH', '/teams/staff', { members: [{ user: 'bob' }] })
  assert.equal(await list('desk', tokens['ada']!), 404)
})

test('the addresses and the lifetime of a binding hold for its tokens', async () => {
  const bound = { host: 'nightly', virtual_mcp: 'desk' }
  await make('/bindings', {
    ...bound,
    name: 'Elsewhere',
    slug: 'elsewhere',
    ip_allowlist: ['203.0.113.0/24'],
  })
  assert.equal(await list('desk', await issue('elsewhere')), 403)
  await make('/bindings', { ...bound, name: 'Short', slug: 'short', expires_in: '1h' })
  const token = await issue('short')
  assert.equal(await list('desk', token), 200)
  server.moveClock(3_600_000)
  assert.equal(await list('desk', token), 401)
  server.moveClock(-3_600_000)
})

test('a binding cannot be moved to another virtual MCP or person', async () => {
  for (const change of [{ virtual_mcp: 'other' }, { user: 'ada' }]) {
    const { status, json } = await server.manage('PATCH', '/bindings/own', change)
    assert.equal(status, 400, JSON.stringify(json))
  }
})

test('bindings end with their person, with their virtual MCP and with their host', async () => {
  await make('/hosts', { name: 'Brief', slug: 'brief' })
  await make('/users', { name: 'Cid', slug: 'cid' })
  await make('/clients', { name: 'Acme', slug: 'acme' })
  const auth = { type: 'token' }
  await make('/profiles', {
    client: 'acme',
    name: 'Web',
    slug: 'web',
    auth,
    agent_sign_in: { users: ['cid'] },
  })
  const members = [{ origin: 'old' }]
  await make('/virtual_mcps', { name: 'Brief', slug: 'brief', status: 'published', members, all_users: true })
  for (const [slug, bound] of [
    ['of-cid', { virtual_mcp: 'desk', user: 'cid' }],
    ['of-brief', { virtual_mcp: 'brief' }],
    ['of-host', { virtual_mcp: 'desk' }],
  ] as const)
    await make('/bindings', { name: slug, slug, host: 'brief', ...bound })
  const token = await issue('of-host')
  const left = async (): Promise<string[]> =>
    (await server.manage('GET', '/bindings?host=brief')).json.items
      .map(({ slug }: { slug: string }) => slug)
      .sort()
  for (const [path, rest] of [
    ['/users/cid', ['of-brief', 'of-host']],
    ['/virtual_mcps/brief', ['of-host']],
  ] as const) {
    const { status, text } = await server.manage('DELETE', path, { confirm: path.split('/')[2] })
    assert.equal(status, 200, text)
    assert.deepEqual(await left(), rest)
  }
  const { json } = await server.manage('GET', '/profiles/acme:web')
  assert.deepEqual(json.agent_sign_in.users, [])
  assert.equal(await list('desk', token), 200)
  assert.equal((await server.manage('DELETE', '/hosts/brief', { confirm: 'brief' })).status, 200)
  assert.equal(await list('desk', token), 401)
})
