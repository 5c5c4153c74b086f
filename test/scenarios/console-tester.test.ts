/** Virtual MCPs at `/console/mcp/{slug}`: who gets in, as whom they call, and how it ends. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { textTool } from '../mcp/fixture/catalogue.ts'
import { type Fixture, startFixture } from '../mcp/fixture/fixture.ts'
import { ERAS, rawClient } from '../mcp/raw-client.ts'
import { ConsoleBrowser } from '../support/console-browser.ts'
import { addUser } from '../support/sign-in.ts'
import { created, startTestServer, type TestServer, until } from './server.ts'

const HOST = '127.0.0.1'
let desk: Fixture
let server: TestServer
let origin: string
let profileToken: string

before(async () => {
  desk = await startFixture({ eras: 'modern', isFilled: false })
  desk.catalogue.putTool(textTool('read_ticket', () => 'Ticket 7'))
  // The gateway listener serves the console too
  server = await startTestServer({ workers: 2, flags: ['--expose', 'management,oauth,console'] })
  origin = server.running.controlUrl
  for (const slug of ['ann', 'bob', 'eve']) await addUser(server, server.running.origin, slug)
  await created(server.manage('POST', '/origins', { name: 'Desk', slug: 'desk', url: desk.url }))
  const status = 'published'
  const members = [{ origin: 'desk' }]
  await created(
    server.manage('POST', '/virtual_mcps', { name: 'Desk', slug: 'desk', status, members, all_users: true }),
  )
  await created(server.manage('POST', '/virtual_mcps', { name: 'Closed', slug: 'closed', status, members }))
  await created(server.manage('POST', '/clients', { name: 'Acme', slug: 'acme', virtual_mcps: ['closed'] }))
  const profile = await created(
    server.manage('POST', '/profiles', {
      client: 'acme',
      name: 'Key',
      slug: 'key',
      auth: { type: 'token' },
    }),
  )
  profileToken = profile.json.token
})
after(async () => {
  await server?.stop()
  await desk?.[Symbol.asyncDispose]()
})

const OF_THE_CONSOLE = { 'x-postern-console': '1', 'sec-fetch-site': 'same-origin' }
const CALL = { name: 'read_ticket', arguments: {} }

/** Signs somebody in, and gives what the browser sends with each message of the tester. */
async function signedIn(name: string): Promise<{ browser: ConsoleBrowser; headers: Record<string, string> }> {
  const browser = new ConsoleBrowser()
  await browser.signIn(origin, name)
  const cookie = `postern_console=${browser.cookie(HOST, 'postern_console')}`
  return { browser, headers: { ...OF_THE_CONSOLE, cookie } }
}

/** A call in the modern era. */
async function call(headers: Record<string, string>, slug = 'desk', at = origin) {
  const client = await rawClient(
    { url: `${at}/console/mcp/${slug}`, headers: headers as { authorization: string } },
    'modern',
  )
  const { status, text, messages } = await client.ask('tools/call', CALL)
  const [message] = messages
  return { status, text, result: message?.result, code: JSON.parse(messages.length > 0 ? text : '{}').code }
}
const TICKET = [{ type: 'text', text: 'Ticket 7' }]

for (const era of ERAS)
  test(`a person calls a tool as themselves in the ${era} era, on both listeners, with a record that says so`, async () => {
    const { headers } = await signedIn('ann')
    for (const at of [origin, server.running.origin.replace('localhost', HOST)]) {
      const client = await rawClient(
        { url: `${at}/console/mcp/desk`, headers: headers as unknown as { authorization: string } },
        era,
      )
      const listed = await client.ask('tools/list', {})
      assert.equal(listed.status, 200, listed.text)
      const answer = await client.ask('tools/call', CALL)
      assert.deepEqual(answer.messages.at(-1)?.result?.['content'], TICKET, answer.text)
      const requestId = answer.headers.get('x-request-id')
      const { json: record } = await until(
        () => server.manage('GET', `/records/${requestId}`),
        ({ status }) => status === 200,
      )
      const { json: ann } = await server.manage('GET', '/users/ann')
      assert.deepEqual(
        [record.surface, record.path, record.capability, record.subject, record.virtual_mcp_slug],
        ['virtual_mcp', '/mcp/desk', 'read_ticket', ann.id, 'desk'],
      )
      const { json: host } = await server.manage('GET', `/hosts/${record.agent_host}`)
      assert.deepEqual([host.name, host.software], ['Postern console', 'postern-console'])
    }
  })

