/** Metadata documents of origins and authorization servers. Each member is checked before it is used. */
import { listedTexts, type Plain } from '../../base/json/storable.ts'
import { isSecureUrl } from '../../base/net/address.ts'
import { urlTextFault } from '../../base/text/url.ts'

/** A document, or a server, cannot be used. The message is a sentence without subject and period, for administrators. */
export class Unusable extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'Unusable'
  }
}

/** A protected resource (RFC 9728 section 2). */
export interface ResourceMetadata {
  readonly resource: string
  /** Issuers of authorization servers, as they stand there, at most {@link SERVERS_MAX}. */
  readonly servers: readonly string[]
  readonly scopes: readonly string[]
}

/** An authorization server (RFC 8414 section 2). All URLs are https, or lead to this machine where the issuer does. */
export interface AuthorizationServer {
  readonly issuer: string
  readonly authorizationEndpoint: string
  readonly tokenEndpoint: string
  readonly registrationEndpoint: string | null
  readonly revocationEndpoint: string | null
  readonly userinfoEndpoint: string | null
  /** Ways in which clients prove themselves at the token endpoint; null where it does not say. */
  readonly authMethods: readonly string[] | null
  readonly scopes: readonly string[]
  /** Responses carry `iss` (RFC 9207). */
  readonly hasIssParameter: boolean
  /** Clients may be known by the URL of their metadata document. */
  readonly takesDocuments: boolean
}

const SERVERS_MAX = 5
export const SCOPES_MAX = 100
/** Ways to authenticate that are kept of a server, and characters of each: they are stored with each account. */
const METHODS_MAX = 20
const METHOD_MAX = 64
const URL_MAX = 2048

/** A scope token (RFC 6749 section 3.3). */
const SCOPE = /^[!#-[\]-~]{1,256}$/

/** Scopes of a list or of text with spaces; what is none is left out. */
export function scopesIn(value: unknown): string[] {
  const listed = typeof value === 'string' ? value.split(' ') : listedTexts(value)
  return [...new Set(listed.filter((one) => SCOPE.test(one)))].slice(0, SCOPES_MAX)
}

/**
 * Reads the metadata of a protected resource. Throws {@link Unusable} if it is that of another resource (RFC 9728 section 3.3): its
 * `resource` must be on the host of the origin, with the path of the origin or one above it, as MCP clients accept.
 * @param origin URL of the MCP endpoint
 */
export function readResourceMetadata(value: Plain, origin: string): ResourceMetadata {
  const { resource } = value
  if (typeof resource !== 'string' || !isResourceOf(resource, origin))
    throw new Unusable(
      `is the metadata of another resource: "resource" is ${shown(resource)}, and the origin is ${origin}`,
    )
  const servers = listedTexts(value['authorization_servers'])
    .filter((one) => one.length <= URL_MAX && urlTextFault(one) === null && URL.canParse(one))
    .slice(0, SERVERS_MAX)
  return { resource, servers, scopes: scopesIn(value['scopes_supported']) }
}

function isResourceOf(resource: string, origin: string): boolean {
  if (resource.length > URL_MAX || urlTextFault(resource) !== null) return false
  const [named, asked] = [URL.parse(resource), new URL(origin)]
  if (named === null || named.origin !== asked.origin || resource.includes('#')) return false
  if (NAMES_USER.test(resource)) return false
  if (named.search !== '') return named.pathname === asked.pathname && named.search === asked.search
  return withSlash(asked.pathname).startsWith(withSlash(named.pathname))
}

const withSlash = (path: string): string => (path.endsWith('/') ? path : `${path}/`)

/**
 * Reads the metadata of an authorization server. Throws {@link Unusable} if its issuer is not the one asked for (RFC 8414 section
 * 3.3), if an endpoint is missing or not https, or if it does not support PKCE with S256.
 */
export function readServerMetadata(value: Plain, issuer: string): AuthorizationServer {
  const said = value['issuer']
  if (typeof said !== 'string' || !isSameIssuer(said, issuer))
    throw new Unusable(`is the metadata of another issuer: ${shown(said)} instead of ${issuer}`)
  if (!isIssuer(said))
    throw new Unusable(
      'is no issuer: it must be a URL with https that has no user name, no query and no fragment',
    )
  const endpoint = (name: string): string | null => {
    const url = value[name]
    if (url === undefined || url === null) return null
    if (!isUsable(url, said)) throw new Unusable(`has a ${name} that is no https URL: ${shown(url)}`)
    return url
  }
  const required = (name: string): string => {
    const url = endpoint(name)
    if (url === null) throw new Unusable(`has no ${name}`)
    return url
  }
  const methods = value['token_endpoint_auth_methods_supported']
  const server = {
    issuer: said,
    authorizationEndpoint: required('authorization_endpoint'),
    tokenEndpoint: required('token_endpoint'),
    registrationEndpoint: endpoint('registration_endpoint'),
    revocationEndpoint: endpoint('revocation_endpoint'),
    userinfoEndpoint: endpoint('userinfo_endpoint'),
    authMethods: Array.isArray(methods) ? methodsIn(methods) : null,
    scopes: scopesIn(value['scopes_supported']),
    hasIssParameter: value['authorization_response_iss_parameter_supported'] === true,
    takesDocuments: value['client_id_metadata_document_supported'] === true,
  }
  if (!listedTexts(value['code_challenge_methods_supported']).includes('S256'))
    throw new Unusable('does not support PKCE with S256 (code_challenge_methods_supported)')
  return server
}

function methodsIn(methods: readonly unknown[]): string[] {
  return listedTexts(methods)
    .filter((one) => one.length <= METHOD_MAX)
    .slice(0, METHODS_MAX)
}

/** Byte for byte; the root of a host is one URL with and without its slash (RFC 3986 section 6.2.3), and libraries add the slash. */
function isSameIssuer(said: string, asked: string): boolean {
  if (said === asked) return true
  const [one, other] = [URL.parse(said), URL.parse(asked)]
  const isRoot = (text: string, url: URL | null): boolean =>
    url !== null && (text === url.origin || text === `${url.origin}/`)
  return isRoot(said, one) && isRoot(asked, other) && one!.origin === other!.origin
}

/** A user name before a host, also an empty one. People read a URL before they agree, and would take it for the host. */
const NAMES_USER = /^[^/]*\/\/[^/?#]*@/

/** RFC 8414 section 2. */
function isIssuer(issuer: string): boolean {
  return /^https?:/i.test(issuer) && !/[?#]/.test(issuer) && !NAMES_USER.test(issuer)
}

function isUsable(url: unknown, issuer: string): url is string {
  if (typeof url !== 'string' || url.length > URL_MAX || urlTextFault(url) !== null) return false
  const parsed = URL.parse(url)
  if (parsed === null || url.includes('#') || NAMES_USER.test(url)) return false
  return parsed.protocol === 'https:' || (isSecureUrl(parsed) && issuer.startsWith('http:'))
}

/** What servers of 2025-03-26 have that publish no metadata: fixed paths on the host of the origin. */
export function defaultServer(issuer: string): AuthorizationServer {
  return {
    issuer,
    authorizationEndpoint: `${issuer}/authorize`,
    tokenEndpoint: `${issuer}/token`,
    registrationEndpoint: `${issuer}/register`,
    revocationEndpoint: null,
    userinfoEndpoint: null,
    authMethods: null,
    scopes: [],
    hasIssParameter: false,
    takesDocuments: false,
  }
}

/** Where the metadata of a resource may stand (RFC 9728 section 3.1): with its path, then at the root. */
export function resourceMetadataUrls(origin: string): string[] {
  const { origin: host, pathname, search } = new URL(origin)
  const root = `${host}/.well-known/oauth-protected-resource`
  const path = pathname === '/' ? '' : pathname
  return [...new Set([root + path + search, root])]
}

/** Where the metadata of an authorization server may stand (RFC 8414 section 3.1, OpenID Connect Discovery 1.0 section 4). */
export function serverMetadataUrls(issuer: string): string[] {
  const { origin: host, pathname } = new URL(issuer)
  const path = pathname.replace(/\/$/, '')
  const inserted = [
    `${host}/.well-known/oauth-authorization-server${path}`,
    `${host}/.well-known/openid-configuration${path}`,
  ]
  return path === '' ? inserted : [...inserted, `${host}${path}/.well-known/openid-configuration`]
}

const SHOWN_MAX = 200

/** A value of a document, as one line of bounded length. */
function shown(value: unknown): string {
  if (value === undefined) return 'missing'
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return text.replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, ' ').slice(0, SHOWN_MAX)
}

// Reads the challenges of `WWW-Authenticate` fields (RFC 9110 section 11.6.1): where and how a client gets a token.

/** One challenge of a `WWW-Authenticate` field. */
interface AuthChallenge {
  /** In lower case, such as `bearer`. */
  readonly scheme: string
  /** Parameters by name in lower case; of a repeated one, the first. */
  readonly params: ReadonlyMap<string, string>
}

/** Longer fields are not read. */
const FIELD_MAX = 16_384

const SEPARATORS = /[ \t,]*/y
const TOKEN = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/y
const TOKEN_68 = /[ \t]+[A-Za-z0-9\-._~+/]+=*[ \t]*(?=,|$)/y
const EQUALS = /[ \t]*=[ \t]*/y
const QUOTED = /"((?:[^"\\]|\\.)*)"/sy

