/** Tokens of two identity providers: access tokens, identity assertions, and those that are kept for origins. */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, test } from 'node:test'
import { type LegacyOrigin, startLegacyOrigin } from '../mcp/legacy.ts'
import { type AgentClient, addAgent, claimsOf, exchange } from '../support/agents.ts'
import { postForm } from '../support/authorization.ts'
import { eventually } from '../support/eventually.ts'
import { ExchangingIssuer } from '../support/exchanging-issuer.ts'
import { resultOf } from '../support/guarded-origin.ts'
import { type Issuer, signedBy } from '../support/issuer.ts'
import { json, ScriptedServer } from '../support/scripted-as.ts'
import { message } from '../support/sign-in.ts'
import { mcpTokens, startProviders, startTwoProviders, type TwoProviders } from '../support/two-providers.ts'
import { askMcp } from './server.ts'

let its: TwoProviders
let tools: LegacyOrigin
let desk: string
let service: AgentClient
const AUDIENCE = 'https://gateway.example'

async function make(path: string, body: object): Promise<string> {
  const made = await its.server.manage('POST', path, body)
  assert.equal(made.status, 201, made.text)
  return made.json.id
}

before(async () => {
  tools = await startLegacyOrigin()
  its = await startTwoProviders({
    entry: { direct: 'on', audience: AUDIENCE, role_map: ['group:devs=viewer:policies'] },
    flags: ['--oidc-direct', 'on', '--oidc-role-map', 'group:devs=viewer:collections'],
  })
  desk = `${its.origin}/mcp/desk`
  await make('/teams', { name: 'Theirs', slug: 'theirs', idp_groups: ['partner/devs'] })
  await make('/origins', { name: 'Old', slug: 'old', url: tools.url })
  const virtual = { name: 'Desk', slug: 'desk', status: 'published', members: [{ origin: 'old' }] }
  await make('/virtual_mcps', { ...virtual, teams: ['theirs'] })
  await make('/service_identities', { name: 'Assistant', slug: 'assistant' })
  const issued = await its.server.manage('POST', '/service_identities/assistant/issue_secret', {})
  service = { id: 'assistant', secret: issued.json.client_secret }
})
after(async () => {
  await its?.[Symbol.asyncDispose]()
  await tools?.[Symbol.asyncDispose]()
})

const seconds = (): number => Math.floor(Date.now() / 1000)
const claims = (issuer: Issuer, aud: string, more: object = {}) => ({
  ...{ iss: issuer.url, sub: 'ada', aud, groups: ['devs'], client_id: 'frontend' },
  ...{ iat: seconds(), exp: seconds() + 300 },
  ...more,
})
/** An access token that names the issuer, signed by its key or another one. */
const accessToken = (issuer: Issuer, aud: string, key = issuer.keys[0]!): string =>
  signedBy(key, claims(issuer, aud), { typ: 'at+jwt' })
const statusOf = async (token: string, path: string): Promise<number> =>
  (await its.server.manage('GET', path, undefined, { token })).status

test('management takes access tokens of each provider, by the audience, the keys and the role map of that provider', async () => {
  const { company, partner } = its
  const rest = `${its.server.running.origin}/management/v1`
  const ours = accessToken(company, rest)
  const theirs = accessToken(partner, AUDIENCE)
  assert.deepEqual([await statusOf(ours, '/collections'), await statusOf(ours, '/policies')], [200, 403])
  assert.deepEqual([await statusOf(theirs, '/collections'), await statusOf(theirs, '/policies')], [403, 200])
  assert.equal((await askMcp(its.server, '/management/mcp', theirs, 'tools/list', {})).status, 200)
  for (const [why, token] of [
    ['of the company, signed by the partner', accessToken(company, rest, partner.keys[0]!)],
    ['of the partner, signed by the company', accessToken(partner, AUDIENCE, company.keys[0]!)],
    ['of the company, for the audience of the partner', accessToken(company, AUDIENCE)],
    ['of the partner, for the audience of the company', accessToken(partner, rest)],
    ['of the partner, for its client', accessToken(partner, 'postern-at-partner')],
  ] as const)
    assert.equal(await statusOf(token, '/collections'), 401, why)
})

