import { z } from 'zod'
import { Description, Name, Tags } from './display.ts'
import { Ref, Slug } from './slug.ts'
import { Time } from './time.ts'

export const ClientSpec = z.strictObject({
  name: Name,
  slug: Slug.optional().describe('Default: derived from the name'),
  description: Description.default(''),
  tags: Tags.default([]),
  kind: z.enum(['partner', 'internal', 'ai', 'test']).default('partner'),
  contact_email: z.email().nullable().default(null),
  collections: z.array(Ref).max(1000).default([]).describe('Collections that the client may call'),
  virtual_mcps: z.array(Ref).max(1000).default([]).describe('Virtual MCPs that the client may call'),
  policy: Ref.nullable().default(null).describe('Policy with limits that all profiles of the client share'),
  active: z.boolean().default(true).describe('false: calls of all its profiles are refused'),
  valid_until: Time.nullable().default(null),
})
export type ClientSpec = z.output<typeof ClientSpec>
