/** Numbers of people and accounts that contain letters. Each begins with a word, which the scan has found. */

import type { Found } from '../chars.ts'
import { codeAt, isDigit, isWord, runEnd } from '../chars.ts'
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
