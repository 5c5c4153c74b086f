/** Sign-in at the console, and its session: where the cookie counts, and how it ends. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { ConsoleBrowser } from '../support/console-browser.ts'
import { addUser } from '../support/sign-in.ts'
import { startTestServer, type TestServer } from './server.ts'

let server: TestServer
let origin: string
const HOST = '127.0.0.1'
const WHOAMI = '/management/v1/whoami'

before(async () => {
  server = await startTestServer({ workers: 2 })
  origin = server.running.controlUrl
  for (const slug of ['ann', 'viv']) await addUser(server, server.running.origin, slug)
  for (const grant of [
    { user: 'ann', role: 'admin' },
    { user: 'viv', role: 'viewer' },
  ]) {
    const { user, role } = grant
    const made = await server.manage('POST', '/grants', { name: user, user, role })
    assert.equal(made.status, 201, made.text)
  }
})
after(async () => {
  await server?.stop()
})

async function signedIn(name = 'ann'): Promise<ConsoleBrowser> {
  const browser = new ConsoleBrowser()
  await browser.signIn(origin, name)
  assert.ok(browser.cookie(HOST, 'postern_console'), 'no session')
  return browser
}
const codeOf = ({ text }: { readonly text: string }): string => JSON.parse(text).code
const audit = async (query: string) => (await server.manage('GET', `/audit?${query}`)).json.items

test('a person signs in at the control listener, comes back to their page, and calls management as themselves', async () => {
  const browser = new ConsoleBrowser()
  assert.match(
    (await browser.open(`${origin}/console/login`)).text,
    /to continue to <strong>Postern console</,
  )
  const shown = await browser.signIn(origin, 'ann', '/console/clients?text=acme')
  assert.equal(shown.url.href, `${origin}/console/clients?text=acme`)
  const line = browser.set.find((one) => one.startsWith('postern_console='))!
  assert.match(line, /^postern_console=[\w-]{43}; Path=\/; Max-Age=28800; HttpOnly; SameSite=Strict$/)
  const me = await browser.api(origin, 'GET', `${WHOAMI}?operations=true`)
  assert.equal(me.status, 200, me.text)
  const { name, auth_method, operations } = JSON.parse(me.text)
  assert.deepEqual([name, auth_method], ['ann', 'console_session'])
  assert.ok(operations.includes('collections.create'))
})

test('a change is audited to the person, with the console as its surface', async () => {
  const browser = await signedIn()
  const made = await browser.api(origin, 'POST', '/management/v1/policies', {
    name: 'From the console',
    slug: 'by-console',
  })
  assert.equal(made.status, 201, made.text)
  const [entry] = await audit('operation=policies.create')
  assert.deepEqual(
    [entry.actor.name, entry.actor.auth_method, entry.surface],
    ['ann', 'console_session', 'admin_ui'],
  )
})

test('the cookie counts in requests of the console alone', async () => {
  const browser = await signedIn()
  for (const headers of [
    {},
    { 'x-postern-console': '1' },
    { 'sec-fetch-site': 'same-origin' },
    { 'x-postern-console': '1', 'sec-fetch-site': 'same-site' },
    { 'x-postern-console': '1', 'sec-fetch-site': 'cross-site', origin },
    { 'x-postern-console': '0', 'sec-fetch-site': 'same-origin' },
  ]) {
    const answer = await browser.ask(origin + WHOAMI, { headers: headers as Record<string, string> })
    assert.deepEqual([answer.status, codeOf(answer)], [401, 'credentials_missing'], JSON.stringify(headers))
    assert.match(answer.text, /is accepted only in requests of the console/)
  }
})

test('a session counts beside cookies of its name that another port of the host has set', async () => {
  const value = (await signedIn()).cookie(HOST, 'postern_console')!
  const foreign = 'A'.repeat(43)
  const cookies = [
    `postern_console=${foreign}; postern_console=${value}`,
    `postern_console=${value}; postern_console=${foreign}`,
    `postern_console=; postern_console=x; postern_console=${value}`,
    `__Host-postern_console=${foreign}; postern_console=${value}`,
  ]
  for (const [at, cookie] of cookies.entries()) {
    // No cookies of its own
    const browser = new ConsoleBrowser()
    const state = await browser.api(origin, 'GET', '/console/session', undefined, { cookie })
    assert.deepEqual(JSON.parse(state.text), { signed_in: true }, cookie)
    assert.equal((await browser.api(origin, 'GET', WHOAMI, undefined, { cookie })).status, 200, cookie)
    const body = { name: `Beside ${at}`, slug: `beside-${at}` }
    const made = await browser.api(origin, 'POST', '/management/v1/policies', body, { cookie })
    assert.equal(made.status, 201, `${cookie}: ${made.text}`)
  }
  const browser = new ConsoleBrowser()
  // A bound on what is looked up: the last 64 different values
  const others = Array.from({ length: 64 }, (_, n) => `postern_console=${`${n}`.padStart(43, 'A')}`)
  const cookie = [`postern_console=${value}`, ...others].join('; ')
  assert.equal((await browser.api(origin, 'GET', WHOAMI, undefined, { cookie })).status, 401)
})

test('a sign-in goes on beside a cookie of its name that another port of the host has set', async () => {
  const browser = new ConsoleBrowser()
  const page = await browser.open(`${origin}/console/login?return_to=/console/clients`)
  const kept = browser.cookie(HOST, 'postern_console_sign_in')!
  browser.give(HOST, 'postern_console_sign_in', `x.y.z; postern_console_sign_in=${kept}`)
  const { PASSWORD } = await import('../support/authorization.ts')
  const shown = await browser.submit(page, { do: 'password', name: 'ann', password: PASSWORD })
  assert.equal(shown.url.href, `${origin}/console/clients`)
  assert.equal((await browser.api(origin, 'GET', WHOAMI)).status, 200)
})

test('the cookie opens neither Management MCP nor metrics', async () => {
  const browser = await signedIn()
  const message = { jsonrpc: '2.0', id: 1, method: 'ping' }
  const mcp = await browser.api(origin, 'POST', '/management/mcp', message, {
    accept: 'application/json, text/event-stream',
  })
  assert.equal(mcp.status, 401)
  const metrics = await browser.api(origin, 'GET', '/metrics', undefined, { 'x-forwarded-for': '192.0.2.1' })
  assert.equal(metrics.status, 401)
})

test('a token beside the cookie decides', async () => {
  const browser = await signedIn('viv')
  const me = await browser.api(origin, 'GET', WHOAMI, undefined, {
    authorization: `Bearer ${server.adminToken}`,
  })
  assert.notEqual(JSON.parse(me.text).name, 'viv')
  const wrong = await browser.api(origin, 'GET', WHOAMI, undefined, { authorization: 'Bearer pst_nothing' })
  assert.equal(wrong.status, 401)
})

test('a viewer who forges a write is refused by the server, and the attempt is audited', async () => {
  const browser = await signedIn('viv')
  const made = await browser.api(origin, 'POST', '/management/v1/policies', { name: 'Forged' })
  assert.deepEqual([made.status, codeOf(made)], [403, 'permission_denied'])
  const [entry] = await audit('operation=policies.create&outcome=denied')
  assert.deepEqual([entry.actor.name, entry.surface], ['viv', 'admin_ui'])
})

test('a sign-in belongs to the browser that began it', async () => {
  const [own, other] = [new ConsoleBrowser(), new ConsoleBrowser()]
  const begun = await own.ask(`${origin}/console/login`)
  const foreign = await other.ask(`${origin}/console/login`)
  const state = new URL(foreign.headers.get('location')!).searchParams.get('state')
  const back = await own.ask(`${origin}/console/callback?code=any&state=${state}`)
  assert.equal(back.status, 400)
  assert.match(back.text, /started in another browser/)
  assert.equal(own.cookie(HOST, 'postern_console'), undefined)
  assert.equal(begun.status, 303)
})

test('a session value that a browser was given before the sign-in is worth nothing after it', async () => {
  const browser = new ConsoleBrowser()
  const planted = 'A'.repeat(43)
  browser.give(HOST, 'postern_console', planted)
  await browser.signIn(origin, 'ann')
  assert.notEqual(browser.cookie(HOST, 'postern_console'), planted)
  const attacker = new ConsoleBrowser()
  attacker.give(HOST, 'postern_console', planted)
  assert.equal((await attacker.api(origin, 'GET', WHOAMI)).status, 401)
})

/** Cookies of our names that are not ours: some have the form of ours, and those of the authorization server a signature. */
const JUNK = Array.from({ length: 20 }, (_, n) => [
  `postern_console=${`${n}`.padStart(43, 'A')}`,
  `postern_console=${n}`,
  `postern_session=${`${n}`.padStart(21, 'B')}`,
  `postern_session.sig=${`${n}`.padStart(27, 'C')}`,
  `postern_console_sign_in=${n}.x.y`,
]).flat()

