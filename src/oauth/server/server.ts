/**
 * The authorization server, built on `oidc-provider`. Between an authorization request and its response a person passes
 * steps, in `interactions.ts` and, for a device, `provider.ts`.
 */

import { createHmac } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type AdapterPayload, errors, type Provider } from 'oidc-provider'
import { type Accounts, type Agents, isAgentId, type ServiceClients } from '../../access/accounts.ts'
import type { IdentityAssertions } from '../../access/identity-assertions.ts'
import type { McpAccess, OriginAccess } from '../../access/mcp-access.ts'
import type { DirectTokens, OAuthTokens } from '../../access/oauth-tokens.ts'
import { DEFAULT_SCOPE, MCP_SCOPES, SCOPES, scopeAsked } from '../../access/scopes.ts'
import type { WorkloadTokens } from '../../access/workload.ts'
import type { Clock } from '../../base/clock.ts'
import {
  BINDING_CLAIM,
  CREDENTIAL_CLAIM,
  HOST_CLAIM,
  PROFILE_CLAIM,
  SUBJECT_HOST_CLAIM,
} from '../../base/crypto/jwt.ts'
import { isAtOrBelow } from '../../base/doors.ts'
import { ownCookieNames } from '../../base/http/fields.ts'
import { isConsumer, isVirtualMcp, type ProtectedResources } from '../../base/http/origins.ts'
import { pageHeaders, pageText } from '../../base/http/page.ts'
import {
  isDeep,
  isPlain,
  listedTexts,
  NESTED_MAX,
  type Plain,
  UNSTORABLE,
  unstorableIn,
} from '../../base/json/storable.ts'
import type { GetJson } from '../../base/net/fetch-json.ts'
import type { Throttle } from '../../shared-state/ports/memory.ts'
import type { ConfigStore } from '../../store/ports/config.ts'
import type { Federation } from '../federation/port.ts'
import { clientDocument } from '../federation/registrations.ts'
import { errorPage } from '../pages/error.ts'
import { CALLBACK_PATH, type SignIn } from '../sign-in/port.ts'
import { withMarkedToken } from './access-tokens.ts'
import { type AdapterParts, createSealed } from './adapter.ts'
import { type Asker, createOAuthAudit } from './audit.ts'
import { agentClient, lenientMetadata, serviceClient } from './clients.ts'
import { createConnectPages } from './connect.ts'
import { createApplications, createConnectLinks } from './connect-links.ts'
import { createConsents, createGrantProfiles, createNeededAccounts } from './consents.ts'
import { type ConsoleSignIn, createConsoleSignIn } from './console-sign-in.ts'
import { type ConsoleTokens, createConsoleTokens } from './console-tokens.ts'
import { createClientDocuments, type DocumentMode } from './documents.ts'
import { type Endings, SignInEnded } from './ended-sign-ins.ts'
import { hostOf } from './hosts.ts'
import { createInteractions } from './interactions.ts'
import { currentKeys } from './keys.ts'
import { listen } from './listen.ts'
import { createOwnRedirects } from './own-redirects.ts'
import {
  AUTHORIZATION,
  createProvider,
  isForConsumers,
  isMisspelt,
  nameAlike,
  REGISTRATION,
} from './provider.ts'
import { createRequestLimits, DOCUMENTS } from './request-limits.ts'
import {
  CONNECT,
  createBrowserSessions,
  INTERACTION,
  readText,
  show,
  unstorableField,
  type Visit,
  withBody,
} from './visit.ts'

