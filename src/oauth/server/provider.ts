/**
 * Configures the protocol engine `oidc-provider`: features, lifetimes and paths. Its data is in our store, and its pages are
 * ours.
 */
import { type Configuration, errors, Provider } from 'oidc-provider'
import { type Accounts, type Agents, isAgentId, type ServiceClients } from '../../access/accounts.ts'
import type { IdentityAssertions } from '../../access/identity-assertions.ts'
import type { McpAccess } from '../../access/mcp-access.ts'
import { type DirectTokens, type OAuthTokens, TRUST_RULE } from '../../access/oauth-tokens.ts'
import { MCP_SCOPES, OIDC_SCOPES, SCOPES, START_SCOPES, scopeAsked } from '../../access/scopes.ts'
import type { WorkloadTokens } from '../../access/workload.ts'
import { ownCookieNames } from '../../base/http/fields.ts'
import { isConsumer, type ProtectedResources } from '../../base/http/origins.ts'
import type { Plain } from '../../base/json/storable.ts'
import { DEVICE_DONE, deviceCodePage, deviceConfirmPage } from '../pages/device.ts'
import { errorPage } from '../pages/error.ts'
import { findAccessTokens } from './access-tokens.ts'
import { type AdapterParts, createAdapter } from './adapter.ts'
import type { Happening } from './audit.ts'
import {
  CLI_CLIENT,
  consoleClient,
  isLocalRedirect,
  isOwnClient,
  JWT_BEARER,
  keptSecret,
  pagesClient,
  shownClient,
} from './clients.ts'
import type { Consents, GrantProfiles } from './consents.ts'
import type { ClientDocuments, DocumentMode } from './documents.ts'
import { IDENTITY_ASSERTION, registerIdentityAssertion } from './identity-assertion.ts'
import { type ServerKeys, SIGNING_ALG } from './keys.ts'
import type { OwnRedirects } from './own-redirects.ts'
import { registerTokenExchange } from './token-exchange.ts'
import { answerPage, type EngineContext, INTERACTION } from './visit.ts'

const MINUTE = 60
const DAY = 24 * 60 * MINUTE

/** Seconds for which things live. A sign-in for a client ends with its grant, whatever it was refreshed. */
const TTL = {
  AccessToken: 15 * MINUTE,
  ClientCredentials: 15 * MINUTE,
  AuthorizationCode: MINUTE,
  DeviceCode: 10 * MINUTE,
  IdToken: 15 * MINUTE,
  RefreshToken: 30 * DAY,
  Grant: 90 * DAY,
  Session: 8 * 60 * MINUTE,
} as const

/** Seconds that a client may sign for in advance: until then each of its signatures is kept. */
const ASSERTION_MAX = 60 * MINUTE

/** For a sign-in, and for the decision that follows it. */
const INTERACTION_TTL = { login: 10 * MINUTE, consent: 15 * MINUTE } as const

export const REGISTRATION = '/oauth/register'
export const AUTHORIZATION = '/oauth/authorize'

const ROUTES = {
  authorization: AUTHORIZATION,
  token: '/oauth/token',
  registration: REGISTRATION,
  revocation: '/oauth/revoke',
  introspection: '/oauth/introspect',
  device_authorization: '/oauth/device/authorize',
  code_verification: '/oauth/device',
  jwks: '/oauth/jwks',
  userinfo: '/oauth/userinfo',
  end_session: '/oauth/sign-out',
} as const

const PATHS: ReadonlySet<string> = new Set(Object.values(ROUTES))

/**
 * True for another spelling of a path of the engine, which it takes for that path while what is asked of a path here
 * compares exactly.
 */
export function isMisspelt(path: string): boolean {
  const meant = path.toLowerCase().replace(/\/$/, '')
  return meant !== path && (PATHS.has(meant) || path.endsWith('/'))
}

