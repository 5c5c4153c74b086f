/** Discriminators (OpenAPI 3.1 section 4.8.25, 3.2 section 4.25): which alternatives a value names by a property. */
import { isPlain, type Plain, tokenText } from '../../base/json/storable.ts'
import { type Definitions, nameIn } from '../../model/schema-looseness.ts'
import { typesOf } from './types.ts'

/** Alternatives that a property tells apart. Numbers are positions in the list of the keyword. */
export interface Tags {
  readonly keyword: 'oneOf' | 'anyOf'
  readonly property: string
  /** Alternatives by the value of the property, as text. */
  readonly byValue: ReadonlyMap<string, readonly number[]>
  /** Alternatives that do not say which values name them. A value that names none is judged by these. */
  readonly open: readonly number[]
  /** Alternatives that no object fits, such as null. */
  readonly notObjects: readonly number[]
  /** The alternative of `defaultMapping`, for a value that is missing or unknown. */
  readonly fallback: readonly number[]
}

/** References and lists that are followed to the values of a property. */
const HOPS_MAX = 12
/** Values of all alternatives. Alternatives with more are open. */
const VALUES_MAX = 50_000

/**
 * Null where a schema has no discriminator, or no alternatives beside it.
 * @param shared for the types of alternatives
 * @param targetOf the schema at a reference
 * @param looks schemas that may still be looked at; alternatives that need more are open
 */
export function tagsOf(
  schema: Plain,
  shared: Definitions,
  targetOf: (reference: string) => unknown,
  looks: { left: number },
): Tags | null {
  const { discriminator } = schema
  if (!isPlain(discriminator) || typeof discriminator['propertyName'] !== 'string') return null
  const keyword = Array.isArray(schema['oneOf']) ? 'oneOf' : 'anyOf'
  const list = schema[keyword]
  if (!Array.isArray(list)) return null
  const property = discriminator['propertyName']
  const reader = new ValueReader(property, targetOf, looks)
  const byValue = new Map<string, number[]>()
  const open: number[] = []
  const notObjects: number[] = []
  const objects: number[] = []
  const byTarget = new Map<string, number[]>()
  let left = VALUES_MAX
  for (const [at, one] of list.entries()) {
    if (!typesOf(one, shared, looks).has('object')) {
      notObjects.push(at)
      continue
    }
    objects.push(at)
    for (const target of targetsOf(one)) add(byTarget, target, at)
    const names = reader.namesOf(one)
    left -= names?.size ?? 0
    if (names === null || left < 0) open.push(at)
    else for (const name of names) add(byValue, name, at)
  }
  const positionsOf = (target: unknown): number[] =>
    typeof target === 'string' ? (byTarget.get(target) ?? byTarget.get(nameOf(target) ?? '') ?? []) : []
  // An entry goes before what alternatives say. One that leads to none of them leaves open which is meant.
  if (isPlain(discriminator['mapping']))
    for (const [value, target] of Object.entries(discriminator['mapping'])) {
      const found = positionsOf(target)
      byValue.set(value, found.length > 0 ? found : objects)
    }
  const fallback = positionsOf(discriminator['defaultMapping'])
  return { keyword, property, byValue, open, notObjects, fallback }
}

function add(positions: Map<string, number[]>, key: string, at: number): void {
  const known = positions.get(key)
  if (known === undefined) positions.set(key, [at])
  else known.push(at)
}

/** Texts by which an entry of `mapping` leads to an alternative: its reference and its name. */
function targetsOf(alternative: unknown): readonly string[] {
  const reference = isPlain(alternative) ? alternative['$ref'] : undefined
  if (typeof reference !== 'string') return []
  const name = nameOf(reference)
  return name === null || name === reference ? [reference] : [reference, name]
}

/** The last token of a reference into the document. */
function nameOf(reference: string): string | null {
  const name = nameIn(reference)
  if (name !== null || !reference.startsWith('#/')) return name
  return tokenText(reference.slice(reference.lastIndexOf('/') + 1))
}

/** Reads which values alternatives have for one property. */
class ValueReader {
  readonly #property: string
  readonly #targetOf: (reference: string) => unknown
  readonly #looks: { left: number }

