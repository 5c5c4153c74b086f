import type { z } from 'zod'
import { type FieldError, type Refusal, refuse } from '../refusal.ts'
import { pointerTo } from './plain.ts'

/** Places that one refusal names. */
const ERRORS_MAX = 100

/** What a schema does not accept, by JSON pointers, at most {@link ERRORS_MAX}. Names fields, never their values. */
export function fieldErrorsOf(error: z.ZodError): FieldError[] {
  // Of a list with a million faults the first suffice, and all would take seconds
  const first = error.issues.slice(0, ERRORS_MAX)
  return first.flatMap((issue) => toFieldErrors(issue, [])).slice(0, ERRORS_MAX)
}

/** The refusal of an input that its schema does not accept. Names fields, never their values. */
export function toInputInvalid(error: z.ZodError): Refusal {
  const errors = fieldErrorsOf(error)
  const [first] = errors
  const place = first === undefined || first.pointer === '' ? 'The input' : first.pointer
  return refuse('input_invalid', { detail: `${place}: ${first?.reason ?? 'is not valid'}.`, errors })
}

function toFieldErrors(issue: z.core.$ZodIssue, above: readonly PropertyKey[]): FieldError[] {
  const path = [...above, ...issue.path]
  if (issue.code === 'unrecognized_keys')
    return issue.keys
      .slice(0, ERRORS_MAX)
      .map((key) => ({ pointer: pointerTo('', ...path, key), reason: 'unknown member' }))
  if (issue.code === 'invalid_union') {
    // The branch of the same type with the fewest faults is most likely the one that was meant
    const [nearest] = [...issue.errors].sort(
      (a, b) => Number(isOfOtherType(a)) - Number(isOfOtherType(b)) || a.length - b.length,
    )
    if (nearest !== undefined && nearest.length > 0)
      return nearest.flatMap((inner) => toFieldErrors(inner, path))
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
