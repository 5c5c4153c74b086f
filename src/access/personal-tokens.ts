/** Personal access tokens of people. */
import type { Clock } from '../base/clock.ts'
import { isToken, lookupOf } from '../base/crypto/token.ts'
import type { ConfigStore } from '../store/ports/config.ts'
import type { Accounts } from './accounts.ts'
import { grantsOfToken } from './identities.ts'
import type { Principal } from './principal.ts'
import { proved } from './tokens.ts'

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
export function isPersonalToken(token: string): boolean {
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
