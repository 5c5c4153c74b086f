import { isPlain, type Plain, pointerTo } from '../../base/json/storable.ts'
import { linearPattern } from '../../base/text/patterns.ts'
import type { JsonSchema } from '../../model/api/proxy.ts'
import {
  createLooseness,
  type Definitions,
  LIST,
  lookUpLocal,
  MAP,
  NO_NAMES,
  NOT_JUDGED,
  nameIn,
  ONE,
  type Way,
} from '../../model/schema-looseness.ts'
import { type Tags, tagsOf } from './tags.ts'

/** Keywords that hold one schema, a list or a map of them, in any draft. */
const HAS_ONE = new Set<string>([...ONE, 'additionalItems', 'unevaluatedItems', 'unevaluatedProperties'])
const HAS_LIST = new Set<string>([...LIST, 'items'])
const HAS_MAP = new Set<string>([...MAP, 'dependencies', '$defs', 'definitions'])
/** Of those, the ones whose schemas are about the same value. */
const IN_PLACE = new Set(['allOf', 'anyOf', 'oneOf', 'then', 'else', 'dependentSchemas', 'dependencies'])
/** Left out: names that would move references, and notes. */
const DROPPED = new Set([
  '$schema',
  '$id',
  'id',
  '$async',
  '$comment',
  'nullable',
  'contentSchema',
  NOT_JUDGED,
])

const UNEVALUATED = ['unevaluatedProperties', 'unevaluatedItems'] as const

const BESIDE_REFERENCE = new Set(['$ref', 'definitions', '$defs'])
const DEFINITIONS = new Set(['$defs', 'definitions'])
const REFERENCES = new Set(['$ref', '$dynamicRef', '$recursiveRef'])
const ANCHORS = new Set(['$anchor', '$dynamicAnchor'])

/** Parts of one schema; more would take noticeable time to compile. */
const PARTS_MAX = 20_000
const DEPTH_MAX = 100
/** Schemas that are looked at for the discriminators of one schema. */
const TAG_LOOKS_MAX = 50_000

/** A reference to a shared schema, with the properties that go the other way for what refers to it. */
export interface SharedReference {
  readonly name: string
  /** Sorted. */
  readonly others: readonly string[]
}

/** A copy of a schema to judge by. All its parts have the shape that the judge relies on. */
export interface Prepared {
  readonly schema: Plain | boolean
  readonly isModern: boolean
  /** What a reference in the copy leads to, other than a shared schema. */
  target(reference: string): Plain | boolean
  /** What a part of the copy says by a reference to a shared schema. */
  sharedOf(part: Plain): SharedReference | undefined
  /** How a discriminator tells the alternatives of a part of the copy apart. */
  tagsOf(part: Plain): Tags | undefined
}

/**
 * Makes the copy. Throws a RangeError, with the place of the fault, for a schema that is too large or too deep, has a keyword
 * of the wrong shape, or leads to no schema.
 *
 * @param others names of properties that are not required here, whatever the schema says
 */
export type Preparation = (root: JsonSchema, others?: readonly string[]) => Prepared

/**
 * The copy takes whatever the schema takes. Where a part of it is judged less strictly than it is written (a property
 * that goes the other way, a format, an expression that is not regular), the keywords that would turn that around are
 * loosened with it: `not` and `if` are left out, `oneOf` becomes `anyOf`.
 *
 * @param lenient for stored schemas: notes may be anything, and an expression that is not regular fits everything
 */
