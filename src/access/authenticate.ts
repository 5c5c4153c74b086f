/** Authenticates callers of management interfaces. */

import type { Clock } from '../base/clock.ts'
import { looksLikeJwt } from '../base/crypto/jwt.ts'
import { isToken, lookupOf } from '../base/crypto/token.ts'
import type { Protected } from '../base/doors.ts'
import { Refusal } from '../base/refusal.ts'
import type { Surface } from '../model/record.ts'
import type { ConfigStore } from '../store/ports/config.ts'
import type { Accounts } from './accounts.ts'
import { grantsOfToken } from './identities.ts'
import type { DirectTokens, OAuthTokens } from './oauth-tokens.ts'
import type { Principal } from './principal.ts'
import { type AccessTokens, proved } from './tokens.ts'
import type { WorkloadTokens } from './workload.ts'

/** Where attempts by nobody known are counted, for the audit. */
interface UnknownCallers {
  note(caller: Came & { readonly reason: string }): void
}

/** From where a credential came, for the audit of those that prove nothing. */
export interface Came {
  readonly surface: Surface
  readonly ip: string | null
  readonly userAgent: string | null
}

/** Verifies an access token for a management surface. Refuses with credentials_missing, credential_invalid or credential_expired. */
export type VerifyToken = (token: string, resource: Protected) => Promise<Principal>

export function createVerifyToken(
  tokens: AccessTokens,
  personal: PersonalTokens,
  workloads: WorkloadTokens,
  oauth: OAuthTokens,
  direct: DirectTokens | null,
): VerifyToken {
  return async (token, resource) => {
    if (isPersonalToken(token)) return personal.verify(token)
    if (!looksLikeJwt(token)) return tokens.verify(token)
    if (oauth.claims(token)) return oauth.verify(token, resource)
    // A pipeline may have its tokens from the identity provider of the people
    if (direct?.claims(token) === true && !(await workloads.isMeant(token)))
      return direct.verify(token, resource)
    return workloads.verify(token)
  }
}

/** Proves who asks a management surface; an attempt that fails is counted in the audit under its source. */
export function createAuthenticate(
  verify: VerifyToken,
  unknown: UnknownCallers,
): (token: string, resource: Protected, came: Came) => Promise<Principal> {
  return async (token, resource, { surface, ip, userAgent }) => {
    try {
      return await verify(token, resource)
    } catch (error) {
      // A store that cannot be read says nothing about the credential
      if (error instanceof Refusal && error.code !== 'store_unavailable')
        unknown.note({ surface, ip, userAgent, reason: error.facts.inner ?? error.code })
      throw error
    }
  }
}

// Personal access tokens of people.

/** A use is noted at most so often, so that a busy token costs no writes. */
const USE_NOTED_MS = 60_000

export interface PersonalTokens {
  /**
   * The user whose token it is, with what they may do now as far as the token allows it. Refuses with
   * credential_invalid or credential_expired; why exactly is the inner reason, for the audit only.
   */
  verify(token: string): Promise<Principal>
  /** Stores when tokens were used; called by a timer and on drain. */
  flush(): Promise<void>
}

/** True for what has the form of a personal token. */
function isPersonalToken(token: string): boolean {
  return isToken('pt', token)
}

/** Tokens over a store. When they were used is held in memory until it is flushed. */
export function createPersonalTokens(store: ConfigStore, clock: Clock, accounts: Accounts): PersonalTokens {
  let used = new Map<string, number>()
  return {
    async verify(token) {
      const lookup = lookupOf('pt', token) ?? ''
      const now = clock.now()
      const stored = proved('pt', await store.read.personalToken({ lookup }), token, now)
      const principal = await accounts.principalOf(stored.owner, {
        authMethod: 'personal_token',
        expiresAt: stored.expires_at,
        ceiling: stored.grants.length === 0 ? null : await grantsOfToken(stored.grants, store.read),
      })
      if (now - (stored.last_used_at ?? 0) >= USE_NOTED_MS) used.set(stored.id, now)
      return principal
    },

    async flush() {
      if (used.size === 0) return
      const noted = used
      used = new Map()
      await store.write(async (writer) => {
        for (const [id, at] of noted) await writer.usedPersonalToken(id, at)
      })
    },
  }
}
