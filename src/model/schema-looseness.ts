/**
 * Where a schema is judged less strictly than it is written. A part that takes too much does no harm where it stands alone;
 * inside of `not`, `oneOf` and `if` it would refuse values that the schema takes.
 */
import { isPlain, type Plain, tokenText } from '../base/json/storable.ts'
import { linearPattern } from '../base/text/patterns.ts'

/**
 * Keywords of JSON Schema by what they hold: one schema, a list of schemas, a map of schemas. Those of definitions and
 * the ones that few schemas have are left out: summaries do not show them.
 */
export const ONE = [
  'items',
  'additionalProperties',
  'not',
  'if',
  'then',
  'else',
  'contains',
  'propertyNames',
] as const
export const LIST = ['prefixItems', 'allOf', 'anyOf', 'oneOf'] as const
export const MAP = ['properties', 'patternProperties', 'dependentSchemas'] as const

/**
 * Keyword of stored schemas that lists keywords of the description that were left out because they cannot be judged
 * exactly. Without it a `oneOf` or `not` around them would refuse what the description takes.
 */
export const NOT_JUDGED = 'x-not-judged'

/** Which way the value goes: what is read-only is never required of a request, what is write-only never of an answer. */
export type Way = 'request' | 'response'

/** Shared schemas by name. */
export interface Definitions {
  has(name: string): boolean
  get(name: string): unknown
}

interface Looseness {
  /** The schema takes more than it says, itself or in what it refers to. True also when that would take too long to find out. */
  isLoose(schema: unknown): boolean
  /**
   * Names of properties that go the other way alone (OpenAPI 3.0.4 section 4.7.24.2), by all that is said of the same value.
   * Throws a RangeError when that would take too long to find out.
   */
  othersOf(schema: Plain): ReadonlySet<string>
}

export const NO_NAMES: ReadonlySet<string> = new Set()

const HAS_ONE = [...ONE, 'additionalItems', 'unevaluatedItems', 'unevaluatedProperties']
const HAS_LIST = [...LIST, 'items']
const HAS_MAP = [...MAP, 'dependencies']
/** Schemas about the same value. `not` and `if` are no promise about it. */
const IN_PLACE = ['allOf', 'anyOf', 'oneOf'] as const
/** Schemas that are looked at for one schema, in all. Parts of it that share large definitions are looked at again for each. */
const VISITS_MAX = 2_000_000

/** Of all schemas over one set of shared ones. */
export interface Loosenesses {
  of(root: unknown): Looseness
  /** Of the names, those that a shared schema requires although what is said of them stands with what refers to it. Sorted. */
  relevantTo(name: string, others: ReadonlySet<string>): readonly string[]
}

/**
 * @param way of the values that are judged
 * @param visitsMax schemas that are looked at for one schema, in all
 */
