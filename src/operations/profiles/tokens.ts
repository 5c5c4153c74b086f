import { toTime } from '../../base/clock.ts'
import { readJwk } from '../../base/jwk.ts'
import type { ProfileCredentialState, ProfileSpec } from '../../model/profile.ts'
import type { StoredToken } from '../../store/ports/config.ts'

const SOON_MS = 7 * 86_400_000

/** True while a token still proves something. */
export function isLive(token: StoredToken, now: number): boolean {
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

function stateOf(token: StoredToken, now: number): ProfileCredentialState['state'] {
  if (token.revoked_at !== null) return 'revoked'
  if (!isLive(token, now)) return 'expired'
  if (token.retires_at !== null) return 'retiring'
  return token.expires_at !== null && token.expires_at - now <= SOON_MS ? 'expiring_soon' : 'valid'
}

/** The public keys that stand in a profile, as people see them at a moment. */
export function keyStates(auth: ProfileSpec['auth'], now: number): ProfileCredentialState[] {
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
