import { z } from 'zod'
import { Description, HeaderName, Name, Slug, Tags } from './common.ts'

/** A secret as it is written: the text, or `{ "value": text }`. */
const SecretInput = z
  .union([z.string().min(1).max(16_384), z.strictObject({ value: z.string().min(1).max(16_384) })])
  .transform((input) => (typeof input === 'string' ? input : input.value))
  .refine((text) => /^[!-~]([ -~]*[!-~])?$/.test(text), 'visible ASCII without line breaks or outer spaces')
  .describe('Secret; stored sealed, never shown again')

/** A secret as it is read. */
export const SecretState = z.object({
  set: z.boolean(),
  source: z.literal('value'),
  last4: z.string().optional().describe('Last characters, only of long secrets'),
  updated_at: z.string(),
})
export type SecretState = z.infer<typeof SecretState>

/** What is sent to the upstream. Secret fields are {@link SECRET_FIELDS}. */
export const CredentialAuth = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('basic').describe('RFC 7617'),
    username: z
      .string()
      .min(1)
      .max(256)
      .regex(/^[!-9;-~]([ -9;-~]*[!-9;-~])?$/, 'visible ASCII without a colon'),
    password: SecretInput,
  }),
  z
    .strictObject({
      type: z.literal('api_key').describe('A key in a header or query parameter'),
      key: SecretInput,
      in: z.enum(['header', 'query']).default('header'),
      name: z.string().min(1).max(128).default('X-API-Key').describe('Name of the header or query parameter'),
      prefix: z
        .string()
        .max(64)
        .regex(/^[ -~]*$/)
        .default('')
        .describe('Put before the key, such as "Token "'),
    })
    .refine((auth) => auth.in === 'query' || HeaderName.safeParse(auth.name).success, {
      error: 'not a header name that may be set',
      path: ['name'],
    }),
  z.strictObject({
    type: z.literal('bearer').describe('RFC 6750'),
    token: SecretInput,
  }),
])
export type CredentialAuth = z.output<typeof CredentialAuth>

/** The fields of each type that are sealed and never leave. */
export const SECRET_FIELDS = {
  basic: ['password'],
  api_key: ['key'],
  bearer: ['token'],
} as const satisfies Record<CredentialAuth['type'], readonly string[]>

export const CredentialSpec = z.strictObject({
  name: Name,
  slug: Slug.optional().describe('Made from the name when absent'),
  description: Description.default(''),
  tags: Tags.default([]),
  auth: CredentialAuth.describe('What the upstream wants, such as {"type":"bearer","token":"…"}'),
})
export type CredentialSpec = z.output<typeof CredentialSpec>
