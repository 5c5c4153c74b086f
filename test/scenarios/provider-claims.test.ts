/**
 * Claims as Keycloak, Microsoft Entra ID, Okta, Auth0 and Google document them, from issuers that stand in for these providers, with the
 * settings of the pages in `docs/identity`.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, before, test } from 'node:test'
import { Issuer, signedBy, signingKey } from '../support/issuer.ts'
import { askForManagement, leaveTo, managementToken, writeProviders } from '../support/two-providers.ts'
import { startTestServer, type TestServer } from './server.ts'

const TENANT = '11111111-2222-3333-4444-555555555555'
/** How each provider names itself, below its host. */
const PATHS = {
  keycloak: '/realms/staff',
  'entra-id': `/${TENANT}/v2.0`,
  okta: '',
  auth0: '/',
  google: '',
  /** Entra ID without a tenant, whose metadata has a placeholder. */
  common: '/common/v2.0',
}
type Name = keyof typeof PATHS

const key = signingKey('k1', 'RS256')
const directory = mkdtempSync(join(tmpdir(), 'postern-claims-'))
const issuers = {} as Record<Name, Issuer>
const named = (name: Name): string => issuers[name].url + PATHS[name]
let server: TestServer
let origin: string

/** Settings that the page of a provider shows. */
function settingsOf(name: Name): Record<string, string> {
  const page = readFileSync(resolve(import.meta.dirname, `../../docs/identity/${name}.md`), 'utf8')
  const [, block] = /```env\n([\s\S]*?)\n```/.exec(page)!
  return Object.fromEntries(block!.split('\n').map((line) => line.split(/=(.*)/).slice(0, 2)))
}

/** The same as an entry of the file of providers. */
function entryOf(name: Name): object {
  const given = settingsOf(name === 'common' ? 'entra-id' : name)
  const {
    POSTERN_OIDC_SCOPES: scopes,
    POSTERN_OIDC_GROUPS_CLAIM: groupsClaim,
    POSTERN_OIDC_ROLE_MAP: map,
  } = given
  return {
    ...{ slug: name, name, issuer: named(name), client_id: 'postern', client_secret_file: 'partner-secret' },
    ...{ role_map: map, direct: name === 'entra-id' ? 'on' : 'off' },
    ...(scopes !== undefined && { scopes }),
    ...(groupsClaim !== undefined && { groups_claim: groupsClaim }),
    ...(name === 'entra-id' && { audience: 'api://postern' }),
  }
}

before(async () => {
  for (const name of Object.keys(PATHS) as Name[]) {
    const issuer = await new Issuer(key).listen()
    issuers[name] = issuer
    issuer.client = 'postern:partner-secret'
    const iss = name === 'common' ? `${issuer.url}/{tenantid}/v2.0` : named(name)
    issuer.discovery = { issuer: iss }
    issuer.idToken = { iss }
    issuer.callback = { iss }
  }
  const entries = (Object.keys(PATHS) as Name[]).map(entryOf)
  server = await startTestServer({
    workers: 1,
    flags: ['--oidc-providers-file', writeProviders(directory, entries)],
  })
  origin = server.running.gatewayUrl.replace('127.0.0.1', 'localhost')
})
after(async () => {
  await server?.stop()
  for (const issuer of Object.values(issuers)) await issuer[Symbol.asyncDispose]()
  rmSync(directory, { recursive: true })
})

interface User {
  readonly issuer: string
  readonly subject: string
  readonly email: string | null
  readonly groups: readonly string[]
  readonly mapped_grants: readonly string[]
}

const users = async (name: Name, subject: string): Promise<User[]> => {
  const { json } = await server.manage('GET', `/users?issuer=${encodeURIComponent(named(name))}&limit=100`)
  return (json.items as User[]).filter((user) => user.subject === subject)
}

/** Signs a person with these claims in; the user that they become. */
async function arrive(name: Name, claims: Readonly<Record<string, unknown>> & { sub: string }) {
  issuers[name].person = claims
  await managementToken(origin, name)
  const [user, ...more] = await users(name, claims.sub)
  assert.ok(user !== undefined && more.length === 0)
  return user
}

test('Keycloak: groups by their full path, and realm roles by the path of their claim', async () => {
  const ann = { sub: 'f:1:ann', email: 'ann@example.com', email_verified: true }
  const roles = ['offline_access', 'gateway-reader']
  const user = await arrive('keycloak', { ...ann, groups: ['/platform'], realm_access: { roles } })
  assert.deepEqual(user.mapped_grants, ['admin', 'viewer'])
  assert.deepEqual([user.email, user.groups], ['ann@example.com', ['keycloak//platform']])

  const without = await arrive('keycloak', { ...ann, groups: ['platform', '/a/platform'] })
  assert.deepEqual(without.mapped_grants, [])
  const unverified = await arrive('keycloak', { ...ann, email_verified: false, realm_access: { roles } })
  assert.deepEqual([unverified.email, unverified.mapped_grants], [null, ['viewer']])
})

