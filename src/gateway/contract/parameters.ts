import { type LinearPattern, linearPattern } from '../../base/linear-pattern.ts'
import { pointerTo } from '../../base/pointer.ts'
import type { FieldError } from '../../base/refusal.ts'
import { isNeverPassed, isOverride } from '../../model/header-names.ts'
import type { Parameter } from '../../model/proxy.ts'
import { fieldValues } from '../header-lines.ts'

/** Where the parameters of a request stand. */
export interface ParameterSource {
  /** Values of path parameters, percent-encoded. */
  readonly path: ReadonlyMap<string, string>
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
}

/** Compiles declared parameters; null when none of them can be wrong. */
export function compileParameters(
  declared: readonly Parameter[],
  strictQuery: boolean,
): ParameterCheck | null {
  const rules = declared.map(toRule)
  const path = rules.filter(({ parameter }) => parameter.in === 'path')
  const query = rules.filter(({ parameter }) => parameter.in === 'query')
  // What the gateway reads or sets itself is judged by its own checks.
  const header = rules.filter(
    ({ parameter: { in: place, name } }) => place === 'header' && !isNeverPassed(name) && !isOverride(name),
  )
  const cookie = rules.filter(({ parameter }) => parameter.in === 'cookie')
  if (path.length + query.length + header.length + cookie.length === 0 && !strictQuery) return null
  return (source, errors) => {
    for (const rule of path) judgePath(rule, source.path, errors)
    if (query.length > 0 || (strictQuery && source.query !== ''))
      judgeQuery(query, source.query, strictQuery, errors)
    for (const rule of header) {
      const { name } = rule.parameter
      judge(rule, fieldValues(source.lines, name.toLowerCase()), errors)
    }
    if (cookie.length > 0) {
      const cookies = cookiesIn(source.lines)
      for (const rule of cookie) judge(rule, cookies.get(rule.parameter.name) ?? [], errors)
    }
    if (errors.length > ERRORS_MAX) errors.length = ERRORS_MAX
  }
}

function toRule(parameter: Parameter): Rule {
  return {
    parameter,
    pattern: parameter.pattern === undefined ? null : linearPattern(parameter.pattern),
    allowed: parameter.enum === undefined ? null : new Set(parameter.enum.map(textOf)),
  }
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

function judgePath(rule: Rule, values: ReadonlyMap<string, string>, errors: FieldError[]): void {
  const value = values.get(rule.parameter.name)
  if (value === undefined) return
  const text = decoded(value, false)
  if (text === null) add(errors, rule.parameter, 'must be UTF-8')
  else judge(rule, [text], errors)
}

function judgeQuery(rules: readonly Rule[], query: string, strict: boolean, errors: FieldError[]): void {
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
    const name = decoded(equals === -1 ? pair : pair.slice(0, equals), true)
    const value = decoded(equals === -1 ? '' : pair.slice(equals + 1), true)
    if (name === null || value === null) {
      errors.push({ pointer: '/query', reason: 'must be percent-encoded UTF-8' })
      return
    }
    const values = found.get(name)
    if (values === undefined) found.set(name, [value])
    else values.push(value)
  }
  for (const rule of rules) {
    const { name, type } = rule.parameter
    if (type === 'string' || type === 'integer' || type === 'number' || type === 'boolean')
      judge(rule, found.get(name) ?? [], errors)
    else judgeList(rule, membersOf(found, name), errors)
  }
  if (!strict) return
  for (const name of found.keys())
    if (!rules.some(({ parameter }) => isDeclared(name, parameter)))
      add(errors, { in: 'query', name: name.slice(0, 80) }, 'is not declared')
}

/** Values of a list or object, however it is written: `tag=a&tag=b`, `tag[]=a`, `tag[0]=a`, `filter[name]=a`. */
function membersOf(found: ReadonlyMap<string, readonly string[]>, name: string): string[] {
  const values: string[] = []
  for (const [key, some] of found) if (key === name || key.startsWith(`${name}[`)) values.push(...some)
  return values
}

function isDeclared(name: string, { name: declared, type }: Parameter): boolean {
  if (name === declared) return true
  return (type === 'array' || type === 'object') && name.startsWith(`${declared}[`)
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

/** A scalar: there at most once, and of its form. */
function judge(rule: Rule, values: readonly string[], errors: FieldError[]): void {
  const { parameter } = rule
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

const INTEGER = /^-?(0|[1-9][0-9]{0,18})$/
const NUMBER = /^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?$/

function faultOf(rule: Rule, value: string): string | null {
  const { type, min, max } = rule.parameter
  if (type === 'boolean') {
    if (value !== 'true' && value !== 'false') return 'must be true or false'
  } else if (type === 'integer' || type === 'number') {
    if (!(type === 'integer' ? INTEGER : NUMBER).test(value))
      return type === 'integer' ? 'must be an integer' : 'must be a number'
    const number = Number(value)
    if (min !== undefined && number < min) return `must be at least ${min}`
    if (max !== undefined && number > max) return `must be at most ${max}`
  } else {
    const { length } = value
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
