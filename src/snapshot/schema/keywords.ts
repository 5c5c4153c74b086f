/**
 * What each keyword of JSON Schema (2020-12 and draft-07) says of a value of its type, apart from the keywords that apply other
 * schemas (`applicators.ts`). A keyword is linked once and then judges values.
 */
import { canonicalJson } from '../../base/canonical.ts'
import { isMultipleOf } from '../../base/decimal.ts'
import { linearPattern } from '../../base/linear-pattern.ts'
import { isPlain } from '../../base/plain.ts'
import type { Effort } from './effort.ts'
import type { Findings } from './findings.ts'
import { FORMATS } from './formats.ts'

/** A linked keyword, or several that belong together. */
export interface Check {
  fits(value: unknown, effort: Effort): boolean
  /** Tells what is wrong with a value that does not fit. */
  explain(value: unknown, place: string, findings: Findings): void
}

/** Links a keyword; null for one that says nothing. Throws a RangeError for a value that the keyword cannot have. */
type Link = (value: unknown, lenient: boolean) => Check | null

/** Characters of a text that count as a step. */
const CHARACTERS_PER_STEP = 64

function check(fits: Check['fits'], reason: string): Check {
  return { fits, explain: (_, place, findings) => findings.add(place, reason) }
}

const TYPES: ReadonlyMap<unknown, (value: unknown) => boolean> = new Map<
  unknown,
  (value: unknown) => boolean
>([
  ['null', (value) => value === null],
  ['boolean', (value) => typeof value === 'boolean'],
  ['string', (value) => typeof value === 'string'],
  // 1e400 is a number of JSON, and Infinity here
  ['number', (value) => typeof value === 'number'],
  ['integer', (value) => typeof value === 'number' && !(value % 1)],
  ['array', (value) => Array.isArray(value)],
  ['object', isPlain],
])

const type: Link = (value) => {
  const names: readonly unknown[] = Array.isArray(value) ? value : [value]
  const tests = names.map((name) => TYPES.get(name) ?? fail('type', 'names types of JSON'))
  if (tests.length === 0) fail('type', 'names types of JSON')
  const [first] = tests
  const fits = tests.length === 1 ? first! : (one: unknown) => tests.some((test) => test(one))
  return check(fits, `must be ${names.join(',')}`)
}

/** A keyword with a number, about numbers. */
function ofNumbers(
  keyword: string,
  fits: (value: number, bound: number, effort: Effort) => boolean,
  words: string,
): Link {
  return (bound) => {
    if (typeof bound !== 'number') return fail(keyword, 'is a number')
    return check(
      (value, effort) => typeof value !== 'number' || fits(value, bound, effort),
      `must be ${words} ${bound}`,
    )
  }
}

/** Bounds of schemas were read as doubles when they were stored. A double that is not the number that was written fits. */
function isNear(value: number, bound: number, effort: Effort): boolean {
  return value === bound && (effort.isInexact(value) || Math.abs(bound) > Number.MAX_SAFE_INTEGER)
}

/** A keyword with a count, about values that have a size. */
function ofSizes(
  keyword: string,
  sizeOf: (value: unknown, effort: Effort) => number | null,
  isMax: boolean,
  what: string,
): Link {
  return (bound) => {
    if (typeof bound !== 'number' || !Number.isInteger(bound) || bound < 0)
      return fail(keyword, 'is a whole number that is not negative')
    const fits = (value: unknown, effort: Effort): boolean => {
      const size = sizeOf(value, effort)
      return size === null || (isMax ? size <= bound : size >= bound)
    }
    return check(fits, `must NOT have ${isMax ? 'more' : 'fewer'} than ${bound} ${what}`)
  }
}

/** Length in characters, not in UTF-16 units (JSON Schema Validation 6.3.1). */
function charactersOf(value: unknown, effort: Effort): number | null {
  if (typeof value !== 'string') return null
  spendOn(value, effort)
  let count = value.length
  for (let at = 0; at < value.length - 1; at++)
    if ((value.charCodeAt(at) & 0xfc00) === 0xd800 && (value.charCodeAt(at + 1) & 0xfc00) === 0xdc00) {
      count--
      at++
    }
  return count
}

function spendOn(text: string, effort: Effort): void {
  if (text.length >= CHARACTERS_PER_STEP) effort.spend(Math.ceil(text.length / CHARACTERS_PER_STEP))
}

function itemsOf(value: unknown): number | null {
  return Array.isArray(value) ? value.length : null
}

function membersOf(value: unknown, effort: Effort): number | null {
  if (!isPlain(value)) return null
  const count = Object.keys(value).length
  effort.spend(count >> 4)
  return count
}

/** A test of text for an expression; null for one that fits everything, since nobody can say what it fits. */
export function patternOf(
  source: unknown,
  lenient: boolean,
): ((text: string, effort: Effort) => boolean) | null {
  if (typeof source !== 'string') return fail('pattern', 'is an expression')
  const found = linearPattern(source)
  if (found === null) {
    if (lenient) return null
    throw new RangeError(
      `the pattern ${source.slice(0, 80)} is broken, too large, or needs look-around or back references`,
    )
  }
  return (text, effort) => {
    effort.spend(1 + (text.length >> 3))
    return found.test(text)
  }
}

const pattern: Link = (source, lenient) => {
  const test = patternOf(source, lenient)
  if (test === null) return null
  return check(
    (value, effort) => typeof value !== 'string' || test(value, effort),
    `must match pattern "${String(source)}"`,
  )
}

const format: Link = (name) => {
  if (typeof name !== 'string') return fail('format', 'is the name of a format')
  const known = FORMATS.get(name)
  if (known === undefined) return null
  return check((value, effort) => {
    if (typeof value !== known.type) return true
    if (typeof value === 'string') spendOn(value, effort)
    return known.fits(value as never)
  }, `must match format "${name}"`)
}

