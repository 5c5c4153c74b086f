/**
 * Limits failed authentications by source and profile, for all threads together. A throttled source waits, but a
 * credential that is known to be good passes: a token after one comparison, other credentials when any thread has
 * verified them (`key-memory.ts`). A throttled source has one new verification a second.
 */
import type { RefusalCode } from '../../base/refusal.ts'
import type { Exchange, Known } from '../exchange.ts'
import { type Judged, open } from '../explain/judged.ts'
import { provesByToken } from './authenticate.ts'
import { hasProved, isInForce } from './certificate.ts'
import { isOver } from './sign-in.ts'
import { proofKey } from './signed.ts'
import { mayVerify, throttled, throttledMs } from './throttle.ts'

/**
 * A source that failed too often for this profile waits, but never a caller whose credential is known to be good
 * from memory: else one process with a retired token would lock out all others at its address.
 */
export function failuresBelowLimit(exchange: Exchange): RefusalCode | null {
  if (exchange.authorization === undefined && exchange.certificate === null) return null
  const waitMs = throttledMs(exchange)
  if (waitMs === 0) return null
  switch (knownProof(exchange)) {
    case 'good':
      return null
    case 'unknown':
      return mayVerify(exchange) ? null : throttled(exchange, waitMs)
    case 'bad':
      return throttled(exchange, waitMs)
  }
}

/**
 * What memory tells of a credential, without a signature to verify and without a question to an issuer. A `good` one is
 * judged by `authenticate` all the same, or refused there without any of this. `unknown` is a proof that no thread has verified lately.
 */
function knownProof(exchange: Exchange): 'good' | 'bad' | 'unknown' {
  const { identity, snapshot, now } = exchange
  const { bound, token, verified, jwt, profile, verifiedKey } = identity
  if (bound !== null) {
    if (!isInForce(bound, now)) return 'bad'
    return hasProved(exchange, bound) ? 'good' : 'unknown'
  }
  // The profile asks for no proof, and a certificate beside the ids is none
  if (exchange.authorization === undefined) return profile?.fragment.auth === 'none' ? 'good' : 'bad'
  if (token !== null) return provesByToken(exchange, token) ? 'good' : 'bad'
  if (verified !== null) return 'good'
  if (!identity.isForeign || profile === null) return 'bad'
  if (identity.isSignIn && jwt !== null && isOver(jwt, now)) return 'good'
  const failedUntil = snapshot.failed.get(verifiedKey)
  if (failedUntil !== undefined && now < failedUntil) return 'bad'
  if (exchange.lane.issuers.proofs.has(proofKey(exchange as Known), now, profile.client.id)) return 'good'
  const skewMs = profile.verifier?.fragment.skew_ms ?? 0
  return jwt !== null && hasExpired(jwt.expires, skewMs, now) ? 'bad' : 'unknown'
}

export const explainFailures = (): Judged =>
  open('only a source that has failed too often waits, unless its credential is known')

/** A stale process sends expired tokens: they must not use up the verifications of others. */
function hasExpired(expires: number | null, skewMs: number, now: number): boolean {
  return expires === null || now >= expires * 1000 + skewMs
}