/**
 * Reads the challenges of a `WWW-Authenticate` field (RFC 9110 section 11.6.1), of which several may be joined by commas. Where
 * the text is malformed, the rest is left out. Takes time linear in the length.
 */
export function parseChallenges(field: string): AuthChallenge[] {
  const found: { readonly scheme: string; readonly params: Map<string, string> }[] = []
  if (field.length > FIELD_MAX) return found
  let at = 0
  const read = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at
    const match = pattern.exec(field)
    if (match !== null) at = pattern.lastIndex
    return match
  }
  while (at < field.length) {
    read(SEPARATORS)
    const name = read(TOKEN)?.[0].toLowerCase()
    if (name === undefined) return found
    if (read(EQUALS) === null) {
      found.push({ scheme: name, params: new Map() })
      read(TOKEN_68)
      continue
    }
    const value = read(QUOTED)?.[1]?.replaceAll(/\\(.)/gs, '$1') ?? read(TOKEN)?.[0]
    const params = found.at(-1)?.params
    if (value === undefined || params === undefined) return found
    if (!params.has(name)) params.set(name, value)
  }
  return found
}

/** What a challenge says of where and how to get a token. */
export interface ResourceChallenge {
  /** URL of the protected resource metadata (RFC 9728 section 5.1), as it stands there. */
  readonly metadata: string | null
  /** Scopes that are asked for (RFC 6750 section 3). */
  readonly scope: string | null
  /** Code of RFC 6750 section 3.1; null for none. */
  readonly error: string | null
}

/** What the challenges of schemes with tokens say; the first that names something counts. */
export function resourceChallengeOf(field: string | undefined): ResourceChallenge {
  const params = parseChallenges(field ?? '')
    .filter(({ scheme }) => scheme === 'bearer' || scheme === 'dpop')
    .map((challenge) => challenge.params)
  const first = (name: string): string | null =>
    params.map((one) => one.get(name)).find((value) => value !== undefined && value !== '') ?? null
  return { metadata: first('resource_metadata'), scope: first('scope'), error: first('error') }
}
