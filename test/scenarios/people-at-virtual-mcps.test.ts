/** People who sign in to virtual MCPs and to /mcp with nothing but the URL. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type LegacyOrigin, startLegacyOrigin } from '../mcp/legacy.ts'
import { choose, postForm } from '../support/authorization.ts'
import { Browser } from '../support/browser.ts'
import { eventually } from '../support/eventually.ts'
import { addUser, authorize, message, signIn } from '../support/sign-in.ts'
import { startTestServer, type TestServer } from './server.ts'

let server: TestServer
let origin: LegacyOrigin
let base: string

async function make(path: string, body: object): Promise<void> {
  const made = await server.manage('POST', path, body)
  assert.equal(made.status, 201, made.text)
}
const patch = async (path: string, body: object): Promise<void> => {
  const { status, text } = await server.manage('PATCH', path, body)
  assert.equal(status, 200, text)
}

before(async () => {
  origin = await startLegacyOrigin()
  server = await startTestServer({ workers: 2 })
  base = server.running.gatewayUrl.replace('127.0.0.1', 'localhost')
  await choose(new Browser(server.running.origin), (await server.running.firstLink())!.url, {
    name: 'ann',
    email: 'ann@example.com',
  })
  await addUser(server, server.running.origin, 'bob')
  await make('/origins', { name: 'Old', slug: 'old', url: origin.url })
  await make('/teams', { name: 'Staff', slug: 'staff' })
  await make('/teams', { name: 'Finance', slug: 'finance', parent: 'staff', members: [{ user: 'bob' }] })
  const members = [{ origin: 'old' }]
  const status = 'published'
  await make('/virtual_mcps', { name: 'Desk', slug: 'desk', status, members, all_users: true })
  await make('/virtual_mcps', { name: 'Staff', slug: 'staff', status, members, teams: ['staff'] })
  await make('/virtual_mcps', { name: 'Own', slug: 'own', status, members })
})
after(async () => {
  await server?.stop()
  await origin?.[Symbol.asyncDispose]()
})

const at = (slug: string): string => `${base}/mcp/${slug}`

test('a client that knows only the URL signs a person in, lists and calls; the record names person and host', async () => {
  const { accessToken, scope } = await signIn(at('desk'), 'ann', { client: 'Notes' })
  assert.equal(scope, 'mcp:tools mcp:prompts mcp:resources')
  const listed = await message(at('desk'), accessToken, 'tools/list')
  assert.equal(listed.status, 200, listed.text)
  assert.ok(listed.json.result.tools.length > 0)
  const called = await message(at('desk'), accessToken, 'tools/call', {
    name: 'progress',
    arguments: { steps: 1 },
  })
  assert.ok(called.json.result !== undefined, called.text)
  const { json: ann } = await server.manage('GET', '/users/ann')
  const { json: hosts } = await server.manage('GET', '/hosts')
  const host = hosts.items.find((one: { name: string }) => one.name === 'Notes')
  assert.equal(host.software, 'registered:Notes (127.0.0.1)')
  await eventually(async () => {
    const { json } = await server.manage('GET', '/records?surface=virtual_mcp&mcp_method=tools/call')
    const record = json.items[0]
    return record?.subject === ann.id && record.agent_host === host.id
  })
})

test('a token is for one resource alone', async () => {
  const { accessToken } = await signIn(at('desk'), 'ann')
  assert.equal((await message(at('desk'), accessToken, 'tools/list')).status, 200)
  for (const path of ['/mcp/staff', '/mcp/own', '/mcp/unknown', '/mcp', '/management/mcp']) {
    const { status, challenge } = await message(base + path, accessToken, 'tools/list')
    assert.equal(status, 401, path)
    assert.match(challenge, new RegExp(`oauth-protected-resource${path}"`))
  }
  const rest = await fetch(`${base}/management/v1/users`, {
    headers: { authorization: `Bearer ${accessToken}` },
  })
  await rest.text()
  assert.equal(rest.status, 401)
})

test('a virtual MCP is shared with a team and those below it; others are told that there is nothing', async () => {
  const { page } = await authorize(at('staff'), 'ann')
  assert.equal(page.url.searchParams.get('error'), 'access_denied')
  for (const slug of ['own', 'unknown']) {
    const other = await authorize(at(slug), 'bob')
    assert.equal(other.page.url.searchParams.get('error'), 'access_denied', slug)
    assert.equal(
      other.page.url.searchParams.get('error_description'),
      page.url.searchParams.get('error_description'),
    )
  }
  const { accessToken } = await signIn(at('staff'), 'bob')
  assert.equal((await message(at('staff'), accessToken, 'tools/list')).status, 200)
  await patch('/teams/finance', { members: [] })
  assert.equal((await message(at('staff'), accessToken, 'tools/list')).status, 404)
  await patch('/teams/finance', { members: [{ user: 'bob' }] })
  assert.equal((await message(at('staff'), accessToken, 'tools/list')).status, 200)
})

test('switching off the host or the person, and revoking the grant, hold from the next message on', async () => {
  const { accessToken } = await signIn(at('desk'), 'bob', { client: 'Switched' })
  const status = async (): Promise<number> => (await message(at('desk'), accessToken, 'tools/list')).status
  assert.equal(await status(), 200)
  const { json } = await server.manage('GET', '/hosts')
  const { slug } = json.items.find((one: { name: string }) => one.name === 'Switched')
  await server.manage('POST', `/hosts/${slug}/toggle`, { active: false })
  assert.equal(await status(), 403)
  const { page, browser } = await authorize(at('desk'), 'bob', { client: 'Switched' })
  const refused = await browser.submit(page, { do: 'allow' })
  assert.match(refused.url.searchParams.get('error_description') ?? '', /This application is inactive/)
  await server.manage('POST', `/hosts/${slug}/toggle`, { active: true })
  assert.equal(await status(), 200)
  await server.manage('POST', '/users/bob/toggle', { active: false })
  assert.equal(await status(), 401)
  await server.manage('POST', '/users/bob/toggle', { active: true })
  // All that was issued has ended
  for (let n = 0; n < 6; n++) assert.equal(await status(), 401)
})

test('when a client revokes its tokens, every thread refuses them from the next message on', async () => {
  const { accessToken, refreshToken, clientId } = await signIn(at('desk'), 'bob')
  const status = async (): Promise<number> => (await message(at('desk'), accessToken, 'tools/list')).status
  for (let n = 0; n < 6; n++) assert.equal(await status(), 200)
  const revoked = await postForm(`${base}/oauth/revoke`, { token: refreshToken, client_id: clientId })
  assert.equal(revoked.status, 200)
  for (let n = 0; n < 6; n++) assert.equal(await status(), 401)
})

test('after its access token has ended, a client refreshes and goes on', async () => {
  const { accessToken, refreshToken, clientId } = await signIn(at('desk'), 'ann')
  const life = 15 * 60_000 + 1000
  server.moveClock(life)
  assert.equal((await message(at('desk'), accessToken, 'tools/list')).status, 401)
  // The engine dates new tokens by the clock of the system
  server.moveClock(-life)
  const refresh = () =>
    postForm(`${base}/oauth/token`, {
      grant_type: 'refresh_token',
      client_id: clientId,
      refresh_token: refreshToken,
      resource: at('desk'),
    })
  // Connections that were kept are being closed
  const { status, body } = await refresh().catch(refresh)
  assert.equal(status, 200, JSON.stringify(body))
  assert.equal((await message(at('desk'), body.access_token, 'tools/list')).status, 200)
})

test('a scope that the person did not allow is asked for when a request needs it', async () => {
  const browser = new Browser(server.running.origin.replace('127.0.0.1', 'localhost'))
  const narrow = await signIn(at('desk'), 'ann', { ticked: ['mcp:tools'], browser })
  assert.equal(narrow.scope, 'mcp:tools')
  // The first message that a thread sees of a token is judged like any other
  const refused = await message(at('desk'), narrow.accessToken, 'prompts/list')
  assert.equal(refused.status, 403)
  assert.match(refused.challenge, /error="insufficient_scope"/)
  assert.match(refused.challenge, /scope="mcp:tools mcp:prompts"/)
  assert.equal((await message(at('desk'), narrow.accessToken, 'tools/list')).status, 200)
  const wide = await signIn(at('desk'), 'ann', {
    clientId: narrow.clientId,
    scope: 'mcp:tools mcp:prompts',
    ticked: ['mcp:tools', 'mcp:prompts'],
    browser,
  })
  assert.equal((await message(at('desk'), wide.accessToken, 'prompts/list')).status, 200)
})

test('a client that asks for the scopes of the metadata of the authorization server gets those of the endpoint', async () => {
  const metadata = await fetch(`${base}/.well-known/oauth-authorization-server`)
  const { scopes_supported: scopes } = (await metadata.json()) as { scopes_supported: string[] }
  const scope = scopes.join(' ')
  assert.equal(scope, 'management:read management:write openid offline_access')
  const got = await signIn(at('desk'), 'ann', { scope })
  assert.equal(got.scope, 'mcp:tools mcp:prompts mcp:resources')
  assert.equal((await message(at('desk'), got.accessToken, 'tools/list')).status, 200)
  const { status, body } = await postForm(`${base}/oauth/token`, {
    grant_type: 'refresh_token',
    client_id: got.clientId,
    refresh_token: got.refreshToken,
    resource: at('desk'),
    scope,
  })
  assert.equal(status, 200, JSON.stringify(body))
  assert.equal((await message(at('desk'), body.access_token, 'tools/list')).status, 200)
})

test('at /mcp a person picks one of the profiles that name them, and another path picks it in advance', async () => {
  await make('/clients', { name: 'Acme', slug: 'acme' })
  await make('/profiles', {
    client: 'acme',
    name: 'Web',
    slug: 'web',
    auth: { type: 'token' },
    agent_sign_in: { users: ['ann'] },
  })
  await make('/profiles', {
    client: 'acme',
    name: 'Ops',
    slug: 'ops',
    auth: { type: 'token' },
    agent_sign_in: { teams: ['staff'] },
  })
  await patch('/teams/staff', { members: [{ user: 'ann' }] })
  const mcp = `${base}/mcp`
  const { page, browser } = await authorize(mcp, 'ann')
  assert.match(page.text, /Acme: Web/)
  const unpicked = await browser.submit(page, { do: 'allow' })
  assert.equal(unpicked.status, 400)
  const { json: ops } = await server.manage('GET', '/profiles/acme:ops')
  const { accessToken } = await signIn(mcp, 'ann', { fields: { profile: ops.id } })
  const listed = await message(mcp, accessToken, 'tools/list')
  assert.equal(listed.status, 200, listed.text)
  await eventually(async () => {
    const { json } = await server.manage('GET', '/records?surface=gateway_mcp&mcp_method=tools/list')
    return json.items.some((one: { profile?: { slug?: string } | string }) =>
      JSON.stringify(one.profile ?? '').includes(ops.id),
    )
  })
  await patch('/teams/staff', { members: [] })
  assert.equal((await message(mcp, accessToken, 'tools/list')).status, 401)
  const ahead = `${mcp}/-/acme/web`
  const picked = await signIn(ahead, 'ann')
  assert.equal((await message(ahead, picked.accessToken, 'tools/list')).status, 200)
  assert.equal((await message(mcp, picked.accessToken, 'tools/list')).status, 401)
  // Finance is below Staff
  assert.match((await authorize(mcp, 'bob')).page.text, /It uses the profile <strong>Acme: Ops</)
  await patch('/teams/finance', { members: [] })
  const none = await authorize(mcp, 'bob')
  assert.equal(none.page.url.searchParams.get('error'), 'access_denied')
})

test('two views of one origin: finance reads, people on call may do all, and a hidden tool is answered like an unknown one', async () => {
  const only = { tools: [{ match: { exact: 'add' } }] }
  const status = 'published'
  await patch('/teams/finance', { members: [{ user: 'bob' }] })
  await make('/teams', { name: 'On call', slug: 'on-call', members: [{ user: 'ann' }] })
  await make('/virtual_mcps', {
    name: 'Reads',
    slug: 'reads',
    status,
    members: [{ origin: 'old', capability_policy: only }],
    teams: ['finance'],
  })
  await make('/virtual_mcps', {
    name: 'All',
    slug: 'all',
    status,
    members: [{ origin: 'old' }],
    teams: ['on-call'],
  })
  const [bob, ann] = [
    (await signIn(at('reads'), 'bob')).accessToken,
    (await signIn(at('all'), 'ann')).accessToken,
  ]
  const namesAt = async (slug: string, token: string): Promise<readonly string[]> => {
    const { json } = await message(at(slug), token, 'tools/list')
    return json.result.tools.map(({ name }: { name: string }) => name)
  }
  assert.deepEqual(await namesAt('reads', bob), ['add'])
  const all = await namesAt('all', ann)
  assert.ok(all.length > 1 && all.includes('add'), all.join())
  const hidden = all.find((name) => name !== 'add')!
  const callOf = async (name: string) => {
    const { json } = await message(at('reads'), bob, 'tools/call', { name, arguments: {} })
    return JSON.stringify(json.error ?? json.result).replaceAll(name, 'NAME')
  }
  assert.equal(await callOf(hidden), await callOf('no_such_tool'))
  // Outside of its team a view is like one that is not there, also with a token of another
  for (const [slug, user] of [
    ['all', 'bob'],
    ['reads', 'ann'],
  ] as const) {
    const { page } = await authorize(at(slug), user)
    assert.equal(page.url.searchParams.get('error'), 'access_denied', slug)
  }
  assert.equal((await message(at('all'), bob, 'tools/list')).status, 401)
  await patch('/teams/on-call', { members: [] })
  assert.equal((await message(at('all'), ann, 'tools/list')).status, 404)
})
