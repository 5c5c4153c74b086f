/** Accounts that people connect at the MCP servers behind virtual MCPs. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { choose } from '../support/authorization.ts'
import { Browser } from '../support/browser.ts'
import { connect, connectFrom, leaveFrom, signedInBrowser } from '../support/connect.ts'
import { eventually } from '../support/eventually.ts'
import { type GuardedOrigin, startGuardedOrigin } from '../support/guarded-origin.ts'
import { addUser, message, signIn } from '../support/sign-in.ts'
import { startTestServer, type TestServer } from './server.ts'

let server: TestServer
let base: string
const origins: Record<string, GuardedOrigin> = {}
const browsers: Record<string, Browser> = {}
const tokens: Record<string, string> = {}

async function make(path: string, body: object): Promise<void> {
  const made = await server.manage('POST', path, body)
  assert.equal(made.status, 201, made.text)
}

const at = (slug: string): string => `${base}/mcp/${slug}`

/** The account as which the origin sees a person who calls its tool. */
async function accountAt(slug: string, person: string, tool = 'whoami'): Promise<string> {
  const { json, text } = await message(at(slug), tokens[person]!, 'tools/call', { name: tool })
  assert.ok(json?.result !== undefined, text)
  return json.result.content[0].text
}

before(async () => {
  server = await startTestServer({ workers: 2 })
  base = server.running.gatewayUrl.replace('127.0.0.1', 'localhost')
  await choose(new Browser(server.running.origin), (await server.running.firstLink())!.url, {
    name: 'ann',
    email: 'ann@example.com',
  })
  await addUser(server, server.running.origin, 'bob')
  for (const [slug, modern] of [
    ['notes', false],
    ['mail', true],
    ['files', false],
  ] as const) {
    origins[slug] = await startGuardedOrigin({ modern })
    const oauth = { scopes: ['openid', 'tools'] }
    await make('/origins', { name: slug, slug, url: origins[slug].url, auth_mode: 'user_oauth', oauth })
  }
  const members = ['notes', 'mail', 'files'].map((origin) => ({ origin }))
  await make('/virtual_mcps', {
    name: 'Desk',
    slug: 'desk',
    status: 'published',
    prefix: 'always',
    members,
    all_users: true,
  })
  for (const person of ['ann', 'bob']) {
    tokens[person] = (await signIn(at('desk'), person)).accessToken
    browsers[person] = await signedInBrowser(server.running.origin, person)
  }
})
after(async () => {
  await server?.stop()
  for (const origin of Object.values(origins)) await origin[Symbol.asyncDispose]()
})

test('one page connects three upstreams for one user, and another user sees none of them', async () => {
  for (const [slug, origin] of Object.entries(origins)) {
    origin.account = `ann-at-${slug}`
    await connect(browsers['ann']!, slug)
  }
  const list = await browsers['ann']!.open('/connect')
  assert.equal(list.text.match(/Connected as ann-at-\w+@origin.example since/g)?.length, 3, list.text)
  const other = await browsers['bob']!.open('/connect')
  assert.equal(other.text.match(/Not connected/g)?.length, 3, other.text)
  assert.doesNotMatch(other.text, /ann-at/)
  await eventually(async () => {
    const { json } = await message(at('desk'), tokens['ann']!, 'tools/list')
    return json.result.tools.length === 3
  })
  assert.equal(await accountAt('desk', 'ann', 'notes_whoami'), 'ann-at-notes')
  assert.equal(await accountAt('desk', 'ann', 'mail_whoami'), 'ann-at-mail')
  assert.equal(await accountAt('desk', 'ann', 'files_whoami'), 'ann-at-files')
})

test('a person without an account gets a link, which works for that person alone', async () => {
  const { json } = await message(at('desk'), tokens['bob']!, 'tools/call', { name: 'notes_whoami' })
  assert.equal(json.result.isError, true)
  const problem = json.result.structuredContent
  assert.equal(problem.code, 'connect_required')
  const url = String(problem.connect_url)
  assert.doesNotMatch(url, /bob|usr_/)
  const another = await browsers['ann']!.open(url)
  assert.equal(another.status, 403)
  assert.match(another.text, /this link is for another person/)
  origins['notes']!.account = 'bob-at-notes'
  const page = await browsers['bob']!.open(url)
  assert.equal(page.status, 200, page.text)
  await connectFrom(browsers['bob']!, page)
  assert.equal(await accountAt('desk', 'bob', 'notes_whoami'), 'bob-at-notes')
  assert.equal(await accountAt('desk', 'ann', 'notes_whoami'), 'ann-at-notes')
})

test('an administrator is shown the authorization server and its redirect URI, which sign-ins use', async () => {
  const { status, json, text } = await server.manage('GET', '/origins/notes/authorization')
  assert.equal(status, 200, text)
  assert.equal(json.issuer, new URL(origins['notes']!.url).origin)
  assert.equal(json.registration, 'dcr')
  assert.ok(json.redirect_uri.startsWith(`${server.running.origin}/connect/callback/`), text)
  assert.deepEqual([json.fault, json.endpoints], [null, []])
  const mail = await server.manage('GET', '/origins/mail/authorization')
  assert.notEqual(mail.json.redirect_uri, json.redirect_uri)
  const leaving = await leaveFrom(browsers['bob']!, await browsers['bob']!.open('/connect/notes'))
  const link = /<a href="(https?:[^"]+)">Continue to /.exec(leaving.text)?.[1]
  assert.ok(link !== undefined, leaving.text)
  const to = new URL(link.replaceAll('&#38;', '&'))
  assert.equal(to.searchParams.get('redirect_uri'), json.redirect_uri)
  const plain = await server.manage('POST', '/origins', {
    name: 'plain',
    url: origins['notes']!.url,
    probe: false,
  })
  assert.equal(plain.status, 201, plain.text)
  const refused = await server.manage('GET', '/origins/plain/authorization')
  assert.deepEqual([refused.status, refused.json.code], [422, 'configuration_invalid'])
  assert.match(refused.json.detail, /First set auth_mode to user_oauth or shared_oauth/)
})

test('no token of an origin reaches a client, a record or the audit trail', async () => {
  const { text: audit } = await server.manage('GET', '/audit?limit=100')
  const { text: records } = await server.manage('GET', '/records?limit=100')
  const { json: connections, text } = await server.manage('GET', '/connections?all_users=true')
  assert.equal(connections.items.length, 4, text)
  assert.match(audit, /oauth\.connect/)
  const { text: listed } = await message(at('desk'), tokens['ann']!, 'tools/list')
  for (const { tokens: sent } of Object.values(origins)) {
    assert.ok(sent.size > 0)
    for (const token of sent)
      for (const shown of [audit, records, text, listed]) assert.ok(!shown.includes(token))
  }
})

test('an account that is disconnected is revoked at the origin, and the next call asks for it', async () => {
  const before = origins['files']!.counts.revoked
  const browser = browsers['ann']!
  const page = await browser.open('/connect/files')
  const forms = page.text.split('<form ')
  const form = forms.find((one) => one.includes('value="disconnect"'))!
  const gone = await browser.submit({ ...page, text: `<form ${form}` }, { do: 'disconnect' })
  assert.match(gone.text, /files is disconnected/)
  await eventually(() => Promise.resolve(origins['files']!.counts.revoked > before))
  const { json } = await message(at('desk'), tokens['ann']!, 'tools/call', { name: 'files_whoami' })
  assert.equal(json.result.structuredContent.code, 'connect_required')
  assert.equal(await accountAt('desk', 'ann', 'mail_whoami'), 'ann-at-mail')
})
