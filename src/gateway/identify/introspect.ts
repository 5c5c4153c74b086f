import { audienceOf, isText } from '../../base/crypto/jwt.ts'
import type { Plain } from '../../base/json/plain.ts'
import { discoveredFrom, type UrlSource } from '../../base/net/egress.ts'
import type { RefusalCode } from '../../base/refusal.ts'
import type { Known } from '../exchange.ts'
import type { Issuers } from './issuers.ts'
import { accept, copyOf, failed, faultOf, hostOf, keep, unavailable } from './signed.ts'

/** What introspection said is believed for as long, or until the token expires. */
const KEPT_MS = 60_000
/** Questions that one thread has under way; more would queue up behind a slow provider. */
const FLIGHTS_MAX = 64

/** Questions under way, by thread and by profile and token, so that one token is asked about once. */
const flights = new WeakMap<Issuers, Map<string, Promise<Plain>>>()

/** `authenticate` for an opaque token: the provider is asked (RFC 7662). */
export async function proveOpaque(exchange: Known): Promise<RefusalCode | null> {
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
    under = new Map()
    flights.set(issuers, under)
  }
  const key = `${exchange.identity.profile.id} ${exchange.identity.verifiedKey}`
  let flight = under.get(key)
  if (flight === undefined) {
    if (under.size >= FLIGHTS_MAX) return Promise.reject(new Error('too many questions are under way'))
    const form = { token: exchange.identity.bearer, token_type_hint: 'access_token' }
    flight = issuers.fetchJson({ ...at, form, authorization }).finally(() => under.delete(key))
    under.set(key, flight)
  }
  return flight
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
  const until = typeof exp === 'number' ? exp * 1000 + fragment.skew_ms : now + KEPT_MS
  if (now >= until) return failed(exchange, 'the token has expired')
  if (typeof nbf === 'number' && now < nbf * 1000 - fragment.skew_ms)
    return failed(exchange, 'the token is not valid yet')
  const fault = faultOf(profile.verifier!, answer)
  if (fault !== null) return failed(exchange, fault)
  return accept(
    exchange,
    {
      profile,
      key: null,
      credentialId: 'introspection',
      from: now - KEPT_MS,
      until: Math.min(until, now + KEPT_MS),
      subject: isText(sub, 1024) ? copyOf(sub) : '',
      agentHost: hostOf(answer),
      claims: keep(fragment.claims, answer),
    },
    typeof exp === 'number' ? until : Infinity,
  )
}
