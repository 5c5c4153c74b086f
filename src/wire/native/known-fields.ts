import type { FieldSection } from './field-section.ts'

/** Longer sections are read anew each time. */
const BYTES_MAX = 4096

/**
 * The field section of an earlier request of the same connection: most callers send the same fields again and again,
 * and to compare bytes is much cheaper than to read them. A section that is never repeated costs little: it is kept
 * after 1, 2, 4, 8... sections in a row that were others.
 */
export class KnownFields {
  #bytes: DataView | null = null
  #section: FieldSection | null = null
  #misses = 0

  /** What the section in `view[from, end)` says, or null when it is not the known one. */
  find(view: DataView, from: number, end: number): FieldSection | null {
    const known = this.#bytes
    if (known !== null && known.byteLength === end - from && isSame(known, view, from)) {
      this.#misses = 0
      return this.#section
    }
    this.#misses++
    return null
  }

  /** Remembers a section that was not found and has no fault. */
  learn(bytes: Buffer, from: number, end: number, section: FieldSection): void {
    const length = end - from
    if ((this.#misses & (this.#misses - 1)) !== 0 || length < WORD || length > BYTES_MAX) return
    const copy = new Uint8Array(length)
    copy.set(bytes.subarray(from, end))
    this.#bytes = new DataView(copy.buffer)
    this.#section = section
  }
}

/** Bytes that are compared at once. */
const WORD = 4

/** Whether all of `known`, a word at least, stands in `view` at `from`. */
function isSame(known: DataView, view: DataView, from: number): boolean {
  const last = known.byteLength - WORD
  for (let at = 0; at < last; at += WORD) if (known.getInt32(at) !== view.getInt32(from + at)) return false
  // The words before may overlap with this one
  return known.getInt32(last) === view.getInt32(from + last)
}
