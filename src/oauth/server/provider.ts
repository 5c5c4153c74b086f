import { type Configuration, errors, Provider } from 'oidc-provider'
import type { Accounts } from '../../access/accounts.ts'
import type { IdentityAssertions } from '../../access/identity-assertions.ts'
import type { OAuthTokens } from '../../access/oauth-tokens.ts'
import { DEFAULT_SCOPE, OIDC_SCOPES, SCOPES } from '../../access/scopes.ts'
import type { ServiceClients } from '../../access/service-clients.ts'
import type { WorkloadTokens } from '../../access/workload.ts'
import { type Page, pageHeaders, pageText } from '../../base/page.ts'
import type { Resources } from '../../base/resources.ts'
import { DEVICE_DONE, deviceCodePage, deviceConfirmPage } from '../pages/device.ts'
import { errorPage } from '../pages/error.ts'
import { findAccessTokens } from './access-tokens.ts'
import { type AdapterParts, createAdapter } from './adapter.ts'
import { CLI_CLIENT, JWT_BEARER, keptSecret } from './clients.ts'
import type { Consents } from './consents.ts'
import type { ClientDocuments, DocumentMode } from './documents.ts'
import { IDENTITY_ASSERTION, registerIdentityAssertion } from './identity-assertion.ts'
import { type ServerKeys, SIGNING_ALG } from './keys.ts'
import { registerTokenExchange } from './token-exchange.ts'

const MINUTE = 60
const DAY = 24 * 60 * MINUTE

/** Seconds for which things live. A sign-in for a client ends with its grant, whatever it was refreshed. */
const TTL = {
  AccessToken: 15 * MINUTE,
  ClientCredentials: 15 * MINUTE,
  AuthorizationCode: MINUTE,
  DeviceCode: 10 * MINUTE,
  Interaction: 10 * MINUTE,
  IdToken: 15 * MINUTE,
  RefreshToken: 30 * DAY,
  Grant: 90 * DAY,
  Session: 12 * 60 * MINUTE,
} as const

const ROUTES = {
  authorization: '/oauth/authorize',
  token: '/oauth/token',
  registration: '/oauth/register',
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
  readonly resources: Resources
  readonly accounts: Pick<Accounts, 'find'>
  readonly consents: Consents
  readonly tokens: Pick<OAuthTokens, 'verify'>
  readonly services: ServiceClients
  readonly workloads: WorkloadTokens
  readonly assertions: IdentityAssertions | null
  readonly documents: ClientDocuments
  readonly documentMode: DocumentMode
  readonly keys: ServerKeys
}

type Context = Parameters<NonNullable<Configuration['findAccount']>>[0]

