/**
 * One pass over a text for all built-in kinds. It reads words and stops at the few characters that a value can begin with or
 * be found by (`@`, `+`, `://`, five hyphens); only there a recogniser looks closer.
 *
 * 1. A recogniser looks at a bounded number of characters around its place, or the scan goes on behind what it has read: the
 *    time is linear in the text.
 * 2. Whether something is found at a place depends on the place and on the text around it alone, so a scan that was
 *    interrupted between two places goes on with the same result (`window.ts`).
 * 3. A span begins at most `BEHIND_MAX` characters before the place by which it is found.
 */
import { classOf, codeAt, DIGIT, type Found, isDigit, isHex, isWord, LOWER, UPPER, WORD } from './chars.ts'
import { hiddenAt, INVISIBLE } from './injection/hidden.ts'
import { elementLinkAt, markdownLinkAt } from './injection/links.ts'
import {
  hashed,
  LITERAL_BEGINS,
  literalAt,
  markupAt,
  PHRASE_BEGINS,
  phraseAt,
  WORD_MAX,
} from './injection/phrase-match.ts'
import { emailAt } from './pii/email.ts'
import { ipv6At } from './pii/ipv6.ts'
import { codiceFiscaleOf, corsicanNirOf, dniAt, ibanAt, ninoAt } from './pii/lettered-ids.ts'
import { DIGITS_MIN, GAP_MAX, numberFrom, type Thresholds } from './pii/numbers.ts'
import { bracketedAt, internationalAt } from './pii/phone.ts'
import { NAME_ENDS, valueBehind } from './secrets/named.ts'
import { azureSecretAt, connectionPasswordAt, privateKeyAt, TOKEN_BEGINS, tokenAt } from './secrets/tokens.ts'

/** Local parts of e-mail addresses are the longest thing that stands before the place by which it is found. */
export const BEHIND_MAX = 65

/** Which recognisers run: some of the kinds that each finds are wanted. */
export interface Wanted {
  readonly numbers: boolean
  readonly lettered: boolean
  readonly email: boolean
  readonly phone: boolean
  readonly ip: boolean
  readonly tokens: boolean
  readonly named: boolean
  readonly privateKey: boolean
  readonly connection: boolean
  readonly azure: boolean
  readonly phrases: boolean
  readonly hidden: boolean
  readonly links: boolean
  readonly thresholds: Thresholds
}

/** Gives false for what is not wanted after all: the scan then looks at what is within it. */
type Report = (found: Found) => boolean

/** A scan for what is wanted: looks at places from `from` to before `to` of a text and gives the place where to go on. */
export type Scan = (text: string, from: number, to: number, name: string, report: Report) => number

export function scanFor(wanted: Wanted): Scan {
  const filter: Filter = {
    marks: marksOf(marksFor(wanted)),
    digits: wanted.numbers || wanted.lettered || wanted.phone || wanted.ip,
    lettered: wanted.lettered,
    tokens: wanted.tokens,
    phrases: wanted.phrases,
    named: wanted.named,
  }
  return (text, from, to, name, report) => {
    let at = nextStop(text, restOfWord(text, from), to, filter)
    while (at < to) {
      const goOn =
        stopped.end === 0 ? lookAtMark(text, at, wanted, report) : lookAtWord(text, at, name, wanted, report)
      at = nextStop(text, goOn, to, filter)
    }
    return at
  }
}

function marksFor({ email, phone, links, ip, connection, privateKey, phrases, azure }: Wanted): string {
  return [
    email ? '@' : '',
    phone ? '+(' : '',
    links ? '(<' : '',
    ip || connection ? ':' : '',
    privateKey ? '-' : '',
    phrases ? '<[' : '',
    azure ? '~' : '',
  ].join('')
}

/** Looks at a character, and gives the place where to go on. */
function lookAtMark(text: string, at: number, wanted: Wanted, report: Report): number {
  const found = markedBy(codeAt(text, at), text, at, wanted)
  return found !== null && report(found) ? restOfWord(text, Math.max(found.end, at + 1)) : at + 1
}

/** Looks at a word, and gives the place where to go on. */
function lookAtWord(text: string, at: number, name: string, wanted: Wanted, report: Report): number {
  const { end, bits } = stopped
  const found = isDigit(codeAt(text, at))
    ? digitWord(text, at, end, bits, name, wanted)
    : letterWord(text, at, end, bits, wanted)
  const isReported = found !== null && report(found)
  if (wanted.named) {
    const value = valueBehind(text, at, end)
    if (value !== null) report(value)
  }
  return isReported ? restOfWord(text, Math.max(found.end, end)) : end
}

/** What is not of ASCII and begins something: most texts have none of it, which the platform tells far faster than a loop. */
const BEGINS_BEYOND = new RegExp(`[${INVISIBLE}${LITERAL_BEGINS}]`, 'g')

