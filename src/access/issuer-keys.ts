/** Verifies tokens with the keys of their issuer. */
import { type NamedKey, signingKeyOf } from '../base/crypto/jws.ts'
import type { Jwt } from '../base/crypto/jwt.ts'
import { refuse } from '../base/refusal.ts'
import { KEY_ALGS } from '../model/access/profile.ts'

/** Tolerance for clocks that differ, milliseconds. */
const SKEW_MS = 60_000

/** An issuer that failed is asked again after so long, milliseconds. */
const RETRY_MS = 5000

/** The keys of a source, `jwks <url>` or `discovery <issuer>`, or why they cannot be had. */
export type KeysOf = (source: string, kid: string | null) => Found | Promise<Found>
type Found =
  | { readonly ok: true; readonly keys: readonly NamedKey[] }
  | { readonly ok: false; readonly reason: string }

/**
 * Proves that a token was signed by a key of the source and is in its time (RFC 7519), and says when that ends, in
 * milliseconds since the epoch. Refuses with credential_invalid, credential_expired or identity_unavailable; why exactly
 * is the inner reason.
 */
export async function proveByIssuer(jwt: Jwt, source: string, keysOf: KeysOf, now: number): Promise<number> {
  if (!KEY_ALGS.some((alg) => alg === jwt.alg)) throw invalid('the algorithm is not admitted')
  const { expires, notBefore, issuedAt } = jwt
  if (expires === null) throw invalid('the token has no exp')
  if (now < Math.max(notBefore ?? 0, issuedAt ?? 0) * 1000 - SKEW_MS)
    throw invalid('the token is not valid yet')
  const found = await keysOf(source, jwt.kid)
  if (!found.ok)
    throw refuse('identity_unavailable', { inner: found.reason, members: { retry_after_ms: RETRY_MS } })
  const key = signingKeyOf(jwt, found.keys)
  if (typeof key === 'string') throw invalid(key)
  const endsAt = expires * 1000 + SKEW_MS
  if (endsAt <= now) throw refuse('credential_expired', { inner: 'expired' })
  return endsAt
}

/** The refusal of a token that proves nothing, and why, for the audit only. */
export function invalid(inner: string) {
  return refuse('credential_invalid', { inner })
}
