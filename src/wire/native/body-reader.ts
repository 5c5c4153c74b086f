import { ChunkedDecoder } from './chunked.ts'

/** Kinds of framing besides a length of 0 or more. */
export const CHUNKED = -1
export const UNTIL_CLOSE = -2

/** Finds the data of one message body after another. One per connection, reset for each message. */
export class BodyReader {
  /** Data of the last {@link read}: `[from, to)` of its bytes. */
  from = 0
  to = 0
  /** Index after what was read; short of the end only when the body is complete. */
  next = 0
  /** Nothing is missing any more. */
  done = true
  /** Bytes that are still to come, or {@link CHUNKED}, {@link UNTIL_CLOSE}. */
  left = 0
  #chunked: ChunkedDecoder | null = null

  /** Starts a body of `length` bytes, or of one of the other framings. */
  reset(length: number): void {
    this.left = length
    this.done = length === 0
    if (length !== CHUNKED) return
    if (this.#chunked === null) this.#chunked = new ChunkedDecoder()
    else this.#chunked.reset()
  }

  /** Reads on. False when the framing is at fault. */
  read(bytes: Buffer, at: number, end: number): boolean {
    if (this.left >= 0) {
      const take = Math.min(this.left, end - at)
      this.from = at
      this.to = at + take
      this.next = at + take
      this.left -= take
      this.done = this.left === 0
      return true
    }
    if (this.left === UNTIL_CLOSE) {
      this.from = at
      this.to = end
      this.next = end
      return true
    }
    const chunked = this.#chunked!
    if (!chunked.read(bytes, at, end)) return false
    this.from = chunked.from
    this.to = chunked.to
    this.next = chunked.next
    this.done = chunked.done
    return true
  }
}