export interface ProviderParts extends AdapterParts {
  readonly issuer: string
  /** URLs to which the console has browsers sent back. */
  readonly consoleCallbacks: readonly string[]
  readonly resources: ProtectedResources
  readonly accounts: Pick<Accounts, 'find'>
  readonly consents: Consents
  readonly tokens: Pick<OAuthTokens, 'verify' | 'claims' | 'signedIn'>
  readonly services: ServiceClients
  readonly workloads: WorkloadTokens
  readonly agents: Agents
  readonly mcp: McpAccess
  /** Takes access tokens of identity providers; null where none are taken. */
  readonly direct: DirectTokens | null
  readonly audit: (happening: Happening) => Promise<void>
  readonly profiles: Pick<GrantProfiles, 'keep'>
  readonly assertions: IdentityAssertions | null
  readonly documents: ClientDocuments
  readonly documentMode: DocumentMode
  readonly keys: ServerKeys
  readonly redirects: Pick<OwnRedirects, 'faultOf'>
  /** Members of access tokens beside those of RFC 9068. */
  readonly claimsOf: (token: object) => Promise<Plain>
}

type Features = NonNullable<Configuration['features']>
type RevocationPolicy = NonNullable<NonNullable<Features['revocation']>['allowedPolicy']>
type JwtCustomizer = NonNullable<NonNullable<NonNullable<Configuration['formats']>['customizers']>['jwt']>

/** The engine of the protocol, as it is set up here. What it keeps lies in our store; its pages are ours. */
export function createProvider(parts: ProviderParts): Provider {
  const { issuer, resources, assertions } = parts
  const provider = new Provider(issuer, configurationOf(parts))
  registerTokenExchange(provider, { ...parts, ttl: TTL.ClientCredentials })
  registerIdentityAssertion(provider, parts, TTL.AccessToken)
  findAccessTokens(provider, parts)
  compareHashes(provider)
  refuseOwnRedirects(provider, parts.redirects)
  keepErrorsHere(provider, parts.documents)
  provider.proxy = true
  provider.use(async (context, next) => {
    prepare(context, resources)
    await next()
    if (context.path.startsWith('/.well-known/') && context.status === 200)
      tellMore(context.body, assertions !== null)
  })
  return provider
}

function configurationOf(parts: ProviderParts): Configuration {
  const { issuer, accounts, consents, keys, documents } = parts
  return {
    adapter: createAdapter(parts),
    clients: [
      structuredClone(CLI_CLIENT) as never,
      pagesClient(issuer) as never,
      consoleClient(parts.consoleCallbacks) as never,
    ],
    clientDefaults: {
      response_types: ['code'],
      response_modes: ['query'],
      id_token_signed_response_alg: SIGNING_ALG,
    },
    clientAuthMethods: ['none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt'],
    assertJwtClientAuthClaimsAndHeader: (_context, { exp }) => demandNearEnd(exp, parts.clock.now()),
    clientBasedCORS: (_context, origin, { redirectUris = [] }) =>
      redirectUris.some((uri) => URL.parse(uri)?.origin === origin),
    jwks: { keys: [...keys.signing] },
    cookies: cookiesOf(keys, issuer.startsWith('https:')),
    scopes: [...OIDC_SCOPES],
    responseTypes: ['code'],
    pkce: { required: () => true },
    routes: ROUTES,
    ttl: {
      ...TTL,
      Interaction: (_context, { prompt }) => INTERACTION_TTL[prompt.name === 'login' ? 'login' : 'consent'],
    },
    interactions: { url: (_context, { uid }) => INTERACTION + uid },
    findAccount: (context, sub, token) => findAccount(context, sub, token === undefined, accounts),
    loadExistingGrant: (context) => consents.grantFor(context),
    expiresWithSession: () => false,
    issueRefreshToken: (_context, client) => client.grantTypeAllowed('refresh_token'),
    rotateRefreshToken: true,
    revokeGrantPolicy: () => true,
    extraTokenClaims: (_context, token) => parts.claimsOf(token),
    formats: { customizers: { jwt: nameService(parts) } },
    renderError: (context, out) =>
      answerPage(context, errorPage(out.error, out.error_description ?? 'The request is not valid.')),
    fetch: async (url) => Response.json(await documents.fetch(String(url), Provider.ctx?.ip ?? '')),
    features: featuresOf(parts),
    discovery: { service_documentation: undefined },
  }
}

