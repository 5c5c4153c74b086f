/** National identification numbers that consist of digits, each with the rules by which its issuer checks it. */
import { type Digits, isLuhn } from './card.ts'

/** The number that `length` digits from `from` on write. */
function numberAt(digits: Digits, from: number, length: number): number {
  let number = 0
  for (let at = from; at < from + length; at++) number = number * 10 + digits[at]!
  return number
}

function weighted(digits: Digits, weights: readonly number[]): number {
  let sum = 0
  for (let at = 0; at < weights.length; at++) sum += digits[at]! * weights[at]!
  return sum
}

function isDay(month: number, day: number): boolean {
  return month >= 1 && month <= 12 && day >= 1 && day <= 31
}

/** United States: areas, groups and serials that are issued (20 CFR 422.103); there is no check digit. */
export function isUsSsn(digits: Digits): boolean {
  const area = numberAt(digits, 0, 3)
  if (area === 0 || area === 666 || area >= 900) return false
  return numberAt(digits, 3, 2) !== 0 && numberAt(digits, 5, 4) !== 0
}

/** Germany, tax identification number: one digit stands twice or three times among the first ten; ISO 7064 mod 11, 10. */
export function isGermanTaxId(digits: Digits): boolean {
  if (digits[0] === 0) return false
  const counts = new Uint8Array(10)
  for (let at = 0; at < 10; at++) counts[digits[at]!]!++
  const repeated = counts.filter((count) => count > 1)
  if (repeated.length !== 1 || repeated[0]! > 3) return false
  let product = 10
  for (let at = 0; at < 10; at++) {
    const sum = (digits[at]! + product) % 10 || 10
    product = (sum * 2) % 11
  }
  return (11 - product) % 10 === digits[10]
}

/** France, NIR: sex, month, key of 97. `corsica` is what the letter of 2A or 2B subtracts, whose place holds a 0. */
export function isFrenchNir(digits: Digits, corsica = 0): boolean {
  const sex = digits[0]!
  const month = numberAt(digits, 3, 2)
  // 20 stands for a month that is not known
  const isMonth = (month >= 1 && month <= 12) || month === 20
  if (![1, 2, 3, 4, 7, 8].includes(sex) || !isMonth) return false
  // 13 digits are exact in a number
  return 97 - ((numberAt(digits, 0, 13) - corsica) % 97) === numberAt(digits, 13, 2)
}

/** Netherlands, burgerservicenummer: the test of eleven. */
export function isDutchBsn(digits: Digits): boolean {
  if (numberAt(digits, 0, 9) === 0) return false
  return weighted(digits, [9, 8, 7, 6, 5, 4, 3, 2, -1]) % 11 === 0
}

/** The last year of birth that a PESEL of this century may have. */
const BIRTH_YEAR_MAX = 40

/** Poland, PESEL: a date of birth of a person who lives, with its century in the month, and the check digit. */
export function isPesel(digits: Digits): boolean {
  const month = numberAt(digits, 2, 2)
  if (month > 32 || (month > 20 && numberAt(digits, 0, 2) > BIRTH_YEAR_MAX)) return false
  if (!isDay(month % 20, numberAt(digits, 4, 2))) return false
  return weighted(digits, [1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1]) % 10 === 0
}

/** Sweden, personnummer of 10 digits, or of 12 with the century; 60 is added to the day of a samordningsnummer. */
export function isPersonnummer(digits: Digits, total: number): boolean {
  const from = total - 10
  if (from === 2 && ![18, 19, 20].includes(numberAt(digits, 0, 2))) return false
  const day = numberAt(digits, from + 4, 2)
  return isDay(numberAt(digits, from + 2, 2), day > 60 ? day - 60 : day) && isLuhn(digits, total, from)
}

/** Brazil, CPF: two check digits of eleven; a row of one digit is none. */
export function isCpf(digits: Digits): boolean {
  if (digits.subarray(1, 11).every((digit) => digit === digits[0])) return false
  const first = (weighted(digits, [10, 9, 8, 7, 6, 5, 4, 3, 2]) * 10) % 11
  const second = (weighted(digits, [11, 10, 9, 8, 7, 6, 5, 4, 3, 2]) * 10) % 11
  return first % 10 === digits[9] && second % 10 === digits[10]
}

/** The dihedral group of ten elements, by which Verhoeff's method multiplies. */
const MULTIPLIED = [
  '0123456789',
  '1234067895',
  '2340178956',
  '3401289567',
  '4012395678',
  '5987604321',
  '6598710432',
  '7659821043',
  '8765932104',
  '9876543210',
]
const PERMUTED = [
  '0123456789',
  '1576283094',
  '5803796142',
  '8916043527',
  '9453126870',
  '4286573901',
  '2793806415',
  '7046913258',
]

/** India, Aadhaar: 12 digits that begin with neither 0 nor 1, with the check digit of Verhoeff. */
export function isAadhaar(digits: Digits): boolean {
  if (digits[0]! < 2) return false
  let check = 0
  for (let at = 0; at < 12; at++)
    check = Number(MULTIPLIED[check]![Number(PERMUTED[at % 8]![digits[11 - at]!])])
  return check === 0
}
