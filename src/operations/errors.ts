import type { z } from 'zod'
import { fieldErrorsOf } from '../base/field-errors.ts'
import { type Refusal, refuse } from '../base/refusal.ts'

/** The refusal of an input that its schema does not accept. Names fields, never their values. */
export function toInputInvalid(error: z.ZodError): Refusal {
  const errors = fieldErrorsOf(error)
  const [first] = errors
  const place = first === undefined || first.pointer === '' ? 'The input' : first.pointer
  return refuse('input_invalid', { detail: `${place}: ${first?.reason ?? 'is not valid'}.`, errors })
}
