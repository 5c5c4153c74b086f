/** One call offboards a person: what they hold ends on every thread before it answers. */
import assert from 'node:assert/strict'
import { Agent, request } from 'node:http'
import { after, before, test } from 'node:test'
import { type LegacyOrigin, startLegacyOrigin } from '../mcp/legacy.ts'
import { openListen } from '../mcp/open-stream.ts'
import { postForm } from '../support/authorization.ts'
import { Browser } from '../support/browser.ts'
import { eventually } from '../support/eventually.ts'
import { addUser, signIn } from '../support/sign-in.ts'
import { tokenOf } from '../support/stories.ts'
import { startTestServer, type TestServer } from './server.ts'

const WORKERS = 3
/** Enough for every thread to have some. */
const CONNECTIONS = 15

let server: TestServer
let origin: LegacyOrigin
let base: string
// Of addresses of their own, so that no failure of one is counted against another
const agents = Array.from(
  { length: CONNECTIONS },
  (_, n) => new Agent({ keepAlive: true, maxSockets: 1, localAddress: `127.0.0.${10 + n}`, family: 4 }),
)

before(async () => {
  origin = await startLegacyOrigin()
  server = await startTestServer({ workers: WORKERS })
  base = server.running.gatewayUrl.replace('127.0.0.1', 'localhost')
  for (const slug of ['bob', 'eve']) await addUser(server, server.running.origin, slug)
  await make('/origins', { name: 'Old', slug: 'old', url: origin.url })
  await make('/teams', { name: 'Staff', slug: 'staff', members: [{ user: 'bob' }, { user: 'eve' }] })
  const desk = {
    name: 'Desk',
    slug: 'desk',
    status: 'published',
    members: [{ origin: 'old' }],
    teams: ['staff'],
  }
  await make('/virtual_mcps', desk)
  await make('/hosts', { name: 'Nightly', slug: 'nightly' })
  for (const user of ['bob', 'eve'])
    await make('/bindings', { name: user, slug: user, host: 'nightly', virtual_mcp: 'desk', user })
})
after(async () => {
  for (const agent of agents) agent.destroy()
  await server?.stop()
  await origin?.[Symbol.asyncDispose]()
})

async function make(path: string, body: object): Promise<void> {
  const made = await server.manage('POST', path, body)
  assert.equal(made.status, 201, made.text)
}

/** Statuses of one call over each of the open connections. */
function callAll(token: string): Promise<number[]> {
  return Promise.all(agents.map((agent) => call(agent, token)))
}

function call(agent: Agent, token: string): Promise<number> {
  return new Promise((done, failed) => {
    const asked = request(`${base}/mcp/desk`, {
      agent,
      method: 'POST',
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-protocol-version': '2025-11-25',
      },
    })
    asked.on('error', failed)
    asked.on('response', (response) => {
      response.resume()
      response.on('end', () => done(response.statusCode ?? 0))
    })
    asked.end(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' }))
  })
}

const all = (status: number): number[] => agents.map(() => status)

test('a person is listed, is offboarded, and everything they held is refused by every thread when the call has answered', async () => {
  const management = await tokenOf(server, 'bob', new Browser(server.running.origin), {
    scope: 'management:admin',
  })
  const listed = await server.manage('GET', '/mcp_endpoints?application=claude_code', undefined, {
    token: management,
  })
  assert.equal(listed.status, 200, listed.text)
  const [desk] = listed.json.items
  assert.equal(desk.slug, 'desk')
  assert.match(desk.connect[0].text, /^claude mcp add --transport http desk http.*\/mcp\/desk$/)
  const personal = await server.manage('POST', '/personal_tokens', { name: 'export' }, { token: management })
  assert.equal(personal.status, 201, personal.text)
  const { accessToken, refreshToken, clientId } = await signIn(`${base}/mcp/desk`, 'bob', {
    client: 'Assistant',
  })
  const binding = async (slug: string): Promise<string> =>
    (await server.manage('POST', `/bindings/nightly:${slug}/issue_token`, {})).json.token
  const [bound, others] = [await binding('bob'), await binding('eve')]
  for (const token of [accessToken, bound, others]) assert.deepEqual(await callAll(token), all(200))
  const headers = { authorization: `Bearer ${accessToken}` }
  await using stream = await openListen({ url: `${base}/mcp/desk`, headers }, { toolsListChanged: true })
  await eventually(() => stream.messages.length === 1)

  const reach = await server.manage('GET', '/users/bob/reach')
  assert.deepEqual(reach.json.virtual_mcps[0].because, [
    { by: 'team', name: 'staff', path: ['staff'], text: 'team staff' },
  ])
  const done = await server.manage('POST', '/users/bob/offboard', { confirm: 'bob' })
  assert.equal(done.status, 200, done.text)
  assert.equal(done.json.pending, undefined)

  assert.deepEqual(await callAll(accessToken), all(401))
  assert.deepEqual(await callAll(bound), all(401))
  assert.deepEqual(await callAll(others), all(200))
  await eventually(() => stream.isEnded())
  for (const token of [management, personal.json.token])
    assert.equal((await server.manage('GET', '/whoami', undefined, { token })).status, 401)
  const refresh = { grant_type: 'refresh_token', client_id: clientId, refresh_token: refreshToken }
  assert.equal(
    (await postForm(`${base}/oauth/token`, { ...refresh, resource: `${base}/mcp/desk` })).status,
    400,
  )
  const parts = done.json.ended.map(({ part }: { part: string }) => part)
  for (const part of ['teams', 'bindings', 'personal_tokens', 'sign_ins'])
    assert.ok(parts.includes(part), part)

  await server.manage('POST', '/users/bob/toggle', { active: true })
  for (const token of [accessToken, bound]) assert.deepEqual(await callAll(token), all(401))
  assert.equal((await server.manage('GET', '/whoami', undefined, { token: management })).status, 401)
  const { json } = await server.manage('GET', '/mcp_endpoints?user=bob')
  assert.deepEqual(json.items, [])
})