test('the metadata of management names Postern and both providers', async () => {
  const path = '/.well-known/oauth-protected-resource/management/mcp'
  const { json: metadata } = await its.server.gateway('GET', path)
  const own = its.server.running.origin
  assert.deepEqual(metadata.authorization_servers, [own, its.company.url, its.partner.url])
  const atDesk = await its.server.gateway('GET', '/.well-known/oauth-protected-resource/mcp/desk')
  assert.deepEqual(atDesk.json.authorization_servers, [own])
})

const assertionOf = (issuer: Issuer, more: object = {}, key = issuer.keys[0]!): string =>
  signedBy(
    key,
    claims(issuer, its.server.running.origin, {
      ...{ client_id: service.id, resource: desk, jti: randomUUID() },
      ...more,
    }),
    { typ: 'oauth-id-jag+jwt' },
  )
const redeem = (assertion: string) =>
  postForm(`${its.origin}/oauth/token`, {
    grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
    assertion,
    client_id: service.id,
    client_secret: service.secret,
  })

test('an identity assertion of each provider is redeemed once, with the keys and the groups of that provider', async () => {
  const { company, partner } = its
  const jti = randomUUID()
  const rest = `${its.server.running.origin}/management/v1`
  const once = assertionOf(partner, { jti })
  const theirs = await redeem(once)
  assert.equal(theirs.status, 200, JSON.stringify(theirs.body))
  assert.equal((await message(desk, theirs.body.access_token, 'tools/list')).status, 200)
  // The id of an assertion is unique for its issuer alone
  const ours = await redeem(assertionOf(company, { jti, resource: rest }))
  assert.equal(ours.status, 200, JSON.stringify(ours.body))
  assert.notEqual(claimsOf(ours.body.access_token).sub, claimsOf(theirs.body.access_token).sub)
  for (const [why, error, assertion] of [
    ['replayed', 'invalid_grant', once],
    ['of the partner, signed by the company', 'invalid_grant', assertionOf(partner, {}, company.keys[0]!)],
    ['of the company, signed by the partner', 'invalid_grant', assertionOf(company, {}, partner.keys[0]!)],
    ['of another issuer', 'invalid_grant', assertionOf(partner, { iss: 'https://evil.example' })],
    // Its group opens the team of the partner for the partner alone
    ['of the company, for the team of the partner', 'invalid_target', assertionOf(company)],
  ] as const) {
    const { status, body } = await redeem(assertion)
    assert.deepEqual([status, body.error], [400, error], why)
  }
})

test('an agent exchanges an access token of the partner, and none that the company has signed for it', async () => {
  await make('/hosts', { name: 'Concierge', slug: 'concierge' })
  const agent = await addAgent(its.server, {
    ...{ slug: 'people', host: 'concierge', virtual_mcp: 'desk', acts_for: { teams: ['theirs'] } },
  })
  const given = await exchange(its.origin, agent, { subject_token: accessToken(its.partner, AUDIENCE) })
  assert.equal(given.status, 200, JSON.stringify(given.body))
  assert.equal((await message(desk, given.body.access_token, 'tools/list')).status, 200)
  for (const [token, error] of [
    [accessToken(its.partner, AUDIENCE, its.company.keys[0]!), 'invalid_grant'],
    [accessToken(its.company, desk), 'access_denied'],
  ] as const)
    assert.equal((await exchange(its.origin, agent, { subject_token: token })).body.error, error)
})

