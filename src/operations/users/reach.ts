import { z } from 'zod'
import { permits, UNPLACED } from '../../access/roles.ts'
import { leads } from '../../access/teams.ts'
import { DOORS } from '../../base/doors.ts'
import type { BindingSpec } from '../../model/access/host.ts'
import type { ClientSpec, ProfileSpec } from '../../model/access/profile.ts'
import { refersTo } from '../../model/annotations.ts'
import { Ref, Slug } from '../../model/members.ts'
import type { Resource } from '../../store/ports/resource.ts'
import {
  isCollectionShared,
  type Memberships,
  membershipsOf,
  reasonsAmong,
  sharedProfiles,
  sharedVirtualMcps,
} from '../access/shared-with.ts'
import type { OperationContext } from '../engine/context.ts'
import { about, define } from '../engine/define.ts'
import { userKind, withoutUser } from './kind.ts'
import {
  Because,
  bindingsPart,
  connectionsPart,
  definePart,
  grantsPart,
  type Part,
  type Person,
  personalTokensPart,
  signInsPart,
  toBecause,
} from './own-parts.ts'

const teamsPart = definePart({
  name: 'teams',
  permission: 'teams:read',
  item: z.object({
    team: z.string().meta(refersTo('teams')),
    role: z.enum(['member', 'admin']),
    group: z.string().nullable().describe('Group of the identity provider; null: the team names the user'),
    above: z.array(z.string()).describe('Parent teams, nearest first'),
  }),
  columns: ['team', 'role', 'group', 'above'],
  show: async ({ user, own }) => {
    const { groups } = user.spec
    const memberships = [...own.values()]
    return memberships
      .filter(({ team }) => isDirect(team, user.id, groups))
      .map(({ team }) => ({
        team: team.slug,
        role: leads(user.id, team) ? ('admin' as const) : ('member' as const),
        group: names(team, user.id) ? null : (groups.find((group) => groupsOf(team).includes(group)) ?? null),
        above: aboveOf(team, own),
      }))
  },
  end: async (user, context) => endNaming('teams', user, context),
})

function isDirect(team: Resource<'teams'>, user: string, groups: readonly string[]): boolean {
  return names(team, user) || groups.some((group) => groupsOf(team).includes(group))
}

function names({ spec }: Resource<'teams'>, user: string): boolean {
  return spec.members.some((member) => member.user === user)
}

function groupsOf({ spec }: Resource<'teams'>): readonly string[] {
  return spec.idp_groups
}

/** Slugs of the teams above one; the teams of a user hold them all. */
function aboveOf(team: Resource<'teams'>, own: Memberships): string[] {
  const found: string[] = []
  for (let at = team.spec.parent; at !== null; ) {
    const above = own.get(at)
    if (above === undefined) break
    found.push(above.team.slug)
    at = above.team.spec.parent
  }
  return found
}

/** Resources of a type no longer name the user. */
async function endNaming(
  type: 'teams' | 'profiles' | 'bindings',
  user: Resource,
  { whole, change }: OperationContext,
): Promise<string[]> {
  const naming = (await whole.usersOf(user.id)).filter(
    // A binding for one user ends with its tokens
    (one) => one.type === type && !(type === 'bindings' && one.spec['user'] === user.id),
  )
  for (const one of naming) await change.replace(one, { spec: withoutUser(one, user.id) })
  const parents = await whole.slugs(naming.flatMap(({ parent }) => parent ?? []))
  return naming.map(({ slug, parent }) =>
    parent === null ? slug : `${parents.get(parent) ?? parent}:${slug}`,
  )
}

/** Sharing by teams ends with the membership, and the user is inactive. */
const virtualMcpsPart = definePart({
  name: 'virtual_mcps',
  permission: 'virtual_mcps:read',
  item: z.object({
    virtual_mcp: z.string().meta(refersTo('virtual_mcps')),
    name: z.string(),
    url: z.string(),
    because: Because,
  }),
  columns: ['virtual_mcp', 'name', 'url', 'because.text'],
  show: async ({ own }, { whole, gatewayOrigin }) =>
    (await sharedVirtualMcps(whole, own)).map(({ resource: { slug, name }, because }) => ({
      virtual_mcp: slug,
      name,
      url: `${gatewayOrigin}${DOORS.belowConsumerMcp.path}/${slug}`,
      because: toBecause(because),
    })),
  end: null,
})

const profilesPart = definePart({
  name: 'profiles',
  permission: 'profiles:read',
  item: z.object({
    profile: z.string().meta(refersTo('profiles')).describe('client:profile'),
    url: z.string(),
    active: z.boolean().describe('false: the profile or its client is inactive'),
    collections: z
      .array(z.string().meta(refersTo('collections')))
      .describe('Collections that the user may call through the profile'),
    because: Because,
  }),
  columns: ['profile', 'url', 'active', 'collections', 'because.text'],
  show: async ({ user, own }, { whole, gatewayOrigin }) => {
    const found = []
    for (const { resource, because } of await sharedProfiles(whole, user, own)) {
      const client = await whole.byId('clients', resource.parent ?? '')
      if (client === undefined) continue
      // Stored by the schemas of these types
      const [assigned, profile] = [client.spec as ClientSpec, resource.spec as ProfileSpec]
      const reached = assigned.collections.filter((id) => profile.collections?.includes(id) ?? true)
      const all = await Promise.all(reached.map((id) => whole.byId('collections', id)))
      const collections = all.flatMap((one) =>
        one !== undefined && isCollectionShared(one.spec, own) ? [one.slug] : [],
      )
      found.push({
        profile: `${client.slug}:${resource.slug}`,
        url: `${gatewayOrigin}${DOORS.consumerMcp.path}/-/${client.slug}/${resource.slug}`,
        active: profile.active && assigned.active,
        collections,
        because: toBecause(because),
      })
    }
    return found
  },
  end: async (user, context) => endNaming('profiles', user, context),
})

