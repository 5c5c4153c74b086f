/** Attacks on sign-ins, accounts at origins and agents: each is refused, and the audit trail says so. */
import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { startLegacyOrigin } from '../mcp/legacy.ts'
import { addAgent, exchange } from '../support/agents.ts'
import { choose, postForm } from '../support/authorization.ts'
import { Browser } from '../support/browser.ts'
import { connect, leaveFrom, signedInBrowser } from '../support/connect.ts'
import { eventually } from '../support/eventually.ts'
import { type GuardedOrigin, startGuardedOrigin } from '../support/guarded-origin.ts'
import { Issuer, signingKey } from '../support/issuer.ts'
import { ScriptedServer } from '../support/scripted-as.ts'
import { addUser, authorize, message, REDIRECT, signIn, signInAtProvider } from '../support/sign-in.ts'
import { startTestServer, type TestServer } from './server.ts'

interface Entry {
  readonly actor: { readonly type: string; readonly name: string }
  readonly resource: { readonly type: string; readonly slug: string | null }
  readonly surface: string
  readonly time: string
  readonly outcome: string
  readonly error: string | null
  readonly detail: string | null
  readonly ip: string | null
  readonly count: number
  readonly diff: readonly { readonly path: string; readonly value?: unknown }[]
}

const MINUTE = 60_000
let server: TestServer
let notes: ScriptedServer
let mail: GuardedOrigin
let issuer: Issuer
let tools: Awaited<ReturnType<typeof startLegacyOrigin>>
let base: string
const browsers: Record<string, Browser> = {}

/** As the test server, with a token of an administrator that outlives the clock of one test. */
const admin = {
  token: '',
  manage: (...[method, path, body, options]: Parameters<TestServer['manage']>) =>
    server.manage(method, path, body, { token: admin.token, ...options }),
}
async function renew(): Promise<void> {
  admin.token = (await server.running.issueToken({ role: 'admin', ttl: '1h', name: 'test' })).token
}
beforeEach(renew)

/** Does work at a later time, and comes back. */
async function later(ms: number, work: () => Promise<void>): Promise<void> {
  server.moveClock(ms)
  await renew()
  await work()
  server.moveClock(-ms)
  await renew()
}

const at = (slug: string): string => `${base}/mcp/${slug}`

async function make(path: string, body: object): Promise<string> {
  const made = await admin.manage('POST', path, body)
  assert.equal(made.status, 201, made.text)
  return made.json.id
}

/** Entries of an operation, the last first. */
async function entries(operation: string): Promise<readonly Entry[]> {
  const { status, json, text } = await admin.manage('GET', `/audit?operation=${operation}`)
  assert.equal(status, 200, text)
  return json.items
}

/** Waits for an entry that is gathered for a minute. */
async function gathered(
  operation: string,
  fits: (entry: Entry, all: readonly Entry[]) => boolean,
): Promise<Entry> {
  let found: Entry | undefined
  let movedAt = 0
  let moved = 0
  try {
    await eventually(async () => {
      // Threads report once a second, and a minute is written when it is over
      if (performance.now() - movedAt > 1500) {
        movedAt = performance.now()
        server.moveClock(MINUTE)
        moved += MINUTE
      }
      const all = await entries(operation)
      found = all.find((one) => fits(one, all))
      return found !== undefined
    })
  } finally {
    server.moveClock(-moved)
  }
  return found!
}

const factOf = ({ diff }: Entry, name: string): unknown => diff.find(({ path }) => path === `/${name}`)?.value
const list = (slug: string, token: string) => message(at(slug), token, 'tools/list')

