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

/** True for an origin that says it takes levels. */
export function takesLevels({ fragment: { verdict } }: LinkedOrigin): boolean {
  const capabilities: unknown = JSON.parse(verdict?.capabilities ?? '{}')
  return isMembers(capabilities) && isMembers(capabilities['logging'])
}

/** Resolves when the session has a level, whether its origin took it or not. @param ask sets it; never rejects */
export function withLogs(session: OriginSession, ask: () => Promise<unknown>): Promise<unknown> {
  let asking = asked.get(session)
  if (asking === undefined) {
    asking = ask()
    asked.set(session, asking)
  }
  return asking
}
