import type { z } from 'zod'
import { pointerTo } from './pointer.ts'
import { type FieldError, type Refusal, refuse } from './refusal.ts'

/** What a schema does not accept, by JSON pointers. Names fields, never their values. */
export function fieldErrorsOf(error: z.ZodError): FieldError[] {
  return error.issues.flatMap((issue) => toFieldErrors(issue, []))
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
    return issue.keys.map((key) => ({ pointer: pointerTo('', ...path, key), reason: 'unknown member' }))
  if (issue.code === 'invalid_union') {
    // The branch with the fewest faults is most likely the one that was meant.
    const [nearest] = [...issue.errors].sort((a, b) => a.length - b.length)
    if (nearest !== undefined && nearest.length > 0)
      return nearest.flatMap((inner) => toFieldErrors(inner, path))
    return [{ pointer: pointerTo('', ...path), reason: 'not one of the known kinds' }]
  }
  if (issue.code === 'invalid_value' && issue.message.startsWith('Invalid ')) {
    const values = issue.values.map(String)
    const reason = values.length === 1 ? `must be ${values[0]}` : `must be one of ${values.join(', ')}`
    return [{ pointer: pointerTo('', ...path), reason }]
  }
  const missing = issue.code === 'invalid_type' && issue.message.endsWith('received undefined')
  return [{ pointer: pointerTo('', ...path), reason: missing ? 'required' : issue.message }]
}
