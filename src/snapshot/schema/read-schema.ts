/** Reads JSON schemas that may be anything: an imported or hand-written schema is only known to be JSON. */

import { isPlain, type Plain, tokenText } from '../../base/json/storable.ts'
import { isUnicodePattern, linearPattern } from '../../base/text/patterns.ts'
import { LIST, MAP, ONE } from '../../model/schema-looseness.ts'

/** Keywords with a plain value of each type. */
const LIMITS: readonly (readonly [keyword: string, type: 'number' | 'string' | 'boolean'])[] = [
  ['format', 'string'],
  ['pattern', 'string'],
  ['minimum', 'number'],
  ['maximum', 'number'],
  ['exclusiveMinimum', 'number'],
  ['exclusiveMaximum', 'number'],
  ['multipleOf', 'number'],
  ['minLength', 'number'],
  ['maxLength', 'number'],
  ['minItems', 'number'],
  ['maxItems', 'number'],
  ['uniqueItems', 'boolean'],
  ['minProperties', 'number'],
  ['maxProperties', 'number'],
  ['contentEncoding', 'string'],
  ['contentMediaType', 'string'],
  ['readOnly', 'boolean'],
  ['writeOnly', 'boolean'],
  ['deprecated', 'boolean'],
]
/** Types of values that a keyword says something of; those that are missing here say something of any value. */
const SAYS_OF: Readonly<Record<string, readonly string[]>> = {
  ...byKeyword(['pattern', 'minLength', 'maxLength', 'contentEncoding', 'contentMediaType'], ['string']),
  ...byKeyword(
    ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf'],
    ['number', 'integer'],
  ),
  ...byKeyword(['minItems', 'maxItems', 'uniqueItems'], ['array']),
  ...byKeyword(['minProperties', 'maxProperties'], ['object']),
}
const TYPES: ReadonlySet<unknown> = new Set([
  'string',
  'number',
  'integer',
  'boolean',
  'null',
  'array',
  'object',
])
/** Beside a reference these describe the place; anything else narrows the schema. */
const ANNOTATIONS = new Set([
  'title',
  'description',
  'default',
  'examples',
  'deprecated',
  'readOnly',
  'writeOnly',
  'contentMediaType',
])

/** References that may lead to a reference before the chain counts as circular. */
const HOPS_MAX = 32
const TITLE_MAX = 120
const LIMIT_TEXT_MAX = 256
/** Bytes of one `default`, `const` or example; longer ones are left out. */
const VALUE_BYTES_MAX = 512
/** Bytes of the values that are shown of an `enum` too long for its bound. */
const CUT_ENUM_BYTES_MAX = 1500
const REQUIRED_BYTES_MAX = 2000

/** Definitions that were entered on the way to a schema, innermost first. */
export interface Chain {
  readonly name: string
  readonly up: Chain | null
}

/** A schema without a reference at its root. */
export interface Followed {
  readonly schema: Plain
  readonly chain: Chain | null
  /** Innermost definition that was entered for it, or null when it stands in place. */
  readonly name: string | null
  readonly circular: boolean
}

/** Bytes of the JSON text. */
export function bytesOf(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value) ?? 'null')
}

/** The target of `#/$defs/<name>`, with what stands beside the reference, and the same for an `allOf` of one. */
export function follow(start: Plain, chain: Chain | null, definitionOf: (name: string) => unknown): Followed {
  let schema = start
  let here = chain
  let name: string | null = null
  for (let hops = 0; hops < HOPS_MAX; hops++) {
    const inner = innerOf(schema)
    if (inner === undefined) return { schema, chain: here, name, circular: false }
    if (typeof inner === 'string') {
      name = nameOf(inner)
      if (includes(here, name)) return { schema: withoutReference(schema), chain: here, name, circular: true }
      const target = definitionOf(name)
      here = { name, up: here }
      schema = beside(withoutReference(schema), target)
    } else schema = beside(withoutAllOf(schema), inner)
  }
  return { schema: withoutReference(schema), chain: here, name, circular: true }
}

/** The reference, the only member of an `allOf` that stands among annotations, or undefined. */
function innerOf(schema: Plain): unknown {
  if (typeof schema['$ref'] === 'string') return schema['$ref']
  const all = schema['allOf']
  if (!Array.isArray(all) || all.length !== 1 || !isPlain(all[0])) return undefined
  return Object.keys(withoutAllOf(schema)).every((key) => ANNOTATIONS.has(key)) ? all[0] : undefined
}

