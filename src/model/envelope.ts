import { z } from 'zod'
import { Slug } from './slug.ts'
import { Time } from './time.ts'

/** What every stored resource carries besides its own fields (product: common fields). */
export const Envelope = z.object({
  id: z.string().describe('Stable id'),
  slug: Slug,
  revision: z.int().min(1).describe('Revision number; each write increases it'),
  created_at: Time,
  created_by: z.string(),
  updated_at: Time,
  updated_by: z.string(),
  managed_by: z
    .string()
    .nullable()
    .describe('Set of documents that manages the resource through apply, or null'),
})
export type Envelope = z.infer<typeof Envelope>

export const Status = z.enum(['draft', 'published']).describe('Drafts are invisible to callers')
export type Status = z.infer<typeof Status>
