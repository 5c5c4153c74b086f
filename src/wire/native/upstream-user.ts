import type { FieldNames, UpstreamFailure } from '../port.ts'
import type { ResponseHead } from './response-head.ts'

/** The connection to an upstream that carries a request, as its {@link UpstreamUser} uses it. */
export interface RequestConnection {
  /** Sends a piece of the request's body. False when no more should follow before {@link UpstreamUser.writable}. */
  send(data: string | Buffer, last: boolean): boolean
  /** Reads on after a pause. */
  resume(): void
  /** Ends the request: its user is told nothing more. */
  abandon(): void
}

/** One request towards an upstream and whoever waits for its answer. */
export interface UpstreamUser {
  /** Head and, when it is at hand and small, body: latin1. */
  readonly message: string
  /** As in `ForwardRequest`; empty for none. */
  readonly holder: string
  /** The whole request was handed over. */
  readonly complete: boolean
  /** May be sent again when a kept connection turns out to be dead: idempotent, and all of it is in `message`. */
  readonly retryable: boolean
  /** The answer to HEAD has no body, whatever its head says. */
  readonly headOnly: boolean
  /** Header lines that replace those of the answer. */
  readonly responseNames: FieldNames
  /** See `StreamRequest`; the upstream's where it is absent. */
  readonly idleTimeoutMs?: number | undefined
  /** It offers a WebSocket, so that a 101 opens a tunnel. */
  readonly upgrade?: boolean
  /** It was sent again already. */
  retried: boolean

  /** A connection is being made for it. */
  connecting(connection: RequestConnection): void
  /** `message` was written to `connection` at `now`; a body may follow by {@link RequestConnection.send}. */
  started(connection: RequestConnection, now: number): void
  /** An interim answer (1xx) came. */
  interim(head: ResponseHead): void
  /** The final head, with the first data of the body; `last` when the body ends with it. False asks for a pause. */
  answered(head: ResponseHead, now: number, bytes: Buffer, from: number, to: number, last: boolean): boolean
  /** More data. False asks for a pause, ended by {@link RequestConnection.resume}. */
  piece(bytes: Buffer, from: number, to: number, last: boolean): boolean
  /** Nothing more comes. */
  failed(failure: UpstreamFailure, inner: string): void
  /** The upstream takes more of the body again. */
  writable(): void
}
