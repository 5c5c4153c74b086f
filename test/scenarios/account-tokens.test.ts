/** Tokens of accounts over two gateway threads: agents that send them, and origins and authorization servers that take them no longer. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { addAgent, exchange } from '../support/agents.ts'
import { choose } from '../support/authorization.ts'
import { Browser } from '../support/browser.ts'
import { connect, signedInBrowser } from '../support/connect.ts'
import { eventually } from '../support/eventually.ts'
import { type GuardedOrigin, startGuardedOrigin } from '../support/guarded-origin.ts'
import { addUser, message, signIn } from '../support/sign-in.ts'
import { startTestServer, type TestServer } from './server.ts'

let server: TestServer
let url: string
let token: string
let browser: Browser
let notes: GuardedOrigin
let mail: GuardedOrigin

async function make(path: string, body: object): Promise<void> {
  const made = await server.manage('POST', path, body)
  assert.equal(made.status, 201, made.text)
}

const ask = (method: string, params: object = {}) => message(url, token, method, params)
const call = (origin: string) => ask('tools/call', { name: `${origin}_whoami` })
const lists = async (): Promise<unknown> => (await ask('tools/list')).json.result.tools

before(async () => {
  server = await startTestServer({ workers: 2 })
  url = `${server.running.gatewayUrl.replace('127.0.0.1', 'localhost')}/mcp/desk`
  await choose(new Browser(server.running.origin), (await server.running.firstLink())!.url, {
    name: 'ann',
    email: 'ann@example.com',
  })
  await addUser(server, server.running.origin, 'bob')
  notes = await startGuardedOrigin({ modern: false })
  mail = await startGuardedOrigin({ modern: true })
  for (const [slug, origin] of [
    ['notes', notes],
    ['mail', mail],
  ] as const) {
    origin.account = `ann-at-${slug}`
    const oauth = { scopes: ['openid', 'tools'] }
    await make('/origins', { name: slug, slug, url: origin.url, auth_mode: 'user_oauth', oauth })
  }
  const members = [{ origin: 'notes' }, { origin: 'mail' }]
  await make('/virtual_mcps', {
    name: 'Desk',
    slug: 'desk',
    status: 'published',
    prefix: 'always',
    members,
    all_users: true,
  })
  token = (await signIn(url, 'ann')).accessToken
  browser = await signedInBrowser(server.running.origin, 'ann')
  for (const slug of ['notes', 'mail']) await connect(browser, slug)
  await eventually(async () => ((await lists()) as unknown[]).length === 2)
})
after(async () => {
  await server?.stop()
  for (const origin of [notes, mail]) await origin?.[Symbol.asyncDispose]()
})

test('an agent uses the account of the person whose token it has exchanged, and none for another', async () => {
  await make('/hosts', { name: 'Concierge', slug: 'concierge' })
  const acts_for = { users: ['ann', 'bob'] }
  const agent = await addAgent(server, { slug: 'people', host: 'concierge', virtual_mcp: 'desk', acts_for })
  const asPerson = async (person: string) => {
    const { accessToken } = await signIn(url, person, { client: 'Chat' })
    const base = new URL(url).origin
    const { body } = await exchange(base, agent, { subject_token: accessToken, resource: url })
    const { json } = await message(url, body.access_token, 'tools/call', { name: 'mail_whoami' })
    return json.result
  }
  assert.equal((await asPerson('ann')).content[0].text, 'ann-at-mail')
  assert.equal((await asPerson('bob')).structuredContent.code, 'connect_required')
  assert.equal((await asPerson('ann')).content[0].text, 'ann-at-mail')
})

for (const slug of ['notes', 'mail'] as const)
  test(`50 parallel calls with a token that the origin refuses refresh it once: ${slug}`, async () => {
    const origin = slug === 'notes' ? notes : mail
    for (let n = 0; n < 4; n++) await call(slug)
    const { refreshed } = origin.counts
    origin.refuseTokens()
    const answers = await Promise.all(Array.from({ length: 50 }, () => call(slug)))
    for (const { json, text } of answers)
      assert.equal(json.result?.content?.[0]?.text, `ann-at-${slug}`, text)
    assert.equal(origin.counts.refreshed, refreshed + 1)
  })

test('one expired member asks for itself, the others keep answering, and lists stay as they are', async () => {
  const before = await lists()
  notes.refuseTokens()
  notes.forgetGrants()
  const problem = async () => (await call('notes')).json.result.structuredContent
  // An origin that refuses a new token at once is not believed for a second
  await eventually(async () => (await problem()).code === 'connect_required')
  const { code, connect_url, origin } = await problem()
  assert.deepEqual([code, origin], ['connect_required', 'notes'])
  assert.deepEqual(await lists(), before)
  assert.equal((await call('mail')).json.result.content[0].text, 'ann-at-mail')
  const page = await browser.open(String(connect_url))
  assert.equal(page.status, 200, page.text)
  const { calls } = notes
  const from = calls.length
  // Without an account, the origin is left alone
  for (let n = 0; n < 4; n++) assert.equal((await call('notes')).json.result.isError, true)
  assert.equal(calls.length, from)
  await eventually(async () => {
    const { json: records } = await server.manage('GET', '/records?limit=100')
    return records.items.some(({ code: recorded }: { code: string }) => recorded === 'connect_required')
  })
})

test('an authorization server that breaks connections keeps the account', async () => {
  mail.refuseTokens()
  mail.isBroken = true
  const { json } = await call('mail')
  assert.equal(json.result.structuredContent.code, 'credential_unavailable')
  mail.isBroken = false
  await eventually(async () => (await call('mail')).json.result.isError !== true)
  assert.equal((await call('mail')).json.result.content[0].text, 'ann-at-mail')
})