before(async () => {
  notes = await new ScriptedServer().listen()
  mail = await startGuardedOrigin()
  tools = await startLegacyOrigin()
  issuer = await new Issuer(signingKey('corporate')).listen()
  const provider = { issuer: issuer.url, 'client-id': 'postern', 'client-secret': 'secret' }
  server = await startTestServer({
    workers: 2,
    flags: Object.entries(provider).flatMap(([name, value]) => [`--oidc-${name}`, value]),
  })
  admin.token = server.adminToken
  base = server.running.gatewayUrl.replace('127.0.0.1', 'localhost')
  await choose(new Browser(server.running.origin), (await server.running.firstLink())!.url, {
    name: 'ann',
    email: 'ann@example.com',
  })
  await addUser(admin, server.running.origin, 'bob')
  for (const name of ['ann', 'bob']) browsers[name] = await signedInBrowser(server.running.origin, name)
  await make('/origins', { name: 'Notes', slug: 'notes', url: notes.mcp, auth_mode: 'user_oauth' })
  await make('/origins', { name: 'Mail', slug: 'mail', url: mail.url, auth_mode: 'user_oauth' })
  await make('/origins', { name: 'Tools', slug: 'tools', url: tools.url })
  await make('/teams', { name: 'Devs', slug: 'devs', idp_groups: ['devs'] })
  const published = { status: 'published', members: [{ origin: 'tools' }] }
  for (const slug of ['desk', 'other'])
    await make('/virtual_mcps', { ...published, name: slug, slug, all_users: true })
  await make('/virtual_mcps', { ...published, name: 'Lab', slug: 'lab', teams: ['devs'] })
  await make('/virtual_mcps', {
    ...{ name: 'Paper', slug: 'paper', status: 'published', all_users: true },
    members: [{ origin: 'notes' }, { origin: 'mail' }],
  })
  await make('/hosts', { name: 'Nightly', slug: 'nightly' })
})
after(async () => {
  await server?.stop()
  await Promise.all([notes, mail, tools, issuer].map((one) => one?.[Symbol.asyncDispose]()))
})

/** Codes that Postern has redeemed at the origin. */
const redeemedCodes = (): number =>
  notes.forms.filter(({ form }) => form.get('grant_type') === 'authorization_code').length

/** Where the browser comes back from the authorization server of the origin, not yet opened. */
async function callbackOf(person: string): Promise<URL> {
  const browser = browsers[person]!
  const leaving = await leaveFrom(browser, await browser.open('/connect/notes'))
  const link = /<a href="(https?:[^"]+)">Continue to /.exec(leaving.text)?.[1]
  assert.ok(link !== undefined, leaving.text)
  const { headers } = await fetch(link.replaceAll('&#38;', '&'), { redirect: 'manual' })
  return new URL(headers.get('location')!)
}

const redeem = (form: Readonly<Record<string, string>>) =>
  postForm(`${base}/oauth/token`, { grant_type: 'authorization_code', redirect_uri: REDIRECT, ...form })

test('authorization code injection: a code of another client, or without its verifier, gets no token, and is counted by source', async () => {
  const { page, browser, clientId, verifier } = await authorize(at('desk'), 'ann')
  const code = (await browser.submit(page, { do: 'allow' })).url.searchParams.get('code')!
  const { clientId: other } = await signIn(at('desk'), 'bob', { client: 'Thief' })
  for (const form of [
    { client_id: other, code_verifier: verifier },
    { client_id: clientId, code_verifier: 'x'.repeat(43) },
  ]) {
    const { status, body } = await redeem({ ...form, code, resource: at('desk') })
    assert.deepEqual([status, body.error, body.access_token], [400, 'invalid_grant', undefined])
  }
  // A minute may end in between
  const { actor, ip, error } = await gathered('access.authenticate', ({ detail }, all) => {
    const same = all.filter((one) => one.detail === detail)
    return detail === 'grant: invalid_grant' && same.reduce((sum, { count }) => sum + count, 0) >= 2
  })
  assert.deepEqual([actor.type, ip !== null, error], ['anonymous', true, 'credential_invalid'])
})

