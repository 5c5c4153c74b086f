/** A collection that is shared with a team: which people see and call it at /mcp, through one profile. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { choose } from '../support/authorization.ts'
import { Browser } from '../support/browser.ts'
import { addUser, message, signIn } from '../support/sign-in.ts'
import { startTestServer, type TestServer } from './server.ts'
import { startUpstream, type TestUpstream } from './upstream.ts'

let server: TestServer
let upstream: TestUpstream
let mcp: string
/** Tokens: of two people who have signed in, and of the profile itself. */
let ann: string
let bob: string
let own: string

async function make(path: string, body: object): Promise<{ readonly token?: string }> {
  const made = await server.manage('POST', path, body)
  assert.equal(made.status, 201, made.text)
  return made.json
}
const patch = async (path: string, body: object): Promise<void> => {
  const { status, text } = await server.manage('PATCH', path, body)
  assert.equal(status, 200, text)
}

before(async () => {
  upstream = await startUpstream()
  server = await startTestServer({ workers: 2 })
  const base = server.running.gatewayUrl.replace('127.0.0.1', 'localhost')
  await choose(new Browser(server.running.origin), (await server.running.firstLink())!.url, {
    name: 'ann',
    email: 'ann@example.com',
  })
  await addUser(server, server.running.origin, 'bob')
  await make('/teams', { name: 'Staff', slug: 'staff' })
  await make('/teams', { name: 'Finance', slug: 'finance', parent: 'staff', members: [{ user: 'bob' }] })
  for (const name of ['Orders', 'Payroll']) {
    const slug = name.toLowerCase()
    const targets = [{ url: upstream.url }]
    await make('/collections', {
      name,
      slug,
      base_path: `/${slug}`,
      upstream: { targets },
      status: 'published',
    })
    const proxy = {
      collection: slug,
      name: `Read ${slug}`,
      slug: `read-${slug}`,
      methods: ['GET'],
      path: '/',
    }
    await make('/proxies', { ...proxy, status: 'published' })
  }
  await patch('/collections/payroll', { teams: ['staff'] })
  await server.manage('POST', '/collections/payroll/publish', {})
  await make('/clients', { name: 'Acme', slug: 'acme', collections: ['orders', 'payroll'], profiles: [] })
  const made = await make('/profiles', {
    client: 'acme',
    name: 'Web',
    slug: 'web',
    auth: { type: 'token' },
    agent_sign_in: { users: ['ann', 'bob'] },
  })
  own = made.token!
  mcp = `${base}/mcp/-/acme/web`
  ann = (await signIn(mcp, 'ann')).accessToken
  bob = (await signIn(mcp, 'bob')).accessToken
})
after(async () => {
  await server?.stop()
  await upstream?.[Symbol.asyncDispose]()
})

const callTool = async (token: string, name: string, args: object = {}) =>
  message(mcp, token, 'tools/call', { name, arguments: args })
const execute = (token: string, slug: string) =>
  callTool(token, 'execute_call', { endpoint: `${slug}:read-${slug}` })

/** Whether a caller finds the collection by each tool, in each view and as resources. Asked several times, since threads take turns. */
async function finds(token: string, slug: string): Promise<boolean> {
  const found = new Set<boolean>()
  for (let n = 0; n < 3; n++) {
    for (const [name, args] of [
      ['list_collections', {}],
      ['list_endpoints', {}],
      ['search_endpoints', { query: 'read' }],
    ] as const) {
      const { text, status } = await callTool(token, name, args)
      assert.equal(status, 200, text)
      found.add(text.includes(slug))
    }
    const expanded = await message(`${mcp}?view=expanded`, token, 'tools/list')
    assert.equal(expanded.status, 200, expanded.text)
    found.add(expanded.text.includes(slug))
    found.add((await message(mcp, token, 'resources/list')).text.includes(slug))
    const read = await message(mcp, token, 'resources/read', { uri: `openapi://${slug}` })
    found.add(read.json.result !== undefined)
    const called = await execute(token, slug)
    found.add(called.json.result.isError !== true)
    if (called.json.result.isError === true) assert.match(called.text, /endpoint_not_found/)
  }
  assert.equal(found.size, 1, `${slug}: some find it and some do not`)
  return found.has(true)
}

test('people see and call a collection with teams only as members, through the same profile and on all threads', async () => {
  for (const token of [ann, bob, own]) assert.equal(await finds(token, 'orders'), true)
  assert.equal(await finds(bob, 'payroll'), true)
  assert.equal(await finds(ann, 'payroll'), false)
})

test('a client with a credential of its own is not affected', async () => {
  assert.equal(await finds(own, 'payroll'), true)
})

test('a collection that is not shared is answered like one that does not exist', async () => {
  const [hidden, absent] = [await execute(ann, 'payroll'), await execute(ann, 'nothing')]
  const shape = (text: string) => text.replaceAll(/payroll|nothing/g, 'x').replaceAll(/req_[0-9a-z]+/g, 'r')
  assert.equal(shape(hidden.text), shape(absent.text))
  const seen = upstream.seen.length
  await execute(ann, 'payroll')
  assert.equal(upstream.seen.length, seen)
})

test('membership counts from the next call on, in both directions', async () => {
  await patch('/teams/finance', { members: [{ user: 'ann' }] })
  assert.equal(await finds(bob, 'payroll'), false)
  assert.equal(await finds(ann, 'payroll'), true)
  await patch('/teams/finance', { members: [{ user: 'bob' }] })
  assert.equal(await finds(ann, 'payroll'), false)
  assert.equal(await finds(bob, 'payroll'), true)
})

test('users.reach shows the collections that a person may call', async () => {
  const collections = async (user: string): Promise<string[]> => {
    const { json, text, status } = await server.manage('GET', `/users/${user}/reach`)
    assert.equal(status, 200, text)
    return json.profiles[0].collections
  }
  assert.deepEqual(await collections('ann'), ['orders'])
  assert.deepEqual(await collections('bob'), ['orders', 'payroll'])
})

test('all_users opens the collection to everyone who may use the profile, and a team that it names stays', async () => {
  const { status } = await server.manage('DELETE', '/teams/staff', { confirm: 'staff' })
  assert.equal(status, 409)
  await patch('/collections/payroll', { all_users: true })
  await server.manage('POST', '/collections/payroll/publish', {})
  assert.equal(await finds(ann, 'payroll'), true)
})