test('Entra ID: app roles count, and a list of groups that is only named by a URL gives nothing', async () => {
  const bob = { sub: 'pairwise-1', oid: 'oid-bob', tid: TENANT, ver: '2.0', email: 'bob@example.com' }
  const user = await arrive('entra-id', { ...bob, roles: ['Gateway.Read'] })
  assert.deepEqual([user.mapped_grants, user.email], [['viewer'], 'bob@example.com'])

  const overage = {
    _claim_names: { groups: 'src1' },
    _claim_sources: { src1: { endpoint: 'https://graph.microsoft.com/v1.0/users/bob/getMemberObjects' } },
  }
  const many = await arrive('entra-id', { ...bob, ...overage, roles: ['Gateway.Admin'] })
  assert.deepEqual([many.mapped_grants, many.groups], [['admin'], ['entra-id/Gateway.Admin']])
  const none = await arrive('entra-id', { ...bob, ...overage })
  assert.deepEqual([none.mapped_grants, none.groups], [[], []])
})

test('Entra ID: access tokens of version 2 are taken, those of version 1 refused, and sub tells users apart where oid is the same', async () => {
  const now = Math.floor(Date.now() / 1000)
  const claims = {
    ...{ iss: named('entra-id'), aud: 'api://postern', sub: 'pairwise-2', oid: 'oid-bob', tid: TENANT },
    ...{ ver: '2.0', roles: ['Gateway.Read'], azp: 'app', iat: now, nbf: now, exp: now + 300 },
  }
  const statusOf = async (more: object): Promise<number> => {
    const token = signedBy(key, { ...claims, ...more })
    return (await server.manage('GET', '/collections', undefined, { token })).status
  }
  assert.equal(await statusOf({}), 200)
  assert.equal(await statusOf({ iss: `https://sts.windows.net/${TENANT}/`, ver: '1.0' }), 401)
  assert.equal(await statusOf({ aud: 'postern' }), 401)
  assert.equal((await users('entra-id', 'pairwise-1')).length, 1)
  assert.equal((await users('entra-id', 'pairwise-2')).length, 1)
})

test('Entra ID: an issuer without a tenant is unavailable, and the log says that its metadata names another', async () => {
  const { browser, page } = await askForManagement(origin)
  const left = await leaveTo(browser, page, 'common')
  assert.equal(left.status, 503, left.text)
  assert.ok(server.log.some((line) => line.includes('issuer does not match')))
})

test('Okta: the scope for groups is asked for, and names of groups may have spaces', async () => {
  const { browser, page } = await askForManagement(origin)
  const { url } = await leaveTo(browser, page, 'okta')
  assert.equal(url.searchParams.get('scope'), 'openid profile email groups')
  const user = await arrive('okta', { sub: '00uixa271s6x7qt8I0h7', groups: ['Everyone', 'Gateway Admins'] })
  assert.deepEqual(user.mapped_grants, ['admin'])
})

test('Auth0: the issuer keeps its slash, and roles are in a claim that has a URL as its name', async () => {
  const claim = 'https://gateway.example.com/roles'
  assert.ok(named('auth0').endsWith('/'))
  const user = await arrive('auth0', { sub: 'auth0|5cb87e31', [claim]: ['gateway-reader'] })
  assert.deepEqual([user.subject, user.mapped_grants], ['auth0|5cb87e31', ['viewer']])
  const reserved = await arrive('auth0', { sub: 'google-oauth2|1076', roles: ['gateway-admin'] })
  assert.deepEqual(reserved.mapped_grants, [])
})

test('Google: the domain of the organization gives the role, and an email of that domain does not', async () => {
  const inside = await arrive('google', {
    ...{ sub: '10769150350006150715', hd: 'example.com', email: 'eve@example.com', email_verified: true },
  })
  assert.deepEqual([inside.mapped_grants, inside.email], [['viewer'], 'eve@example.com'])
  const outside = await arrive('google', { sub: '2', email: 'mallory@example.com', email_verified: true })
  assert.deepEqual(outside.mapped_grants, [])
  const asText = await arrive('google', { sub: '3', email: 'x@example.com', email_verified: 'false' })
  assert.equal(asText.email, null)
})
