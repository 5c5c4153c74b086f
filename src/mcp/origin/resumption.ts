/**
 * Decides when a broken stream of an origin is resumed (2025-11-25, transports: resumability and redelivery). Only a stream
 * that has sent an event id can be resumed. The origin sets the wait.
 */

/** Where a stream has ended. */
export interface StreamCursor {
  /** Id of the last event. */
  readonly lastId: string
  /** Milliseconds that the origin wants its clients to wait; null where it has not said. */
  readonly retryMs: number | null
}

/** Attempts in a row that bring nothing, and of all for one request. */
const IN_VAIN_MAX = 5
const ALL_MAX = 100
const WAIT_MS = { least: 10, usual: 1000, most: 30_000 }
/** An id is sent back in a header. */
const ID = /^[!-~]{1,1024}$/

export class Resumption {
  #cursor: StreamCursor | null = null
  #inVain = 0
  #all = 0

  /**
   * What the next attempt sends, and how long it waits; null for the end of attempts.
   * @param cursor of the stream that has broken; null where it told no id
   */
  next(cursor: StreamCursor | null): { readonly lastId: string; readonly waitMs: number } | null {
    const isNew = cursor !== null && cursor.lastId !== this.#cursor?.lastId
    if (isNew) this.#inVain = 0
    const last = cursor ?? this.#cursor
    this.#cursor = last
    if (last === null || !ID.test(last.lastId) || ++this.#inVain > IN_VAIN_MAX || ++this.#all > ALL_MAX)
      return null
    const { least, usual, most } = WAIT_MS
    return { lastId: last.lastId, waitMs: Math.min(most, Math.max(least, last.retryMs ?? usual)) }
  }
}