/** Agents that may exchange a token of the user. */
const agentsPart = definePart({
  name: 'agents',
  permission: 'bindings:read',
  item: z.object({
    binding: z.string().describe('host:binding'),
    virtual_mcp: z.string().meta(refersTo('virtual_mcps')),
    active: z.boolean().describe('false: the binding or its host is inactive'),
    because: Because,
  }),
  columns: ['binding', 'virtual_mcp', 'active', 'because.text'],
  show: async ({ user, own }, { whole }) => {
    const bindings = new Map<string, Resource>()
    for (const id of [user.id, ...own.keys()])
      for (const one of await whole.usersOf(id)) if (one.type === 'bindings') bindings.set(one.id, one)
    const shown = []
    for (const binding of bindings.values()) {
      // Stored by the schema of this type
      const { active, virtual_mcp, acts_for = null } = binding.spec as BindingSpec
      const because = reasonsAmong(acts_for, user.id, own)
      if (because.length === 0) continue
      const host = await whole.byId('hosts', binding.parent ?? '')
      const slugs = await whole.slugs([virtual_mcp])
      shown.push({
        binding: `${host?.slug ?? ''}:${binding.slug}`,
        virtual_mcp: slugs.get(virtual_mcp) ?? virtual_mcp,
        active: active && host?.spec['active'] === true,
        because: toBecause(because),
      })
    }
    return shown
  },
  end: async (user, context) => endNaming('bindings', user, context),
})

/**
 * All that a user holds. What a user can hold besides is added here: `users.reach` and `users.offboard` follow. Offboarding ends the
 * parts in this order.
 */
export const PARTS: readonly Part[] = [
  virtualMcpsPart,
  profilesPart,
  teamsPart,
  bindingsPart,
  agentsPart,
  grantsPart,
  personalTokensPart,
  connectionsPart,
  signInsPart,
]

export const reachOfUser = define({
  resource: userKind.type,
  action: 'reach',
  effect: 'read',
  tool: 'get_user_reach',
  group: userKind.group,
  summary: 'Show everything that a user can access and may do, with the reasons',
  input: z.strictObject({ id: Ref }),
  output: z.object({
    id: z.string(),
    slug: Slug,
    active: z.boolean().describe('false: nothing works until the user is activated'),
    ...Object.fromEntries(
      PARTS.map(({ name, item, permission }) => [
        name,
        z.array(item).nullable().describe(`null: you lack ${permission} over everything`),
      ]),
    ),
  }),
  permission: 'users:read',
  // What it names may lie beyond any scope
  unscoped: true,
  refuses: ['not_found'],
  columns: ['slug', 'active'],
  tables: Object.fromEntries(PARTS.map(({ name, columns }) => [name, columns])),
  ...about(userKind),
  handle: async ({ id }, context) => {
    const user = await context.find('users', id)
    const person: Person = { user, own: await membershipsOf(context.whole, user) }
    const parts: [string, readonly object[] | null][] = []
    for (const { name, permission, show } of PARTS) {
      const isShown = permits(context.principal, permission, UNPLACED)
      parts.push([name, isShown ? await show(person, context) : null])
    }
    const { slug, spec } = user
    return { id: user.id, slug, active: spec['active'] === true, ...Object.fromEntries(parts) }
  },
})

/** Names in the sentence of the audit entry; the diff has all. */
const NAMED_MAX = 50

export const offboardUser = define({
  resource: userKind.type,
  action: 'offboard',
  effect: 'act',
  tool: 'offboard_user',
  group: userKind.group,
  summary:
    'Deactivate a user and end their sign-ins, tokens, memberships and grants; needs confirm with their slug',
  input: z.strictObject({ id: Ref }),
  output: z.object({
    id: z.string(),
    slug: Slug,
    active: z.literal(false),
    ended: z
      .array(
        z.object({
          part: z.enum(PARTS.filter(({ end }) => end !== null).map(({ name }) => name)),
          name: z.string().describe('Slug, name or number'),
        }),
      )
      .describe('Everything that the user had'),
  }),
  permission: 'users:update',
  refuses: [
    'not_found',
    'confirmation_required',
    'revision_conflict',
    'configuration_invalid',
    'idempotency_conflict',
  ],
  idempotent: true,
  destroys: () => true,
  columns: ['slug', 'active'],
  tables: { ended: ['part', 'name'] },
  ...about(userKind),
  handle: async ({ id }, context) => {
    const { change } = context
    const user = await change.act('users', id)
    change.confirmed(user)
    // Groups and claims are told anew with the next sign-in, which needs an active user
    const spec = { ...user.spec, active: false, groups: [], mapped_grants: [] }
    await change.replace(user, { spec })
    const ended: { part: string; name: string }[] = []
    for (const { name: part, end } of PARTS) {
      const stored = (await context.whole.byId('users', user.id))!
      for (const name of (await end?.(stored, context)) ?? []) ended.push({ part, name })
    }
    change.finding = sentence(ended)
    return { id: user.id, slug: user.slug, active: false as const, ended }
  },
})

function sentence(ended: readonly { readonly part: string; readonly name: string }[]): string {
  if (ended.length === 0) return 'Offboarded. The user had nothing else that could be ended.'
  const named = ended.slice(0, NAMED_MAX).map(({ part, name }) => `${part}/${name}`)
  const more = ended.length > NAMED_MAX ? ` and ${ended.length - NAMED_MAX} more` : ''
  return `Offboarded. Ended ${named.join(', ')}${more}.`
}
