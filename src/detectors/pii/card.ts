/** Payment cards: ISO/IEC 7812 numbers of the networks in use, with their check digit (Luhn). */

/** Digits as numbers; only the first `total` count. */
export type Digits = Uint8Array

/** True where the last digit is the check digit of ISO/IEC 7812-1 annex B. */
export function isLuhn(digits: Digits, total: number, from = 0): boolean {
  let sum = 0
  for (let at = total - 1, isDoubled = false; at >= from; at--, isDoubled = !isDoubled) {
    const digit = digits[at]!
    sum += isDoubled ? (digit > 4 ? digit * 2 - 9 : digit * 2) : digit
  }
  return sum % 10 === 0
}

/** Ranges of the first six digits, with the lengths of their numbers. */
const NETWORKS: readonly (readonly [from: number, to: number, lengths: readonly number[]])[] = [
  // Visa. Its numbers of 13 digits are withdrawn, and article numbers (EAN-13) look like them
  [400000, 499999, [16, 19]],
  // Mastercard
  [510000, 559999, [16]],
  [222100, 272099, [16]],
  // American Express
  [340000, 349999, [15]],
  [370000, 379999, [15]],
  // Diners Club
  [300000, 305999, [14, 16]],
  [309500, 309599, [14, 16]],
  [360000, 369999, [14, 16]],
  [380000, 399999, [16]],
  // JCB
  [352800, 358999, [16, 17, 18, 19]],
  // Discover
  [601100, 601199, [16, 19]],
  [644000, 659999, [16, 19]],
  // UnionPay
  [620000, 629999, [16, 17, 18, 19]],
  // Maestro
  [500000, 509999, [16, 17, 18, 19]],
  [560000, 589999, [16, 17, 18, 19]],
  [630000, 639999, [16, 17, 18, 19]],
  [670000, 679999, [16, 17, 18, 19]],
  // Mir, Troy, RuPay
  [220000, 220499, [16, 17, 18, 19]],
  [979200, 979299, [16]],
  [810000, 829999, [16]],
]

/** True for the number of a card: prefix and length of a network, and the check digit. */
export function isCard(digits: Digits, total: number): boolean {
  let prefix = 0
  for (let at = 0; at < 6; at++) prefix = prefix * 10 + digits[at]!
  const isOfNetwork = NETWORKS.some(
    ([from, to, lengths]) => prefix >= from && prefix <= to && lengths.includes(total),
  )
  return isOfNetwork && isLuhn(digits, total)
}
