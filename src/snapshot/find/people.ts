/**
 * Decides with which people something is shared. A team shares with the teams below it, so a person also belongs to all teams
 * above their own.
 */
import type { CollectionFragment, PersonFragment, TeamFragment, VirtualMcpFragment } from '../fragments.ts'
import type { LinkedClient, LinkedHost } from '../linked-types/client.ts'

/** People by ids of users and teams. */
interface Members {
  readonly users: readonly string[]
  readonly teams: readonly string[]
}

type Teams = ReadonlyMap<string, TeamFragment>

interface TeamIndex {
  /** Teams by id of a member. */
  readonly byUser: ReadonlyMap<string, readonly TeamFragment[]>
  /** Teams by a group whose users are members. */
  readonly byGroup: ReadonlyMap<string, readonly TeamFragment[]>
  /** What was found out about people. */
  readonly known: WeakMap<PersonFragment, ReadonlySet<string>>
}

const indexes = new WeakMap<Teams, TeamIndex>()

/** Ids of the teams that a person is in, and of all teams above these. */
export function teamsOf(person: PersonFragment, teams: Teams): ReadonlySet<string> {
  let index = indexes.get(teams)
  if (index === undefined) {
    index = indexTeams(teams)
    indexes.set(teams, index)
  }
  const known = index.known.get(person)
  if (known !== undefined) return known
  const found = new Set<string>()
  const own = [
    ...(index.byUser.get(person.id) ?? []),
    ...person.groups.flatMap((group) => index.byGroup.get(group) ?? []),
  ]
  // Also ends at a cycle, which is never stored
  for (const team of own)
    for (let at: TeamFragment | undefined = team; at !== undefined && !found.has(at.id); ) {
      found.add(at.id)
      at = at.parent === null ? undefined : teams.get(at.parent)
    }
  index.known.set(person, found)
  return found
}

function indexTeams(teams: Teams): TeamIndex {
  const byUser = new Map<string, TeamFragment[]>()
  const byGroup = new Map<string, TeamFragment[]>()
  const add = (map: Map<string, TeamFragment[]>, key: string, team: TeamFragment): void => {
    const list = map.get(key)
    if (list === undefined) map.set(key, [team])
    else list.push(team)
  }
  for (const team of teams.values()) {
    for (const user of team.members) add(byUser, user, team)
    for (const group of team.groups) add(byGroup, group, team)
  }
  return { byUser, byGroup, known: new WeakMap() }
}

/** True for one of the users, and for members of the teams. */
export function isAmong(person: PersonFragment, { users, teams }: Members, all: Teams): boolean {
  if (users.includes(person.id)) return true
  if (teams.length === 0) return false
  const own = teamsOf(person, all)
  return teams.some((team) => own.has(team))
}

/** True where people sign in to the virtual MCP, and this one may. */
export function isSharedWith(
  person: PersonFragment,
  { teams = [], all_users }: Pick<VirtualMcpFragment, 'teams' | 'all_users'>,
  all: Teams,
): boolean {
  return all_users === true || isAmong(person, { users: [], teams }, all)
}

/** True where a caller may call a collection: clients with credentials of their own always, people as far as it is shared with them. */
export function isOpenTo(
  { teams }: Pick<CollectionFragment, 'teams'>,
  signIn: { readonly user: string | null } | null,
  all: { readonly people: ReadonlyMap<string, PersonFragment>; readonly teams: Teams },
): boolean {
  if (teams === undefined || signIn === null) return true
  const person = signIn.user === null ? undefined : all.people.get(signIn.user)
  return person !== undefined && isAmong(person, { users: [], teams }, all.teams)
}

interface Linked {
  readonly clients: ReadonlyMap<string, LinkedClient>
  readonly hosts: ReadonlyMap<string, LinkedHost>
}

/** The client of that id, or the host, which is a client to all checks of a call. */
export function clientOf({ clients, hosts }: Linked, id: string): LinkedClient | undefined {
  return clients.get(id) ?? hosts.get(id)?.client
}

/** A subject in one order: RFC 4514 writes the last attribute first, others write the first one first. */
export function subjectName(parts: readonly string[]): string {
  const forward = parts.map((part) => part.trim()).join(',')
  const backward = parts
    .map((part) => part.trim())
    .reverse()
    .join(',')
  return forward < backward ? forward : backward
}
