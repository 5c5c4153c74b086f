import type { Property } from './published.ts'

/** Alternatives that a merged property lists; beyond, it says nothing of its form. */
const ALTERNATIVES_MAX = 6

/**
 * One schema for a property that several actions have: whatever one of them admits, it admits. Objects and lists
 * are merged part by part, keywords that differ fall away, forms that have nothing in common stand side by side.
 * Defaults fall away too: what create fills in, update leaves alone.
 */
export function mergeSchemas(first: Property, second: Property): Property {
  const a = withoutDefaults(first)
  const b = withoutDefaults(second)
  if (isSame(a, b)) return a
  if (a['type'] === 'object' && b['type'] === 'object') return mergeObjects(a, b)
  if (a['type'] === 'array' && b['type'] === 'array' && isSchema(a['items']) && isSchema(b['items']))
    return { ...common(a, b), items: mergeSchemas(a['items'], b['items']) }
  if (a['type'] !== undefined && isSame(a['type'], b['type'])) return mergeScalars(a, b)
  return mergeAlternatives(a, b)
}

function mergeObjects(a: Property, b: Property): Property {
  const mine = partsOf(a['properties'])
  const theirs = partsOf(b['properties'])
  const names = [...new Set([...Object.keys(mine), ...Object.keys(theirs)])]
  const properties = names.map((name) => {
    const [one, other] = [mine[name], theirs[name]]
    return [name, one === undefined ? other : other === undefined ? one : mergeSchemas(one, other)] as const
  })
  const required = namesOf(a['required']).filter((name) => namesOf(b['required']).includes(name))
  const { required: _, properties: __, ...rest } = common(a, b)
  return {
    ...rest,
    ...(names.length === 0 ? {} : { properties: Object.fromEntries(properties) }),
    ...(required.length === 0 ? {} : { required }),
  }
}

function mergeScalars(a: Property, b: Property): Property {
  const values = [...new Set([...namesOf(a['enum']), ...namesOf(b['enum'])])]
  const both = Array.isArray(a['enum']) && Array.isArray(b['enum'])
  return { ...common(a, b), ...(both ? { enum: values } : {}) }
}

function mergeAlternatives(a: Property, b: Property): Property {
  const [mine, theirs] = [alternativesOf(a), alternativesOf(b)]
  const zipped: readonly Property[] =
    mine.length === theirs.length && mine.length > 1
      ? mine.map((item, index) => mergeSchemas(item, theirs[index]!))
      : theirs.reduce(withAlternative, mine)
  const { description } = common(a, b)
  const described = description === undefined ? {} : { description }
  return zipped.length > ALTERNATIVES_MAX ? described : { ...described, anyOf: zipped }
}

/** Adds an alternative; one scalar type stands once. */
function withAlternative(list: readonly Property[], item: Property): Property[] {
  const scalar = item['type'] !== undefined && item['type'] !== 'object' && item['type'] !== 'array'
  const at = list.findIndex((other) => isSame(other, item) || (scalar && isSame(other['type'], item['type'])))
  return at === -1 ? [...list, item] : list.with(at, mergeSchemas(list[at]!, item))
}

/** The schemas between which this one chooses; itself when it chooses between none. */
function alternativesOf(schema: Property): Property[] {
  const choice = schema['anyOf'] ?? schema['oneOf']
  if (Array.isArray(choice)) return choice.filter(isSchema)
  const { description: _, ...rest } = schema
  return [rest]
}

function common(a: Property, b: Property): Property {
  return Object.fromEntries(Object.entries(a).filter(([key, value]) => isSame(value, b[key])))
}

function withoutDefaults(schema: Property): Property {
  const kept = Object.entries(schema).filter(([key]) => key !== 'default')
  return Object.fromEntries(
    kept.map(([key, value]) => {
      if (key === 'properties')
        return [
          key,
          Object.fromEntries(
            Object.entries(partsOf(value)).map(([name, part]) => [name, withoutDefaults(part)]),
          ),
        ]
      if (key === 'items' && isSchema(value)) return [key, withoutDefaults(value)]
      if ((key === 'anyOf' || key === 'oneOf') && Array.isArray(value))
        return [key, value.filter(isSchema).map(withoutDefaults)]
      return [key, value]
    }),
  )
}

function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}

function isSchema(value: unknown): value is Property {
  return value !== null && typeof value === 'object' && !Array.isArray(value)
}

/** The `properties` of a schema made by zod: schemas by name. */
function partsOf(value: unknown): Readonly<Record<string, Property>> {
  return isSchema(value) ? (value as Readonly<Record<string, Property>>) : {}
}

function namesOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value : []
}
