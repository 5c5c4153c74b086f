/**
 * The names that a schema declares in arguments. Another spelling of a declared name is refused at every depth: a value that
 * was judged under one name would be read under the other. Where a schema has a map (`additionalProperties`,
 * `patternProperties`), any other key is accepted.
 *
 * Steps and depth are bounded, and anything beyond a bound is refused: schemas come from origins, and arguments from callers.
 */

import { isPlain, type Plain, pointerTo, tokenText } from '../../base/json/storable.ts'
import { FoldedNames, shownName } from '../../base/text/folded-names.ts'

/** Members, containers and the schemas about them that one judgement looks at. */
const STEPS_MAX = 500_000
/** Containers inside each other. */
const DEPTH_MAX = 128
/** Subschemas about one value. */
const SAME_VALUE_MAX = 1000
/** Levels of a schema: sets of subschemas that are about one value. */
const LEVELS_MAX = 2000

/** Why arguments are refused. */
export interface SpellingFault {
  /** Into the arguments. */
  readonly pointer: string
  readonly reason: string
}

export interface DeclaredNames {
  /** True for a name of an argument itself. */
  declares(name: string): boolean
  /** Null for a value without another spelling of a declared name. */
  fault(given: unknown): SpellingFault | null
}

/** What the schemas of one value say of its members. */
interface Level {
  readonly names: FoldedNames
  readonly properties: ReadonlyMap<string, readonly Plain[]>
  /** Of members that match a pattern, which a declared member may do too. */
  readonly patterns: readonly Plain[]
  /** Of other members. */
  readonly others: readonly Plain[]
  readonly items: readonly Plain[]
}

const BEYOND: SpellingFault = {
  pointer: '',
  reason: 'The arguments or their schema are too large to compare',
}

const NO_NAMES: DeclaredNames = flatNames([])
const known = new WeakMap<object, DeclaredNames>()

/**
 * The names that a schema declares; made once for a schema.
 * @param shared what `#/$defs/<name>` leads to, besides the `$defs` of the schema itself
 */
export function namesIn(schema: unknown, shared: Plain = {}): DeclaredNames {
  if (!isPlain(schema)) return NO_NAMES
  let names = known.get(schema)
  if (names === undefined) {
    names = createNames(schema, shared)
    known.set(schema, names)
  }
  return names
}

/** Names of a flat object, such as the arguments of a prompt. */
export function flatNames(names: Iterable<string>): DeclaredNames {
  const folded = new FoldedNames(names)
  return {
    declares: (name) => folded.has(name),
    fault: (given) => (isPlain(given) ? misspeltIn(folded, given, '') : null),
  }
}

function misspeltIn(names: FoldedNames, given: Plain, at: string): SpellingFault | null {
  const wrong = names.misspelt(given)
  if (wrong === null) return null
  return {
    pointer: pointerTo(at, wrong.given.slice(0, 64).toWellFormed()),
    reason: `The argument ${shownName(wrong.given)} is another spelling of ${shownName(wrong.declared)}. Use the exact name`,
  }
}

function createNames(root: Plain, shared: Plain): DeclaredNames {
  const levels = new Map<string, Level>()
  const ids = new WeakMap<object, number>()
  let count = 0
  const idOf = (schema: object): number => {
    let id = ids.get(schema)
    if (id === undefined) {
      id = count++
      ids.set(schema, id)
    }
    return id
  }

  /** Null for schemas with too many parts. */
  function levelOf(schemas: readonly Plain[]): Level | null {
    if (schemas.length > SAME_VALUE_MAX) return null
    const key = [...new Set(schemas.map(idOf))].sort((a, b) => a - b).join()
    const before = levels.get(key)
    if (before !== undefined) return before
    // A schema with more levels than are kept is one that was made to be slow
    if (levels.size >= LEVELS_MAX) return null
    const level = read(root, shared, schemas)
    if (level !== null) levels.set(key, level)
    return level
  }

  return {
    declares: (name) => levelOf([root])?.names.has(name) ?? false,
    fault(given) {
      let steps = 0
      const look = (
        value: unknown,
        schemas: readonly Plain[],
        at: string,
        depth: number,
      ): SpellingFault | null => {
        if (value === null || typeof value !== 'object' || schemas.length === 0) return null
        steps += schemas.length
        const level = depth > DEPTH_MAX || steps > STEPS_MAX ? null : levelOf(schemas)
        if (level === null) return BEYOND
        if (Array.isArray(value)) {
          if (level.items.length === 0) return null
          for (const [index, item] of value.entries()) {
            const fault = look(item, level.items, `${at}/${index}`, depth + 1)
            if (fault !== null) return fault
          }
          return null
        }
        const object = value as Plain
        const fault = misspeltIn(level.names, object, at)
        if (fault !== null) return fault
        for (const name of Object.keys(object)) {
          if (++steps > STEPS_MAX) return BEYOND
          const inner = object[name]
          if (inner === null || typeof inner !== 'object') continue
          const own = level.properties.get(name)
          const under = own === undefined ? level.others : [...own, ...level.patterns]
          const wrong = look(inner, under, pointerTo(at, name.slice(0, 64).toWellFormed()), depth + 1)
          if (wrong !== null) return wrong
        }
        return null
      }
      return look(given, [root], '', 0)
    },
  }
}

