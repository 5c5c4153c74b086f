/** Sessions of people at the console. */
import { randomBytes } from 'node:crypto'
import { type Clock, hasEnded } from '../base/clock.ts'
import { hashToken } from '../base/crypto/token.ts'
import { refuse } from '../base/refusal.ts'
import type { ConfigStore } from '../store/ports/config.ts'
import type { OAuthArtifact } from '../store/ports/oauth.ts'
import type { Accounts } from './accounts.ts'
import type { Principal } from './principal.ts'

/** The kind under which they are stored: they end with everything else that was issued for an account. */
export const CONSOLE_SESSION = 'ConsoleSession'
/** A session ends this long after the sign-in, milliseconds, however much it is used. */
export const CONSOLE_SESSION_MS = 8 * 60 * 60 * 1000
/** Sessions of one person. One more ends the oldest. */
const OF_ACCOUNT_MAX = 20
/** 256 random bits in base64url. */
const FORM = /^[A-Za-z0-9_-]{43}$/

/** Sessions of people at the console. The browser holds a random value, and the store its hash. */
export interface ConsoleSessions {
  /**
   * Starts a session for a person who has just signed in.
   * @param browser id of the session of the browser at the authorization server, which ends with this one
   * @returns the value of the cookie; null if that session has ended meanwhile
   */
  start(account: string, browser: string): Promise<string | null>
  /**
   * The person of a session, with what they may do now. Refuses with credential_invalid or credential_expired.
   * @param value of the cookie
   */
  verify(value: string): Promise<Principal>
  /** Ends a session. Returns its person, and the id that it was started with; null if there is no such session. */
  end(value: string): Promise<{ readonly account: string; readonly browser: string } | null>
}

export function createConsoleSessions(
  store: Pick<ConfigStore, 'read' | 'writeOAuth'>,
  clock: Clock,
  accounts: Pick<Accounts, 'principalOf'>,
): ConsoleSessions {
  const idOf = (value: string): string | null => (FORM.test(value) ? hashToken(value) : null)

  async function find(value: string): Promise<OAuthArtifact | undefined> {
    const id = idOf(value)
    return id === null ? undefined : store.read.oauth.artifact(CONSOLE_SESSION, id)
  }

  return {
    async start(account, browser) {
      const value = randomBytes(32).toString('base64url')
      const now = clock.now()
      return store.writeOAuth(async (oauth) => {
        // It ends with all that was issued for the person, and with a sign-out in another tab
        if ((await oauth.artifactByOther('Session', browser))?.account_id !== account) return null
        const others = await oauth.artifactsOf(CONSOLE_SESSION, account)
        for (const { id } of others.slice(0, Math.max(0, others.length - OF_ACCOUNT_MAX + 1)))
          await oauth.remove(CONSOLE_SESSION, id)
        await oauth.put({
          kind: CONSOLE_SESSION,
          id: hashToken(value),
          // There is nothing secret besides the value
          sealed: '',
          grant_id: null,
          other_id: browser,
          account_id: account,
          created_at: now,
          expires_at: now + CONSOLE_SESSION_MS,
          used_at: null,
        })
        return value
      })
    },

    async verify(value) {
      const found = await find(value)
      if (found === undefined) throw refuse('credential_invalid', { inner: 'no such console session' })
      const expiresAt = found.expires_at ?? 0
      if (hasEnded(found.created_at, expiresAt, clock.now()))
        throw refuse('credential_expired', { inner: 'the console session is over' })
      return accounts.principalOf(found.account_id ?? '', {
        authMethod: 'console_session',
        expiresAt,
        ceiling: null,
      })
    },

    async end(value) {
      const found = await find(value)
      if (found === undefined) return null
      await store.writeOAuth(async (oauth) => {
        await oauth.remove(CONSOLE_SESSION, found.id)
        // The process that has issued tokens for the session ends them
        await oauth.noteEnding(found.id, clock.now())
      })
      return { account: found.account_id ?? '', browser: found.other_id ?? '' }
    },
  }
}
