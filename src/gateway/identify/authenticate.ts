import { audienceOf, isText } from '../../base/crypto/jwt.ts'
import { hashToken, isImported, printOfImported } from '../../base/crypto/token.ts'
import type { Plain } from '../../base/json/storable.ts'
import { PoolShare } from '../../base/memory/pool-share.ts'
import { discoveredFrom, type UrlSource } from '../../base/net/egress.ts'
import type { RefusalCode } from '../../base/refusal.ts'
import { networkOf } from '../../snapshot/find/network.ts'
import type { LinkedToken } from '../../snapshot/linked-types/client.ts'
import type { Exchange, Known } from '../exchange.ts'
import { type Judged, open, pass } from '../explain/judged.ts'
import { endOf } from './active.ts'
import { hasProved, isInForce, proveCertificate } from './certificate.ts'
import type { Issuers } from './issuers.ts'
import { admitHost, admitSignIn, isOver, proveSignIn } from './sign-in.ts'
import {
  accept,
  admit,
  copyOf,
  expired,
  failed,
  faultOf,
  hostOf,
  isGuess,
  keep,
  mayVerify,
  proofKey,
  proveSigned,
  throttled,
  throttledMs,
  unavailable,
} from './signed.ts'

/** Proves the credential. What exactly was wrong with it is for the record alone. */
export function authenticate(exchange: Exchange): RefusalCode | null | Promise<RefusalCode | null> {
  if (exchange.identity.bound !== null) return proveCertificate(exchange)
  if (exchange.authorization === undefined)
    return exchange.certificate === null || exchange.identity.profile?.fragment.auth === 'none'
      ? null
      : proveCertificate(exchange)
  const { token } = exchange.identity
  if (token === null) return authenticateOther(exchange)
  const { id } = token.fragment
  if (!isSecretOf(exchange, token)) return failed(exchange, 'wrong secret')
  if (token.profile.fragment.auth !== 'token') return failed(exchange, 'the profile accepts no tokens')
  const end = endOf(token, exchange.now)
  if (end !== null) return expired(exchange, end)
  exchange.identity.credentialId = id
  const { binding } = token.profile
  return binding === null ? null : admitHost(exchange, token.profile, binding)
}

export function explainAuthentication({ identity: { profile } }: Exchange): Judged {
  if (profile?.fragment.auth === 'none') return pass('the profile requires no credential')
  const proof = profile?.fragment.auth === 'mtls' ? 'present a valid certificate' : 'send a valid credential'
  return open(`the caller is assumed to ${proof}`)
}

/** True when the token proves its caller now. It is one comparison of hashes, and counts no failure. */
function provesByToken(exchange: Exchange, token: LinkedToken): boolean {
  return (
    token.profile.fragment.auth === 'token' &&
    endOf(token, exchange.now) === null &&
    isSecretOf(exchange, token)
  )
}

/** Compares once for an exchange, and not at all when an earlier request has proved the same credential. */
function isSecretOf(exchange: Exchange, token: LinkedToken): boolean {
  if (exchange.identity.isProved) return true
  if (!isEqual(hashOf(exchange, token), token.fragment.hash)) return false
  exchange.identity.isProved = true
  // What a host may is looked up each time
  if (token.profile.binding === null) remember(exchange, token)
  return true
}

/** What is stored of the very token, if it is the one that was sent. */
function hashOf({ lane, identity: { bearer } }: Exchange, { fragment }: LinkedToken): string {
  if (!isImported(fragment)) return hashToken(bearer)
  return lane.importedKey === null ? '' : printOfImported(lane.importedKey, bearer).hash
}

