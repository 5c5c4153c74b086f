import { linearPattern } from '../../base/linear-pattern.ts'
import { isPlain, type Plain } from '../../base/plain.ts'
import type { JsonSchema } from '../../model/proxy.ts'
import { LIST, MAP, NOT_JUDGED, ONE } from '../../model/schema-keywords.ts'
import {
  createLooseness,
  type Definitions,
  NO_NAMES,
  nameIn,
  type Way,
} from '../../model/schema-looseness.ts'
import { type Alternatives, tagsOf } from './tags.ts'

/** The keyword that a reference into the shared schemas becomes: it is followed when a value leads there. */
export const SHARED = 'postern:shared'

/** The keyword that alternatives with a discriminator become: one is chosen by a property of the value. */
export const TAGGED = 'postern:tagged'

/** Alternatives of which a property of the value names the one that counts. */
export interface Tagged {
  readonly property: string
  /** Index of the alternative, by value of the property. */
  readonly tags: Readonly<Record<string, number>>
  readonly alternatives: readonly unknown[]
}

/** Keywords that hold one schema, a list or a map of them, in any draft. */
const HAS_ONE = new Set<string>([...ONE, 'additionalItems', 'unevaluatedItems', 'unevaluatedProperties'])
const HAS_LIST = new Set<string>([...LIST, 'items'])
const HAS_MAP = new Set<string>([...MAP, 'dependencies', '$defs', 'definitions'])
/** Of those, the ones whose schemas are about the same value. */
const IN_PLACE = new Set(['allOf', 'anyOf', 'oneOf', 'then', 'else', 'dependentSchemas', 'dependencies'])
/**
 * Left out: names that would move references or turn a judge into a promise, notes, and our own keyword, which nobody
 * else may write.
 */
const DROPPED = new Set([
  '$schema',
  '$id',
  'id',
  '$async',
  '$comment',
  'nullable',
  'contentSchema',
  NOT_JUDGED,
  SHARED,
  TAGGED,
])

const BESIDE_REFERENCE = new Set(['$ref', 'definitions', '$defs'])

/** Parts of one schema; more would take noticeable time to compile. */
const PARTS_MAX = 20_000
const DEPTH_MAX = 100

/** Puts the choice by a tag in the place of the alternatives; null stays one of them where it was. */
function choose(result: Plain, { keyword, property, tags, places, hasNull }: Alternatives): void {
  const all = result[keyword] as readonly unknown[]
  const choice = { [TAGGED]: { property, tags, alternatives: places.map((at) => all[at]) } satisfies Tagged }
  delete result[keyword]
  if (!hasNull) Object.assign(result, choice)
  else
    result['allOf'] = [
      ...(Array.isArray(result['allOf']) ? result['allOf'] : []),
      { anyOf: [{ type: 'null' }, choice] },
    ]
}

/** A reference to a shared schema, with the properties that go the other way for what refers to it. */
export interface SharedReference {
  readonly name: string
  /** Sorted. */
  readonly others: readonly string[]
}

/**
 * Makes a copy of a schema to link. Throws a RangeError for a schema that is too
 * large or too deep.
 *
 * @param others names of properties that are not required here, whatever the schema says
 */
export type Preparation = (root: JsonSchema, others?: readonly string[]) => Plain | boolean

/**
 * The copy takes whatever the schema takes. Where a part of it is judged less strictly than it is written (a property
 * that goes the other way, a format, an expression that is not regular), the keywords that would turn that around are
 * loosened with it: `not` and `if` are left out, `oneOf` becomes `anyOf`.
 *
 * @param lenient an expression that is not regular fits everything
 */
export function createPreparation(shared: Definitions, way: Way, lenient: boolean): Preparation {
  const looseness = createLooseness(shared, way)

  return (root, others = []) => {
    const own = isPlain(root) && isPlain(root['$defs']) ? root['$defs'] : {}
    const draft7 = isPlain(root) && /draft-0[4-7]/.test(String(root['$schema'] ?? ''))
    const { isLoose, othersOf } = looseness.of(root)
    let left = PARTS_MAX

    function part(schema: unknown, depth: number, inherited: ReadonlySet<string>): unknown {
      if (!isPlain(schema)) return schema
      if (left-- === 0) throw new RangeError(`the schema has more than ${PARTS_MAX} parts`)
      if (depth > DEPTH_MAX) throw new RangeError(`the schema is nested more than ${DEPTH_MAX} deep`)
      const result: Plain = {}
      const others = union(inherited, othersOf(schema))
      const inner = (keyword: string, value: unknown): unknown =>
        part(value, depth + 1, IN_PLACE.has(keyword) ? others : NO_NAMES)
      // Before 2019 a reference stood for the whole schema, whatever was beside it.
      const isReference = draft7 && typeof schema['$ref'] === 'string'
      for (const [keyword, value] of Object.entries(schema)) {
        if (DROPPED.has(keyword) || (isReference && !BESIDE_REFERENCE.has(keyword))) continue
        const name = keyword === '$ref' ? sharedName(value) : null
        if (name !== null)
          result[SHARED] = { name, others: looseness.relevantTo(name, others) } satisfies SharedReference
        else if (HAS_LIST.has(keyword) && Array.isArray(value))
          result[keyword] = value.map((item) => inner(keyword, item))
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
                : inner(keyword, item),
            ]),
          )
        else result[keyword] = value
      }
      const tags = tagsOf(schema, targetOf)
      if (tags === null) loosen(schema, result, others.size > 0)
      else choose(result, tags)
      return result
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
        result['allOf'] = [
          ...(Array.isArray(result['allOf']) ? result['allOf'] : []),
          { anyOf: result['oneOf'] },
        ]
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
    }

    /** The schema that a reference leads to, if it has a name. */
    function targetOf(reference: string): unknown {
      const name = nameIn(reference)
      if (name === null) return undefined
      return Object.hasOwn(own, name) ? own[name] : shared.get(name)
    }

    function sharedName(reference: unknown): string | null {
      const name = typeof reference === 'string' ? nameIn(reference) : null
      if (name === null || Object.hasOwn(own, name) || !shared.has(name)) return null
      return name
    }

    // A part of an object is an object, and of a boolean the boolean.
    return part(root, 0, new Set(others)) as Plain | boolean
  }
}

function union(a: ReadonlySet<string>, b: ReadonlySet<string>): ReadonlySet<string> {
  if (a.size === 0) return b
  return b.size === 0 ? a : new Set([...a, ...b])
}

function without(names: unknown, others: ReadonlySet<string>): unknown {
  return Array.isArray(names) ? names.filter((name) => !others.has(String(name))) : names
}
