/** What streams of both eras that stay open at an origin have in common. */
import type { Clock } from '../../base/clock.ts'
import type { Members } from '../protocol/message.ts'
import type { OwnName } from './envelope.ts'
import type { ReadFromOrigin, SendToOrigin } from './send.ts'
import type { SseTools } from './sse-session.ts'

/** What is to be heard of. */
export interface Wanted {
  /** Changes of the lists that the server says to tell of. */
  readonly lists: boolean
  /** Changes of these resources, by their URIs at the origin. */
  readonly uris: ReadonlySet<string>
  /** What becomes of these tasks, by their ids at an origin of 2026-07-28; absent for none. */
  readonly tasks?: ReadonlySet<string>
}

/** How an opening, or a stream that stood, has ended. */
export type StreamEnd =
  /** It may be opened again. @see retryMs what the server wants its clients to wait; null where it says nothing */
  | { readonly kind: 'ended'; readonly retryMs: number | null }
  /** The server cannot be reached, or fails. */
  | { readonly kind: 'failed' }
  /** The server has no such streams. */
  | { readonly kind: 'refused' }

export interface EraEvents {
  /** It stands. @param isNew the origin knows nothing of an earlier one, so that something may have been missed */
  stands(isNew: boolean): void
  /** A message. False: the stream is to end. @param method null for what is no notification */
  heard(method: string | null, params: Members): boolean
  /** Told once for each opening, unless it was closed. */
  over(end: StreamEnd): void
}

/** A stream to an origin of one era, which is opened any number of times. */
export interface EraStream {
  /** Nothing is open when this is called. */
  open(wanted: Wanted): void
  /** Something else is wanted of a stream that stands. */
  want(wanted: Wanted): void
  /** Ends it, and what stands for it at the origin. It can be opened again. */
  close(): void
}

export interface EraStreamTools {
  readonly send: SendToOrigin
  readonly read: ReadFromOrigin
  readonly own: OwnName
  readonly requestIds: () => string
  readonly clock: Clock
  /** Revision that the origin speaks. */
  readonly version: string
  /** As the origin declares them. */
  readonly capabilities: Members
  /** How an origin of HTTP+SSE is reached; null for any other. */
  readonly sse: Omit<SseTools, 'read'> | null
}

/** What became of a request by the status of its answer; null where none came. */
export function endBy(status: number | null): StreamEnd {
  if (status === null || status >= 500) return { kind: status === 501 ? 'refused' : 'failed' }
  return { kind: 'ended', retryMs: null }
}
