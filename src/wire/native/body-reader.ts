import { CR, EXTENSION_BYTES_MAX, HEX, isToken, LF, TOKEN, TRAILER_BYTES_MAX, VALUE } from './grammar.ts'

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

const SIZE = 0
const EXTENSION_NAME = 1
const EXTENSION_VALUE = 2
const QUOTED = 3
const QUOTED_PAIR = 4
const AFTER_QUOTED = 5
const SIZE_LF = 6
const DATA = 7
const DATA_CR = 8
const DATA_LF = 9
const TRAILER_START = 10
const TRAILER_LINE = 11
const TRAILER_LF = 12
const END_LF = 13

const SEMICOLON = 0x3b
const EQUALS = 0x3d
const QUOTE = 0x22
const BACKSLASH = 0x5c

/** Twelve digits are 2^48 bytes: more is no body but an attempt to overflow. */
const SIZE_DIGITS_MAX = 12

/** Fields that must not stand in a trailer section (RFC 9110 6.5.1): framing, routing, identity. */
const TRAILER_FORBIDDEN =
  /^(?:content-length|transfer-encoding|host|connection|te|trailer|expect|upgrade|authorization|cookie|set-cookie|content-encoding|content-type|content-range)$/i

/**
 * Decodes a chunked body (RFC 9112 7.1), strictly: CRLF only, no space around the size, extensions by their grammar
 * and dropped, trailers checked and dropped. The same bytes give the same result however they are cut.
 */
export class ChunkedDecoder {
  /** Data of the last call: `[from, to)` of its bytes. */
  from = 0
  to = 0
  /** Index after what the last call read; short of the end only when the body is complete. */
  next = 0
  done = false
  #state = SIZE
  #size = 0
  #digits = 0
  /** Bytes of extensions and trailers so far. */
  #extra = 0
  /** Nothing of the extension's name or value was read yet. */
  #isEmpty = true
  #trailer = ''

  reset(): void {
    this.done = false
    this.#state = SIZE
    this.#size = 0
    this.#digits = 0
    this.#extra = 0
    this.#trailer = ''
  }

  /** Reads `bytes[at, end)`; data of several chunks is moved together in place. False on a fault. */
  read(bytes: Buffer, at: number, end: number): boolean {
    this.from = at
    this.to = at
    while (at < end) {
      if (this.#state === DATA) {
        const take = Math.min(this.#size, end - at)
        if (this.to === this.from) {
          this.from = at
          this.to = at + take
        } else {
          bytes.copyWithin(this.to, at, at + take)
          this.to += take
        }
        at += take
        this.#size -= take
        if (this.#size === 0) this.#state = DATA_CR
      } else if (!this.#step(bytes[at++]!)) return false
      else if (this.done) break
    }
    this.next = at
    return true
  }

  /** One byte that is no data. */
  #step(byte: number): boolean {
    switch (this.#state) {
      case SIZE:
        return this.#sizeByte(byte)
      case SIZE_LF:
        if (byte !== LF) return false
        this.#digits = 0
        this.#state = this.#size === 0 ? TRAILER_START : DATA
        return true
      case DATA_CR:
        this.#state = DATA_LF
        return byte === CR
      case DATA_LF:
        this.#state = SIZE
        return byte === LF
      case TRAILER_START:
        if (byte === CR) {
          this.#state = END_LF
          return true
        }
        this.#state = TRAILER_LINE
        return this.#trailerByte(byte)
      case TRAILER_LINE:
        return this.#trailerByte(byte)
      case TRAILER_LF:
        this.#state = TRAILER_START
        return byte === LF && this.#endTrailer()
      case END_LF:
        this.done = byte === LF
        return this.done
      default:
        return ++this.#extra <= EXTENSION_BYTES_MAX && this.#extensionByte(byte)
    }
  }

  #sizeByte(byte: number): boolean {
    const digit = HEX[byte]!
    if (digit !== 255) {
      this.#size = this.#size * 16 + digit
      return ++this.#digits <= SIZE_DIGITS_MAX
    }
    if (this.#digits === 0) return false
    return this.#endOfSize(byte)
  }

  #endOfSize(byte: number): boolean {
    if (byte === CR) this.#state = SIZE_LF
    else if (byte === SEMICOLON) {
      this.#state = EXTENSION_NAME
      this.#isEmpty = true
    } else return false
    return true
  }

  /** `;name`, `;name=token`, `;name="text"`, without the spaces that RFC 9112 calls bad. */
  #extensionByte(byte: number): boolean {
    switch (this.#state) {
      case EXTENSION_NAME:
      case EXTENSION_VALUE:
        if (TOKEN[byte] !== 0) {
          this.#isEmpty = false
          return true
        }
        if (byte === QUOTE && this.#state === EXTENSION_VALUE && this.#isEmpty) {
          this.#state = QUOTED
          return true
        }
        if (this.#isEmpty) return false
        if (byte === EQUALS && this.#state === EXTENSION_NAME) {
          this.#state = EXTENSION_VALUE
          this.#isEmpty = true
          return true
        }
        return this.#endOfSize(byte)
      case QUOTED:
        if (byte === QUOTE) this.#state = AFTER_QUOTED
        else if (byte === BACKSLASH) this.#state = QUOTED_PAIR
        return VALUE[byte] === 1
      case QUOTED_PAIR:
        this.#state = QUOTED
        return VALUE[byte] === 1
      default:
        return this.#endOfSize(byte)
    }
  }

  #trailerByte(byte: number): boolean {
    if (byte === CR) {
      this.#state = TRAILER_LF
      return true
    }
    this.#trailer += String.fromCharCode(byte)
    return VALUE[byte] === 1 && ++this.#extra <= TRAILER_BYTES_MAX
  }

  #endTrailer(): boolean {
    const name = this.#trailer.slice(0, Math.max(0, this.#trailer.indexOf(':')))
    this.#trailer = ''
    return isTrailerName(name)
  }
}

/** Whether a field of this name may stand in a trailer section. */
export function isTrailerName(name: string): boolean {
  return isToken(name) && !TRAILER_FORBIDDEN.test(name)
}
