import { isIP } from 'node:net'
import { z } from 'zod'
import { unit } from './annotations.ts'
import { Description, Name, Tags } from './display.ts'
import { HttpMethod } from './http-method.ts'
import { JwtAuth, MtlsAuth, OidcAuth } from './profile-auth.ts'
import { Ref, Slug } from './slug.ts'
import { Duration } from './time.ts'

/** An address or network: `10.0.0.0/8`, `192.0.2.7`, `2001:db8::/32`. */
export const Network = z
  .string()
  .meta(unit('cidr'))
  .refine((text) => isNetwork(text), 'an IP address or network such as 10.0.0.0/8')

function isNetwork(text: string): boolean {
  const [address, prefix, ...rest] = text.split('/')
  const version = isIP(address ?? '')
  if (version === 0 || rest.length > 0 || text.includes('%')) return false
  if (prefix === undefined) return true
  return /^(0|[1-9][0-9]{0,2})$/.test(prefix) && Number(prefix) <= (version === 4 ? 32 : 128)
}

/** How callers prove that they are this profile. */
const ProfileAuth = z.discriminatedUnion('type', [
  z.strictObject({
    type: z
      .literal('none')
      .describe('Identifies callers by ids only. Add an IP allow list, because ids are not secret'),
  }),
  z.strictObject({
    type: z.literal('token').describe('A bearer token, shown once'),
    expires_in: Duration.nullable()
      .default('90d')
      .describe('Lifetime of an issued token; null: never expires'),
  }),
  JwtAuth,
  OidcAuth,
  MtlsAuth,
])

export const ProfileSpec = z.strictObject({
  client: Ref.describe('The client it belongs to; cannot change'),
  name: Name,
  slug: Slug.optional().describe('Default: derived from the name. Unique in the client'),
  description: Description.default(''),
  tags: Tags.default([]),
  auth: ProfileAuth.describe('Authentication of callers: type none, token, jwt, oidc or mtls'),
  active: z.boolean().default(true),
  allowed_methods: z.array(HttpMethod).max(7).default([]).describe('Allowed methods; empty: all'),
  ip_allowlist: z.array(Network).max(1000).default([]).describe('Allowed addresses; empty: all'),
  collections: z
    .array(Ref)
    .max(1000)
    .nullable()
    .default(null)
    .describe("Subset of the client's collections; null: all of them"),
  endpoints: z
    .strictObject({
      allow: z.array(z.string().max(1200)).max(1000).default([]),
      deny: z.array(z.string().max(1200)).max(1000).default([]),
    })
    .prefault({})
    .describe('Endpoint ids, `tag:<tag>`, or `METHOD /path`; deny wins, an empty allow list allows all'),
  policy: Ref.nullable().default(null).describe("Limits in addition to the client's"),
  forward_identity: z
    .boolean()
    .default(false)
    .describe('Adds X-Postern-Client, X-Postern-Profile and X-Postern-Subject for the upstream'),
  agent_sign_in: z
    .strictObject({
      users: z.array(Ref).max(1000).default([]),
      teams: z.array(Ref).max(100).default([]).describe('With the members of the teams below them'),
    })
    .nullable()
    .default(null)
    .describe('People who may use the profile at /mcp by signing in; null: nobody'),
  mcp_search: z
    .enum(['auto', 'on', 'off'])
    .default('auto')
    .describe('Tool search_endpoints at /mcp: auto lists it above 30 endpoints'),
  mcp_view: z
    .enum(['compact', 'expanded', 'auto'])
    .default('compact')
    .describe(
      'Tools at /mcp: compact has a few tools for all endpoints; expanded has one for each endpoint and method; auto expands up to 40 tools',
    ),
})
export type ProfileSpec = z.output<typeof ProfileSpec>

/** The best first. */
export const CREDENTIAL_STATES = ['valid', 'expiring_soon', 'retiring', 'expired', 'revoked'] as const

/** A token, signing secret, public key or certificate binding of a profile as people see it; a secret itself is only ever in the answer that issued it. */
export const ProfileCredentialState = z.object({
  id: z.string().describe('Id in request records'),
  lookup: z
    .string()
    .describe('Public part of a token; kid of a signing secret or key; name in a certificate'),
  state: z.enum(CREDENTIAL_STATES),
  created_at: z.string().nullable().describe('null for keys and bindings in the profile itself'),
  expires_at: z.string().nullable(),
  retires_at: z.string().nullable().describe('Time at which the overlap after a rotation ends'),
  last_used_at: z.string().nullable().describe('Time of the last call with it, to the minute'),
})
export type ProfileCredentialState = z.infer<typeof ProfileCredentialState>
