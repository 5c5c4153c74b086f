import { signingKeyOf } from '../../base/crypto/jws.ts'
import { claimOf, isText, type Jwt, scopesOf } from '../../base/crypto/jwt.ts'
import { importFault, isImported } from '../../base/crypto/token.ts'
import type { Plain } from '../../base/json/storable.ts'
import type { RefusalCode } from '../../base/refusal.ts'
import type { Claimed } from '../../shared-state/ports/memory.ts'
import { scatter } from '../../snapshot/find/limit-key.ts'
import { toAddress, toIPv4 } from '../../snapshot/find/network.ts'
import type { Claims, LinkedVerifier, Verified, VerifyKey } from '../../snapshot/linked-types/client.ts'
import type { Exchange, Known } from '../exchange.ts'
import type { Keys } from './issuers.ts'

/** What a fetched key has proved is judged anew after this time, so that its withdrawal is noticed. */
const REMOTE_MS = 60_000
const UNAVAILABLE_MS = 5000
/** Text of a claim that is kept. */
const CLAIM_MAX = 1024
const JTI_MAX = 256

type Proved = RefusalCode | null | Promise<RefusalCode | null>

/** `authenticate` for a signed token. A promise only when keys must be fetched, or another process is asked. */
export function proveSigned(exchange: Known, jwt: Jwt): Proved {
  const { keys, source, algs } = exchange.identity.profile.verifier!
  if (!algs.has(jwt.alg)) return failed(exchange, 'the algorithm is not allowed')
  if (keys !== null) return prove(exchange, jwt, keys)
  const found = exchange.lane.issuers.keysOf(source, jwt.kid)
  return found instanceof Promise
    ? found.then((settled) => proveWith(exchange, jwt, settled))
    : proveWith(exchange, jwt, found)
}

function proveWith(exchange: Known, jwt: Jwt, found: Keys): Proved {
  return found.ok ? prove(exchange, jwt, found.keys) : unavailable(exchange, found.reason)
}

function prove(exchange: Known, jwt: Jwt, keys: readonly VerifyKey[]): Proved {
  const key = signingKeyOf(jwt, keys)
  if (typeof key === 'string') return failed(exchange, key)
  const verifier = exchange.identity.profile.verifier!
  if (key.retiresAt !== null && exchange.now >= key.retiresAt) return expired(exchange, 'retired by rotation')
  const { expires, notBefore, issuedAt } = jwt
  const skew = verifier.fragment.skew_ms
  if (expires === null) return failed(exchange, 'the token has no exp')
  const until = expires * 1000 + skew
  if (exchange.now >= until) return expired(exchange, 'expired')
  const from = Math.max(notBefore ?? 0, issuedAt ?? 0) * 1000 - skew
  if (exchange.now < from) return failed(exchange, 'the token is not valid yet')
  const longest = verifier.fragment.lifetime_ms_max
  const begun = issuedAt === null ? exchange.now + skew : Math.min(issuedAt * 1000, exchange.now + skew)
  if (longest !== null && expires * 1000 - begun > longest)
    return failed(exchange, 'the lifetime of the token exceeds max_lifetime')
  const fault = faultOf(verifier, jwt.claims)
  if (fault !== null) return failed(exchange, fault)
  const endsAt = Math.min(until, key.retiresAt ?? until)
  const verified: Verified = {
    profile: exchange.identity.profile,
    key,
    credentialId: key.id,
    // A clock that is set back makes no proof by a fetched key older than that
    from: verifier.source === '' ? from : Math.max(from, exchange.now - REMOTE_MS),
    until: verifier.source === '' ? endsAt : Math.min(endsAt, exchange.now + REMOTE_MS),
    endsAt,
    subject: copyOf(jwt.subject),
    agentHost: hostOf(jwt.claims),
    claims: keep(verifier.fragment.claims, jwt.claims),
  }
  return verifier.fragment.once ? acceptOnce(exchange, verified, jwt, until) : accept(exchange, verified)
}