test('messages of one session share an access token, which is audited once and never sent to the browser', async () => {
  const { headers } = await signedIn('bob')
  const issued = async () =>
    (await server.manage('GET', '/audit?operation=oauth.issue_token&actor=bob')).json.items
  const before = (await issued()).length
  const answers = await Promise.all([call(headers), call(headers), call(headers)])
  assert.deepEqual(
    answers.map(({ status }) => status),
    [200, 200, 200],
  )
  const [entry, ...more] = await issued()
  assert.equal(more.length + 1, before + 1)
  const facts = Object.fromEntries(
    entry.diff.map(({ path, value }: { path: string; value: string }) => [path, value]),
  )
  assert.deepEqual(
    [entry.actor.name, entry.resource.id, new URL(facts['/resource']).pathname],
    ['bob', 'postern-console', '/mcp/desk'],
  )
  for (const { text } of answers) assert.doesNotMatch(text, /eyJ/)
})

test('what is not shared with the person is answered as what does not exist, with what to do', async () => {
  const { headers } = await signedIn('ann')
  for (const slug of ['closed', 'none']) {
    const answer = await call(headers, slug)
    assert.deepEqual([answer.status, answer.code], [404, 'not_found'], answer.text)
    assert.match(answer.text, /not shared with you/)
  }
  for (const path of ['-/acme/key', 'desk/more', 'desk/', 'Desk', ''])
    assert.equal((await call(headers, path)).status, 404, path)
})

test('nobody gets in but the console with a session that stands', async () => {
  const { browser, headers } = await signedIn('ann')
  const { cookie } = headers as { cookie: string }
  for (const [sent, code] of [
    [{ cookie }, 'credentials_missing'],
    [{ cookie, 'x-postern-console': '1' }, 'credentials_missing'],
    [{ cookie, 'x-postern-console': '1', 'sec-fetch-site': 'same-site' }, 'credentials_missing'],
    [{ cookie, 'sec-fetch-site': 'same-origin' }, 'credentials_missing'],
    [OF_THE_CONSOLE, 'credential_invalid'],
    [{ ...OF_THE_CONSOLE, cookie: `postern_console=${'A'.repeat(43)}` }, 'credential_invalid'],
    // The token of a profile takes the place of the person, never that of the session
    [{ ...OF_THE_CONSOLE, authorization: `Bearer ${profileToken}` }, 'credential_invalid'],
  ] as const) {
    const answer = await call(sent as Record<string, string>)
    assert.deepEqual([answer.status, answer.code], [401, code], JSON.stringify(sent))
  }
  // At the endpoint itself the cookie is worth nothing
  const direct = await fetch(`${server.running.origin}/mcp/desk`, {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
    body: '{}',
  })
  assert.equal(direct.status, 401)
  await direct.text()
  assert.equal((await call(headers)).status, 200)
  const left = await browser.api(origin, 'POST', '/console/logout')
  assert.equal(left.status, 204)
  const over = await call(headers)
  assert.deepEqual([over.status, over.code], [401, 'credential_invalid'])
})

test('a planted cookie before the true one does not keep the person out', async () => {
  const { headers } = await signedIn('ann')
  const cookie = `postern_console=${'B'.repeat(43)}; ${headers['cookie']}`
  assert.equal((await call({ ...headers, cookie })).status, 200)
})

test('with the token of a profile the call is of the profile, by its rights', async () => {
  const { headers } = await signedIn('ann')
  const answer = await call({ ...headers, authorization: `Bearer ${profileToken}` }, 'closed')
  assert.deepEqual([answer.status, answer.result?.['content']], [200, TICKET], answer.text)
  const { json } = await until(
    () => server.manage('GET', '/records?client=acme&surface=virtual_mcp'),
    ({ json: { items } }) => items.length > 0,
  )
  assert.equal(json.items[0].user, null)
  const elsewhere = await call({ ...headers, authorization: `Bearer ${profileToken}` }, 'desk')
  assert.equal(elsewhere.status, 404, elsewhere.text)
  const wrong = await call({ ...headers, authorization: 'Bearer pst_pk_wrong' }, 'closed')
  assert.equal(wrong.status, 401, wrong.text)
})

test('a message that is too large is refused, and the node engine hands messages on as well', async () => {
  const { headers } = await signedIn('ann')
  const large = await fetch(`${origin}/console/mcp/desk`, {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
    body: ' '.repeat(5 * 1024 * 1024),
  })
  assert.deepEqual([large.status, JSON.parse(await large.text()).code], [413, 'body_too_large'])
  await using other = await startTestServer({ flags: ['--http-engine', 'node'] })
  await addUser(other, other.running.origin, 'ann')
  await created(other.manage('POST', '/origins', { name: 'Desk', slug: 'desk', url: desk.url }))
  await created(
    other.manage('POST', '/virtual_mcps', {
      name: 'Desk',
      slug: 'desk',
      status: 'published',
      members: [{ origin: 'desk' }],
      all_users: true,
    }),
  )
  const browser = new ConsoleBrowser()
  await browser.signIn(other.running.controlUrl, 'ann')
  const cookie = `postern_console=${browser.cookie(HOST, 'postern_console')}`
  const answer = await call({ ...OF_THE_CONSOLE, cookie }, 'desk', other.running.controlUrl)
  assert.deepEqual(answer.result?.['content'], TICKET, answer.text)
})

