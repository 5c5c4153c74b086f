import { createOriginFor, type Origins } from './challenge.ts'
import { ALL_DOORS, DOORS, type Protected } from './doors.ts'

/** What an access token may be for, by the path of the protected resource (RFC 8707). */
export const PROTECTED = { mcp: DOORS.managementMcp.path, rest: DOORS.managementRest.path } as const

/** Paths by the resource that they name. The whole origin is Management MCP, for clients that know no more. */
const PATHS: Readonly<Record<string, Protected>> = Object.fromEntries([
  ['/', 'mcp'],
  ...ALL_DOORS.map(({ path, resource }) => [path, resource]).filter(
    ([, resource]) => resource === 'mcp' || resource === 'rest',
  ),
])

export interface ProtectedResources {
  /** The one name of a resource, which stands in tokens. */
  readonly nameOf: (resource: Protected) => string
  /** Its names by each of the origins. */
  readonly namesOf: (resource: Protected) => readonly string[]
  /** Which resource an indicator means, by any of the origins and of their names; null for another. */
  readonly find: (indicator: string) => Protected | null
}

/**
 * The protected resources of management, named by the first origin and known by all of them. Scheme and host compare
 * without case, and a slash at the end says nothing.
 */
export function createProtectedResources(origins: Origins): ProtectedResources {
  const [origin] = origins
  const originFor = createOriginFor(origins)
  const isOurs = (url: URL): boolean => url.origin === new URL(originFor(url.host)).origin
  return {
    nameOf: (resource) => origin + PROTECTED[resource],
    namesOf: (resource) => origins.map((one) => one + PROTECTED[resource]),
    find(indicator) {
      const url = URL.parse(indicator)
      if (url === null || url.search !== '' || url.hash !== '' || url.username !== '' || !isOurs(url))
        return null
      const path = url.pathname === '/' ? '/' : url.pathname.replace(/\/$/, '')
      return Object.hasOwn(PATHS, path) ? PATHS[path]! : null
    },
  }
}
