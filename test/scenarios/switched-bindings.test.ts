/** Bindings that switch off one person at one host, or one host, at one virtual MCP. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type LegacyOrigin, startLegacyOrigin } from '../mcp/legacy.ts'
import { openListen, together } from '../mcp/open-stream.ts'
import { addAgent, exchange } from '../support/agents.ts'
import { eventually } from '../support/eventually.ts'
import { addUser, message, signIn } from '../support/sign-in.ts'
import { startTestServer, type TestServer } from './server.ts'

let server: TestServer
let origin: LegacyOrigin
let base: string

async function make(path: string, body: object): Promise<void> {
  const made = await server.manage('POST', path, body)
  assert.equal(made.status, 201, made.text)
}
const statusesOf = async (tokens: Readonly<Record<string, readonly [string, string]>>) => {
  const found: Record<string, number[]> = {}
  for (const [name, [slug, token]] of Object.entries(tokens)) {
    const answers = await Promise.all(
      Array.from({ length: 4 }, () => message(`${base}/mcp/${slug}`, token, 'tools/list')),
    )
    found[name] = [...new Set(answers.map(({ status }) => status))]
  }
  return found
}

before(async () => {
  origin = await startLegacyOrigin()
  server = await startTestServer({ workers: 2 })
  base = server.running.gatewayUrl.replace('127.0.0.1', 'localhost')
  for (const name of ['ann', 'bob']) await addUser(server, server.running.origin, name)
  await make('/origins', { name: 'Old', slug: 'old', url: origin.url })
  for (const slug of ['desk', 'other'])
    await make('/virtual_mcps', {
      name: slug,
      slug,
      status: 'published',
      members: [{ origin: 'old' }],
      all_users: true,
    })
})
after(async () => {
  await server?.stop()
  await origin?.[Symbol.asyncDispose]()
})

test('an inactive binding refuses one person, or all people, of one host at one virtual MCP from the next call on', async () => {
  const as = async (slug: string, person: string, client: string): Promise<readonly [string, string]> => [
    slug,
    (await signIn(`${base}/mcp/${slug}`, person, { client })).accessToken,
  ]
  const tokens = {
    ann: await as('desk', 'ann', 'Notes'),
    bob: await as('desk', 'bob', 'Notes'),
    elsewhere: await as('other', 'ann', 'Notes'),
    otherHost: await as('desk', 'ann', 'Mail'),
  }
  const open = { ann: [200], bob: [200], elsewhere: [200], otherHost: [200] }
  assert.deepEqual(await statusesOf(tokens), open)
  const off = { host: 'notes', virtual_mcp: 'desk', active: false }
  await make('/bindings', { ...off, name: 'Ann', slug: 'ann', user: 'ann' })
  assert.deepEqual(await statusesOf(tokens), { ...open, ann: [404] })
  await server.manage('POST', '/bindings/notes:ann/toggle', { active: true })
  assert.deepEqual(await statusesOf(tokens), open)
  await make('/bindings', { ...off, name: 'All', slug: 'all' })
  assert.deepEqual(await statusesOf(tokens), { ...open, ann: [404], bob: [404] })
  await server.manage('DELETE', '/bindings/notes:all', { confirm: 'all' })
  assert.deepEqual(await statusesOf(tokens), open)
})

test('open streams end when an inactive binding refuses the person, and when the binding of the agent is switched off', async () => {
  const listen = async (token: string) => {
    const headers = { authorization: `Bearer ${token}` }
    const stream = await openListen({ url: `${base}/mcp/desk`, headers }, { toolsListChanged: true })
    await eventually(() => stream.messages.length === 1)
    return stream
  }
  await make('/hosts', { name: 'Concierge', slug: 'concierge' })
  const agent = await addAgent(server, {
    ...{ slug: 'people', host: 'concierge', virtual_mcp: 'desk' },
    acts_for: { users: ['bob'] },
  })
  const actFrom = async (client: string) => {
    const { accessToken } = await signIn(`${base}/mcp/desk`, 'bob', { client })
    const { body } = await exchange(base, agent, { subject_token: accessToken })
    return { own: await listen(accessToken), acting: await listen(body.access_token) }
  }
  const { own, acting } = await actFrom('Notes')
  const others = await actFrom('Mail')
  await using _streams = together(own, acting, others.own, others.acting)
  const off = { virtual_mcp: 'desk', active: false, user: 'bob', name: 'Bob', slug: 'bob' }
  await make('/bindings', { ...off, host: 'notes' })
  // What was exchanged for a sign-in ends with the application of the sign-in
  await eventually(() => own.isEnded() && acting.isEnded())
  assert.deepEqual([others.own.isEnded(), others.acting.isEnded()], [false, false])
  await server.manage('POST', '/bindings/concierge:people/toggle', { active: false })
  await eventually(() => others.acting.isEnded())
  assert.equal(others.own.isEnded(), false)
})
