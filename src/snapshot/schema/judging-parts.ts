/**
 * A prepared schema as functions that judge a value. A part is made when a value first reaches it, so a schema costs only
 * what its values use. Every function spends steps of {@link Effort} before it looks.
 */
import { isPlain, type Plain } from '../../base/json/storable.ts'
import {
  type Applied,
  areItemsUnique,
  type Check,
  numberChecks,
  type Places,
  shownList,
  stringChecks,
  typeCheck,
  valueChecks,
} from './assertions.ts'
import { type Effort, Evaluated } from './effort.ts'
import { objectChecks } from './objects.ts'
import { type Tags, tagText } from './tags.ts'

/** Keywords that are looked at for a value, by its type. */
interface Checks {
  readonly string: readonly Check<string>[]
  readonly number: readonly Check<number>[]
  readonly array: readonly Check<readonly unknown[]>[]
  readonly object: readonly Check<Plain>[]
  readonly other: readonly Check[]
  /** Something asks which properties or items other keywords have evaluated. */
  readonly asksForEvaluated: boolean
}

/** One schema inside of a schema. */
export class Part implements Applied {
  readonly #schema: unknown
  readonly #places: Places
  #checks: Checks | null = null

  constructor(schema: unknown, places: Places) {
    this.#schema = schema
    this.#places = places
  }

  /** Whether a value fits. Errors are noted at the current place of the effort. */
  fits(value: unknown, effort: Effort): boolean {
    this.#checks ??= checksOf(this.#schema, this.#places)
    const checks = this.#checks
    effort.enter()
    const outer = effort.evaluated
    if (checks.asksForEvaluated) effort.evaluated = new Evaluated()
    const list = listFor(value, checks)
    effort.spend(1 + list.length)
    let fits = true
    for (const check of list) {
      if (check(value as never, effort)) continue
      fits = false
      if (effort.isDecided) break
    }
    if (checks.asksForEvaluated) {
      if (outer !== null && fits) outer.add(effort.evaluated!, effort)
      effort.evaluated = outer
    }
    effort.leave()
    return fits
  }

  /** Whether a part of the value fits, which has its place below the current one. */
  fitsBelow(token: PropertyKey, value: unknown, effort: Effort): boolean {
    const { evaluated } = effort
    effort.evaluated = null
    if (effort.goal !== 'fits') effort.path.push(token)
    const fits = this.fits(value, effort)
    if (effort.goal !== 'fits') effort.path.pop()
    effort.evaluated = evaluated
    return fits
  }

  /** Whether the same value fits. What this schema evaluates counts for the schema around it only if it does. */
  fitsInPlace(value: unknown, effort: Effort): boolean {
    const outer = effort.evaluated
    if (outer === null) return this.fits(value, effort)
    effort.evaluated = new Evaluated()
    const fits = this.fits(value, effort)
    if (fits) outer.add(effort.evaluated, effort)
    effort.evaluated = outer
    return fits
  }

  /** As {@link fitsInPlace}, without errors. */
  fitsQuietly(value: unknown, effort: Effort): boolean {
    const { goal } = effort
    effort.goal = 'fits'
    const fits = this.fitsInPlace(value, effort)
    effort.goal = goal
    return fits
  }
}

function listFor(value: unknown, checks: Checks): readonly Check<never>[] {
  switch (typeof value) {
    case 'string':
      return checks.string
    case 'number':
      return checks.number
    case 'object':
      return value === null ? checks.other : Array.isArray(value) ? checks.array : checks.object
    default:
      return checks.other
  }
}

const NOTHING: Checks = {
  string: [],
  number: [],
  array: [],
  object: [],
  other: [],
  asksForEvaluated: false,
}

function checksOf(schema: unknown, places: Places): Checks {
  if (schema === false) {
    const never = [(_value: unknown, effort: Effort) => effort.fail('is not allowed here')]
    return {
      string: never,
      number: never,
      array: never,
      object: never,
      other: never,
      asksForEvaluated: false,
    }
  }
  if (!isPlain(schema)) return NOTHING
  const type = schema['type'] === undefined ? [] : [typeCheck(schema['type'])]
  const general = [
    ...referenceChecks(schema, places),
    ...valueChecks(schema),
    ...choiceChecks(schema, places),
  ]
  const unique = schema['uniqueItems'] === true ? [areItemsUnique] : []
  return {
    string: [...type, ...stringChecks(schema), ...general],
    number: [...type, ...numberChecks(schema), ...general],
    array: [...type, ...general, ...arrayChecks(schema, places), ...unique],
    object: [...type, ...general, ...objectChecks(schema, places)],
    other: [...type, ...general],
    asksForEvaluated:
      places.isModern &&
      (schema['unevaluatedProperties'] !== undefined || schema['unevaluatedItems'] !== undefined),
  }
}