test('cookies of our names before the real ones sign nobody out, and keep nobody from signing in', async () => {
  const browser = await signedIn()
  browser.before = JUNK
  const shown = await browser.ask(`${origin}/console/session`, {
    headers: { 'x-postern-console': '1', 'sec-fetch-site': 'same-origin' },
  })
  assert.deepEqual(JSON.parse(shown.text), { signed_in: true })
  assert.equal((await browser.api(origin, 'GET', WHOAMI)).status, 200)
  // The session at the authorization server holds too: the console asks for no password
  const again = await browser.open(`${origin}/console/login`)
  assert.equal(again.url.pathname, '/console/')

  const other = new ConsoleBrowser()
  other.before = JUNK
  await other.signIn(origin, 'ann')
  assert.equal((await other.api(origin, 'GET', WHOAMI)).status, 200)
  assert.equal((await other.api(origin, 'POST', '/console/logout')).status, 204)
  assert.equal((await other.api(origin, 'GET', WHOAMI)).status, 401)
})

test('a code is good for one sign-in', async () => {
  const browser = new ConsoleBrowser()
  const page = await browser.open(`${origin}/console/login`)
  let callback = ''
  const fetched = browser.ask.bind(browser)
  browser.ask = async (target, init) => {
    if (String(target).includes('/console/callback')) callback = String(target)
    return fetched(target, init)
  }
  const { PASSWORD } = await import('../support/authorization.ts')
  const kept = browser.cookie(HOST, 'postern_console_sign_in')!
  await browser.submit(page, { do: 'password', name: 'ann', password: PASSWORD })
  assert.match(callback, /code=/)
  browser.give(HOST, 'postern_console_sign_in', kept)
  const again = await fetched(callback)
  assert.equal(again.status, 400)
  assert.match(again.text, /already used, or is too old/)
})