test('authorization code injection: a code that came again ends what it gave, in the name of its person', async () => {
  const { page, browser, clientId, verifier } = await authorize(at('desk'), 'ann')
  const code = (await browser.submit(page, { do: 'allow' })).url.searchParams.get('code')!
  const form = { client_id: clientId, code_verifier: verifier, code, resource: at('desk') }
  const { body } = await redeem(form)
  assert.equal((await list('desk', body.access_token)).status, 200)
  assert.equal((await redeem(form)).body.error, 'invalid_grant')
  assert.equal((await list('desk', body.access_token)).status, 401)
  const [entry] = await entries('oauth.revoke')
  assert.equal(entry!.actor.name, 'ann')
  assert.match(String(factOf(entry!, 'reason')), /was used a second time/)
})

test('authorization code injection: a code in a callback that the person has not begun connects nothing, and is audited', async () => {
  const redeemed = redeemedCodes()
  const shown = await browsers['ann']!.open(`/connect/callback?code=stolen&state=${'x'.repeat(43)}`)
  assert.match(shown.text, /unknown, used or older/)
  assert.equal(redeemedCodes(), redeemed)
  const [entry] = await entries('oauth.connect')
  assert.deepEqual([entry!.actor.name, entry!.outcome], ['ann', 'denied'])
  assert.match(String(factOf(entry!, 'fault')), /unknown, used or older/)
})

test('state reuse: a callback works once, and the second time is audited', async () => {
  const callback = await callbackOf('ann')
  const first = await browsers['ann']!.open(callback)
  assert.equal(first.url.pathname, '/connect/notes', first.text)
  const redeemed = redeemedCodes()
  const again = await browsers['ann']!.open(callback)
  assert.match(again.text, /unknown, used or older/)
  assert.equal(redeemedCodes(), redeemed)
  const [entry] = await entries('oauth.connect')
  assert.deepEqual([entry!.actor.name, entry!.outcome], ['ann', 'denied'])
})

test('state reuse: a callback of the identity provider that nobody waits for signs nobody in, and is counted', async () => {
  const shown = await new Browser(base).open('/oauth/callback?code=stolen&state=made-up')
  assert.equal(shown.status, 401)
  await gathered(
    'access.authenticate',
    ({ surface, detail }) => surface === 'oauth' && /state/.test(detail ?? ''),
  )
})

test('token of resource A at B: it is refused at each other endpoint, and the entry names the endpoint', async () => {
  const { accessToken } = await signIn(at('desk'), 'ann')
  assert.equal((await list('desk', accessToken)).status, 200)
  assert.equal((await list('other', accessToken)).status, 401)
  const management = await admin.manage('GET', '/users', undefined, { token: accessToken })
  assert.equal(management.status, 401)
  const entry = await gathered('access.authenticate', ({ resource }) => resource.slug === 'other')
  assert.deepEqual(
    [entry.surface, entry.error, entry.actor.type],
    ['virtual_mcp', 'credential_invalid', 'anonymous'],
  )
  assert.match(entry.detail!, /audience/)
  await gathered('access.authenticate', ({ surface }) => surface === 'management_api')
})

test('token of resource A at B: an agent cannot exchange it, and the entry names the agent', async () => {
  const agent = await addAgent(admin, {
    ...{ slug: 'people', host: 'nightly', virtual_mcp: 'desk' },
    acts_for: { users: ['ann'] },
  })
  const { accessToken } = await signIn(at('other'), 'ann')
  const refused = await exchange(base, agent, { subject_token: accessToken })
  assert.equal(refused.body.error, 'invalid_grant')
  const [entry] = await entries('oauth.issue_token')
  assert.deepEqual([entry!.actor.type, entry!.actor.name], ['service', 'nightly'])
  assert.deepEqual([entry!.outcome, entry!.error], ['denied', 'invalid_grant'])
})