function referenceChecks(schema: Plain, places: Places): Check[] {
  const checks: Check[] = []
  const follow = (find: () => Applied): void => {
    let target: Applied | null = null
    checks.push((value, effort) => {
      target ??= find()
      const known = target
      return effort.remembered(known, value, () => known.fitsInPlace(value, effort))
    })
  }
  const keywords = places.isModern ? ['$ref', '$dynamicRef', '$recursiveRef'] : ['$ref']
  for (const keyword of keywords) {
    const reference = schema[keyword]
    if (typeof reference === 'string') follow(() => places.local(reference))
  }
  const shared = places.shared(schema)
  if (shared !== undefined) follow(shared)
  return checks
}

/** Parts of a list of schemas. */
function partsOf(list: unknown, places: Places): readonly Applied[] {
  return Array.isArray(list) ? list.map((item) => places.part(item)) : []
}

function choiceChecks(schema: Plain, places: Places): Check[] {
  const checks: Check[] = []
  if (schema['not'] !== undefined) checks.push(notCheck(places.part(schema['not'])))
  const tags = places.tags(schema)
  for (const keyword of ['anyOf', 'oneOf'] as const) {
    if (schema[keyword] === undefined) continue
    const parts = partsOf(schema[keyword], places)
    if (tags?.keyword === keyword) checks.push(taggedCheck(tags, parts))
    else checks.push(CHOICES[keyword](parts))
  }
  for (const part of partsOf(schema['allOf'], places))
    checks.push((value, effort) => part.fitsInPlace(value, effort))
  if (schema['if'] !== undefined) checks.push(ifCheck(schema, places))
  return checks
}

function notCheck(part: Applied): Check {
  return (value, effort) => {
    const { evaluated } = effort
    effort.evaluated = null
    const fits = part.fitsQuietly(value, effort)
    effort.evaluated = evaluated
    return !fits || effort.fail('must NOT be valid')
  }
}

function anyOfCheck(parts: readonly Applied[]): Check {
  return (value, effort) => {
    const errors = effort.errorCount
    let fits = false
    for (const part of parts) {
      effort.spend(1)
      if (!part.fitsInPlace(value, effort)) continue
      fits = true
      // All that fit have evaluated something
      if (effort.evaluated === null) break
    }
    if (!fits) return effort.fail('must match a schema in anyOf')
    effort.forgetErrors(errors)
    return true
  }
}

function oneOfCheck(parts: readonly Applied[]): Check {
  return (value, effort) => {
    const errors = effort.errorCount
    let fitting = 0
    for (const part of parts) {
      effort.spend(1)
      if (part.fitsInPlace(value, effort) && ++fitting > 1) break
    }
    if (fitting > 0) effort.forgetErrors(errors)
    return fitting === 1 || effort.fail('must match exactly one schema in oneOf')
  }
}

const CHOICES = { anyOf: anyOfCheck, oneOf: oneOfCheck }

/** Alternatives that a value does not name do not count. */
function taggedCheck(tags: Tags, parts: readonly Applied[]): Check {
  const { property, byValue, open, notObjects, fallback } = tags
  const choiceOf = (positions: readonly number[]): Check | null => {
    const some = positions.map((at) => parts[at]!)
    const [only] = some
    if (only === undefined) return null
    return some.length === 1
      ? (value, effort) => only.fitsInPlace(value, effort)
      : CHOICES[tags.keyword](some)
  }
  // Values that name the same alternatives share one choice: a mapping may have many that lead to all of them
  const named = new Map<readonly number[], Check | null>()
  const choiceFor = (text: string): Check | null => {
    const positions = byValue.get(text)
    if (positions === undefined) return unnamed
    let choice = named.get(positions)
    if (choice === undefined) {
      choice = choiceOf([...new Set([...positions, ...open])])
      named.set(positions, choice)
    }
    return choice
  }
  const unnamed = choiceOf(fallback.length > 0 ? fallback : open)
  const other = choiceOf(notObjects)
  return (value, effort) => {
    if (!isPlain(value)) return other === null ? effort.fail('must be object') : other(value, effort)
    const isThere = Object.hasOwn(value, property)
    const text = isThere ? tagText(value[property]) : null
    const choice = text === null ? unnamed : choiceFor(text)
    if (choice !== null) return choice(value, effort)
    if (!isThere) return effort.fail('is required', property)
    return effort.goal !== 'fits' && effort.fail(`must be one of ${shownList([...byValue.keys()])}`, property)
  }
}

