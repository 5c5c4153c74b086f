/** People and authorization servers that do what they should not around accounts at origins. */
import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { after, before, test } from 'node:test'
import { choose } from '../support/authorization.ts'
import { Browser } from '../support/browser.ts'
import { leaveFrom, signedInBrowser } from '../support/connect.ts'
import { eventually } from '../support/eventually.ts'
import { json, ScriptedServer } from '../support/scripted-as.ts'
import { addUser } from '../support/sign-in.ts'
import { runCommand } from './cli.ts'
import { call, startTestServer, type TestServer } from './server.ts'

let server: TestServer
let notes: ScriptedServer
const browsers: Record<string, Browser> = {}

async function make(path: string, body: object) {
  const made = await server.manage('POST', path, body)
  assert.equal(made.status, 201, made.text)
  return made.json
}

async function makeOrigin(slug: string, members: object = {}): Promise<void> {
  await make('/origins', { name: slug, slug, url: notes.mcp, auth_mode: 'user_oauth', ...members })
  await make('/virtual_mcps', {
    ...{ name: slug, slug, status: 'published', all_users: true },
    members: [{ origin: slug }],
  })
}

const connections = async (query = ''): Promise<{ user: string; origin: string; active: boolean }[]> =>
  (await server.manage('GET', `/connections?all_users=true${query}`)).json.items

before(async () => {
  notes = await new ScriptedServer().listen()
  server = await startTestServer({ workers: 2 })
  await choose(new Browser(server.running.origin), (await server.running.firstLink())!.url, {
    name: 'ann',
    email: 'ann@example.com',
  })
  for (const name of ['bob', 'eve']) await addUser(server, server.running.origin, name)
  for (const name of ['ann', 'bob', 'eve'])
    browsers[name] = await signedInBrowser(server.running.origin, name)
  await makeOrigin('notes')
})
after(async () => {
  await server?.stop()
  await notes?.[Symbol.asyncDispose]()
})

/** Where the browser comes back from the authorization server, not yet opened. */
async function callbackOf(person: string, slug: string): Promise<URL> {
  const browser = browsers[person]!
  const leaving = await leaveFrom(browser, await browser.open(`/connect/${slug}`))
  const link = /<a href="(https?:[^"]+)">Continue to /.exec(leaving.text)?.[1]
  assert.ok(link !== undefined, leaving.text)
  const { headers } = await fetch(link.replaceAll('&#38;', '&'), { redirect: 'manual' })
  return new URL(headers.get('location')!)
}

/** The next code is redeemed only when `meanwhile` is done. */
async function finishWhile(person: string, callback: URL, meanwhile: () => Promise<void>) {
  const held = Promise.withResolvers<ServerResponse>()
  notes.acts.set('/token', (_, outgoing) => {
    notes.acts.delete('/token')
    held.resolve(outgoing)
  })
  const shown = browsers[person]!.open(callback)
  const outgoing = await held.promise
  await meanwhile()
  notes.accessTokens.set('late', { user: person, resource: null })
  json(outgoing, 200, { access_token: 'late', token_type: 'Bearer' })
  return shown
}

test('a person who is offboarded while a code is redeemed is left without an account', async () => {
  const shown = await finishWhile('eve', await callbackOf('eve', 'notes'), async () => {
    const gone = await server.manage('POST', '/users/eve/offboard', { confirm: 'eve' })
    assert.equal(gone.status, 200, gone.text)
  })
  assert.match(shown.text, /You may no longer connect this account/)
  assert.deepEqual(await connections(), [])
  assert.ok(!notes.accessTokens.has('late'))
})

test('an origin that moves while a code is redeemed gets no account', async () => {
  await makeOrigin('moving')
  const shown = await finishWhile('bob', await callbackOf('bob', 'moving'), async () => {
    const moved = await server.manage('PATCH', '/origins/moving', { url: `${notes.url}/elsewhere` })
    assert.equal(moved.status, 200, moved.text)
  })
  assert.match(shown.text, /was changed while you connected/)
  assert.deepEqual(await connections(), [])
})

test('who began to connect before all their sign-ins ended connects nothing after that', async () => {
  const { origin } = server.running
  const callback = await callbackOf('bob', 'notes')
  const { json: invited } = await server.manage('POST', '/users/bob/invite', {})
  await choose(new Browser(origin), invited.set_up_url, {})
  browsers['bob'] = await signedInBrowser(origin, 'bob')
  const shown = await browsers['bob'].open(callback)
  assert.match(shown.text, /Your sign-in has ended since you began/)
  assert.deepEqual(await connections(), [])
})

