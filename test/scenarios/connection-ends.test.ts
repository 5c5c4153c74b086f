/** How long accounts at origins last: refreshes, ends, switches, and what a person sees of them. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { choose } from '../support/authorization.ts'
import { Browser, type Shown } from '../support/browser.ts'
import { connect, connectFrom, signedInBrowser } from '../support/connect.ts'
import { eventually } from '../support/eventually.ts'
import { type GuardedOrigin, startGuardedOrigin, TOKEN_SECONDS } from '../support/guarded-origin.ts'
import { addUser, authorize, message, signIn } from '../support/sign-in.ts'
import { call, startTestServer, type TestServer } from './server.ts'

let server: TestServer
let data: string
let base: string
let notes: GuardedOrigin
let mail: GuardedOrigin
let browser: Browser
let token: string

async function make(path: string, body: object): Promise<void> {
  const made = await server.manage('POST', path, body)
  assert.equal(made.status, 201, made.text)
}

const at = (slug: string): string => `${base}/mcp/${slug}`

async function whoami(slug: string, name = 'whoami', bearer = token) {
  const { json, text } = await message(at(slug), bearer, 'tools/call', { name })
  assert.ok(json?.result !== undefined, text)
  return json.result
}

const accountOf = async (slug: string, name?: string): Promise<string> => {
  const { content, isError } = await whoami(slug, name)
  assert.notEqual(isError, true, JSON.stringify(content))
  return content[0].text
}

/** Sends the form of a page that has this button. */
function press(page: Shown, value: string, fields: Record<string, string> = {}): Promise<Shown> {
  const form = page.text.split('<form ').find((one) => one.includes(`value="${value}"`))
  assert.ok(form !== undefined, page.text)
  return browser.submit({ ...page, text: `<form ${form}` }, { do: value, ...fields })
}

/** Moves the clock to shortly before the tokens of origins end. */
const nearlyEndTokens = (): void => server.moveClock((TOKEN_SECONDS - 20) * 1000)

before(async () => {
  notes = await startGuardedOrigin()
  mail = await startGuardedOrigin({ modern: true })
  data = await mkdtemp(join(tmpdir(), 'postern-test-'))
  server = await startTestServer({ workers: 2, data })
  base = server.running.gatewayUrl.replace('127.0.0.1', 'localhost')
  await choose(new Browser(server.running.origin), (await server.running.firstLink())!.url, {
    name: 'ann',
    email: 'ann@example.com',
  })
  await addUser(server, server.running.origin, 'bob')
  for (const [slug, { url }] of Object.entries({ notes, mail }))
    await make('/origins', { name: slug, slug, url, auth_mode: 'user_oauth' })
  const published = { status: 'published', all_users: true }
  for (const slug of ['notes', 'mail'])
    await make('/virtual_mcps', { ...published, name: slug, slug, members: [{ origin: slug }] })
  token = (await signIn(at('notes'), 'ann')).accessToken
  browser = await signedInBrowser(server.running.origin, 'ann')
  notes.account = 'ann-at-notes'
  mail.account = 'ann-at-mail'
})
after(async () => {
  await server?.stop()
  await rm(data, { recursive: true, force: true })
  await notes?.[Symbol.asyncDispose]()
  await mail?.[Symbol.asyncDispose]()
})

test('every MCP method uses the account of the person', async () => {
  await connect(browser, 'notes')
  await eventually(async () => {
    const { json } = await message(at('notes'), token, 'tools/list')
    return json.result.tools.length === 1
  })
  assert.equal(await accountOf('notes'), 'ann-at-notes')
  const { json: prompt } = await message(at('notes'), token, 'prompts/get', { name: 'greeting' })
  assert.equal(prompt.result.messages[0].content.text, 'ann-at-notes')
  const { json: read } = await message(at('notes'), token, 'resources/read', { uri: 'doc://account' })
  assert.equal(read.result.contents[0].text, 'ann-at-notes')
})

test('an expired upstream token is refreshed before the call and tools/list never shrinks', async () => {
  const { refreshed } = notes.counts
  nearlyEndTokens()
  const { json } = await message(at('notes'), token, 'tools/list')
  assert.equal(json.result.tools.length, 1)
  assert.equal(await accountOf('notes'), 'ann-at-notes')
  await eventually(() => Promise.resolve(notes.counts.refreshed === refreshed + 1))
})

test('a token that the origin refuses is refreshed, and the call is repeated once', async () => {
  const { refreshed } = notes.counts
  // A thread may first get the token that another one has refreshed already
  for (let round = 0; round < 3; round++) {
    server.moveClock(40_000)
    notes.refuseTokens()
    assert.equal(await accountOf('notes'), 'ann-at-notes')
  }
  assert.ok(notes.counts.refreshed > refreshed)
})