/** A token that others sign or hold, as far as `identify` has found a profile for it. */
function authenticateOther(exchange: Exchange): RefusalCode | null | Promise<RefusalCode | null> {
  const { verified, profile, jwt, bearer, isForeign } = exchange.identity
  if (verified?.signIn !== undefined) return admitSignIn(exchange, verified, verified.signIn)
  if (verified !== null) return admit(exchange, verified)
  if (bearer === '') return failed(exchange, 'not a bearer token')
  if (!isForeign || profile === null) return failed(exchange, exchange.reason || 'unknown token')
  // `identify` has found the profile that takes it
  const known = exchange as Known
  const verdict =
    jwt === null
      ? proveOpaque(known)
      : exchange.identity.isSignIn
        ? proveSignIn(known, jwt)
        : proveSigned(known, jwt)
  return verdict instanceof Promise
    ? verdict.then((code) => rememberFailure(exchange, code))
    : rememberFailure(exchange, verdict)
}

/** For as long a throttled source cannot have the same credential verified again. */
const FAILED_MS = 10_000

/** Remembers a credential that did not hold. A proof that could not be judged (503) is no failure. */
function rememberFailure(exchange: Exchange, code: RefusalCode | null): RefusalCode | null {
  if (code !== null && code !== 'identity_unavailable')
    exchange.snapshot.failed.set(exchange.identity.verifiedKey, exchange.now + FAILED_MS)
  return code
}

/** Bound of what a thread remembers; after it the memory starts anew. */
const PROVED_MAX = 20_000

function remember({ authorization, snapshot }: Exchange, token: LinkedToken): void {
  const { proved } = snapshot
  if (proved.size >= PROVED_MAX) proved.clear()
  // A copy: what was cut from the head of a request would keep all of the head.
  proved.set(Buffer.from(authorization!, 'latin1').toString('latin1'), token)
}

/** Compares without telling by its time where two digests differ. */
function isEqual(a: string, b: string): boolean {
  if (a.length !== b.length) return false
  let difference = 0
  for (let i = 0; i < a.length; i++) difference |= a.charCodeAt(i) ^ b.charCodeAt(i)
  return difference === 0
}

/** What introspection said is believed for as long, or until the token expires. */
const KEPT_MS = 60_000
/** Questions that one thread has under way; more would queue up behind a slow provider. One profile alone has half of them. */
const FLIGHTS_MAX = 128
/** Of these for one profile. Nothing is known of who asks, so sources share them: one alone has half. */
const PROFILE_FLIGHTS_MAX = FLIGHTS_MAX / 2

/** Questions to providers that one thread has under way. */
class Flights {
  /** By profile and token, so that one token is asked about once. */
  readonly #byToken = new Map<string, Promise<Plain>>()
  readonly #profiles = new PoolShare(FLIGHTS_MAX)
  /** Of profiles with a question under way. */
  readonly #sources = new Map<string, PoolShare>()

