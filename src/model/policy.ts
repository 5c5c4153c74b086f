import { z } from 'zod'
import { DURATION_PATTERN, toMs } from '../base/duration.ts'
import { Description, Duration, Name, Slug, Tags } from './common.ts'

/** Where a policy is attached: it decides whose calls share a counter. */
export type Attachment = 'profile' | 'client' | 'collection' | 'proxy'

/** One limit. The name goes into the RateLimit fields, so it is a token. */
const Limit = z
  .strictObject({
    name: z.string().regex(/^[a-z0-9][a-z0-9_-]{0,31}$/, 'lower-case letters, digits, _ and -, at most 32'),
    kind: z
      .enum(['rate', 'quota'])
      .describe('rate: never more than max in any trailing window; quota: per calendar period in UTC'),
    max: z.int().min(1).max(1_000_000_000).describe('Requests admitted in the window'),
    window: Duration.describe(
      'rate: 1s to 24h; quota: 1d (day), 7d (week from Monday) or 30d (calendar month)',
    ),
  })
  .superRefine((limit, context) => {
    if (!DURATION_PATTERN.test(limit.window)) return
    const ms = toMs(limit.window)
    if (limit.kind === 'rate' && (ms < 1000 || ms > 86_400_000))
      context.addIssue({ code: 'custom', path: ['window'], message: 'the window of a rate is 1s to 24h' })
    if (limit.kind === 'quota' && !['1d', '7d', '30d'].includes(limit.window))
      context.addIssue({
        code: 'custom',
        path: ['window'],
        message: 'the window of a quota is 1d, 7d or 30d',
      })
  })

export const PolicySpec = z.strictObject({
  name: Name,
  slug: Slug.optional().describe('Made from the name when absent'),
  description: Description.default(''),
  tags: Tags.default([]),
  limits: z
    .array(Limit)
    .max(8)
    .default([])
    .refine(
      (limits) => new Set(limits.map((limit) => limit.name)).size === limits.length,
      'limit names must differ',
    )
    .describe(
      'All of them must admit a request; a refused request counts in none. Such as [{"name":"minute","kind":"rate","max":1000,"window":"1m"}]',
    ),
  active: z.boolean().default(true).describe('An inactive policy limits nothing'),
})
export type PolicySpec = z.output<typeof PolicySpec>