test('a callback of another person connects nothing, and the code is not redeemed', async () => {
  const callback = await callbackOf('ann', 'notes')
  const redeemed = notes.times('/token')
  const shown = await browsers['bob']!.open(callback)
  assert.match(shown.text, /Another person has begun/)
  const replayed = await browsers['ann']!.open(callback)
  assert.match(replayed.text, /unknown, used or older/)
  assert.equal(notes.times('/token'), redeemed)
  assert.deepEqual(await connections(), [])
})

test('an administrator of some users neither switches nor ends the account of all callers', async () => {
  await make('/origins', { name: 'Company', slug: 'company', url: notes.mcp, auth_mode: 'shared_oauth' })
  await browsers['ann']!.open(await callbackOf('ann', 'company'))
  assert.equal((await connections('&origin=company')).length, 1)
  await make('/collections', { name: 'Payments', slug: 'payments', base_path: '/payments' })
  const issued = await runCommand(server.data, ['token', '--grant', 'admin@payments', '--name', 'Part'])
  assert.equal(issued.code, 0, issued.err)
  const body = { origin: 'company', shared: true }
  for (const [action, members] of Object.entries({ toggle: { active: false }, disconnect: {} })) {
    const token = issued.out.trim()
    const refused = await server.manage('POST', `/connections/${action}`, { ...body, ...members }, { token })
    assert.equal(refused.status, 403, refused.text)
    assert.equal(refused.json.permission, 'origins:update')
  }
  assert.deepEqual(
    (await connections('&origin=company')).map(({ active }) => active),
    [true],
  )
})

const HOSTILE: Readonly<Record<string, string>> = {
  'back to another site': '/connect/notes?back=//evil.example',
  'back with an encoded slash': '/connect/notes?back=%2foauth%2finteraction%2f..%2f..%2f..%2f%2fevil.example',
  'back with a backslash': '/connect/notes?back=%5c%5cevil.example',
  'back with a line break': '/connect/notes?back=/oauth/interaction/a%0d%0aLocation:%20https://evil.example',
  'markup in the mark': '/connect/notes?for=%22%3E%3Cscript%3Ealert(1)%3C/script%3E.evil.example',
  'markup in the slug': '/connect/%3Cscript%3Eevil.example',
  'two slashes': '//evil.example/connect',
  'markup in the callback': '/connect/callback?state=x&error=%3Cscript%3E&error_description=evil.example',
}
for (const [what, path] of Object.entries(HOSTILE))
  test(`${what} leads nowhere and is not shown`, async () => {
    const { status, url, text } = await browsers['ann']!.open(server.running.origin + path)
    assert.ok(status < 500, text)
    assert.equal(url.origin, server.running.origin)
    assert.doesNotMatch(text, /<script>|(?:href|action|content|value)="[^"]*evil/)
  })

test('a page to switch the person leads back below /connect alone', async () => {
  const outside = [
    '//evil.example',
    '/\\evil.example',
    '/connect/../..//evil.example',
    'https://evil.example',
  ]
  for (const to of [...outside, '/connect\r\nx: y', '/connect/a?\u2028', '/connect.evil.example']) {
    const url = `${server.running.origin}/connect/-/switch?to=${encodeURIComponent(to)}`
    const { status, headers } = await call('GET', url)
    assert.equal(status, 303)
    const state = new URL(headers.get('location')!).searchParams.get('state')!
    assert.equal(Buffer.from(state.split('.')[0]!, 'base64url').toString(), '/connect')
  }
})

test('a form of another site, or of another session, changes nothing', async () => {
  const page = await browsers['ann']!.open('/connect/notes')
  const csrf = /name="csrf" value="([^"]+)"/.exec(page.text)![1]!
  const shown = await browsers['bob']!.submit(await browsers['bob']!.open('/connect/notes'), {
    do: 'connect',
    csrf,
  })
  assert.equal(shown.status, 403)
  await eventually(async () => (await connections('&origin=notes')).length === 0)
})

test('a person who begins again and again is told to wait, and pushes out nobody else', async () => {
  const callback = await callbackOf('ann', 'notes')
  for (let at = 0; at < 20; at++) await callbackOf('bob', 'notes')
  const browser = browsers['bob']!
  const refused = await leaveFrom(browser, await browser.open('/connect/notes'))
  assert.match(refused.text, /Too many accounts are being connected/)
  const shown = await browsers['ann']!.open(callback)
  assert.equal(shown.url.pathname, '/connect/notes', shown.text)
})
