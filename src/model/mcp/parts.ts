/** Shapes that items of lists and contents of results share (2025-11-25 and 2026-07-28, schema). */
import {
  anyObject,
  hint,
  listOf,
  listOfHints,
  object,
  oneOf,
  optional,
  required,
  text,
  typed,
} from './shape.ts'

/** An icon that does not fit is left out: it is decoration. */
export const ICONS = hint(
  listOfHints(
    object({
      src: required(text),
      mimeType: hint(text),
      sizes: hint(listOf(text)),
      theme: hint(oneOf('light', 'dark')),
    }),
  ),
)

export const META = optional(anyObject)

/** RFC 3339, section 5.6: clients refuse a time without an offset. */
const TIME =
  /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/

/** Hints of a resource or a content for the client (Annotations). */
export const ANNOTATIONS = hint(
  object({
    audience: hint(listOf(oneOf('user', 'assistant'))),
    priority: hint(
      typed('number from 0 to 1', (value) => typeof value === 'number' && value >= 0 && value <= 1),
    ),
    lastModified: hint(typed('time with an offset', (value) => typeof value === 'string' && isTime(value))),
  }),
)

function isTime(value: string): boolean {
  if (value.length > 40 || !TIME.test(value)) return false
  // February 30 is none
  const [year, month, day] = value.slice(0, 10).split('-').map(Number) as [number, number, number]
  return new Date(Date.UTC(year, month - 1, day)).getUTCDate() === day
}