/** Lets a token in for the first time only. */
function acceptOnce(exchange: Known, verified: Verified, { claims: { jti } }: Jwt, until: number): Proved {
  if (!isText(jti, JTI_MAX)) return failed(exchange, 'the token has no jti')
  const { profile } = exchange.identity
  const key = `${profile.id}\n${jti}`
  const claimed = exchange.lane.issuers.usedTokens.claim(key, until, exchange.now, profile.client.id)
  return claimed instanceof Promise
    ? claimed.then((settled) => acceptClaimed(exchange, verified, settled))
    : acceptClaimed(exchange, verified, claimed)
}

function acceptClaimed(exchange: Known, verified: Verified, claimed: Claimed): RefusalCode | null {
  switch (claimed) {
    case 'first':
      return admit(exchange, verified)
    case 'again':
      return failed(exchange, 'the token was used before')
    case 'unavailable':
      return unavailable(exchange, 'the use of the token cannot be recorded')
  }
}

/** What keeps proved claims from being those of the profile, or null. */
export function faultOf({ fragment, required, match }: LinkedVerifier, claims: Plain): string | null {
  if (!fragment.accept_id_tokens && isIdToken(claims)) return 'an ID token is no access token'
  if (!match.every((rule) => rule(claims))) return 'a rule in match is not met'
  if (!required.every((rule) => rule(claims))) return 'a required claim is missing or has another value'
  if (fragment.required_scopes.length === 0) return null
  const scopes = scopesOf(claims)
  return fragment.required_scopes.every((scope) => scopes.includes(scope))
    ? null
    : 'a required scope is missing'
}

/** Marks that ID tokens have and access tokens do not (OpenID Connect Core section 2, and what providers add). */
function isIdToken(claims: Plain): boolean {
  const { token_use, typ } = claims
  return (
    Object.hasOwn(claims, 'nonce') ||
    Object.hasOwn(claims, 'at_hash') ||
    Object.hasOwn(claims, 'c_hash') ||
    token_use === 'id' ||
    (typeof typ === 'string' && typ.toLowerCase() === 'id')
  )
}

/** The listed claims as text; lists of plain values with commas. What has another form is left out. */
export function keep(names: readonly string[], claims: Plain): Claims {
  if (names.length === 0) return NO_CLAIMS
  const kept = new Map<string, string>()
  const lists = new Map<string, readonly string[]>()
  for (const name of names) {
    const value = claimOf(claims, name)
    const list: readonly unknown[] = Array.isArray(value) ? value : [value]
    if (list.length === 0 || !list.every(isScalar)) continue
    const text = list.join(',')
    if (!isText(text, CLAIM_MAX)) continue
    kept.set(name, copyOf(text))
    if (Array.isArray(value))
      lists.set(
        name,
        value.map((item) => copyOf(String(item))),
      )
  }
  return lists.size === 0 ? kept : Object.assign(kept, { lists })
}

/** The OAuth client that a token was issued to (RFC 9068 section 2.2, OpenID Connect Core section 2); empty where it names none. */
export function hostOf({ azp, client_id }: Plain): string {
  const named = azp ?? client_id
  return isText(named, CLAIM_MAX) ? copyOf(named) : ''
}

/** A copy: what was cut from a token would keep all of it. */
export function copyOf(text: string): string {
  return Buffer.from(text).toString()
}

const NO_CLAIMS: Claims = new Map()

/** A whole number beyond 2^53 may have been another one before it was read. */
function isScalar(value: unknown): boolean {
  if (typeof value === 'number')
    return Number.isFinite(value) && (!Number.isInteger(value) || Number.isSafeInteger(value))
  return typeof value === 'string' || typeof value === 'boolean'
}

/** All threads remember for as long that a proof was verified. */
export const PROOF_MS = 3_600_000

/** Where all threads remember a proof. */
export function proofKey({ identity: { profile, verifiedKey } }: Known): string {
  return `${profile.id} ${verifiedKey}`
}

/** Lets the caller in, and remembers why. */
export function accept(exchange: Known, verified: Verified): null {
  const { snapshot, lane, now } = exchange
  snapshot.verified.set(exchange.identity.verifiedKey, verified)
  const { client } = exchange.identity.profile
  lane.issuers.proofs.claim(proofKey(exchange), Math.min(verified.endsAt, now + PROOF_MS), now, client.id)
  return admit(exchange, verified)
}

