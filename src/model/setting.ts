import { z } from 'zod'

/** A setting of the process as people see it. */
export const ShownSetting = z.object({
  name: z.string().describe('Such as POSTERN_LISTEN'),
  value: z.string().nullable().describe('Configured value; null for the default and for secrets'),
  source: z.enum(['flag', 'environment', 'default']),
  default: z.string().describe('Default value'),
})
export type ShownSetting = z.infer<typeof ShownSetting>
