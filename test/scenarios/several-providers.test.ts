/** People of two identity providers at one Postern: who they are, what they may do, and how they come in. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type LegacyOrigin, startLegacyOrigin } from '../mcp/legacy.ts'
import type { Browser } from '../support/browser.ts'
import { eventually } from '../support/eventually.ts'
import type { Issuer } from '../support/issuer.ts'
import { authorize, message } from '../support/sign-in.ts'
import {
  answerOf,
  askForManagement,
  leaveTo,
  managementToken,
  mcpTokens,
  providerLinks,
  startTwoProviders,
  type TwoProviders,
  throughProvider,
} from '../support/two-providers.ts'

import { startTestServer } from './server.ts'

let its: TwoProviders
let tools: LegacyOrigin
let desk: string

async function make(path: string, body: object): Promise<string> {
  const made = await its.server.manage('POST', path, body)
  assert.equal(made.status, 201, made.text)
  return made.json.id
}
interface User {
  readonly id: string
  readonly slug: string
  readonly issuer: string
  readonly subject: string
  readonly email: string | null
  readonly groups: readonly string[]
  readonly mapped_grants: readonly string[]
}
const users = async (subject: string): Promise<User[]> => {
  const { json } = await its.server.manage('GET', '/users')
  return (json.items as User[]).filter((user) => user.subject === subject)
}
const statusOf = async (token: string, path: string): Promise<number> =>
  (await its.server.manage('GET', path, undefined, { token })).status

before(async () => {
  tools = await startLegacyOrigin()
  its = await startTwoProviders({
    entry: { role_map: ['group:devs=viewer:policies', 'group:partner-leads=viewer:clients'] },
    flags: ['--oidc-role-map', 'group:devs=viewer:collections; group:partner-leads=admin'],
  })
  desk = `${its.origin}/mcp/desk`
  await make('/teams', { name: 'Ours', slug: 'ours', idp_groups: ['devs'] })
  await make('/teams', { name: 'Theirs', slug: 'theirs', idp_groups: ['partner/devs'] })
  await make('/origins', { name: 'Old', slug: 'old', url: tools.url })
  for (const [slug, team] of [
    ['desk', 'theirs'],
    ['vault', 'ours'],
  ])
    await make('/virtual_mcps', {
      ...{ name: slug, slug, status: 'published', members: [{ origin: 'old' }], teams: [team] },
    })
})
after(async () => {
  await its?.[Symbol.asyncDispose]()
  await tools?.[Symbol.asyncDispose]()
})

test('the sign-in page has a button for each provider, and each provider gets a callback of its own', async () => {
  const { browser, page } = await askForManagement(its.origin)
  assert.deepEqual(providerLinks(page), { '': new URL(its.company.url).host, '/partner': 'Partner Ltd' })
  for (const [slug, issuer, clientId, callback] of [
    ['', its.company, 'postern', '/oauth/callback'],
    ['partner', its.partner, 'postern-at-partner', '/oauth/callback/partner'],
  ] as const) {
    const { url } = await leaveTo(browser, page, slug)
    assert.equal(url.origin, issuer.url)
    assert.equal(url.searchParams.get('client_id'), clientId)
    assert.equal(url.searchParams.get('redirect_uri'), its.server.running.origin + callback)
  }
})

test('the same subject at two providers is two users, and the same email merges nobody', async () => {
  const person = { sub: 'ada', name: 'Ada Lovelace', email: 'ada@example.com', groups: ['devs'] }
  for (const issuer of [its.company, its.partner]) issuer.person = person
  const [ours, theirs] = [await managementToken(its.origin, ''), await managementToken(its.origin, 'partner')]
  const found = await users('ada')
  const of = (issuer: string) => found.find((user) => user.issuer === issuer)!
  assert.equal(found.length, 2)
  assert.notEqual(of(its.company.url).id, of(its.partner.url).id)
  assert.deepEqual([of(its.company.url).email, of(its.partner.url).email], ['ada@example.com', null])
  assert.deepEqual([of(its.company.url).groups, of(its.partner.url).groups], [['devs'], ['partner/devs']])
  const trail = await its.server.manage('GET', '/audit?operation=access.sign_in')
  assert.deepEqual(
    trail.json.items.slice(0, 2).map((entry: { detail: string }) => entry.detail),
    [its.partner, its.company].map(({ url }) => `Signed in at ${url}.`),
  )
  // Each by the role map of its own provider alone
  assert.deepEqual(
    [of(its.company.url).mapped_grants, of(its.partner.url).mapped_grants],
    [['viewer:collections'], ['viewer:policies']],
  )
  assert.deepEqual([await statusOf(ours, '/collections'), await statusOf(ours, '/policies')], [200, 403])
  assert.deepEqual([await statusOf(theirs, '/collections'), await statusOf(theirs, '/policies')], [403, 200])
})

test('a rule of the first provider gives nothing to people of the partner', async () => {
  its.partner.person = { sub: 'mallory', groups: ['partner-leads'] }
  const token = await managementToken(its.origin, 'partner')
  assert.deepEqual([await statusOf(token, '/clients'), await statusOf(token, '/users')], [200, 403])
})

test('a person of the partner signs in to the virtual MCP of their team by its URL alone, and calls it', async () => {
  its.partner.person = { sub: 'grace', name: 'Grace Hopper', groups: ['devs'] }
  const { access_token: token } = await mcpTokens(desk, 'partner')
  const listed = await message(desk, token, 'tools/list')
  assert.equal(listed.status, 200, listed.text)
  assert.ok(listed.json.result.tools.length > 0)
  const called = await message(desk, token, 'tools/call', { name: 'fail' })
  assert.match(called.json.result.content[0].text, /./, called.text)
})

test('a group of a provider opens no team that names a group of the other provider', async () => {
  for (const [slug, issuer, mine, other] of [
    ['', its.company, 'vault', 'desk'],
    ['partner', its.partner, 'desk', 'vault'],
  ] as const) {
    issuer.person = { sub: 'linus', groups: ['devs'] }
    const { access_token: token } = await mcpTokens(`${its.origin}/mcp/${mine}`, slug)
    assert.equal((await message(`${its.origin}/mcp/${mine}`, token, 'tools/list')).status, 200)
    const { page, browser } = await authorize(`${its.origin}/mcp/${other}`, '')
    const refused = await throughProvider(browser, page, slug)
    assert.equal(refused.url.searchParams.get('error') ?? refused.status, 'access_denied', refused.url.href)
  }
})

test('a group of the first provider that is written like one of the partner is left out', async () => {
  its.company.person = { sub: 'eve', groups: ['partner/devs', 'partners', 'devs'] }
  await managementToken(its.origin, '')
  const [eve] = await users('eve')
  assert.deepEqual(eve?.groups, ['partners', 'devs'])
})

/** Opens a callback as the browser of the person, and says why that was refused. */
async function refusedAt(path: string, back: URL, browser: Browser): Promise<string> {
  const shown = await browser.open(new URL(`${path}${back.search}`, its.server.running.origin))
  assert.equal(shown.status, 401, shown.text)
  assert.doesNotMatch(shown.text, /state|iss|another/)
  const [, requestId] = /request id <code>(req_[0-9a-z]+)<\/code>/.exec(shown.text)!
  return its.server.log.find((line) => line.includes(requestId!)) ?? ''
}

