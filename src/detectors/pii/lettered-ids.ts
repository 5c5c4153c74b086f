/** Numbers of people and accounts that contain letters. Each begins with a word, which the scan has found. */

import { isIPv6 } from 'node:net'
import { codeAt, type Found, goesOn, isDigit, isHex, isWord, runEnd } from '../chars.ts'
import { isFrenchNir } from './national-ids.ts'

/** Lengths of IBANs by country (ISO 13616, registry of SWIFT). */
const IBAN_LENGTHS: ReadonlyMap<string, number> = new Map(
  (
    'AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 ES24 ' +
    'FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 ' +
    'LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 ' +
    'SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30'
  )
    .split(' ')
    .map((entry) => [entry.slice(0, 2), Number(entry.slice(2))]),
)

/** An IBAN in one piece, or in groups of four with spaces (ISO 13616), with its check digits (ISO 7064 mod 97, 10). */
export function ibanAt(text: string, start: number): Found | null {
  const length = IBAN_LENGTHS.get(text.slice(start, start + 2))
  if (length === undefined || !isDigit(codeAt(text, start + 2)) || !isDigit(codeAt(text, start + 3)))
    return null
  let rest = 0
  let head = 0
  let at = start
  for (let taken = 0; taken < length; taken++, at++) {
    if (taken > 0 && taken % 4 === 0 && codeAt(text, at) === 32) at++
    const value = valueOfChar(codeAt(text, at))
    if (value < 0) return null
    // The first four characters are read last
    if (taken < 4) head = (head * (value > 9 ? 100 : 10) + value) % 97
    else rest = (rest * (value > 9 ? 100 : 10) + value) % 97
  }
  if (isWord(codeAt(text, at))) return null
  // Four characters, two of them letters, are six digits
  const remainder = (rest * (1_000_000 % 97) + head) % 97
  return remainder === 1 ? { start, end: at, kind: 'iban', confidence: 0.95 } : null
}

/** 0 to 9 for digits, 10 to 35 for capital letters, else -1. */
function valueOfChar(code: number): number {
  if (isDigit(code)) return code - 48
  return code >= 65 && code <= 90 ? code - 55 : -1
}

/** Two letters that are issued, six digits, a letter from A to D; in pairs with spaces, or in one piece. */
const NINO =
  /(?!BG|GB|NK|KN|TN|NT|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z](?:\d{6}[A-D]| \d{2} \d{2} \d{2} [A-D])(?![0-9A-Za-z_])/y

/** United Kingdom, national insurance number. */
export function ninoAt(text: string, start: number): Found | null {
  NINO.lastIndex = start
  return NINO.test(text) ? { start, end: NINO.lastIndex, kind: 'uk_nino', confidence: 0.85 } : null
}

const DNI_LETTERS = 'TRWAGMYFPDXBNJZSQVHLCKE'

/** Spain: eight digits and a letter, with a hyphen or without (DNI), or X, Y, Z, seven digits and a letter (NIE). */
export function dniAt(text: string, start: number): Found | null {
  const foreign = 'XYZ'.indexOf(text[start]!)
  const digitsFrom = foreign < 0 ? start : start + 1
  const digitsTo = runEnd(text, digitsFrom, isDigit, 9)
  if (digitsTo - start !== 8) return null
  const letterAt = text[digitsTo] === '-' ? digitsTo + 1 : digitsTo
  if (isWord(codeAt(text, letterAt + 1))) return null
  const number = Number(`${foreign < 0 ? '' : foreign}${text.slice(digitsFrom, digitsTo)}`)
  if (text[letterAt] !== DNI_LETTERS[number % 23]) return null
  return { start, end: letterAt + 1, kind: 'es_dni', confidence: 0.65 }
}

const CODICE_FISCALE = /^[A-Z]{6}[\dLMNP-V]{2}[A-EHLMPRST][\dLMNP-V]{2}[A-Z][\dLMNP-V]{3}[A-Z]$/i
/** Values of the characters at odd places: of 0 to 9, and of A to Z. */
const ODD = [
  ...[1, 0, 5, 7, 9, 13, 15, 17, 19, 21],
  ...[1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23],
]

/** Italy: a word of 16 characters with its check letter; letters may stand for digits (omocodia). */
export function codiceFiscaleOf(text: string, start: number, end: number): Found | null {
  const word = text.slice(start, end)
  if (!CODICE_FISCALE.test(word)) return null
  const upper = word.toUpperCase()
  let sum = 0
  for (let at = 0; at < 15; at++) {
    const value = valueOfChar(upper.charCodeAt(at))
    sum += at % 2 === 0 ? ODD[value]! : value > 9 ? value - 10 : value
  }
  return upper.charCodeAt(15) === 65 + (sum % 26)
    ? { start, end, kind: 'it_codice_fiscale', confidence: 0.95 }
    : null
}

