/**
 * Reading of JSON schemas that may be anything: what was imported or written by hand is only known to be JSON.
 */
import { isPlain, type Plain } from '../../base/plain.ts'
import { tokenText } from '../../base/pointer.ts'
import { LIST, MAP, ONE } from '../../model/schema-keywords.ts'

/** Keywords with a plain number, text or flag. */
const LIMITS = [
  'format',
  'pattern',
  'minimum',
  'maximum',
  'exclusiveMinimum',
  'exclusiveMaximum',
  'multipleOf',
  'minLength',
  'maxLength',
  'minItems',
  'maxItems',
  'uniqueItems',
  'minProperties',
  'maxProperties',
  'contentEncoding',
  'contentMediaType',
  'readOnly',
  'writeOnly',
  'deprecated',
] as const
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
const ENUM_BYTES_MAX = 1500
const REQUIRED_BYTES_MAX = 2000
const TYPES_MAX = 8

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

/** Type, title and required names: what a schema is about in few bytes. */
export function gistOf(schema: Plain): Plain {
  const gist: Plain = {}
  const type = typeOf(schema)
  if (type !== undefined) gist['type'] = type
  if (typeof schema['title'] === 'string') gist['title'] = shorten(schema['title'], TITLE_MAX)
  const required = requiredOf(schema)
  if (required.length > 0) gist['required'] = required
  return gist
}

function typeOf(schema: Plain): unknown {
  const type = schema['type']
  if (typeof type === 'string') return shorten(type, 20)
  if (Array.isArray(type))
    return type.filter((item) => typeof item === 'string' && item.length <= 20).slice(0, TYPES_MAX)
  return isPlain(schema['properties']) ? 'object' : undefined
}

/** Names that must be present, as many as fit a bound. */
function requiredOf(schema: Plain): string[] {
  const required = schema['required']
  if (!Array.isArray(required)) return []
  return fitting(
    required.filter((item): item is string => typeof item === 'string'),
    REQUIRED_BYTES_MAX,
  )
}

/** All keywords but description and those that hold schemas, and a note on what was shortened. */
export function keywordsOf(schema: Plain): { keywords: Plain; note: string } {
  const keywords = gistOf(schema)
  for (const keyword of LIMITS) {
    const value = schema[keyword]
    const usable =
      typeof value === 'number' ||
      typeof value === 'boolean' ||
      (typeof value === 'string' && value.length <= LIMIT_TEXT_MAX)
    if (usable) keywords[keyword] = value
  }
  for (const keyword of ['const', 'default'] as const) {
    const value = schema[keyword]
    if (value !== undefined && bytesOf(value) <= VALUE_BYTES_MAX) keywords[keyword] = value
  }
  const examples: unknown = schema['examples']
  if (Array.isArray(examples) && examples.length > 0 && bytesOf(examples[0]) <= VALUE_BYTES_MAX)
    keywords['examples'] = [examples[0]]
  const values: unknown = schema['enum']
  if (!Array.isArray(values) || values.length === 0) return { keywords, note: '' }
  const shown = fitting(values, ENUM_BYTES_MAX)
  // A shortened enum would forbid the values it leaves out, so it becomes examples.
  keywords[shown.length === values.length ? 'enum' : 'examples'] = shown
  const more = values.length - shown.length
  return { keywords, note: more === 0 ? '' : `One of ${values.length} values, ${more} not shown.` }
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