export interface AuthorizationServerParts {
  /** The origin at which the endpoints are reached, exactly. */
  readonly issuer: string
  /** URLs to which the console has browsers sent back. */
  readonly consoleCallbacks: readonly string[]
  /** Origins at which the listeners are reached, by callers and on this machine. */
  readonly ownOrigins: readonly string[]
  readonly resources: ProtectedResources
  /** That of `within`. */
  readonly store: ConfigStore
  readonly within: Endings['within']
  readonly clock: Clock
  /** 32 bytes that seal what is kept. */
  readonly key: Uint8Array
  readonly accounts: Accounts
  /** Proves access tokens, as protected resources do. */
  readonly tokens: Pick<OAuthTokens, 'verify' | 'claims' | 'signedIn'>
  readonly services: ServiceClients
  /** What people may sign in to at MCP endpoints. */
  readonly mcp: McpAccess
  /** At which origins people may connect accounts. */
  readonly originAccess: OriginAccess
  readonly federation: Federation
  readonly grantsEnded: AdapterParts['grantsEnded']
  readonly workloads: WorkloadTokens
  /** Bindings of hosts as clients. */
  readonly agents: Agents
  /** Takes access tokens of identity providers; null where none are taken. */
  readonly direct: DirectTokens | null
  /** Of identity providers; null without one. */
  readonly assertions: IdentityAssertions | null
  readonly documentMode: DocumentMode
  /** Documents of clients that the operator has pinned, by their URL. */
  readonly pins: ReadonlyMap<string, Plain>
  /** Reaches public addresses alone. */
  readonly fetchPublic: GetJson
  readonly warn: (message: string) => void
  readonly signIn: SignIn
  readonly throttle: Throttle
  /** Whom an address stands for, where requests are counted. */
  readonly networkOf: (ip: string) => string
  /** Told of a refusal to someone unknown. */
  readonly refused: (asker: Asker, reason: string) => void
  readonly fault: (error: unknown, requestId: string) => void
}

export interface AuthorizationServer extends ConsoleSignIn, ConsoleTokens {
  answer(request: IncomingMessage, response: ServerResponse, asker: Asker): Promise<void>
}

