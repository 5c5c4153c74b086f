import { RESOURCE_METADATA } from '../../base/challenge.ts'
import { ALL_DOORS, DOORS } from '../../base/doors.ts'

/** Paths that are protected resources of their own (RFC 9728 section 3.1); the empty one is the whole origin. */
const RESOURCES: ReadonlySet<string> = new Set([
  '',
  ...ALL_DOORS.filter(({ resource }) => resource !== null).map(({ path }) => path),
])

interface Issued {
  readonly authorizationServers: readonly string[]
  /** Null where none of the scopes are ours. */
  readonly scope: string | null
}

/**
 * Protected-resource metadata (RFC 9728 section 2), or null when there is no such resource. Those of management name who
 * issues tokens for them; the tokens of profiles at `/mcp` come from no authorization server of ours.
 * @param path Path of the resource, such as `/mcp`.
 */
export function protectedResourceMetadata(
  origin: string,
  path: string,
  { authorizationServers, scope }: Issued,
): Record<string, unknown> | null {
  if (!RESOURCES.has(path)) return null
  const issued =
    path === DOORS.consumerMcp.path || authorizationServers.length === 0
      ? {}
      : {
          authorization_servers: authorizationServers,
          // Clients ask for all that is listed here, and for more when a call needs it
          ...(scope === null ? {} : { scopes_supported: scope.split(' ') }),
        }
  return {
    resource: origin + path,
    ...issued,
    bearer_methods_supported: ['header'],
    resource_name: 'Postern',
  }
}

/** The path that the metadata URL `/.well-known/oauth-protected-resource[/path]` speaks of, or null for another URL. */
export function resourcePathOf(pathname: string): string | null {
  if (pathname !== RESOURCE_METADATA && !pathname.startsWith(`${RESOURCE_METADATA}/`)) return null
  return pathname.slice(RESOURCE_METADATA.length)
}
