/** What users of other gateways run into when they sign in: sessions, registrations, callbacks and shared tools. */
import assert from 'node:assert/strict'
import { connect as connectSocket } from 'node:net'
import { after, before, test } from 'node:test'
import { choose, PASSWORD, postForm } from '../support/authorization.ts'
import { Browser } from '../support/browser.ts'
import { connect, leaveFrom, signedInBrowser } from '../support/connect.ts'
import { eventually } from '../support/eventually.ts'
import { type GuardedOrigin, startGuardedOrigin } from '../support/guarded-origin.ts'
import { Issuer, signingKey } from '../support/issuer.ts'
import { addUser, authorize, message, signIn } from '../support/sign-in.ts'
import { startTestServer, type TestServer } from './server.ts'

const DAY = 24 * 60 * 60_000
let server: TestServer
let notes: GuardedOrigin
let issuer: Issuer
let base: string

async function make(path: string, body: object): Promise<void> {
  const made = await server.manage('POST', path, body)
  assert.equal(made.status, 201, made.text)
}
const at = (slug: string): string => `${base}/mcp/${slug}`

before(async () => {
  notes = await startGuardedOrigin()
  issuer = await new Issuer(signingKey('corporate')).listen()
  const provider = { issuer: issuer.url, 'client-id': 'postern', 'client-secret': 'secret' }
  server = await startTestServer({
    workers: 2,
    flags: Object.entries(provider).flatMap(([name, value]) => [`--oidc-${name}`, value]),
  })
  base = server.running.gatewayUrl.replace('127.0.0.1', 'localhost')
  await choose(new Browser(server.running.origin), (await server.running.firstLink())!.url, {
    name: 'ann',
    email: 'ann@example.com',
  })
  await addUser(server, server.running.origin, 'bob')
  await make('/origins', { name: 'Notes', slug: 'notes', url: notes.url, auth_mode: 'user_oauth' })
  const shared = { status: 'published', all_users: true, members: [{ origin: 'notes' }] }
  for (const slug of ['desk', 'other']) await make('/virtual_mcps', { ...shared, name: slug, slug })
  const limits = [{ name: 'minute', kind: 'rate', max: 2, window: '1m', key: 'user' }]
  await make('/policies', { name: 'Each', slug: 'each', limits })
  await make('/virtual_mcps', { ...shared, name: 'Limited', slug: 'limited', policy: 'each' })
  for (const person of ['ann', 'bob']) {
    notes.account = `${person}-at-notes`
    await connect(await signedInBrowser(server.running.origin, person), 'notes')
  }
})
after(async () => {
  await server?.stop()
  await Promise.all([notes, issuer].map((one) => one?.[Symbol.asyncDispose]()))
})

/** A message in a session of 2025-11-25. */
async function inSession(token: string, method: string, params: object, session: string | null) {
  const response = await fetch(at('desk'), {
    method: 'POST',
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2025-11-25',
      ...(session === null ? {} : { 'mcp-session-id': session }),
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
  })
  const text = await response.text()
  return { status: response.status, text, session: response.headers.get('mcp-session-id') }
}

test('a legacy session survives a token refresh by the same subject, and is nobody else’s', async () => {
  const { accessToken, refreshToken, clientId } = await signIn(at('desk'), 'ann')
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'x', version: '1' } }
  const { session } = await inSession(accessToken, 'initialize', params, null)
  assert.ok(session !== null)
  const { body } = await postForm(`${base}/oauth/token`, {
    ...{ grant_type: 'refresh_token', client_id: clientId, refresh_token: refreshToken },
  })
  assert.notEqual(body.access_token, accessToken)
  // Each of two threads, more or less
  for (let n = 0; n < 4; n++) {
    const listed = await inSession(body.access_token, 'tools/list', {}, session)
    assert.equal(listed.status, 200, listed.text)
  }
  const called = await inSession(body.access_token, 'tools/call', { name: 'whoami', arguments: {} }, session)
  assert.match(called.text, /ann-at-notes/)
  const other = await signIn(at('desk'), 'bob')
  assert.equal((await inSession(other.accessToken, 'tools/list', {}, session)).status, 404)
})

