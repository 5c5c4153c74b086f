import { z } from 'zod'
import { Description, Name, Tags } from './display.ts'
import { Slug } from './slug.ts'

/** An AI application in which people sign in to MCP endpoints. */
export const HostSpec = z.strictObject({
  name: Name,
  slug: Slug.optional().describe('Default: derived from the name'),
  description: Description.default(''),
  tags: Tags.default([]),
  software: z
    .string()
    .min(1)
    .max(2048)
    .describe(
      'How the application is recognized at sign-in: the URL of its client metadata document, or `registered:` with the name and the redirect hosts that it registers. Cannot change',
    ),
  active: z
    .boolean()
    .default(true)
    .describe('If inactive, calls of all people through the application are refused from the next call on'),
})
export type HostSpec = z.output<typeof HostSpec>
