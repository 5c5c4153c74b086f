/** People who have signed in to MCP endpoints, once something about them, their host or the endpoint has changed. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type LegacyOrigin, startLegacyOrigin } from '../mcp/legacy.ts'
import { type Endpoint, type OpenStream, openListen, openSession, openStream } from '../mcp/open-stream.ts'
import { choose, postForm } from '../support/authorization.ts'
import { Browser } from '../support/browser.ts'
import { eventually } from '../support/eventually.ts'
import { addUser, authorize, message, type SignedIn, signIn } from '../support/sign-in.ts'
import { startTestServer, type TestServer } from './server.ts'

const WEBSITE = 'https://agent.example/callback'
let server: TestServer
let origin: LegacyOrigin
let base: string

async function make(path: string, body: object): Promise<void> {
  const made = await server.manage('POST', path, body)
  assert.equal(made.status, 201, made.text)
}
async function done(method: string, path: string, body?: object): Promise<void> {
  const { status, text } = await server.manage(method, path, body)
  assert.ok(status < 300, `${status} ${text}`)
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
  await make('/teams', { name: 'Staff', slug: 'staff', members: [{ user: 'bob' }] })
  await make('/virtual_mcps', desk({ all_users: true }))
  await make('/virtual_mcps', { ...desk({ teams: ['staff'] }), name: 'Staff', slug: 'staff' })
  await make('/clients', { name: 'Acme', slug: 'acme' })
  await make('/profiles', {
    client: 'acme',
    name: 'Web',
    slug: 'web',
    auth: { type: 'token' },
    agent_sign_in: { users: ['bob'] },
  })
})
after(async () => {
  await server?.stop()
  await origin?.[Symbol.asyncDispose]()
})

const desk = (more: object): object => ({
  name: 'Desk',
  slug: 'desk',
  status: 'published',
  members: [{ origin: 'old' }],
  ...more,
})
const at = (slug: string): string => `${base}/mcp/${slug}`
const endpoint = (url: string, { accessToken }: SignedIn): Endpoint => ({
  url,
  headers: { authorization: `Bearer ${accessToken}` },
})
async function listen(url: string, signedIn: SignedIn): Promise<OpenStream> {
  const stream = await openListen(endpoint(url, signedIn), { toolsListChanged: true })
  await eventually(() => stream.messages.length === 1)
  return stream
}

const ENDS: Readonly<Record<string, { end: (of: SignedIn) => Promise<void>; undo: () => Promise<void> }>> = {
  'the person leaves the team': {
    end: () => done('PATCH', '/teams/staff', { members: [] }),
    undo: () => done('PATCH', '/teams/staff', { members: [{ user: 'bob' }] }),
  },
  'the host is switched off': {
    end: () => done('POST', '/hosts/watcher/toggle', { active: false }),
    undo: () => done('POST', '/hosts/watcher/toggle', { active: true }),
  },
  'the client revokes its tokens': {
    end: async ({ refreshToken, clientId }) => {
      const { status } = await postForm(`${base}/oauth/revoke`, { token: refreshToken, client_id: clientId })
      assert.equal(status, 200)
    },
    undo: async () => {},
  },
}

for (const [what, { end, undo }] of Object.entries(ENDS))
  test(`streams of changes of both eras end when ${what}`, async () => {
    const signedIn = await signIn(at('staff'), 'bob', { client: 'Watcher' })
    await using modern = await listen(at('staff'), signedIn)
    const session = await openSession(endpoint(at('staff'), signedIn))
    await using legacy = await openStream(endpoint(at('staff'), signedIn), 'GET', session)
    assert.equal(legacy.status, 200)
    await end(signedIn)
    await eventually(() => modern.isEnded() && legacy.isEnded())
    await undo()
  })

test('a stream at /mcp ends when the profile names the person no more, and when its client is switched off', async () => {
  const url = `${base}/mcp`
  const first = await listen(url, await signIn(url, 'bob'))
  await done('PATCH', '/profiles/acme:web', { agent_sign_in: { users: ['ann'] } })
  await eventually(() => first.isEnded())
  await done('PATCH', '/profiles/acme:web', { agent_sign_in: { users: ['bob'] } })
  const second = await listen(url, await signIn(url, 'bob'))
  await done('POST', '/clients/acme/toggle', { active: false })
  await eventually(() => second.isEnded())
  await done('POST', '/clients/acme/toggle', { active: true })
})

test('a request beyond the scopes of its token is recorded as insufficient_scope, and nothing is watched beyond them', async () => {
  const signedIn = await signIn(at('desk'), 'bob', { ticked: ['mcp:tools'], client: 'Narrow' })
  assert.equal((await message(at('desk'), signedIn.accessToken, 'prompts/list')).status, 403)
  const wanted = { toolsListChanged: true, promptsListChanged: true, resourceSubscriptions: ['a://b'] }
  await using refused = await openListen(endpoint(at('desk'), signedIn), wanted)
  assert.equal(refused.status, 403)
  await eventually(() => refused.isEnded())
  assert.match(refused.text(), /lacks the scope mcp:prompts mcp:resources/)
  await using allowed = await openListen(endpoint(at('desk'), signedIn), { toolsListChanged: true })
  assert.equal(allowed.status, 200)
  await eventually(async () => {
    const { json } = await server.manage('GET', '/records?code=insufficient_scope')
    const methods = json.items.map((one: { mcp_method: string }) => one.mcp_method)
    return methods.includes('prompts/list') && methods.includes('subscriptions/listen')
  })
})

test('ids beside the token of a person must name its host', async () => {
  const { accessToken } = await signIn(at('desk'), 'bob', { client: 'Named' })
  const status = async (client: string): Promise<number> => {
    const { headers } = endpoint(at('desk'), { accessToken } as SignedIn)
    await using answer = await openStream(
      { url: at('desk'), headers },
      'POST',
      { 'x-client-id': client, 'mcp-protocol-version': '2025-11-25' },
      { jsonrpc: '2.0', id: 1, method: 'tools/list' },
    )
    return answer.status
  }
  assert.equal(await status('acme'), 403)
  assert.equal(await status('named'), 200)
  assert.equal(await status('acme'), 403)
})

test('an application whose host was deleted gets no more tokens, until a person allows it anew', async () => {
  const { clientId, refreshToken, accessToken } = await signIn(at('desk'), 'bob', { client: 'Gone' })
  await done('DELETE', '/hosts/gone?confirm=gone')
  assert.equal((await message(at('desk'), accessToken, 'tools/list')).status, 401)
  const refresh = { grant_type: 'refresh_token', client_id: clientId, refresh_token: refreshToken }
  const { status, body } = await postForm(`${base}/oauth/token`, { ...refresh, resource: at('desk') })
  assert.equal(status, 400)
  assert.equal(body.error, 'invalid_grant')
  assert.equal((await server.manage('GET', '/hosts/gone')).status, 404)
  const again = await signIn(at('desk'), 'bob', { clientId })
  assert.equal((await message(at('desk'), again.accessToken, 'tools/list')).status, 200)
})

test('a website is asked for consent again where what was agreed to is gone, was made anew, or is one of several', async () => {
  const browser = new Browser(base)
  const { clientId } = await signIn(`${base}/mcp`, 'bob', { client: 'Web', redirect: WEBSITE, browser })
  const known = { clientId, redirect: WEBSITE, browser }
  await signIn(at('desk'), 'bob', known)
  const code = async (url: string, more: object = {}): Promise<string | null> =>
    (await authorize(url, 'bob', { ...known, ...more })).page.url.searchParams.get('code')
  assert.ok((await code(at('desk'))) !== null, 'nothing has changed')
  assert.ok((await code(`${base}/mcp`)) !== null, 'nothing has changed')
  assert.equal(await code(`${base}/mcp`, { resources: [at('desk')] }), null)
  await done('PATCH', '/profiles/acme:web', { agent_sign_in: { users: ['ann'] } })
  assert.equal(await code(`${base}/mcp`), null)
  await done('PATCH', '/profiles/acme:web', { agent_sign_in: { users: ['bob'] } })
  await done('DELETE', '/virtual_mcps/desk?confirm=desk')
  assert.equal(await code(at('desk')), null)
  await make('/virtual_mcps', desk({ all_users: true }))
  const { page } = await authorize(at('desk'), 'bob', known)
  assert.match(page.text, /MCP servers behind it/)
  await browser.submit(page, { do: 'allow' })
  assert.ok((await code(at('desk'))) !== null, 'the person has agreed to the new one')
  await done('DELETE', '/hosts/web?confirm=web')
  assert.equal(await code(at('desk')), null)
})

test('a change of a person that waits for approval, or is a dry run, ends no sign-in', async () => {
  const { accessToken } = await signIn(at('staff'), 'bob', { client: 'Waiting' })
  const status = async (): Promise<number> => (await message(at('staff'), accessToken, 'tools/list')).status
  assert.equal(await status(), 200)
  const dry = await server.manage('POST', '/users/bob/toggle?dry_run=true', { active: false })
  assert.equal(dry.status, 200, dry.text)
  await done('PATCH', '/settings/current', { approvals: [{ name: 'Two', permissions: ['users:*'] }] })
  const waits = await server.manage('POST', '/users/bob/toggle', { active: false })
  assert.equal(waits.status, 202, waits.text)
  for (let n = 0; n < 4; n++) assert.equal(await status(), 200)
  await done('PATCH', '/settings/current', { approvals: [] })
})

test('clients whose tokens have ended are told 401 however many they are at one address, so that they refresh', async () => {
  const { accessToken } = await signIn(at('staff'), 'bob', { client: 'Office' })
  const life = 15 * 60_000 + 1000
  server.moveClock(life)
  for (let n = 0; n < 25; n++) {
    const { status, challenge } = await message(at('staff'), accessToken, 'tools/list')
    assert.equal(status, 401, `call ${n}`)
    assert.match(challenge, /error="invalid_token"/)
  }
  server.moveClock(-life)
})

const MINUTE = 60_000
for (const [what, back, passed, forward] of [
  ['an hour', -60 * MINUTE, 20 * MINUTE, 0],
  ['ten minutes, and right again', -10 * MINUTE, 8 * MINUTE, 10 * MINUTE],
] as const)
  test(`a token that was revoked while the clock was set back by ${what} proves nothing later`, async () => {
    const signedIn = await signIn(at('desk'), 'bob')
    const status = async () => (await message(at('desk'), signedIn.accessToken, 'tools/list')).status
    assert.equal(await status(), 200)
    server.jumpClock(back)
    // A thread that asks only now takes it as one that comes from the future
    await status()
    const { refreshToken, clientId } = signedIn
    await postForm(`${base}/oauth/revoke`, { token: refreshToken, client_id: clientId })
    assert.equal(await status(), 401)
    server.jumpClock(forward)
    server.moveClock(passed)
    assert.equal(await status(), 401)
    server.jumpClock(-back - forward)
    server.moveClock(-passed)
  })
