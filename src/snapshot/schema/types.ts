import { isPlain, type Plain } from '../../base/json/storable.ts'
import { type Definitions, nameIn } from '../../model/schema-looseness.ts'

/** Types of JSON values; integers are numbers. */
export type Type = 'string' | 'number' | 'boolean' | 'null' | 'array' | 'object'

export const ALL_TYPES: ReadonlySet<Type> = new Set([
  'string',
  'number',
  'boolean',
  'null',
  'array',
  'object',
])

/** References and alternatives inside of each other that are looked into; what lies deeper may be anything. */
const DEPTH_MAX = 16
/** Schemas that are looked at for one question. Those beyond may be anything: alternatives multiply with each level. */
const LOOKS_MAX = 2000

/** What is left to look at for one question. */
interface Looks {
  left: number
}

/** Types of which a value may be that fits the schema; all where it does not say. */
export function typesOf(
  schema: unknown,
  shared: Definitions,
  looks: Looks = { left: LOOKS_MAX },
  depth = 0,
): ReadonlySet<Type> {
  if (schema === false) return new Set()
  if (!isPlain(schema) || depth > DEPTH_MAX || looks.left-- <= 0) return ALL_TYPES
  let types = ownTypes(schema)
  for (const inner of targetsOf(schema, shared)) types = both(types, typesOf(inner, shared, looks, depth + 1))
  for (const keyword of ['anyOf', 'oneOf'] as const) {
    const list = schema[keyword]
    if (Array.isArray(list)) types = both(types, ofEither(list, shared, looks, depth + 1))
  }
  return types
}

function ofEither(
  schemas: readonly unknown[],
  shared: Definitions,
  looks: Looks,
  depth: number,
): ReadonlySet<Type> {
  const types = new Set<Type>()
  for (const schema of schemas) {
    for (const type of typesOf(schema, shared, looks, depth)) types.add(type)
    if (types.size === ALL_TYPES.size) return ALL_TYPES
  }
  return types
}

/** Types of which the items of a list may be that fits the schema. */
export function itemTypesOf(schema: unknown, shared: Definitions): ReadonlySet<Type> {
  const found = new Set<Type>()
  const looks = { left: LOOKS_MAX }
  for (const items of partsIn(schema, shared, looks, 0, (one) => [
    one['items'],
    ...listOf(one, 'prefixItems'),
    ...[...listOf(one, 'enum'), one['const']].flatMap((value) =>
      Array.isArray(value) ? value.map(asConst) : [],
    ),
  ]))
    for (const type of typesOf(items, shared, looks)) found.add(type)
  return found.size === 0 || looks.left <= 0 ? ALL_TYPES : found
}

/** Types of a property of an object that fits the schema. */
export function propertyTypesOf(schema: unknown, name: string, shared: Definitions): ReadonlySet<Type> {
  const found = new Set<Type>()
  const looks = { left: LOOKS_MAX }
  for (const property of partsIn(schema, shared, looks, 0, ({ properties }) =>
    isPlain(properties) && Object.hasOwn(properties, name) ? [properties[name]] : [],
  ))
    for (const type of typesOf(property, shared, looks)) found.add(type)
  return found.size === 0 || looks.left <= 0 ? ALL_TYPES : found
}

/** What `pick` finds in a schema and in all that is said of the same value. */
function* partsIn(
  schema: unknown,
  shared: Definitions,
  looks: Looks,
  depth: number,
  pick: (schema: Plain) => readonly unknown[],
): Iterable<unknown> {
  if (!isPlain(schema) || depth > DEPTH_MAX || looks.left-- <= 0) return
  for (const part of pick(schema)) if (part !== undefined) yield part
  for (const inner of [...targetsOf(schema, shared), ...listOf(schema, 'anyOf'), ...listOf(schema, 'oneOf')])
    yield* partsIn(inner, shared, looks, depth + 1, pick)
}

/** Schemas that the value fits as well: what is referred to, and each of `allOf`. */
function targetsOf(schema: Plain, shared: Definitions): readonly unknown[] {
  const reference = schema['$ref']
  if (typeof reference !== 'string') return listOf(schema, 'allOf')
  const name = nameIn(reference)
  return [...listOf(schema, 'allOf'), name !== null && shared.has(name) ? shared.get(name) : true]
}

function asConst(value: unknown): Plain {
  return { const: value }
}

function listOf(schema: Plain, keyword: string): readonly unknown[] {
  const list = schema[keyword]
  return Array.isArray(list) ? list : []
}

function ownTypes(schema: Plain): ReadonlySet<Type> {
  let types = ALL_TYPES
  const said: readonly unknown[] = Array.isArray(schema['type']) ? schema['type'] : [schema['type']]
  if (schema['type'] !== undefined)
    types = new Set(said.map((type) => (type === 'integer' ? 'number' : type) as Type))
  if (schema['nullable'] === true) types = new Set([...types, 'null'])
  const values: unknown = Object.hasOwn(schema, 'const') ? [schema['const']] : schema['enum']
  return Array.isArray(values) ? both(types, new Set(values.map(typeOfValue))) : types
}

function typeOfValue(value: unknown): Type {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  // A value of JSON.
  return typeof value as Type
}

function both(a: ReadonlySet<Type>, b: ReadonlySet<Type>): ReadonlySet<Type> {
  return a === ALL_TYPES ? b : new Set([...a].filter((type) => b.has(type)))
}
