import { DOORS } from './doors.ts'
import type { Refusal, RefusalCode } from './refusal.ts'

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
