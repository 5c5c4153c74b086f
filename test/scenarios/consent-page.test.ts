/** What a person reads on the page for consent, and which origins keep the person from allowing an application. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { choose } from '../support/authorization.ts'
import { Browser, type Shown } from '../support/browser.ts'
import { connect, signedInBrowser } from '../support/connect.ts'
import { type GuardedOrigin, startGuardedOrigin } from '../support/guarded-origin.ts'
import { authorize } from '../support/sign-in.ts'
import { startTestServer, type TestServer } from './server.ts'

let server: TestServer
let base: string
let notes: GuardedOrigin
let mail: GuardedOrigin

async function make(path: string, body: object): Promise<void> {
  const made = await server.manage('POST', path, body)
  assert.equal(made.status, 201, made.text)
}

before(async () => {
  notes = await startGuardedOrigin()
  mail = await startGuardedOrigin()
  server = await startTestServer()
  base = server.running.gatewayUrl.replace('127.0.0.1', 'localhost')
  const ann = { name: 'ann', email: 'ann@example.com' }
  await choose(new Browser(server.running.origin), (await server.running.firstLink())!.url, ann)
  for (const [name, { url }] of Object.entries({ Notes: notes, Mail: mail }))
    await make('/origins', { name, slug: name.toLowerCase(), url, auth_mode: 'user_oauth' })
  const members = [
    { origin: 'notes', required: true },
    { origin: 'mail', required: true },
  ]
  await make('/virtual_mcps', { name: 'Desk', slug: 'desk', status: 'published', all_users: true, members })
})
after(async () => {
  await server?.stop()
  await notes?.[Symbol.asyncDispose]()
  await mail?.[Symbol.asyncDispose]()
})

const askAnn = (): ReturnType<typeof authorize> =>
  authorize(`${base}/mcp/desk`, 'ann', { client: 'Helper', redirect: 'https://agent.example/callback' })

/** As a person reads it: without tags and styles. */
const read = ({ text }: Shown): string =>
  text
    .replace(/<style>.*<\/style>/s, '')
    .replace(/<[^>]*>/g, ' ')
    .replace(/\s+/g, ' ')

test('the page says who asks, where the answer goes, for what, for how long, and what stands behind', async () => {
  const { page } = await askAnn()
  const text = read(page)
  for (const told of [
    'Helper asks to act for you, ann',
    'Name unverified: the client chose it',
    'Sends you back to agent.example',
    `For ${base}/mcp/desk`,
    'Ends after 90 days, or when you or an administrator revokes it',
    'Notes: Not connected. Needed. Connect Notes',
    'Mail: Not connected. Needed. Connect Mail',
    'mcp:tools : call tools',
    'mcp:prompts : use prompts',
    'mcp:resources : read resources',
  ])
    assert.ok(text.includes(told), `${told} in ${text}`)
  assert.match(page.headers.get('content-security-policy')!, /frame-ancestors 'none'/)
})

test('allowing waits for each required origin that can be reached, and never for one that cannot', async () => {
  await connect(await signedInBrowser(server.running.origin, 'ann'), 'notes')
  const waiting = await askAnn()
  assert.match(read(waiting.page), /Connect Mail first\. Allow Deny/)
  const refused = await waiting.browser.submit(waiting.page, { do: 'allow' })
  assert.match(refused.text, /Connect the required accounts first/)

  await mail[Symbol.asyncDispose]()
  await server.manage('POST', '/origins/mail/refresh_catalog', {})
  const { json } = await server.manage('GET', '/origins/mail')
  assert.notEqual(json.down_since, null)
  const { browser, page } = await askAnn()
  assert.match(read(page), /Mail: Not connected\. Connect Mail/)
  assert.doesNotMatch(page.text, /disabled/)
  const allowed = await browser.submit(page, { do: 'allow' })
  assert.ok(allowed.url.searchParams.has('code'), `${allowed.url.href} ${allowed.text}`)
})
