import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { authorization, postForm, register, tokensFor } from '../support/authorization.ts'
import { Browser } from '../support/browser.ts'
import { runPage } from '../support/page.ts'
import { runCommand } from './cli.ts'
import { call, type Reply, startTestServer, type TestServer, until } from './server.ts'

const GOOD = 'correct horse battery staple'
const OTHER = 'a wholly different phrase'

let server: TestServer
before(async () => {
  server = await startTestServer()
})
after(() => server.stop())

/** What a browser posts from one of our pages. */
const post = (path: string, fields: Record<string, string>, headers: Record<string, string> = {}) =>
  server.gateway('POST', path, {
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      'sec-fetch-site': 'same-origin',
      origin: 'null',
      ...headers,
    },
    body: new URLSearchParams(fields).toString(),
  })
const chosen = (password: string) => ({ 'new-password': password, repeat: password })
const pathOf = (url: string): string => url.slice(server.running.origin.length)
const tokenOf = (url: string): string => new URL(url).searchParams.get('token') ?? ''
const firstLink = async (): Promise<string> => {
  const link = await server.running.firstLink()
  assert.ok(link !== null)
  return link.url
}
const entries = async (query: string) => {
  const { items } = (await server.manage('GET', `/audit?${query}`)).json
  return items as {
    actor: Record<string, string>
    outcome: string
    detail: string
    count: number
    diff: unknown
    request?: unknown
  }[]
}
const ADA = { name: 'Ada Lovelace', email: 'ada@example.com' }

test('pages carry no script, stand in no frame, tell nobody their address and are kept nowhere', async () => {
  for (const path of [pathOf(await firstLink()), '/oauth/password']) {
    const page = await server.gateway('GET', path)
    assert.equal(page.status, 200, page.text)
    const policy = page.headers.get('content-security-policy') ?? ''
    assert.match(policy, /^default-src 'none'; style-src [^;]+; form-action 'self'; frame-ancestors 'none'/)
    assert.equal(page.headers.get('referrer-policy'), 'no-referrer')
    assert.equal(page.headers.get('cache-control'), 'no-store')
    assert.doesNotMatch(page.text, /<script|onclick|http:/)
  }
})

test('a link ends with its hour, with the next one that is made, and when the clock is set back from far ahead', async () => {
  const [old, link] = [await firstLink(), await firstLink()]
  assert.equal((await server.gateway('GET', pathOf(old))).status, 404)
  assert.equal((await server.gateway('GET', pathOf(link))).status, 200)
  server.moveClock(60 * 60_000)
  assert.equal((await server.gateway('GET', pathOf(link))).status, 404)
  server.moveClock(-60 * 60_000)
  assert.equal((await server.gateway('GET', `${pathOf(link)}x`)).status, 404)
  server.jumpClock(500 * 24 * 60 * 60_000)
  const ofAhead = await firstLink()
  assert.equal((await server.gateway('GET', pathOf(ofAhead))).status, 200)
  server.jumpClock(-500 * 24 * 60 * 60_000)
  assert.equal((await server.gateway('GET', pathOf(ofAhead))).status, 404)
})

test('what cannot be taken is said above the form, which keeps the rest, and the link stays', async () => {
  const token = tokenOf(await firstLink())
  const wrong: [Record<string, string>, RegExp][] = [
    [{ ...ADA, ...chosen('short') }, /at least 12/],
    [{ ...ADA, ...chosen('ada@example.com') }, /must not be/],
    [{ ...ADA, ...chosen(GOOD), repeat: OTHER }, /differ/],
    [{ ...ADA, email: 'nobody', ...chosen(GOOD) }, /Check the name and the email/],
    [{ ...ADA, name: '', ...chosen(GOOD) }, /Check the name and the email/],
  ]
  for (const [fields, said] of wrong) {
    const page = await post('/oauth/setup', { token, ...fields })
    assert.equal(page.status, 400)
    assert.match(page.text, said)
    assert.doesNotMatch(page.text, new RegExp(GOOD))
  }
  const quoted = await post('/oauth/setup', { token, ...ADA, name: '"><b>Ada', ...chosen('short') })
  assert.match(quoted.text, /value="&#34;&#62;&#60;b&#62;Ada"/)
  assert.match(quoted.text, /value="ada@example\.com"/)
  assert.equal((await server.gateway('GET', `/oauth/setup?token=${token}`)).status, 200)
})