test('a state and a code of a provider are refused at the callback of another one, and that is audited', async () => {
  for (const [slug, own, other] of [
    ['', '/oauth/callback', '/oauth/callback/partner'],
    ['partner', '/oauth/callback/partner', '/oauth/callback'],
  ] as const) {
    const { browser, page } = await askForManagement(its.origin)
    const back = await answerOf(await leaveTo(browser, page, slug))
    assert.equal(back.pathname, own)
    assert.match(await refusedAt(other, back, browser), /a state of another provider/)
    // It is spent by that
    assert.match(await refusedAt(own, back, browser), /an unknown, used or late state/)
  }
  its.server.moveClock(61_000)
  await eventually(async () => {
    const { text } = await its.server.manage('GET', '/audit?operation=access.authenticate')
    return text.includes(`a state of another provider, ${its.company.url}`)
  })
})

test('an answer that names another issuer is refused at each callback', async () => {
  for (const [slug, issuer, other, path] of [
    ['', its.company, its.partner, '/oauth/callback'],
    ['partner', its.partner, its.company, '/oauth/callback/partner'],
  ] as const) {
    issuer.callback = { iss: other.url }
    const { browser, page } = await askForManagement(its.origin)
    const back = await answerOf(await leaveTo(browser, page, slug))
    issuer.callback = {}
    assert.match(await refusedAt(path, back, browser), /unexpected "iss"/)
  }
})

test('a code of one provider in an answer of the other one brings nobody in', async () => {
  const { browser, page } = await askForManagement(its.origin)
  const stolen = await answerOf(await leaveTo(browser, page, 'partner'))
  const back = await answerOf(await leaveTo(browser, page, ''))
  back.searchParams.set('code', stolen.searchParams.get('code')!)
  const forged = await refusedAt('/oauth/callback', back, browser)
  assert.match(forged, /invalid_grant/)
})

test('a callback and a button of no provider are pages that say so', async () => {
  const { browser, page } = await askForManagement(its.origin)
  for (const url of [
    new URL('/oauth/callback/nobody?code=a&state=b', page.url),
    new URL('/oauth/callback/partner/more?code=a&state=b', page.url),
    new URL(`${page.url.pathname}/provider/nobody`, page.url),
  ]) {
    const shown = await browser.open(url)
    assert.equal(shown.status, 404, url.href)
    assert.match(shown.text, /There is no such identity provider/)
  }
})

