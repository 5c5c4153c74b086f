import { createOriginFor, type Origins } from './challenge.ts'

/** What an access token may be for, by the path of the protected resource (RFC 8707). */
export const PROTECTED = { mcp: '/management/mcp', rest: '/management/v1' } as const
export type Protected = keyof typeof PROTECTED

/** Another path of Management MCP. */
export const ALIAS = '/api/v1/mcp'

/** Paths that name the same resource: the alias of Management MCP, and the whole origin for clients that know no more. */
const PATHS: Readonly<Record<string, Protected>> = {
  [PROTECTED.mcp]: 'mcp',
  [ALIAS]: 'mcp',
  '/': 'mcp',
  [PROTECTED.rest]: 'rest',
  '/management': 'rest',
}

/** True for the path of a resource for which tokens are issued here, by any of its names but the whole origin. */
export function isProtectedPath(path: string): boolean {
  return path !== '/' && Object.hasOwn(PATHS, path)
}

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
