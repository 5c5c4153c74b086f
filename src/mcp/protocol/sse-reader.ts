/**
 * Reads server-sent events (WHATWG HTML 9.2.5 and 9.2.6) from bytes that arrive in pieces. Invariants:
 * 1. The same bytes give the same events however they are cut.
 * 2. What is kept of an event in progress has a bound: the line that is not complete, its data, and a count for each of
 *    its lines. Comments cost nothing, so that a stream may be kept alive for hours.
 */
import { type ByteBudget, ByteBuffer } from '../../base/byte-buffer.ts'

/** One event. */
export interface ServerSentEvent {
  /** Its type; `message` where it names none. */
  readonly event: string
  /** Its data lines, with LF between them. */
  readonly data: string
  /** The last event id of the stream, which events without an id keep; empty for none. */
  readonly id: string
  /** Reconnection time that the stream has named last, milliseconds; null for none. */
  readonly retry: number | null
}

export interface SseReaderOptions {
  /** Bytes of one event, each of its lines counted with {@link LINE_BYTES} more. */
  readonly eventBytesMax: number
  /** Where the bytes of a line that is not complete are counted; null for what is bounded otherwise. */
  readonly budget: ByteBudget | null
}

/** What a line costs beside its bytes. */
const LINE_BYTES = 32
const LF = 0x0a
const CR = 0x0d
const COLON = 0x3a
const SPACE = 0x20
const BOM = Buffer.from([0xef, 0xbb, 0xbf])
const DIGITS = /^[0-9]+$/

/** Reads one stream. */
export class SseReader {
  /** The last event id, also of a block without data; empty for none. */
  lastId = ''
  /** Reconnection time that was named last, milliseconds; null for none. */
  retry: number | null = null
  readonly #max: number
  readonly #onEvent: (event: ServerSentEvent) => void
  /** The beginning of a line whose end has not come. */
  readonly #line: ByteBuffer
  #isComment = false
  /** The last byte was CR: an LF belongs to it. */
  #skipsLf = false
  /** Bytes of a byte order mark that have come; its length once the stream has begun. */
  #mark = 0
  #event = ''
  #data: string | null = null
  #id = ''
  /** Bytes of the event in progress. */
  #bytes = 0
  #isClosed = false

  constructor({ eventBytesMax, budget }: SseReaderOptions, onEvent: (event: ServerSentEvent) => void) {
    this.#max = eventBytesMax
    this.#onEvent = onEvent
    this.#line = new ByteBuffer(budget)
  }

  /** Reads `bytes[from, to)`, which may change afterwards. False when an event is too long; then nothing more is read. */
  add(bytes: Buffer, from = 0, to = bytes.length): boolean {
    const piece = bytes.subarray(from, to)
    const { length } = piece
    let at = this.#begin(piece)
    let cr = -1
    while (at < length && !this.#isClosed) {
      const isLf = piece[at] === LF
      if (this.#skipsLf && isLf) at++
      this.#skipsLf = false
      const lf = indexOf(piece, LF, at)
      // Most streams have none: looked for once for all lines of a piece
      if (cr < at) cr = indexOf(piece, CR, at)
      const end = Math.min(lf, cr)
      if (end === length) {
        this.#keep(piece, at, length)
        break
      }
      this.#ended(piece, at, end)
      this.#skipsLf = end === cr
      at = end + 1
    }
    return !this.#isClosed
  }

  /** Reads no more, and gives back what is counted; may be called for an event. An event that is not complete is none. */
  close(): void {
    this.#line.drop()
    this.#data = null
    this.#isClosed = true
  }

  /** Leaves out a byte order mark; gives where the first line begins. */
  #begin(bytes: Buffer): number {
    let at = 0
    while (this.#mark < BOM.length && at < bytes.length) {
      if (bytes[at] === BOM[this.#mark]) {
        at++
        this.#mark++
      } else {
        this.#keep(BOM, 0, this.#mark)
        this.#mark = BOM.length
      }
    }
    return at
  }

  /** Keeps the beginning of a line. */
  #keep(bytes: Buffer, from: number, to: number): void {
    if (from === to || this.#isComment) return
    if (this.#line.length === 0 && bytes[from] === COLON) {
      this.#isComment = true
      return
    }
    if (!this.#fits(this.#line.length + to - from) || !this.#line.add(bytes, from, to)) this.close()
  }

  /** A line is complete; `bytes[from, to)` is the last part of it. */
  #ended(bytes: Buffer, from: number, to: number): void {
    const isComment = this.#isComment
    this.#isComment = false
    if (isComment) return
    if (this.#line.length === 0) {
      if (from === to) this.#dispatch()
      else if (bytes[from] !== COLON) this.#field(bytes.subarray(from, to))
      return
    }
    this.#keep(bytes, from, to)
    if (this.#isClosed) return
    const line = this.#line.whole()
    this.#line.drop()
    this.#field(line)
  }

  #field(line: Buffer): void {
    if (!this.#fits(line.length)) {
      this.close()
      return
    }
    const colon = indexOf(line, COLON, 0)
    const start = line[colon + 1] === SPACE ? colon + 2 : colon + 1
    switch (line.toString('latin1', 0, colon)) {
      case 'data': {
        const value = line.toString('utf8', start)
        this.#bytes += line.length + LINE_BYTES
        this.#data = this.#data === null ? value : `${this.#data}\n${value}`
        break
      }
      case 'event':
        this.#event = line.toString('utf8', start)
        break
      case 'id': {
        const id = line.toString('utf8', start)
        if (!id.includes('\0')) this.#id = id
        break
      }
      case 'retry': {
        const digits = line.toString('latin1', start)
        if (DIGITS.test(digits)) this.retry = Math.min(Number(digits), Number.MAX_SAFE_INTEGER)
      }
    }
  }

  #dispatch(): void {
    const data = this.#data
    const event = this.#event || 'message'
    this.lastId = this.#id
    this.#data = null
    this.#event = ''
    this.#bytes = 0
    if (data !== null) this.#onEvent({ event, data, id: this.lastId, retry: this.retry })
  }

  #fits(more: number): boolean {
    return this.#bytes + more + LINE_BYTES <= this.#max
  }
}

/** Index of a byte from `from` on, or the length. */
function indexOf(bytes: Buffer, byte: number, from: number): number {
  const at = bytes.indexOf(byte, from)
  return at < 0 ? bytes.length : at
}
