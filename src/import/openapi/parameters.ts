import type { z } from 'zod'
import { canonicalJson, type Json } from '../../base/json/canonical.ts'
import { isPlain, type Plain, pointerTo } from '../../base/json/storable.ts'
import { linearPattern } from '../../base/text/patterns.ts'
import { MediaType, PARAMETER_STYLES, type Parameter, patternFault } from '../../model/api/proxy.ts'
import { isCheckedFormat } from '../../model/schema-looseness.ts'
import { broken } from '../text/plain-data.ts'
import { localTokens, lookUp, tokensOf } from './pointer.ts'
import { resolve } from './resolve.ts'
import type { Schemas } from './schemas.ts'
import type { Leave, Warn } from './warnings.ts'

type ParameterInput = z.input<typeof Parameter>

const PLACES = ['path', 'query', 'header', 'cookie'] as const
const TYPES = ['string', 'integer', 'number', 'boolean', 'array', 'object'] as const
const PARAMETERS_MAX = 200
/** In one list of the description. */
const LISTED_MAX = 1000
const TEXT_MAX = 20_000
/** OpenAPI 3.1 section 4.8.12.1: described elsewhere, and not parameters. */
const IGNORED_HEADERS = new Set(['accept', 'content-type', 'authorization'])

/** What parameters are read with. */
export interface Reading {
  readonly document: Plain
  readonly schemas: Schemas
  readonly warn: Warn
  readonly leave: Leave
}

/** A list of parameters in the description. */
export interface ParameterList {
  readonly value: unknown
  readonly pointer: string
}

/**
 * Parameters of an operation: those of the path item, then its own, which replace by place and name. Every parameter
 * in the pattern is among the result, described or not.
 */
export function takeParameters(
  reading: Reading,
  lists: readonly ParameterList[],
  path: ReadPath,
): ParameterInput[] {
  const { warn } = reading
  const merged = new Map<string, ParameterInput>()
  for (const list of lists) {
    const own = new Set<string>()
    for (const { parameter, pointer } of readList(reading, list)) {
      const key = `${parameter.in} ${parameter.in === 'header' ? parameter.name.toLowerCase() : parameter.name}`
      if (own.has(key))
        warn(pointer, `parameter "${parameter.name.slice(0, 80)}" occurs twice; the first is kept`)
      else merged.set(key, parameter)
      own.add(key)
    }
  }
  const kept: ParameterInput[] = []
  const described = new Set<string>()
  for (const parameter of merged.values()) {
    if (parameter.in === 'path') {
      const slots = path.slots.filter(({ name }) => name === parameter.name)
      if (slots.length === 0)
        warn(
          lists.at(-1)?.pointer ?? '',
          `path parameter "${parameter.name.slice(0, 80)}" is not in the path; left out`,
        )
      for (const { ours } of slots) {
        if (ours === null) continue
        described.add(ours)
        kept.push({ ...parameter, name: ours, required: true })
      }
    } else if (parameter.in !== 'header' || !IGNORED_HEADERS.has(parameter.name.toLowerCase()))
      kept.push(parameter)
  }
  for (const { ours } of path.slots)
    if (ours !== null && !described.has(ours)) kept.push({ name: ours, in: 'path', required: true })
  return bounded(kept, lists.at(-1)?.pointer ?? '', warn)
}

function bounded(parameters: ParameterInput[], pointer: string, warn: Warn): ParameterInput[] {
  const usable = parameters.filter(({ name }) => name.length <= 256)
  if (usable.length < parameters.length)
    warn(pointer, 'parameters with names over 256 characters are left out')
  if (usable.length <= PARAMETERS_MAX) return usable
  warn(pointer, `more than ${PARAMETERS_MAX} parameters; the rest is left out`)
  const required = usable.filter((parameter) => parameter.required)
  return [...required, ...usable.filter((parameter) => !parameter.required)].slice(0, PARAMETERS_MAX)
}

