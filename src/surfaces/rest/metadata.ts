import { MCP_SCOPES } from '../../access/scopes.ts'
import { ALL_DOORS, withoutSlash } from '../../base/doors.ts'
import { isConsumerResource, PROTECTED, RESOURCE_METADATA } from '../../base/http/origins.ts'

/** Paths that are protected resources of management (RFC 9728 section 3.1); the empty one stands for Management MCP. */
const RESOURCES: ReadonlySet<string> = new Set([
  '',
  ...ALL_DOORS.filter(({ resource }) => resource === 'mcp' || resource === 'rest').map(({ path }) => path),
])

interface Issued {
  readonly authorizationServers: readonly string[]
  /** Null where none of the scopes are ours. */
  readonly scope: string | null
  /** The issuer of tokens for MCP endpoints of gateway threads: Postern's own authorization server. */
  readonly issuer: string
}

/**
 * Protected-resource metadata (RFC 9728 section 2), or null when there is no such resource. Every well-formed path of a virtual MCP has
 * metadata, also where there is no such virtual MCP: who has not signed in cannot find out which exist.
 * @param path Path of the resource, such as `/mcp/desk`.
 */
export function protectedResourceMetadata(
  origin: string,
  path: string,
  { authorizationServers, scope, issuer }: Issued,
): Record<string, unknown> | null {
  const consumer = isConsumerResource(path)
  if (!consumer && !RESOURCES.has(path)) return null
  const servers = consumer ? [issuer] : authorizationServers
  const scopes = consumer ? [...MCP_SCOPES] : (scope?.split(' ') ?? null)
  return {
    // An origin has several resources, so tokens are for none by the name of the origin
    resource: origin + (path === '' ? PROTECTED.mcp : path),
    ...(servers.length === 0
      ? {}
      : {
          authorization_servers: servers,
          // Clients ask for all that is listed here, and for more when a call needs it
          ...(scopes === null ? {} : { scopes_supported: scopes }),
        }),
    bearer_methods_supported: ['header'],
    resource_name: 'Postern',
  }
}

/** The path that the metadata URL `/.well-known/oauth-protected-resource[/path]` speaks of, or null for another URL. */
export function resourcePathOf(pathname: string): string | null {
  if (pathname !== RESOURCE_METADATA && !pathname.startsWith(`${RESOURCE_METADATA}/`)) return null
  return withoutSlash(pathname.slice(RESOURCE_METADATA.length))
}
