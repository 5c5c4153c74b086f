import { z } from 'zod'

/** A JSON patch (RFC 6902) that also says what was before. */
export const Diff = z.array(
  z.object({
    op: z.enum(['add', 'remove', 'replace']),
    path: z.string(),
    from: z.json().optional(),
    value: z.json().optional(),
  }),
)
