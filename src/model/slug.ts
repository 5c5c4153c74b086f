import { z } from 'zod'

/** The name that people type. Wherever an id is accepted, the slug is too. */
export const Slug = z
  .string()
  .regex(
    /^[a-z0-9][a-z0-9-]{0,62}$/,
    'lower-case letters, digits and hyphens, at most 63, not starting with a hyphen',
  )
  .describe('Short name in URLs and commands')

/** An id or a slug. */
export const Ref = z
  .string()
  .min(1)
  .max(130)
  // The member that it is the value of says of what
  .meta({ 'x-postern-ref': true })
  .describe('Id or slug; `parent:slug` where slugs are unique only below a parent')

/** A slug made from a name: `Get order (v2)` gives `get-order-v2`; empty when nothing usable is left. */
export function slugOf(name: string): string {
  return name
    .normalize('NFKD')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 63)
    .replace(/-+$/, '')
}
