/** Paths that are protected resources of their own (RFC 9728 section 3.1); the empty one is the whole origin. */
const RESOURCES = ['', '/mcp', '/management', '/management/mcp'] as const

const WELL_KNOWN = '/.well-known/oauth-protected-resource'

/**
 * Protected-resource metadata (RFC 9728 section 2), or null when there is no such resource.
 * `authorization_servers` is absent while the installation has none: tokens come from the command line.
 * @param path Path of the resource, such as `/mcp`.
 */
export function protectedResourceMetadata(origin: string, path: string): Record<string, unknown> | null {
  if (!RESOURCES.some((resource) => resource === path)) return null
  return { resource: origin + path, bearer_methods_supported: ['header'], resource_name: 'Postern' }
}

/** The path that the metadata URL `/.well-known/oauth-protected-resource[/path]` speaks of, or null for another URL. */
export function resourcePathOf(pathname: string): string | null {
  if (pathname !== WELL_KNOWN && !pathname.startsWith(`${WELL_KNOWN}/`)) return null
  return pathname.slice(WELL_KNOWN.length)
}

/**
 * The challenge of a 401 (RFC 6750 section 3, RFC 9728 section 5.1).
 * @param path Path of the protected resource.
 * @param tokenSent True when a token came and did not hold.
 */
export function bearerChallenge(origin: string, path: string, tokenSent: boolean): string {
  const error = tokenSent ? ', error="invalid_token"' : ''
  return `Bearer resource_metadata="${origin}${WELL_KNOWN}${path}"${error}`
}

const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]'])

/**
 * The origin to name in an answer: the configured one, or, when both it and the Host of the request are names of
 * the loopback with one port, the name that the caller used. Any other Host is not believed.
 */
export function originFor(configured: string, host: string | null): string {
  if (host === null || !/^(localhost|127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?$/i.test(host)) return configured
  const ours = new URL(configured)
  const asked = `${ours.protocol}//${host}`
  if (!URL.canParse(asked)) return configured
  const theirs = new URL(asked)
  return LOOPBACK.has(ours.hostname) && ours.port === theirs.port ? theirs.origin : configured
}