/** Anybody may register a client with a key, and would have signatures kept for as long as these say. */
function demandNearEnd(exp: unknown, now: number): void {
  if (Number(exp) * 1000 <= now + ASSERTION_MAX * 1000) return
  throw new errors.InvalidClientAuth('exp must be within an hour')
}

function cookiesOf(keys: ServerKeys, isSecure: boolean): Configuration['cookies'] {
  const common = { signed: true, httpOnly: true, sameSite: 'lax', secure: isSecure } as const
  return {
    keys: [...keys.cookies],
    names: ownCookieNames(isSecure),
    long: { ...common, path: '/' },
    short: common,
  }
}

async function findAccount(
  { oidc }: EngineContext,
  id: string,
  isSession: boolean,
  accounts: ProviderParts['accounts'],
) {
  const account = await accounts.find(id)
  if (account?.active === true) return { accountId: account.id, claims: () => ({ sub: account.id }) }
  // Whoever is gone signs in again, or somebody else does
  if (isSession && oidc.session !== undefined) delete oidc.session.accountId
  return undefined
}

/** Who a service identity is does not hang on the name by which it came; and what it was trusted by. */
function nameService({ services, agents, clock }: ProviderParts): JwtCustomizer {
  return async (context, token, jwt) => {
    if (token.kind !== 'ClientCredentials') return
    const agent = await agents.find(token.clientId ?? '')
    if (agent !== undefined) {
      jwt.payload['sub'] = agent.user ?? agent.host.id
      return
    }
    const exchanged = context.oidc.account
    jwt.payload['sub'] = exchanged?.accountId ?? (await services.find(token.clientId ?? '', clock.now()))?.id
    if (exchanged !== undefined) jwt.payload[TRUST_RULE] = exchanged[TRUST_RULE]
  }
}

function featuresOf(parts: ProviderParts): Configuration['features'] {
  const { documents, documentMode, resources } = parts
  return {
    clientIdMetadataDocument: {
      enabled: documentMode !== 'off',
      ack: 'draft-02',
      allowFetch: () => documents.mayFetch,
    },
    registration: { enabled: true, issueRegistrationAccessToken: false },
    clientCredentials: { enabled: true },
    revocation: { enabled: true, allowedPolicy: mayRevoke },
    introspection: {
      enabled: true,
      allowedPolicy: (_context, client, token) =>
        client.clientAuthMethod !== 'none' && token.clientId === client.clientId,
    },
    deviceFlow: { enabled: true, ...DEVICE_PAGES },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => resources.nameOf('mcp'),
      useGrantedResource: () => true,
      getResourceServerInfo: ({ oidc }, indicator, client) =>
        describeResource(indicator, client.clientId, oidc.params?.['grant_type'], parts),
    },
    devInteractions: { enabled: false },
    rpInitiatedLogout: { enabled: false },
    pushedAuthorizationRequests: { enabled: false },
    dPoP: { enabled: false },
  }
}

const mayRevoke: RevocationPolicy = (_context, client, token) => {
  if (token.clientId !== client.clientId) return false
  // The grant of an agent's token is that of the person
  if (token.kind === 'ClientCredentials' || isAgentId(token.clientId))
    throw new errors.UnsupportedTokenType('this token cannot be revoked; it expires')
  return true
}