export function createPreparation(shared: Definitions, way: Way, lenient: boolean): Preparation {
  const looseness = createLooseness(shared, way)

  return (root, others = []) => {
    const own = isPlain(root) && isPlain(root['$defs']) ? root['$defs'] : {}
    const isModern = !(isPlain(root) && /draft-0[4-7]/.test(String(root['$schema'] ?? '')))
    const { isLoose, othersOf } = looseness.of(root)
    let left = PARTS_MAX
    const path: PropertyKey[] = []
    const sharedReferences = new Map<object, SharedReference>()
    const tags = new Map<object, Tags>()
    const looks = { left: TAG_LOOKS_MAX }
    const anchors = new Map<string, Plain>()
    const known: Definitions = {
      has: (name) => Object.hasOwn(own, name) || shared.has(name),
      get: (name) => (Object.hasOwn(own, name) ? own[name] : shared.get(name)),
    }
    const written = (reference: string): unknown => {
      const local = lookUpLocal(root, reference)
      const name = local === undefined ? nameIn(reference) : null
      return name === null ? local : shared.get(name)
    }

    function part(schema: unknown, depth: number, inherited: ReadonlySet<string>): unknown {
      if (!isPlain(schema)) return schema
      if (left-- === 0) throw new RangeError(`the schema has more than ${PARTS_MAX} parts`)
      if (depth > DEPTH_MAX) throw new RangeError(`the schema is nested more than ${DEPTH_MAX} deep`)
      const fault = shapeFault(schema, isModern, lenient)
      if (fault !== null) throw new RangeError(placed(path, fault))
      const result: Plain = {}
      const others = union(inherited, othersOf(schema))
      const inner = (keyword: string, value: unknown, ...tokens: readonly PropertyKey[]): unknown => {
        path.push(keyword, ...tokens)
        const made = part(value, depth + 1, IN_PLACE.has(keyword) ? others : NO_NAMES)
        path.length -= 1 + tokens.length
        return made
      }
      // Before 2019 a reference stood for the whole schema, whatever was beside it.
      const isReference = !isModern && typeof schema['$ref'] === 'string'
      for (const [keyword, value] of Object.entries(schema)) {
        if (DROPPED.has(keyword) || (isReference && !BESIDE_REFERENCE.has(keyword))) continue
        const name = keyword === '$ref' ? sharedName(value) : null
        if (name !== null) sharedReferences.set(result, { name, others: looseness.relevantTo(name, others) })
        else if (HAS_LIST.has(keyword) && Array.isArray(value))
          result[keyword] = value.map((item, index) => inner(keyword, item, index))
        else if (keyword === 'required' && Array.isArray(value)) {
          const required = value.filter((name) => !others.has(String(name)))
          if (required.length > 0) result[keyword] = required
        } else if (keyword === 'dependentRequired' && isPlain(value))
          result[keyword] = Object.fromEntries(
            Object.entries(value).map(([key, names]) => [key, without(names, others)]),
          )
        else if (HAS_ONE.has(keyword)) result[keyword] = inner(keyword, value)
        else if (HAS_MAP.has(keyword) && isPlain(value))
          // fromEntries, since a property may be called __proto__
          result[keyword] = Object.fromEntries(
            Object.entries(value).map(([key, item]) => [
              key,
              keyword === 'dependencies' && Array.isArray(item)
                ? without(item, others)
                : inner(keyword, item, key),
            ]),
          )
        else {
          result[keyword] = value
          if (typeof value !== 'string') continue
          if (ANCHORS.has(keyword) && !anchors.has(value)) anchors.set(value, result)
        }
      }
      const told = isReference ? null : tagsOf(schema, known, written, looks)
      if (told !== null) tags.set(result, told)
      loosen(schema, result, others.size > 0)
      made.add(result)
      return result
    }

    /** Every part of the copy. */
    const made = new WeakSet<object>()
    /** Copies of schemas that a reference leads to outside of all keywords that hold schemas. */
    const elsewhere = new Map<object, unknown>()
    const targets = new Map<string, Plain | boolean>()

    function target(reference: string): Plain | boolean {
      const known = targets.get(reference)
      if (known !== undefined) return known
      const anchor = reference.startsWith('#') ? anchors.get(reference.slice(1)) : undefined
      let found: unknown = anchor ?? lookUpLocal(copy, reference)
      if (isPlain(found) && !made.has(found)) {
        const before = elsewhere.get(found) ?? part(found, 0, NO_NAMES)
        elsewhere.set(found, before)
        found = before
      }
      if (!isPlain(found) && typeof found !== 'boolean')
        throw new RangeError(`the reference ${reference.slice(0, 200)} leads to no schema`)
      targets.set(reference, found)
      return found
    }

    function loosen(schema: Plain, result: Plain, hasOthers: boolean): void {
      if (schema['nullable'] === true && typeof result['type'] === 'string') {
        result['type'] = [result['type'], 'null']
        if (Array.isArray(result['enum']) && !result['enum'].includes(null))
          result['enum'] = [...result['enum'], null]
      }
      if (result['not'] !== undefined && isLoose(schema['not'])) delete result['not']
      if (result['if'] !== undefined && isLoose(schema['if']))
        for (const keyword of ['if', 'then', 'else']) delete result[keyword]
      const choices = schema['oneOf']
      if (Array.isArray(choices) && (hasOthers || choices.some(isLoose))) {
        const choice = { anyOf: result['oneOf'] }
        const told = tags.get(result)
        if (told !== undefined) tags.set(choice, { ...told, keyword: 'anyOf' })
        result['allOf'] = [...(Array.isArray(result['allOf']) ? result['allOf'] : []), choice]
        tags.delete(result)
        delete result['oneOf']
      }
      if (result['maxContains'] !== undefined && isLoose(schema['contains'])) delete result['maxContains']
      const patterns = result['patternProperties']
      if (isPlain(patterns) && lenient)
        for (const source of Object.keys(patterns))
          if (linearPattern(source) === null) {
            // All names count as described, since nobody can say which are.
            delete patterns[source]
            patterns[''] ??= true
          }
      // What a shared schema has looked at is not known to those that refer to it.
      for (const keyword of UNEVALUATED)
        if (result[keyword] !== undefined && sharedReferences.size > 0 && leadsAway(result))
          delete result[keyword]
    }

    function sharedName(reference: unknown): string | null {
      const name = typeof reference === 'string' ? nameIn(reference) : null
      if (name === null || Object.hasOwn(own, name) || !shared.has(name)) return null
      return name
    }

    /** Something about the same value is said by a shared schema, or by a definition that may lead to one. */
    function leadsAway(schema: unknown): boolean {
      if (!isPlain(schema)) return false
      if (sharedReferences.has(schema) || [...REFERENCES].some((keyword) => schema[keyword] !== undefined))
        return true
      const { dependentSchemas } = schema
      return (
        ['allOf', 'anyOf', 'oneOf'].some((keyword) => {
          const list = schema[keyword]
          return Array.isArray(list) && list.some(leadsAway)
        }) ||
        ['if', 'then', 'else'].some((keyword) => leadsAway(schema[keyword])) ||
        (isPlain(dependentSchemas) && Object.values(dependentSchemas).some(leadsAway))
      )
    }

    // A part of an object is an object, and of a boolean the boolean.
    const copy = part(root, 0, new Set(others)) as Plain | boolean
    // Those found on the way are looked at too. Definitions that nothing leads to may be broken.
    checkReachable(copy, target)
    return {
      schema: copy,
      isModern,
      target,
      sharedOf: (part) => sharedReferences.get(part),
      tagsOf: (part) => tags.get(part),
    }
  }
}