test('a form that another site sends, or that is none, is refused', async () => {
  const fields = { token: tokenOf(await firstLink()), ...ADA, ...chosen(GOOD) }
  for (const headers of [
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
    { 'sec-fetch-site': 'none' },
  ])
    assert.equal((await post('/oauth/setup', fields, headers)).status, 403)
  const old = { 'content-type': 'application/x-www-form-urlencoded', origin: 'https://evil.example' }
  const body = new URLSearchParams(fields).toString()
  assert.equal((await server.gateway('POST', '/oauth/setup', { headers: old, body })).status, 403)
  assert.equal((await post('/oauth/setup', fields, { 'content-type': 'application/json' })).status, 415)
  assert.equal((await post('/oauth/setup', { ...fields, more: 'x'.repeat(20_000) })).status, 413)
  assert.equal((await server.gateway('PUT', '/oauth/setup')).status, 405)
})

test('of several who use the link at once one becomes the administrator, and nobody after that', async () => {
  const token = tokenOf(await firstLink())
  const posts = await Promise.all(
    ['ada', 'eve', 'mallory'].map((name) =>
      post('/oauth/setup', { token, name, email: `${name}@example.com`, ...chosen(GOOD) }),
    ),
  )
  assert.deepEqual(posts.map(({ status }) => status).sort(), [200, 404, 404])
  assert.equal(await server.running.firstLink(), null)
  const { items: users } = (await server.manage('GET', '/users')).json
  assert.equal(users.length, 1)
  const [entry] = await entries('operation=users.set_up&outcome=ok')
  assert.deepEqual([entry?.actor['type'], entry?.actor['auth_method']], ['system', 'set_up_link'])
  assert.doesNotMatch(JSON.stringify(await entries('limit=100&bodies=true')), /pst_su_|argon2/)
})

test('an invitation lets a local user choose a password, once', async () => {
  const made = await server.manage('POST', '/users', { name: 'Grace Hopper', email: 'grace@example.com' })
  assert.equal(made.status, 201, made.text)
  const invited = await server.manage('POST', '/users/grace-hopper/invite', {})
  assert.equal(invited.status, 200, invited.text)
  const path = pathOf(invited.json.set_up_url)
  assert.match((await server.gateway('GET', path)).text, /value="grace-hopper"/)
  const token = tokenOf(invited.json.set_up_url)
  assert.equal((await post('/oauth/setup', { token, ...chosen('grace-hopper') })).status, 400)
  assert.equal((await post('/oauth/setup', { token, ...chosen(GOOD) })).status, 200)
  assert.equal((await post('/oauth/setup', { token, ...chosen(OTHER) })).status, 404)
  const [entry] = await entries('operation=users.set_password&bodies=true')
  assert.deepEqual([entry?.actor['name'], entry?.actor['auth_method']], ['grace-hopper', 'set_up_link'])
  assert.deepEqual(entry?.request, { id: made.json.id, proof: '[secret]', hash: '[secret]' })
})

const change = (name: string, password: string, next: string): Promise<Reply> =>
  post('/oauth/password', { name, password, ...chosen(next) })

test('whoever proves the password changes it, by name or email, and the answer tells no names', async () => {
  assert.equal((await server.gateway('GET', '/oauth/password')).status, 200)
  const wrong = await change('grace-hopper', OTHER, OTHER)
  const unknown = await change('nobody-at-all', OTHER, OTHER)
  assert.deepEqual([wrong.status, unknown.status], [400, 400])
  assert.equal(wrong.text.replace('grace-hopper', ''), unknown.text.replace('nobody-at-all', ''))
  assert.equal((await change('Grace@Example.com', GOOD, OTHER)).status, 200)
  assert.equal((await change('grace-hopper', GOOD, OTHER)).status, 400)

  const failed = await until(
    () => entries('operation=access.sign_in&outcome=denied'),
    (found) => found.length === 2,
  )
  assert.deepEqual(
    failed.map(({ actor, detail }) => [actor['name'], detail]),
    [
      ['grace-hopper', 'wrong password'],
      ['grace-hopper', 'wrong password'],
    ],
  )
  assert.equal((await entries('operation=access.sign_in&outcome=ok')).length, 1)
})

