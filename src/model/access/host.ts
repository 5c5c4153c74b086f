import { z } from 'zod'
import { contentHash } from '../../base/json/canonical.ts'
import { CapabilitySubset } from '../mcp/capability-policy.ts'
import { Description, Duration, Name, Ref, Slug, Tags } from '../members.ts'
import { Jwk, Network } from './profile.ts'

const head = {
  name: Name,
  slug: Slug.optional().describe('Default: derived from the name'),
  description: Description.default(''),
  tags: Tags.default([]),
}

/** What becomes of an application at its first consent. */
export const NewHosts = z
  .enum(['allow', 'hold'])
  .describe(
    'An application that a person allows for the first time. allow: the person can use it at once; hold: it is inactive until an administrator activates its host',
  )
export type NewHosts = z.output<typeof NewHosts>

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
      'How the application is recognized at sign-in: the URL of its client metadata document, `registered:` with the name and the redirects that it registers (those to programs of the computer without port and path), or `service:` with the id of a service identity. null: nobody signs in with it, as for a headless agent. Cannot change',
    ),
  active: z.boolean().default(true).describe('If inactive, all its calls are refused from the next call'),
})
export type HostSpec = z.output<typeof HostSpec>

/** What an agent may call with tokens: one virtual MCP. */
export const BindingSpec = z.strictObject({
  ...head,
  host: Ref.describe('The host that uses the tokens; cannot change'),
  virtual_mcp: Ref.describe('The virtual MCP that its tokens give access to; cannot change'),
  user: Ref.nullable()
    .default(null)
    .describe(
      'The person for whom the agent acts: the virtual MCP must be shared with them. null: the agent acts for itself. Cannot change',
    ),
  acts_for: z
    .strictObject({
      users: z.array(Ref).max(1000).default([]),
      teams: z.array(Ref).max(100).default([]).describe('Includes the members of the teams below them'),
    })
    .nullable()
    .default(null)
    .describe(
      'People whose tokens the agent may exchange (RFC 8693). Its own token is then only its client secret and gives no access. null: nobody',
    ),
  active: z
    .boolean()
    .default(true)
    .describe(
      'If inactive, its tokens are refused from the next call. People who sign in with the host are refused too: the person in `user`, or everybody without `user`',
    ),
  capabilities: CapabilitySubset.nullable()
    .default(null)
    .describe(
      'Capabilities of the virtual MCP that its tokens may use, within the capability policies. Lists omit all others, and calls of them get the same response as unknown names. null: all',
    ),
  keys: z
    .array(Jwk)
    .max(16)
    .default([])
    .describe(
      'Public keys with which the agent authenticates at the authorization server (private_key_jwt). If set, its token is not accepted as client secret. A change ends all tokens that were issued for them',
    ),
  ip_allowlist: z.array(Network).max(1000).default([]).describe('Allowed addresses; empty: all'),
  expires_in: Duration.nullable().default('90d').describe('Lifetime of an issued token; null: never expires'),
})
export type BindingSpec = z.output<typeof BindingSpec>

/** Changes with any of the keys of a binding. */
export function fingerprintOfKeys(keys: BindingSpec['keys']): string {
  return contentHash(keys)
}
