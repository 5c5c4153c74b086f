/** Longer sections are read anew each time. */
const BYTES_MAX = 4096

/**
 * The field section of an earlier message of the same connection: most peers send the same fields again and again,
 * and to compare bytes is much cheaper than to read them. A section that is never repeated costs little: it is kept
 * after 1, 2, 4, 8... sections in a row that were others.
 */
export class KnownFields<Section> {
  #bytes: DataView | null = null
  #section: Section | null = null
  #misses = 0

  /** What the section in `bytes[from, end)` says, or null when it is not the known one. */
  find(bytes: Buffer, from: number, end: number): Section | null {
    const known = this.#bytes
    if (known !== null && known.byteLength === end - from && isSame(known, viewOf(bytes), from)) {
      this.#misses = 0
      return this.#section
    }
    this.#misses++
    return null
  }

  /** Remembers a section that was not found and has no fault. */
  learn(bytes: Buffer, from: number, end: number, section: Section): void {
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

let viewed: Buffer | null = null
let view = new DataView(new ArrayBuffer(0))

/** Most sections stand in the one buffer that all sockets of a thread are read into. */
function viewOf(bytes: Buffer): DataView {
  if (viewed !== bytes) {
    // No socket is read into shared memory
    view = new DataView(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength)
    viewed = bytes
  }
  return view
}
