import { z } from 'zod'

/** A key that secrets are sealed with, as people see it; the key itself is never shown. */
export const SealingKey = z.object({
  id: z.string().describe('Name of the key in the key file and in encrypted values'),
  fingerprint: z.string().describe('Fingerprint, to compare copies of the key file'),
  seals: z.boolean().describe('True for the first key of the key file, which encrypts new secrets'),
  secrets: z.int().describe('Number of stored secrets encrypted with this key'),
})
export type SealingKey = z.output<typeof SealingKey>
