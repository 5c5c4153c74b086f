import { ALL_DOORS, DOORS, type Protected } from '../doors.ts'
import { isLoopbackHost } from '../net/address.ts'
import type { Refusal, RefusalCode } from '../refusal.ts'

/** Where the metadata of protected resources stands, before the path of the resource (RFC 9728 section 3.1). */
export const RESOURCE_METADATA = DOORS.resourceMetadata.path

const LOOPBACK = ['localhost', '127.0.0.1', '[::1]']

/** Origins by which the listeners are reached; the first is named where a request tells of no other one. */
export type Origins = readonly [string, ...string[]]

/**
 * The origin to name in an answer: the configured one whose authority is the Host of the request. Names of the loopback
 * with one port are equivalent, and the caller's is named. For any other Host the first configured origin is named.
 */
export function createOriginFor(configured: Origins): (host: string | null) => string {
  const byHost = new Map<string, string>()
  for (const origin of configured)
    for (const known of namesOf(origin)) {
      const host = known.slice(known.indexOf('://') + 3)
      if (!byHost.has(host)) byHost.set(host, known)
    }
  return (host) => byHost.get(host?.toLowerCase() ?? '') ?? configured[0]
}

/** An origin by each of its names: more than one where it is of the loopback. */
export function namesOf(origin: string): readonly string[] {
  const [scheme, authority = ''] = origin.split('://')
  const name = LOOPBACK.find((item) => authority === item || authority.startsWith(`${item}:`))
  if (name === undefined) return [origin]
  const port = authority.slice(name.length)
  return LOOPBACK.map((item) => `${scheme}://${item}${port}`)
}

/**
 * The challenge of a 401, or of a token whose scopes do not suffice (RFC 6750 section 3): where the metadata of the protected resource stands (RFC 9728
 * section 5.1). Clients compare that resource with the URL they used, so it is named by the origin they came by.
 * A 403 says in `error_description` what `detail` says.
 * @param scope Value of the `scope` member, or null for none. `needed` stands in its place where a token is too narrow.
 */
export function createChallenge(
  origins: Origins,
  resourcePath: string,
  scope: string | null,
): (host: string | null, code: RefusalCode, needed?: unknown, detail?: string) => string {
  const originFor = createOriginFor(origins)
  return (host, code, needed, detail) => {
    const metadata = `resource_metadata="${originFor(host)}${RESOURCE_METADATA}${resourcePath}"`
    // All scopes for the operation at once, with those held: clients ask for exactly these (MCP, step-up authorization)
    const named = code === 'insufficient_scope' && typeof needed === 'string' ? needed : scope
    const asked = named === null ? '' : `, scope="${named}"`
    const error = code === 'insufficient_scope' ? code : isAboutToken(code) ? 'invalid_token' : null
    const why = code === 'insufficient_scope' && detail !== undefined ? descriptionOf(detail) : ''
    return `Bearer ${metadata}${asked}${error === null ? '' : `, error="${error}"`}${why}`
  }
}

/** The member for people, of the characters that it may have (RFC 6750 section 3). */
function descriptionOf(detail: string): string {
  return `, error_description="${detail.replace(/[^ !#-[\]-~]/g, "'")}"`
}

/** True for a refusal whose answer carries a challenge. */
export function isChallenged({ status, code }: Pick<Refusal, 'status' | 'code'>): boolean {
  return status === 401 || code === 'insufficient_scope'
}

/** The error is named only when a credential was sent (RFC 6750 section 3.1). */
function isAboutToken(code: RefusalCode): boolean {
  return code === 'credential_invalid' || code === 'credential_expired'
}

/** True for the value of an `Origin` field whose pages may call an endpoint. */
export type AllowsOrigin = (origin: string) => boolean

/**
 * Which pages may call an endpoint: those of our own origins, and those of the list. One rule for the `Origin` check and for
 * CORS. The opaque origin `null`, which any page can take on, is never allowed.
 * @param own origins of the listeners; names of the loopback are equivalent.
 * @param listed null where no list is set: then pages of the loopback are allowed if `isLoopbackAllowed`.
 */
