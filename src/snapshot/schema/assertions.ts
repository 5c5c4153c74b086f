/** Keywords that judge one value without subschemas. Each spends steps for what it looks at. */

import { isIPv6 } from 'node:net'
import { canonicalJson } from '../../base/json/canonical.ts'
import { isMultipleOf } from '../../base/json/exact.ts'
import { isPlain, type Plain } from '../../base/json/storable.ts'
import { linearPattern } from '../../base/text/patterns.ts'
import { CHECKED_FORMATS } from '../../model/schema-looseness.ts'
import type { Effort } from './effort.ts'
import type { Tags } from './tags.ts'

/** One schema inside of a schema, as the keywords that apply it see it. */
export interface Applied {
  /** Whether a value fits. Errors are noted at the current place of the effort. */
  fits(value: unknown, effort: Effort): boolean
  /** Whether a part of the value fits, which has its place below the current one. */
  fitsBelow(token: PropertyKey, value: unknown, effort: Effort): boolean
  /** As {@link fits}, for a schema about the same value. */
  fitsInPlace(value: unknown, effort: Effort): boolean
  /** As {@link fits}, without noting errors. */
  fitsQuietly(value: unknown, effort: Effort): boolean
}

/** Finds the parts that a schema leads to. */
export interface Places {
  part(schema: unknown): Applied
  /** What a reference into the schema itself leads to. */
  local(reference: string): Applied
  /** What is said of the same value by a shared schema; undefined for most schemas. Made when a value leads there. */
  shared(schema: Plain): (() => Applied) | undefined
  /** How a discriminator tells the alternatives of a schema apart; undefined for most schemas. */
  tags(schema: Plain): Tags | undefined
  readonly isModern: boolean
}

/** True when a value fits. It notes what is wrong otherwise. */
export type Check<T = unknown> = (value: T, effort: Effort) => boolean

/** Characters of a text that a simple loop looks at in one step. */
const CHARACTERS_PER_STEP = 4
/** Steps for each character that an expression of a schema looks at. */
const STEPS_PER_PATTERN_CHARACTER = 2
const SHOWN_MAX = 200

export function typeCheck(said: unknown): Check {
  const names = Array.isArray(said) ? (said as string[]) : [said as string]
  const types = new Set(names)
  const reason = `must be ${names.join(',')}`
  return (value, effort) => fitsType(value, types) || effort.fail(reason)
}

function fitsType(value: unknown, types: ReadonlySet<string>): boolean {
  switch (typeof value) {
    case 'number':
      return types.has('number') || (types.has('integer') && isWhole(value))
    case 'object':
      return types.has(value === null ? 'null' : Array.isArray(value) ? 'array' : 'object')
    default:
      return types.has(typeof value)
  }
}

/** 1e400 is a number of JSON, and Infinity here. */
function isWhole(value: number): boolean {
  return !(value % 1) || !Number.isFinite(value)
}

/** Keywords of numbers in decimal arithmetic. A double that is not the number that was written is given the benefit of the doubt. */
export function numberChecks(schema: Plain): Check<number>[] {
  const checks: Check<number>[] = []
  const add = (
    keyword: string,
    sign: string,
    fits: (value: number, bound: number, effort: Effort) => boolean,
  ) => {
    const bound = schema[keyword]
    if (typeof bound !== 'number') return
    const reason = `must be ${sign} ${bound}`
    checks.push((value, effort) => fits(value, bound, effort) || effort.fail(reason))
  }
  const isNear = (value: number, bound: number, effort: Effort): boolean =>
    value === bound && (effort.isInexact(value) || !isExactBound(bound))
  add('maximum', '<=', (value, bound) => value <= bound)
  add('minimum', '>=', (value, bound) => value >= bound)
  checks.push(...formatChecks<number>(schema, 'number'))
  add(
    'multipleOf',
    'multiple of',
    (value, bound, effort) => isMultipleOf(value, bound) || effort.isInexact(value),
  )
  add('exclusiveMinimum', '>', (value, bound, effort) => value > bound || isNear(value, bound, effort))
  add('exclusiveMaximum', '<', (value, bound, effort) => value < bound || isNear(value, bound, effort))
  return checks
}

/** Bounds of schemas were read as doubles when they were stored. */
function isExactBound(bound: number): boolean {
  return Math.abs(bound) <= Number.MAX_SAFE_INTEGER
}

