import { toTime } from '../../base/clock.ts'
import { readJwk } from '../../base/crypto/jws.ts'
import type { MtlsAuth, ProfileCredentialState, ProfileSpec } from '../../model/access/profile.ts'
import { EXPIRES_SOON_MS } from '../../model/bounds.ts'
import { compileCertificates } from '../../snapshot/compile/certificates.ts'
import type { StoredToken } from '../../store/ports/config.ts'
import { endOf } from './warnings.ts'

type Life = Pick<StoredToken, 'revoked_at' | 'expires_at' | 'retires_at'>

/** True while a token still proves something. */
export function isLive(token: Life, now: number): boolean {
  return (
    token.revoked_at === null &&
    (token.expires_at === null || token.expires_at > now) &&
    (token.retires_at === null || token.retires_at > now)
  )
}

/** A token as people see it at a moment; `lastUsed` is the time of its last call, milliseconds. */
export function toState(
  token: StoredToken,
  now: number,
  lastUsed: number | null = null,
): ProfileCredentialState {
  const time = (ms: number | null): string | null => (ms === null ? null : toTime(ms))
  return {
    id: token.id,
    lookup: token.lookup,
    state: stateOf(token, now),
    created_at: toTime(token.created_at),
    expires_at: time(token.expires_at),
    retires_at: time(token.retires_at),
    last_used_at: toMinute(lastUsed),
  }
}

/** A time to the minute. */
export function toMinute(ms: number | null): string | null {
  return ms === null ? null : toTime(ms - (ms % 60_000))
}

function stateOf(token: Life, now: number): ProfileCredentialState['state'] {
  if (token.revoked_at !== null) return 'revoked'
  if (!isLive(token, now)) return 'expired'
  if (token.retires_at !== null) return 'retiring'
  return token.expires_at !== null && token.expires_at - now <= EXPIRES_SOON_MS ? 'expiring_soon' : 'valid'
}

/** The public keys and certificate bindings that stand in a profile, as people see them at a moment. */
export function keyStates(auth: ProfileSpec['auth'], now: number): ProfileCredentialState[] {
  if (auth.type === 'mtls') return bindingStates(auth, now)
  if (auth.type !== 'jwt') return []
  return auth.keys.map(({ retires_at, ...jwk }) => {
    const { id, kid } = readJwk(jwk)
    const retires = retires_at ?? null
    const state = retires === null ? 'valid' : Date.parse(retires) > now ? 'retiring' : 'expired'
    return {
      id,
      lookup: kid ?? id,
      state,
      created_at: null,
      expires_at: null,
      retires_at: retires,
      last_used_at: null,
    }
  })
}

/** A binding ends when its authority does; when the certificates of callers end is not known before they call. */
function bindingStates(auth: MtlsAuth, now: number): ProfileCredentialState[] {
  return compileCertificates(auth).bindings.map(({ id, name, ca, retires_at }) => {
    const until = endOf(ca)
    const token = { revoked_at: null, expires_at: until, retires_at }
    return {
      id,
      lookup: name,
      state: stateOf(token, now),
      created_at: null,
      expires_at: toTime(until),
      retires_at: retires_at === null ? null : toTime(retires_at),
      last_used_at: null,
    }
  })
}
