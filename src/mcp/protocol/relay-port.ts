/** The port between the codecs and the servers behind an endpoint. */
import type { Reservation } from '../../base/memory/bytes.ts'
import type { LogLevels } from './log-levels.ts'
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
