/**
 * JSON whose numbers keep their digits. A double cannot hold 12345678901234567890 or 1e400, and writes 1.0 as 1. Readers go on seeing
 * doubles, so that everything that judges a value stays as it is; what is sent on is written with the digits that came.
 *
 * 1. A text without such a number is read and written as before: it costs one search.
 * 2. Digits belong to the object or list that holds the number. A copy of it has doubles alone.
 * 3. What has judged a number has seen the double, so that only the double may be sent on: see {@link withoutDigits}.
 */
import { beginsNumber, endOfString, numberAt, QUOTE } from './scan.ts'

/** Found in every text with a number that a double writes in another way; also in others, which costs time alone. */
const MAY_CHANGE =
  /(?:^|[[:,\s])-?(?:\d[\d.]{15}|[\d.]{1,15}[eE]|\d+\.\d*0(?![\d.])|0\.000000)|(?:^|[[:,\s])-0(?![\d.])/

/** Numbers as they were written, by the object or list that holds them. */
const digits = new WeakMap<object, Map<string, string>>()
/** Objects and lists that have such a number anywhere inside, so that what has none is not walked. */
const holders = new WeakSet<object>()
/** Some value of this thread has such numbers. */
let hasDigits = false
/** Characters of a text whose numbers keep their digits: to read a number so takes twenty times as long. */
const KEEPING_CHARS_MAX = 128 * 1024
/** Objects around a holder that were made since it was read, such as the message around its arguments. */
const AROUND_MAX = 4

interface Source {
  readonly source: string
}
type Reviver = (this: object, key: string, value: unknown, context: Source) => unknown
interface ExactJson {
  parse(text: string, reviver: Reviver): unknown
  rawJSON(text: string): object
  isRawJSON(value: unknown): value is { readonly rawJSON: string }
}
/** Of ECMA-262 "JSON.parse source text access", which the types do not know yet. */
const JSON_TEXT = JSON as unknown as ExactJson

function isChanged(value: unknown, { source }: Source): boolean {
  return typeof value === 'number' && String(value) !== source
}

/** As JSON.parse; the numbers of a text of at most {@link KEEPING_CHARS_MAX} characters keep their digits for {@link withDigits}. */
export function parseKeepingDigits(text: string): unknown {
  if (text.length > KEEPING_CHARS_MAX || !MAY_CHANGE.test(text)) return JSON.parse(text)
  return JSON_TEXT.parse(text, function (key, value, context) {
    if (isChanged(value, context)) {
      hasDigits = true
      holders.add(this)
      const own = digits.get(this)
      if (own === undefined) digits.set(this, new Map([[key, context.source]]))
      else own.set(key, context.source)
    } else if (hasDigits && isHolder(value)) holders.add(this)
    return value
  })
}

function isHolder(value: unknown): value is object {
  return value !== null && typeof value === 'object' && holders.has(value)
}

/** Keeps the digits of a number of a text that is longer than what {@link parseKeepingDigits} keeps them of. */
export function keepDigits(holder: object, key: string, text: string): void {
  hasDigits = true
  holders.add(holder)
  digits.set(holder, new Map([...(digits.get(holder) ?? []), [key, text]]))
}

/** True for a text whose numbers {@link parseKeepingDigits} reads as doubles alone. */
export function isBeyondDigits(text: string): boolean {
  return text.length > KEEPING_CHARS_MAX
}

/** The number as it was written. @param double the member of `holder` with that name */
export function writtenNumber(holder: object, key: string, double: number): string {
  return digits.get(holder)?.get(key) ?? String(double)
}

/** What JSON.stringify writes with all digits. */
export function exactInteger(value: bigint): object {
  return JSON_TEXT.rawJSON(String(value))
}

/** As JSON.parse; a number that a double writes in another way is what JSON.stringify writes as it came. */
export function parseExact(text: string): unknown {
  if (!MAY_CHANGE.test(text)) return JSON.parse(text)
  return JSON_TEXT.parse(text, (_key, value, context) =>
    isChanged(value, context) ? JSON_TEXT.rawJSON(context.source) : value,
  )
}

/** The number as it was written; null for any value that JSON.parse gives. */
export function rawNumber(value: unknown): string | null {
  return JSON_TEXT.isRawJSON(value) ? value.rawJSON : null
}

/** The value, with what JSON.stringify writes as it came in the place of numbers that have digits. Nothing is changed in place. */
export function withDigits<T>(value: T): T {
  return hasDigits ? (rewritten(value, (text) => JSON_TEXT.rawJSON(text), AROUND_MAX) as T) : value
}

/**
 * The value as it was judged: with doubles alone, in a copy where numbers have digits. For what is sent on after something has decided by
 * a number, which saw the double. A number that no double comes near (1e400) is then written as null.
 */
export function withoutDigits<T>(value: T): T {
  return hasDigits ? (rewritten(value, (_text, double) => double, AROUND_MAX) as T) : value
}

/** The members of both, with the digits that either has; the second goes before. */
export function joined<T extends object, U extends object>(value: T, more: U): T & U {
  const whole = { ...value, ...more }
  if (!hasDigits) return whole
  if (holders.has(value) || holders.has(more)) holders.add(whole)
  const kept = [...(digits.get(value) ?? [])].filter(([key]) => !Object.hasOwn(more, key))
  const own = [...kept, ...(digits.get(more) ?? [])]
  if (own.length > 0) digits.set(whole, new Map(own))
  return whole
}

/**
 * A copy with other values in the place of numbers that have digits; the value itself where there are none.
 * @param around how many objects that are no holders may lie above one
 */
function rewritten(
  value: unknown,
  write: (text: string, double: number) => unknown,
  around: number,
): unknown {
  if (value === null || typeof value !== 'object' || JSON_TEXT.isRawJSON(value)) return value
  const isOne = holders.has(value)
  if (!isOne && (around === 0 || Array.isArray(value))) return value
  const own = digits.get(value)
  let isSame = true
  const members = Object.entries(value).map(([key, one]): [string, unknown] => {
    const text = own?.get(key)
    // Another number may have taken its place since
    const isOwn = text !== undefined && Object.is(Number(text), one)
    const after = isOwn ? write(text, one as number) : rewritten(one, write, isOne ? 0 : around - 1)
    isSame &&= !isOwn && after === one
    return [key, after]
  })
  if (isSame) return value
  return Array.isArray(value) ? members.map(([, one]) => one) : Object.fromEntries(members)
}

// Decimal numbers as they are written, where the arithmetic of doubles says something else: 19.99 is a multiple of 0.01.

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

/** Stands in every text with a number that a double does not hold and that is 2^53 or more. */
const MAY_BE_LONG = /\d[\d.]{15}|[eE]\+?\d\d/

/**
 * JSON whose long numbers are texts: whole digits beyond 2^53 that a double would change, and numbers beyond all doubles (1e400). What
 * computes with the value sees all digits or none, and never another number.
 * @param text JSON (RFC 8259): for anything else the result means nothing
 */
export function withLongNumbersAsTexts(text: string): string {
  if (!MAY_BE_LONG.test(text)) return text
  let out = ''
  let copied = 0
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) at = endOfString(text, at) - 1
    else if (beginsNumber(code)) {
      const number = numberAt(text, at)
      if (isLong(number)) {
        out += `${text.slice(copied, at)}"${number}"`
        copied = at + number.length
      }
      at += number.length - 1
    }
  }
  return out + text.slice(copied)
}

function isLong(number: string): boolean {
  return !(Math.abs(Number(number)) <= Number.MAX_SAFE_INTEGER) && !isExactNumber(number)
}

/** Values with long numbers as texts, and the same values with doubles. */
const doubles = new WeakMap<object, unknown>()

/** Keeps what JSON.parse gives beside a value with long numbers as texts. */
export function keepDoubles(value: unknown, parsed: unknown): void {
  if (value !== null && typeof value === 'object') doubles.set(value, parsed)
}

/** What a schema judges of a value whose bytes are passed on as they came: their numbers are no texts. */
export function withDoubles(value: unknown): unknown {
  return value !== null && typeof value === 'object' ? (doubles.get(value) ?? value) : value
}

/** As JSON.parse, with long numbers as texts: see {@link withLongNumbersAsTexts}. */
export function parseWithLongTexts(text: string): unknown {
  const value: unknown = JSON.parse(text)
  const read = withLongNumbersAsTexts(text)
  return read === text ? value : JSON.parse(read)
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
