import { z } from 'zod'
import { isVirtualMcp, writeGrant } from '../../access/grant-text.ts'
import type { Grant } from '../../access/principal.ts'
import { teamsAbove, teamsOf } from '../../access/teams.ts'
import { toTime } from '../../base/clock.ts'
import { refersTo } from '../../model/annotations.ts'
import { Time } from '../../model/members.ts'
import type { OperationContext } from '../engine/context.ts'
import { define } from '../engine/define.ts'
import { booleanFilter } from '../engine/lists.ts'

const OwnGrant = z.object({
  grant: z.string().describe('Compact form, such as modifier:proxies@payments'),
  role: z
    .string()
    .meta(refersTo('roles'))
    .nullable()
    .describe('Role; null for single permissions without a role'),
  permissions: z
    .array(z.string())
    .nullable()
    .describe('Permissions of a custom role; null for built-in roles'),
  scope: z
    .object({
      resource_types: z.array(z.string()),
      verbs: z.array(z.string()),
      collections: z.array(z.string().meta(refersTo('collections'))),
      virtual_mcps: z.array(z.string().meta(refersTo('virtual_mcps'))),
      tags: z.array(z.string()),
    })
    .describe('Resources that the grant is limited to. An empty list sets no limit'),
})

export const whoami = define({
  resource: 'whoami',
  action: 'show',
  effect: 'read',
  tool: 'whoami',
  group: 'manage_config',
  summary: 'Show your identity, authentication method and permissions',
  input: z.strictObject({
    operations: booleanFilter.default(false).describe('Include the operations that you may call'),
  }),
  output: z.object({
    id: z.string(),
    type: z.enum(['user', 'service', 'system']),
    name: z.string(),
    email: z.string().nullable(),
    issuer: z
      .string()
      .nullable()
      .describe('Identity provider that signs you in; null for local users and service identities'),
    auth_method: z.string(),
    expires_at: Time.nullable().describe('Expiry of your credential; null: never'),
    groups: z.array(z.string()).describe('At the identity provider'),
    teams: z.array(z.string().meta(refersTo('teams'))).describe('Slugs of your teams and their parent teams'),
    grants: z.array(OwnGrant).describe('Your grants; each adds permissions'),
    narrowed_from: z
      .array(OwnGrant)
      .nullable()
      .describe('Your full grants if the credential limits them; null if it does not'),
    instance: z
      .object({
        version: z.string(),
        environment: z.string().nullable().describe('Environment of the instance (POSTERN_ENV)'),
        production: z.boolean().describe('True if the environment is called production or prod'),
        gateway_url: z.string().describe('URL at which callers reach the gateway (POSTERN_ORIGIN)'),
        config_revision: z.int().describe('Current revision of the configuration'),
      })
      .describe('This instance'),
    operations: z
      .array(z.string())
      .optional()
      .describe(
        'If requested: the operations that you may call on at least one resource, such as proxies.create',
      ),
  }),
  permission: 'users:read',
  own: () => true,
  refuses: [],
  columns: ['id', 'type', 'name', 'email', 'auth_method', 'expires_at', 'teams', 'grants.grant'],
  subject: () => ({ type: 'access', id: null, slug: null }),
  handle: async ({ operations }, context) => {
    const { id, type, name, authMethod, expiresAt, grants, unnarrowed } = context.principal
    return {
      id,
      type,
      name,
      auth_method: authMethod,
      expires_at: expiresAt === null ? null : toTime(expiresAt),
      ...(await personOf(context)),
      grants: await viewsOf(grants, context),
      narrowed_from: unnarrowed === undefined ? null : await viewsOf(unnarrowed, context),
      instance: {
        version: context.instance.version,
        environment: context.instance.environment,
        gateway_url: context.instance.gatewayUrl,
        production: isProduction(context.instance.environment),
        config_revision: await context.whole.revision(),
      },
      ...(operations && { operations: [...context.callable()] }),
    }
  },
})

function isProduction(environment: string | null): boolean {
  return environment !== null && /^prod(uction)?$/i.test(environment)
}

/** What is known of a user beside their name; nothing of all others. */
async function personOf({ principal, whole }: OperationContext) {
  const user = await whole.byId('users', principal.id)
  if (user === undefined) return { email: null, issuer: null, groups: [], teams: [] }
  // Stored by the schema of this type.
  const { email, issuer, groups } = user.spec
  const named = await teamsOf(whole, user.id, groups)
  const all = (await Promise.all(named.map((team) => teamsAbove(whole, team.id)))).flat()
  return { email, issuer, groups: [...groups], teams: [...new Set(all.map(({ slug }) => slug))] }
}

async function viewsOf(
  grants: readonly Grant[],
  { whole }: OperationContext,
): Promise<z.output<typeof OwnGrant>[]> {
  const slugs = await whole.slugs([...new Set(grants.flatMap(({ scope }) => scope?.collections ?? []))])
  return grants.map(({ role, scope }) => {
    const places = scope?.collections ?? []
    const named = (ids: readonly string[]): string[] => ids.map((id) => slugs.get(id) ?? id)
    const called = typeof role === 'string' ? role : (role.slug ?? null)
    return {
      grant: writeGrant(called ?? 'permissions', scope, slugs),
      role: called,
      permissions: typeof role === 'string' ? null : [...role.permissions].sort(),
      scope: {
        resource_types: [...(scope?.types ?? [])],
        verbs: [...(scope?.verbs ?? [])],
        collections: named(places.filter((id) => !isVirtualMcp(id))),
        virtual_mcps: named(places.filter(isVirtualMcp)),
        tags: [...(scope?.tags ?? [])],
      },
    }
  })
}