export function createLooseness(shared: Definitions, way: Way, visitsMax = VISITS_MAX): Loosenesses {
  const mark = way === 'request' ? 'readOnly' : 'writeOnly'
  /** What is said of a shared schema alone, and the names that it leads to. */
  const surveys = new Map<string, Survey>()
  const looseNames = new Map<string, boolean>()

  const surveyOf = (name: string): Survey => {
    const known = surveys.get(name)
    if (known !== undefined) return known
    const found: Survey = { isLoose: false, names: new Set() }
    surveys.set(name, found)
    survey(
      shared.get(name),
      found,
      () => true,
      () => undefined,
    )
    return found
  }

  function isLooseName(start: string): boolean {
    const known = looseNames.get(start)
    if (known !== undefined) return known
    const seen = new Set([start])
    let isLoose = false
    // A set is walked with what is added on the way
    for (const name of seen) {
      const found = surveyOf(name)
      isLoose ||= found.isLoose || looseNames.get(name) === true
      if (isLoose) break
      for (const next of found.names) seen.add(next)
    }
    looseNames.set(start, isLoose)
    return isLoose
  }

  /** Notes what a schema says, without what it refers to among the shared ones. */
  function survey(
    schema: unknown,
    found: Survey,
    mayVisit: () => boolean,
    local: (reference: string) => unknown,
  ): void {
    if (!isPlain(schema) || found.isLoose) return
    if (!mayVisit() || isLooseItself(schema, mark)) {
      found.isLoose = true
      return
    }
    const reference = schema['$ref']
    if (typeof reference === 'string') {
      const name = nameIn(reference)
      const target = local(reference)
      if (target !== undefined) survey(target, found, mayVisit, local)
      else if (name !== null && shared.has(name)) found.names.add(name)
    }
    for (const inner of partsOf(schema)) survey(inner, found, mayVisit, local)
  }

  const required = new Map<string, ReadonlySet<string>>()

  const of = (root: unknown): Looseness => {
    const resolved = new Map<string, unknown>()
    const target = (reference: string): unknown => {
      const local = lookUpLocal(root, reference)
      if (local !== undefined) return local
      const name = nameIn(reference)
      return name !== null && shared.has(name) ? shared.get(name) : undefined
    }
    const known = new Map<object, boolean>()
    const others = new Map<object, ReadonlySet<string>>()
    const otherWay = new Map<object, boolean>()
    let left = visitsMax
    const mayVisit = (): boolean => left-- > 0
    const visit = (): void => {
      if (!mayVisit()) throw new RangeError('its parts lead to each other in too many ways')
    }

    /** Some schema that is about the same value has the mark. */
    const goesOtherWay = (property: unknown): boolean => {
      if (!isPlain(property)) return false
      const before = otherWay.get(property)
      if (before !== undefined) return before
      const seen = new Set<unknown>([property])
      let isMarked = false
      // A set is walked with what is added on the way
      for (const schema of seen) {
        visit()
        if (!isPlain(schema)) continue
        isMarked = schema[mark] === true
        if (isMarked) break
        const reference = schema['$ref']
        if (typeof reference === 'string') seen.add(target(reference))
        for (const keyword of IN_PLACE) {
          const list = schema[keyword]
          if (Array.isArray(list)) for (const item of list) seen.add(item)
        }
      }
      otherWay.set(property, isMarked)
      return isMarked
    }

    const collect = (schema: unknown, names: Set<string>, seen: Set<unknown>): void => {
      if (!isPlain(schema) || seen.has(schema)) return
      seen.add(schema)
      visit()
      const { properties, $ref: reference } = schema
      if (isPlain(properties))
        for (const [name, property] of Object.entries(properties)) {
          visit()
          if (goesOtherWay(property)) names.add(name)
        }
      if (typeof reference === 'string') collect(target(reference), names, seen)
      for (const keyword of IN_PLACE) {
        const list = schema[keyword]
        if (Array.isArray(list)) for (const item of list) collect(item, names, seen)
      }
      for (const keyword of ['then', 'else']) collect(schema[keyword], names, seen)
      if (isPlain(schema['dependentSchemas']))
        for (const item of Object.values(schema['dependentSchemas'])) collect(item, names, seen)
    }

    const othersOf = (schema: Plain): ReadonlySet<string> => {
      const before = others.get(schema)
      if (before !== undefined) return before
      const reference = schema['$ref']
      const isReference = typeof reference === 'string' && Object.keys(schema).length === 1
      const to = isReference ? target(reference) : undefined
      if (isPlain(to)) {
        // Hundreds of places may refer to one schema with hundreds of parts. References in a circle name nothing
        others.set(schema, new Set())
        visit()
        const names = othersOf(to)
        others.set(schema, names)
        return names
      }
      const names = new Set<string>()
      collect(schema, names, new Set())
      others.set(schema, names)
      return names
    }

    return {
      isLoose(schema) {
        if (!isPlain(schema)) return false
        const before = known.get(schema)
        if (before !== undefined) return before
        const found: Survey = { isLoose: false, names: new Set() }
        const entered = new Set<string>()
        survey(schema, found, mayVisit, (reference) => {
          if (entered.has(reference)) return undefined
          entered.add(reference)
          if (!resolved.has(reference)) resolved.set(reference, lookUpLocal(root, reference))
          return resolved.get(reference)
        })
        const isLoose = found.isLoose || [...found.names].some(isLooseName)
        known.set(schema, isLoose)
        return isLoose
      },
      othersOf,
    }
  }

  /** Names that a shared schema requires and does not say the way of itself. */
  const requiredBy = (name: string): ReadonlySet<string> => {
    const known = required.get(name)
    if (known !== undefined) return known
    const schema = shared.get(name)
    const names = new Set<string>()
    collectRequired(schema, shared, names, new Set())
    if (isPlain(schema)) for (const own of of(schema).othersOf(schema)) names.delete(own)
    required.set(name, names)
    return names
  }

  return {
    of,
    relevantTo(name, others) {
      if (others.size === 0) return []
      const wanted = requiredBy(name)
      return [...others].filter((one) => wanted.has(one)).sort()
    },
  }
}