test('tokens of the partner alone are named and taken where only the partner is direct, without a first provider', async () => {
  await using alone = await startTwoProviders({
    hasFirst: false,
    entry: { direct: 'only', role_map: ['*=viewer'] },
  })
  const { origin } = alone.server.running
  const metadata = await alone.server.gateway('GET', '/.well-known/oauth-protected-resource/management/v1')
  assert.deepEqual(metadata.json.authorization_servers, [alone.partner.url])
  const get = async (token: string): Promise<number> =>
    (await alone.server.manage('GET', '/collections', undefined, { token })).status
  assert.equal(await get(accessToken(alone.partner, `${origin}/management/v1`)), 200)
  assert.equal(await get(accessToken(alone.company, `${origin}/management/v1`)), 401)
})

test('what is kept of a sign-in for origins is exchanged at the provider of the person alone', async () => {
  const [company, partner] = [new ExchangingIssuer(), new ExchangingIssuer()]
  partner.prefix = 'partner-'
  await using both = await startProviders(company, partner)
  await using guarded = await new ScriptedServer().listen()
  guard(guarded, [company, partner])
  const { manage } = both.server
  const oauth = { client_id: 'manual-postern' }
  const origin = { name: 'Desk', slug: 'desk', url: guarded.mcp, auth_mode: 'id_jag', oauth }
  assert.equal((await manage('POST', '/origins', origin)).status, 201)
  const virtual = { name: 'Desk', slug: 'desk', status: 'published', all_users: true }
  const made = await manage('POST', '/virtual_mcps', { ...virtual, members: [{ origin: 'desk' }] })
  assert.equal(made.status, 201, made.text)
  const endpoint = `${both.origin}/mcp/desk`
  const whoami = (token: string) => message(endpoint, token, 'tools/call', { name: 'whoami' })
  const tokens: string[] = []
  for (const [slug, issuer] of [
    ['', company],
    ['partner', partner],
  ] as const) {
    issuer.person = { sub: slug === '' ? 'ada-of-ours' : 'ada-of-theirs', groups: [] }
    tokens.push((await mcpTokens(endpoint, slug)).access_token)
  }
  await eventually(
    async () => (await message(endpoint, tokens[0]!, 'tools/list')).json.result.tools.length === 1,
  )
  for (const [index, name] of ['ada-of-ours', 'ada-of-theirs'].entries()) {
    const { json: called, text } = await whoami(tokens[index]!)
    assert.equal(called.result?.content?.[0]?.text, name, text)
  }
  for (const issuer of [company, partner]) {
    const subjects = issuer.forms.map((form) => claimsOf(form.get('subject_token')!).iss)
    assert.deepEqual([...new Set(subjects)], [issuer.url])
  }
})

/** An MCP server that knows people by tokens for assertions that one of the providers has issued. */
function guard(guarded: ScriptedServer, issuers: readonly ExchangingIssuer[]): void {
  const challenge = `Bearer resource_metadata="${guarded.url}/.well-known/oauth-protected-resource/mcp"`
  guarded.acts.set('/mcp', (incoming, outgoing, body) => {
    const token = (incoming.headers.authorization ?? '').replace('Bearer ', '')
    const account = guarded.accessTokens.get(token)?.user
    if (account === undefined) return outgoing.writeHead(401, { 'www-authenticate': challenge }).end()
    if (incoming.method !== 'POST') return outgoing.writeHead(405).end()
    const { id, method = '' } = JSON.parse(body) as { id?: number; method?: string }
    if (id === undefined) return outgoing.writeHead(202).end()
    const result = resultOf(method, account, false)
    const came = result === null ? { error: { code: -32_601, message: 'Method not found' } } : { result }
    return json(outgoing, 200, { jsonrpc: '2.0', id, ...came })
  })
  guarded.acts.set('/token', (_, outgoing, body) => {
    const form = new URLSearchParams(body)
    const assertion = form.get('assertion') ?? ''
    const user = issuers.map(({ issued }) => issued.get(assertion)).find((one) => one !== undefined)
    return user === undefined
      ? json(outgoing, 400, { error: 'invalid_grant' })
      : json(outgoing, 200, guarded.issue({ user, resource: form.get('resource') }))
  })
}