test('two credentials on one request are refused, and neither is used', async () => {
  const { accessToken } = await signIn(at('desk'), 'ann')
  const { calls } = notes
  const before = calls.length
  const { hostname, port } = new URL(server.running.gatewayUrl)
  const body = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"whoami","arguments":{}}}'
  const head = [
    'POST /mcp/desk HTTP/1.1',
    `host: localhost:${port}`,
    'content-type: application/json',
    'accept: application/json, text/event-stream',
    'mcp-protocol-version: 2025-11-25',
    `content-length: ${body.length}`,
    'connection: close',
  ]
  for (const second of [accessToken, 'pst_ht_other']) {
    const socket = connectSocket(Number(port), hostname)
    const lines = [...head, `authorization: Bearer ${accessToken}`, `authorization: Bearer ${second}`]
    socket.end(`${lines.join('\r\n')}\r\n\r\n${body}`)
    const answer = Buffer.concat(await socket.toArray()).toString()
    assert.match(answer, /^HTTP\/1\.1 400 /)
    assert.ok(!answer.includes(accessToken))
  }
  assert.equal(calls.length, before)
})

test('each virtual MCP serves its own metadata', async () => {
  for (const slug of ['desk', 'other', 'limited']) {
    const refused = await fetch(at(slug), { method: 'POST', body: '{}' })
    await refused.text()
    const challenge = refused.headers.get('www-authenticate') ?? ''
    const url = /resource_metadata="([^"]+)"/.exec(challenge)?.[1]
    assert.equal(url, `${base}/.well-known/oauth-protected-resource/mcp/${slug}`)
    const metadata = (await (await fetch(url!)).json()) as { readonly resource: string }
    assert.equal(metadata.resource, at(slug))
  }
})

test('any loopback port matches, and no other host does', async () => {
  const first = await signIn(at('desk'), 'ann', { redirect: 'http://127.0.0.1:33418/callback' })
  for (const port of [33419, 61_000]) {
    const redirect = `http://127.0.0.1:${port}/callback`
    const { accessToken } = await signIn(at('desk'), 'ann', { clientId: first.clientId, redirect })
    assert.equal((await message(at('desk'), accessToken, 'tools/list')).status, 200)
  }
  for (const redirect of [
    'http://127.0.0.2:33418/callback',
    'https://127.0.0.1:33418/callback',
    'http://127.0.0.1:33418/other',
  ]) {
    const { page } = await authorize(at('desk'), 'ann', { clientId: first.clientId, redirect })
    assert.equal(page.status, 400, redirect)
    assert.equal(page.url.origin, base)
  }
})

test('an evicted client is told so, registers again, and is the same host, without an administrator', async () => {
  const options = { client: 'Evicted app' }
  const { clientId, refreshToken } = await signIn(at('desk'), 'ann', options)
  const hosts = async () =>
    (await server.manage('GET', '/hosts')).json.items.filter(
      ({ name }: { name: string }) => name === 'Evicted app',
    )
  const [host] = await hosts()
  server.moveClock(91 * DAY)
  const { status, body } = await postForm(`${base}/oauth/token`, {
    ...{ grant_type: 'refresh_token', client_id: clientId, refresh_token: refreshToken },
  })
  assert.deepEqual([status, body.error], [401, 'invalid_client'])
  const { page } = await authorize(at('desk'), 'ann', { clientId })
  assert.equal(page.status, 400, page.text)
  server.moveClock(-91 * DAY)
  const again = await signIn(at('desk'), 'ann', options)
  assert.notEqual(again.clientId, clientId)
  assert.equal((await message(at('desk'), again.accessToken, 'tools/list')).status, 200)
  assert.deepEqual(
    (await hosts()).map(({ id }: { id: string }) => id),
    [host.id],
  )
})

