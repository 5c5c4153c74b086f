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
import { codeAt, DIGIT, isDigit, isWord, LOWER, UPPER } from './chars.ts'
import { hiddenAt, INVISIBLE } from './injection/hidden.ts'
import { elementLinkAt, markdownLinkAt } from './injection/links.ts'
import { LITERAL_BEGINS, literalAt, markupAt, phraseAt } from './injection/phrase-match.ts'
import { emailAt } from './pii/email.ts'
import { ipv6At } from './pii/ipv6.ts'
import { codiceFiscaleOf, corsicanNirOf, dniAt, ibanAt, ninoAt } from './pii/lettered-ids.ts'
import { numberFrom, type Thresholds } from './pii/numbers.ts'
import { bracketedAt, internationalAt } from './pii/phone.ts'
import { connectionPasswordAt } from './secrets/connection.ts'
import { valueBehind } from './secrets/named.ts'
import { privateKeyAt } from './secrets/private-key.ts'
import { azureSecretAt, tokenAt } from './secrets/tokens.ts'
import type { Found } from './span.ts'
import { type Filter, marksOf, nextStop, stopped } from './stops.ts'

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
