/**
 * Log messages of origins of earlier eras. A session has one level for all of its requests (2025-11-25, server/utilities/logging). Once a
 * request wants messages, the session asks for all of them, and each request gets those that it wants (log-levels.ts): another thread
 * uses the same session and may want other levels.
 */
import type { LinkedOrigin } from '../../snapshot/linked/mcp.ts'
import { isMembers } from '../protocol/message.ts'
import type { OriginSession } from './sessions.ts'

/** The level that lets every message pass. */
export const MOST_VERBOSE = 'debug'

const asked = new WeakMap<OriginSession, Promise<unknown>>()

/** An origin that does not answer a request for a level holds up its calls for so long, milliseconds. */
const LEVEL_MS = 2000

const takers = new WeakMap<LinkedOrigin, boolean>()

/** True for an origin that says it takes levels. */
export function takesLevels(origin: LinkedOrigin): boolean {
  let takes = takers.get(origin)
  if (takes === undefined) {
    const capabilities: unknown = JSON.parse(origin.fragment.verdict?.capabilities ?? '{}')
    takes = isMembers(capabilities) && isMembers(capabilities['logging'])
    takers.set(origin, takes)
  }
  return takes
}

/**
 * The level from which a client of an earlier revision gets log messages; null for none. Without a level of its own the origin decides
 * (2025-11-25, server/utilities/logging), but other clients of a shared session may have asked for all messages.
 * @param given level that the client has set; null for none
 */
export function levelFor(origin: LinkedOrigin, given: string | null): string | null {
  if (given !== null || !takesLevels(origin)) return given
  return origin.fragment.shares_sessions === true ? 'info' : MOST_VERBOSE
}

/** Resolves when the session has a level, whether its origin took it or not. @param ask sets it; never rejects */
export function withLogs(session: OriginSession, ask: () => Promise<unknown>): Promise<unknown> {
  let asking = asked.get(session)
  if (asking === undefined) {
    const { promise, resolve } = Promise.withResolvers<unknown>()
    const timer = setTimeout(resolve, LEVEL_MS).unref()
    void ask()
      .finally(() => clearTimeout(timer))
      .then(resolve)
    asking = promise
    asked.set(session, asking)
  }
  return asking
}