function readList(
  reading: Reading,
  { value, pointer }: ParameterList,
): { parameter: ParameterInput; pointer: string }[] {
  if (value === undefined || value === null) return []
  if (!Array.isArray(value)) throw broken(pointer, 'a list of parameters')
  if (value.length > LISTED_MAX) throw broken(pointer, `more than ${LISTED_MAX} parameters`)
  return value.flatMap((item, index) => {
    const found = resolve(reading.document, item, pointerTo(pointer, index), 'a parameter')
    const unusable = unusableReason(found.value)
    if (unusable === null)
      return [{ parameter: readParameter(reading, found.value, found.pointer), pointer: found.pointer }]
    reading.warn(found.pointer, `left out, ${unusable}`)
    return []
  })
}

/**
 * A parameter that stands twice in a path and is described in two ways: which value means what is not known. Null: there is none.
 */
export function ambiguousParameter(
  document: Plain,
  lists: readonly ParameterList[],
  { slots }: ReadPath,
): string | null {
  const names = new Set(slots.map(({ name }) => name))
  if (names.size === slots.length) return null
  const isTwice = (name: string): boolean => slots.filter((slot) => slot.name === name).length > 1
  for (const { value, pointer } of lists) {
    if (!Array.isArray(value) || value.length > LISTED_MAX) continue
    const described = new Map<string, string>()
    for (const [index, item] of value.entries()) {
      const { value: parameter } = resolve(document, item, pointerTo(pointer, index), 'a parameter')
      const { in: place, name } = parameter
      if (place !== 'path' || typeof name !== 'string' || !isTwice(name)) continue
      const text = canonicalJson(parameter as Json)
      if ((described.get(name) ?? text) !== text) return name
      described.set(name, text)
    }
  }
  return null
}

/**
 * What path parameters of style matrix write before their values (RFC 6570 section 3.2.7), by name. It belongs to the pattern of the path:
 * a segment with `;` is refused unless its pattern has one.
 */
export function matrixPrefixes(
  document: Plain,
  lists: readonly ParameterList[],
): readonly (readonly [name: string, prefix: string])[] {
  const found = new Map<string, string>()
  for (const { value, pointer } of lists) {
    if (!Array.isArray(value) || value.length > LISTED_MAX) continue
    for (const [index, item] of value.entries()) {
      const { value: parameter } = resolve(document, item, pointerTo(pointer, index), 'a parameter')
      const { in: place, name, style, explode } = parameter
      if (place !== 'path' || typeof name !== 'string') continue
      const isScattered = explode === true && typeOf(schemaOf(document, parameter)) === 'object'
      if (style === 'matrix') found.set(name, isScattered ? ';' : `;${name}=`)
      else found.delete(name)
    }
  }
  return [...found]
}

/** Why a parameter of a description has no place in a contract; null for all others. */
function unusableReason(parameter: Plain): string | null {
  if (parameter['name'] === '') return 'a parameter without a name'
  // OpenAPI 3.2 section 4.12.2: the whole query string as one value
  return parameter['in'] === 'querystring' ? 'the query string is not checked as a whole' : null
}

