const LOOPBACK = ['localhost', '127.0.0.1', '[::1]']

/**
 * The challenge of a 401 (RFC 6750 section 3): where the metadata of the protected resource stands (RFC 9728
 * section 5.1). Clients compare that resource with the URL they used, so a caller that came by another loopback name
 * than the configured one is answered with its own.
 */
export function createChallenge(
  origin: string,
  resourcePath: string,
  scope: string | null,
): (host: string, tokenRefused: boolean) => string {
  const [scheme, authority = ''] = origin.split('://')
  const name = LOOPBACK.find((item) => authority === item || authority.startsWith(`${item}:`))
  const port = name === undefined ? '' : authority.slice(name.length)
  const twins = new Set(name === undefined ? [] : LOOPBACK.map((item) => item + port))
  return (host, tokenRefused) => {
    const ours = twins.has(host) ? `${scheme}://${host}` : origin
    const metadata = `resource_metadata="${ours}/.well-known/oauth-protected-resource${resourcePath}"`
    const asked = scope === null ? '' : `, scope="${scope}"`
    // The error is named only when a credential was sent (RFC 6750 section 3.1).
    return `Bearer ${metadata}${asked}${tokenRefused ? ', error="invalid_token"' : ''}`
  }
}