/** What a token for a resource is like (RFC 8707). */
async function describeResource(
  indicator: string,
  client: string,
  grantType: unknown,
  { resources, agents }: Pick<ProviderParts, 'resources' | 'agents'>,
) {
  if (resources.isWholeOrigin(indicator)) throw new errors.InvalidTarget(severalResources(resources))
  const found = resources.find(indicator)
  if (found === null) throw new errors.InvalidTarget('there is no such resource')
  if (isAgentId(client)) {
    const agent = await agents.find(client)
    if (grantType === 'client_credentials' && agent?.actsForPeople === true)
      throw new errors.UnauthorizedClient(
        'the binding has acts_for, so its own token gives no access: exchange the access token of a person (grant_type urn:ietf:params:oauth:grant-type:token-exchange)',
      )
    if (agent?.resource !== found)
      throw new errors.InvalidTarget('the binding of the agent is for another resource')
  } else if (isConsumer(found) && grantType === 'client_credentials')
    // A service identity is no person: nothing at an MCP endpoint is shared with it
    throw new errors.InvalidTarget('this resource is for people who sign in, and for agents with a binding')
  return {
    scope: (isConsumer(found) ? MCP_SCOPES : SCOPES).join(' '),
    audience: resources.nameOf(found),
    accessTokenFormat: 'jwt',
    accessTokenTTL: TTL.AccessToken,
    jwt: { sign: { alg: SIGNING_ALG } },
  } as const
}

/** What to name in the place of an origin. */
function severalResources({ nameOf }: Pick<ProtectedResources, 'nameOf'>): string {
  const gateway = nameOf('/mcp')
  return `this server has several resources: set resource to the URL that you call. Resources: ${nameOf('mcp')} (Management MCP), ${nameOf('rest')} (Management REST), ${gateway} (published APIs), ${gateway}/{slug} (a virtual MCP)`
}

/** Of secrets only hashes are kept. */
function compareHashes({ Client: { prototype } }: Provider): void {
  const { compareClientSecret: same } = prototype
  prototype.compareClientSecret = function (actual) {
    return same.call(this, keptSecret(actual))
  }
}

/**
 * Judged with each request: a client may have registered before a collection got its host name, and a redirect URI of the loopback
 * names its port only in the request.
 */
function refuseOwnRedirects(
  { Client: { prototype } }: Provider,
  redirects: Pick<OwnRedirects, 'faultOf'>,
): void {
  const { redirectUriAllowed: allowed } = prototype
  prototype.redirectUriAllowed = function (redirect) {
    const isAllowed = allowed.call(this, redirect)
    return isAllowed && (isOwnClient(this.clientId) || redirects.faultOf(redirect) === null)
  }
}

interface Prepared {
  path: string
  method: string
  query: NodeJS.Dict<string | string[]>
  state: Record<string, unknown>
}

/** What clients leave out and the engine insists on. */
function prepare(context: Prepared, resources: ProtectedResources): void {
  if (context.method !== 'GET') return
  if (context.path === ROUTES.authorization) {
    const { scope, resource } = context.query
    const isForPeople = [resource ?? []].flat().some((one) => isForConsumers(one, resources))
    context.query = {
      ...context.query,
      ...(Array.isArray(scope) ? {} : { scope: scopeAsked(scope ?? '', isForPeople) }),
      ...(resource === undefined
        ? {}
        : { resource: [resource].flat().map((indicator) => nameAlike(indicator, resources)) }),
    }
  }
  if (context.path === ROUTES.code_verification) takeCode(context)
}

/** True for an MCP endpoint of gateway threads. */
export function isForConsumers(indicator: string, resources: Pick<ProtectedResources, 'find'>): boolean {
  const found = resources.find(indicator)
  return found !== null && isConsumer(found)
}

/** The one name of a resource; another indicator, and an origin alone, as it is. */
export function nameAlike(indicator: string, resources: ProtectedResources): string {
  const found = resources.isWholeOrigin(indicator) ? null : resources.find(indicator)
  return found === null ? indicator : resources.nameOf(found)
}