/** Every name that a schema or what it refers to may require of the same value. */
function collectRequired(schema: unknown, shared: Definitions, names: Set<string>, seen: Set<unknown>): void {
  if (!isPlain(schema) || seen.has(schema)) return
  seen.add(schema)
  const add = (list: unknown): void => {
    if (Array.isArray(list)) for (const name of list) names.add(String(name))
  }
  add(schema['required'])
  for (const keyword of ['dependentRequired', 'dependencies']) {
    const map = schema[keyword]
    if (isPlain(map)) for (const list of Object.values(map)) add(list)
  }
  const inner = (one: unknown): void => collectRequired(one, shared, names, seen)
  const reference = schema['$ref']
  const name = typeof reference === 'string' ? nameIn(reference) : null
  if (name !== null && shared.has(name)) inner(shared.get(name))
  for (const keyword of IN_PLACE) {
    const list = schema[keyword]
    if (Array.isArray(list)) for (const item of list) inner(item)
  }
  for (const keyword of ['then', 'else']) inner(schema[keyword])
  for (const keyword of ['dependentSchemas', 'dependencies']) {
    const map = schema[keyword]
    if (isPlain(map)) for (const item of Object.values(map)) inner(item)
  }
}

interface Survey {
  isLoose: boolean
  readonly names: Set<string>
}

/** A keyword of its own is judged less strictly than it is written. */
function isLooseItself(schema: Plain, mark: string): boolean {
  const { pattern, patternProperties } = schema
  return (
    schema[mark] === true ||
    // Readers differ in which they know, and in how strictly they take them.
    typeof schema['format'] === 'string' ||
    schema['multipleOf'] !== undefined ||
    schema['$dynamicRef'] !== undefined ||
    schema['unevaluatedProperties'] !== undefined ||
    schema['unevaluatedItems'] !== undefined ||
    (Array.isArray(schema[NOT_JUDGED]) && schema[NOT_JUDGED].length > 0) ||
    (typeof pattern === 'string' && linearPattern(pattern) === null) ||
    (isPlain(patternProperties) &&
      Object.keys(patternProperties).some((source) => linearPattern(source) === null))
  )
}

function* partsOf(schema: Plain): Iterable<unknown> {
  for (const keyword of HAS_ONE) yield schema[keyword]
  for (const keyword of HAS_LIST) {
    const list = schema[keyword]
    if (Array.isArray(list)) yield* list
  }
  for (const keyword of HAS_MAP) {
    const map = schema[keyword]
    if (isPlain(map)) yield* Object.values(map)
  }
}

/** Name of a definition at the root, or null. */
export function nameIn(reference: string): string | null {
  const match = /^#\/\$defs\/([^/]+)$/.exec(reference)
  return match === null ? null : tokenText(decoded(match[1]!))
}

/** What a reference into the schema itself points at, or undefined. */
export function lookUpLocal(root: unknown, reference: string): unknown {
  if (reference === '#') return root
  if (!reference.startsWith('#/')) return undefined
  let value = root
  for (const token of reference.slice(2).split('/')) {
    const name = tokenText(decoded(token))
    if (value === null || typeof value !== 'object' || !Object.hasOwn(value, name)) return undefined
    value = (value as Plain)[name]
  }
  return value
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** Formats of JSON Schema that contracts assert; other formats are annotations. Each is a simple expression or function. */
export const CHECKED_FORMATS = [
  'date',
  'time',
  'date-time',
  'email',
  'hostname',
  'ipv4',
  'ipv6',
  'uri',
  'uri-reference',
  'uuid',
  'json-pointer',
  'byte',
  'int32',
  'int64',
  'float',
  'double',
] as const

/** True for formats that contracts assert. */
export function isCheckedFormat(name: string): boolean {
  return CHECKED_FORMATS.some((format) => format === name)
}
