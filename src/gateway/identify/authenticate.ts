import { hashToken } from '../../base/crypto/token.ts'
import type { RefusalCode } from '../../base/refusal.ts'
import type { LinkedToken } from '../../snapshot/linked/client.ts'
import type { Exchange, Known } from '../exchange.ts'
import { type Judged, open, pass } from '../explain/judged.ts'
import { endOf } from './active.ts'
import { proveCertificate } from './certificate.ts'
import { proveOpaque } from './introspect.ts'
import { admitHost, admitSignIn, proveSignIn } from './sign-in.ts'
import { admit, expired, failed, proveSigned } from './signed.ts'

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
  if (token.profile.fragment.auth !== 'token') return failed(exchange, 'the profile takes no tokens')
  const end = endOf(token, exchange.now)
  if (end !== null) return expired(exchange, end)
  exchange.identity.credentialId = id
  const { binding } = token.profile
  return binding === null ? null : admitHost(exchange, token.profile, binding)
}

export function explainAuthentication({ identity: { profile } }: Exchange): Judged {
  if (profile?.fragment.auth === 'none') return pass('the profile asks for no credential')
  const proof = profile?.fragment.auth === 'mtls' ? 'show a valid certificate' : 'hold a valid credential'
  return open(`the caller is taken to ${proof}`)
}

/** True when the token proves its caller now. It is one comparison of hashes, and counts no failure. */
export function provesByToken(exchange: Exchange, token: LinkedToken): boolean {
  return (
    token.profile.fragment.auth === 'token' &&
    endOf(token, exchange.now) === null &&
    isSecretOf(exchange, token)
  )
}

/** Compares once for an exchange, and not at all when an earlier request has proved the same credential. */
function isSecretOf(exchange: Exchange, token: LinkedToken): boolean {
  if (exchange.identity.isProved) return true
  if (!isEqual(hashToken(exchange.identity.bearer), token.fragment.hash)) return false
  exchange.identity.isProved = true
  // What a host may is looked up each time
  if (token.profile.binding === null) remember(exchange, token)
  return true
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
