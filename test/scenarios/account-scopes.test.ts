/** Calls that need more scopes than the account was connected with. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { choose } from '../support/authorization.ts'
import { Browser } from '../support/browser.ts'
import { connect, connectFrom, signedInBrowser } from '../support/connect.ts'
import { eventually } from '../support/eventually.ts'
import { type GuardedOrigin, startGuardedOrigin } from '../support/guarded-origin.ts'
import { message, signIn } from '../support/sign-in.ts'
import { startTestServer, type TestServer } from './server.ts'

let server: TestServer
let url: string
let token: string
let browser: Browser
const origins: Record<string, GuardedOrigin> = {}

async function make(path: string, body: object): Promise<void> {
  const made = await server.manage('POST', path, body)
  assert.equal(made.status, 201, made.text)
}

const ask = (method: string, params: object = {}) => message(url, token, method, params)
const call = async (origin: string) =>
  (await ask('tools/call', { name: `${origin}_whoami`, arguments: {} })).json.result

before(async () => {
  server = await startTestServer({ workers: 2 })
  url = `${server.running.gatewayUrl.replace('127.0.0.1', 'localhost')}/mcp/desk`
  await choose(new Browser(server.running.origin), (await server.running.firstLink())!.url, {
    name: 'ann',
    email: 'ann@example.com',
  })
  for (const [slug, modern] of [
    ['notes', false],
    ['mail', true],
  ] as const) {
    origins[slug] = await startGuardedOrigin({ modern })
    origins[slug].account = `ann-at-${slug}`
    await make('/origins', { name: slug, slug, url: origins[slug].url, auth_mode: 'user_oauth' })
  }
  const members = [{ origin: 'notes' }, { origin: 'mail' }]
  const shared = { status: 'published', prefix: 'always', all_users: true }
  await make('/virtual_mcps', { name: 'Desk', slug: 'desk', members, ...shared })
  token = (await signIn(url, 'ann')).accessToken
  browser = await signedInBrowser(server.running.origin, 'ann')
  for (const slug of ['notes', 'mail']) await connect(browser, slug)
  await eventually(async () => (await ask('tools/list')).json.result.tools.length === 2)
})
after(async () => {
  await server?.stop()
  for (const origin of Object.values(origins)) await origin[Symbol.asyncDispose]()
})

for (const slug of ['notes', 'mail'])
  test(`${slug}: a call that needs more scopes has its person allow them, and works then`, async () => {
    const origin = origins[slug]!
    assert.equal((await call(slug)).content[0].text, `ann-at-${slug}`)
    origin.needs = 'admin'
    const refused = await call(slug)
    assert.equal(refused.isError, true)
    const { code, detail, connect_url: page } = refused.structuredContent
    assert.equal(code, 'connect_required')
    assert.match(detail, /connected without the scopes "admin", which this call needs/)
    const shown = await browser.open(page)
    assert.match(shown.text, /A call needs more scopes: admin\. Connect again to allow them\./)
    await connectFrom(browser, shown)
    assert.equal((await call(slug)).content[0].text, `ann-at-${slug}`)
    assert.doesNotMatch((await browser.open(`/connect/${slug}`)).text, /more scopes/)
  })

test('an origin that refuses a call again, after its scopes were asked for, sends nobody to the page', async () => {
  origins['notes']!.needs = 'owner'
  const first = await call('notes')
  await connectFrom(browser, await browser.open(first.structuredContent.connect_url))
  // The authorization server knows no such scope, and has granted the others
  const { structuredContent: problem } = await call('notes')
  assert.equal(problem.code, 'credential_unavailable')
  assert.match(problem.detail, /connecting the account again would not help/)
  assert.equal(problem.connect_url, undefined)
})