test('a sign-out ends an open stream of the tester', async () => {
  const { browser, headers } = await signedIn('ann')
  const method = 'subscriptions/listen'
  const protocolVersion = '2026-07-28'
  const answer = await fetch(`${origin}/console/mcp/desk`, {
    method: 'POST',
    headers: {
      ...headers,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': protocolVersion,
      'mcp-method': method,
    },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method,
      params: {
        notifications: { toolsListChanged: true },
        _meta: {
          'io.modelcontextprotocol/protocolVersion': protocolVersion,
          'io.modelcontextprotocol/clientCapabilities': {},
        },
      },
    }),
  })
  assert.equal(answer.status, 200)
  const reader = answer.body!.getReader()
  const { value } = await reader.read()
  assert.match(Buffer.from(value!).toString(), /acknowledged/)
  assert.equal((await browser.api(origin, 'POST', '/console/logout')).status, 204)
  const end = new Promise((_, late) =>
    setTimeout(() => late(new Error('the stream goes on')), 20_000).unref(),
  )
  for (let isOver = false; !isOver; )
    isOver = ((await Promise.race([reader.read(), end])) as { done: boolean }).done
})

test('an inactive person and a host that is switched off are refused with the next message', async () => {
  const { headers } = await signedIn('eve')
  assert.equal((await call(headers)).status, 200)
  const { json: hosts } = await server.manage('GET', '/hosts?text=postern')
  const { slug } = hosts.items[0]
  assert.equal((await server.manage('POST', `/hosts/${slug}/toggle`, { active: false })).status, 200)
  const off = await call(headers)
  assert.equal(off.code, 'client_inactive', off.text)
  const other = await signedIn('bob')
  const refused = await call(other.headers)
  assert.deepEqual([refused.status, refused.code], [403, 'client_inactive'], refused.text)
  assert.match(refused.text, new RegExp(`host ${slug}`))
  assert.equal((await server.manage('POST', `/hosts/${slug}/toggle`, { active: true })).status, 200)
  assert.equal((await call(headers)).status, 200)
  assert.equal((await server.manage('POST', '/users/eve/toggle', { active: false })).status, 200)
  assert.equal((await call(headers)).status, 401)
})

test('after the host of the console was deleted, the next message makes it anew', async () => {
  const { headers } = await signedIn('bob')
  assert.equal((await call(headers)).status, 200)
  const consoleHost = async () => (await server.manage('GET', '/hosts?text=postern')).json.items[0]
  const { id, slug } = await consoleHost()
  const gone = await server.manage('DELETE', `/hosts/${slug}?confirm=${slug}`)
  assert.equal(gone.status, 200, gone.text)
  const answer = await call(headers)
  assert.deepEqual([answer.status, answer.result?.['content']], [200, TICKET], answer.text)
  assert.notEqual((await consoleHost()).id, id)
})

test('a session goes on calling after a restart, and behind a proxy that is trusted its record has the address of the person', async (t) => {
  const data = await mkdtemp(join(tmpdir(), 'postern-tester-'))
  t.after(() => rm(data, { recursive: true, force: true }))
  await using own = await startTestServer({ workers: 1, data })
  const controlListen = new URL(own.running.controlUrl).host
  await addUser(own, own.running.origin, 'ann')
  await created(own.manage('POST', '/origins', { name: 'Desk', slug: 'desk', url: desk.url }))
  await created(
    own.manage('POST', '/virtual_mcps', {
      ...{ name: 'Desk', slug: 'desk', status: 'published' },
      ...{ members: [{ origin: 'desk' }], all_users: true },
    }),
  )
  const browser = new ConsoleBrowser()
  await browser.signIn(own.running.controlUrl, 'ann')
  const cookie = `postern_console=${browser.cookie(HOST, 'postern_console')}`
  const headers = { ...OF_THE_CONSOLE, cookie }
  assert.deepEqual((await call(headers, 'desk', own.running.controlUrl)).result?.['content'], TICKET)
  await own.stop()

  const flags = ['--trusted-proxies', '127.0.0.1/32']
  await using again = await startTestServer({ workers: 1, data, controlListen, flags })
  const client = await rawClient(
    {
      url: `${again.running.controlUrl}/console/mcp/desk`,
      headers: { ...headers, 'x-forwarded-for': '192.0.2.7' } as unknown as { authorization: string },
    },
    'modern',
  )
  const answer = await client.ask('tools/call', CALL)
  assert.deepEqual(answer.messages.at(-1)?.result?.['content'], TICKET, answer.text)
  const { json: record } = await until(
    () => again.manage('GET', `/records/${answer.headers.get('x-request-id')}`),
    ({ status }) => status === 200,
  )
  assert.equal(record.ip, '192.0.2.7')
})