function readParameter(reading: Reading, value: Plain, pointer: string): ParameterInput {
  const { document } = reading
  const name = value['name']
  if (typeof name !== 'string' || name === '')
    throw broken(pointerTo(pointer, 'name'), 'a parameter must have a name')
  const place = PLACES.find((item) => item === value['in'])
  if (place === undefined)
    throw broken(pointerTo(pointer, 'in'), 'a parameter must be in path, query, header or cookie')
  const schema = schemaOf(document, value)
  const parameter: ParameterInput = { name, in: place, type: typeOf(schema) }
  if (value['required'] === true) parameter.required = true
  const description = value['description'] ?? schema['description']
  if (typeof description === 'string') parameter.description = description.slice(0, TEXT_MAX)
  // Parts of a document that is plain JSON.
  if (schema['default'] !== undefined) parameter.default = schema['default'] as ParameterInput['default']
  if (Array.isArray(schema['enum']) && schema['enum'].length <= 2000)
    parameter.enum = schema['enum'] as ParameterInput['enum']
  else if (schema['const'] !== undefined) parameter.enum = [schema['const']] as ParameterInput['enum']
  const { pattern, minimum, maximum } = schema
  const isNumber = parameter.type === 'integer' || parameter.type === 'number'
  if (typeof pattern === 'string' && pattern.length <= 4096 && linearPattern(pattern) !== null)
    parameter.pattern = pattern
  if (isNumber && typeof minimum === 'number') parameter.min = minimum
  if (isNumber && typeof maximum === 'number') parameter.max = maximum
  return { ...parameter, ...formOf(reading, value, parameter, pointer) }
}

type Form = Pick<ParameterInput, 'schema' | 'style' | 'explode' | 'allow_empty' | 'content_type'>

/** How the value is written, and its schema where the other members do not say all of it. */
function formOf(reading: Reading, value: Plain, parameter: ParameterInput, pointer: string): Form {
  const { schemas, leave } = reading
  const content = contentOf(value)
  const isQuery = parameter.in === 'query'
  const form: Form = isQuery && value['allowEmptyValue'] === true ? { allow_empty: true } : {}
  if (content !== null) {
    const { mediaType, schema } = content
    const type = MediaType.safeParse(mediaType.split(';')[0]!.trim().toLowerCase())
    const isJson = type.success && /[/+]json$/.test(type.data)
    if (!isJson) leave(pointerTo(pointer, 'content'), 'content', 'only JSON is checked')
    return {
      ...form,
      content_type: isJson ? type.data : 'application/octet-stream',
      schema: isJson
        ? schemas.take(schema ?? true, [...tokensOf(pointer), 'content', mediaType, 'schema'])
        : true,
    }
  }
  const { schema } = value
  if (schema === undefined) return { ...form, schema: true }
  const usual = isQuery || parameter.in === 'cookie' ? 'form' : 'simple'
  const { style } = value
  const known = PARAMETER_STYLES.find((one) => one === style)
  if (isPlain(schema) && isFlat(schema) && known !== 'label' && known !== 'matrix') return form
  if (style !== undefined && known === undefined)
    leave(pointerTo(pointer, 'style'), 'style', 'not a style of OpenAPI; the value may be anything')
  const explodes = (known ?? usual) === 'form'
  const explode = typeof value['explode'] === 'boolean' ? value['explode'] : explodes
  if (parameter.type === 'object' && explodes && explode)
    leave(
      pointerTo(pointer, 'schema'),
      'schema',
      'the members of an object of style form are separate parameters, which are not checked together',
    )
  return {
    ...form,
    schema:
      style !== undefined && known === undefined
        ? true
        : schemas.take(schema, [...tokensOf(pointer), 'schema']),
    ...(known === undefined || known === usual ? {} : { style: known }),
    ...(explode === explodes ? {} : { explode }),
  }
}

function contentOf(parameter: Plain): { mediaType: string; schema: unknown } | null {
  const content = parameter['content']
  if (parameter['schema'] !== undefined || !isPlain(content)) return null
  const first = Object.entries(content)[0]
  if (first === undefined) return null
  return { mediaType: first[0], schema: isPlain(first[1]) ? first[1]['schema'] : undefined }
}

const FLAT = new Set([
  ...['type', 'enum', 'pattern', 'minimum', 'maximum', 'format', 'default', 'description', 'title'],
  ...['example', 'examples', 'deprecated', '$comment', 'externalDocs', 'readOnly', 'writeOnly', 'xml'],
])

