import { looksLikeJwt, readJwt } from '../../base/crypto/jwt.ts'
import { hashToken } from '../../base/crypto/token.ts'
import type { RefusalCode } from '../../base/refusal.ts'
import type { LinkedProfile, Verified } from '../../snapshot/linked/client.ts'
import type { Exchange } from '../exchange.ts'
import { agrees, nameLone } from './agrees.ts'
import { ambiguous, mostSpecific } from './most-specific-profile.ts'
import { identifySignIn, isStale, signInKey } from './sign-in.ts'

/**
 * `identify` for tokens that others sign or hold. What a signed token says of itself selects the profile, ids beside it
 * narrow, and nothing is believed before `authenticate`. Undefined when no profile takes it.
 */
export function identifyBearer(exchange: Exchange): RefusalCode | null | undefined {
  const { identity, snapshot } = exchange
  const { bearer } = identity
  // Tokens of Postern itself are never shown to anyone.
  if (bearer === '' || bearer.startsWith('pst_')) return undefined
  const isMcp = exchange.reserved && exchange.lane.signIns !== null && looksLikeJwt(bearer)
  if (isMcp) {
    const code = identifyOwn(exchange)
    if (code !== undefined) return code
  }
  identity.verifiedKey = keyOf(exchange)
  const known = snapshot.verified.get(identity.verifiedKey)
  if (known !== undefined && isValid(known, exchange.now)) {
    identity.verified = known
    return settle(exchange, known.profile)
  }
  const candidates = looksLikeJwt(bearer) ? signedCandidates(exchange) : [...snapshot.introspecting.values()]
  if (candidates.length === 0) return undefined
  const fitting = candidates.filter((profile) => agrees(exchange, profile))
  if (fitting.length === 0) {
    nameLone(exchange, candidates)
    exchange.reason = 'X-Client-ID or X-Profile-ID is not of the token'
    return 'identity_rejected'
  }
  const best = identity.jwt === null ? fitting : mostSpecific(identity.jwt, fitting)
  const active = best.filter((profile) => profile.fragment.active && profile.client.fragment.active)
  const left = active.length > 0 ? active : best
  return left.length > 1 ? ambiguous(exchange, left) : settle(exchange, left[0]!)
}

/** The same for a token of Postern's own authorization server. */
function identifyOwn(exchange: Exchange): RefusalCode | null | undefined {
  const { identity, lane, snapshot, path, now } = exchange
  const key = signInKey(identity.bearer, path)
  const known = snapshot.verified.get(key)
  if (known?.signIn !== undefined && isValid(known, now) && !isStale(known.signIn, lane)) {
    // Host, binding or profile may have been linked anew since
    const { id } = known.profile
    const host = snapshot.hosts.get(known.agentHost)
    const profile = host?.client.profiles.get(id) ?? snapshot.profiles.get(id)
    if (profile !== undefined && agrees(exchange, profile)) {
      identity.verifiedKey = key
      identity.verified = known
      identity.isSignIn = true
      return settle(exchange, profile)
    }
  }
  const jwt = readJwt(identity.bearer)
  if (typeof jwt === 'string') return undefined
  const code = identifySignIn(exchange, jwt)
  if (code === null) identity.verifiedKey = key
  return code
}

/** True while what was proved still holds. */
function isValid({ key, from, until }: Verified, now: number): boolean {
  return now >= from && now < until && (key === null || !key.isGone)
}

function settle({ identity }: Exchange, profile: LinkedProfile): null {
  identity.isForeign = true
  identity.profile = profile
  identity.client = profile.client
  return null
}

/** Ids are part of the key: they may decide between profiles. */
function keyOf({ identity: { bearer }, clientRef, profileRef }: Exchange): string {
  if (clientRef === undefined && profileRef === undefined) return hashToken(bearer)
  return hashToken(`${bearer}\n${clientRef ?? ''}\n${profileRef ?? ''}`)
}

function signedCandidates(exchange: Exchange): LinkedProfile[] {
  const { issuers, introspecting } = exchange.snapshot
  const jwt = readJwt(exchange.identity.bearer)
  if (typeof jwt === 'string') {
    exchange.reason = jwt
    return []
  }
  exchange.identity.jwt = jwt
  const { audience, claims, kid } = jwt
  const list = issuers.get(jwt.issuer)
  if (list === undefined) {
    exchange.reason = introspecting.size === 0 ? 'no profile has the issuer' : 'the issuer is not known'
    return []
  }
  const candidates = list.filter(({ verifier }) => {
    const { fragment, keys, match } = verifier!
    return (
      (fragment.audience === null || audience.includes(fragment.audience)) &&
      (kid === null || keys === null || keys.some((key) => key.kid === null || key.kid === kid)) &&
      match.every((rule) => rule(claims))
    )
  })
  if (candidates.length === 0) exchange.reason = 'no profile of the issuer has the audience, key and claims'
  return candidates
}
