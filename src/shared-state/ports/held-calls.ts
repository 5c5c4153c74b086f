/**
 * Calls that one process holds and others attach to: a call whose answer is wanted by a request that reached another thread.
 *
 * 1. An id names its owner. An attachment to a call that its owner does not hold, or whose owner is gone, is told so at once and never
 *    by a time-out alone.
 * 2. The owner gets the payload of an attachment once. Its texts arrive in their order, then its end, then nothing.
 * 3. What is on the way is bounded: an owner that says more than the other side takes learns it, and far beyond that the attachment
 *    breaks off as lost.
 * 4. The port judges nobody. Ids travel through clients in a sealed form, and the owner checks what the payload says of the sender.
 */
export interface HeldCalls {
  /** Holds a call until `release`. */
  hold(call: HeldCall): Hold
  /**
   * Attaches to a held call. The reader is told nothing before the function that detaches was returned.
   * @param payload text for the owner, up to {@link PAYLOAD_CHARS_MAX}; what it means is the owner's business
   */
  attach(id: string, payload: string, reader: CallReader): () => void
}

export interface Hold {
  /** Unguessable; of letters, digits, `-`, `_` and `.`. */
  readonly id: string
  /** The call is held no longer. Attachments that have not ended are lost. */
  release(): void
}

/** The side of the owner. Nothing here may throw. */
export interface HeldCall {
  /** Somebody attaches. Several may be attached at a time; each has a line of its own. */
  attached(payload: string, line: CallLine): LineWatcher
}

/** From the owner to one attachment. */
export interface CallLine {
  /** Sends a text. False: much is on its way already, wait for `drained`; also once the line is over. */
  message(text: string): boolean
  /** Ends the attachment with its last text, up to {@link END_CHARS_MAX}. */
  end(text: string): void
}

/** Told by a line; neither is called after `CallLine.end`. */
export interface LineWatcher {
  /** After `message` gave false: all was taken. */
  drained(): void
  /** The other side detached or is gone, or the line was broken off. */
  left(): void
}

/** The side that attaches. Nothing here may throw. (message* (end | lost)), nothing after it has detached. */
export interface CallReader {
  message(text: string): void
  end(text: string): void
  /** The call is not held, or no longer; its owner is gone; or too much was said. */
  lost(): void
}

export const PAYLOAD_CHARS_MAX = 4 * 1024 * 1024
/** The longest answer of an origin, as a text of JSON inside of another: each of its characters may be escaped. */
export const END_CHARS_MAX = 2 * 16 * 1024 * 1024 + 65_536
