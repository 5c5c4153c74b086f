/** Clients of the SDKs that know one URL: they sign a person in at a virtual MCP, go on when tokens end, and ask for what a call takes. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { choose, consent, PASSWORD } from '../support/authorization.ts'
import { AUTHORIZED_PEERS, type Visit } from '../support/authorized-clients.ts'
import { Browser } from '../support/browser.ts'
import { connect, connectFrom, signedInBrowser } from '../support/connect.ts'
import { withEndedTokens } from '../support/ended-tokens.ts'
import { eventually } from '../support/eventually.ts'
import { type GuardedOrigin, startGuardedOrigin } from '../support/guarded-origin.ts'
import { startTestServer, type TestServer } from './server.ts'

const DOCUMENT = 'https://agent.example/client.json'
const EVERY_SCOPE = 'mcp:tools mcp:prompts mcp:resources'

let server: TestServer
let origin: GuardedOrigin
let directory: string
let desk: string
/** Of the person, who has signed in to Postern and may connect accounts. */
let browser: Browser
/** The query of each request for authorization. */
let asked: URLSearchParams[] = []
const scopesAsked = (): string[] =>
  asked.map((one) => (one.get('scope') ?? '').replace(' offline_access', ''))

/** Has the person allow what the page offers, or the scopes that are given. */
const visiting =
  (ticked?: readonly string[]): Visit =>
  async (url) => {
    asked.push(url.searchParams)
    return (await consent(new Browser(url.origin), url, 'ann', ticked)).url
  }

async function make(path: string, body: object): Promise<void> {
  const made = await server.manage('POST', path, body)
  assert.equal(made.status, 201, made.text)
}

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'postern-pins-'))
  const pins = join(directory, 'pins.json')
  const redirects = ['http://127.0.0.1/callback']
  const document = { client_id: DOCUMENT, client_name: 'Pinned agent', redirect_uris: redirects }
  writeFileSync(pins, JSON.stringify({ [DOCUMENT]: document }))
  server = await startTestServer({ workers: 2, flags: ['--cimd-pins', pins] })
  const base = server.running.gatewayUrl.replace('127.0.0.1', 'localhost')
  desk = `${base}/mcp/desk`
  await choose(new Browser(server.running.origin), (await server.running.firstLink())!.url, {
    name: 'ann',
    email: 'ann@example.com',
  })
  origin = await startGuardedOrigin()
  origin.account = 'ann-at-notes'
  const oauth = { scopes: ['openid', 'tools'] }
  await make('/origins', { name: 'Notes', slug: 'notes', url: origin.url, auth_mode: 'user_oauth', oauth })
  const members = [{ origin: 'notes' }]
  await make('/virtual_mcps', { name: 'Desk', slug: 'desk', status: 'published', members, all_users: true })
  browser = await signedInBrowser(server.running.origin, 'ann')
  await connect(browser, 'notes')
})
after(async () => {
  await server?.stop()
  await origin?.[Symbol.asyncDispose]()
  await rm(directory, { recursive: true, force: true })
})

