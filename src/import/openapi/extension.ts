import type { FieldError } from '../../base/refusal.ts'
import type { Description } from './description.ts'

/** The member by which a description counts as documents of configuration. */
export const EXTENSION = 'x-postern'

/** What an import says of that member, which it does not read. */
export function extensionWarnings({ document }: Description): FieldError[] {
  if (document[EXTENSION] === undefined) return []
  return [
    {
      pointer: `/${EXTENSION}`,
      reason: 'is not read by an import; plan and apply take this file as documents',
    },
  ]
}
