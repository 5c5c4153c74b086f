import { isPlain, pointerTo } from '../../base/json/storable.ts'
import type { FieldError } from '../../base/refusal.ts'
import { type LinearPattern, linearPattern } from '../../base/text/patterns.ts'
import type { Parameter } from '../../model/api/proxy.ts'
import { isNeverPassed, isOverride } from '../../model/http-names.ts'
import type { SchemaJudges } from '../../snapshot/schema/judge.ts'
import { fieldValues } from '../request-headers.ts'
import { withoutPrefix } from './parameter-readings.ts'
import { compileSchemaCheck, type SchemaCheck } from './parameter-schema.ts'

/** Where the parameters of a request stand. */
export interface ParameterSource {
  /** Values of path parameters, percent-encoded, in each way that they can be read; at least one. */
  readonly paths: readonly ReadonlyMap<string, string>[]
  /** Without `?`. */
  readonly query: string
  /** Header lines. */
  readonly lines: string
}

/** Adds what is wrong with the parameters of a request to `errors`, up to its bound. */
export type ParameterCheck = (source: ParameterSource, errors: FieldError[]) => void

/** Errors of one request. */
const ERRORS_MAX = 20
/** Pairs of a query that are looked at one by one; longer queries break `pairs`. */
const PAIRS_MAX = 1000

interface Rule {
  readonly parameter: Parameter
  readonly pattern: LinearPattern | null
  /** Texts of the values that are allowed. */
  readonly allowed: ReadonlySet<string> | null
  /** Numbers among them. */
  readonly numbers: ReadonlySet<number>
  /** Of parameters with a schema, in the place of the members above. */
  readonly bySchema: SchemaCheck | null
}

/** Compiles declared parameters; null when none of them can be wrong. */
export function compileParameters(
  declared: readonly Parameter[],
  strictQuery: boolean,
  judges: SchemaJudges,
): ParameterCheck | null {
  const rules = declared.map((parameter) => toRule(parameter, judges))
  const path = rules.filter(({ parameter }) => parameter.in === 'path')
  const query = rules.filter(({ parameter }) => parameter.in === 'query')
  // What the gateway reads or sets itself is judged by its own checks.
  const header = rules.filter(
    ({ parameter: { in: place, name } }) => place === 'header' && !isNeverPassed(name) && !isOverride(name),
  )
  const cookie = rules.filter(({ parameter }) => parameter.in === 'cookie')
  if (path.length + query.length + header.length + cookie.length === 0 && !strictQuery) return null
  return (source, errors) => {
    if (path.length > 0) judgePaths(path, source.paths, errors)
    if (query.length > 0 || (strictQuery && source.query !== ''))
      judgeQuery(query, source.query, strictQuery, errors)
    for (const rule of header) {
      const { name } = rule.parameter
      judge(rule, fieldValues(source.lines, name.toLowerCase()), errors, asIs)
    }
    if (cookie.length > 0) {
      const cookies = cookiesIn(source.lines)
      for (const rule of cookie) judge(rule, cookies.get(rule.parameter.name) ?? [], errors, asIs)
    }
    if (errors.length > ERRORS_MAX) errors.length = ERRORS_MAX
  }
}

function toRule(parameter: Parameter, judges: SchemaJudges): Rule {
  const { type, schema, content_type } = parameter
  // An expression says nothing of numbers (JSON Schema 2020-12, section 6.3.3).
  const isText = type === 'string' || type === 'array'
  const values = type === 'array' ? parameter.enum?.flat() : parameter.enum
  return {
    parameter,
    pattern: parameter.pattern === undefined || !isText ? null : linearPattern(parameter.pattern),
    allowed: values === undefined ? null : new Set(values.map(textOf)),
    numbers: new Set((values ?? []).filter((value) => typeof value === 'number')),
    bySchema:
      schema === undefined && content_type === undefined ? null : compileSchemaCheck(parameter, judges),
  }
}