test('an administrator switches an account off and on; the person cannot connect meanwhile', async () => {
  assert.equal(await accountOf('notes'), 'ann-at-notes')
  const at = { origin: 'notes', user: 'ann' }
  const off = await server.manage('POST', '/connections/toggle', { ...at, active: false })
  assert.equal(off.status, 200, off.text)
  await asksNothing()
  const page = await browser.open('/connect/notes')
  assert.match(page.text, /Your connection is inactive/)
  assert.doesNotMatch(page.text, /value="connect"/)
  const on = await server.manage('POST', '/connections/toggle', { ...at, active: true })
  assert.equal(on.status, 200, on.text)
  assert.equal(await accountOf('notes'), 'ann-at-notes')
  const { json: trail } = await server.manage('GET', '/audit?operation=connections.toggle')
  const [first] = trail.items
  assert.deepEqual([first.resource.type, first.resource.slug], ['connection', 'notes'])
})

test('a test of an origin without an account, and what is shown of it, say the same: an account is needed', async () => {
  const empty = await startGuardedOrigin()
  try {
    await make('/origins', { name: 'Empty', slug: 'empty', url: empty.url, auth_mode: 'user_oauth' })
    const tested = await server.manage('POST', '/origins/empty/test', {})
    assert.match(tested.json.summary, /asks for a sign-in \(401\).*when an account is connected at \/connect/)
    const { text } = await server.manage('GET', '/origins/empty')
    assert.ok(text.includes(tested.json.summary), text)
  } finally {
    await empty[Symbol.asyncDispose]()
  }
})

/** The call is refused, whatever is said about the reason. */
async function asksNothing(): Promise<void> {
  const result = await whoami('notes')
  assert.equal(result.isError, true, JSON.stringify(result))
}

test('an origin that moves to another server gets no token of the accounts before', async () => {
  const other = await startGuardedOrigin()
  try {
    await make('/origins', { name: 'Moving', slug: 'moving', url: notes.url, auth_mode: 'user_oauth' })
    const members = [{ origin: 'moving' }]
    await make('/virtual_mcps', {
      name: 'moving',
      slug: 'moving',
      status: 'published',
      all_users: true,
      members,
    })
    const { accessToken } = await signIn(at('moving'), 'ann')
    await connect(browser, 'moving')
    await eventually(async () => {
      const { json } = await message(at('moving'), accessToken, 'tools/list')
      return json.result.tools.length === 1
    })
    assert.equal((await whoami('moving', 'whoami', accessToken)).content[0].text, 'ann-at-notes')
    const moved = await server.manage('PATCH', '/origins/moving', { url: other.url })
    assert.equal(moved.status, 200, moved.text)
    const result = await whoami('moving', 'whoami', accessToken)
    assert.equal(result.isError, true, JSON.stringify(result))
    for (const sent of other.tokens) assert.ok(!notes.tokens.has(sent))
    const { json } = await server.manage('GET', '/connections?all_users=true&origin=moving')
    assert.deepEqual(json.items, [])
  } finally {
    await other[Symbol.asyncDispose]()
  }
})

test('a required account is connected on the way through the consent page', async () => {
  const members = [{ origin: 'mail', required: true }]
  const patched = await server.manage('PATCH', '/virtual_mcps/mail', { members })
  assert.equal(patched.status, 200, patched.text)
  const { page, browser: fresh } = await authorize(at('mail'), 'ann')
  assert.match(page.text, /mail: Not connected\./)
  assert.match(page.text, /value="allow" disabled/)
  const refused = await fresh.submit(page, { do: 'allow' })
  assert.match(refused.text, /Connect the required accounts first/)
  const link = /href="(\/connect\/mail\?back=[^"]+)"/.exec(page.text)?.[1]
  assert.ok(link !== undefined, page.text)
  const connected = await connectFrom(fresh, await fresh.open(link))
  const back = /<a href="(\/oauth\/interaction\/[^"]+)">Back/.exec(connected.text)?.[1]
  assert.ok(back !== undefined, connected.text)
  const again = await fresh.open(back)
  assert.match(again.text, /mail: Connected/)
  const allowed = await fresh.submit(again, { do: 'allow' })
  assert.ok(allowed.url.searchParams.has('code'), allowed.url.href)
})

