/** What is shared with a user at the MCP endpoints, and why. A draft or an inactive resource can be shared, but not used. */
import { teamsAbove, teamsOf } from '../../access/teams.ts'
import type { CollectionSpec } from '../../model/api/collection.ts'
import type { VirtualMcpSpec } from '../../model/mcp/virtual-mcp.ts'
import type { ConfigReader } from '../../store/ports/config.ts'
import { type Fields, isOfType, type Resource } from '../../store/ports/resource.ts'

/** Why a user has something. */
export interface Reason {
  readonly by: 'all_users' | 'user' | 'team' | 'group' | 'claim'
  /** Slug of the team, or the group at the identity provider; null for the others. */
  readonly name: string | null
  /** Slugs of teams, from the one that the user is in to the one that has it; empty where it is no team. */
  readonly path: readonly string[]
}

/** A team that a user is in, or one above such a team. */
interface Membership {
  readonly team: Resource<'teams'>
  /** Slugs of teams, from the one that the user is in to this one. */
  readonly path: readonly string[]
}

/** Teams by id. */
export type Memberships = ReadonlyMap<string, Membership>

/** Something that is shared with a user, and by what; never by nothing. */
export interface Shared<T extends 'virtual_mcps' | 'profiles'> {
  readonly resource: Resource<T>
  readonly because: readonly Reason[]
}

type Reader = Pick<ConfigReader, 'all' | 'byId' | 'usersOf'>

/** The teams that the user is in, and all above these. */
export async function membershipsOf(
  reader: Reader,
  { id, spec }: Pick<Resource<'users'>, 'id' | 'spec'>,
): Promise<Memberships> {
  const found = new Map<string, Membership>()
  for (const direct of await teamsOf(reader, id, spec.groups)) {
    const path: string[] = []
    for (const team of await teamsAbove(reader, direct.id)) {
      path.push(team.slug)
      if (!found.has(team.id)) found.set(team.id, { team, path: [...path] })
    }
  }
  return found
}

/** The published virtual MCPs to which a user may sign in, in order of their slugs. @param own of the user */
export async function sharedVirtualMcps(
  reader: Reader,
  own: Memberships,
): Promise<readonly Shared<'virtual_mcps'>[]> {
  return (await reader.all('virtual_mcps'))
    .filter(({ status }) => status === 'published')
    .map((resource) => ({ resource, because: reasonsFor(resource.spec, own) }))
    .filter(({ because }) => because.length > 0)
    .sort((a, b) => (a.resource.slug < b.resource.slug ? -1 : 1))
}

/** Why members of these teams may sign in to a virtual MCP; empty where they may not. */
export function reasonsFor(spec: Fields, own: Memberships): readonly Reason[] {
  // Specs stored by earlier versions lack both
  const { teams = [], all_users = false } = spec as Partial<VirtualMcpSpec>
  const all: Reason = { by: 'all_users', name: null, path: [] }
  return [...(all_users ? [all] : []), ...byTeams(teams, own)]
}

/** True where members of these teams may call a collection at `/mcp` by signing in, if they may use the profile. */
export function isCollectionShared(spec: Fields, own: Memberships): boolean {
  // Specs stored by earlier versions lack both
  const { teams = [], all_users = false } = spec as Partial<CollectionSpec>
  return all_users || teams.length === 0 || byTeams(teams, own).length > 0
}

/** The profiles that name the user, or a team of theirs, in order of creation. @param own of the user */
export async function sharedProfiles(
  reader: Reader,
  user: Resource,
  own: Memberships,
): Promise<readonly Shared<'profiles'>[]> {
  const profiles = new Map<string, Resource<'profiles'>>()
  // One after the other: a user may be in thousands of teams
  for (const id of [user.id, ...own.keys()])
    for (const profile of (await reader.usersOf(id)).filter(isOfType('profiles')))
      profiles.set(profile.id, profile)
  return [...profiles.values()]
    .map((resource) => ({ resource, because: reasonsForProfile(resource, user, own) }))
    .filter(({ because }) => because.length > 0)
    .sort((a, b) => (a.resource.id < b.resource.id ? -1 : 1))
}

/** Why the user may use a profile by signing in; empty where they may not. */
export function reasonsForProfile(
  { spec }: Resource<'profiles'>,
  { id }: Resource,
  own: Memberships,
): readonly Reason[] {
  return reasonsAmong(spec.agent_sign_in ?? null, id, own)
}

/** Why a user is one of these; empty where they are not. @param own of the user */
export function reasonsAmong(
  among: { readonly users: readonly string[]; readonly teams: readonly string[] } | null,
  id: string,
  own: Memberships,
): readonly Reason[] {
  if (among === null) return []
  const named: Reason = { by: 'user', name: null, path: [] }
  return [...(among.users.includes(id) ? [named] : []), ...byTeams(among.teams, own)]
}

function byTeams(teams: readonly string[], own: Memberships): readonly Reason[] {
  return teams.flatMap((id) => {
    const at = own.get(id)
    return at === undefined ? [] : [{ by: 'team' as const, name: at.team.slug, path: at.path }]
  })
}
