import type { ByteBudget } from '../base/memory/bytes.ts'
import { PIECE_BYTES_MAX } from './limits.ts'

/** Smallest block. */
const BLOCK_BYTES_MIN = 1024

/**
 * A queue of bytes that wait for a caller. Bytes are copied into few blocks, so that many small pieces do not cost an object
 * each. A block is counted in the budget until it is taken out.
 */
export class Unsent {
  readonly #budget: ByteBudget
  readonly #blocks: Buffer[] = []
  /** Bytes used of the last block. */
  #used = 0

  /** @param budget in which the blocks are counted */
  constructor(budget: ByteBudget) {
    this.#budget = budget
  }

  get isEmpty(): boolean {
    return this.#blocks.length === 0
  }

  /** Adds a copy of `bytes[from, to)`. False when the budget refuses; then a part of it may have been added. */
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

  /** Takes out the oldest block, at most {@link PIECE_BYTES_MAX} long; null when the queue is empty. */
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