test('a changed password ends what the user had been given by the one before', async () => {
  const { origin } = server.running
  const client = await register(origin)
  const resource = `${origin}/management/v1`
  const browser = new Browser(origin)
  assert.equal((await change('grace-hopper', OTHER, GOOD)).status, 200)
  const { access_token, refresh_token } = await tokensFor(
    origin,
    browser,
    client,
    { resource },
    'grace-hopper',
  )
  const ask = () => server.manage('GET', '/collections', undefined, { token: access_token })
  assert.equal((await ask()).status, 403, 'known, and may do nothing')
  assert.equal((await change('grace-hopper', GOOD, OTHER)).status, 200)
  assert.equal((await ask()).status, 401)
  const again = { grant_type: 'refresh_token', refresh_token, client_id: client }
  assert.equal((await postForm(`${origin}/oauth/token`, again)).status, 400)
  const page = await browser.open(authorization(origin, client, { resource }).url)
  assert.match(page.text, /name="password"/, 'the session has ended too')
})

test('an inactive user proves nothing, and failures make a name wait', async () => {
  await server.manage('POST', '/users/grace-hopper/toggle', { active: false })
  assert.equal((await change('grace-hopper', OTHER, GOOD)).status, 400)
  assert.equal((await server.manage('POST', '/users/grace-hopper/invite', {})).status, 422)
  await server.manage('POST', '/users/grace-hopper/toggle', { active: true })
  // Each wait is twice as long as the one before, so that one of them outlasts the way here however slow that is
  let late = await change('grace-hopper', GOOD, OTHER)
  for (let i = 0; i < 12 && late.status !== 429; i++) late = await change('grace-hopper', GOOD, OTHER)
  late = await change('grace-hopper', OTHER, GOOD)
  assert.equal(late.status, 429)
  const seconds = Number(late.headers.get('retry-after'))
  assert.ok(seconds >= 1)
  server.moveClock(seconds * 1000)
  assert.equal((await change('grace-hopper', OTHER, GOOD)).status, 200)
})

test('who has the data directory gets a link for a new administrator, or for a local user', async () => {
  const fresh = await runCommand(server.data, ['admin', 'reset'])
  assert.equal(fresh.code, 0, fresh.err)
  assert.match((await server.gateway('GET', pathOf(fresh.out.trim()))).text, /Set up the administrator/)
  const known = await runCommand(server.data, ['admin', 'reset', '--user', 'grace@example.com'])
  assert.match((await server.gateway('GET', pathOf(known.out.trim()))).text, /value="grace-hopper"/)
  assert.match((await runCommand(server.data, ['admin', 'reset', '--user', 'none'])).err, /no local user/)
  const [entry] = await entries('operation=set_up_links.create')
  assert.deepEqual(entry?.actor['auth_method'], 'data_directory')
})

test('a user who is deleted takes password and links along', async () => {
  const invited = await server.manage('POST', '/users/grace-hopper/invite', {})
  const link = pathOf(invited.json.set_up_url)
  assert.equal((await server.gateway('GET', link)).status, 200)
  const gone = await server.manage('DELETE', '/users/grace-hopper?confirm=grace-hopper')
  assert.equal(gone.status, 200, gone.text)
  assert.equal((await change('grace-hopper', GOOD, OTHER)).status, 400)
  assert.equal((await server.gateway('GET', link)).status, 404)
})

test('what docs/identity.md shows makes an invitation', async () => {
  assert.equal(await runPage('identity.md', server, {}), 4)
  const { items } = (await server.manage('GET', '/users?email=alan@example.com')).json
  assert.equal(items.length, 1)
})

test('where local sign-in is off there is neither page nor link', async () => {
  await using closed = await startTestServer({ flags: ['--local-sign-in', 'off'] })
  assert.equal(await closed.running.firstLink(), null)
  for (const path of ['/oauth/setup?token=x', '/oauth/password'])
    assert.equal((await call('GET', `${closed.running.gatewayUrl}${path}`)).status, 404)
  assert.match((await runCommand(closed.data, ['admin', 'reset'])).err, /Local sign-in is off/)
  await closed.manage('POST', '/users', { name: 'Ada', slug: 'ada' })
  const invited = await closed.manage('POST', '/users/ada/invite', {})
  assert.equal(invited.status, 422, invited.text)
})