function asIs(text: string): string {
  return text
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function add(
  errors: FieldError[],
  { name, in: place }: Pick<Parameter, 'name' | 'in'>,
  reason: string,
): void {
  if (errors.length < ERRORS_MAX) errors.push({ pointer: pointerTo('', place, name), reason })
}

/** One way to read the path must fit; what is wrong is told of the first. */
function judgePaths(
  rules: readonly Rule[],
  ways: readonly ReadonlyMap<string, string>[],
  errors: FieldError[],
): void {
  let first: FieldError[] | null = null
  for (const values of ways) {
    const found: FieldError[] = []
    for (const rule of rules) judgePath(rule, values, found)
    if (found.length === 0) return
    first ??= found
  }
  errors.push(...(first ?? []))
}

function judgePath(rule: Rule, values: ReadonlyMap<string, string>, errors: FieldError[]): void {
  const { parameter } = rule
  const value = values.get(parameter.name)
  if (value === undefined) return
  const raw = withoutPrefix(parameter, value)
  if (inPath(raw) === null) add(errors, parameter, 'must be UTF-8')
  else judge(rule, [raw], errors, inPath)
}

function inPath(text: string): string | null {
  return decoded(text, false)
}

function inQuery(text: string): string | null {
  return decoded(text, true)
}

function judgeQuery(rules: readonly Rule[], query: string, strict: boolean, errors: FieldError[]): void {
  /** Values as they came, by decoded name. */
  const found = new Map<string, string[]>()
  let count = 0
  for (let at = 0; at <= query.length && query !== ''; ) {
    const end = query.indexOf('&', at)
    const pair = query.slice(at, end === -1 ? query.length : end)
    at = end === -1 ? query.length + 1 : end + 1
    if (pair === '') continue
    if (++count > PAIRS_MAX) {
      errors.push({ pointer: '/query', reason: `more than ${PAIRS_MAX} parameters` })
      return
    }
    const equals = pair.indexOf('=')
    const name = inQuery(equals === -1 ? pair : pair.slice(0, equals))
    const value = equals === -1 ? '' : pair.slice(equals + 1)
    if (name === null || inQuery(value) === null) {
      errors.push({ pointer: '/query', reason: 'must be percent-encoded UTF-8' })
      return
    }
    const values = found.get(name)
    if (values === undefined) found.set(name, [value])
    else values.push(value)
  }
  for (const rule of rules) {
    const { name, type } = rule.parameter
    const values = found.get(name) ?? []
    if (rule.parameter.allow_empty === true && values.length > 0 && values.every((value) => value === ''))
      continue
    const isScalar = type === 'string' || type === 'integer' || type === 'number' || type === 'boolean'
    if (rule.bySchema !== null)
      rule.bySchema(values.length > 0 ? values : membersOf(found, name), errors, inQuery, found)
    else if (isScalar) judge(rule, values, errors, inQuery)
    else judgeList(rule, membersOf(found, name).map(inQueryKnown), errors)
  }
  if (!strict) return
  for (const name of found.keys())
    if (!rules.some(({ parameter }) => isDeclared(name, parameter)))
      add(errors, { in: 'query', name: name.slice(0, 80) }, 'is not declared')
}

/** Text that was decoded before. */
function inQueryKnown(text: string): string {
  return inQuery(text) ?? ''
}

/** Values of a list or object, however it is written: `tag=a&tag=b`, `tag[]=a`, `tag[0]=a`, `filter[name]=a`. */
function membersOf(found: ReadonlyMap<string, readonly string[]>, name: string): string[] {
  const values: string[] = []
  for (const [key, some] of found) if (key === name || key.startsWith(`${name}[`)) values.push(...some)
  return values
}

function isDeclared(name: string, { name: declared, type, schema }: Parameter): boolean {
  if (name === declared) return true
  if ((type === 'array' || type === 'object') && name.startsWith(`${declared}[`)) return true
  // Members of an object of style form stand for themselves.
  const properties = type === 'object' && isPlain(schema) ? schema['properties'] : undefined
  return isPlain(properties) && Object.hasOwn(properties, name)
}

/** A list is judged by its presence, the number of its items and each item; an object, of which forms differ, not at all. */
function judgeList(rule: Rule, values: readonly string[], errors: FieldError[]): void {
  const { parameter } = rule
  if (parameter.type === 'object') return
  if (values.length === 0) {
    if (parameter.required) add(errors, parameter, 'is required')
    return
  }
  const items = values.length === 1 ? values[0]!.split(',') : values
  const { min, max } = parameter
  if (min !== undefined && items.length < min) add(errors, parameter, `must have at least ${min} items`)
  if (max !== undefined && items.length > max) add(errors, parameter, `must have at most ${max} items`)
  for (const item of items) {
    const reason =
      rule.allowed !== null && !rule.allowed.has(item) ? oneOf(rule.allowed) : patternFault(rule, item)
    if (reason === null) continue
    add(errors, parameter, reason)
    return
  }
}

/**
 * A scalar: there at most once, and of its form.
 * @param raw values as they came; `decode` has been tried on them where it may fail
 */
function judge(
  rule: Rule,
  raw: readonly string[],
  errors: FieldError[],
  decode: (text: string) => string | null,
): void {
  const { parameter } = rule
  if (rule.bySchema !== null) {
    rule.bySchema(raw, errors, decode, NO_QUERY)
    return
  }
  const values = raw.map((value) => decode(value) ?? '')
  if (parameter.type === 'array' || parameter.type === 'object') {
    judgeList(rule, values, errors)
    return
  }
  if (values.length === 0) {
    if (parameter.required) add(errors, parameter, 'is required')
    return
  }
  if (values.length > 1) {
    add(errors, parameter, 'must not be repeated')
    return
  }
  const reason = faultOf(rule, values[0]!)
  if (reason !== null) add(errors, parameter, reason)
}

const NO_QUERY: ReadonlyMap<string, readonly string[]> = new Map()
const NUMBER = /^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$/

/** Numbers are those of JSON: 1.0 and 1e3 are integers. */
function isInteger(text: string): boolean {
  if (!NUMBER.test(text)) return false
  return !/[.eE]/.test(text) || !Number.isFinite(Number(text)) || Number.isInteger(Number(text))
}

function faultOf(rule: Rule, value: string): string | null {
  const { type, min, max } = rule.parameter
  if (type === 'boolean') {
    if (value !== 'true' && value !== 'false') return 'must be true or false'
  } else if (type === 'integer' || type === 'number') {
    if (!(type === 'integer' ? isInteger(value) : NUMBER.test(value)))
      return type === 'integer' ? 'must be an integer' : 'must be a number'
    const number = Number(value)
    if (min !== undefined && number < min) return `must be at least ${min}`
    if (max !== undefined && number > max) return `must be at most ${max}`
    if (rule.numbers.has(number)) return null
  } else {
    // Characters are code points (JSON Schema 2020-12, section 6.3.1).
    const length = min === undefined && max === undefined ? 0 : [...value].length
    if (min !== undefined && length < min) return `must have at least ${min} characters`
    if (max !== undefined && length > max) return `must have at most ${max} characters`
  }
  if (rule.allowed !== null && !rule.allowed.has(value)) return oneOf(rule.allowed)
  return patternFault(rule, value)
}

function patternFault({ pattern, parameter }: Rule, value: string): string | null {
  return pattern === null || pattern.test(value) ? null : `must match ${parameter.pattern!.slice(0, 120)}`
}

function oneOf(allowed: ReadonlySet<string>): string {
  return `must be one of ${[...allowed].join(', ').slice(0, 200)}`
}

function decoded(text: string, plusIsSpace: boolean): string | null {
  const plain = plusIsSpace ? text.replaceAll('+', ' ') : text
  if (!plain.includes('%')) return plain
  try {
    return decodeURIComponent(plain)
  } catch {
    return null
  }
}

/** Cookies by name (RFC 6265 4.2.1); a value keeps its quotes. */
function cookiesIn(lines: string): Map<string, string[]> {
  const found = new Map<string, string[]>()
  for (const line of fieldValues(lines, 'cookie'))
    for (const pair of line.split(';', PAIRS_MAX)) {
      const equals = pair.indexOf('=')
      if (equals === -1) continue
      const name = pair.slice(0, equals).trim()
      const values = found.get(name)
      if (values === undefined) found.set(name, [pair.slice(equals + 1).trim()])
      else values.push(pair.slice(equals + 1).trim())
    }
  return found
}
