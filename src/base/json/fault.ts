import type { z } from 'zod'
import { type FieldError, type Refusal, refuse } from '../refusal.ts'
import { nearestName } from '../text/distance.ts'
import { membersAt } from './schema-members.ts'
import { pointerTo } from './storable.ts'

/**
 * Where a text stops being JSON (RFC 8259), as people count: lines and columns from 1, columns in characters (UTF-16).
 * What the parser of the platform says instead quotes the text, which may hold a secret, and often has no position.
 */
export interface JsonFault {
  readonly line: number
  readonly column: number
}

/** Numbers and names of values. Strings are walked by hand, since they may be as long as a body. */
const SCALAR = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false|null/y
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y
const SPACE = /[ \t\r\n]*/y

/** @returns null for text that is JSON */
export function jsonFaultOf(text: string): JsonFault | null {
  const offset = grammarFaultOf(text)?.at
  if (offset === undefined) return null
  const before = text.slice(0, offset)
  const lineStart = before.lastIndexOf('\n') + 1
  let line = 1
  for (let at = before.indexOf('\n'); at !== -1; at = before.indexOf('\n', at + 1)) line++
  return { line, column: offset - lineStart + 1 }
}

/** A sentence that names the place: `line 1, column 15`. */
export function jsonFaultText(text: string): string {
  const fault = jsonFaultOf(text)
  return fault === null ? '' : `line ${fault.line}, column ${fault.column}`
}

/** What may stand at a place. */
type Want = 'value' | 'value or ]' | 'name' | 'name or }' | ':' | ', or closing bracket' | 'end'

/** Where a text breaks the grammar. */
export interface GrammarFault {
  /** Index of the first character that cannot continue the text as JSON, its length where it ends too early. */
  readonly at: number
  readonly want: Want
  /** Index of the quote of the string that is broken; -1 where none is. */
  readonly string: number
}

/** Who follows a text while it is looked through. */
export interface Follower {
  opened(isObject: boolean): void
  /** @param literal with its quotes */
  named(literal: string): void
  /** The next member or item follows. */
  separated(): void
  closed(): void
}

/** One pass over the grammar of RFC 8259 section 2, with a stack of its own, so that depth costs no call stack. Null for JSON. */
export function grammarFaultOf(text: string, follower?: Follower): GrammarFault | null {
  const open: string[] = []
  let want: Want = 'value'
  let at = match(SPACE, text, 0)
  const wantNext = (): Want => (open.length === 0 ? 'end' : ', or closing bracket')
  while (at < text.length) {
    const char = text[at]!
    const isForName: boolean = want === 'name' || want === 'name or }'
    const isForValue: boolean = want === 'value' || want === 'value or ]'
    if (
      (char === '}' || char === ']') &&
      char === open.at(-1) &&
      (want.endsWith(char) || want === ', or closing bracket')
    ) {
      open.pop()
      follower?.closed()
      want = wantNext()
      at++
    } else if (char === ',' && want === ', or closing bracket') {
      follower?.separated()
      want = open.at(-1) === '}' ? 'name' : 'value'
      at++
    } else if (char === ':' && want === ':') {
      want = 'value'
      at++
    } else if (isForValue && (char === '{' || char === '[')) {
      follower?.opened(char === '{')
      open.push(char === '{' ? '}' : ']')
      want = char === '{' ? 'name or }' : 'value or ]'
      at++
    } else if (char === '"' && (isForName || isForValue)) {
      const { end, isWhole } = stringAt(text, at)
      if (!isWhole) return { at: end, want, string: at }
      if (isForName) follower?.named(text.slice(at, end))
      want = isForName ? ':' : wantNext()
      at = end
    } else {
      const end = isForValue ? match(SCALAR, text, at) : -1
      if (end === -1) return { at, want, string: -1 }
      want = wantNext()
      at = end
    }
    at = match(SPACE, text, at)
  }
  return want === 'end' ? null : { at: text.length, want, string: -1 }
}

/** Where the string ends that opens at `start`, or, of a broken one, where it breaks. */
function stringAt(text: string, start: number): { readonly end: number; readonly isWhole: boolean } {
  for (let at = start + 1; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === 0x22) return { end: at + 1, isWhole: true }
    if (code < 0x20) return { end: at, isWhole: false }
    if (code !== 0x5c) continue
    const end = match(ESCAPE, text, at)
    if (end === -1) return { end: at, isWhole: false }
    at = end - 1
  }
  return { end: text.length, isWhole: false }
}

/** Where a sticky expression ends that is tried at `at`, or -1. */
function match(expression: RegExp, text: string, at: number): number {
  expression.lastIndex = at
  return expression.test(text) ? expression.lastIndex : -1
}

/** Places that one refusal names. */
const ERRORS_MAX = 100