const uniqueItems: Link = (wanted) => {
  if (typeof wanted !== 'boolean') return fail('uniqueItems', 'is true or false')
  if (!wanted) return null
  return check(
    (value, effort) => !Array.isArray(value) || areUnique(value, effort),
    'must not have equal items',
  )
}

/** In linear time: composite items are compared by their canonical text. */
function areUnique(items: readonly unknown[], effort: Effort): boolean {
  const plain = new Set<unknown>()
  const composite = new Set<string>()
  let uncertain = 0
  for (const item of items)
    if (item !== null && typeof item === 'object') {
      if (effort.hasInexact()) uncertain++
      else {
        const text = canonicalJson(item)
        effort.spend(1 + (text.length >> 3))
        composite.add(text)
      }
    } else if (typeof item === 'number' && effort.isInexact(item)) uncertain++
    else plain.add(item)
  effort.spend(items.length >> 2)
  return plain.size + composite.size + uncertain === items.length
}

const constant: Link = (wanted) => check(oneOfValues([wanted]), `must be ${shown(wanted)}`)

const enumeration: Link = (values) => {
  if (!Array.isArray(values)) return fail('enum', 'is a list of values')
  return check(oneOfValues(values), `must be one of ${shown(values)}`)
}

function shown(value: unknown): string {
  return (JSON.stringify(value) ?? '').slice(0, 200)
}

function oneOfValues(values: readonly unknown[]): Check['fits'] {
  const plain = new Set(values.filter((value) => value === null || typeof value !== 'object'))
  const others = values.filter((value) => value !== null && typeof value === 'object')
  return (value, effort) => {
    if (value === null || typeof value !== 'object') return plain.has(value)
    return others.some((one) => isEqual(one, value, effort))
  }
}

/** Equal as JSON, members in any order. */
function isEqual(a: unknown, b: unknown, effort: Effort): boolean {
  effort.spend(1)
  if (a === b) return true
  if (Array.isArray(a))
    return (
      Array.isArray(b) && a.length === b.length && a.every((item, index) => isEqual(item, b[index], effort))
    )
  if (!isPlain(a) || !isPlain(b)) return false
  const names = Object.keys(a)
  return (
    names.length === Object.keys(b).length &&
    names.every((name) => Object.hasOwn(b, name) && isEqual(a[name], b[name], effort))
  )
}

const required: Link = (value) => {
  const names = namesOf('required', value)
  if (names.length === 0) return null
  return {
    fits: (object, effort) => {
      if (!isPlain(object)) return true
      if (names.length > 8) effort.spend(names.length >> 3)
      return names.every((name) => Object.hasOwn(object, name))
    },
    explain: (object, place, findings) => {
      for (const name of names)
        if (!Object.hasOwn(object as object, name)) findings.addMember(place, name, 'is required')
    },
  }
}

const dependentRequired: Link = (map) => {
  if (!isPlain(map)) return fail('dependentRequired', 'is a map of names')
  const rules = Object.entries(map).map(
    ([name, names]) => [name, namesOf('dependentRequired', names)] as const,
  )
  const missing = (object: object): string[] =>
    rules.flatMap(([name, names]) =>
      Object.hasOwn(object, name) ? names.filter((one) => !Object.hasOwn(object, one)) : [],
    )
  const steps = rules.reduce((sum, [, names]) => sum + names.length + 1, 0)
  return {
    fits: (object, effort) => {
      if (!isPlain(object)) return true
      effort.spend(steps >> 3)
      return missing(object).length === 0
    },
    explain: (object, place, findings) => {
      for (const name of missing(object as object)) findings.addMember(place, name, 'is required')
    },
  }
}

export function namesOf(keyword: string, value: unknown): readonly string[] {
  if (!Array.isArray(value) || !value.every((name) => typeof name === 'string'))
    return fail(keyword, 'is a list of names')
  return value
}

/** Throws the RangeError of a keyword that has another value. */
export function fail(keyword: string, what: string): never {
  throw new RangeError(`"${keyword}" ${what}`)
}

/** By keyword, in the order in which they are judged. */
export const KEYWORDS: ReadonlyMap<string, Link> = new Map<string, Link>([
  ['type', type],
  ['const', constant],
  ['enum', enumeration],
  ['maximum', ofNumbers('maximum', (value, bound) => value <= bound, '<=')],
  ['minimum', ofNumbers('minimum', (value, bound) => value >= bound, '>=')],
  [
    'exclusiveMaximum',
    ofNumbers(
      'exclusiveMaximum',
      (value, bound, effort) => value < bound || isNear(value, bound, effort),
      '<',
    ),
  ],
  [
    'exclusiveMinimum',
    ofNumbers(
      'exclusiveMinimum',
      (value, bound, effort) => value > bound || isNear(value, bound, effort),
      '>',
    ),
  ],
  [
    'multipleOf',
    ofNumbers(
      'multipleOf',
      (value, divisor, effort) => isMultipleOf(value, divisor) || effort.isInexact(value),
      'multiple of',
    ),
  ],
  ['maxLength', ofSizes('maxLength', charactersOf, true, 'characters')],
  ['minLength', ofSizes('minLength', charactersOf, false, 'characters')],
  ['pattern', pattern],
  ['format', format],
  ['maxItems', ofSizes('maxItems', itemsOf, true, 'items')],
  ['minItems', ofSizes('minItems', itemsOf, false, 'items')],
  ['uniqueItems', uniqueItems],
  ['maxProperties', ofSizes('maxProperties', membersOf, true, 'properties')],
  ['minProperties', ofSizes('minProperties', membersOf, false, 'properties')],
  ['required', required],
  ['dependentRequired', dependentRequired],
])