for (const [name, { connect: connectPeer, stepsUp, opensPages }] of Object.entries(AUTHORIZED_PEERS)) {
  test(`${name} registers, signs a person in, lists and calls, and renews its token without a browser`, async () => {
    asked = []
    const peer = await connectPeer(desk, visiting())
    assert.deepEqual(
      (await peer.tools()).map((tool) => tool.name),
      ['whoami'],
    )
    const called = async () => (await peer.call('whoami', {})).content[0]?.text
    assert.equal(await called(), 'ann-at-notes')
    assert.equal(await withEndedTokens(server, called), 'ann-at-notes')
    assert.equal(await called(), 'ann-at-notes')
    await peer.close()
    assert.deepEqual(scopesAsked(), [EVERY_SCOPE])
  })

  test(`${name} comes with a client metadata document`, async () => {
    asked = []
    const peer = await connectPeer(desk, visiting(), { document: DOCUMENT })
    assert.equal((await peer.call('whoami', {})).content[0]?.text, 'ann-at-notes')
    await peer.close()
    assert.deepEqual(
      asked.map((one) => one.get('client_id')),
      [DOCUMENT],
    )
    const { json } = await server.manage('GET', '/hosts')
    const host = json.items.find(({ software }: { software: string }) => software === DOCUMENT)
    assert.equal(host.name, 'Pinned agent')
  })

  const outcome = stepsUp
    ? 'asks for all the scopes that a call takes'
    : 'is told the scope that a call lacks'
  test(`${name} ${outcome}`, async () => {
    asked = []
    const ticked = [['mcp:tools'], ['mcp:tools', 'mcp:prompts']]
    const peer = await connectPeer(desk, (url) => visiting(ticked[asked.length])(url))
    if (stepsUp) assert.deepEqual(await peer.prompts(), ['greeting'])
    else await assert.rejects(peer.prompts(), /lacks the scope mcp:prompts|403/)
    assert.equal((await peer.call('whoami', {})).content[0]?.text, 'ann-at-notes')
    await peer.close()
    assert.deepEqual(scopesAsked(), stepsUp ? [EVERY_SCOPE, 'mcp:tools mcp:prompts'] : [EVERY_SCOPE])
  })

  if (opensPages)
    test(`${name} has the person connect an account that the origin has forgotten, and the call succeeds`, async () => {
      const opened: string[] = []
      const openPage = async (url: string): Promise<void> => {
        opened.push(url)
        const page = await connectFrom(browser, await browser.open(url))
        assert.match(page.text, /Connected/)
      }
      const peer = await connectPeer(desk, visiting(), { openPage })
      const called = async () => (await peer.call('whoami', {})).content[0]?.text
      assert.equal(await called(), 'ann-at-notes')
      origin.forgetGrants()
      origin.refuseTokens()
      assert.equal(await called(), 'ann-at-notes')
      assert.equal(opened.length, 1)
      await peer.close()
    })

  test(`${name} without pages of its own shows the link in the text of the result`, async () => {
    const peer = await connectPeer(desk, visiting())
    origin.forgetGrants()
    origin.refuseTokens()
    const refused = await peer.call('whoami', {})
    assert.equal(refused.isError, true)
    const link = /https?:\/\/\S+\/connect\/notes\?for=[\w.-]+/.exec(refused.content[0]?.text ?? '')?.[0]
    assert.ok(link !== undefined, JSON.stringify(refused))
    await connectFrom(browser, await browser.open(link))
    assert.equal((await peer.call('whoami', {})).content[0]?.text, 'ann-at-notes')
    await peer.close()
  })
}

test('a new origin and its chosen tools are one sign-in away from a client, which sees no token of the origin', async () => {
  await using mail = await startGuardedOrigin({ modern: true })
  mail.account = 'ann-at-mail'
  const oauth = { scopes: ['openid', 'tools'] }
  await make('/origins', { name: 'Mail', slug: 'mail', url: mail.url, auth_mode: 'user_oauth', oauth })
  const member = { origin: 'mail', required: true, capability_policy: { tools: ['whoami'], prompts: [] } }
  const shared = { status: 'published', all_users: true }
  await make('/virtual_mcps', { name: 'Post', slug: 'post', members: [member], ...shared })
  let signIns = 0
  const visit: Visit = async (url) => {
    const own = new Browser(url.origin)
    let page = await own.open(url)
    if (page.text.includes('name="password"')) {
      signIns++
      page = await own.submit(page, { name: 'ann', password: PASSWORD, do: 'password' })
    }
    const link = / href="([^"]*\/connect\/mail[^"]*)"/.exec(page.text)?.[1]
    assert.ok(link !== undefined, page.text)
    const connected = await connectFrom(own, await own.open(link))
    const back = / href="([^"]+)">Back</.exec(connected.text)?.[1]
    assert.ok(back !== undefined, connected.text)
    page = await own.open(back)
    return (await own.submit(page, { do: 'allow' })).url
  }
  const peer = await AUTHORIZED_PEERS['SDK v2, pinned to 2026-07-28'].connect(
    desk.replace('desk', 'post'),
    visit,
  )
  await eventually(async () => (await peer.tools()).length === 1)
  const seen = JSON.stringify([await peer.tools(), await peer.prompts(), await peer.call('whoami', {})])
  await peer.close()
  assert.match(seen, /ann-at-mail/)
  assert.doesNotMatch(seen, /greeting/)
  assert.equal(signIns, 1)
  assert.ok(mail.tokens.size > 0)
  for (const token of mail.tokens) assert.ok(!seen.includes(token))
})
