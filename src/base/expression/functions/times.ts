/** Times in UTC and spans between them, in milliseconds. As JSON, times are text of RFC 3339 and spans seconds such as `90s`. */
import { type Evaluation, FAILED, type FunctionType, failed, text } from './evaluation.ts'

/** The years 1 to 9999, which the language allows. */
const [FIRST_MS, LAST_MS] = [-62_135_596_800_000, 253_402_300_799_999]
const FORMAT_CHARS_MAX = 100

/** A moment. Has no members. */
export class Timestamp {
  readonly #ms: number
  constructor(ms: number) {
    if (!(ms >= FIRST_MS && ms <= LAST_MS)) failed('a time is from the year 1 to 9999')
    this.#ms = Math.floor(ms)
  }
  get ms(): number {
    return this.#ms
  }
  /** RFC 3339 in UTC. */
  toText(): string {
    return new Date(this.#ms).toISOString().replace('.000Z', 'Z')
  }
}

/** The length of a span. Has no members. */
export class Span {
  readonly #ms: number
  constructor(ms: number) {
    if (!(Math.abs(ms) <= LAST_MS - FIRST_MS)) failed('a duration is at most 9999 years long')
    this.#ms = Math.trunc(ms)
  }
  get ms(): number {
    return this.#ms
  }
  /** Seconds with their unit. */
  toText(): string {
    return `${this.#ms / 1000}s`
  }
}

const T = 'google.protobuf.Timestamp'
/** RFC 3339 section 5.6. */
const RFC_3339 = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)$/
const DURATION = /^([+-]?)((?:\d{1,12}(?:\.\d{0,9})?(?:h|ms|m|s|us|ns)){1,8})$/
const PART = /(\d+(?:\.\d*)?)(h|ms|m|s|us|ns)/g
const UNIT_MS: Readonly<Record<string, number>> = {
  h: 3_600_000,
  m: 60_000,
  s: 1000,
  ms: 1,
  us: 0.001,
  ns: 0.000_001,
}

/** By the name of the method: what it reads of a time. Months, days of the year and of the week start at 0. */
const PARTS: Readonly<Record<string, (date: Date) => number>> = {
  getFullYear: (date) => date.getUTCFullYear(),
  getMonth: (date) => date.getUTCMonth(),
  getDate: (date) => date.getUTCDate(),
  getDayOfMonth: (date) => date.getUTCDate() - 1,
  getDayOfWeek: (date) => date.getUTCDay(),
  getDayOfYear: (date) => Math.floor((date.getTime() - startOfYear(date)) / 86_400_000),
  getHours: (date) => date.getUTCHours(),
  getMinutes: (date) => date.getUTCMinutes(),
  getSeconds: (date) => date.getUTCSeconds(),
  getMilliseconds: (date) => date.getUTCMilliseconds(),
}

/** Of a span: the whole of it in one unit. */
const SPAN_PARTS: Readonly<Record<string, number>> = {
  getHours: 3_600_000,
  getMinutes: 60_000,
  getSeconds: 1000,
  getMilliseconds: 1,
}

export const TIME_FUNCTIONS: Readonly<Record<string, FunctionType>> = {
  now: {
    takes: [0],
    signatures: [`now(): ${T}`],
    call: ({ ambient }) =>
      new Timestamp(ambient === null ? failed('the time is not available here') : ambient.now()),
  },
  timestamp: { takes: [1], signatures: [], call: (run, [value]) => toTimestamp(run, value) },
  duration: { takes: [1], signatures: [], call: (run, [value]) => toSpan(text(run, value)) },
  format: { takes: [2], signatures: [`${T}.format(string): string`], call: format },
  ...Object.fromEntries(
    Object.keys(PARTS).map((name) => [name, { takes: [1], signatures: [], call: partOf(name) }]),
  ),
}

function startOfYear(date: Date): number {
  return new Date(0).setUTCFullYear(date.getUTCFullYear(), 0, 1)
}

function partOf(name: string): FunctionType['call'] {
  return (_run, [value]) => {
    if (value instanceof Timestamp) return BigInt(PARTS[name]!(new Date(value.ms)))
    const unit = SPAN_PARTS[name]
    if (!(value instanceof Span) || unit === undefined) throw FAILED
    return BigInt(Math.trunc(value.ms / unit))
  }
}

/** From text of RFC 3339, or from seconds since 1970. */
function toTimestamp(run: Evaluation, value: unknown): Timestamp {
  if (value instanceof Timestamp) return value
  if (typeof value === 'bigint' || typeof value === 'number') return new Timestamp(Number(value) * 1000)
  const given = text(run, value)
  const ms = RFC_3339.test(given) ? Date.parse(given.toUpperCase()) : Number.NaN
  if (Number.isNaN(ms)) failed('timestamp takes a time of RFC 3339, such as 2026-05-01T00:00:00Z')
  return new Timestamp(ms)
}

function toSpan(given: string): Span {
  const [, sign, parts] = DURATION.exec(given) ?? []
  if (parts === undefined) failed('duration takes a text such as 1h30m, 45s or 200ms')
  let ms = 0
  for (const [, count, unit] of parts.matchAll(PART)) ms += Number(count) * UNIT_MS[unit!]!
  return new Span(sign === '-' ? -ms : ms)
}

/** `YYYY MM DD HH mm ss SSS` are parts of the time in UTC; anything else stays. */
function format(run: Evaluation, [value, pattern]: readonly unknown[]): string {
  if (!(value instanceof Timestamp)) throw FAILED
  const given = text(run, pattern)
  if (given.length > FORMAT_CHARS_MAX) failed(`a format has at most ${FORMAT_CHARS_MAX} characters`)
  const iso = new Date(value.ms).toISOString()
  const parts: Readonly<Record<string, string>> = {
    YYYY: iso.slice(0, 4),
    MM: iso.slice(5, 7),
    DD: iso.slice(8, 10),
    HH: iso.slice(11, 13),
    mm: iso.slice(14, 16),
    ss: iso.slice(17, 19),
    SSS: iso.slice(20, 23),
  }
  return given.replaceAll(/YYYY|MM|DD|HH|mm|SSS|ss/g, (name) => parts[name]!)
}

/** Sums and differences of times and spans; undefined for other operands. */
export function computedTime(sign: string, left: unknown, right: unknown): Timestamp | Span | undefined {
  const factor = sign === '+' ? 1 : sign === '-' ? -1 : 0
  if (factor === 0) return undefined
  if (left instanceof Timestamp && right instanceof Span) return new Timestamp(left.ms + factor * right.ms)
  if (left instanceof Span && right instanceof Span) return new Span(left.ms + factor * right.ms)
  if (left instanceof Span && right instanceof Timestamp && factor === 1)
    return new Timestamp(left.ms + right.ms)
  return left instanceof Timestamp && right instanceof Timestamp && factor === -1
    ? new Span(left.ms - right.ms)
    : undefined
}

/** True for two times, or two spans, which have an order. */
export function areTimes(left: unknown, right: unknown): boolean {
  return (
    (left instanceof Timestamp && right instanceof Timestamp) ||
    (left instanceof Span && right instanceof Span)
  )
}

/** True for what JSON has as text. */
export function isTime(value: unknown): value is Timestamp | Span {
  return value instanceof Timestamp || value instanceof Span
}