test('an account that the authorization server has ended asks for itself in the way of each revision', async () => {
  const mailToken = (await signIn(at('mail'), 'ann')).accessToken
  assert.equal((await whoami('mail', 'whoami', mailToken)).content[0].text, 'ann-at-mail')
  mail.forgetGrants()
  mail.refuseTokens()
  await eventually(async () => {
    const result = await whoami('mail', 'whoami', mailToken)
    return result.structuredContent?.code === 'connect_required'
  })
  const probed = await server.manage('POST', '/origins/mail/test', {})
  assert.doesNotMatch(probed.text, /\/connect\/mail\?/)
  const modern = await call('POST', at('mail'), {
    token: mailToken,
    headers: {
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': 'tools/call',
      'mcp-name': 'whoami',
    },
    body: {
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: {
        name: 'whoami',
        _meta: {
          'io.modelcontextprotocol/protocolVersion': '2026-07-28',
          'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
          'io.modelcontextprotocol/clientCapabilities': { elicitation: { url: {} } },
        },
      },
    },
  })
  const { result } = JSON.parse(/\{.*\}/.exec(modern.text)![0])
  assert.equal(result.resultType, 'input_required', modern.text)
  const [asked] = Object.values(result.inputRequests) as [{ params: { mode: string; url: string } }]
  assert.equal(asked.params.mode, 'url')
  assert.match(asked.params.url, /\/connect\/mail\?for=/)
  await eventually(async () => {
    const { json } = await server.manage('GET', '/audit?operation=oauth.refresh_connection')
    return json.items[0]?.actor.name === 'ann' && json.items[0].resource.slug === 'mail'
  })
})

test('a person revokes an application at /connect, and its token ends at once', async () => {
  const { accessToken } = await signIn(at('notes'), 'ann', { client: 'Revoked app' })
  assert.equal((await message(at('notes'), accessToken, 'tools/list')).status, 200)
  const page = await browser.open('/connect')
  const own = page.text.split('<form ').find((one) => one.includes('Revoke Revoked app'))!
  const shown = await browser.submit({ ...page, text: `<form ${own}` }, { do: 'revoke' })
  assert.match(shown.text, /can no longer act for you/)
  assert.equal((await message(at('notes'), accessToken, 'tools/list')).status, 401)
})

test('one shared account, which an administrator connects, serves all callers', async () => {
  await make('/origins', { name: 'Shared', slug: 'shared', url: notes.url, auth_mode: 'shared_oauth' })
  const members = [{ origin: 'shared' }]
  await make('/virtual_mcps', {
    name: 'shared',
    slug: 'shared',
    status: 'published',
    all_users: true,
    members,
  })
  const { json: ann } = await server.manage('GET', '/users/ann')
  assert.ok(ann.id !== undefined)
  notes.account = 'company'
  await connect(browser, 'shared')
  const bob = await signedInBrowser(server.running.origin, 'bob')
  assert.equal((await bob.open('/connect/shared')).status, 404)
  const { accessToken } = await signIn(at('shared'), 'bob')
  await eventually(async () => {
    const { json } = await message(at('shared'), accessToken, 'tools/list')
    return json.result.tools.length === 1
  })
  assert.equal((await whoami('shared', 'whoami', accessToken)).content[0].text, 'company')
})

test('each person has a key of their own at an origin that takes keys', async () => {
  const key = [...notes.tokens].at(-1)!
  await make('/origins', { name: 'Keys', slug: 'keys', url: notes.url, auth_mode: 'user_key' })
  const members = [{ origin: 'keys' }]
  await make('/virtual_mcps', { name: 'keys', slug: 'keys', status: 'published', all_users: true, members })
  const page = await press(await browser.open('/connect/keys'), 'key', { key })
  assert.match(page.text, /Keys is connected/)
  assert.ok(!page.text.includes(key))
  const { accessToken } = await signIn(at('keys'), 'ann')
  await eventually(async () => {
    const { json } = await message(at('keys'), accessToken, 'tools/list')
    return json.result.tools.length === 1
  })
  assert.equal((await whoami('keys', 'whoami', accessToken)).content[0].text, 'company')
  const { accessToken: other } = await signIn(at('keys'), 'bob')
  const result = await whoami('keys', 'whoami', other)
  assert.equal(result.structuredContent.code, 'connect_required')
})

test('accounts outlive a restart, and end with their person', async () => {
  assert.equal(await accountOf('notes'), 'ann-at-notes')
  await server.stop()
  server = await startTestServer({ workers: 2, data })
  base = server.running.gatewayUrl.replace('127.0.0.1', 'localhost')
  token = (await signIn(at('notes'), 'ann')).accessToken
  assert.equal(await accountOf('notes'), 'ann-at-notes')
  const bob = await signedInBrowser(server.running.origin, 'bob')
  notes.account = 'bob-at-notes'
  await connect(bob, 'notes')
  const { revoked } = notes.counts
  const gone = await server.manage('POST', '/users/bob/offboard', { confirm: 'bob' })
  assert.equal(gone.status, 200, gone.text)
  assert.ok(
    gone.json.ended.some((one: { part: string }) => one.part === 'connections'),
    gone.text,
  )
  await eventually(() => Promise.resolve(notes.counts.revoked > revoked))
  const { json } = await server.manage('GET', '/connections?all_users=true&origin=notes')
  assert.deepEqual(
    json.items.map(({ user }: { user: string }) => user),
    ['ann'],
  )
})
