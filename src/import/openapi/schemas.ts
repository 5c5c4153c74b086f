import type { Json } from '../../base/json/canonical.ts'
import { isPlain, type Plain, pointerTo } from '../../base/json/storable.ts'
import { linearPattern } from '../../base/text/patterns.ts'
import type { JsonSchema } from '../../model/api/proxy.ts'
import { createLooseness, isCheckedFormat, NOT_JUDGED } from '../../model/schema-looseness.ts'
import { broken } from '../text/plain-data.ts'
import { localTokens, lookUp } from './pointer.ts'
import type { Leave, Warn } from './warnings.ts'

/** Keywords whose value is a schema, a list of schemas, a map of schemas (JSON Schema 2020-12 and what 3.0 had). */
const ONE = new Set([
  'not',
  'if',
  'then',
  'else',
  'items',
  'additionalProperties',
  'contains',
  'propertyNames',
  'unevaluatedItems',
  'unevaluatedProperties',
  'contentSchema',
])
const LIST = new Set(['allOf', 'anyOf', 'oneOf', 'prefixItems'])
const MAP = new Set(['properties', 'patternProperties', 'dependentSchemas'])
/** Keywords whose value is data: a member `$ref` in it is not a reference. */
const DATA = new Set(['default', 'const', 'enum', 'examples'])
/**
 * Keywords that say how a document is put together, not what data looks like. Definitions inside of schemas are
 * reached through references, which move them into the shared set.
 */
const DROPPED = new Set(['$id', '$schema', '$anchor', '$comment', '$vocabulary', 'nullable'])
/** References that are only known while a value is judged. */
const DYNAMIC = new Set(['$dynamicRef', '$recursiveRef', '$dynamicAnchor', '$recursiveAnchor'])
/** Formats that say how a value is shown or stored, and nothing about which are valid. */
const NOTES = new Set(['password', 'binary', 'float', 'double', 'int64', 'byte'])
const TYPES: ReadonlySet<unknown> = new Set([
  'null',
  'boolean',
  'object',
  'array',
  'number',
  'integer',
  'string',
])

/** Schemas that are copied in all. References into the inside of schemas copy that part once more each. */
const TAKEN_MAX = 2_000_000

/** The shared schemas of one description while they are collected. */
export interface Schemas {
  /**
   * The schema of a body with every reference pointing at `#/$defs/<name>` of the shared set. One that several
   * operations share goes into the set when it is met again, so that it costs its size only twice.
   */
  take(schema: unknown, tokens: readonly string[]): JsonSchema
  /** The whole set, with every component of the description. Call it last. */
  all(): Record<string, JsonSchema>
}

/**
 * Collects schemas into one flat set of definitions. Each is rewritten once, however often it is referred to and
 * whether or not it contains itself, so the work is linear in the document. References to other documents become
 * schemas that allow everything, with a warning; so do local ones that point nowhere when `broken_refs` is `skip`.
 */