test('a sign-in leads to pages of the console alone', async () => {
  for (const target of [
    'https://evil.example/',
    '//evil.example/console/',
    '/console/../management/openapi.json',
    '/console/\\evil.example',
    '/console//evil.example',
    '/console/logout',
    '/consolexyz',
    '/console/%00\n',
  ]) {
    const shown = await new ConsoleBrowser().signIn(origin, 'ann', target)
    assert.equal(shown.url.origin, origin, target)
    assert.ok(
      shown.url.pathname.startsWith('/console/') && !/logout|evil/.test(shown.url.pathname),
      shown.url.href,
    )
  }
})

test('the console at an address that it does not know leads to one that it knows, and signs nobody in', async () => {
  const browser = new ConsoleBrowser()
  const { hostname, port } = new URL(origin)
  const { request } = await import('node:http')
  const status = await new Promise<{ status: number; text: string }>((done, failed) => {
    const sent = request(
      { host: hostname, port, path: '/console/login', headers: { host: 'rebound.example' } },
      (answer) => {
        let text = ''
        answer.on('data', (piece) => {
          text += piece
        })
        answer.on('end', () => done({ status: answer.statusCode!, text }))
      },
    )
    sent.on('error', failed)
    sent.end()
  })
  assert.equal(status.status, 403)
  assert.match(status.text, /This is not the address of the console/)
  assert.equal(browser.set.length, 0)
})

