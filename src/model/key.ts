import { z } from 'zod'

/** A key that secrets are sealed with, as people see it; the key itself is never shown. */
export const SealingKey = z.object({
  id: z.string().describe('Its name in the key file and in everything it has sealed'),
  fingerprint: z.string().describe('Tells whether a copy of the key file holds the same key'),
  seals: z.boolean().describe('It is the first of the key file, with which everything new is sealed'),
  secrets: z.int().describe('Stored secrets that only this key opens'),
})
export type SealingKey = z.output<typeof SealingKey>