export function createSchemas(
  document: Plain,
  brokenRefs: 'refuse' | 'skip',
  warn: Warn,
  leave: Leave,
): Schemas {
  const components = componentNames(document)
  const isComponent = new Set(components)
  /** By pointer. Components keep their names where these need no escaping, so theirs are given out first. */
  const reserved = new Map(
    components.filter((name) => name === toPlainName(name)).map((name) => [componentPointer(name), name]),
  )
  const names = new Map<string, string>()
  const newName = createNames(reserved.values())
  const waiting: { name: string; schema: unknown; pointer: string }[] = []
  const definitions: Record<string, JsonSchema> = {}
  let lenient = brokenRefs === 'skip'

  const toDefinition = (tokens: readonly string[]): string | null => {
    const pointer = pointerTo('', ...tokens)
    const known = names.get(pointer)
    if (known !== undefined) return known
    const schema = lookUp(document, tokens)
    if (!isPlain(schema) && typeof schema !== 'boolean') return null
    const name = reserved.get(pointer) ?? newName(tokens)
    names.set(pointer, name)
    waiting.push({ name, schema, pointer })
    return name
  }

  const rewriteReference = (reference: unknown, pointer: string): Plain => {
    const text = typeof reference === 'string' ? reference : ''
    const tokens = localTokens(text)
    if (tokens === null || tokens.length === 0) {
      warn(
        pointer,
        `${text.slice(0, 200) || 'this'} is not a reference into this document; any value is allowed`,
      )
      return { description: `Described elsewhere: ${text.slice(0, 200)}`, [NOT_JUDGED]: ['$ref'] }
    }
    const name = toDefinition(tokens)
    if (name !== null) return { $ref: `#/$defs/${name}` }
    const reason = `points at ${text.slice(0, 200)}, which is not there`
    if (!lenient) throw broken(pointer, reason)
    warn(pointer, `${reason}; any value is allowed`)
    return { description: `Not described: ${text.slice(0, 200)}`, [NOT_JUDGED]: ['$ref'] }
  }

  /** Keywords that turn around what is in them, with the schemas that they stand in. */
  const turning: { readonly keyword: string; readonly schema: Plain; readonly pointer: string }[] = []
  /** Formats that have been told of. */
  const formats = new Set<string>()

  const notJudged = (result: Plain, pointer: string, keyword: string, reason: string): void => {
    leave(pointer, keyword, reason)
    const known = result[NOT_JUDGED]
    result[NOT_JUDGED] = [...(Array.isArray(known) ? known : []), keyword]
  }

  let left = TAKEN_MAX
  const take = (schema: unknown, pointer: string): JsonSchema => {
    if (left-- === 0) throw broken(pointer, `references expand to more than ${TAKEN_MAX} schemas`)
    if (typeof schema === 'boolean') return schema
    if (!isPlain(schema)) {
      warn(pointer, 'a schema must be an object; any value is allowed')
      return true
    }
    const result: Plain = {}
    for (const [keyword, value] of Object.entries(schema)) {
      const place = pointerTo(pointer, keyword)
      if (keyword === '$ref') Object.assign(result, rewriteReference(value, place))
      else if (keyword === 'type') takeType(value, place, result)
      else if (keyword === 'discriminator') takeDiscriminator(value, schema, result)
      else if (ONE.has(keyword)) takeOne(keyword, value, place, result)
      else if (LIST.has(keyword)) takeList(keyword, value, place, result)
      else if (MAP.has(keyword)) takeMap(keyword, value, place, result)
      else if (keyword === 'required') takeRequired(value, place, result)
      else if (keyword === 'example') result['examples'] ??= [value]
      else if (keyword === 'pattern' && (typeof value !== 'string' || linearPattern(value) === null))
        notJudged(result, place, keyword, NOT_LINEAR)
      else if (DYNAMIC.has(keyword)) notJudged(result, place, keyword, 'dynamic references are not followed')
      else if (isUnfit(keyword, value)) warn(place, 'not a value that this keyword can have; left out')
      else if (DATA.has(keyword)) result[keyword] = value
      else if (DROPPED.has(keyword) || keyword.startsWith('x-')) continue
      else if (isSimple(keyword, value)) result[keyword] = value
      if (keyword === 'format' && typeof value === 'string') tellFormat(value, place)
      if (TURNING.has(keyword) && result[keyword] !== undefined)
        turning.push({ keyword, schema: result, pointer: place })
    }
    const known = schema[NOT_JUDGED]
    if (Array.isArray(known)) result[NOT_JUDGED] ??= known.filter((one) => typeof one === 'string')
    if (schema['nullable'] === true) allowNull(schema, result, document)
    nullAmongValues(result)
    return result as Record<string, Json> as JsonSchema // Copied from a document that is plain JSON.
  }

  const tellFormat = (format: string, place: string): void => {
    if (isCheckedFormat(format) || NOTES.has(format) || formats.has(format)) return
    formats.add(format)
    leave(place, 'format', `the format "${format.slice(0, 80)}" is not checked, here and elsewhere`)
  }

  const takeOne = (keyword: string, value: unknown, place: string, result: Plain): void => {
    // A list of items is the tuple of drafts before 2020-12.
    if (keyword === 'items' && Array.isArray(value)) takeList('prefixItems', value, place, result)
    else result[keyword] = take(value, place)
  }

  const takeList = (keyword: string, value: unknown, place: string, result: Plain): void => {
    if (!Array.isArray(value)) warn(place, 'a list of schemas; left out')
    else if (value.length > 0)
      result[keyword] = value.map((item, index) => take(item, pointerTo(place, index)))
  }

  const takeMap = (keyword: string, value: unknown, place: string, result: Plain): void => {
    if (!isPlain(value)) {
      warn(place, 'a map of schemas; left out')
      return
    }
    const isPatterns = keyword === 'patternProperties'
    const unfit = isPatterns ? Object.keys(value).filter((name) => linearPattern(name) === null) : []
    for (const name of unfit) notJudged(result, pointerTo(place, name), keyword, NOT_LINEAR)
    const kept = Object.entries(value).filter(([name]) => !unfit.includes(name))
    result[keyword] = Object.fromEntries([
      ...kept.map(([name, item]): [string, unknown] => [name, take(item, pointerTo(place, name))]),
      // Any name may be one of those that are left out, so that none is additional.
      ...(unfit.length > 0 && !kept.some(([name]) => name === '') ? [['', true]] : []),
    ])
  }

  const takeType = (value: unknown, place: string, result: Plain): void => {
    const types = (Array.isArray(value) ? value.flat() : [value]).filter((item) => TYPES.has(item))
    if (types.length === 0) notJudged(result, place, 'type', 'not a type of JSON Schema')
    else result['type'] = types.length === 1 ? types[0] : [...new Set(types)]
  }

  const takeRequired = (value: unknown, place: string, result: Plain): void => {
    const listed = Array.isArray(value) ? value.filter((item) => typeof item === 'string') : null
    if (listed === null) warn(place, 'a list of property names; left out')
    else if (listed.length > 0) result['required'] = [...new Set(listed)]
  }

  const takeDiscriminator = (value: unknown, schema: Plain, result: Plain): void => {
    if (!isPlain(value) || typeof value['propertyName'] !== 'string') return
    // An entry is a reference or the name of a component (OpenAPI 3.1 section 4.8.25.4)
    const targetOf = (target: unknown): string | null => {
      if (typeof target !== 'string') return null
      const tokens = isComponent.has(target) ? ['components', 'schemas', target] : localTokens(target)
      const name = tokens === null ? null : toDefinition(tokens)
      return name === null ? target.slice(0, 200) : `#/$defs/${name}`
    }
    const mapping = new Map<string, string>()
    const add = (key: string, target: unknown): void => {
      const found = mapping.has(key) ? null : targetOf(target)
      if (found !== null) mapping.set(key, found)
    }
    for (const [key, target] of Object.entries(isPlain(value['mapping']) ? value['mapping'] : {}))
      add(key, target)
    // Values have the names of the components, which the definitions may not have
    const list: unknown = schema['oneOf'] ?? schema['anyOf']
    for (const one of Array.isArray(list) ? list : []) {
      const reference: unknown = isPlain(one) ? one['$ref'] : undefined
      const name = typeof reference === 'string' ? localTokens(reference)?.at(-1) : undefined
      if (name !== undefined && name !== toPlainName(name)) add(name, reference)
    }
    const fallback = targetOf(value['defaultMapping'])
    result['discriminator'] = {
      propertyName: value['propertyName'],
      ...(mapping.size > 0 ? { mapping: Object.fromEntries(mapping) } : {}),
      ...(fallback === null ? {} : { defaultMapping: fallback }),
    }
  }

  const drain = (): void => {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop())
      definitions[next.name] = take(next.schema, next.pointer)
  }

  /** Tells of what is judged less strictly because of what is in it, now that all schemas are known. */
  const tellLoosened = (): void => {
    const shared = {
      has: (name: string) => Object.hasOwn(definitions, name),
      get: (name: string) => definitions[name],
    }
    const looseness = createLooseness(shared, 'request')
    for (const { keyword, schema, pointer } of turning) {
      const { isLoose } = looseness.of(schema)
      const value = schema[keyword]
      if (keyword === 'oneOf' && Array.isArray(value) && value.some(isLoose)) {
        // A discriminator names the alternative
        if (schema['discriminator'] === undefined)
          leave(pointer, keyword, `judged as anyOf: a part of it ${LOOSE}`)
      } else if (keyword !== 'oneOf' && keyword.startsWith('unevaluated') && leadsAway(schema))
        leave(pointer, keyword, 'not known together with references to other schemas')
      else if ((keyword === 'not' || keyword === 'if') && isLoose(value))
        leave(pointer, keyword, `left out: a part of it ${LOOSE}`)
    }
  }

  const met = new Set<string>()
  return {
    take(schema, tokens) {
      const pointer = pointerTo('', ...tokens)
      const isReference = isPlain(schema) && typeof schema['$ref'] === 'string'
      const name = met.has(pointer) && !isReference ? toDefinition(tokens) : null
      met.add(pointer)
      return name === null ? take(schema, pointer) : { $ref: `#/$defs/${name}` }
    },
    all() {
      drain()
      // What no operation reaches may point nowhere without spoiling the import.
      lenient = true
      for (const name of components) toDefinition(['components', 'schemas', name])
      drain()
      tellLoosened()
      return definitions
    },
  }
}

