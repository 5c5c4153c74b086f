/** One agent acts for two people: the origin sees the account of each, and records name both person and agent. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { addAgent, exchange } from '../support/agents.ts'
import { connect, signedInBrowser } from '../support/connect.ts'
import { eventually } from '../support/eventually.ts'
import { type GuardedOrigin, startGuardedOrigin } from '../support/guarded-origin.ts'
import { addUser, message, signIn } from '../support/sign-in.ts'
import { startTestServer, type TestServer } from './server.ts'

const PEOPLE = ['ann', 'bob'] as const
let server: TestServer
let origin: GuardedOrigin
let base: string
let desk: string

async function make(path: string, body: object): Promise<void> {
  const made = await server.manage('POST', path, body)
  assert.equal(made.status, 201, made.text)
}
const whoami = (token: string) => message(desk, token, 'tools/call', { name: 'whoami' })

before(async () => {
  server = await startTestServer({ workers: 2 })
  base = server.running.gatewayUrl.replace('127.0.0.1', 'localhost')
  desk = `${base}/mcp/desk`
  for (const person of PEOPLE) await addUser(server, server.running.origin, person)
  origin = await startGuardedOrigin({ modern: true })
  await make('/origins', {
    name: 'Notes',
    slug: 'notes',
    url: origin.url,
    auth_mode: 'user_oauth',
    oauth: { scopes: ['openid', 'tools'] },
  })
  await make('/virtual_mcps', {
    name: 'Desk',
    slug: 'desk',
    status: 'published',
    members: [{ origin: 'notes' }],
    all_users: true,
  })
  await make('/hosts', { name: 'Concierge', slug: 'concierge' })
})
after(async () => {
  await server?.stop()
  await origin?.[Symbol.asyncDispose]()
})

test('one agent, two users: each call reaches the account of its person', async () => {
  const agent = await addAgent(server, {
    slug: 'people',
    host: 'concierge',
    virtual_mcp: 'desk',
    acts_for: { users: PEOPLE },
  })
  const { json: host } = await server.manage('GET', '/hosts/concierge')
  const acting: Record<string, string> = {}
  for (const person of PEOPLE) {
    origin.account = `${person}-at-notes`
    await connect(await signedInBrowser(server.running.origin, person), 'notes')
    const { accessToken } = await signIn(desk, person)
    const { status, body } = await exchange(base, agent, { subject_token: accessToken })
    assert.equal(status, 200, JSON.stringify(body))
    acting[person] = body.access_token
  }
  await eventually(async () => {
    const { json } = await message(desk, acting['ann']!, 'tools/list')
    return json.result.tools.length > 0
  })
  // In turn, on both threads
  for (let n = 0; n < 3; n++)
    for (const person of PEOPLE) {
      const { json, text } = await whoami(acting[person]!)
      assert.equal(json.result?.content[0].text, `${person}-at-notes`, text)
    }
  for (const person of PEOPLE) {
    const { json: user } = await server.manage('GET', `/users/${person}`)
    await eventually(async () => {
      const { json } = await server.manage('GET', '/records?surface=virtual_mcp&mcp_method=tools/call')
      return json.items.some(
        (one: { subject: string; agent_host: string }) =>
          one.subject === user.id && one.agent_host === host.id,
      )
    })
  }
})

test('an agent that acts for itself has no account of a person', async () => {
  const agent = await addAgent(server, { slug: 'alone', host: 'concierge', virtual_mcp: 'desk' })
  const { json, text } = await whoami(agent.secret)
  assert.equal(json.result?.structuredContent.code, 'connect_required', text)
  assert.doesNotMatch(text, /-at-notes|connect_url/)
})

test('a headless agent with a person: host, binding and account each stop the next call, on every thread', async () => {
  await make('/hosts', { name: 'Nightly', slug: 'nightly' })
  const binding = { slug: 'for-ann', host: 'nightly', virtual_mcp: 'desk', user: 'ann' }
  const { secret } = await addAgent(server, binding)
  // A connection for each call: they are spread over the threads
  const calls = () => Promise.all(Array.from({ length: 6 }, () => whoami(secret)))
  const outcomes = async () => {
    const answers = await calls()
    return new Set(
      answers.map(({ status, json }) =>
        json?.result === undefined
          ? status
          : (json.result.structuredContent?.code ?? json.result.content[0].text),
      ),
    )
  }
  const works = new Set(['ann-at-notes'])
  const account = { origin: 'notes', user: 'ann' }
  for (const [path, body, refused] of [
    ['/hosts/nightly/toggle', {}, 403],
    ['/bindings/nightly:for-ann/toggle', {}, 403],
    // Connecting again would not help its person
    ['/connections/toggle', account, 'credential_unavailable'],
    ['/users/ann/toggle', {}, 401],
  ] as const) {
    assert.deepEqual(await outcomes(), works, path)
    const off = await server.manage('POST', path, { ...body, active: false })
    assert.equal(off.status, 200, off.text)
    assert.deepEqual(await outcomes(), new Set([refused]), path)
    const on = await server.manage('POST', path, { ...body, active: true })
    assert.equal(on.status, 200, on.text)
  }
  for (const path of ['/mcp', '/mcp/other', '/management/mcp'])
    assert.equal((await message(base + path, secret, 'tools/list')).status, 401, path)
})
