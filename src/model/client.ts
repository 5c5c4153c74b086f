import { z } from 'zod'
import { Description, Name, Ref, Slug, Tags, Time } from './common.ts'

export const ClientSpec = z.strictObject({
  name: Name,
  slug: Slug.optional().describe('Made from the name when absent'),
  description: Description.default(''),
  tags: Tags.default([]),
  kind: z.enum(['partner', 'internal', 'ai', 'test']).default('partner'),
  contact_email: z.email().nullable().default(null),
  collections: z.array(Ref).max(1000).default([]).describe('Collections it may call'),
  policy: Ref.nullable().default(null).describe('Limits counted over all its profiles'),
  active: z.boolean().default(true).describe('false refuses every call of all its profiles'),
  valid_until: Time.nullable().default(null),
})
export type ClientSpec = z.output<typeof ClientSpec>