  constructor(property: string, targetOf: (reference: string) => unknown, looks: { left: number }) {
    this.#property = property
    this.#targetOf = targetOf
    this.#looks = looks
  }

  /** Values that name an alternative: those that it states, and its own name. Null where any value may. */
  namesOf(alternative: unknown, hops = HOPS_MAX): ReadonlySet<string> | null {
    if (hops === 0 || !isPlain(alternative)) return null
    const reference = alternative['$ref']
    const name = typeof reference === 'string' ? nameOf(reference) : null
    const stated = this.#stated(alternative, hops)
    if (stated !== null) return name === null ? stated : new Set([...stated, name])
    const target = this.#followed(alternative)
    if (target === null || this.#looks.left <= 0) return null
    const group = target['oneOf'] ?? target['anyOf']
    if (!Array.isArray(group)) {
      // The base of other schemas, which their names stand for as well
      if (target['discriminator'] !== undefined || name === null) return null
      return new Set([name])
    }
    const inner = this.#union(group, (one) => this.namesOf(one, hops - 1))
    if (inner === null) return null
    const { discriminator } = target
    const mapping =
      isPlain(discriminator) && isPlain(discriminator['mapping']) ? discriminator['mapping'] : {}
    return new Set([...inner, ...Object.keys(mapping), ...(name === null ? [] : [name])])
  }

  /** The schema at the end of a chain of references; null where it does not end. */
  #followed(schema: Plain): Plain | null {
    let current = schema
    for (let hops = 0; hops < HOPS_MAX; hops++) {
      if (typeof current['$ref'] !== 'string') return current
      const target = this.#targetOf(current['$ref'])
      if (!isPlain(target)) return null
      current = target
    }
    return null
  }

  /** Values of the property that a schema allows; null where it does not list them. */
  #stated(schema: unknown, hops: number): ReadonlySet<string> | null {
    if (!this.#mayLook(schema, hops)) return null
    const { properties, $ref: reference, allOf } = schema
    const own =
      isPlain(properties) && Object.hasOwn(properties, this.#property)
        ? properties[this.#property]
        : undefined
    return both([
      this.#values(own, hops - 1),
      ...(typeof reference === 'string' ? [this.#stated(this.#targetOf(reference), hops - 1)] : []),
      ...(Array.isArray(allOf) ? allOf.map((one) => this.#stated(one, hops - 1)) : []),
    ])
  }

  /** Values that the schema of the property itself lists. */
  #values(schema: unknown, hops: number): ReadonlySet<string> | null {
    if (!this.#mayLook(schema, hops)) return null
    const { enum: listed, $ref: reference, allOf } = schema
    const choices = schema['oneOf'] ?? schema['anyOf']
    return both([
      Object.hasOwn(schema, 'const') ? textsOf([schema['const']]) : null,
      Array.isArray(listed) ? textsOf(listed) : null,
      ...(typeof reference === 'string' ? [this.#values(this.#targetOf(reference), hops - 1)] : []),
      ...(Array.isArray(allOf) ? allOf.map((one) => this.#values(one, hops - 1)) : []),
      Array.isArray(choices) ? this.#union(choices, (one) => this.#values(one, hops - 1)) : null,
    ])
  }

  #union(
    list: readonly unknown[],
    read: (one: unknown) => ReadonlySet<string> | null,
  ): ReadonlySet<string> | null {
    const all = new Set<string>()
    for (const one of list) {
      const found = read(one)
      if (found === null) return null
      for (const value of found) all.add(value)
    }
    return all
  }

  #mayLook(schema: unknown, hops: number): schema is Plain {
    return isPlain(schema) && hops > 0 && this.#looks.left-- > 0
  }
}

/** What all that say something agree on; null where none does. */
function both(said: readonly (ReadonlySet<string> | null)[]): ReadonlySet<string> | null {
  const [first, ...others] = said.filter((one) => one !== null)
  if (first === undefined) return null
  return new Set([...first].filter((value) => others.every((one) => one.has(value))))
}

/** The text by which a value of the property is looked up; null for lists and objects. */
export function tagText(value: unknown): string | null {
  return value !== null && typeof value === 'object' ? null : String(value)
}

function textsOf(values: readonly unknown[]): ReadonlySet<string> {
  return new Set(values.map(tagText).filter((text) => text !== null))
}