  /** Rejects where the profile, or the source, has too many under way. */
  ask({ identity: { profile, verifiedKey }, ip }: Known, send: () => Promise<Plain>): Promise<Plain> {
    const { id } = profile
    const key = `${id} ${verifiedKey}`
    const known = this.#byToken.get(key)
    if (known !== undefined) return known
    const source = networkOf(ip)
    const sources = this.#sources.get(id) ?? new PoolShare(PROFILE_FLIGHTS_MAX)
    if (!this.#profiles.mayTake(id) || !sources.mayTake(source))
      return Promise.reject(new Error('too many introspection requests are pending'))
    this.#profiles.take(id)
    sources.take(source)
    this.#sources.set(id, sources)
    const flight = send().finally(() => {
      this.#byToken.delete(key)
      this.#profiles.give(id)
      sources.give(source)
      if (sources.taken === 0) this.#sources.delete(id)
    })
    this.#byToken.set(key, flight)
    return flight
  }
}

/** By thread. */
const flights = new WeakMap<Issuers, Flights>()

/** `authenticate` for an opaque token: the provider is asked (RFC 7662). */
async function proveOpaque(exchange: Known): Promise<RefusalCode | null> {
  const { verifier } = exchange.identity.profile
  const { introspection } = verifier!.fragment
  const issuers = exchange.lane.issuers
  const credential = exchange.snapshot.credentials.get(introspection!.credential)
  // Its type may have changed since; a key for something else is not shown to the provider.
  if (credential?.name !== 'authorization' || credential.line === '')
    return unavailable(exchange, 'the credential for introspection cannot be used')
  const found =
    introspection!.url === null
      ? await issuers.introspectionOf(verifier!.source)
      : { url: introspection!.url }
  if ('reason' in found) return unavailable(exchange, found.reason)
  // A provider may name another server, which no administrator has chosen
  const from = introspection!.url === null ? discoveredFrom(verifier!.fragment.issuer, found.url) : 'typed'
  const authorization = credential.line.slice(credential.line.indexOf(':') + 1).trim()
  let answer: Plain
  try {
    answer = await ask(issuers, exchange, { url: found.url, from }, authorization)
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'failed'
    return unavailable(exchange, `introspection: ${reason}`)
  }
  return judge(exchange, answer)
}

function ask(
  issuers: Issuers,
  exchange: Known,
  at: { readonly url: string; readonly from: UrlSource },
  authorization: string,
): Promise<Plain> {
  let under = flights.get(issuers)
  if (under === undefined) {
    under = new Flights()
    flights.set(issuers, under)
  }
  const form = { token: exchange.identity.bearer, token_type_hint: 'access_token' }
  return under.ask(exchange, () => issuers.fetchJson({ ...at, form, authorization }))
}

/** RFC 7662 section 2.2. What the provider leaves out counts against the token where the profile asks for it. */
function judge(exchange: Known, answer: Plain): RefusalCode | null {
  const profile = exchange.identity.profile
  const { fragment } = profile.verifier!
  const { active, iss, aud, exp, nbf, sub } = answer
  if (active !== true) return failed(exchange, 'the provider says that the token is not active')
  if (iss !== undefined && iss !== fragment.issuer) return failed(exchange, 'the token is of another issuer')
  if (fragment.audience !== null && audienceOf(aud)?.includes(fragment.audience) !== true)
    return failed(exchange, 'the token is not for the audience')
  const { now } = exchange
  const ends = timeIn(exp)
  const begins = timeIn(nbf)
  if (ends === undefined || begins === undefined)
    return failed(exchange, 'the provider returned a time that is not a number')
  const until = ends === null ? now + KEPT_MS : ends + fragment.skew_ms
  if (now >= until) return failed(exchange, 'the token has expired')
  if (begins !== null && now < begins - fragment.skew_ms)
    return failed(exchange, 'the token is not valid yet')
  const fault = faultOf(profile.verifier!, answer)
  if (fault !== null) return failed(exchange, fault)
  return accept(exchange, {
    profile,
    key: null,
    credentialId: 'introspection',
    from: now - KEPT_MS,
    until: Math.min(until, now + KEPT_MS),
    endsAt: ends === null ? Infinity : until,
    subject: isText(sub, 1024) ? copyOf(sub) : '',
    agentHost: hostOf(answer),
    claims: keep(fragment.claims, answer),
  })
}

const DIGITS = /^\d{1,15}$/

/**
 * A time of an answer in milliseconds since the epoch; null where it gives none, undefined for what is none. Some providers write the
 * number as text.
 */
function timeIn(value: unknown): number | null | undefined {
  if (value === undefined || value === null) return null
  const seconds = typeof value === 'string' && DIGITS.test(value) ? Number(value) : value
  return typeof seconds === 'number' && Number.isFinite(seconds) ? seconds * 1000 : undefined
}

// Limits failed authentications by source and profile, for all threads together. A throttled source waits, but a
// credential that is known to be good passes: a token after one comparison, other credentials when any thread has
// verified them (`key-memory.ts`). A throttled source has one new verification a second.

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
  if (isGuess(exchange)) return 'unknown'
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
  open(
    'refuses only sources with too many failed authentications, and accepts known valid credentials even from them',
  )

/** A stale process sends expired tokens: they must not use up the verifications of others. */
function hasExpired(expires: number | null, skewMs: number, now: number): boolean {
  return expires === null || now >= expires * 1000 + skewMs
}