/** Puts what was proved into the exchange. */
export function admit(exchange: Exchange, verified: Verified): null {
  const { identity } = exchange
  const { credentialId, subject, agentHost, claims } = verified
  identity.verified = verified
  identity.credentialId = credentialId
  identity.subject = subject
  identity.agentHost = agentHost
  identity.claims = claims
  return null
}

/** A proof that does not hold; the reason is for the record alone. It counts against where the caller comes from. */
export function failed(exchange: Exchange, reason: string): RefusalCode {
  exchange.reason = reason
  return countFailure(exchange, 'credential_invalid')
}

/** As {@link failed}, of a proof that has held before. */
export function expired(exchange: Exchange, reason: string): RefusalCode {
  exchange.reason = reason
  return countFailure(exchange, 'credential_expired')
}

/** Nothing is known about the credential, so nothing is counted against its sender. */
export function unavailable(exchange: Exchange, reason: string): RefusalCode {
  exchange.reason = reason
  exchange.retryAfterMs = UNAVAILABLE_MS
  return 'identity_unavailable'
}

/** Milliseconds for which the source must wait after too many failures for this profile; 0 when it need not. */
export function throttledMs(exchange: Exchange): number {
  if (!exchange.lane.counters.hasFailures(exchange.now)) return 0
  sourceOf(exchange)
  return exchange.lane.counters.throttledMs(low, high, exchange.now)
}

/** Takes the one new verification that a throttled source has in each second for this profile; false when it is taken. */
export function mayVerify(exchange: Exchange): boolean {
  sourceOf(exchange)
  return exchange.lane.counters.mayVerify(low, high, exchange.now)
}

/** Counts a failed authentication. The code says 429 when the source had too many failures before this one. */
function countFailure(exchange: Exchange, code: RefusalCode): RefusalCode {
  sourceOf(exchange)
  if (exchange.lane.counters.countFailure(low, high, exchange.now)) return code
  return throttled(exchange, Math.max(1000, exchange.lane.counters.throttledMs(low, high, exchange.now)))
}

/** The refusal of a throttled source. @param waitMs for `Retry-After`. */
export function throttled(exchange: Exchange, waitMs: number): RefusalCode {
  exchange.retryAfterMs = waitMs
  exchange.facts = { members: { retry_after_ms: waitMs } }
  return 'auth_throttled'
}

let low = 0
let high = 0

/**
 * True for a text that may be a guess at an imported token, and that this thread has not proved yet. Postern did not choose these tokens,
 * so some may be guessed: guesses of an address count together, whatever profile they would be of.
 */
export function isGuess({ identity, snapshot, authorization }: Exchange): boolean {
  const { token, isProved, isForeign, bearer } = identity
  if (snapshot.importedTokens.size === 0 || authorization === undefined || isProved || isForeign) return false
  return token === null ? importFault(bearer) === null : isImported(token.fragment)
}

/** Address and profile as a key. A network of IPv6 (/64) is one source: its addresses cost nothing. */
function sourceOf(exchange: Exchange): void {
  const { ip, identity } = exchange
  const profile = isGuess(exchange) ? null : identity.profile
  const v4 = toIPv4(ip)
  let network = v4 | 0
  let rest = 0
  if (v4 === -1) {
    const words = toAddress(ip)
    network = words[0] ?? 0
    rest = (words[1] ?? 0) ^ 0x6b43a9b5
  }
  low = scatter(network ^ (profile === null ? 0 : profile.key.low))
  high = scatter(rest ^ (profile === null ? 0 : profile.key.high)) ^ network
}

/** Parts between separators outside of quotes; none where a quote is left open: nobody knows where that part ends. */
export function splitQuoted(text: string, separator: string): string[] {
  const parts: string[] = []
  let quoted = false
  let from = 0
  for (let i = 0; i < text.length; i++) {
    const character = text[i]
    if (quoted && character === '\\') i++
    else if (character === '"') quoted = !quoted
    else if (character === separator && !quoted) {
      parts.push(text.slice(from, i))
      from = i + 1
    }
  }
  return quoted ? [] : [...parts, text.slice(from)]
}