/** The members of a parameter say all that the schema does: a scalar of one type. */
function isFlat(schema: Plain): boolean {
  const { type, enum: values, pattern, format } = schema
  const isText = type === 'string'
  if (!isText && type !== 'integer' && type !== 'number' && type !== 'boolean') return false
  if (!Object.keys(schema).every((keyword) => FLAT.has(keyword) || keyword.startsWith('x-'))) return false
  const isNumber = type === 'integer' || type === 'number'
  if (
    Array.isArray(values)
      ? !values.every((one) => typeof one === (isNumber ? 'number' : type))
      : values !== undefined
  )
    return false
  if (Array.isArray(values) && (values.length === 0 || values.length > 2000)) return false
  if (pattern !== undefined && !(isText && typeof pattern === 'string' && linearPattern(pattern) !== null))
    return false
  if (
    ['minimum', 'maximum'].some(
      (bound) => schema[bound] !== undefined && (isText || typeof schema[bound] !== 'number'),
    )
  )
    return false
  // `int64`, `float` and `double` are no narrower than their types.
  return typeof format !== 'string' || (isNumber ? format !== 'int32' : isText && !isRecognizedFormat(format))
}

/** True for a format that is checked, or whose missing check the import reports. */
function isRecognizedFormat(format: string): boolean {
  return isCheckedFormat(format) || !['password', 'binary', 'byte'].includes(format)
}

/** The schema that says type and bounds: references followed, and a wrapper with one meaning looked into. */
function schemaOf(document: Plain, parameter: Plain): Plain {
  const content = isPlain(parameter['content']) ? Object.values(parameter['content'])[0] : undefined
  let schema: unknown = parameter['schema'] ?? (isPlain(content) ? content['schema'] : undefined)
  let outer: Plain = {}
  for (let hops = 0; hops < 8 && isPlain(schema); hops++) {
    outer = { ...schema, ...outer }
    const inner = innerOf(document, schema)
    if (inner === undefined) break
    schema = inner
  }
  return outer
}

function innerOf(document: Plain, schema: Plain): unknown {
  if (typeof schema['$ref'] === 'string') {
    const tokens = localTokens(schema['$ref'])
    return tokens === null ? undefined : lookUp(document, tokens)
  }
  for (const keyword of ['allOf', 'anyOf', 'oneOf']) {
    const list = schema[keyword]
    if (!Array.isArray(list)) continue
    const real = list.filter((item) => isPlain(item) && item['type'] !== 'null')
    if (real.length > 0 && (real.length === 1 || keyword === 'allOf')) return real[0]
  }
  return undefined
}

function typeOf(schema: Plain): (typeof TYPES)[number] {
  const types: unknown[] = Array.isArray(schema['type']) ? schema['type'] : [schema['type']]
  const type = TYPES.find((item) => types.includes(item))
  if (type !== undefined) return type
  return isPlain(schema['properties']) ? 'object' : 'string'
}

/** A path of the description as a pattern of ours. */
export interface ReadPath {
  readonly pattern: string
  /** Same for two paths that differ only in parameter names. */
  readonly shape: string
  /** The parameters in their order. */
  readonly slots: readonly Slot[]
  /** What is imported differently from what was written. */
  readonly notes: readonly string[]
}

/** A parameter of a path: its name in the description, and in the pattern. null: it became a wildcard. */
interface Slot {
  readonly name: string
  readonly ours: string | null
}

/** Why no proxy can be made of a path. */
export interface Unusable {
  readonly unusable: string
}

/**
 * Turns a templated path (OpenAPI 3.1 section 4.8.8) into a pattern. Paths that are no paths at all are refused;
 * those that no canonical request can match are unusable, with the reason.
 * @param prefixes what the style of a parameter writes before its value; by the name in the description
 */
