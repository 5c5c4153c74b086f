/** One Postern in front of another: the second is an MCP server with an authorization server of its own. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type LegacyOrigin, startLegacyOrigin } from '../mcp/legacy.ts'
import { choose, PASSWORD } from '../support/authorization.ts'
import { Browser } from '../support/browser.ts'
import { leaveFrom, signedInBrowser } from '../support/connect.ts'
import { eventually } from '../support/eventually.ts'
import { addUser, message, signIn } from '../support/sign-in.ts'
import { startTestServer, type TestServer } from './server.ts'

let front: TestServer
let back: TestServer
let tools: LegacyOrigin

const localhost = ({ running }: TestServer): string => running.gatewayUrl.replace('127.0.0.1', 'localhost')

async function make(server: TestServer, path: string, body: object): Promise<void> {
  const made = await server.manage('POST', path, body)
  assert.equal(made.status, 201, made.text)
}

async function startWith(person: string): Promise<TestServer> {
  const server = await startTestServer({ workers: 1 })
  await choose(new Browser(server.running.origin), (await server.running.firstLink())!.url, {
    name: person,
    email: `${person}@example.com`,
  })
  return server
}

before(async () => {
  tools = await startLegacyOrigin()
  back = await startWith('ann-behind')
  await make(back, '/origins', { name: 'Tools', slug: 'tools', url: tools.url })
  const published = { status: 'published', all_users: true }
  await make(back, '/virtual_mcps', {
    ...published,
    name: 'Inner',
    slug: 'inner',
    members: [{ origin: 'tools' }],
  })
  front = await startWith('ann')
  const url = `${localhost(back)}/mcp/inner`
  await make(front, '/origins', { name: 'Inner', slug: 'inner', url, auth_mode: 'user_oauth' })
  await make(front, '/virtual_mcps', {
    ...published,
    name: 'Outer',
    slug: 'outer',
    members: [{ origin: 'inner' }],
  })
})
after(async () => {
  await front?.stop()
  await back?.stop()
  await tools?.[Symbol.asyncDispose]()
})

test('a person connects an account at another Postern, and calls reach its tools as that account', async () => {
  const browser = await signedInBrowser(front.running.origin, 'ann')
  const page = await browser.open('/connect/inner')
  const leaving = await leaveFrom(browser, page)
  const link = /<a href="(https?:[^"]+)">Continue to /.exec(leaving.text)?.[1]
  assert.ok(link !== undefined, leaving.text)
  const there = new Browser(back.running.origin)
  const login = await there.open(link.replaceAll('&#38;', '&'))
  const consent = await there.submit(login, { name: 'ann-behind', password: PASSWORD, do: 'password' })
  assert.match(consent.text, /<code>mcp:tools<\/code>/)
  const done = await there.submit(consent, { do: 'allow' })
  const connected = await browser.open(done.url)
  assert.match(connected.text, /Connected (as|since)/)

  const endpoint = `${localhost(front)}/mcp/outer`
  const { accessToken } = await signIn(endpoint, 'ann')
  await eventually(async () => {
    const { json } = await message(endpoint, accessToken, 'tools/list')
    return json.result.tools.length > 0
  })
  const called = await message(endpoint, accessToken, 'tools/call', {
    name: 'progress',
    arguments: { steps: 1 },
  })
  assert.notEqual(called.json.result.isError, true, called.text)
  const { json: person } = await back.manage('GET', '/users/ann-behind')
  await eventually(async () => {
    const { json } = await back.manage('GET', '/records?surface=virtual_mcp&mcp_method=tools/call')
    return json.items[0]?.subject === person.id
  })
})

test('when the person is switched off there, the call here asks to connect', async () => {
  const endpoint = `${localhost(front)}/mcp/outer`
  const { accessToken } = await signIn(endpoint, 'ann')
  // The last administrator cannot be switched off
  await addUser(back, back.running.origin, 'other')
  await make(back, '/grants', { name: 'all', slug: 'all', user: 'other', role: 'admin' })
  const toggled = await back.manage('POST', '/users/ann-behind/toggle', { active: false })
  assert.equal(toggled.status, 200, toggled.text)
  await eventually(async () => {
    const { json } = await message(endpoint, accessToken, 'tools/call', {
      name: 'progress',
      arguments: { steps: 1 },
    })
    return json.result?.structuredContent?.code === 'connect_required'
  })
})