test('a secret that is wrong is never noted in the name of the agent', async () => {
  const { id } = await addAgent(admin, { slug: 'victim', host: 'nightly', virtual_mcp: 'desk' })
  const before = (await entries('oauth.issue_token')).length
  const refused = await exchange(base, { id, secret: 'pst_ht_wrong' }, { subject_token: 'x' })
  assert.equal(refused.body.error, 'invalid_client')
  assert.equal((await entries('oauth.issue_token')).length, before)
  await gathered('access.authenticate', ({ detail }) => detail === 'grant: invalid_client')
})

test('stolen refresh token: a token that was replaced ends the sign-in of the thief and of the person, and is audited', async () => {
  const { clientId, refreshToken } = await signIn(at('desk'), 'ann')
  const refresh = (token: string) =>
    postForm(`${base}/oauth/token`, {
      grant_type: 'refresh_token',
      client_id: clientId,
      refresh_token: token,
    })
  const second = await refresh(refreshToken)
  const third = await refresh(second.body.refresh_token)
  assert.equal((await list('desk', third.body.access_token)).status, 200)
  assert.equal((await refresh(refreshToken)).body.error, 'invalid_grant')
  assert.equal((await list('desk', third.body.access_token)).status, 401)
  assert.equal((await refresh(third.body.refresh_token)).body.error, 'invalid_grant')
  const [entry] = await entries('oauth.revoke')
  assert.deepEqual([entry!.actor.type, entry!.actor.name], ['user', 'ann'])
  assert.match(String(factOf(entry!, 'reason')), /was used a second time/)
})

test('cross-site request: a form of another session at /connect changes nothing, and is audited', async () => {
  const page = await browsers['ann']!.open('/connect/notes')
  const csrf = /name="csrf" value="([^"]+)"/.exec(page.text)![1]!
  const bob = browsers['bob']!
  const refused = await bob.submit(await bob.open('/connect/notes'), { do: 'disconnect', csrf })
  assert.equal(refused.status, 403)
  const [entry] = await entries('oauth.connect')
  assert.deepEqual([entry!.actor.name, entry!.resource.slug, entry!.outcome], ['bob', 'notes', 'denied'])
  assert.match(String(factOf(entry!, 'fault')), /another site/)
})

test('cross-site request: a form without the cookie of a session is refused, and is counted', async () => {
  for (const path of ['/connect/notes', '/oauth/interaction/made-up']) {
    const headers = { 'content-type': 'application/x-www-form-urlencoded', origin: 'https://evil.example' }
    const { status } = await fetch(base + path, { method: 'POST', headers, body: 'do=allow&csrf=x' })
    assert.ok(status === 403 || status === 400, `${path} ${status}`)
  }
  await gathered('access.authenticate', ({ detail }) => detail === 'connect: a form without a session')
  await gathered(
    'access.authenticate',
    ({ detail }) => detail === 'sign-in: a page that has expired, or of another browser',
  )
})

test('cross-site consent: a form that is not of its page allows nothing and is audited, and no page shows in a frame', async () => {
  const { page, browser } = await authorize(at('desk'), 'ann', { client: 'Framed' })
  const refused = await browser.submit(page, { do: 'allow', csrf: 'of-another-page' })
  assert.equal(refused.status, 403)
  const [entry] = await entries('oauth.consent')
  assert.deepEqual([entry!.actor.name, entry!.outcome], ['ann', 'denied'])
  assert.match(String(factOf(entry!, 'fault')), /another site/)
  for (const path of [page.url.pathname, '/connect', '/connect/notes', '/oauth/device']) {
    const { headers } = await fetch(new URL(path, base), { redirect: 'manual' })
    const isPage = headers.get('content-type')?.startsWith('text/html') === true
    if (isPage) assert.match(headers.get('content-security-policy')!, /frame-ancestors 'none'/, path)
  }
})

