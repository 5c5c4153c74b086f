const NOTHING = Buffer.alloc(0)

/**
 * Bytes of one socket that arrived and were not interpreted yet. Readers move `at` up to `end`. Copies are no part of a slab of Node, which the
 * beginning of a request of a slow client would hold.
 */
export class Unread {
  bytes: Buffer = NOTHING
  at = 0
  end = 0
  /** False while `bytes` belongs to someone who will use it again. */
  #own = false

  get length(): number {
    return this.end - this.at
  }

  /** Adds bytes; without copying when nothing was unread. Whoever will change them calls {@link keep} before. */
  add(bytes: Buffer, length: number): void {
    if (this.at === this.end) {
      this.bytes = bytes
      this.at = 0
      this.end = length
      this.#own = false
      return
    }
    const need = this.end - this.at + length
    if (!this.#own || this.bytes.length - this.end < length) {
      // Twice the need, so that a peer that sends single bytes costs linear work
      const grown = Buffer.allocUnsafeSlow(need * 2)
      this.bytes.copy(grown, 0, this.at, this.end)
      this.end -= this.at
      this.at = 0
      this.bytes = grown
      this.#own = true
    }
    bytes.copy(this.bytes, this.end, 0, length)
    this.end += length
  }

  /** Copies what is left out of shared memory, or lets go of it. */
  keep(): void {
    if (this.at === this.end) this.clear()
    else if (!this.#own) {
      const copy = Buffer.allocUnsafeSlow(this.length * 2)
      this.bytes.copy(copy, 0, this.at, this.end)
      this.end -= this.at
      this.at = 0
      this.bytes = copy
      this.#own = true
    }
  }

  clear(): void {
    this.bytes = NOTHING
    this.at = 0
    this.end = 0
    this.#own = false
  }
}
