/**
 * The text of a JSON document as part of a string in another JSON document. `JSON.parse` and `JSON.stringify` do the same
 * in three times the time, because they make objects that nobody looks at.
 */

// Pieces of the grammar of JSON (RFC 8259) for those that look through the bytes of a text, on the path of each request.

/** 1 for what may follow a backslash in a string, besides `u`. */
export const IS_ESCAPE = flags('"\\/bfnrt')
const IS_HEX = flags('0123456789abcdefABCDEF')
const WORDS = ['true', 'false', 'null'].map((word) => Buffer.from(word))

/** A table of all bytes: 1 for these characters of ASCII. */
export function flags(chars: string): Uint8Array {
  const marked = new Uint8Array(256)
  for (const byte of Buffer.from(chars)) marked[byte] = 1
  return marked
}

/** True where four digits follow, as in the escape of a character by its number. */
export function hasHexDigits(bytes: Uint8Array, at: number): boolean {
  for (let index = at; index < at + 4; index++) if (IS_HEX[bytes[index]!] !== 1) return false
  return true
}

/** Index after the number or word that begins at `at`, or -1. */
export function literalEnd(bytes: Uint8Array, at: number): number {
  const first = bytes[at]!
  if (first === 0x2d || isDigit(first)) return numberEnd(bytes, at)
  const word = WORDS.find((one) => one[0] === first)
  if (word === undefined) return -1
  for (let index = 1; index < word.length; index++) if (bytes[at + index] !== word[index]) return -1
  return at + word.length
}

/** Index after the number that begins at `at`, or -1. A byte that cannot follow a number is left to the caller. */
function numberEnd(bytes: Uint8Array, from: number): number {
  let at = bytes[from] === 0x2d ? from + 1 : from
  if (!isDigit(bytes[at]!)) return -1
  // No digit may follow a leading zero
  at = bytes[at] === 0x30 ? at + 1 : digitsEnd(bytes, at)
  if (bytes[at] === 0x2e) {
    if (!isDigit(bytes[at + 1]!)) return -1
    at = digitsEnd(bytes, at + 1)
  }
  if (bytes[at] === 0x65 || bytes[at] === 0x45) {
    at += bytes[at + 1] === 0x2b || bytes[at + 1] === 0x2d ? 2 : 1
    if (!isDigit(bytes[at]!)) return -1
    at = digitsEnd(bytes, at)
  }
  return at
}

function digitsEnd(bytes: Uint8Array, from: number): number {
  let at = from
  while (isDigit(bytes[at]!)) at++
  return at
}

/** False for the `undefined` behind the end of the bytes. */
function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39
}

/** Bytes of a longer document are left to the general way. */
const BYTES_MAX = 65_536
/** Levels of nesting beyond which a document is left to the general way: each level is one bit of an integer. */
const DEPTH_MAX = 29

// What may come next
const VALUE = 0
/** A value, or the end of an array that is empty. */
const ITEM = 1
const NAME = 2
/** A name, or the end of an object that is empty. */
const MEMBER = 3
const COLON = 4
/** A comma, or the end of what is open. */
const END = 5

const TAB = 0x09
const LF = 0x0a
const CR = 0x0d
const SPACE = 0x20
const QUOTE = 0x22
const COMMA = 0x2c
const COLON_SIGN = 0x3a
const BACKSLASH = 0x5c
const OPEN_ARRAY = 0x5b
const CLOSE_ARRAY = 0x5d
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d
const LOWER_U = 0x75

/** White space that has an escape in strings, and the letter of that escape. */
const ESCAPE_OF: ReadonlyMap<number, number> = new Map([
  [TAB, 0x74],
  [LF, 0x6e],
  [CR, 0x72],
])

/** Every byte of a document may need a backslash before it. Made by the first use. */
let scratch: Buffer | null = null

/**
 * What `JSON.stringify` writes between its quotes for the text of `bytes`, which are valid UTF-8. Null for bytes that
 * are no JSON document (RFC 8259), and for a document that is too long or too deep for this way: `JSON.parse` decides
 * about these.
 */
export function quotedJson(bytes: Uint8Array): string | null {
  if (bytes.length > BYTES_MAX) return null
  scratch ??= Buffer.allocUnsafeSlow(2 * BYTES_MAX)
  const length = quote(bytes, scratch)
  return length === -1 ? null : scratch.toString('utf8', 0, length)
}

/** One pass that judges and copies. Returns how many bytes of `out` it has filled, or -1. */
function quote(bytes: Uint8Array, out: Uint8Array): number {
  let to = 0
  let next = VALUE
  // A bit for each open object (1) or array (0), behind a leading 1
  let open = 1
  for (let at = 0; at < bytes.length; ) {
    const byte = bytes[at++]!
    if (byte === QUOTE) {
      if (next <= ITEM) next = END
      else if (next <= MEMBER) next = COLON
      else return -1
      out[to++] = BACKSLASH
      out[to++] = QUOTE
      for (;;) {
        const inside = bytes[at++]!
        if (inside === QUOTE) break
        if (inside === BACKSLASH) {
          const letter = bytes[at++]!
          if (IS_ESCAPE[letter] !== 1 && !(letter === LOWER_U && hasHexDigits(bytes, at))) return -1
          out[to++] = BACKSLASH
          out[to++] = BACKSLASH
          if (letter === QUOTE || letter === BACKSLASH) out[to++] = BACKSLASH
          out[to++] = letter
          // Neither a control character nor, by not being a number, the end of the bytes
        } else if (inside >= SPACE) out[to++] = inside
        else return -1
      }
      out[to++] = BACKSLASH
      out[to++] = QUOTE
    } else if (byte === COMMA) {
      if (next !== END || open === 1) return -1
      next = (open & 1) === 1 ? NAME : VALUE
      out[to++] = byte
    } else if (byte === COLON_SIGN) {
      if (next !== COLON) return -1
      next = VALUE
      out[to++] = byte
    } else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) {
      if (next > ITEM || open >= 1 << DEPTH_MAX) return -1
      open = (open << 1) | (byte === OPEN_OBJECT ? 1 : 0)
      next = byte === OPEN_OBJECT ? MEMBER : ITEM
      out[to++] = byte
    } else if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) {
      const isObject = byte === CLOSE_OBJECT
      if (open === 1 || (open & 1) !== (isObject ? 1 : 0)) return -1
      if (next !== END && next !== (isObject ? MEMBER : ITEM)) return -1
      open >>= 1
      next = END
      out[to++] = byte
    } else if (byte === SPACE) out[to++] = byte
    else if (byte === LF || byte === CR || byte === TAB) {
      out[to++] = BACKSLASH
      out[to++] = ESCAPE_OF.get(byte)!
    } else {
      if (next > ITEM) return -1
      next = END
      const end = literalEnd(bytes, at - 1)
      if (end === -1) return -1
      for (at--; at < end; at++) out[to++] = bytes[at]!
    }
  }
  return next === END && open === 1 ? to : -1
}
