/** The profile that a person has chosen for the tokens of a grant at `/mcp`. */
import type { Clock } from '../../base/clock.ts'
import type { ConfigStore } from '../../store/ports/config.ts'
import type { Sealed } from './sealed.ts'

const KIND = 'GrantProfile'
/** As long as a grant lives. */
const KEPT_MS = 90 * 24 * 60 * 60 * 1000

/** Which profile a person has picked for the tokens of a grant at `/mcp`. */
export interface GrantProfiles {
  keep(grant: string, account: string, profile: string): Promise<void>
  of(grant: string): Promise<string | null>
}

export function createGrantProfiles(store: ConfigStore, sealed: Sealed, clock: Clock): GrantProfiles {
  return {
    async keep(grant, account, profile) {
      const now = clock.now()
      await store.writeOAuth((oauth) =>
        oauth.put({
          kind: KIND,
          id: grant,
          sealed: sealed.seal(profile, KIND, grant),
          grant_id: grant,
          other_id: null,
          account_id: account,
          created_at: now,
          expires_at: now + KEPT_MS,
          used_at: null,
        }),
      )
    },
    async of(grant) {
      const found = await store.read.oauth.artifact(KIND, grant)
      return found === undefined ? null : sealed.open(found.sealed, KIND, grant)
    },
  }
}
