import type { ByteBudget } from '../base/byte-buffer.ts'
import { PIECE_BYTES_MAX } from './limits.ts'

/** The first block of several small pieces. */
const BLOCK_BYTES_MIN = 1024

/**
 * Bytes that wait for a caller, copied into few blocks: many small pieces must not cost an object each. A block is counted
 * while it is here.
 */
export class Unsent {
  readonly #budget: ByteBudget
  readonly #blocks: Buffer[] = []
  /** Bytes that are in use of the last block. */
  #used = 0

  /** @param budget in which the blocks are counted */
  constructor(budget: ByteBudget) {
    this.#budget = budget
  }

  get isEmpty(): boolean {
    return this.#blocks.length === 0
  }

  /** Adds a copy of `bytes[from, to)`. False when there is no room for it; then a part of it may be here. */
  add(bytes: Buffer, from: number, to: number): boolean {
    let at = from
    while (at < to) {
      const last = this.#blocks.at(-1)
      const left = last === undefined ? 0 : last.length - this.#used
      if (left === 0) {
        const before = last === undefined ? BLOCK_BYTES_MIN : last.length * 2
        const size = Math.min(PIECE_BYTES_MAX, Math.max(to - at, before))
        if (!this.#budget.take(size)) return false
        this.#blocks.push(Buffer.allocUnsafeSlow(size))
        this.#used = 0
      } else {
        const until = Math.min(to, at + left)
        bytes.copy(last!, this.#used, at, until)
        this.#used += until - at
        at = until
      }
    }
    return true
  }

  /** Takes out the oldest bytes, up to {@link PIECE_BYTES_MAX}; null when there are none. */
  next(): Buffer | null {
    const block = this.#blocks.shift()
    if (block === undefined) return null
    this.#budget.give(block.length)
    return this.isEmpty ? block.subarray(0, this.#used) : block
  }

  /** Forgets all. */
  drop(): void {
    for (const { length } of this.#blocks.splice(0)) this.#budget.give(length)
  }
}