test('callback routes need no cookie of the console, and each step of a sign-in ends within three redirects', async () => {
  const browser = new Browser(base)
  const asked = await browser.open('/connect')
  assert.match(asked.text, /name="password"/)
  const shown = await browser.submit(asked, { name: 'ann', password: PASSWORD, do: 'password' })
  assert.equal(shown.url.pathname, '/connect')
  const { page, browser: other } = await authorize(at('desk'), 'ann')
  const allowed = await other.submit(page, { do: 'allow' })
  assert.ok(allowed.url.searchParams.has('code'))
  issuer.person = { sub: 'cleo', name: 'Cleo', email: 'cleo@example.com' }
  const fresh = new Browser(base)
  const { page: choice } = await authorize(at('desk'), '', { browser: fresh })
  const left = await fresh.open(new URL(/href="([^"]+\/provider)"/.exec(choice.text)![1]!, choice.url))
  const { headers } = await fetch(left.url, { redirect: 'manual' })
  const back = new URL(headers.get('location')!)
  const consent = await fresh.open(new URL(back.pathname + back.search, base))
  assert.match(consent.text, /value="allow"/)
  for (const step of [asked, shown, page, allowed, choice, left, consent])
    assert.ok(step.redirects <= 3, `${step.redirects} redirects to ${step.url.pathname}`)
})

test('a callback of an origin that comes back to a browser without a session asks for the sign-in, and then connects', async () => {
  const browser = await signedInBrowser(server.running.origin, 'bob')
  const disconnected = await browser.submit(await browser.open('/connect/notes'), { do: 'disconnect' })
  assert.match(disconnected.text, /is disconnected/)
  const leaving = await leaveFrom(browser, await browser.open('/connect/notes'))
  const link = /<a href="(https?:[^"]+)">Continue to /.exec(leaving.text)![1]!
  notes.account = 'bob-at-notes'
  const to = new URL(link.replaceAll('&#38;', '&'))
  const back = await new Browser(to.origin).open(to)
  const bare = new Browser(base)
  const asked = await bare.open(back.url)
  assert.match(asked.text, /name="password"/)
  const shown = await bare.submit(asked, { name: 'bob', password: PASSWORD, do: 'password' })
  assert.equal(shown.url.pathname, '/connect/notes', shown.text)
  assert.match(shown.text, /Connected (as|since)/)
})

test('two users, one tool: separate limits, separate records, no shared credential', async () => {
  const people = await Promise.all(
    ['ann', 'bob'].map(async (name) => ({
      name,
      id: (await server.manage('GET', `/users/${name}`)).json.id as string,
      token: (await signIn(at('limited'), name)).accessToken,
    })),
  )
  await eventually(async () => {
    const { json } = await message(at('limited'), people[0]!.token, 'tools/list')
    return json.result.tools.length > 0
  })
  const whoami = (token: string) =>
    message(at('limited'), token, 'tools/call', { name: 'whoami', arguments: {} })
  const used = new Map<string, Set<string>>()
  for (const { name, token } of people) {
    notes.tokens.clear()
    for (let n = 0; n < 2; n++) {
      const { json, text } = await whoami(token)
      assert.equal(json.result?.content?.[0]?.text, `${name}-at-notes`, text)
    }
    assert.match(
      (await whoami(token)).text,
      /rate_limit_exceeded/,
      'the third call of a person in the minute',
    )
    used.set(name, new Set(notes.tokens))
  }
  const [ann, bob] = [used.get('ann')!, used.get('bob')!]
  assert.ok(ann.size > 0 && bob.size > 0)
  assert.ok([...ann].every((token) => !bob.has(token)))
  for (const { id } of people)
    await eventually(async () => {
      const { json } = await server.manage('GET', '/records?surface=virtual_mcp&mcp_method=tools/call')
      const own = json.items.filter((one: { subject: string }) => one.subject === id)
      return own.filter(({ code }: { code: string | null }) => code === 'rate_limit_exceeded').length === 1
    })
})
