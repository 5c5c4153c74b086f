/** Discriminators (OpenAPI 3.1 section 4.8.25): which alternative a value names. */
import { isPlain, type Plain } from '../../base/plain.ts'
import { nameIn } from '../../model/schema-looseness.ts'

/** Alternatives that are told apart by a property. */
export interface Alternatives {
  readonly keyword: 'oneOf' | 'anyOf'
  readonly property: string
  /** Position in `places`, by value of the property. */
  readonly tags: Readonly<Record<string, number>>
  /** Positions of the alternatives in the list of the schema. */
  readonly places: readonly number[]
  /** One more alternative is null. */
  readonly hasNull: boolean
}

/** References and `allOf` that are followed to the values of a property. */
const HOPS_MAX = 8

/**
 * The tags of the alternatives of a schema with a discriminator: the keys of its `mapping`, the names of the schemas, and the values
 * that a schema itself allows for the property. Null where there is no discriminator, or where it does not tell all of them apart:
 * then they are alternatives like any other.
 * @param targetOf the schema at a reference
 */
export function tagsOf(schema: Plain, targetOf: (reference: string) => unknown): Alternatives | null {
  const { discriminator } = schema
  if (!isPlain(discriminator) || typeof discriminator['propertyName'] !== 'string') return null
  const keyword = Array.isArray(schema['oneOf']) ? 'oneOf' : 'anyOf'
  const list = schema[keyword]
  if (!Array.isArray(list)) return null
  const isNull = (one: unknown): boolean => isPlain(one) && one['type'] === 'null'
  const places = [...list.keys()].filter((at) => !isNull(list[at]))
  const property = discriminator['propertyName']
  const mapping = isPlain(discriminator['mapping']) ? discriminator['mapping'] : {}
  const named: Plain = {}
  const stated = new Map<string, number>()
  let isClear = true
  for (const [index, at] of places.entries()) {
    const one: unknown = list[at]
    const name = isPlain(one) && typeof one['$ref'] === 'string' ? nameIn(one['$ref']) : null
    const values = valuesOf(one, property, targetOf, HOPS_MAX)
    if (name === null && values === null) return null
    if (name !== null) named[name] = index
    for (const value of values ?? []) {
      isClear &&= !stated.has(value)
      stated.set(value, index)
    }
  }
  const mapped = Object.entries(mapping).flatMap(([tag, target]): [string, unknown][] => {
    const name = typeof target === 'string' ? (nameIn(target) ?? target) : null
    return name !== null && Object.hasOwn(named, name) ? [[tag, named[name]]] : []
  })
  // Alternatives that state the same values, such as those of a schema that they share, are told apart by the mapping alone
  const isMapped = new Set(mapped.map(([, index]) => index)).size === places.length
  if (!isClear && !isMapped) return null
  const tags = Object.fromEntries([...Object.entries(named), ...(isClear ? stated : []), ...mapped])
  // Each value is an index
  return {
    keyword,
    property,
    tags: tags as Record<string, number>,
    places,
    hasNull: places.length < list.length,
  }
}

/** The texts that a schema allows for a property; null where it does not list them. */
function valuesOf(
  schema: unknown,
  property: string,
  targetOf: (reference: string) => unknown,
  hops: number,
): string[] | null {
  if (!isPlain(schema) || hops === 0) return null
  const { properties, $ref: reference, allOf } = schema
  const own = isPlain(properties) && Object.hasOwn(properties, property) ? properties[property] : undefined
  if (isPlain(own)) {
    const values: unknown = own['const'] === undefined ? own['enum'] : [own['const']]
    if (Array.isArray(values)) return values.filter((value) => typeof value === 'string')
  }
  const inner = [
    ...(typeof reference === 'string' ? [targetOf(reference)] : []),
    ...(Array.isArray(allOf) ? allOf : []),
  ]
  for (const one of inner) {
    const found = valuesOf(one, property, targetOf, hops - 1)
    if (found !== null) return found
  }
  return null
}
