import { z } from 'zod'
import { Description, Name, Ref, Slug, slugOf, Tags, Time } from '../members.ts'
import { ACCESS_TYPES, RESOURCE_TYPES } from '../resource-types.ts'
import { Jwk, KeyUrl, Match } from './profile.ts'

/** Roles that are always there. */
export const ROLES = ['viewer', 'modifier', 'auditor', 'admin'] as const

/** Resource parts of permissions that a grant may be narrowed to. */
export const SCOPE_TYPES = [
  ...RESOURCE_TYPES,
  ...ACCESS_TYPES,
  'config',
  'audit',
  'records',
  'metrics',
] as const

/** What may be done to resources: the other part of permissions. */
const VERBS = [
  'read',
  'create',
  'update',
  'delete',
  'publish',
  'test',
  'rotate',
  'reveal',
  'use',
  'verify',
  'export',
  'approve',
  'execute',
  'read_body',
] as const

const each = (types: readonly string[], ...verbs: readonly string[]): string[] =>
  types.flatMap((type) => verbs.map((verb) => `${type}:${verb}`))

/** Every permission there is. */
export const PERMISSIONS: readonly string[] = [
  ...each([...RESOURCE_TYPES, ...ACCESS_TYPES], 'read', 'create', 'update', 'delete'),
  'collections:publish',
  'proxies:publish',
  'proxies:test',
  'workflows:test',
  'workflows:execute',
  'profiles:rotate',
  'profiles:reveal',
  'users:use',
  'credentials:use',
  'credentials:test',
  'credentials:rotate',
  'origins:test',
  'virtual_mcps:publish',
  'sinks:test',
  'keys:read',
  'keys:rotate',
  'config:read',
  'config:update',
  'config:approve',
  'settings:read',
  'settings:update',
  'nodes:read',
  'nodes:update',
  'audit:read',
  'audit:verify',
  'audit:export',
  'records:read',
  'records:read_body',
  'records:export',
  'records:delete',
  'metrics:read',
]

const isBuiltIn = (slug: string): boolean => ROLES.some((role) => role === slug)

const head = {
  name: Name,
  slug: Slug.optional().describe('Default: derived from the name'),
  description: Description.default(''),
  tags: Tags.default([]),
}

export const RoleSpec = z.strictObject({
  ...head,
  name: Name.refine((name) => !isBuiltIn(slugOf(name)), 'the name of a role that is always there'),
  slug: Slug.refine((slug) => !isBuiltIn(slug), 'the name of a role that is always there')
    .optional()
    .describe('Default: derived from the name'),
  permissions: z
    .array(z.string().refine((text) => PERMISSIONS.includes(text), `one of ${PERMISSIONS.join(', ')}`))
    .min(1)
    .max(PERMISSIONS.length)
    .describe('Permissions of the role, such as ["proxies:read", "proxies:update"]'),
})
export type RoleSpec = z.output<typeof RoleSpec>

/** Members of a user that signing in sets, and nobody else. */
export const SIGN_IN_MEMBERS = ['issuer', 'subject', 'groups', 'mapped_grants'] as const

export const UserSpec = z.strictObject({
  ...head,
  email: z
    .email()
    .max(254)
    .toLowerCase()
    .nullable()
    .default(null)
    .describe('Unique email address. Local users can sign in with it'),
  active: z
    .boolean()
    .default(true)
    .describe('If inactive, tokens of the user are refused from the next request'),
  issuer: z
    .string()
    .max(512)
    .nullable()
    .default(null)
    .describe('Identity provider that signs the user in; null for local users'),
  subject: z
    .string()
    .max(512)
    .nullable()
    .default(null)
    .describe('Subject of the user at the identity provider'),
  groups: z
    .array(z.string().max(256))
    .max(1000)
    .default([])
    .describe(
      'Groups of the user at the identity provider, from the last sign-in; groups of a further provider as slug/group',
    ),
  mapped_grants: z
    .array(z.string().max(1024))
    .max(100)
    .default([])
    .describe(
      'Grants mapped from the claims of the identity provider, from the last sign-in, such as modifier:proxies@payments',
    ),
})
export type UserSpec = z.output<typeof UserSpec>

