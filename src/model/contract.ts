import { z } from 'zod'
import { Duration } from './common.ts'

/** What is done about messages that break a contract. */
export const VALIDATION_MODES = ['off', 'report', 'enforce'] as const
export const ValidationMode = z
  .enum(VALIDATION_MODES)
  .describe('off: not looked at; report: noted in the record; enforce: refused')
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
  ttl: Duration.default('1m').describe('How long an answer is fresh, unless the upstream says less'),
  vary: z
    .array(z.string().regex(/^[a-z0-9-]{1,64}$/, 'a header name in lower case'))
    .max(10)
    .default(['accept', 'accept-encoding'])
    .describe('Request headers that answers depend on; an answer whose Vary names others is not kept'),
  scope: z
    .enum(['profile', 'client', 'shared'])
    .default('profile')
    .describe('Who may get the answer to the call of another: nobody, the same client, every caller'),
  stale_if_error: Duration.nullable()
    .default(null)
    .describe('For how long after its end an answer still stands in for a failing upstream'),
})
export type Cache = z.output<typeof Cache>

/** Bounds of the operations that a graphql proxy lets through. */
export const GraphqlLimits = z.strictObject({
  max_depth: z.int().min(1).max(100).default(10).describe('Nested fields, with fragments put in place'),
  max_complexity: z
    .int()
    .min(1)
    .max(1_000_000)
    .default(500)
    .describe('Fields of an operation, with fragments put in place'),
  introspection: z.boolean().default(false).describe('Let `__schema` and `__type` through'),
})
export type GraphqlLimits = z.output<typeof GraphqlLimits>
