/**
 * Computes the permissions of a user for each request, from grants, teams, groups and mapped claims. The credential of the
 * request may narrow them (`intersect`).
 */
import type { GrantSpec, RoleSpec, TeamSpec } from '../model/access/access.ts'
import type { ResourceType } from '../model/resource-types.ts'
import type { ConfigReader, StoredGrant } from '../store/ports/config.ts'
import type { Resource } from '../store/ports/resource.ts'
import { isBuiltIn, parseGrant, type WrittenGrant } from './grant-text.ts'
import type { CustomRole, Grant, Role } from './principal.ts'
import { leads, teamsAbove, teamsBelow, teamsOf } from './teams.ts'

/**
 * What a user or a service identity may do at a moment (milliseconds since the epoch). For a user that is what they are
 * granted themselves, by their teams and by groups of their identity provider, and what their claims there are mapped
 * to. Grants that have ended do not count.
 */
export async function grantsOf(reader: ConfigReader, account: string, now: number): Promise<Grant[]> {
  const own = await grantsBelow(reader, account, now)
  const user = account.startsWith('usr_') ? await reader.byId('users', account) : undefined
  if (user === undefined) return own
  // Stored by the schema of this type.
  const { groups, mapped_grants } = user.spec
  const of = [
    grantsByTeams(reader, account, groups, now),
    ...groups.map((group) => grantsToGroup(reader, group, now)),
  ]
  const mapped = mapped_grants.map((text) => mappedGrant(text, reader))
  return [...own, ...(await Promise.all([...of, ...mapped])).flat()]
}

/** What is granted to one subject by its id, and has not ended. */
async function grantsBelow(reader: ConfigReader, subject: string, now: number): Promise<Grant[]> {
  return inForce(reader, await reader.all('grants', subject), now)
}

async function grantsToGroup(reader: ConfigReader, group: string, now: number): Promise<Grant[]> {
  return inForce(reader, await reader.byKey('grants', group, null), now)
}

async function inForce(reader: ConfigReader, grants: readonly Resource[], now: number): Promise<Grant[]> {
  const found: Grant[] = []
  for (const { spec } of grants) {
    const { role, scope, expires_at } = spec as GrantSpec
    if (expires_at === null || Date.parse(expires_at) > now) found.push(await toGrant(reader, role, scope))
  }
  return found
}

async function grantsByTeams(
  reader: ConfigReader,
  user: string,
  groups: readonly string[],
  now: number,
): Promise<Grant[]> {
  const direct = await teamsOf(reader, user, groups)
  const above = await Promise.all(direct.map(({ id }) => teamsAbove(reader, id)))
  const teams = new Set(above.flat().map(({ id }) => id))
  const granted = await Promise.all([...teams].map((id) => grantsBelow(reader, id, now)))
  const led = await teamsBelow(
    reader,
    direct.filter((team) => leads(user, team)).map(({ id }) => id),
  )
  return [...granted.flat(), ...leading(led)]
}

/** What members of a team may do by it: what is granted to it and to the teams above, and has not ended. */
export async function grantsOfTeam(
  reader: ConfigReader,
  { id, spec }: { readonly id: string; readonly spec: TeamSpec },
  now: number,
): Promise<Grant[]> {
  const above = await teamsAbove(reader, spec.parent)
  const grants = [id, ...above.map((team) => team.id)].map((team) => grantsBelow(reader, team, now))
  return (await Promise.all(grants)).flat()
}

/** What leading teams is: to change them, and to name users as their members. */
function leading(teams: readonly string[]): Grant[] {
  if (teams.length === 0) return []
  const narrow = { verbs: [], tags: [] }
  return [
    {
      role: { permissions: new Set(['teams:read', 'teams:update']) },
      scope: { ...narrow, types: ['teams'], collections: teams },
    },
    {
      role: { permissions: new Set(['users:use']) },
      scope: { ...narrow, types: ['users'], collections: [] },
    },
  ]
}