test('a sign-out ends the session and that of the browser at the authorization server', async () => {
  const browser = await signedIn()
  const value = browser.cookie(HOST, 'postern_console')!
  const forged = await browser.ask(`${origin}/console/logout`, { method: 'POST' })
  assert.equal(forged.status, 401)
  assert.equal((await browser.api(origin, 'GET', WHOAMI)).status, 200)
  const out = await browser.api(origin, 'POST', '/console/logout')
  assert.equal(out.status, 204, out.text)
  assert.equal(browser.cookie(HOST, 'postern_console'), undefined)
  browser.give(HOST, 'postern_console', value)
  assert.equal((await browser.api(origin, 'GET', WHOAMI)).status, 401)
  const page = await browser.open(`${origin}/console/login`)
  assert.match(page.text, /name="password"/)
  const operations = (await audit('actor=ann')).map((entry: { operation: string }) => entry.operation)
  assert.ok(
    operations.includes('oauth.sign_in') && operations.includes('oauth.sign_out'),
    operations.join(' '),
  )
})

test('a session tells whether it is there without a refusal', async () => {
  const browser = await signedIn()
  assert.deepEqual(JSON.parse((await browser.api(origin, 'GET', '/console/session')).text), {
    signed_in: true,
  })
  const stranger = new ConsoleBrowser()
  const answer = await stranger.api(origin, 'GET', '/console/session')
  assert.deepEqual([answer.status, JSON.parse(answer.text)], [200, { signed_in: false }])
})

test('a session has the rights that its person has now, and ends when the person is switched off', async () => {
  await addUser(server, server.running.origin, 'gus')
  const browser = await signedIn('gus')
  assert.equal((await browser.api(origin, 'GET', WHOAMI)).status, 200)
  assert.equal((await browser.api(origin, 'GET', '/management/v1/collections')).status, 403)
  assert.equal((await server.manage('POST', '/users/gus/toggle', { active: false })).status, 200)
  assert.equal((await browser.api(origin, 'GET', WHOAMI)).status, 401)
})

test('offboarding ends sessions for good', async () => {
  await addUser(server, server.running.origin, 'off')
  const browser = await signedIn('off')
  const ended = await server.manage('POST', '/users/off/offboard', { confirm: 'off' })
  assert.equal(ended.status, 200, ended.text)
  assert.equal((await browser.api(origin, 'GET', WHOAMI)).status, 401)
})

test('a session is over after eight hours, whatever it was used', async () => {
  const browser = await signedIn()
  server.moveClock(8 * 60 * 60_000 - 60_000)
  assert.equal((await browser.api(origin, 'GET', WHOAMI)).status, 200)
  server.moveClock(120_000)
  const over = await browser.api(origin, 'GET', WHOAMI)
  assert.deepEqual([over.status, codeOf(over)], [401, 'credential_expired'])
})

test('a session that was begun while the clock was far ahead is over when it is set right', async () => {
  const ahead = 500 * 24 * 60 * 60_000
  server.jumpClock(ahead)
  const browser = await signedIn()
  assert.equal((await browser.api(origin, 'GET', WHOAMI)).status, 200)
  server.jumpClock(-ahead)
  const over = await browser.api(origin, 'GET', WHOAMI)
  assert.deepEqual([over.status, codeOf(over)], [401, 'credential_expired'])
})