test('a provider that is down stops nobody who signs in at the other one', async () => {
  const { url } = its.partner
  await its.partner[Symbol.asyncDispose]()
  its.server.moveClock(10 * 60_000)
  const { browser, page } = await askForManagement(its.origin)
  const failed = await throughProvider(browser, page, 'partner')
  assert.equal(failed.status, 503, failed.text)
  assert.ok(its.server.log.some((line) => line.includes(`provider ${url} fails for every user`)))
  its.company.person = { sub: 'ken', groups: ['devs'] }
  assert.equal(await statusOf(await managementToken(its.origin, ''), '/collections'), 200)
  await its.partner.listen(Number(new URL(url).port))
  its.partner.person = { sub: 'ken', groups: ['devs'] }
  assert.equal(await statusOf(await managementToken(its.origin, 'partner'), '/policies'), 200)
})

test('offboarding ends a person of either provider, and only that person', async () => {
  const tokens = new Map<string, string>()
  for (const [slug, issuer] of [
    ['', its.company],
    ['partner', its.partner],
  ] as const) {
    issuer.person = { sub: 'joan', groups: ['devs'] }
    tokens.set(issuer.url, await managementToken(its.origin, slug))
  }
  const whoami = (issuer: Issuer) => statusOf(tokens.get(issuer.url)!, '/whoami')
  for (const issuer of [its.partner, its.company]) {
    assert.equal(await whoami(issuer), 200)
    const { id, slug } = (await users('joan')).find((user) => user.issuer === issuer.url)!
    const done = await its.server.manage('POST', `/users/${id}/offboard`, { confirm: slug })
    assert.equal(done.status, 200, done.text)
    assert.equal(await whoami(issuer), 401)
    const { browser, page } = await askForManagement(its.origin)
    const again = await throughProvider(browser, page, issuer === its.partner ? 'partner' : '')
    assert.equal(again.status, 401, again.text)
    assert.equal(await whoami(its.company), issuer === its.partner ? 200 : 401)
  }
})

test('whoami says at which provider a person signs in', async () => {
  for (const [slug, issuer] of [
    ['', its.company],
    ['partner', its.partner],
  ] as const) {
    issuer.person = { sub: 'barbara', groups: ['devs'] }
    const token = await managementToken(its.origin, slug)
    const { status, json, text } = await its.server.manage('GET', '/whoami', undefined, { token })
    assert.equal(status, 200, text)
    assert.deepEqual([json.issuer, json.teams], [issuer.url, [slug === '' ? 'ours' : 'theirs']])
  }
  assert.equal((await its.server.manage('GET', '/whoami')).json.issuer, null)
})

test('a start is refused where the file of providers, its secrets or its rules cannot be used', async () => {
  for (const [entry, expected] of [
    [{ slug: 'Partner' }, /entry 1 \("Partner"\), slug: must be lower-case letters/],
    [{ issuer: its.company.url }, /entry 1 \("partner"\), issuer: is also used by POSTERN_OIDC_ISSUER/],
    [{ client_secret_file: 'none' }, /client_secret_file: is \S+none, which cannot be read/],
    [{ role_map: ['*=publisher'] }, /role_map of "partner" in \S+: there is no role "publisher"/],
  ] as const) {
    const flags = ['--oidc-issuer', its.company.url, '--oidc-client-id', 'postern']
    await assert.rejects(startTwoProviders({ entry, hasFirst: false, flags }), expected)
  }
})

test('a role that only a rule of the partner names cannot be deleted', async () => {
  const data = mkdtempSync(join(tmpdir(), 'postern-'))
  const first = await startTestServer({ data })
  const role = { name: 'Publisher', permissions: ['proxies:read'] }
  assert.equal((await first.manage('POST', '/roles', role)).status, 201)
  await first.stop()
  await using again = await startTwoProviders({ data, entry: { role_map: ['*=publisher'] } })
  const { status, json } = await again.server.manage('DELETE', '/roles/publisher', { confirm: 'publisher' })
  assert.deepEqual([status, json.code], [409, 'in_use'])
  assert.match(json.detail, /role_map in POSTERN_OIDC_PROVIDERS_FILE/)
  await again.server.stop()
  rmSync(data, { recursive: true })
})

test('a start with a further provider removes groups that begin with its slug from users of other providers', async () => {
  const data = mkdtempSync(join(tmpdir(), 'postern-'))
  its.company.person = { sub: 'margaret', email: 'm@example.com', groups: ['partner/devs', 'devs'] }
  const flags = ['--oidc-issuer', its.company.url, '--oidc-client-id', 'postern']
  const first = await startTestServer({
    data,
    flags: [...flags, '--oidc-client-secret', 'secret', '--oidc-role-map', '*=viewer'],
  })
  await managementToken(first.running.origin, '')
  await first.stop()
  await using again = await startTwoProviders({ data, hasFirst: false, flags })
  const { manage } = again.server
  const { items } = (await manage('GET', '/users')).json
  assert.deepEqual(
    [items[0].groups, items[0].mapped_grants, items[0].email],
    [['devs'], ['viewer'], 'm@example.com'],
  )
  const trail = await manage('GET', '/audit?operation=users.arrive')
  assert.deepEqual([trail.json.items.length, trail.json.items[0].actor.type], [2, 'system'])
  await again.server.stop()
  rmSync(data, { recursive: true })
})
