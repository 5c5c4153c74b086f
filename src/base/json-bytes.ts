/** Pieces of the grammar of JSON (RFC 8259) for those that look through the bytes of a text, on the path of each request. */

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