export function stringChecks(schema: Plain): Check<string>[] {
  const checks: Check<string>[] = []
  const { maxLength, minLength, pattern } = schema
  if (typeof maxLength === 'number')
    checks.push(
      (text, effort) =>
        text.length <= maxLength ||
        lengthOf(text, effort) <= maxLength ||
        effort.fail(`must NOT have more than ${maxLength} characters`),
    )
  if (typeof minLength === 'number')
    checks.push(
      (text, effort) =>
        (text.length >= minLength && (text.length >= 2 * minLength || lengthOf(text, effort) >= minLength)) ||
        effort.fail(`must NOT have fewer than ${minLength} characters`),
    )
  if (typeof pattern === 'string') {
    const fits = patternTest(pattern)
    const reason = `must match pattern "${pattern}"`
    checks.push((text, effort) => fits(text, effort) || effort.fail(reason))
  }
  checks.push(...formatChecks<string>(schema, 'string'))
  return checks
}

/** An expression that is not regular fits everything. Stored schemas alone may have one. */
export function patternTest(source: string): Check<string> {
  const pattern = linearPattern(source)
  if (pattern === null) return () => true
  return (text, effort) => {
    effort.spend(text.length * STEPS_PER_PATTERN_CHARACTER)
    return pattern.test(text)
  }
}

function formatChecks<T extends string | number>(schema: Plain, type: 'string' | 'number'): Check<T>[] {
  const name = schema['format']
  const format = typeof name === 'string' ? FORMATS.get(name) : undefined
  if (format === undefined || format.type !== type) return []
  // The type of the format is that of the value
  const fits = format.fits as (value: T) => boolean
  const reason = `must match format "${String(name)}"`
  return [
    (value, effort) => {
      if (typeof value === 'string') effort.spend(Math.ceil(value.length / CHARACTERS_PER_STEP))
      return fits(value) || effort.fail(reason)
    },
  ]
}

/** Code points (RFC 8259 section 7 counts none; JSON Schema Validation section 6.3.1 does). */
function lengthOf(text: string, effort: Effort): number {
  effort.spend(Math.ceil(text.length / CHARACTERS_PER_STEP))
  let length = text.length
  for (let at = 0; at < text.length - 1; at++) {
    const isPair = (text.charCodeAt(at) & 0xfc00) === 0xd800 && (text.charCodeAt(at + 1) & 0xfc00) === 0xdc00
    if (isPair) {
      length--
      at++
    }
  }
  return length
}

export function valueChecks(schema: Plain): Check[] {
  const checks: Check[] = []
  if (Object.hasOwn(schema, 'const')) {
    const wanted = schema['const']
    checks.push(
      (value, effort) =>
        isEqual(value, wanted, effort) ||
        (effort.goal !== 'fits' && effort.fail(`must be ${JSON.stringify(wanted).slice(0, SHOWN_MAX)}`)),
    )
  }
  const values = schema['enum']
  if (Array.isArray(values)) {
    const plain = new Set(values.filter((one) => one === null || typeof one !== 'object'))
    const composite = values.filter((one) => one !== null && typeof one === 'object')
    let shown: string | null = null
    checks.push((value, effort) => {
      const fits =
        value === null || typeof value !== 'object'
          ? plain.has(value)
          : composite.some((one) => isEqual(value, one, effort))
      if (fits || effort.goal === 'fits') return fits
      shown ??= `must be one of ${shownList(values)}`
      return effort.fail(shown)
    })
  }
  return checks
}

/** The beginning of a list as JSON. */
export function shownList(values: readonly unknown[]): string {
  return JSON.stringify(values.slice(0, SHOWN_MAX)).slice(0, SHOWN_MAX)
}

/** Equality of JSON Schema Core section 4.2.2. */
function isEqual(a: unknown, b: unknown, effort: Effort): boolean {
  effort.spend(1)
  if (a === b) return true
  if (a === null || b === null || typeof a !== 'object' || typeof b !== 'object') return false
  if (Array.isArray(a))
    return (
      Array.isArray(b) && a.length === b.length && a.every((item, index) => isEqual(item, b[index], effort))
    )
  if (Array.isArray(b) || !isPlain(a) || !isPlain(b)) return false
  const names = Object.keys(a)
  effort.spend(names.length)
  if (names.length !== Object.keys(b).length) return false
  return names.every((name) => Object.hasOwn(b, name) && isEqual(a[name], b[name], effort))
}

