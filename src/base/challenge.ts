import type { Refusal, RefusalCode } from './refusal.ts'

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
 * The challenge of a 401, or of a token whose scopes do not suffice (RFC 6750 section 3): where the metadata of the protected resource stands (RFC 9728
 * section 5.1). Clients compare that resource with the URL they used, so it is named by the origin they came by.
 * A 403 says in `error_description` what `detail` says.
 * @param scope Value of the `scope` member, or null for none. `needed` stands in its place where a token is too narrow.
 */
export function createChallenge(
  origin: string,
  resourcePath: string,
  scope: string | null,
): (host: string | null, code: RefusalCode, needed?: unknown, detail?: string) => string {
  const originFor = createOriginFor(origin)
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