const CORSICAN = /^[1-478]\d{4}2([AB])\d{8}$/

/** France: an NIR of Corsica in one piece, which has the letter A or B. */
export function corsicanNirOf(text: string, start: number, end: number): Found | null {
  const word = text.slice(start, end)
  const letter = CORSICAN.exec(word)?.[1]
  if (letter === undefined) return null
  const digits = Uint8Array.from(word, (char) => (char >= '0' && char <= '9' ? Number(char) : 0))
  // 2A counts as 19 and 2B as 18, where 20 stands in `digits`
  const corsica = letter === 'A' ? 1_000_000 : 2_000_000
  return isFrenchNir(digits, corsica) ? { start, end, kind: 'fr_nir', confidence: 0.8 } : null
}

/** An IPv6 address with an IPv4 address at its end has 45 characters at most. */
const ADDRESS_MAX = 45
const GROUP_MAX = 4
/** Fewer digits are rather a name of a program: `a::b`. */
const DIGITS_MIN = 5

function isOfAddress(code: number): boolean {
  return isHex(code) || code === 58 || code === 46
}

/** The address (RFC 4291 section 2.2) whose first colon stands at `colon`. Not for a machine's own, `::1`. */
export function ipv6At(text: string, colon: number): Found | null {
  let start = colon
  while (colon - start <= GROUP_MAX && isHex(codeAt(text, start - 1))) start--
  const before = codeAt(text, start - 1)
  if (colon - start > GROUP_MAX || isWord(before) || before === 58 || before === 46) return null
  if (start === colon && codeAt(text, colon + 1) !== 58) return null
  let end = runEnd(text, colon, isOfAddress, ADDRESS_MAX + 1)
  // The end of a sentence, or what a colon leads to
  if (codeAt(text, end - 1) === 46 || (codeAt(text, end - 1) === 58 && codeAt(text, end - 2) !== 58)) end--
  if (end - start > ADDRESS_MAX || end - start < 7 || goesOn(text, end)) return null
  const address = text.slice(start, end)
  const digits = address.replaceAll(/[:.]/g, '')
  if (digits.length < DIGITS_MIN || !/\d/.test(digits) || !isIPv6(address)) return null
  return { start, end, kind: 'ip', confidence: 0.9 }
}

/** RFC 5321 section 4.5.3.1. */
const LOCAL_MAX = 64
const DOMAIN_MAX = 255
/** Ends of file names that stand after an @ too: `logo@2x.png`. */
const FILES = /^(png|jpe?g|gif|svg|webp|avif|ico|m?js|css|html?|json|ya?ml|md|tsx?|txt|pdf)$/i

/** Characters of unquoted local parts, without those that rather part an address from what is before it. */
function isLocal(code: number): boolean {
  return isWord(code) || code === 46 || code === 43 || code === 45 || code === 37 || code >= 0xc0
}

function isDomain(code: number): boolean {
  return isWord(code) || code === 45 || code >= 0xc0
}

/** The address whose @ stands at `at` (RFC 5322 section 3.4.1, dot-atoms): its name has two labels, of which the last is no number. */
export function emailAt(text: string, at: number): Found | null {
  let start = at
  while (at - start <= LOCAL_MAX && isLocal(codeAt(text, start - 1))) start--
  if (at - start > LOCAL_MAX) return null
  while (start < at && isEdge(codeAt(text, start))) start++
  if (start === at || codeAt(text, at - 1) === 46) return null
  const end = domainEnd(text, at + 1)
  // git@example.com:orders/api.git is no address of a person
  if (end < 0 || (text.slice(start, at) === 'git' && codeAt(text, end) === 58)) return null
  return { start, end, kind: 'email', confidence: 0.95 }
}

/** `.`, `-`, `%`: what no address begins with. */
function isEdge(code: number): boolean {
  return code === 46 || code === 45 || code === 37
}

function domainEnd(text: string, from: number): number {
  let end = -1
  let labels = 0
  let label = from
  for (let at = from; at - from <= DOMAIN_MAX; at++) {
    const code = codeAt(text, at)
    if (isDomain(code)) continue
    if (at === label) break
    labels++
    if (labels > 1 && isTopLevel(text.slice(label, at))) end = at
    if (code !== 46) return isComplete(end, at)
    label = at + 1
  }
  return isComplete(end, label - 1)
}

/** What follows the last label that may end a name must not be a part of the name. */
function isComplete(end: number, last: number): number {
  return end === last ? end : -1
}

function isTopLevel(label: string): boolean {
  if (label.length < 2 || label.startsWith('-') || label.endsWith('-') || label.includes('_')) return false
  return (
    !isDigit(label.charCodeAt(0)) && (!/\d/.test(label) || label.startsWith('xn--')) && !FILES.test(label)
  )
}
