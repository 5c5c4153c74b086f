const BLOCK_BYTES_MAX = 65_536

/** Where bytes are kept in memory for somebody. */
export interface ByteBudget {
  /** Counts bytes that are about to be kept. False when they must not be. */
  take(bytes: number): boolean
  /** Some of them are no longer kept. */
  give(bytes: number): void
}

/** A budget whose bytes are given back as a whole. */
export interface Reservation extends ByteBudget {
  /** Gives everything back, now and for good. */
  release(): void
}

/**
 * Bytes that are copied as they come and wanted as a whole. They lie in few blocks, each as large as what came before: a
 * peer that sends single bytes must not cost an object for each. A block is no part of a slab of Node: the budget counts what is held.
 */
export class ByteBuffer {
  #length = 0
  readonly #budget: ByteBudget | null
  #blocks: Buffer[] = []
  /** Of all blocks. */
  #bytes = 0

  /** @param budget in which all of it is counted; null for what is bounded otherwise */
  constructor(budget: ByteBudget | null) {
    this.#budget = budget
  }

  get length(): number {
    return this.#length
  }

  /** Copies `bytes[from, to)`. False when there is no room; then all is forgotten. */
  add(bytes: Buffer, from: number, to: number): boolean {
    const left = this.#bytes - this.#length
    const more = to - from - left
    if (more > 0) {
      const size = Math.max(more, Math.min(this.#length, BLOCK_BYTES_MAX))
      if (this.#budget !== null && !this.#budget.take(size)) {
        this.drop()
        return false
      }
      this.#fill(bytes, from, from + left)
      this.#blocks.push(Buffer.allocUnsafeSlow(size))
      this.#bytes += size
      this.#fill(bytes, from + left, to)
    } else this.#fill(bytes, from, to)
    return true
  }

  /** All of it as one Buffer, which may be a view of a block. `ownedBytes` makes what is kept of it. */
  whole(): Buffer {
    const { length } = this
    const first = this.#blocks[0]
    if (this.#blocks.length === 1) return first!.length === length ? first! : first!.subarray(0, length)
    const whole = Buffer.allocUnsafeSlow(length)
    let at = 0
    for (const block of this.#blocks) at += block.copy(whole, at, 0, Math.min(block.length, length - at))
    return whole
  }

  /** All of it in parts, each in a buffer of its own, which can change hands. Nothing is copied. */
  parts(): Uint8Array<ArrayBuffer>[] {
    let at = 0
    return this.#blocks.map(({ buffer, byteLength }) => {
      const bytes = new Uint8Array(buffer as ArrayBuffer, 0, Math.min(byteLength, this.#length - at))
      at += bytes.length
      return bytes
    })
  }

  /** Forgets all. */
  drop(): void {
    this.#budget?.give(this.#bytes)
    this.#blocks = []
    this.#bytes = 0
    this.#length = 0
  }

  /** Into the last block, which has room for it. */
  #fill(bytes: Buffer, from: number, to: number): void {
    if (from === to) return
    const block = this.#blocks[this.#blocks.length - 1]!
    bytes.copy(block, block.length - (this.#bytes - this.#length), from, to)
    this.#length += to - from
  }
}

/**
 * Bytes that own their buffer.
 *
 * Node cuts small Buffers out of shared slabs of 64 KiB (`Buffer.from`, `Buffer.concat`, `Buffer.allocUnsafe`). A view that is kept
 * holds its whole slab, and a view that is posted to another thread is copied there with its whole slab. Whatever keeps bytes beyond
 * their request, or posts them to another thread, takes `OwnedBytes`. Bounds then count what is held.
 */
declare const OWNED: unique symbol

/** Bytes whose buffer is exactly as large as they are. */
export type OwnedBytes = Uint8Array<ArrayBuffer> & { readonly [OWNED]: true }

/** The same bytes in a buffer of their own. Bytes that own their buffer already are not copied. */
export function ownedBytes(bytes: Uint8Array): OwnedBytes {
  const { buffer, length } = bytes
  const isOwned = buffer instanceof ArrayBuffer && buffer.byteLength === length
  // `slice` of a Buffer is a view, so the method of Uint8Array makes the copy
  return (isOwned ? bytes : Uint8Array.prototype.slice.call(bytes)) as OwnedBytes
}

/** The bytes of a text in UTF-8, in a buffer of their own. */
export function ownedText(text: string): OwnedBytes {
  return ownedBytes(Buffer.from(text))
}