/** The engine knows only the scopes of OpenID Connect, and all grants that there may be. The scopes named are those to start with. */
function tellMore(given: unknown, takesAssertions: boolean): void {
  // The engine made it just now
  const metadata = given as { grant_types_supported: string[] }
  Object.assign(metadata, {
    scopes_supported: [...START_SCOPES, ...OIDC_SCOPES],
    response_modes_supported: ['query'],
    ...(takesAssertions
      ? { authorization_grant_profiles_supported: [IDENTITY_ASSERTION] }
      : { grant_types_supported: metadata.grant_types_supported.filter((one) => one !== JWT_BEARER) }),
  })
}

/**
 * Shows errors of a request for authorization on a page, in place of a redirect, if the redirect leads to a website that
 * nobody vouches for. Anyone can register a client: a link to this server would otherwise lead to any website, without a
 * word from the person who follows it (RFC 9700 section 4.11.2). What comes after sign-in or consent is redirected.
 */
function keepErrorsHere(provider: Provider, documents: Pick<ClientDocuments, 'nameOf'>): void {
  // The engine emits this before it decides between the page and the redirect
  provider.on('authorization.error', ({ oidc, query }, error) => {
    if (oidc.route !== 'authorization') return
    const redirect = oidc.params?.redirect_uri ?? query['redirect_uri']
    if (typeof redirect === 'string' && isLocalRedirect(redirect)) return
    if (documents.nameOf(oidc.client?.clientId ?? '') !== undefined) return
    Object.assign(error, { allow_redirect: false })
  })
}

// The pages of a person who enters the code of a device (RFC 8628 section 3.3).

type DevicePages = Pick<
  NonNullable<NonNullable<Configuration['features']>['deviceFlow']>,
  'userCodeInputSource' | 'userCodeConfirmSource' | 'successSource'
>

/** The pages of a person who has been given a code by a device (RFC 8628 section 3.3). */
const DEVICE_PAGES: DevicePages = {
  userCodeInputSource(context, _form, out) {
    if (out !== undefined && forgetNewSession(context)) return answerPage(context, UNKNOWN_SESSION)
    const fault = out === undefined ? null : 'This code is unknown, was already used, or has expired.'
    answerPage(context, deviceCodePage(deviceForm(context, codeOf(context)), fault))
  },
  userCodeConfirmSource(context, _form, client, _device, code) {
    const { id, name } = shownClient(client.clientId, client.clientName)
    answerPage(context, deviceConfirmPage(deviceForm(context, code), name ?? id))
  },
  successSource: (context) => answerPage(context, DEVICE_DONE),
}

/** Has a code in a link shown, where the engine would have a script send it on. */
function takeCode(context: Pick<EngineContext, 'query' | 'state'>): void {
  const { user_code: code, ...rest } = context.query
  if (code === undefined) return
  context.state['code'] = code
  context.query = rest
}

const UNKNOWN_SESSION = errorPage(
  'session_not_found',
  'This page has expired, or this browser stores no cookies. Open the address that your device shows again.',
)

/**
 * True for a form that came without the session of its page. The engine has put a secret for a new form into a session
 * that it never stored, and would fail to store it now.
 */
function forgetNewSession({ oidc }: EngineContext): boolean {
  // Members that the engine's types do not name.
  const session = oidc.session as { exp?: number; touched?: boolean } | undefined
  if (session === undefined || session.exp !== undefined) return false
  session.touched = false
  return true
}

function codeOf({ state }: EngineContext): string {
  // As takeCode left it.
  const { code } = state as Record<string, unknown>
  return typeof code === 'string' ? code : ''
}

function deviceForm({ oidc }: EngineContext, code: string) {
  // The engine keeps the secret of its form there, and has no type for it.
  const { secret } = (oidc.session?.state ?? {}) as { secret?: string }
  return { action: '/oauth/device', xsrf: secret ?? '', code }
}
