/** The port between the codecs and the servers behind an endpoint. */
import type { Reservation } from '../../base/memory/bytes.ts'
import { SharedLru } from '../../base/memory/lru.ts'
import type { Events } from '../../shared-state/ports/events.ts'
import type { Members, RpcId } from './message.ts'
import type { ReceivedMessage } from './received-message.ts'
import type { ClientAnswer, ClientQuestions } from './relayed-requests.ts'

/** A request of a client that a server behind the door answers. */
export interface RelayedRequest {
  readonly id: RpcId
  readonly method: string
  readonly params: Members
  /** Revision that the client speaks. */
  readonly version: string
  readonly isModern: boolean
  readonly received: ReceivedMessage
  /** What the client declares that servers may ask it; of an earlier revision what its session says. */
  readonly clientCapabilities: Members
  /** Least level of log messages that the client wants; null for none. */
  readonly logLevel: string | null
  /**
   * Value of a header, by its lower-case name, in which an argument travels beside the body; null before 2026-07-28, where arguments
   * are in the body alone.
   */
  readonly mirrored: ((name: string) => string | undefined) | null
  /** The client reads streams, so that {@link notify} reaches it. */
  readonly readsStreams: boolean
  /** Sends a notification before the response, where the client reads streams. @param text one line of JSON */
  notify(text: string): void
  /** Calls `listener` when the client has left the stream on which it was notified. */
  onLeft(listener: () => void): void
  /**
   * Puts a request to a client of an earlier revision, on the stream of the response. Null where it cannot be asked: it reads no
   * streams, has no session, or speaks a revision in which requests are part of results.
   */
  readonly ask: ((method: string, params: Members, done: (answer: ClientAnswer) => void) => void) | null
}

export type RelayedAnswer =
  /** Text of the result, a JSON object in the form of the client's revision. */
  | {
      readonly kind: 'result'
      readonly text: string
      /** The same text in UTF-8, where that is at hand. */
      readonly bytes?: Buffer
    }
  | {
      readonly kind: 'error'
      readonly code: number
      readonly message: string
      readonly data?: unknown
      /** HTTP status towards a client of 2026-07-28; 200 without. */
      readonly status?: number
    }
  /** The client has given it up: it gets no response. */
  | { readonly kind: 'none' }

/** What a server says of itself. The same object as long as it says the same: its text is kept by it. */
export interface About {
  readonly capabilities: Members
  /** What a model should know before the first call. */
  readonly instructions: string
}

interface RelaySessions<Caller> {
  /** Requests that wait for clients of earlier revisions, and the log levels that their sessions have set. */
  readonly questions: ClientQuestions
  readonly logLevels: LogLevels
  /**
   * Opens the stream of a session of an earlier revision, for what belongs to no request. The function that it gives closes it. Null
   * where there are too many.
   */
  listen(
    caller: Caller,
    sessionId: string,
    message: (text: string) => void,
    end: () => void,
  ): (() => void) | null
  /** Where bytes are counted that are kept for a caller who is away. The holder releases it. */
  reserve(caller: Caller): Reservation
  /** Under whom the caller shares what is bounded for all. */
  holderOf(caller: Caller): string
  /** The client has ended its session. @param sessionId hash of the session */
  ended(sessionId: string): void
}

/** Answers requests by servers behind a door, in the place of what the door has of its own. */
export interface Relay<Caller> {
  about(caller: Caller, isModern: boolean): About
  /** What clients of earlier revisions can be asked and can set in a session; null at a server without sessions. */
  readonly sessions: RelaySessions<Caller> | null
  /** `done` is called exactly once, now or later. */
  answer(caller: Caller, request: RelayedRequest, done: (answer: RelayedAnswer) => void): void
}

// The log levels of sessions of earlier revisions, known to all threads.

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