/** Unknown members for which one refusal names the known one that is near. */
const NEAR_MAX = 10

/**
 * What a schema does not accept, by JSON pointers, at most {@link ERRORS_MAX}. Names fields, never their values.
 * @param schema names the known member that is near an unknown one
 */
export function fieldErrorsOf(error: z.ZodError, schema?: z.core.$ZodType): FieldError[] {
  // Of a list with a million faults the first suffice, and all would take seconds
  const first = error.issues.slice(0, ERRORS_MAX)
  let left = NEAR_MAX
  const near = (path: readonly PropertyKey[], key: string): string => {
    const nearest = schema === undefined || left-- <= 0 ? null : nearestName(key, membersAt(schema, path))
    return nearest === null ? '' : `; did you mean ${nearest}?`
  }
  return first.flatMap((issue) => toFieldErrors(issue, [], near)).slice(0, ERRORS_MAX)
}

/** The refusal of an input that its schema does not accept. Names fields, never their values. */
export function toInputInvalid(error: z.ZodError, schema?: z.core.$ZodType): Refusal {
  const errors = fieldErrorsOf(error, schema)
  const [first] = errors
  const place = first === undefined || first.pointer === '' ? 'The input' : first.pointer
  const reason = first?.reason ?? 'is not valid'
  return refuse('input_invalid', { detail: `${place}: ${reason}${reason.endsWith('?') ? '' : '.'}`, errors })
}

/** What follows the reason of an unknown member. */
type Near = (path: readonly PropertyKey[], key: string) => string

function toFieldErrors(issue: z.core.$ZodIssue, above: readonly PropertyKey[], near: Near): FieldError[] {
  const path = [...above, ...issue.path]
  if (issue.code === 'unrecognized_keys')
    return issue.keys
      .slice(0, ERRORS_MAX)
      .map((key) => ({ pointer: pointerTo('', ...path, key), reason: `unknown member${near(path, key)}` }))
  if (issue.code === 'invalid_union') {
    // The branch of the same type with the fewest faults is most likely the one that was meant
    const [nearest] = [...issue.errors].sort(
      (a, b) => Number(isOfOtherType(a)) - Number(isOfOtherType(b)) || a.length - b.length,
    )
    if (nearest !== undefined && nearest.length > 0)
      return nearest.flatMap((inner) => toFieldErrors(inner, path, near))
    return [{ pointer: pointerTo('', ...path), reason: oneOf(optionsOf(issue)) }]
  }
  if (issue.code === 'invalid_value' && issue.message.startsWith('Invalid ')) {
    return [{ pointer: pointerTo('', ...path), reason: oneOf(issue.values.map(String)) }]
  }
  return [{ pointer: pointerTo('', ...path), reason: reasonOf(issue) }]
}

/** Values of the member that tells the branches of a union apart. */
function optionsOf(issue: z.core.$ZodIssueInvalidUnion): readonly string[] {
  const { options } = issue as { readonly options?: readonly unknown[] }
  return options?.map(String) ?? []
}

function oneOf(values: readonly string[]): string {
  if (values.length === 0) return 'not one of the known kinds'
  return values.length === 1 ? `must be ${values[0]}` : `must be one of ${values.join(', ')}`
}

/** True for a branch of a union that is for values of another type, such as a string instead of an object. */
function isOfOtherType(issues: readonly z.core.$ZodIssue[]): boolean {
  return issues.some(({ code, path }) => code === 'invalid_type' && path.length === 0)
}

/** Of the types that a schema expects. */
const TYPES: Readonly<Record<string, string>> = {
  string: 'a string',
  number: 'a number',
  int: 'an integer',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  record: 'an object',
  null: 'null',
}

/** What is counted in a value that has a length. */
const COUNTED: Readonly<Record<string, readonly [one: string, many: string]>> = {
  string: ['character', 'characters'],
  array: ['item', 'items'],
}

/** What the value must be. A message that the schema gives is kept. */
function reasonOf(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_type') {
    if (issue.message.endsWith('received undefined')) return 'required'
    const type = TYPES[issue.expected]
    if (type !== undefined && issue.message.startsWith('Invalid input')) return `must be ${type}`
  }
  if (issue.code === 'too_big' && issue.message.startsWith('Too big'))
    return limitOf(issue.origin, issue.inclusive === false ? 'less than' : 'at most', issue.maximum)
  if (issue.code === 'too_small' && issue.message.startsWith('Too small'))
    return limitOf(issue.origin, issue.inclusive === false ? 'more than' : 'at least', issue.minimum)
  return issue.message
}

function limitOf(origin: string, bound: string, limit: number | bigint): string {
  const counted = COUNTED[origin]
  if (counted === undefined) return `must be ${bound} ${limit}`
  return `must have ${bound} ${limit} ${Number(limit) === 1 ? counted[0] : counted[1]}`
}