test('connect link of another person: it connects nothing, and the entry names the person who opened it', async () => {
  mail.account = 'ann-at-mail'
  await connect(browsers['ann']!, 'mail')
  const { accessToken } = await signIn(at('paper'), 'bob')
  let link: string | undefined
  await eventually(async () => {
    const { json } = await message(at('paper'), accessToken, 'tools/call', { name: 'whoami', arguments: {} })
    link = json?.result?.structuredContent?.connect_url
    return link !== undefined
  })
  const shown = await browsers['ann']!.open(link!)
  assert.equal(shown.status, 403)
  assert.doesNotMatch(shown.text, /bob/)
  const [entry] = await entries('oauth.connect')
  assert.deepEqual([entry!.actor.name, entry!.resource.slug, entry!.outcome], ['ann', 'mail', 'denied'])
  assert.match(String(factOf(entry!, 'fault')), /another person/)
})

test('host token beyond its binding: another endpoint and a tool that the binding leaves out are refused, and both are noted', async () => {
  const { secret } = await addAgent(admin, {
    ...{ slug: 'part', host: 'nightly', virtual_mcp: 'desk' },
    capabilities: { tools: [], prompts: [] },
  })
  assert.equal((await list('other', secret)).status, 401)
  const elsewhere = await gathered(
    'access.authenticate',
    ({ resource, detail }) => resource.slug === 'other' && !/audience/.test(detail ?? ''),
  )
  assert.equal(elsewhere.actor.type, 'anonymous')
  const called = await message(at('desk'), secret, 'tools/call', { name: 'progress', arguments: {} })
  assert.match(called.json.error.message, /Unknown tool/)
  const beyond = await gathered(
    'access.use',
    ({ detail }) => detail === 'beyond the capabilities of the binding',
  )
  assert.deepEqual(
    [beyond.actor.type, beyond.actor.name, beyond.resource.slug, beyond.outcome],
    ['service', 'nightly', 'desk', 'denied'],
  )
})

test('a name that does not exist is no attack: it is recorded and not audited', async () => {
  const { id, secret } = await addAgent(admin, {
    ...{ slug: 'typo', host: 'nightly', virtual_mcp: 'desk' },
    capabilities: { tools: [{ glob: 'none*' }] },
  })
  await message(at('desk'), secret, 'tools/call', { name: 'no_such_tool', arguments: {} })
  await message(at('desk'), secret, 'tools/call', { name: 'progress', arguments: {} })
  // Both were reported together, if at all
  const { count } = await gathered('access.use', (entry) => factOf(entry, 'profile') === id)
  assert.equal(count, 1)
})

test('group removed at the identity provider: the next sign-in takes the endpoint away from earlier tokens, and each step is in the trail', async () => {
  issuer.person = { sub: 'cleo', name: 'Cleo', email: 'cleo@example.com', groups: ['devs'] }
  const { accessToken } = await signInAtProvider(at('lab'))
  assert.equal((await list('lab', accessToken)).status, 200)
  issuer.person = { ...issuer.person, groups: [] }
  const { body, url } = await refusedAtProvider(at('lab'))
  assert.match(`${url} ${body}`, /access_denied/)
  assert.equal((await list('lab', accessToken)).status, 404)
  const [arrived] = await entries('users.arrive')
  assert.ok(
    arrived!.diff.some(({ path }) => path.includes('groups')),
    JSON.stringify(arrived),
  )
  const [consent] = await entries('oauth.consent')
  assert.deepEqual([consent!.actor.name, consent!.outcome], ['cleo', 'denied'])
  const used = await gathered('access.use', ({ resource }) => resource.slug === 'lab')
  assert.deepEqual([used.actor.type, used.actor.name, used.error], ['user', 'cleo', 'not_found'])
})

