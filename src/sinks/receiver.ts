/** Where batches go: what each type of destination does. */
import type { Clock } from '../base/clock.ts'
import type { Egress } from '../base/net/egress.ts'
import type { SinkStream } from '../model/sink.ts'

/** From the first byte sent to the last byte of the answer, milliseconds. */
export const TRY_MS = 10_000

/** An event as it is sent. */
export interface SinkEvent {
  readonly id: string
  /** Milliseconds since the epoch. */
  readonly time: number
  /** One line of JSON. */
  readonly json: string
}

export interface Batch {
  /** Equal when the same events are sent again. */
  readonly id: string
  readonly stream: SinkStream | 'test'
  readonly events: readonly SinkEvent[]
}

/** Why a batch was not accepted. The message names no secret. */
export class NotAccepted extends Error {
  /** What the destination asked for, milliseconds; null when it did not. */
  readonly retryAfterMs: number | null

  constructor(message: string, retryAfterMs: number | null = null) {
    super(message)
    this.name = 'NotAccepted'
    this.retryAfterMs = retryAfterMs
  }
}

export interface Receiver {
  /**
   * Resolves when the destination has accepted all events, with what it answered. Rejects with {@link NotAccepted}: over a network after
   * {@link TRY_MS} at the latest, for a file when the file system answers.
   */
  send(batch: Batch): Promise<string>
  close(): Promise<void>
}

export interface ReceiverParts {
  readonly clock: Clock
  readonly egress: Egress
  /** Null where no sink may write files. */
  readonly directory: string | null
  readonly host: string
}
