/** Phone numbers: international ones (ITU-T E.164), and the national writings that little else looks like. */
import { codeAt, type Found, goesOn, isDigit, isWord } from '../chars.ts'
import type { Digits } from './card.ts'

/** Country codes of one or two digits; all others have three. */
const SHORT_CODES: ReadonlySet<number> = new Set([
  ...[
    1, 7, 20, 27, 30, 31, 32, 33, 34, 36, 39, 40, 41, 43, 44, 45, 46, 47, 48, 49, 51, 52, 53, 54, 55, 56, 57,
    58,
  ],
  ...[60, 61, 62, 63, 64, 65, 66, 81, 82, 84, 86, 90, 91, 92, 93, 94, 95, 98],
])
/** First two digits of the codes of three digits that are assigned. */
const LONG_CODES: ReadonlySet<number> = new Set([
  21, 22, 23, 24, 25, 26, 29, 35, 37, 38, 42, 50, 59, 67, 68, 69, 80, 85, 87, 88, 96, 97, 99,
])

const DIGITS_MIN = 8
const DIGITS_MAX = 15

/** North America: an area and an exchange that begin with 2 to 9 and are no service such as 911, with a 1 before them or not. */
export function isNorthAmerican(digits: Digits, total: number): boolean {
  const from = total - 10
  if (from === 1 && digits[0] !== 1) return false
  const isService = digits[from + 1] === 1 && digits[from + 2] === 1
  return digits[from]! > 1 && !isService && digits[from + 3]! > 1
}

/** A trunk prefix 0, and 9 to 12 digits together. */
export function isNationalPhone(digits: Digits, total: number): boolean {
  return digits[0] === 0 && digits[1]! > 0 && total >= 9 && total <= 12
}

const digits = new Uint8Array(DIGITS_MAX)

/** `+49 (0)30 1234567`: the number whose `+` stands at `start`. */
export function internationalAt(text: string, start: number): Found | null {
  if (isWord(codeAt(text, start - 1)) || codeAt(text, start - 1) === 43) return null
  const end = readDigits(text, start + 1)
  if (end < 0 || total < DIGITS_MIN || goesOn(text, end) || !isAssigned()) return null
  if (digits[0] === 1 && (total !== 11 || !isNorthAmerican(digits, total))) return null
  return { start, end, kind: 'phone', confidence: 0.85 }
}

/** `(555) 234-5678`, `(030) 1234567`: the number whose bracket stands at `start`. */
export function bracketedAt(text: string, start: number): Found | null {
  if (isWord(codeAt(text, start - 1))) return null
  const end = readDigits(text, start)
  if (end < 0 || goesOn(text, end) || codeAt(text, start + 1 + areaDigits) !== 41) return null
  const isAmerican = total === 10 && areaDigits === 3 && isNorthAmerican(digits, total)
  const isOther = areaDigits >= 3 && areaDigits <= 5 && isNationalPhone(digits, total)
  return isAmerican || isOther ? { start, end, kind: 'phone', confidence: isAmerican ? 0.85 : 0.7 } : null
}

function isAssigned(): boolean {
  const two = digits[0]! * 10 + digits[1]!
  return digits[0] === 1 || digits[0] === 7 || SHORT_CODES.has(two) || LONG_CODES.has(two)
}

let total = 0
/** Digits between the first brackets. */
let areaDigits = 0

/**
 * Reads digits with at most two of ` `, `-`, `.`, `/`, `(`, `)` between them. Gives the place after the last digit, or -1 for
 * more than 15 digits.
 */
function readDigits(text: string, from: number): number {
  total = 0
  areaDigits = 0
  let end = from
  let between = 0
  let opened = -1
  for (let at = from; between <= 2; at++) {
    const code = codeAt(text, at)
    if (isDigit(code)) {
      if (total === DIGITS_MAX) return -1
      // A trunk prefix in brackets, (0), is not dialled from abroad
      if (code === 48 && opened === at - 1 && codeAt(text, at + 1) === 41) {
        between = 0
        continue
      }
      digits[total++] = code - 48
      end = at + 1
      between = 0
      continue
    }
    if (code === 40) opened = at
    else if (code === 41 && areaDigits === 0) areaDigits = opened < 0 ? 0 : at - opened - 1
    else if (code !== 32 && code !== 160 && (code < 45 || code > 47) && code !== 41) break
    between++
  }
  return end
}