/** The same for what is not of ASCII: hidden text, and phrases of other scripts. Its places are its own. */
export function scanBeyondAscii(wanted: Wanted): Scan | null {
  if (!wanted.hidden && !wanted.phrases) return null
  return (text, from, to, _name, report) => {
    let at = from
    while (at < to) {
      BEGINS_BEYOND.lastIndex = at
      if (!BEGINS_BEYOND.test(text)) return to
      const start = BEGINS_BEYOND.lastIndex - 1
      if (start >= to) return to
      const found = beyondAscii(text, start, wanted)
      at = found !== null && report(found) ? found.end : start + 1
    }
    return at
  }
}

/** A place within a word is none to begin at: the word has begun before it. */
function restOfWord(text: string, from: number): number {
  if (from === 0 || !isWord(codeAt(text, from - 1))) return from
  let at = from
  while (isWord(codeAt(text, at))) at++
  return at
}

function digitWord(
  text: string,
  start: number,
  end: number,
  bits: number,
  name: string,
  wanted: Wanted,
): Found | null {
  const length = end - start
  if ((bits & (LOWER | UPPER)) !== 0) {
    if (!wanted.lettered) return null
    if (length === 9) return dniAt(text, start)
    return length === 15 ? corsicanNirOf(text, start, end) : null
  }
  if (wanted.numbers || wanted.phone || wanted.ip) {
    const found = numberFrom(text, start, name, wanted.thresholds)
    if (found !== null) return found
  }
  return wanted.lettered && length === 8 && codeAt(text, end) === 45 ? dniAt(text, start) : null
}

function letterWord(text: string, start: number, end: number, bits: number, wanted: Wanted): Found | null {
  if (wanted.tokens) {
    const found = tokenAt(text, start)
    if (found !== null) return found
  }
  if (wanted.lettered && (bits & UPPER) !== 0) {
    const found = letteredId(text, start, end, bits)
    if (found !== null) return found
  }
  return wanted.phrases ? phraseAt(text, start, end) : null
}

function letteredId(text: string, start: number, end: number, bits: number): Found | null {
  const length = end - start
  if ((bits & DIGIT) === 0) return length === 2 && codeAt(text, end) === 32 ? ninoAt(text, start) : null
  if (isDigit(codeAt(text, start + 2)) && length > 3) {
    const iban = ibanAt(text, start)
    if (iban !== null) return iban
  }
  if (length === 16) return codiceFiscaleOf(text, start, end)
  return length === 9 ? (ninoAt(text, start) ?? dniAt(text, start)) : null
}

function beyondAscii(text: string, at: number, wanted: Wanted): Found | null {
  const hidden = wanted.hidden ? hiddenAt(text, at) : null
  return hidden ?? (wanted.phrases ? literalAt(text, at) : null)
}

/** What a character tells that is not of a word. */
function markedBy(code: number, text: string, at: number, wanted: Wanted): Found | null {
  switch (code) {
    case 64:
      return emailAt(text, at)
    case 43:
      return isDigit(codeAt(text, at + 1)) ? internationalAt(text, at) : null
    case 40:
      if (isDigit(codeAt(text, at + 1))) return wanted.phone ? bracketedAt(text, at) : null
      return wanted.links ? markdownLinkAt(text, at) : null
    case 58:
      return afterColon(text, at, wanted)
    case 45:
      return codeAt(text, at + 4) === 45 ? privateKeyAt(text, at) : null
    case 126:
      return azureSecretAt(text, at)
    default:
      return bracket(text, at, wanted)
  }
}

function afterColon(text: string, at: number, wanted: Wanted): Found | null {
  if (codeAt(text, at + 1) === 47) return wanted.connection ? connectionPasswordAt(text, at) : null
  return wanted.ip ? ipv6At(text, at) : null
}

function bracket(text: string, at: number, wanted: Wanted): Found | null {
  const markup = wanted.phrases ? markupAt(text, at) : null
  if (markup !== null || codeAt(text, at) === 91) return markup
  return wanted.links ? elementLinkAt(text, at) : null
}

// The loop of the scan: passes over a text and stops where a recogniser has to look. It is a function of its own, without calls of
// recognisers, so that it stays small and is compiled once: most characters are read here alone.

/** What the loop stops for. */
interface Filter {
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
const stopped = {
  /** The place behind the word; 0 at a mark. */
  end: 0,
  /** Classes of its characters. */
  bits: 0,
}

/** Classes of ASCII, with `MARK` for these characters. */
function marksOf(chars: string): Uint8Array {
  const marks = Uint8Array.from({ length: 128 }, (_, code) => classOf(code))
  for (const char of chars) marks[char.charCodeAt(0)] = MARK
  return marks
}

/** The first place from `from` on to stop at, or the place from which to go on, which is `to` or the end of a word that reaches beyond. */
function nextStop(text: string, from: number, to: number, filter: Filter): number {
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
