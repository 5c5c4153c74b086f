import type { Clock } from '../base/clock.ts'
import { refuse } from '../base/refusal.ts'
import { hashToken, isToken, mintToken } from '../base/token.ts'
import { newAuditEntry } from '../model/new-audit-entry.ts'
import type { ConfigStore } from '../store/ports/config.ts'
import type { Accounts } from './accounts.ts'
import type { Principal } from './principal.ts'
import type { Sender } from './sender.ts'

/** The kind under which sessions are stored beside those of the authorization server, with which they end. */
export const CONSOLE_SESSION = 'ConsoleSession'
/** A session lives so long, whether it is used or not, milliseconds. */
export const CONSOLE_SESSION_MS = 8 * 60 * 60_000
const SESSIONS_MAX = 20_000
/** Of one person; the oldest ends. */
const OWN_MAX = 20

/** Sessions of people at the web console. Only hashes of the tokens are stored. */
export interface ConsoleSessions {
  /**
   * Begins a session and audits that. Refuses with credential_invalid for an inactive account.
   * @param server hash of the id of the session at the authorization server
   */
  begin(account: string, server: string, sender: Sender): Promise<string>
  /** Who a session stands for, with what they may do now. Refuses with credential_invalid or credential_expired. */
  verify(token: string): Promise<Principal>
  /** Ends a session with that at the authorization server, and audits that. Refuses as {@link verify}. */
  end(token: string, sender: Sender): Promise<void>
}

/** True for what has the form of a session. */
export function isConsoleSession(token: string): boolean {
  return isToken('ws', token)
}

export function createConsoleSessions(
  store: ConfigStore,
  clock: Clock,
  accounts: Pick<Accounts, 'principalOf'>,
): ConsoleSessions {
  async function found(token: string) {
    const id = hashToken(token)
    const session = isConsoleSession(token) ? await store.read.oauth.artifact(CONSOLE_SESSION, id) : undefined
    if (session === undefined) throw refuse('credential_invalid', { inner: 'no such session of the console' })
    const { account_id: account, expires_at: expiresAt } = session
    if (expiresAt === null || expiresAt <= clock.now())
      throw refuse('credential_expired', { inner: 'the session of the console has ended' })
    const proof = { authMethod: 'console_session', expiresAt, ceiling: null }
    return { session, principal: await accounts.principalOf(account ?? '', proof) }
  }

  async function note(principal: Principal, operation: string, { ip, userAgent }: Sender): Promise<void> {
    const { id, name, authMethod } = principal
    const entry = newAuditEntry(clock, {
      actor: { id, type: 'user', name, auth_method: authMethod },
      surface: 'admin_ui',
      operation,
      action: 'READ',
      resource: { type: 'user', id, slug: name, collection: null },
      ip,
      user_agent: userAgent,
      outcome: 'ok',
      error: null,
      detail: null,
    })
    await store.write((writer) => writer.appendAudit(entry))
  }

  return {
    async begin(account, server, sender) {
      const { token, hash } = mintToken('ws')
      const now = clock.now()
      const expiresAt = now + CONSOLE_SESSION_MS
      const principal = await accounts.principalOf(account, {
        authMethod: 'console_session',
        expiresAt,
        ceiling: null,
      })
      await store.writeOAuth(async (oauth) => {
        const own = await oauth.artifactsOf(CONSOLE_SESSION, account)
        for (const { id } of own.slice(0, Math.max(0, own.length - OWN_MAX + 1)))
          await oauth.remove(CONSOLE_SESSION, id)
        await oauth.put(
          {
            kind: CONSOLE_SESSION,
            id: hash,
            sealed: server,
            grant_id: null,
            other_id: null,
            account_id: account,
            created_at: now,
            expires_at: expiresAt,
            used_at: null,
          },
          SESSIONS_MAX,
        )
      })
      await note(principal, 'access.sign_in', sender)
      return token
    },
    verify: async (token) => (await found(token)).principal,
    async end(token, sender) {
      const { session, principal } = await found(token)
      await store.writeOAuth(async (oauth) => {
        await oauth.remove(CONSOLE_SESSION, session.id)
        const server = await oauth.artifactByOther('Session', session.sealed)
        if (server !== undefined) await oauth.remove('Session', server.id)
      })
      await note(principal, 'access.sign_out', sender)
    },
  }
}
