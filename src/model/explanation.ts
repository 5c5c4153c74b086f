import { z } from 'zod'
import { refersTo } from './annotations.ts'

/** What would become of a request, by the snapshot in force. Nothing of it is counted, sent or recorded. */
export const Explanation = z.object({
  outcome: z
    .enum(['forwarded', 'refused', 'answered', 'open'])
    .describe('answered: the gateway responds itself; open: the input lacks a deciding fact'),
  code: z.string().nullable().describe('Problem code of the first refusal'),
  status: z.int().nullable().describe('HTTP status of the first refusal'),
  summary: z.string(),
  request: z
    .object({ method: z.string(), host: z.string(), path: z.string(), query: z.string() })
    .describe('Target as the gateway parses it'),
  route: z
    .object({
      collection: z.string().meta(refersTo('collections')),
      proxy: z.string().meta(refersTo('proxies')),
      path: z.string(),
    })
    .nullable()
    .describe('Selected route'),
  candidates: z
    .array(
      z.object({
        collection: z.string().meta(refersTo('collections')),
        proxy: z.string().meta(refersTo('proxies')).nullable().describe('Proxy; null: the whole collection'),
        path: z.string(),
        methods: z.array(z.string()),
        wins: z.boolean(),
        reason: z.string(),
      }),
    )
    .describe('Published routes that match the path, in matching order'),
  checks: z
    .array(
      z.object({
        name: z.string().describe('As in records: check'),
        result: z.enum(['pass', 'refuse', 'answer', 'not_judged', 'not_reached']),
        code: z.string().nullable(),
        reason: z.string(),
        setting: z
          .string()
          .nullable()
          .describe('Setting that decides, such as profiles/acme:live ip_allowlist'),
      }),
    )
    .describe('In execution order'),
  forward: z
    .object({ method: z.string(), upstream: z.string(), path: z.string(), credential: z.string().nullable() })
    .nullable(),
})
export type Explanation = z.infer<typeof Explanation>

/** A request that was not made. Absent members are not judged. */
export interface Hypothetical {
  readonly method: string
  /** Path and query, or an absolute URL. */
  readonly url: string
  /** Overrides the host of an absolute URL. */
  readonly host: string | null
  /** Ids or slugs. */
  readonly client: string | null
  readonly profile: string | null
  readonly ip: string | null
  /** All header lines, such as `Accept: text/html`; credentials are not among them. */
  readonly headers: readonly string[] | null
  /** Declared bytes of the body. */
  readonly bodyBytes: number | null
}