/** What a claim is mapped to. A role or a place that is not there is nothing, and never everything. */
async function mappedGrant(text: string, reader: ConfigReader): Promise<Grant[]> {
  const written = parseGrant(text)
  if (typeof written === 'string') return []
  const { role: name, types, verbs, tags } = written
  const role = isBuiltIn(name) ? name : await roleOf(name, reader).then((found) => found && toRole(found))
  if (role === undefined) return []
  const { ids: collections, absent } = await placesOf(written, reader)
  if (absent.length > 0 && collections.length === 0) return []
  const isWhole = [types, collections, tags].every((list) => list.length === 0)
  return [isWhole ? { role } : { role, scope: { types, verbs, collections, tags } }]
}

/** A user who signs in here and not at an identity provider, by slug or email. */
export async function findLocalUser(
  reader: ConfigReader,
  name: string,
): Promise<Resource<'users'> | undefined> {
  const isLocal = ({ key }: Resource): boolean => key === null
  const where = { email: name.toLowerCase() }
  return (
    (await reader.bySlug('users', name)).find(isLocal) ??
    (await reader.list({ type: 'users', limit: 2, where })).find(isLocal)
  )
}

/** Ids of the collections and virtual MCPs that a compact grant names, and those that are not there as phrases. */
export async function placesOf(
  { collections, virtualMcps }: Pick<WrittenGrant, 'collections' | 'virtualMcps'>,
  reader: ConfigReader,
): Promise<{ readonly ids: readonly string[]; readonly absent: readonly string[] }> {
  const ids: string[] = []
  const absent: string[] = []
  const find = async (type: 'collections' | 'virtual_mcps', called: string, refs: readonly string[]) => {
    for (const ref of refs) {
      const found = await namedBy(type, ref, reader)
      if (found === undefined) absent.push(`${called} "${ref}"`)
      else ids.push(found.id)
    }
  }
  await find('collections', 'collection', collections)
  await find('virtual_mcps', 'virtual MCP', virtualMcps)
  return { ids, absent }
}

/** The role, made here, that a compact grant names by slug or id. */
export async function roleOf(ref: string, reader: ConfigReader): Promise<Resource<'roles'> | undefined> {
  return namedBy('roles', ref, reader)
}

async function namedBy<T extends ResourceType>(
  type: T,
  ref: string,
  reader: ConfigReader,
): Promise<Resource<T> | undefined> {
  return ref.includes('_') ? reader.byId(type, ref) : (await reader.bySlug(type, ref))[0]
}

/**
 * What a token holds. Of a role that was made here it is what that holds now and held when the token was made, so that
 * who changes the role widens no token; without the role it is nothing.
 */
export async function grantsOfToken(
  stored: readonly StoredGrant[],
  reader: Pick<ConfigReader, 'byId'>,
): Promise<Grant[]> {
  const found: Grant[] = []
  for (const { role, permissions, scope } of stored) {
    const narrow = scope === undefined ? {} : { scope }
    if (isBuiltIn(role)) found.push({ role, ...narrow })
    else {
      const made = await reader.byId('roles', role)
      if (made === undefined) continue
      const { slug, permissions: now } = toRole(made)
      const kept = (permissions ?? []).filter((permission) => now.has(permission))
      found.push({ role: { ...(slug !== undefined && { slug }), permissions: new Set(kept) }, ...narrow })
    }
  }
  return found
}

/** A grant as it is judged. @param role one that is always there, or the id of a role */
export async function toGrant(
  reader: Pick<ConfigReader, 'byId'>,
  role: string,
  scope: GrantSpec['scope'],
): Promise<Required<Grant>> {
  // Specs stored by earlier versions lack virtual_mcps
  const { resource_types: types, verbs, collections, virtual_mcps = [], tags } = scope
  const custom = role.startsWith('rol_') ? await reader.byId('roles', role) : undefined
  return {
    // References lead somewhere: what is referred to cannot be deleted.
    role: custom === undefined ? (role as Role) : toRole(custom),
    scope: { types, verbs, collections: [...collections, ...virtual_mcps], tags },
  }
}

function toRole({ slug, spec }: Resource): CustomRole {
  return { slug, permissions: new Set((spec as RoleSpec).permissions) }
}