export const ServiceIdentitySpec = z.strictObject({
  ...head,
  active: z
    .boolean()
    .default(true)
    .describe('If inactive, its credentials are refused from the next request'),
  keys: z
    .array(Jwk)
    .max(16)
    .default([])
    .describe(
      'Public keys for client authentication with private_key_jwt. If set, client secrets are refused',
    ),
})
export type ServiceIdentitySpec = z.output<typeof ServiceIdentitySpec>

const subject = (text: string) =>
  Ref.nullable().default(null).describe(`${text}. Set exactly one of the four; it cannot change`)

/** Members of a grant of which exactly one says who it is for. */
export const SUBJECTS = ['service_identity', 'user', 'team', 'group'] as const

export const GrantSpec = z.strictObject({
  ...head,
  service_identity: subject('Service identity that gets the grant'),
  user: subject('User who gets the grant'),
  team: subject('Team whose members, including teams below it, get the grant'),
  group: z
    .string()
    .min(1)
    .max(256)
    .nullable()
    .default(null)
    .describe(
      'Group of the identity provider whose users get the grant; a group of a further provider as slug/group',
    ),
  role: Ref.describe('viewer, modifier, auditor, admin, or a custom role'),
  scope: z
    .strictObject({
      resource_types: z.array(z.enum(SCOPE_TYPES)).max(SCOPE_TYPES.length).default([]),
      verbs: z.array(z.enum(VERBS)).max(VERBS.length).default([]),
      collections: z.array(Ref).max(100).default([]).describe('These resources and the resources below them'),
      virtual_mcps: z
        .array(Ref)
        .max(100)
        .default([])
        .describe('These virtual MCPs. If collections are set too, both apply'),
      tags: z
        .array(Slug)
        .max(20)
        .default([])
        .describe('Resources with one of these tags, and the resources below them'),
    })
    .prefault({})
    .describe('Resources that the grant is limited to. An empty list sets no limit'),
  expires_at: Time.nullable().default(null).describe('Expiry; null: never'),
})
export type GrantSpec = z.output<typeof GrantSpec>

export const TeamSpec = z.strictObject({
  ...head,
  parent: Ref.nullable().default(null).describe('Parent team; null: none'),
  members: z
    .array(
      z.strictObject({
        user: Ref,
        role: z
          .enum(['member', 'admin'])
          .default('member')
          .describe(
            'An admin can change this team and its subteams, but cannot grant permissions that the admin lacks',
          ),
      }),
    )
    .max(1000)
    .default([]),
  idp_groups: z
    .array(z.string().min(1).max(256))
    .max(100)
    .default([])
    .describe(
      'Groups of the identity provider whose users are also members; groups of a further provider as slug/group',
    ),
})
export type TeamSpec = z.output<typeof TeamSpec>

export const TrustRuleSpec = z.strictObject({
  ...head,
  service_identity: Ref.describe('Service identity that the token authenticates; cannot change'),
  issuer: KeyUrl.describe('iss of the token, such as https://token.actions.githubusercontent.com'),
  jwks_url: KeyUrl.nullable()
    .default(null)
    .describe('URL of the key set; null: the URL in the discovery document'),
  audience: z
    .string()
    .min(1)
    .max(512)
    .describe(
      'Required value in aud: the name under which tokens are requested for this gateway, such as its URL',
    ),
  conditions: z
    .array(Match)
    .min(1)
    .max(20)
    .describe(
      'Conditions on the claims, which must all match. At least one is required, because otherwise every workload of the issuer would match',
    ),
})
export type TrustRuleSpec = z.output<typeof TrustRuleSpec>