test('a flood of refused tokens at an MCP endpoint is one entry for each minute and reason, and access tokens at their end are none', async () => {
  const { accessToken } = await signIn(at('desk'), 'ann')
  await later(16 * MINUTE, async () => {
    assert.equal((await list('desk', accessToken)).status, 401)
  })
  const before = (await entries('access.authenticate')).length
  await Promise.all(Array.from({ length: 60 }, () => list('desk', 'pst_ht_made-up')))
  const { count } = await gathered('access.authenticate', ({ resource }) => resource.slug === 'desk')
  const since = (await entries('access.authenticate')).slice(0, -before || undefined)
  assert.ok(since.length <= 8, `${since.length} entries, the last of ${count}`)
  assert.ok(!since.some(({ error }) => error === 'credential_expired'))
})

test('expired share: the token of a binding at its end is refused, and noted with the endpoint', async () => {
  const { secret } = await addAgent(admin, {
    ...{ slug: 'short', host: 'nightly', virtual_mcp: 'other' },
    expires_in: '1h',
  })
  assert.equal((await list('other', secret)).status, 200)
  await later(60 * MINUTE, async () => {
    assert.equal((await list('other', secret)).status, 401)
    const { resource, detail } = await gathered(
      'access.authenticate',
      ({ error }) => error === 'credential_expired',
    )
    assert.equal(resource.slug, 'other')
    assert.match(detail!, /expired/)
  })
})

test('expired share: a client whose validity has ended is refused, and noted', async () => {
  const id = await make('/clients', {
    ...{ name: 'Partner', slug: 'partner', virtual_mcps: ['desk'] },
    valid_until: new Date(Date.now() + 24 * 60 * MINUTE).toISOString(),
  })
  const made = await admin.manage('POST', '/profiles', {
    ...{ client: 'partner', name: 'Key', slug: 'key', auth: { type: 'token', expires_in: null } },
  })
  const { token } = made.json
  assert.equal((await list('desk', token)).status, 200, made.text)
  await later(25 * 60 * MINUTE, async () => {
    assert.equal((await list('desk', token)).status, 403)
    const { detail } = await gathered('access.authenticate', ({ error }) => error === 'client_inactive')
    assert.match(detail!, /validity of the client has ended/)
  })
  assert.ok(id.startsWith('cli_'))
})

test('expired share: a grant at its end permits nothing, and each attempt is audited', async () => {
  await make('/service_identities', { name: 'Temp', slug: 'temp' })
  const { json: secret } = await admin.manage('POST', '/service_identities/temp/issue_secret', {})
  const now = async () => Date.parse((await entries('service_identities.create'))[0]!.time)
  await make('/grants', {
    ...{ name: 'Temp reads', service_identity: 'temp', role: 'viewer' },
    expires_at: new Date((await now()) + 10 * MINUTE).toISOString(),
  })
  const { body } = await postForm(`${base}/oauth/token`, {
    ...{ grant_type: 'client_credentials', client_id: 'temp', client_secret: secret.client_secret },
    resource: `${base}/management/v1`,
  })
  const read = () => admin.manage('GET', '/policies', undefined, { token: body.access_token })
  const allowed = await read()
  assert.equal(allowed.status, 200, `${allowed.text} ${JSON.stringify(body)}`)
  await later(11 * MINUTE, async () => {
    assert.equal((await read()).status, 403)
    const [entry] = await entries('policies.list')
    assert.deepEqual([entry!.actor.name, entry!.outcome], ['temp', 'denied'])
  })
})

/** The sign-in of a person with whom the endpoint is not shared. */
async function refusedAtProvider(endpoint: string): Promise<{ url: string; body: string }> {
  const browser = new Browser(new URL(endpoint).origin)
  const { page } = await authorize(endpoint, '', { browser })
  const link = /href="([^"]+\/provider)"/.exec(page.text)!
  const left = await browser.open(new URL(link[1]!, page.url))
  const { headers } = await fetch(left.url, { redirect: 'manual' })
  const back = new URL(headers.get('location')!)
  const shown = await browser.open(new URL(back.pathname + back.search, endpoint))
  return { url: shown.url.href, body: shown.text }
}