function nameOf(reference: string): string {
  const last = reference.replace(/^#?\/(\$defs|definitions)\//, '')
  try {
    return tokenText(decodeURIComponent(last))
  } catch {
    return last
  }
}

function includes(chain: Chain | null, name: string): boolean {
  for (let link = chain; link !== null; link = link.up) if (link.name === name) return true
  return false
}

/** Definitions are reached through references, so they go as well. */
function withoutReference({ $ref: _, $defs: __, definitions: ___, ...rest }: Plain): Plain {
  return rest
}

function withoutAllOf({ allOf: _, ...rest }: Plain): Plain {
  return rest
}

function beside(siblings: Plain, target: unknown): Plain {
  const base = isPlain(target) ? target : target === false ? { not: {} } : {}
  const narrowing = Object.entries(siblings).filter(([key]) => !ANNOTATIONS.has(key))
  const annotations = Object.entries(siblings).filter(([key]) => ANNOTATIONS.has(key))
  if (narrowing.length === 0) return { ...base, ...Object.fromEntries(annotations) }
  return { ...Object.fromEntries(annotations), allOf: [base, Object.fromEntries(narrowing)] }
}

/** Type and title: what a schema is about in few bytes. */
export function gistOf(schema: Plain): Plain {
  const gist: Plain = {}
  const type = typeOf(schema)
  if (type !== undefined) gist['type'] = type
  if (typeof schema['title'] === 'string') gist['title'] = shorten(schema['title'], TITLE_MAX)
  // Model APIs refuse lists that say nothing of their items
  if (type === 'array' || (Array.isArray(type) && type.includes('array'))) gist['items'] = {}
  return gist
}

/** The type or the list of types, with null for `nullable` of OpenAPI 3.0. */
function typeOf(schema: Plain): unknown {
  const { type } = schema
  if (typeof type === 'string') {
    if (!TYPES.has(type)) return undefined
    return schema['nullable'] === true && type !== 'null' ? [type, 'null'] : type
  }
  if (!Array.isArray(type)) return undefined
  const types = [...new Set(type.filter((one) => TYPES.has(one)))]
  return types.length === 0 ? undefined : types.length === 1 ? types[0] : types
}

/** Names that must be present, as many as fit a bound. */
export function requiredOf(schema: Plain): string[] {
  const required = schema['required']
  if (!Array.isArray(required)) return []
  return fitting(
    required.filter((item): item is string => typeof item === 'string'),
    REQUIRED_BYTES_MAX,
  )
}

/**
 * All keywords but description, `required` and those that hold schemas, and a note on what was shortened. They refuse no value that
 * the schema takes, and say nothing of values of another type than `type`.
 * @param bytesMax of the values of an `enum`; longer ones become examples
 */
export function keywordsOf(schema: Plain, bytesMax: number): { keywords: Plain; note: string } {
  const keywords = gistOf(schema)
  const type = keywords['type']
  const types = type === undefined ? null : new Set<unknown>(Array.isArray(type) ? type : [type])
  for (const [keyword, kind] of LIMITS) {
    const value = schema[keyword]
    if (typeof value !== kind || (typeof value === 'string' && value.length > LIMIT_TEXT_MAX)) continue
    const said = SAYS_OF[keyword]
    if (types !== null && said !== undefined && !said.some((one) => types.has(one))) continue
    // Others judge fractions in floating point, in which 19.99 is no multiple of 0.01
    if (keyword === 'multipleOf' && !(Number.isInteger(value) && (value as number) > 0)) continue
    if (keyword === 'pattern' && !isShownPattern(value as string)) continue
    keywords[keyword] = value
  }
  const fits = (value: unknown): boolean => types === null || isOfTypes(value, types)
  const { const: only, default: otherwise, examples } = schema
  if (only !== undefined && bytesOf(only) <= VALUE_BYTES_MAX && fits(only)) keywords['const'] = only
  if (otherwise !== undefined && bytesOf(otherwise) <= VALUE_BYTES_MAX && fits(otherwise))
    keywords['default'] = otherwise
  if (Array.isArray(examples) && examples.length > 0 && fits(examples[0]))
    if (bytesOf(examples[0]) <= VALUE_BYTES_MAX) keywords['examples'] = [examples[0]]
  const listed: unknown = schema['enum']
  const values = new Set(Array.isArray(listed) ? listed : [])
  if (schema['nullable'] === true && types?.has('null') === true && values.size > 0) values.add(null)
  // Without a value of the type nothing would be left to choose
  const all = [...values].filter(fits)
  if (all.length === 0) return { keywords, note: '' }
  if (fitting(all, bytesMax).length === all.length) {
    keywords['enum'] = all
    return { keywords, note: '' }
  }
  // A shortened enum would forbid the values it leaves out, so it becomes examples.
  const shown = fitting(all, Math.min(bytesMax, CUT_ENUM_BYTES_MAX))
  if (shown.length > 0) keywords['examples'] = shown
  return { keywords, note: `One of ${all.length} values, ${all.length - shown.length} not shown.` }
}

function isOfTypes(value: unknown, types: ReadonlySet<unknown>): boolean {
  if (value === null) return types.has('null')
  if (Array.isArray(value)) return types.has('array')
  if (typeof value !== 'number') return types.has(typeof value)
  return types.has('number') || (types.has('integer') && Number.isInteger(value))
}

function byKeyword<T>(keywords: readonly string[], value: T): Record<string, T> {
  return Object.fromEntries(keywords.map((keyword) => [keyword, value]))
}

function fitting<T>(list: readonly T[], bytesMax: number): T[] {
  let left = bytesMax
  let count = 0
  for (const item of list) {
    left -= bytesOf(item) + 1
    if (left < 0) break
    count++
  }
  return list.slice(0, count)
}

/** True when the schema has parts that a stub does not show. */
export function isComposite(schema: Plain): boolean {
  return (
    MAP.some((keyword) => isPlain(schema[keyword]) && Object.keys(schema[keyword]).length > 0) ||
    LIST.some((keyword) => Array.isArray(schema[keyword])) ||
    ONE.some((keyword) => isPlain(schema[keyword]))
  )
}

/** At most `max` characters, cut at a word where one is near, on one line per paragraph. */
export function shorten(text: string, max: number): string {
  if (text.length <= max) return text
  const cut = text.slice(0, Math.max(0, max - 1)).toWellFormed()
  return `${cut.replace(/\s+\S{0,20}$/, '')}…`
}

/** Whether an expression is shown: it is judged here, and other validators compile it. */
export function isShownPattern(source: string): boolean {
  return linearPattern(source) !== null && isUnicodePattern(source)
}
