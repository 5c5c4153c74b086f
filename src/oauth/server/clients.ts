/**
 * The clients of the authorization server: parts of Postern, service identities, agents, and clients that have registered
 * themselves (RFC 7591).
 */
import type { Agent } from '../../access/agents.ts'
import type { ServiceClient } from '../../access/service-clients.ts'
import { hashToken } from '../../base/crypto/token.ts'
import { listedTexts, type Plain } from '../../base/json/plain.ts'
import { isLoopbackHost } from '../../base/net/address.ts'
import { urlTextFault } from '../../base/text/url.ts'
import { isReservedName } from './client-names.ts'

export const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
export const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code'

/** What clients may register for themselves. */
const OWN_GRANTS = ['authorization_code', 'refresh_token', DEVICE_GRANT, JWT_BEARER]
const MEMBERS = [
  'client_id',
  'client_name',
  'client_uri',
  'redirect_uris',
  'grant_types',
  'response_types',
  'token_endpoint_auth_method',
  'token_endpoint_auth_signing_alg',
  'application_type',
  'jwks',
  'jwks_uri',
]
/** For which a client that registered itself is known after it was used last, in milliseconds. */
export const CLIENT_KEPT_MS = 90 * 24 * 60 * 60 * 1000
const NAME_MAX = 100
const REDIRECTS_MAX = 20

/** The command line of Postern. It keeps no secret; what it is let in with is the consent of its user. */
export const CLI_CLIENT = {
  client_id: 'postern-cli',
  client_name: 'Postern command line',
  application_type: 'native',
  redirect_uris: ['http://127.0.0.1/callback', 'http://localhost/callback', 'http://[::1]/callback'],
  grant_types: ['authorization_code', 'refresh_token', DEVICE_GRANT, TOKEN_EXCHANGE],
  response_types: ['code'],
  token_endpoint_auth_method: 'none',
} as const

/** The pages of Postern itself, on which a person who has signed in needs no other consent. */
export const PAGES_CLIENT_ID = 'postern-pages'

/** @param issuer origin of the pages */
export function pagesClient(issuer: string): Plain {
  return {
    client_id: PAGES_CLIENT_ID,
    client_name: 'Postern',
    application_type: 'web',
    redirect_uris: [`${issuer}${SIGNED_IN_PATH}`],
    grant_types: ['authorization_code'],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
  }
}

/** The console: its server signs people in, and needs no consent for that. */
export const CONSOLE_CLIENT_ID = 'postern-console'

/** @param redirects where the console may be reached: the URLs of its callback */
export function consoleClient(redirects: readonly string[]): Plain {
  return {
    client_id: CONSOLE_CLIENT_ID,
    client_name: 'Postern console',
    application_type: 'web',
    redirect_uris: redirects,
    grant_types: ['authorization_code'],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
  }
}

/** True for clients that are a part of Postern: they learn who has signed in, and get no token. */
export function isOwnClient(id: string): boolean {
  return id === PAGES_CLIENT_ID || id === CONSOLE_CLIENT_ID
}

/** To which a browser comes back that has signed in for a page. No origin has this slug. */
export const SIGNED_IN_PATH = '/connect/-/signed-in'

/** Stands before the hash of a secret, in the place of the secret. */
const HASHED = 'sha256:'

/** What is kept of a client's secret. */
export function keptSecret(secret: string): string {
  return HASHED + hashToken(secret)
}

/** A service identity, as a client; undefined where it has nothing to prove itself by. */
export function serviceClient(ref: string, service: ServiceClient): Plain | undefined {
  const { name, keys, secretHash } = service
  const proof =
    keys.length > 0
      ? { token_endpoint_auth_method: 'private_key_jwt', jwks: { keys } }
      : { token_endpoint_auth_method: 'client_secret_basic', client_secret: HASHED + secretHash }
  if (keys.length === 0 && secretHash === null) return undefined
  return {
    client_id: ref,
    client_name: name,
    redirect_uris: [],
    response_types: [],
    grant_types: ['client_credentials', JWT_BEARER],
    ...proof,
  }
}