export function toPattern(
  path: string,
  pointer: string,
  prefixes: ReadonlyMap<string, string> = NO_PREFIXES,
): ReadPath | Unusable {
  if (!path.startsWith('/')) throw broken(pointer, 'a path must start with /')
  if (path.length > 4096) return { unusable: 'longer than 1024 characters' }
  const notes: string[] = []
  const slots: Slot[] = []
  const taken = new Set<string>()
  let pattern = ''
  let shape = ''
  for (const [literal, name] of partsOf(path, pointer)) {
    const cut = literal.search(/[?#]/)
    const text = toCanonical(cut === -1 ? literal : literal.slice(0, cut))
    pattern += text
    shape += text
    if (cut !== -1) {
      notes.push(`imported without "${path.slice(path.indexOf(literal.slice(cut))).slice(0, 80)}"`)
      break
    }
    if (name === null) continue
    if (/^[?&#]/.test(name)) {
      notes.push(`imported without {${name.slice(0, 80)}}`)
      break
    }
    if (/[+*]$|^\+/.test(name) && pattern.endsWith('/') && path.endsWith(`{${name}}`)) {
      slots.push({ name, ours: null })
      notes.push(`{${name}} became a wildcard for the rest of the path`)
      pattern += '*'
      shape += '*'
      continue
    }
    const prefix = toCanonical(prefixes.get(name) ?? '')
    if (!pattern.endsWith(prefix)) {
      pattern += prefix
      shape += prefix
    }
    const ours = toName(name, taken)
    if (slots.some((slot) => slot.name === name))
      notes.push(
        `parameter {${name.slice(0, 80)}} occurs twice in the path; the later one is called {${ours}}`,
      )
    else if (ours !== name) notes.push(`parameter {${name.slice(0, 80)}} is called {${ours}}`)
    slots.push({ name, ours })
    pattern += `{${ours}}`
    shape += '{}'
  }
  if (pattern.endsWith('/*') && slots.every(({ ours }) => ours !== null))
    notes.push('/* matches the rest of the path')
  const fault = unusable(pattern)
  return fault === null ? { pattern, shape, slots, notes } : { unusable: fault }
}

const NO_PREFIXES: ReadonlyMap<string, string> = new Map()

/** Pairs of literal text and the parameter after it; the last has none. */
function partsOf(path: string, pointer: string): [string, string | null][] {
  const parts: [string, string | null][] = []
  let from = 0
  for (const match of path.matchAll(/\{([^{}]*)\}/g)) {
    if (match[1] === '') throw broken(pointer, 'a parameter without a name')
    parts.push([path.slice(from, match.index), match[1]!])
    from = match.index + match[0].length
  }
  parts.push([path.slice(from), null])
  if (parts.some(([literal]) => /[{}]/.test(literal)))
    throw broken(pointer, 'a brace without its counterpart')
  return parts
}

/** Canonical form of literal text: unreserved characters plain, others that need it as `%XX` in upper case. */
function toCanonical(text: string): string {
  return text.replace(/%[0-9A-Fa-f]{2}|%|[^A-Za-z0-9._~!$&'()*+,;=:@/%-]+/g, (found) => {
    if (!/^%[0-9A-Fa-f]{2}$/.test(found)) return encodeURIComponent(found.toWellFormed())
    const char = String.fromCharCode(Number.parseInt(found.slice(1), 16))
    return /[A-Za-z0-9._~-]/.test(char) ? char : found.toUpperCase()
  })
}

function toName(name: string, taken: Set<string>): string {
  const base = name.replace(/[^A-Za-z0-9_.-]/g, '_').replace(/^(?![A-Za-z_])/, '_')
  let ours = base.slice(0, 64)
  for (let count = 2; taken.has(ours); count++) ours = `${base.slice(0, 60)}_${count}`
  taken.add(ours)
  return ours
}

/** The gateway refuses such requests as ambiguous, so a proxy for them could never be called. */
function unusable(pattern: string): string | null {
  if (/%(2F|5C|[01][0-9A-F]|7F)/.test(pattern)) return 'an encoded slash, backslash or control character'
  if (pattern.length > 1024) return 'longer than 1024 characters'
  return patternFault(pattern)
}
