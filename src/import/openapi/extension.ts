import type { Plain } from '../../base/plain.ts'
import type { FieldError } from '../../base/refusal.ts'

/** The member by which a description counts as documents of configuration. */
export const EXTENSION = 'x-postern'

/** What an import says of that member, which it does not read. */
export function extensionWarnings(description: Plain): FieldError[] {
  if (description[EXTENSION] === undefined) return []
  return [
    {
      pointer: `/${EXTENSION}`,
      reason: 'is not read by an import; plan and apply take this file as documents',
    },
  ]
}