/** Keywords whose schemas are about the same value. */
const LISTS = ['allOf', 'anyOf', 'oneOf'] as const
const SINGLE = ['if', 'then', 'else'] as const

/** Reads the schemas of one value, with those that they combine. */
function read(root: Plain, shared: Plain, schemas: readonly Plain[]): Level | null {
  const properties = new Map<string, Plain[]>()
  const [patterns, others, items]: [Plain[], Plain[], Plain[]] = [[], [], []]
  const seen = new Set<Plain>()
  const open: unknown[] = [...schemas]
  while (open.length > 0) {
    const schema = open.pop()
    if (!isPlain(schema) || seen.has(schema)) continue
    if (seen.size >= SAME_VALUE_MAX) return null
    seen.add(schema)
    for (const keyword of LISTS)
      if (Array.isArray(schema[keyword])) open.push(...(schema[keyword] as unknown[]))
    for (const keyword of SINGLE) open.push(schema[keyword])
    for (const keyword of ['dependentSchemas', 'dependencies']) open.push(...valuesOf(schema[keyword]))
    for (const keyword of ['$ref', '$dynamicRef', '$recursiveRef'])
      open.push(targetOf(root, shared, schema[keyword]))
    for (const [name, inner] of entriesOf(schema['properties'])) {
      const own = properties.get(name) ?? []
      if (isPlain(inner)) own.push(inner)
      properties.set(name, own)
    }
    patterns.push(...valuesOf(schema['patternProperties']).filter(isPlain))
    for (const keyword of ['additionalProperties', 'unevaluatedProperties'])
      if (isPlain(schema[keyword])) others.push(schema[keyword])
    for (const keyword of ['items', 'prefixItems', 'additionalItems', 'unevaluatedItems'])
      items.push(...[schema[keyword]].flat().filter(isPlain))
  }
  return {
    names: new FoldedNames(properties.keys()),
    properties,
    patterns,
    others: [...patterns, ...others],
    items,
  }
}

function entriesOf(value: unknown): readonly (readonly [string, unknown])[] {
  return isPlain(value) ? Object.entries(value) : []
}

function valuesOf(value: unknown): readonly unknown[] {
  return isPlain(value) ? Object.values(value) : []
}

/** The schema that a reference within the same document leads to; undefined for any other. */
function targetOf(root: Plain, shared: Plain, reference: unknown): unknown {
  if (typeof reference !== 'string' || !/^#(\/|$)/.test(reference)) return undefined
  const names = reference
    .split('/')
    .slice(1)
    .map((token) => tokenText(decoded(token)))
  return at(root, names) ?? (names[0] === '$defs' ? at(shared, names.slice(1)) : undefined)
}

function at(root: unknown, names: readonly string[]): unknown {
  let at = root
  for (const name of names) {
    if (at === null || typeof at !== 'object' || !Object.hasOwn(at, name)) return undefined
    at = (at as Plain)[name]
  }
  return at
}

function decoded(token: string): string {
  try {
    return decodeURIComponent(token)
  } catch {
    return token
  }
}