/** The engine of the protocol, as it is set up here. What it keeps lies in our store; its pages are ours. */
export function createProvider(parts: ProviderParts): Provider {
  const { issuer, resources, accounts, consents, keys, documents, documentMode } = parts
  const isSecure = issuer.startsWith('https:')
  const provider = new Provider(issuer, {
    adapter: createAdapter(parts),
    clients: [structuredClone(CLI_CLIENT) as never],
    jwks: { keys: [...keys.signing] },
    cookies: {
      keys: [...keys.cookies],
      names: {
        session: isSecure ? '__Host-postern_session' : 'postern_session',
        interaction: isSecure ? '__Secure-postern_interaction' : 'postern_interaction',
        resume: isSecure ? '__Secure-postern_resume' : 'postern_resume',
      },
      long: { signed: true, httpOnly: true, sameSite: 'lax', secure: isSecure, path: '/' },
      short: { signed: true, httpOnly: true, sameSite: 'lax', secure: isSecure },
    },
    scopes: [...OIDC_SCOPES],
    responseTypes: ['code'],
    pkce: { required: () => true },
    clientDefaults: {
      response_types: ['code'],
      response_modes: ['query'],
      id_token_signed_response_alg: SIGNING_ALG,
    },
    clientAuthMethods: ['none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt'],
    clientBasedCORS: (_context, origin, { redirectUris = [] }) =>
      redirectUris.some((uri) => URL.parse(uri)?.origin === origin),
    routes: ROUTES,
    ttl: TTL,
    interactions: { url: (_context, { uid }) => `/oauth/interaction/${uid}` },
    findAccount: async (context, sub, token) => {
      const account = await accounts.find(sub)
      if (account?.active === true) return { accountId: account.id, claims: () => ({ sub: account.id }) }
      // Whoever is gone signs in again, or somebody else does
      if (token === undefined && context.oidc.session !== undefined) delete context.oidc.session.accountId
      return undefined
    },
    loadExistingGrant: (context) => consents.grantFor(context),
    expiresWithSession: () => false,
    issueRefreshToken: (_context, client) => client.grantTypeAllowed('refresh_token'),
    rotateRefreshToken: true,
    revokeGrantPolicy: () => true,
    extraTokenClaims: (_context, token) => ('grantId' in token ? { grant_id: token.grantId } : undefined),
    formats: {
      customizers: {
        jwt: async (context, token, jwt) => {
          // Who a service identity is does not hang on the name by which it came
          if (token.kind !== 'ClientCredentials') return
          const service = context.oidc.account?.accountId
          jwt.payload['sub'] =
            service ?? (await parts.services.find(token.clientId ?? '', parts.clock.now()))?.id
        },
      },
    },
    renderError: (context, out) =>
      answerPage(context, errorPage(out.error, out.error_description ?? 'The request could not be used.')),
    fetch: async (url) => Response.json(await documents.fetch(String(url))),
    features: {
      clientIdMetadataDocument: {
        enabled: documentMode !== 'off',
        ack: 'draft-02',
        allowFetch: () => documents.mayFetch,
      },
      devInteractions: { enabled: false },
      rpInitiatedLogout: { enabled: false },
      pushedAuthorizationRequests: { enabled: false },
      dPoP: { enabled: false },
      clientCredentials: { enabled: true },
      registration: {
        enabled: true,
        issueRegistrationAccessToken: false,
      },
      revocation: {
        enabled: true,
        allowedPolicy: (_context, client, token) => {
          if (token.clientId !== client.clientId) return false
          if (token.kind === 'ClientCredentials')
            throw new errors.UnsupportedTokenType('no grant stands behind this token: it ends by itself')
          return true
        },
      },
      introspection: {
        enabled: true,
        allowedPolicy: (_context, client, token) =>
          client.clientAuthMethod !== 'none' && token.clientId === client.clientId,
      },
      deviceFlow: {
        enabled: true,
        userCodeInputSource: (context, _form, out) =>
          answerPage(
            context,
            (out !== undefined && unknownSessionPage(context)) ||
              deviceCodePage(
                deviceForm(context, codeOf(context)),
                out === undefined ? null : 'This code is not known, used or too old.',
              ),
          ),
        userCodeConfirmSource: (context, _form, client, _device, code) =>
          answerPage(
            context,
            deviceConfirmPage(deviceForm(context, code), client.clientName ?? client.clientId),
          ),
        successSource: (context) => answerPage(context, DEVICE_DONE),
      },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => resources.nameOf('mcp'),
        useGrantedResource: () => true,
        getResourceServerInfo: (_context, indicator) => {
          const found = resources.find(indicator)
          if (found === null) throw new errors.InvalidTarget('there is no such resource')
          return {
            scope: SCOPES.join(' '),
            audience: resources.nameOf(found),
            accessTokenFormat: 'jwt',
            accessTokenTTL: TTL.AccessToken,
            jwt: { sign: { alg: SIGNING_ALG } },
          }
        },
      },
    },
    discovery: { service_documentation: undefined },
  })
  registerTokenExchange(provider, { ...parts, ttl: TTL.ClientCredentials })
  findAccessTokens(provider, parts.tokens, resources)
  registerIdentityAssertion(provider, parts, TTL.AccessToken)
  const { compareClientSecret: same } = provider.Client.prototype
  // Of secrets only hashes are kept
  provider.Client.prototype.compareClientSecret = function (actual) {
    return same.call(this, keptSecret(actual))
  }
  provider.proxy = true
  provider.use(async (context, next) => {
    prepare(context, resources)
    await next()
    if (context.path.startsWith('/.well-known/') && context.status === 200)
      tellMore(context.body, parts.assertions !== null)
  })
  return provider
}

interface Prepared {
  path: string
  method: string
  query: NodeJS.Dict<string | string[]>
  state: Record<string, unknown>
}

/** What clients leave out and the engine insists on; and a code in a link, which is shown and not sent on by a script. */
function prepare(context: Prepared, resources: Resources): void {
  if (context.method !== 'GET') return
  const { user_code: code, ...rest } = context.query
  if (context.path === '/oauth/authorize') {
    const { scope, resource } = context.query
    context.query = {
      ...context.query,
      scope: scope === undefined || scope === '' ? DEFAULT_SCOPE : scope,
      ...(typeof resource === 'string' ? { resource: nameAlike(resource, resources) } : {}),
    }
  }
  if (context.path === '/oauth/device' && code !== undefined) {
    context.state['code'] = code
    context.query = rest
  }
}

/** The one name of a resource; another indicator as it is. */
export function nameAlike(indicator: string, resources: Resources): string {
  const found = resources.find(indicator)
  return found === null ? indicator : resources.nameOf(found)
}

/** The engine knows only the scopes of OpenID Connect, and all grants that there may be. */
function tellMore(given: unknown, takesAssertions: boolean): void {
  // The engine made it just now
  const metadata = given as { grant_types_supported: string[] }
  Object.assign(metadata, {
    scopes_supported: [...SCOPES, ...OIDC_SCOPES],
    response_modes_supported: ['query'],
    ...(takesAssertions
      ? { authorization_grant_profiles_supported: [IDENTITY_ASSERTION] }
      : { grant_types_supported: metadata.grant_types_supported.filter((one) => one !== JWT_BEARER) }),
  })
}

function codeOf({ state }: Context): string {
  const { code } = state as Record<string, unknown>
  return typeof code === 'string' ? code : ''
}

function deviceForm({ oidc }: Context, code: string) {
  const { secret } = (oidc.session?.state ?? {}) as { secret?: string }
  return { action: '/oauth/device', xsrf: secret ?? '', code }
}

/**
 * Where a form comes without the session of its page; null where it has one. The engine has put a secret for a new form
 * into a session that it never stored, and would fail to store it now.
 */
function unknownSessionPage({ oidc }: Context): Page | null {
  const session = oidc.session as { exp?: number; touched?: boolean } | undefined
  if (session === undefined || session.exp !== undefined) return null
  session.touched = false
  return errorPage(
    'session_not_found',
    'This page has expired, or this browser keeps no cookies. Open the address that your device shows once more.',
  )
}

function answerPage(context: Pick<Context, 'set' | 'body'>, page: Page): void {
  context.set(pageHeaders(page))
  context.body = pageText(page)
}