/** The authorization server of this origin (RFC 6749, OAuth 2.1), over the engine `oidc-provider`. */
export function createAuthorizationServer(parts: AuthorizationServerParts): AuthorizationServer {
  const { issuer, store, clock, resources } = parts
  const sealed = createSealed(parts.key)
  const profiles = createGrantProfiles(store, sealed, clock)
  const needed = createNeededAccounts(parts.originAccess, parts.federation)
  const consents = createConsents({ ...parts, sealed, profiles, needed })
  const audit = createOAuthAudit(store, clock)
  const { documentMode: mode, fetchPublic } = parts
  const wait = createRequestLimits(parts.throttle, parts.networkOf)
  const documents = createClientDocuments({
    ...parts,
    sealed,
    mode,
    getJson: fetchPublic,
    waitFor: (ip) => wait(DOCUMENTS, ip),
  })
  const interactions = createInteractions({ ...parts, sealed, documents, consents, profiles, needed, audit })
  const pages = createConnectPages({
    ...parts,
    audit,
    sessions: createBrowserSessions(issuer, sealed, parts.accounts),
    links: createConnectLinks(issuer, sealed, clock),
    applications: createApplications({ ...parts, sealed, documents, consents }),
  })
  const redirects = createOwnRedirects(parts.ownOrigins, store.read)
  const { protocol, host } = new URL(issuer)
  const { session, interaction, resume } = ownCookieNames(protocol === 'https:')
  /** Those that the engine signs. */
  const cookieNames = [session, interaction, resume]
  let made:
    | { readonly version: string; readonly provider: Provider; readonly cookieKeys: readonly string[] }
    | undefined

  async function findClient(id: string): Promise<AdapterPayload | undefined> {
    const agent = await parts.agents.find(id)
    if (agent !== undefined) return agentClient(agent)
    const service = await parts.services.find(id, clock.now())
    return service === undefined ? documents.pinned(id) : serviceClient(id, service)
  }

  /** Keys are read for each request: whoever replaces them need not know of us. */
  async function currentProvider(): Promise<Provider> {
    const keys = await currentKeys(store, sealed, clock)
    if (made?.version !== keys.version) {
      const provider = createProvider({
        ...parts,
        documents,
        sealed,
        consents,
        keys,
        findClient,
        audit,
        profiles,
        redirects,
        claimsOf: (token) => claimsOf(token),
      })
      listen(provider, parts, audit)
      made = { version: keys.version, provider, cookieKeys: keys.cookies }
    }
    return made.provider
  }

  /** A token names the grant that ends it, and at MCP endpoints the host and the profile that the person has picked. */
  async function claimsOf(token: object): Promise<Plain> {
    // What the engine issues, and what its models say of themselves
    const { grantId, clientId = '', aud } = token as { grantId?: string; clientId?: string; aud?: string }
    if (isAgentId(clientId)) return claimsOfAgent(clientId, grantId)
    if (grantId === undefined) return {}
    const resource = resources.find(String(aud ?? ''))
    if (resource === null || !isConsumer(resource)) return { grant_id: grantId }
    const client = await (await currentProvider()).Client.find(clientId)
    const service = await parts.services.find(clientId, clock.now())
    const host = client && (await hostOf(client, parts.mcp, service))
    // Whoever has deleted it wants no more of its calls, until a person allows the application anew
    if (host === undefined) throw new errors.InvalidGrant('the application was deleted')
    const picked = isVirtualMcp(resource) ? null : await profiles.of(grantId)
    return {
      grant_id: grantId,
      [HOST_CLAIM]: host.id,
      ...(picked === null ? {} : { [PROFILE_CLAIM]: picked }),
    }
  }

  /** What acts, and by which token of its binding; `act` where it acts for a person (RFC 8693 section 4.1). */
  async function claimsOfAgent(clientId: string, grantId: string | undefined): Promise<Plain> {
    const agent = await parts.agents.find(clientId)
    if (agent === undefined) throw new errors.InvalidGrant('the binding has ended')
    const { id, host, user, credential } = agent
    return {
      ...(grantId === undefined ? {} : { grant_id: grantId }),
      ...(grantId === undefined && user === null ? {} : { act: { sub: host.id } }),
      [HOST_CLAIM]: host.id,
      [BINDING_CLAIM]: id,
      [CREDENTIAL_CLAIM]: credential.name,
      ...(await subjectHostOf(clientId, grantId)),
    }
  }

  /** The application of the sign-in on which an exchanged token hangs; nothing for a token of the identity provider. */
  async function subjectHostOf(clientId: string, grantId: string | undefined): Promise<Plain> {
    if (grantId === undefined) return {}
    const provider = await currentProvider()
    const owner = (await provider.Grant.find(grantId))?.clientId ?? clientId
    if (owner === clientId) return {}
    const client = await provider.Client.find(owner)
    const service = await parts.services.find(owner, clock.now())
    const host = client && (await hostOf(client, parts.mcp, service))
    if (host === undefined) throw new errors.InvalidGrant('the application of the person was deleted')
    return { [SUBJECT_HOST_CLAIM]: host.id }
  }

  /** What reads or writes for a person. */
  async function serve(
    path: string,
    request: IncomingMessage,
    response: ServerResponse,
    asker: Asker,
  ): Promise<unknown> {
    if (path === REGISTRATION || isAtOrBelow(path, AUTHORIZATION)) await redirects.refresh()
    const provider = await currentProvider()
    const { cookie } = request.headers
    if (cookie !== undefined) request.headers.cookie = withProvenFirst(cookie, cookieNames, made!.cookieKeys)
    const visit = { provider, request, response, asker }
    if (isAtOrBelow(path, CONNECT)) return orEnded(visit, pages.answer(visit))
    if (isAtOrBelow(path, CALLBACK_PATH) || path.startsWith(INTERACTION))
      return orEnded(visit, interactions.answer(visit))
    if (request.method !== 'POST') return provider.callback()(request, response)
    const text = await readText(request)
    if (text === null) return refuse(response, 413, 'invalid_request', { connection: 'close' })
    if (path === REGISTRATION) {
      const metadata = readMetadata(text)
      if (isDeep(metadata))
        return refuse(
          response,
          400,
          'invalid_client_metadata',
          {},
          `the metadata is nested deeper than ${NESTED_MAX}`,
        )
      const [fault] = unstorableIn(metadata)
      if (fault !== undefined) return refuseField(response, 'invalid_client_metadata', fault.pointer)
      for (const one of listedTexts(metadata?.['redirect_uris'])) {
        const wrong = redirects.faultOf(one)
        if (wrong !== null)
          return refuse(response, 400, 'invalid_redirect_uri', {}, `a redirect URI ${wrong}`)
      }
    } else {
      const field = unstorableField(new URLSearchParams(text))
      if (field !== null) return refuseField(response, 'invalid_request', field)
    }
    const rewrite = REWRITES[path]
    const body = rewrite === undefined ? text : await rewrite(text, resources, provider)
    await provider.callback()(withBody(request, body), response)
  }

  return {
    ...createConsoleSignIn(currentProvider, parts, sealed, audit),
    ...createConsoleTokens(currentProvider, { ...parts, claimsOf, audit, now: () => clock.now() }),

    async answer(request, response, asker) {
      const [path = '/', search = ''] = (request.url ?? '/').split(/\?(.*)/s)
      if (isMisspelt(path)) return refuse(response, 404, 'invalid_request', {})
      if (path === REGISTRATION) {
        // Clients in browsers register too; no cookie counts here
        response.setHeader('access-control-allow-origin', '*')
        if (request.method === 'OPTIONS') return answerPreflight(response)
      }
      const seconds = await wait(path, asker.ip ?? '')
      if (seconds > 0) return tooMany(response, path, seconds)
      const parameter = unstorableField(new URLSearchParams(search))
      if (parameter !== null) return refuseField(response, 'invalid_request', parameter)
      // What stands in these is ours alone: the gateway has taken away what callers sent by these names
      Object.assign(request.headers, {
        'x-forwarded-proto': protocol.slice(0, -1),
        'x-forwarded-host': host,
        'x-forwarded-for': asker.ip ?? '',
      })
      const document = clientDocument(issuer, path)
      if (document !== null) return answerDocument(response, document)
      await parts.within(() => serve(path, request, response, asker))
    },
  }
}

