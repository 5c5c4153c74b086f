import { createOriginFor, type Origins } from './challenge.ts'
import { ALL_DOORS, DOORS, type Protected } from './doors.ts'

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
