import type { BuiltInKind, DetectorName } from './settings.ts'

/** Classes of ASCII characters, as bits. */
export const DIGIT = 1
export const LOWER = 2
export const UPPER = 4
const UNDERSCORE = 8
/** A character of a word: letters and digits of ASCII, and `_`. */
export const WORD = DIGIT | LOWER | UPPER | UNDERSCORE

const CLASSES = new Uint8Array(128)
for (let code = 0; code < 128; code++) {
  const char = String.fromCharCode(code)
  if (char >= '0' && char <= '9') CLASSES[code] = DIGIT
  else if (char >= 'a' && char <= 'z') CLASSES[code] = LOWER
  else if (char >= 'A' && char <= 'Z') CLASSES[code] = UPPER
}
CLASSES[95] = UNDERSCORE

/**
 * The UTF-16 code unit at a place, and 0 outside of the text. `charCodeAt` gives NaN there, after which code for whole numbers alone is
 * given up for it: twice the time.
 */
export function codeAt(text: string, at: number): number {
  return at >= 0 && at < text.length ? text.charCodeAt(at) : 0
}

/** The class bits of a UTF-16 code unit; 0 beyond ASCII. */
export function classOf(code: number): number {
  return code < 128 ? CLASSES[code]! : 0
}

export function isDigit(code: number): boolean {
  return code >= 48 && code <= 57
}

export function isWord(code: number): boolean {
  return code < 128 && CLASSES[code] !== 0
}

export function isHex(code: number): boolean {
  return isDigit(code) || (code >= 97 && code <= 102) || (code >= 65 && code <= 70)
}

/** Of base64url, which is also what labels of host names consist of (with `_`). */
export function isBase64Url(code: number): boolean {
  return isWord(code) || code === 45
}

/** The end of the run of characters of a class that begins at `from`, at most `max` characters on. */
export function runEnd(text: string, from: number, isOf: (code: number) => boolean, max: number): number {
  const stop = Math.min(text.length, from + max)
  let at = from
  while (at < stop && isOf(codeAt(text, at))) at++
  return at
}

/** True where a word, or a chain of words joined by `-` or `.`, goes on at this place: what ends here is a part of it. */
export function goesOn(text: string, at: number): boolean {
  const code = codeAt(text, at)
  if (isWord(code)) return true
  return (code === 45 || code === 46) && isWord(codeAt(text, at + 1))
}

/** True where what begins at this place is a part of a word, or of a chain of words joined by `-` or `.`. */
export function isContinued(text: string, at: number): boolean {
  const code = codeAt(text, at - 1)
  if (isWord(code)) return true
  return (code === 45 || code === 46) && isWord(codeAt(text, at - 2))
}

/** A place in a text, as UTF-16 code units from `start` to before `end`. It holds no part of the text. */
export interface Span {
  readonly start: number
  readonly end: number
  readonly detector: DetectorName
  /** A built-in kind, or the name of a pattern. */
  readonly kind: string
  /** From 0 to 1: how sure the detector is. */
  readonly confidence: number
}

/** What a recogniser of a built-in kind found. */
export interface Found {
  readonly start: number
  readonly end: number
  readonly kind: BuiltInKind
  readonly confidence: number
}
