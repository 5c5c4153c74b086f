/**
 * Byte classes of RFC 9110 and 9112 as accept-lists: a byte without an entry is refused. Tables, because they are
 * looked up for every byte of every head.
 */
export const HTAB = 9
export const LF = 10
export const CR = 13
export const SP = 32
export const COLON = 58

/**
 * Where the empty line that ends a head begins in `bytes[from, end)`, its first CRLF being that of the line before; or
 * -1. Looks at every fourth byte where it is none of the two, which takes a third of the time of `indexOf`.
 */
export function headEnd(bytes: Uint8Array, from: number, end: number): number {
  let at = from + 3
  while (at < end) {
    const byte = bytes[at]!
    if (byte === LF) {
      if (bytes[at - 1] === CR && bytes[at - 2] === LF && bytes[at - 3] === CR) return at - 3
      at += 2
    } else at += byte === CR ? 1 : 4
  }
  return -1
}

const ALPHANUMERIC = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'

function classOf(entries: Readonly<Record<string, number>>): Uint8Array {
  const table = new Uint8Array(256)
  for (const [chars, value] of Object.entries(entries))
    for (const char of chars) table[char.charCodeAt(0)] = value
  return table
}

/** Token characters (RFC 9110 5.6.2): 1 letters, digits and `-`; 2 the others, which some servers map to `_`. */
export const TOKEN = classOf({ [`${ALPHANUMERIC}-`]: 1, "!#$%&'*+.^_`|~": 2 })

/** 1 for bytes of a field value (RFC 9110 5.5): HTAB, SP, VCHAR, obs-text. No CR, LF, NUL or other controls. */
export const VALUE = new Uint8Array(256).map((_, byte) =>
  byte === HTAB || (byte >= SP && byte !== 127) ? 1 : 0,
)

/** 1 for letters of a method. Methods are case-sensitive, and every registered one is written so. */
export const METHOD = classOf({ 'ABCDEFGHIJKLMNOPQRSTUVWXYZ-': 1 })

/** 1 for visible ASCII: what may stand in a target at all. */
export const VISIBLE = new Uint8Array(256).map((_, byte) => (byte > SP && byte < 127 ? 1 : 0))

/** ASCII upper case to lower case, everything else as it is. */
export const LOWER = new Uint8Array(256).map((_, byte) => (byte >= 65 && byte <= 90 ? byte + 32 : byte))

/** Value of a hexadecimal digit, 255 for any other byte. */
export const HEX = new Uint8Array(256).map((_, byte) => {
  const digit = Number.parseInt(String.fromCharCode(byte), 16)
  return Number.isNaN(digit) ? 255 : digit
})

const TOKEN_TEXT = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/

/** True when the text is a token. */
export function isToken(text: string): boolean {
  return TOKEN_TEXT.test(text)
}

/** Length of a Content-Length value (RFC 9110 8.6), or -1. Digits only, at most 15: no sign, list, space or overflow. */
export function lengthOf(value: string): number {
  if (value.length === 0 || value.length > 15) return -1
  let length = 0
  for (let i = 0; i < value.length; i++) {
    const digit = value.charCodeAt(i) - 48
    if (digit < 0 || digit > 9) return -1
    length = length * 10 + digit
  }
  return length
}
