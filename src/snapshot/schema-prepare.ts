import { isPlain, type Plain } from '../base/plain.ts'
import { tokenText } from '../base/pointer.ts'
import type { JsonSchema } from '../model/proxy.ts'
import { LIST, MAP, ONE } from './schema-keywords.ts'

/** The keyword that a reference into the shared schemas becomes: it is followed when a value leads there. */
export const SHARED = 'postern:shared'

/** Stands beside every other reference: each time that one is followed counts. */
export const FOLLOWED = 'postern:followed'

const REFERENCES = new Set(['$ref', '$dynamicRef', '$recursiveRef'])

/** Keywords that hold one schema, a list or a map of them, in any draft. */
const HAS_ONE = new Set<string>([...ONE, 'additionalItems', 'unevaluatedItems', 'unevaluatedProperties'])
const HAS_LIST = new Set<string>([...LIST, 'items'])
const HAS_MAP = new Set<string>([...MAP, 'dependencies', '$defs', 'definitions'])
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
  SHARED,
  FOLLOWED,
])

const BESIDE_REFERENCE = new Set(['$ref', 'definitions', '$defs'])

/** Parts of one schema; more would take noticeable time to compile. */
const PARTS_MAX = 20_000
const DEPTH_MAX = 100

/** Which way the value goes: what is read-only is never required of a request, what is write-only never of an answer. */
export type Way = 'request' | 'response'

/** A copy to compile, and the dialect to read it in. Throws a RangeError for a schema that is too large or too deep. */
export function prepareSchema(
  root: JsonSchema,
  isShared: (name: string) => boolean,
  way: Way,
): { readonly schema: Plain | boolean; readonly draft7: boolean } {
  const own = isPlain(root) && isPlain(root['$defs']) ? root['$defs'] : {}
  const draft7 = isPlain(root) && /draft-0[4-7]/.test(String(root['$schema'] ?? ''))
  let left = PARTS_MAX

  function part(schema: unknown, depth: number): unknown {
    if (!isPlain(schema)) return schema
    if (left-- === 0) throw new RangeError(`the schema has more than ${PARTS_MAX} parts`)
    if (depth > DEPTH_MAX) throw new RangeError(`the schema is nested more than ${DEPTH_MAX} deep`)
    const result: Plain = {}
    // Before 2019 a reference stood for the whole schema, whatever was beside it.
    const isReference = draft7 && typeof schema['$ref'] === 'string'
    for (const [keyword, value] of Object.entries(schema)) {
      if (DROPPED.has(keyword) || (isReference && !BESIDE_REFERENCE.has(keyword))) continue
      const name = keyword === '$ref' ? sharedName(value) : null
      if (name !== null) result[SHARED] = name
      else if (HAS_LIST.has(keyword) && Array.isArray(value))
        result[keyword] = value.map((item) => part(item, depth + 1))
      else if (keyword === 'required' && Array.isArray(value)) {
        const required = value.filter((name) => !isOther(schema, name))
        if (required.length > 0) result[keyword] = required
      } else if (HAS_ONE.has(keyword)) result[keyword] = part(value, depth + 1)
      else if (HAS_MAP.has(keyword) && isPlain(value))
        // fromEntries, since a property may be called __proto__
        result[keyword] = Object.fromEntries(
          Object.entries(value).map(([key, item]) => [key, part(item, depth + 1)]),
        )
      else {
        result[keyword] = value
        if (REFERENCES.has(keyword)) result[FOLLOWED] = true
      }
    }
    if (schema['nullable'] === true && typeof result['type'] === 'string')
      result['type'] = [result['type'], 'null']
    return result
  }

  /** The property goes the other way alone (OpenAPI 3.0 4.7.24.2). */
  function isOther(schema: Plain, name: unknown): boolean {
    const properties = schema['properties']
    if (typeof name !== 'string' || !isPlain(properties) || !Object.hasOwn(properties, name)) return false
    const property = properties[name]
    return isPlain(property) && property[way === 'request' ? 'readOnly' : 'writeOnly'] === true
  }

  function sharedName(reference: unknown): string | null {
    const match = typeof reference === 'string' ? /^#\/\$defs\/([^/]+)$/.exec(reference) : null
    if (match === null) return null
    const name = tokenText(decoded(match[1]!))
    return !Object.hasOwn(own, name) && isShared(name) ? name : null
  }

  return {
    // A part of an object is an object, and of a boolean the boolean.
    schema: part(root, 0) as Plain | boolean,
    draft7,
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
