/** The log levels of sessions of earlier revisions, known to all threads. */
import { SharedLru } from '../../base/memory/lru.ts'
import type { Events } from '../../shared-state/ports/events.ts'

/** Log levels by weight, the lightest first (2025-11-25, server/utilities/logging). */
const LOG_LEVELS = ['debug', 'info', 'notice', 'warning', 'error', 'critical', 'alert', 'emergency'] as const

/** Sessions whose level is remembered. One holder has no more than remain free; its session that was not used longest is forgotten. */
const SESSIONS_MAX = 10_000
const TOPIC = 'log_level'

/** The log levels that sessions of earlier revisions have set. All threads remember them. */
export interface LogLevels {
  /** @param holder under whom the session shares what is bounded for all. @param sessionId hash of the session */
  set(holder: string, sessionId: string, level: string): void
  /** Null for a session that has set none. */
  of(sessionId: string): string | null
}

export function createLogLevels(events: Events): LogLevels {
  const levels = new SharedLru<string>(SESSIONS_MAX)
  events.subscribe(TOPIC, (text) => {
    // Published below
    const [holder, sessionId, level] = JSON.parse(text) as [string, string, string]
    levels.set(holder, sessionId, level, 1)
  })
  return {
    set(holder, sessionId, level) {
      levels.set(holder, sessionId, level, 1)
      events.publish({ topic: TOPIC, text: JSON.stringify([holder, sessionId, level]) })
    },
    of: (sessionId) => levels.get(sessionId) ?? null,
  }
}

/** True for a level of the protocol. */
export function isLogLevel(level: unknown): level is string {
  return (LOG_LEVELS as readonly unknown[]).includes(level)
}

/** True for a message of a level that is at least the wanted one. */
export function isWanted(level: unknown, least: string): boolean {
  const levels = LOG_LEVELS as readonly unknown[]
  return levels.includes(level) && levels.indexOf(level) >= levels.indexOf(least)
}