export function createAllowedOrigins(
  own: readonly string[],
  listed: readonly string[] | null,
  isLoopbackAllowed: boolean,
): AllowsOrigin {
  const allowed = new Set([...own.flatMap(namesOf), ...(listed ?? [])].map((origin) => origin.toLowerCase()))
  const isLoopback = listed === null && isLoopbackAllowed ? isLoopbackOrigin : () => false
  return (origin) => allowed.has(origin.toLowerCase()) || isLoopback(origin.toLowerCase())
}

/** As browsers write it (Fetch section 3.2): an http origin of this machine, and nothing behind it. */
function isLoopbackOrigin(origin: string): boolean {
  const url = URL.parse(origin)
  if (url === null || url.origin !== origin || !/^https?:$/.test(url.protocol)) return false
  return isLoopbackHost(url.hostname) || url.hostname.endsWith('.localhost')
}

/** Paths of the protected resources of management (RFC 8707). */
export const PROTECTED = { mcp: DOORS.managementMcp.path, rest: DOORS.managementRest.path } as const

/** Paths by the resource that they name. The whole origin is Management MCP, for clients that know no more. */
const PATHS: Readonly<Record<string, 'mcp' | 'rest'>> = Object.fromEntries([
  ['/', 'mcp'],
  ...ALL_DOORS.map(({ path, resource }) => [path, resource]).filter(
    ([, resource]) => resource === 'mcp' || resource === 'rest',
  ),
])

const SLUG = '[a-z0-9][a-z0-9-]{0,62}'
const CONSUMER = new RegExp(`^/mcp(/${SLUG}|/-/${SLUG}/${SLUG})?$`)

/** True for the path of an MCP endpoint of gateway threads: `/mcp`, `/mcp/{slug}` or `/mcp/-/{client}/{profile}`. */
export function isConsumerResource(path: string): path is `/mcp${string}` {
  return CONSUMER.test(path)
}

/** True for `/mcp/{slug}`, given the path of an MCP endpoint. */
export function isVirtualMcp(path: `/mcp${string}`): boolean {
  return path !== DOORS.consumerMcp.path && !path.startsWith(`${DOORS.consumerMcp.path}/-/`)
}

/** True for a resource of people who call, and not of management. */
export function isConsumer(resource: Protected): resource is `/mcp${string}` {
  return resource.startsWith('/')
}

export interface ProtectedResources {
  /** The one name of a resource, which stands in tokens. */
  readonly nameOf: (resource: Protected) => string
  /** Its names by each of the origins. */
  readonly namesOf: (resource: Protected) => readonly string[]
  /**
   * Which resource an indicator means, by any of the origins and of their names; null for another. A virtual MCP that does not exist
   * is named like any other: callers without a token cannot find out which exist.
   */
  readonly find: (indicator: string) => Protected | null
  /** True for an indicator that names an origin alone, which has several resources. */
  readonly isWholeOrigin: (indicator: string) => boolean
}

/**
 * The protected resources, named by the first origin and known by all of them. Scheme and host compare without case, and a slash
 * at the end says nothing.
 */
export function createProtectedResources(origins: Origins): ProtectedResources {
  const [origin] = origins
  const originFor = createOriginFor(origins)
  const isOurs = (url: URL): boolean => url.origin === new URL(originFor(url.host)).origin
  const pathOf = (resource: Protected): string => (isConsumer(resource) ? resource : PROTECTED[resource])
  return {
    nameOf: (resource) => origin + pathOf(resource),
    namesOf: (resource) => origins.map((one) => one + pathOf(resource)),
    isWholeOrigin(indicator) {
      const url = URL.parse(indicator)
      const isBare = url !== null && url.pathname === '/' && url.search === '' && url.hash === ''
      return isBare && url.username === '' && isOurs(url)
    },
    find(indicator) {
      const url = URL.parse(indicator)
      if (url === null || url.search !== '' || url.hash !== '' || url.username !== '' || !isOurs(url))
        return null
      const path = url.pathname === '/' ? '/' : url.pathname.replace(/\/$/, '')
      if (isConsumerResource(path)) return path
      return Object.hasOwn(PATHS, path) ? PATHS[path]! : null
    },
  }
}
