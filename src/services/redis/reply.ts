/** The protocol of Redis, version 2 (RESP2): https://redis.io/docs/latest/develop/reference/protocol-spec/ */
import { ServiceFailure, tooLong } from '../socket.ts'

/** An error that Redis answers. Its text may repeat what was asked, so it is kept by its first word alone. */
export class RedisError {
  readonly code: string
  constructor(code: string) {
    this.code = code
  }
}

/** Null is a value that is not there. An integer beyond 2^53 is text. */
export type Reply = string | number | null | Buffer | RedisError | readonly Reply[]

const LEVELS_MAX = 8
/** Values in one reply. */
const VALUES_MAX = 100_000
/** Bytes of a line: a type, a number or a message. */
const LINE_BYTES_MAX = 64 * 1024
const CR = 0x0d
const LF = 0x0a

/** A list that is being read. */
interface Open {
  readonly values: Reply[]
  left: number
}

/** Reads one reply after another from pieces in which they come. Bounded in bytes, values and depth. */
export class ReplyReader {
  readonly #bytesMax: number
  #pieces: Buffer[] = []
  #size = 0
  /** Bytes without which nothing more can be read. */
  #needed = 1
  #lists: Open[] = []
  #values = 0
  /** Of the reply that is being read. */
  #bytes = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  /**
   * Takes a piece; gives the reply that it completes, if it does.
   * @throws ServiceFailure for what is no reply, one that is too long, and bytes after its end: a server answers what it was asked
   */
  take(piece: Buffer): Reply | undefined {
    this.#bytes += piece.length
    if (this.#bytes > this.#bytesMax) throw tooLong(this.#bytesMax)
    this.#pieces.push(piece)
    this.#size += piece.length
    if (this.#size < this.#needed) return undefined
    const bytes = this.#pieces.length === 1 ? piece : Buffer.concat(this.#pieces, this.#size)
    let at = 0
    for (;;) {
      const read = this.#read(bytes, at)
      if (read === null) break
      at = read.end
      const reply = this.#place(read.value)
      if (reply === undefined) continue
      if (at < bytes.length) throw malformed()
      this.#pieces = []
      this.#size = 0
      this.#needed = 1
      this.#values = 0
      this.#bytes = 0
      return reply
    }
    this.#pieces = at === bytes.length ? [] : [bytes.subarray(at)]
    this.#size = bytes.length - at
    return undefined
  }

  /** One value, or the beginning of a list; null where bytes are missing. */
  #read(bytes: Buffer, from: number): { readonly end: number; readonly value: Reply | Open } | null {
    const line = bytes.indexOf(CR, from)
    if (line === -1 || line + 1 >= bytes.length) {
      if (bytes.length - from > LINE_BYTES_MAX) throw malformed()
      this.#needed = bytes.length - from + 1
      return null
    }
    if (bytes[line + 1] !== LF || line === from) throw malformed()
    const text = bytes.toString('utf8', from + 1, line)
    const end = line + 2
    if (++this.#values > VALUES_MAX)
      throw new ServiceFailure('size', `the answer has more than ${VALUES_MAX} values`)
    switch (bytes[from]) {
      case 0x2b: // +
        return { end, value: text }
      case 0x2d: // -
        return { end, value: new RedisError(/^[A-Z][A-Z0-9_]{0,31}(?= |$)/.exec(text)?.[0] ?? 'ERR') }
      case 0x3a: // :
        return { end, value: integerOf(text) }
      case 0x24: {
        // $
        const length = lengthOf(text)
        if (length === -1) return { end, value: null }
        if (length > this.#bytesMax) throw tooLong(this.#bytesMax)
        const after = end + length
        if (bytes.length < after + 2) {
          this.#needed = after + 2 - from
          // The line is read again
          this.#values--
          return null
        }
        if (bytes[after] !== CR || bytes[after + 1] !== LF) throw malformed()
        return { end: after + 2, value: bytes.subarray(end, after) }
      }
      case 0x2a: {
        // *
        const length = lengthOf(text)
        if (length === -1) return { end, value: null }
        if (this.#lists.length >= LEVELS_MAX || length > VALUES_MAX) throw malformed()
        return { end, value: { values: [], left: length } }
      }
      default:
        throw malformed()
    }
  }

  /** Puts a value where it belongs. Gives the reply once it is whole. */
  #place(value: Reply | Open): Reply | undefined {
    let whole: Reply
    if (isOpen(value)) {
      if (value.left > 0) {
        this.#lists.push(value)
        return undefined
      }
      whole = value.values
    } else whole = value
    for (let list = this.#lists.at(-1); list !== undefined; list = this.#lists.at(-1)) {
      list.values.push(whole)
      if (--list.left > 0) return undefined
      this.#lists.pop()
      whole = list.values
    }
    return whole
  }
}

function isOpen(value: Reply | Open): value is Open {
  return typeof value === 'object' && value !== null && 'left' in value
}

function lengthOf(text: string): number {
  if (text === '-1') return -1
  if (!/^(0|[1-9][0-9]{0,9})$/.test(text)) throw malformed()
  return Number(text)
}

function integerOf(text: string): number | string {
  if (!/^-?[0-9]{1,20}$/.test(text)) throw malformed()
  const number = Number(text)
  return Number.isSafeInteger(number) ? number : text
}

function malformed(): ServiceFailure {
  return new ServiceFailure('connect', 'the server does not speak the protocol of Redis')
}

/** A command as it is sent: a list of bulk strings. */
export function commandBytes(words: readonly (string | Uint8Array)[]): Buffer {
  const pieces: (string | Uint8Array)[] = [`*${words.length}\r\n`]
  for (const word of words) {
    const length = typeof word === 'string' ? Buffer.byteLength(word) : word.length
    pieces.push(`$${length}\r\n`, word, '\r\n')
  }
  return Buffer.concat(pieces.map((piece) => (typeof piece === 'string' ? Buffer.from(piece) : piece)))
}
