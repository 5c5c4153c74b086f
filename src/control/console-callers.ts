/**
 * Verifies sessions of the console for gateway threads, and issues the tokens with which they call virtual MCPs. Tokens are
 * in memory while they can be used, and end with their session.
 */
import type { ConsoleSessions } from '../access/console-sessions.ts'
import type { Principal } from '../access/principal.ts'
import type { Clock } from '../base/clock.ts'
import { hashToken } from '../base/crypto/token.ts'
import { Lru } from '../base/memory/lru.ts'
import { Refusal } from '../base/refusal.ts'
import type { ConsoleCall, ConsoleCaller } from '../model/access/caller.ts'
import type { ConsoleToken, ConsoleTokens } from '../oauth/server/console-tokens.ts'
import { StoreUnavailable } from '../store/ports/unavailable.ts'

/** Sessions whose tokens are kept. One more forgets the session unused for longest, whose tokens then end by themselves. */
const SESSIONS_MAX = 1024
/** A token that ends sooner is replaced, milliseconds. */
const LEFT_MS = 60_000

export interface ConsoleCallersParts {
  readonly sessions: Pick<ConsoleSessions, 'verify'>
  readonly tokens: ConsoleTokens
  readonly clock: Clock
  readonly fault: (error: unknown, requestId: string) => void
}

export interface ConsoleCallers {
  /** For whom a request of the console calls. Never rejects. */
  answer(call: ConsoleCall): Promise<ConsoleCaller>
  /** Ends the tokens of a session, which has ended before. @param session value of the cookie */
  ended(session: string): Promise<void>
  /** The same for a session that another process has ended. @param id what was stored of it */
  endedElsewhere(id: string): void
}

export function createConsoleCallers({
  sessions,
  tokens,
  clock,
  fault,
}: ConsoleCallersParts): ConsoleCallers {
  /** Tokens by the hash of their session, and by what they are for. */
  const kept = new Lru<string, Map<string, Promise<ConsoleToken>>>(SESSIONS_MAX)

  /** The first session that holds, with its person; throws what is wrong with the first one. */
  async function proved(values: readonly string[]): Promise<{ session: string; person: Principal }> {
    let first: unknown = null
    for (const session of values)
      try {
        return { session, person: await sessions.verify(session) }
      } catch (error) {
        first ??= error
      }
    throw first ?? new SignedOut()
  }

  async function tokenOf(
    session: string,
    { id }: Principal,
    resource: `/mcp${string}`,
    call: ConsoleCall,
  ): Promise<ConsoleCaller> {
    const owner = hashToken(session)
    const ofSession = kept.get(owner) ?? new Map<string, Promise<ConsoleToken>>()
    kept.set(owner, ofSession)
    const before = ofSession.get(resource)
    const known = await before?.catch(() => null)
    if (known?.ok === true && known.until - clock.now() > LEFT_MS && (await tokens.holds(known)))
      return { ok: true, token: known.token }
    let issuing = ofSession.get(resource)
    if (issuing === undefined || issuing === before) {
      issuing = issue(session, id, resource, call)
      // Messages that come meanwhile wait for the same token
      ofSession.set(resource, issuing)
    }
    try {
      const issued = await issuing
      if (issued.ok) return { ok: true, token: issued.token }
      ofSession.delete(resource)
      return issued
    } catch (error) {
      ofSession.delete(resource)
      throw error
    }
  }

  /** Refuses, with nothing left behind, if the session ends meanwhile: whoever ended it may have seen no token. */
  async function issue(
    session: string,
    account: string,
    resource: `/mcp${string}`,
    { ip, userAgent, requestId }: ConsoleCall,
  ): Promise<ConsoleToken> {
    const issued = await tokens.mcpToken(account, resource, { ip, userAgent, requestId })
    if (!issued.ok) return issued
    try {
      await sessions.verify(session)
      return issued
    } catch (error) {
      await tokens.endMcpTokens([issued.grant])
      throw error
    }
  }

  async function end(owner: string): Promise<void> {
    const ofSession = kept.get(owner)
    const issued = await Promise.all([...(ofSession?.values() ?? [])].map((token) => token.catch(() => null)))
    const grants = issued.flatMap((token) => (token?.ok === true ? [token.grant] : []))
    if (grants.length > 0) await tokens.endMcpTokens(grants)
    kept.delete(owner)
  }

  return {
    async answer(call) {
      try {
        const { session, person } = await proved(call.sessions)
        return call.resource === null
          ? { ok: true, token: null }
          : await tokenOf(session, person, call.resource, call)
      } catch (error) {
        if (error instanceof SignedOut || (error instanceof Refusal && error.status === 401)) {
          const isOver = error instanceof Refusal && error.code === 'credential_expired'
          return {
            ok: false,
            code: isOver ? 'credential_expired' : 'credential_invalid',
            detail: 'The session of the console has ended. Sign in again.',
          }
        }
        if (!(error instanceof StoreUnavailable)) fault(error, call.requestId)
        return {
          ok: false,
          code: 'store_unavailable',
          detail: 'The session could not be checked. Try again.',
        }
      }
    },

    ended: (session) => end(hashToken(session)),
    endedElsewhere(id) {
      if (kept.get(id) !== undefined) end(id).catch((error: unknown) => fault(error, ''))
    },
  }
}

/** The request has no session. */
class SignedOut extends Error {}