/** Linear in the items: each with each would be too much. */
export const areItemsUnique: Check<readonly unknown[]> = (items, effort) => {
  const plain = new Set<unknown>()
  const composite = new Set<string>()
  let uncertain = 0
  for (const item of items) {
    effort.spend(1)
    if (item !== null && typeof item === 'object') {
      if (effort.hasInexact()) uncertain++
      else {
        effort.demandShallow(item)
        const text = canonicalJson(item)
        effort.spend(Math.ceil(text.length / CHARACTERS_PER_STEP))
        composite.add(text)
      }
    } else if (typeof item === 'number' && effort.isInexact(item)) uncertain++
    else plain.add(item)
  }
  return plain.size + composite.size + uncertain === items.length || effort.fail('must not have equal items')
}

/** A format that is asserted. Each check is linear in the text. */
type Format =
  | { readonly type: 'string'; readonly fits: (text: string) => boolean }
  | { readonly type: 'number'; readonly fits: (value: number) => boolean }

const DATE = String.raw`\d{4}-[01]\d-[0-3]\d`
const TIME = String.raw`(?:[0-2]\d:[0-5]\d:[0-5]\d|23:59:60)(?:\.\d+)?(?:z|[+-]\d\d(?::?\d\d)?)`
const OCTET = String.raw`(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)`
const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/i
const HOSTNAME_MAX = 254
/** Quoted names and address literals are addresses too (RFC 5321 section 4.1.2). */
const EMAIL = /^(?:"(?:[^"\\]|\\.)*"|[^\s@"]+)@(?:\[[^\s\]]+\]|[^\s@.-][^\s@]*)$/
/** Characters; RFC 5321 section 4.5.3.1 has less. A longer text would fill the stack of the expression. */
const EMAIL_MAX = 1000

const TEXTS: Readonly<Record<string, RegExp>> = {
  date: new RegExp(`^${DATE}$`),
  time: new RegExp(`^${TIME}$`, 'i'),
  'date-time': new RegExp(`^${DATE}t${TIME}$`, 'i'),
  ipv4: new RegExp(`^${OCTET}(?:\\.${OCTET}){3}$`),
  uri: /^[a-z][a-z0-9+\-.]*:\S*$/i,
  'uri-reference': /^(?:[^\s\\#][^\s#]*)?(?:#[^\s\\]*)?$/,
  uuid: /^(?:urn:uuid:)?[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i,
  // Base64 in either alphabet, with or without padding and line breaks: which of them is meant differs between APIs.
  byte: /^[A-Za-z0-9+/_\r\n-]*(?:={1,2}[\r\n]*)?$/,
}

const INT32_MIN = -(2 ** 31)
const INT32_MAX = 2 ** 31 - 1

const FUNCTIONS: Readonly<Record<string, Format>> = {
  email: { type: 'string', fits: (text) => text.length <= EMAIL_MAX && EMAIL.test(text) },
  hostname: { type: 'string', fits: isHostname },
  // RFC 6901 section 3
  'json-pointer': {
    type: 'string',
    fits: (text) => text === '' || (text.startsWith('/') && !/~(?![01])/.test(text)),
  },
  ipv6: { type: 'string', fits: (text) => !text.includes('%') && isIPv6(text) },
  int32: {
    type: 'number',
    fits: (value) => Number.isInteger(value) && value >= INT32_MIN && value <= INT32_MAX,
  },
  int64: { type: 'number', fits: Number.isInteger },
  float: { type: 'number', fits: () => true },
  double: { type: 'number', fits: () => true },
}

/** Formats of {@link CHECKED_FORMATS} by name; others are annotations. */
const FORMATS: ReadonlyMap<string, Format> = new Map(
  CHECKED_FORMATS.map((name) => [name, FUNCTIONS[name] ?? textFormat(TEXTS[name]!)]),
)

function textFormat(expression: RegExp): Format {
  return { type: 'string', fits: (text) => expression.test(text) }
}

/** RFC 1123 section 2.1, with or without the dot of the root. */
function isHostname(text: string): boolean {
  if (text.length > HOSTNAME_MAX) return false
  const labels = text.split('.')
  if (labels.length > 1 && labels.at(-1) === '') labels.pop()
  return (
    labels.every((label) => LABEL.test(label)) && text.length - (text.endsWith('.') ? 1 : 0) < HOSTNAME_MAX
  )
}
