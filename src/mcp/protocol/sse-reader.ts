/**
 * Reads server-sent events (WHATWG HTML 9.2.5 and 9.2.6) from bytes that arrive in pieces. Invariants:
 * 1. The same bytes give the same events however they are cut.
 * 2. Memory for one event is bounded and counted in the budget: the incomplete line, the data, and an overhead for each data line.
 *    Comments take no memory, so that a stream may be kept alive for hours. The names that outlive a line are short.
 */
import { type ByteBudget, ByteBuffer } from '../../base/memory/bytes.ts'
import type { McpAnswer, Outlet } from './answer.ts'

/** One event. */
export interface ServerSentEvent {
  /** Type; `message` if the stream names none. */
  readonly event: string
  /** Data lines, joined by LF. */
  readonly data: string
  /** Last event ID of the stream: events without `id` keep the previous one; empty for none. */
  readonly id: string
  /** Last reconnection time of the stream, milliseconds; null for none. */
  readonly retry: number | null
}

export interface SseReaderOptions {
  /** Largest event: bytes of its lines, plus {@link LINE_BYTES} for each line. */
  readonly eventBytesMax: number
  /** Counts the bytes of an event that has come in part; null to count them nowhere. */
  readonly budget: ByteBudget | null
}

/** Overhead of a line, bytes. */
const LINE_BYTES = 32
/** Longest type and id of an event that are kept. A longer id cannot be sent back in a header, and counts as none. */
const NAME_CHARS_MAX = 8192
const LF = 0x0a
const CR = 0x0d
const COLON = 0x3a
const SPACE = 0x20
const BOM = Buffer.from([0xef, 0xbb, 0xbf])
const DIGITS = /^[0-9]+$/

/** Reads one stream. */
export class SseReader {
  /** Last event ID, also from a block without data; empty for none. */
  lastId = ''
  /** Last reconnection time, milliseconds; null for none. */
  retry: number | null = null
  readonly #max: number
  readonly #budget: ByteBudget | null
  readonly #onEvent: (event: ServerSentEvent) => void
  /** The incomplete line. */
  readonly #line: ByteBuffer
  #isComment = false
  /** The last byte was CR: a following LF belongs to the same line end. */
  #skipsLf = false
  /** Bytes of the byte order mark that were read; its full length once the first line has begun. */
  #mark = 0
  #event = ''
  #data: string | null = null
  #id = ''
  /** Bytes of the data lines of the event in progress, with their overhead. */
  #bytes = 0
  #isClosed = false

  constructor({ eventBytesMax, budget }: SseReaderOptions, onEvent: (event: ServerSentEvent) => void) {
    this.#max = eventBytesMax
    this.#budget = budget
    this.#onEvent = onEvent
    this.#line = new ByteBuffer(budget)
  }

  /** Reads `bytes[from, to)`, which may change afterwards. False once an event was too long, or after {@link close}. */
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
      // Most streams have no CR, so that one search serves all lines of a piece
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

  /** Stops reading, drops an incomplete event and gives back counted bytes. May be called inside `onEvent`. */
  close(): void {
    this.#line.drop()
    this.#dropData()
    this.#isClosed = true
  }

  /** Skips a byte order mark. Returns the index where the first line begins. */
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

  /** Completes a line whose last part is `bytes[from, to)`. */
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
        const bytes = line.length + LINE_BYTES
        if (this.#budget?.take(bytes) === false) {
          this.close()
          return
        }
        this.#bytes += bytes
        this.#data = this.#data === null ? value : `${this.#data}\n${value}`
        break
      }
      case 'event':
        this.#event = line.toString('utf8', start, start + NAME_CHARS_MAX)
        break
      case 'id': {
        const id = line.toString('utf8', start)
        if (!id.includes('\0')) this.#id = id.length > NAME_CHARS_MAX ? '' : id
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
    this.#dropData()
    this.#event = ''
    if (data !== null) this.#onEvent({ event, data, id: this.lastId, retry: this.retry })
  }

  #dropData(): void {
    this.#data = null
    this.#budget?.give(this.#bytes)
    this.#bytes = 0
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

// Writes a response as a stream of events (2025-11-25, transports: sending messages).

/** An answer that is told in events (2025-11-25, transports: sending messages). */
export interface EventStream {
  readonly answer: McpAnswer
  /** @param message text of JSON, which holds no line breaks. */
  message(message: string): void
  /** Shows whatever is in between that the answer goes on. */
  keepAlive(): void
  end(): void
}

/** An answer whose text is that of an event stream. */
export interface EventText {
  readonly answer: McpAnswer
  write(text: string): void
  end(): void
}

/** What {@link EventStream.keepAlive} writes: a comment. */
export const WAITING = ': waiting\n\n'

const HEADERS: Readonly<Record<string, string>> = Object.freeze({
  'content-type': 'text/event-stream',
  'cache-control': 'no-store',
  // Proxies that gather answers would keep the question from the person
  'x-accel-buffering': 'no',
})

const NOWHERE: Outlet = { write() {}, end() {} }

/** @param left told when the reader has left before the end. Events after that are dropped. */
export function openEventText(left: () => void): EventText {
  let outlet: Outlet | null = null
  /** Said before somebody takes it. */
  let kept = ''
  let isEnded = false
  return {
    answer: {
      status: 200,
      headers: HEADERS,
      body: '',
      pieces(given) {
        outlet = given
        given.write(kept)
        if (isEnded) given.end()
        return () => {
          outlet = NOWHERE
          if (!isEnded) left()
        }
      },
    },
    write(text) {
      if (outlet === null) kept += text
      else outlet.write(text)
    },
    end() {
      if (isEnded) return
      isEnded = true
      outlet?.end()
    },
  }
}

/** A stream which no later request takes up again. @param left as of {@link openEventText} */
export function openEventStream(left: () => void): EventStream {
  const { answer, write, end } = openEventText(left)
  return {
    answer,
    message: (message) => write(`event: message\ndata: ${message}\n\n`),
    keepAlive: () => write(WAITING),
    end,
  }
}