/** A binding of a host, as a client that signs, or whose secret is the token of the binding. */
export function agentClient({ id, host, credential }: Agent): Plain {
  const { keys, secretHash } = credential
  return {
    client_id: id,
    client_name: host.name,
    redirect_uris: [],
    response_types: [],
    // Of the two a binding takes one: each says of the other what to do
    grant_types: [TOKEN_EXCHANGE, 'client_credentials'],
    ...(secretHash === null
      ? { token_endpoint_auth_method: 'private_key_jwt', jwks: { keys } }
      : { token_endpoint_auth_method: 'client_secret_basic', client_secret: HASHED + secretHash }),
  }
}

/**
 * What a client says of itself (RFC 7591), as it will do here: what we know and serve, and the type of application that
 * its redirects ask for, as most clients leave that out. Scopes are left to each request.
 */
export function lenientMetadata(given: Plain): Plain {
  const taken = Object.fromEntries(
    MEMBERS.flatMap((name) => (given[name] == null ? [] : [[name, given[name]]])),
  )
  const redirects = listedTexts(taken['redirect_uris']).slice(0, REDIRECTS_MAX)
  if (taken['redirect_uris'] !== undefined) taken['redirect_uris'] = redirects.map(readable)
  if (typeof taken['jwks_uri'] === 'string') taken['jwks_uri'] = readable(taken['jwks_uri'])
  if (redirects.some((one) => !one.startsWith('https://'))) taken['application_type'] = 'native'
  const grants = listedTexts(taken['grant_types']).filter((one) => OWN_GRANTS.includes(one))
  if (grants.length > 0) taken['grant_types'] = grants
  // RFC 7591 section 2 names the first alone; a client that leaves it out still wants to stay signed in
  else taken['grant_types'] = ['authorization_code', 'refresh_token']
  if (taken['response_types'] !== undefined) taken['response_types'] = redirects.length === 0 ? [] : ['code']
  const { client_name: name, client_uri: page } = taken
  if (typeof name === 'string') {
    const shown = visible(name)
    // A reserved one would be taken for Postern; the client is called by its id then
    if (shown === '' || isReservedName(shown)) delete taken['client_name']
    else taken['client_name'] = shown
  }
  if (typeof page !== 'string' || !/^https?:/.test(readable(page))) delete taken['client_uri']
  return taken
}

/** A URL that leads where it reads; any other as a text that is no URL, which the engine refuses. */
function readable(url: string): string {
  return urlTextFault(url) === null ? url : ''
}

/** A name without what cannot be seen, and could turn the text after it around where people read who asks. */
function visible(name: string): string {
  return (
    name
      .replaceAll(/[\p{C}\p{Zl}\p{Zp}\u2800\u3164\uffa0\u115f\u1160]/gu, '')
      .trim()
      .slice(0, NAME_MAX)
      // Half of a character that the cut has parted
      .replace(/[\ud800-\udbff]$/, '')
  )
}

/**
 * What a client is called where people decide about it, and whether it chose the name itself.
 * @param known the name that a bundled or pinned document gives it, if there is one
 */
export function shownClient(
  id: string,
  name: string | undefined,
  known: string | undefined = undefined,
): ShownClient {
  const isOwn = id === CLI_CLIENT.client_id || isOwnClient(id)
  // Registered before names were reserved
  const isTaken = name !== undefined && !isOwn && isReservedName(name)
  const shown = name === undefined || isTaken ? null : name
  return { id, name: shown, isVerified: isOwn || (shown !== null && shown === known) }
}

export interface ShownClient {
  readonly id: string
  readonly name: string | null
  readonly isVerified: boolean
}

/** The host that a redirect leads to, as a person reads it; the scheme where it leads to a program. */
export function redirectHost(redirect: string): string {
  const url = URL.parse(redirect)
  if (url === null) return redirect
  return /^https?:$/.test(url.protocol) ? url.host : url.protocol.slice(0, -1)
}

/** True for a redirect that any program on the computer of the user could receive. */
export function isLocalRedirect(redirect: string): boolean {
  const url = URL.parse(redirect)
  return url !== null && (!/^https?:$/.test(url.protocol) || isLoopbackHost(url.hostname))
}
