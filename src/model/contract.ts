import { z } from 'zod'
import { Duration } from './time.ts'

/** What is done about messages that break a contract. */
export const VALIDATION_MODES = ['off', 'report', 'enforce'] as const
export const ValidationMode = z
  .enum(VALIDATION_MODES)
  .describe('off: no check; report: violations are recorded; enforce: violations are refused')
export type ValidationMode = z.infer<typeof ValidationMode>

/** Of a new collection that is made of a description: how well that tells what its API takes is not known yet. */
export const IMPORTED_VALIDATION: ValidationMode = 'report'

/** A media type or range, without parameters: `application/json`, `image/*`. */
export const MediaType = z
  .string()
  .max(128)
  .regex(/^(\*\/\*|[a-z0-9!#$&^_.+-]+\/(\*|[a-z0-9!#$&^_.+-]+))$/, 'a media type in lower case')

/** RFC 9111, held by the gateway: a shared cache in the sense of that document. */
export const Cache = z.strictObject({
  ttl: Duration.default('1m').describe(
    'Time for which a response is fresh, unless the upstream sets a shorter one',
  ),
  vary: z
    .array(z.string().regex(/^[a-z0-9-]{1,64}$/, 'a header name in lower case'))
    .max(10)
    .default(['accept', 'accept-encoding'])
    .describe('Request headers in the cache key. A response whose Vary names other headers is not cached'),
  scope: z
    .enum(['profile', 'client', 'shared'])
    .default('profile')
    .describe(
      'Callers that share a cached response: only the same profile, profiles of the same client, or all',
    ),
  stale_if_error: Duration.nullable()
    .default(null)
    .describe('Time after expiry for which a response is still served if the upstream fails'),
})
export type Cache = z.output<typeof Cache>

/** Bounds of the operations that a graphql proxy lets through. */
export const GraphqlLimits = z.strictObject({
  max_depth: z
    .int()
    .min(1)
    .max(100)
    .default(10)
    .describe('Maximum depth of nested fields, after fragments are expanded'),
  max_complexity: z
    .int()
    .min(1)
    .max(1_000_000)
    .default(500)
    .describe('Maximum number of fields in an operation, after fragments are expanded'),
  introspection: z.boolean().default(false).describe('Allow introspection (`__schema` and `__type`)'),
})
export type GraphqlLimits = z.output<typeof GraphqlLimits>
