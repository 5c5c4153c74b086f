import { z } from 'zod'
import { leads } from '../../access/teams.ts'
import { DOORS } from '../../base/doors.ts'
import type { BindingSpec } from '../../model/access/host.ts'
import type { ClientSpec, ProfileSpec } from '../../model/access/profile.ts'
import { refersTo } from '../../model/annotations.ts'
import type { Resource } from '../../store/ports/resource.ts'
import {
  isCollectionShared,
  type Memberships,
  reasonsAmong,
  sharedProfiles,
  sharedVirtualMcps,
} from '../access/shared-with.ts'
import type { OperationContext } from '../engine/context.ts'
import { withoutUser } from './kind.ts'
import { Because, definePart, toBecause } from './part.ts'

export const teamsPart = definePart({
  name: 'teams',
  permission: 'teams:read',
  item: z.object({
    team: z.string().meta(refersTo('teams')),
    role: z.enum(['member', 'admin']),
    group: z.string().nullable().describe('Group of the identity provider; null: the team names the user'),
    above: z.array(z.string()).describe('Parent teams, from the nearest one on'),
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
export const virtualMcpsPart = definePart({
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

export const profilesPart = definePart({
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
export const agentsPart = definePart({
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
    const naming = await Promise.all([user.id, ...own.keys()].map((id) => whole.usersOf(id)))
    const bindings = new Map(
      naming.flat().flatMap((one) => (one.type === 'bindings' ? [[one.id, one] as const] : [])),
    )
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