/** Throws a RangeError for a reference that a value may lead to and that leads to no schema. */
function checkReachable(root: unknown, target: (reference: string) => unknown): void {
  const seen = new Set<unknown>([root])
  // A set is walked with what is added on the way
  for (const schema of seen) {
    if (!isPlain(schema)) continue
    for (const keyword of REFERENCES) {
      const reference = schema[keyword]
      if (typeof reference === 'string') seen.add(target(reference))
    }
    for (const [keyword, value] of Object.entries(schema)) {
      if (DEFINITIONS.has(keyword)) continue
      if (HAS_ONE.has(keyword)) seen.add(value)
      if (HAS_LIST.has(keyword) && Array.isArray(value)) for (const item of value) seen.add(item)
      if (HAS_MAP.has(keyword) && isPlain(value)) for (const item of Object.values(value)) seen.add(item)
    }
  }
}

function placed(path: readonly PropertyKey[], fault: string): string {
  const pointer = pointerTo('', ...path).slice(0, 200)
  return pointer === '' ? fault : `${pointer}/${fault}`
}

function union(a: ReadonlySet<string>, b: ReadonlySet<string>): ReadonlySet<string> {
  if (a.size === 0) return b
  return b.size === 0 ? a : new Set([...a, ...b])
}

function without(names: unknown, others: ReadonlySet<string>): unknown {
  return Array.isArray(names) ? names.filter((name) => !others.has(String(name))) : names
}

// The values that keywords may have. The judge relies on this check and checks no keyword again.

const TYPES = new Set(['string', 'number', 'integer', 'boolean', 'null', 'array', 'object'])

/** Says what a value must be; null when it is. */
type Shape = (value: unknown, isModern: boolean) => string | null

const must =
  (what: string, isGood: (value: unknown) => boolean): Shape =>
  (value) =>
    isGood(value) ? null : `must be ${what}`

const isSchema = (value: unknown): boolean => typeof value === 'boolean' || isPlain(value)
const isTexts = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((item) => typeof item === 'string')
const isCount = (value: unknown): boolean => Number.isInteger(value) && (value as number) >= 0

