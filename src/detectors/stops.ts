/**
 * The loop of the scan: passes over a text and stops where a recogniser has to look. It is a function of its own, without calls of
 * recognisers, so that it stays small and is compiled once: most characters are read here alone.
 */
import { classOf, DIGIT, isHex, LOWER, UPPER, WORD } from './chars.ts'
import { hashed, PHRASE_BEGINS, WORD_MAX } from './injection/phrase-match.ts'
import { DIGITS_MIN, GAP_MAX } from './pii/numbers.ts'
import { NAME_ENDS } from './secrets/named.ts'
import { TOKEN_BEGINS } from './secrets/tokens.ts'

/** What the loop stops for. */
export interface Filter {
  /** For each character of ASCII its class, or `MARK` for one to stop at. */
  readonly marks: Uint8Array
  readonly digits: boolean
  readonly lettered: boolean
  readonly tokens: boolean
  readonly phrases: boolean
  readonly named: boolean
}

/** Class of characters to stop at, other than those of words. */
const MARK = 64

/** The word at which the loop stopped. Threads share no module, and nothing waits between writing and reading. */
export const stopped = {
  /** The place behind the word; 0 at a mark. */
  end: 0,
  /** Classes of its characters. */
  bits: 0,
}

/** Classes of ASCII, with `MARK` for these characters. */
export function marksOf(chars: string): Uint8Array {
  const marks = Uint8Array.from({ length: 128 }, (_, code) => classOf(code))
  for (const char of chars) marks[char.charCodeAt(0)] = MARK
  return marks
}

/** The first place from `from` on to stop at, or the place from which to go on, which is `to` or the end of a word that reaches beyond. */
export function nextStop(text: string, from: number, to: number, filter: Filter): number {
  const { marks, digits, lettered, tokens, phrases, named } = filter
  const length = text.length
  let at = from
  while (at < to) {
    const code = text.charCodeAt(at)
    const first = code > 127 ? 0 : marks[code]!
    if (first === 0) {
      at++
      continue
    }
    if (first === MARK) {
      if (isIdle(code, text, at, length)) {
        at++
        continue
      }
      stopped.end = 0
      return at
    }
    let bits = first
    let hash = hashed(0, code)
    let last = code
    let beforeLast = 0
    let next = 0
    let end = at + 1
    for (; end < length; end++) {
      next = text.charCodeAt(end)
      const bit = next < 128 ? marks[next]! & WORD : 0
      if (bit === 0) break
      bits |= bit
      hash = hashed(hash, next)
      beforeLast = last
      last = next
    }
    if (end === length) next = 0
    const size = end - at
    let isStop = false
    if ((first & DIGIT) !== 0) {
      isStop = digits && (size >= DIGITS_MIN || (isSeparator(next) && isDigitBehind(text, end)))
    } else if (size > 1) {
      // Of lower case alone, a mark has something behind it: sk-, hvs.
      if (tokens && (bits !== LOWER || next === 45 || next === 46))
        isStop = TOKEN_BEGINS[code * 128 + text.charCodeAt(at + 1)] === 1
      if (lettered && (bits & UPPER) !== 0)
        isStop ||=
          (bits & DIGIT) === 0
            ? size === 2 && next === 32
            : size === 9 || isDigitAt(text, at + 2) || size === 16
      isStop ||= phrases && size <= WORD_MAX && PHRASE_BEGINS[hash & (PHRASE_BEGINS.length - 1)] === 1
    }
    if (isStop || (named && NAME_ENDS[(beforeLast & 31) * 32 + (last & 31)] === 1 && isAssigned(next))) {
      stopped.end = end
      stopped.bits = bits
      return at
    }
    at = end
  }
  return at
}

/** True for a hyphen and a colon at which nothing begins: these stand everywhere in JSON. */
function isIdle(code: number, text: string, at: number, length: number): boolean {
  if (code !== 45 && code !== 58) return false
  if (at + 1 >= length) return true
  const next = text.charCodeAt(at + 1)
  if (code === 45) return next !== 45
  // A slash of `://`, or a digit or a colon of an address
  return next !== 47 && next !== 58 && !isHex(next)
}

/** What may stand between groups of digits: a space, a no-break space, `-`, `.`, `/`. */
function isSeparator(code: number): boolean {
  return code === 32 || (code >= 45 && code <= 47) || code === 160
}

/** True where a digit follows at most three separators, of which the first stands at `from`. */
function isDigitBehind(text: string, from: number): boolean {
  if (isDigitAt(text, from + 1)) return true
  for (let at = from + 1; at - from < GAP_MAX && at < text.length; at++) {
    if (!isSeparator(text.charCodeAt(at))) return false
    if (isDigitAt(text, at + 1)) return true
  }
  return false
}

function isDigitAt(text: string, at: number): boolean {
  if (at >= text.length) return false
  const code = text.charCodeAt(at)
  return code >= 48 && code <= 57
}

/** A colon or an equals sign, or what may stand between a name and these. */
function isAssigned(code: number): boolean {
  return code === 58 || code === 61 || code === 34 || code === 32 || code === 39 || code === 92 || code === 96
}