function ifCheck(schema: Plain, places: Places): Check {
  const condition = places.part(schema['if'])
  const then = schema['then'] === undefined ? null : places.part(schema['then'])
  const otherwise = schema['else'] === undefined ? null : places.part(schema['else'])
  return (value, effort) => {
    const holds = condition.fitsQuietly(value, effort)
    const part = holds ? then : otherwise
    if (part === null || part.fitsInPlace(value, effort)) return true
    return effort.fail(`must match "${holds ? 'then' : 'else'}" schema`)
  }
}

// Keywords of arrays.

type ArrayCheck = Check<readonly unknown[]>

function arrayChecks(schema: Plain, places: Places): ArrayCheck[] {
  const checks: ArrayCheck[] = []
  const { maxItems, minItems } = schema
  if (typeof maxItems === 'number')
    checks.push(
      (items, effort) => items.length <= maxItems || effort.fail(`must NOT have more than ${maxItems} items`),
    )
  if (typeof minItems === 'number')
    checks.push(
      (items, effort) =>
        items.length >= minItems || effort.fail(`must NOT have fewer than ${minItems} items`),
    )
  checks.push(...itemChecks(schema, places))
  if (schema['contains'] !== undefined) checks.push(containsCheck(schema, places))
  if (places.isModern && schema['unevaluatedItems'] !== undefined)
    checks.push(unevaluatedCheck(schema['unevaluatedItems'], places))
  return checks
}

function itemChecks(schema: Plain, places: Places): ArrayCheck[] {
  const { items } = schema
  // Draft-07 has its tuples in `items`, and what follows them in `additionalItems`.
  const tuple = places.isModern ? schema['prefixItems'] : items
  const first = Array.isArray(tuple) ? tuple.map((item) => places.part(item)) : []
  const rest = !places.isModern && Array.isArray(items) ? schema['additionalItems'] : items
  const checks: ArrayCheck[] = []
  if (first.length > 0)
    checks.push((values, effort) => {
      let fits = true
      const end = Math.min(first.length, values.length)
      for (let at = 0; at < end; at++) {
        if (first[at]!.fitsBelow(at, values[at], effort)) continue
        fits = false
        if (effort.isDecided) return false
      }
      markItems(effort, end)
      return fits
    })
  if (rest === false)
    checks.push(
      (values, effort) =>
        values.length <= first.length || effort.fail(`must NOT have more than ${first.length} items`),
    )
  else if (rest !== undefined) {
    const part = places.part(rest)
    checks.push((values, effort) => {
      let fits = true
      for (let at = first.length; at < values.length; at++) {
        if (part.fitsBelow(at, values[at], effort)) continue
        fits = false
        if (effort.isDecided) return false
      }
      markItems(effort, values.length)
      return fits
    })
  }
  return checks
}

function markItems(effort: Effort, end: number): void {
  if (effort.evaluated !== null) effort.evaluated.items = Math.max(effort.evaluated.items, end)
}

function containsCheck(schema: Plain, places: Places): ArrayCheck {
  const part = places.part(schema['contains'])
  const { minContains, maxContains } = places.isModern ? schema : ({} as Plain)
  const min = typeof minContains === 'number' ? minContains : 1
  const max = typeof maxContains === 'number' ? maxContains : Number.POSITIVE_INFINITY
  const reason =
    max === Number.POSITIVE_INFINITY
      ? `must contain at least ${min} valid item(s)`
      : `must contain at least ${min} and no more than ${max} valid item(s)`
  return (items, effort) => {
    const { evaluated, goal } = effort
    effort.evaluated = null
    effort.goal = 'fits'
    let found = 0
    for (let at = 0; at < items.length; at++) {
      if (!part.fits(items[at], effort)) continue
      found++
      evaluated?.indexes.add(at)
      if (evaluated === null && (found > max || (max === Number.POSITIVE_INFINITY && found >= min))) break
    }
    effort.evaluated = evaluated
    effort.goal = goal
    return (found >= min && found <= max) || effort.fail(reason)
  }
}

/** Comes after all that evaluates items. */
function unevaluatedCheck(schema: unknown, places: Places): ArrayCheck {
  const part = places.part(schema)
  return (items, effort) => {
    const evaluated = effort.evaluated!
    let fits = true
    for (let at = evaluated.items; at < items.length; at++) {
      effort.spend(1)
      if (evaluated.indexes.has(at)) continue
      if (schema === false) fits = effort.fail(`must NOT have more than ${at} items`)
      else if (!part.fitsBelow(at, items[at], effort)) fits = false
      if (!fits && (schema === false || effort.isDecided)) return false
    }
    evaluated.items = items.length
    return fits
  }
}