const text = must('a string', (value) => typeof value === 'string')
const flag = must('true or false', (value) => typeof value === 'boolean')
const number = must('a number', (value) => typeof value === 'number')
const count = must('an integer of at least 0', isCount)
const schema = must('a schema: an object, true or false', isSchema)
const texts = must(
  'a list of different strings',
  (value) => isTexts(value) && new Set(value).size === value.length,
)
const schemas = must(
  'a list of at least one schema',
  (value) => Array.isArray(value) && value.length > 0 && value.every(isSchema),
)
const map = must('an object of schemas', (value) => isPlain(value) && Object.values(value).every(isSchema))

const SHAPES = new Map<string, Shape>([
  ['$ref', text],
  ['$dynamicRef', text],
  ['$recursiveRef', text],
  ['$anchor', text],
  ['$dynamicAnchor', text],
  [
    'type',
    must('a type of JSON or a list of types', (value) =>
      typeof value === 'string'
        ? TYPES.has(value)
        : isTexts(value) && value.length > 0 && value.every((type) => TYPES.has(type)),
    ),
  ],
  [
    'enum',
    (value) => {
      if (!Array.isArray(value)) return 'must be a list'
      return value.length > 0 ? null : 'must have non-empty array'
    },
  ],
  ['format', text],
  ['multipleOf', must('a number above 0', (value) => typeof value === 'number' && value > 0)],
  ['maximum', number],
  ['minimum', number],
  ['exclusiveMaximum', number],
  ['exclusiveMinimum', number],
  ...[
    'maxLength',
    'minLength',
    'maxItems',
    'minItems',
    'maxProperties',
    'minProperties',
    'maxContains',
    'minContains',
  ].map((keyword) => [keyword, count] as const),
  ['pattern', text],
  ['uniqueItems', flag],
  ['required', texts],
  [
    'dependentRequired',
    must('an object of lists of strings', (value) => isPlain(value) && Object.values(value).every(isTexts)),
  ],
  [
    'dependencies',
    must(
      'an object of schemas or lists of strings',
      (value) => isPlain(value) && Object.values(value).every((item) => isSchema(item) || isTexts(item)),
    ),
  ],
  [
    'items',
    (value, isModern) =>
      !isModern && Array.isArray(value) ? schemas(value, isModern) : schema(value, isModern),
  ],
  ...['prefixItems', 'allOf', 'anyOf', 'oneOf'].map((keyword) => [keyword, schemas] as const),
  ...[
    'additionalItems',
    'additionalProperties',
    'contains',
    'else',
    'if',
    'not',
    'propertyNames',
    'then',
    'unevaluatedItems',
    'unevaluatedProperties',
  ].map((keyword) => [keyword, schema] as const),
  ...['properties', 'patternProperties', 'dependentSchemas', '$defs', 'definitions'].map(
    (keyword) => [keyword, map] as const,
  ),
  ['title', text],
  ['description', text],
  ['deprecated', flag],
  ['readOnly', flag],
  ['writeOnly', flag],
  ['examples', must('a list', Array.isArray)],
])
/** Notes that say nothing about a value: stored schemas may have anything in them. */
const NOTES = new Set(['title', 'description', 'deprecated', 'readOnly', 'writeOnly', 'examples'])

/**
 * Checks the keywords of one schema, not those of its parts.
 * @param lenient for stored schemas: notes may be anything, and an expression that is not regular fits everything
 * @returns what is wrong, as one sentence with the keyword first; null when nothing is
 */
function shapeFault(schema: Plain, isModern: boolean, lenient: boolean): string | null {
  for (const [keyword, value] of Object.entries(schema)) {
    const shape = SHAPES.get(keyword)
    if (shape === undefined || (lenient && NOTES.has(keyword))) continue
    const fault = shape(value, isModern)
    if (fault !== null) return `${keyword} ${fault}`
  }
  return lenient ? null : patternFault(schema)
}

function patternFault({ pattern, patternProperties }: Plain): string | null {
  const sources = [
    ...(typeof pattern === 'string' ? [pattern] : []),
    ...(isPlain(patternProperties) ? Object.keys(patternProperties) : []),
  ]
  const bad = sources.find((source) => linearPattern(source) === null)
  return bad === undefined
    ? null
    : `the pattern ${bad.slice(0, 80)} is broken, too large, or needs look-around or back references`
}
