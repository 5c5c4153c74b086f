/** Decimal numbers as they are written, where the arithmetic of doubles says something else: 19.99 is a multiple of 0.01. */

interface Decimal {
  readonly digits: bigint
  /** Power of ten of the last digit. */
  readonly exponent: number
}

const NUMBER = /^-?(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/

/** Whether a number is a whole multiple of another, as both are written in decimal. A divisor that is not positive fits all. */
export function isMultipleOf(value: number, divisor: number): boolean {
  if (!(divisor > 0) || !Number.isFinite(value)) return true
  if (Number.isSafeInteger(value) && Number.isSafeInteger(divisor)) return value % divisor === 0
  const [a, b] = [decimalOf(String(value)), decimalOf(String(divisor))]
  const shift = a.exponent - b.exponent
  const [scaled, by] =
    shift < 0 ? [a.digits, b.digits * 10n ** BigInt(-shift)] : [a.digits * 10n ** BigInt(shift), b.digits]
  return scaled % by === 0n
}

/** Whether a double holds a JSON number exactly as it is written: 0.1 and 1e3, but not 12345678901234567891 or 1e400. */
export function isExactNumber(text: string): boolean {
  // Every number of so few digits can be told from its neighbours.
  if (text.length <= 15 && !/[eE]/.test(text)) return true
  const value = Number(text)
  return Number.isFinite(value) && significant(text) === significant(String(value))
}

function decimalOf(text: string): Decimal {
  const [, whole, fraction = '', power = '0'] = NUMBER.exec(text)!
  return { digits: BigInt(whole + fraction), exponent: Number(power) - fraction.length }
}

/** The digits without zeros at either end, and the power of ten: the same for all ways to write a number. */
function significant(text: string): string {
  const [, whole, fraction = '', power = '0'] = NUMBER.exec(text)!
  const digits = (whole + fraction).replace(/^0+/, '')
  const short = withoutZeros(digits)
  return short === '' ? '0' : `${short}e${Number(power) - fraction.length + digits.length - short.length}`
}

function withoutZeros(digits: string): string {
  let end = digits.length
  while (end > 0 && digits.charCodeAt(end - 1) === 0x30) end--
  return digits.slice(0, end)
}