type Rewrite = (text: string, resources: ProtectedResources, provider: Provider) => string | Promise<string>

/** What is said more broadly than the engine takes it, by path; the text is as it came where it cannot be read. */
const REWRITES: Readonly<Record<string, Rewrite>> = {
  [REGISTRATION]: (text) => {
    const given = readMetadata(text)
    return given === null ? text : JSON.stringify(lenientMetadata(given))
  },
  '/oauth/token': async (text, resources, provider) =>
    (await withinRefreshScope(provider, namedAlike(text, resources))).toString(),
  '/oauth/device/authorize': (text, resources) => {
    const form = namedAlike(text, resources)
    const isForPeople = form.getAll('resource').some((one) => isForConsumers(one, resources))
    form.set('scope', scopeAsked(form.get('scope') ?? '', isForPeople))
    return form.toString()
  },
  '/oauth/introspect': withMarkedToken,
  '/oauth/revoke': withMarkedToken,
}

/** What a client says of itself; null for what is no JSON object, as the engine says. */
function readMetadata(text: string): Plain | null {
  try {
    const given: unknown = JSON.parse(text)
    return isPlain(given) ? given : null
  } catch {
    return null
  }
}

/** The form with the one name of each resource, and with a scope where a service leaves that out. */
function namedAlike(text: string, resources: ProtectedResources): URLSearchParams {
  const form = new URLSearchParams(text)
  const named = form.getAll('resource')
  form.delete('resource')
  // A sign-in that named the origin, as earlier versions took it, goes on
  const isRefresh = form.get('grant_type') === 'refresh_token'
  for (const indicator of named) {
    const found = isRefresh ? resources.find(indicator) : null
    form.append('resource', found === null ? nameAlike(indicator, resources) : resources.nameOf(found))
  }
  if (form.get('grant_type') === 'client_credentials' && !form.has('scope')) {
    const isForConsumer = named.some((one) => isForConsumers(one, resources))
    form.set('scope', isForConsumer ? MCP_SCOPES.join(' ') : DEFAULT_SCOPE)
  }
  return form
}

/** Postern as a client of other authorization servers (draft-ietf-oauth-client-id-metadata-document). */
function answerDocument(response: ServerResponse, document: Plain): void {
  response.writeHead(200, {
    'content-type': 'application/json',
    'cache-control': 'public, max-age=3600',
    'access-control-allow-origin': '*',
  })
  response.end(JSON.stringify(document))
}

function answerPreflight(response: ServerResponse): void {
  response.writeHead(204, {
    'access-control-allow-methods': 'POST',
    'access-control-allow-headers': 'content-type, mcp-protocol-version',
    'access-control-max-age': '3600',
  })
  response.end()
}

/** Refuses a request for a parameter or member that no store keeps. */
function refuseField(response: ServerResponse, error: string, field: string): void {
  refuse(response, 400, error, {}, `${field} ${UNSTORABLE}`)
}

/** Says on the page that the sign-in has ended. */
async function orEnded(visit: Visit, answered: Promise<void>): Promise<void> {
  try {
    await answered
  } catch (error) {
    if (!(error instanceof SignInEnded)) throw error
    show(visit, error.status, errorPage(error.error, error.error_description))
  }
}

/** Paths that browsers open. */
function isPage(path: string): boolean {
  return (
    isAtOrBelow(path, CONNECT) ||
    path.startsWith(INTERACTION) ||
    path === AUTHORIZATION ||
    path === '/oauth/device'
  )
}

