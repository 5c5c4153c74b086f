import type { RefusalCode } from './refusal.ts'

/** Where the metadata of protected resources stands, before the path of the resource (RFC 9728 section 3.1). */
export const RESOURCE_METADATA = '/.well-known/oauth-protected-resource'

const LOOPBACK = ['localhost', '127.0.0.1', '[::1]']

/**
 * The origin to name in an answer: the configured one, or, when both it and the Host of the request are names of the
 * loopback with one port, the name that the caller used. Any other Host is not believed.
 */
export function createOriginFor(configured: string): (host: string | null) => string {
  const [scheme, authority = ''] = configured.split('://')
  const name = LOOPBACK.find((item) => authority === item || authority.startsWith(`${item}:`))
  const port = name === undefined ? '' : authority.slice(name.length)
  const twins = new Map(
    name === undefined ? [] : LOOPBACK.map((item) => [item + port, `${scheme}://${item}${port}`]),
  )
  return (host) => twins.get(host?.toLowerCase() ?? '') ?? configured
}

/**
 * The challenge of a 401 (RFC 6750 section 3): where the metadata of the protected resource stands (RFC 9728
 * section 5.1). Clients compare that resource with the URL they used, so it is named by the origin they came by.
 * @param scope Value of the `scope` member, or null for none.
 */
export function createChallenge(
  origin: string,
  resourcePath: string,
  scope: string | null,
): (host: string | null, code: RefusalCode) => string {
  const originFor = createOriginFor(origin)
  const asked = scope === null ? '' : `, scope="${scope}"`
  return (host, code) => {
    const metadata = `resource_metadata="${originFor(host)}${RESOURCE_METADATA}${resourcePath}"`
    return `Bearer ${metadata}${asked}${isAboutToken(code) ? ', error="invalid_token"' : ''}`
  }
}

/** The error is named only when a credential was sent (RFC 6750 section 3.1). */
function isAboutToken(code: RefusalCode): boolean {
  return code === 'credential_invalid' || code === 'credential_expired'
}
