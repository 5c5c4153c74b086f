import { z } from 'zod'
import { Description, Name, Tags } from './display.ts'
import { Network } from './profile.ts'
import { Ref, Slug } from './slug.ts'
import { Duration } from './time.ts'

const head = {
  name: Name,
  slug: Slug.optional().describe('Default: derived from the name'),
  description: Description.default(''),
  tags: Tags.default([]),
}

/** An AI application in which people sign in, or an agent with tokens. */
export const HostSpec = z.strictObject({
  ...head,
  software: z
    .string()
    .min(1)
    .max(2048)
    .nullable()
    .default(null)
    .describe(
      'How the application is recognized at sign-in: the URL of its client metadata document, or `registered:` with the name and the redirect hosts that it registers. null: nobody signs in with it, as for a headless agent. Cannot change',
    ),
  active: z
    .boolean()
    .default(true)
    .describe('If inactive, its calls are refused from the next call on, whoever makes them'),
})
export type HostSpec = z.output<typeof HostSpec>

/** What an agent may call with tokens: one virtual MCP. */
export const BindingSpec = z.strictObject({
  ...head,
  host: Ref.describe('The host that holds the tokens; cannot change'),
  virtual_mcp: Ref.describe('The one virtual MCP that its tokens open; cannot change'),
  user: Ref.nullable()
    .default(null)
    .describe(
      'The person for whom the agent acts: the virtual MCP must be shared with them. null: the agent acts for itself. Cannot change',
    ),
  active: z.boolean().default(true).describe('If inactive, its tokens are refused from the next call on'),
  ip_allowlist: z.array(Network).max(1000).default([]).describe('Allowed addresses; empty: all'),
  expires_in: Duration.nullable().default('90d').describe('Lifetime of an issued token; null: never expires'),
})
export type BindingSpec = z.output<typeof BindingSpec>