/** @param seconds until the next request of the source is answered */
function tooMany(response: ServerResponse, path: string, seconds: number): void {
  const wait = { 'retry-after': String(seconds) }
  if (!isPage(path)) {
    refuse(response, 429, 'temporarily_unavailable', wait)
    return
  }
  const text = `Too many requests have come from your network. Open the page again in ${seconds} seconds.`
  const page = errorPage('temporarily_unavailable', text)
  response.writeHead(429, { ...pageHeaders(page), ...wait })
  response.end(pageText(page))
}

function refuse(
  response: ServerResponse,
  status: number,
  error: string,
  headers: Readonly<Record<string, string>>,
  description?: string,
): void {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store', ...headers })
  response.end(JSON.stringify({ error, error_description: description }))
}

/**
 * The form of a refresh without scopes that its client has asked for in vain. Clients repeat the scopes of their first request:
 * `offline_access`, scopes that are not known here, scopes of management at an MCP endpoint, and scopes that the person has not
 * ticked. These are ignored (RFC 6749 section 3.3) and the answer names what the token has. At an MCP endpoint, a request that is left
 * with none of its scopes keeps all that were granted: another token would open nothing. A scope that the client had never asked for
 * stays, and is refused with `invalid_scope` (section 6).
 */
async function withinRefreshScope(provider: Provider, form: URLSearchParams): Promise<URLSearchParams> {
  const token = form.get('refresh_token')
  const scopes = form.getAll('scope')
  if (form.get('grant_type') !== 'refresh_token' || token === null || scopes.length !== 1) return form
  const kept = await provider.RefreshToken.find(token, { ignoreExpiration: true })
  const grant = kept?.grantId === undefined ? undefined : await provider.Grant.find(kept.grantId)
  const granted = new Set((kept?.scope ?? '').split(' '))
  const declined = new Set(
    [kept?.resource ?? []].flat().flatMap((name) => grant?.getRejectedResourceScope(name).split(' ') ?? []),
  )
  const isForEndpoint = MCP_SCOPES.some((scope) => granted.has(scope))
  const known: readonly string[] = isForEndpoint ? MCP_SCOPES : [...SCOPES, ...MCP_SCOPES]
  const asked = scopes[0]!
    .split(' ')
    .filter((scope) => granted.has(scope) || (known.includes(scope) && !declined.has(scope)))
  form.delete('scope')
  const opensSomething = !isForEndpoint || MCP_SCOPES.some((scope) => asked.includes(scope))
  if (asked.length > 0 && opensSomething) form.set('scope', asked.join(' '))
  return form
}

// Finds the cookies of the authorization server among others with the same names. A browser also sends cookies that another
// port, or a page at a longer path of the host, has set, and sends them before ours. The engine reads only the first cookie
// of a name, so a foreign cookie would sign a person out.

/** Values of one name that are looked at. Browsers keep at most 180 cookies of a site. */
const VALUES_MAX = 200

/**
 * A Cookie field that begins with the cookies of these names whose signature is right (RFC 6265 section 5.4 gives the order in which they
 * come). If several are right, the last one counts: ours have the shortest path, and browsers send these last.
 *
 * @param names of cookies that have a signature, in a cookie with `.sig` behind the name
 * @param keys of signatures, the current one first
 */
function withProvenFirst(field: string, names: readonly string[], keys: readonly string[]): string {
  const pairs = field.split(';').map((pair) => pair.trim())
  const proven = names.flatMap((name) => provenPair(pairs, name, keys))
  return proven.length === 0 ? field : [...proven, field].join('; ')
}

/** The cookie and its signature; nothing where the first ones are those, or none is right. */
function provenPair(pairs: readonly string[], name: string, keys: readonly string[]): readonly string[] {
  const own = new Set(pairs.filter((pair) => pair.startsWith(`${name}=`)).slice(-VALUES_MAX))
  const signatures = new Set(pairs.filter((pair) => pair.startsWith(`${name}.sig=`)))
  if (own.size === 0 || (own.size === 1 && signatures.size <= 1)) return []
  for (const pair of [...own].reverse())
    for (const key of keys) {
      const signature = `${name}.sig=${createHmac('sha1', key).update(pair).digest('base64url')}`
      if (signatures.has(signature)) return [pair, signature]
    }
  return []
}