const TURNING = new Set(['oneOf', 'not', 'if', 'unevaluatedProperties', 'unevaluatedItems'])
const LOOSE = 'is judged less strictly (readOnly, format, multipleOf, or a keyword that is not enforced)'
const NOT_LINEAR =
  'the expression is broken, too large, needs look-around or back references, or is no ECMA-262'

/** What is said of the same value stands in part behind a reference. */
function leadsAway(schema: unknown): boolean {
  if (!isPlain(schema)) return false
  if (schema['$ref'] !== undefined) return true
  return [...LIST].some((keyword) => {
    const list = schema[keyword]
    return Array.isArray(list) && list.some(leadsAway)
  })
}

/** A value that may be null is null also where its values are listed without it, as many do since OpenAPI 3.0. */
function nullAmongValues(schema: Plain): void {
  const { type, enum: values } = schema
  if (!Array.isArray(type) || !type.includes('null') || !Array.isArray(values) || values.includes(null))
    return
  schema['enum'] = [...values, null]
}

const NUMBERS = new Set([
  ...['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf', 'minLength', 'maxLength'],
  ...['minItems', 'maxItems', 'minProperties', 'maxProperties', 'minContains', 'maxContains'],
])

/** With such a value no contract that holds the schema could be used. */
function isUnfit(keyword: string, value: unknown): boolean {
  if (keyword === 'multipleOf') return !(typeof value === 'number' && value > 0)
  if (NUMBERS.has(keyword)) return typeof value !== 'number'
  if (keyword === 'format') return typeof value !== 'string'
  if (keyword === 'uniqueItems') return typeof value !== 'boolean'
  return keyword === 'enum' && !(Array.isArray(value) && value.length > 0)
}

/** Limits, formats and texts. Objects under other keywords could hold references and mean nothing to validators. */
function isSimple(keyword: string, value: unknown): boolean {
  return keyword === 'dependentRequired' || (value !== null && typeof value !== 'object')
}

function componentNames(document: Plain): string[] {
  const components = document['components']
  if (!isPlain(components) || components['schemas'] === undefined) return []
  if (!isPlain(components['schemas'])) throw broken('/components/schemas', 'a map of schemas')
  return Object.keys(components['schemas'])
}

function componentPointer(name: string): string {
  return pointerTo('/components/schemas', name)
}

/** Letters that need no escaping in a pointer or a fragment. */
function toPlainName(text: string): string {
  return text.replace(/[^A-Za-z0-9._-]+/g, '_')
}

/** New names for what stands at tokens: `Order`, `Order.properties.items`, with a number when taken. */
function createNames(reserved: Iterable<string>): (tokens: readonly string[]) => string {
  const taken = new Set(reserved)
  const counts = new Map<string, number>()
  return (tokens) => {
    const own = tokens[0] === 'components' ? tokens.slice(tokens[1] === 'schemas' ? 2 : 1) : tokens
    const base = toPlainName(own.join('.')).slice(-120) || 'schema'
    let name = base
    for (let count = counts.get(base) ?? 2; taken.has(name); count++) {
      name = `${base}_${count}`
      counts.set(base, count + 1)
    }
    taken.add(name)
    return name
  }
}

/**
 * OpenAPI 3.0's `nullable` where it stands beside something the upgrade leaves alone, and in 3.1 by mistake.
 * @param schema as it stands in the document
 * @param result what it becomes
 */
function allowNull(schema: Plain, result: Plain, document: Plain): void {
  const nothing = { type: 'null' }
  const type = result['type']
  if (typeof type === 'string' && type !== 'null') result['type'] = [type, 'null']
  else if (Array.isArray(type)) result['type'] = [...new Set([...type, 'null'])]
  else if (Array.isArray(result['anyOf'])) result['anyOf'].push(nothing)
  else if (Array.isArray(result['oneOf'])) {
    const before = schema['oneOf']
    if (Array.isArray(before) && before.every((one) => !mayBeNull(one, document, NULL_HOPS_MAX)))
      result['oneOf'].push(nothing)
    else {
      // Null may fit one alternative already, or several: it would then fit more than one
      const { oneOf, discriminator } = result
      result['anyOf'] = [{ oneOf, ...(discriminator === undefined ? {} : { discriminator }) }, nothing]
      delete result['oneOf']
      delete result['discriminator']
    }
  } else if (result['$ref'] !== undefined) {
    result['anyOf'] = [{ $ref: result['$ref'] }, nothing]
    delete result['$ref']
  }
}

const NULL_HOPS_MAX = 8

/** False where a schema says that null does not fit, itself or at the end of references. */
function mayBeNull(schema: unknown, document: Plain, hops: number): boolean {
  if (!isPlain(schema) || hops === 0) return true
  const { $ref: reference, type, enum: values, allOf } = schema
  if (schema['nullable'] === true) return true
  if (typeof reference === 'string') {
    const tokens = localTokens(reference)
    return tokens === null || mayBeNull(lookUp(document, tokens), document, hops - 1)
  }
  if (type !== undefined && type !== 'null' && !(Array.isArray(type) && type.includes('null'))) return false
  if (Array.isArray(values) && !values.includes(null)) return false
  return !(Array.isArray(allOf) && allOf.some((one) => !mayBeNull(one, document, hops - 1)))
}
