/** Teams, and the teams above and below them. */
import type { ConfigReader } from '../store/ports/config.ts'
import { isOfType, type Resource } from '../store/ports/resource.ts'

/** Levels of teams, from the top one on. */
export const TEAMS_DEEP_MAX = 8

/** The team with this id and those that it is part of, from there to the top; empty for null. */
export async function teamsAbove(
  reader: Pick<ConfigReader, 'byId'>,
  id: string | null,
): Promise<readonly Resource<'teams'>[]> {
  const teams: Resource<'teams'>[] = []
  let next = id
  // No cycle is stored, but a reader may be asked while one is about to be
  while (next !== null && teams.length <= TEAMS_DEEP_MAX) {
    const team = await reader.byId('teams', next)
    if (team === undefined) break
    teams.push(team)
    next = team.spec.parent
  }
  return teams
}

/** Ids of teams and of all that are part of them. */
export async function teamsBelow(
  reader: Pick<ConfigReader, 'usersOf'>,
  ids: readonly string[],
): Promise<readonly string[]> {
  const found = new Set(ids)
  // Grows while it is walked
  for (const id of found)
    for (const { type, id: below } of await reader.usersOf(id)) if (type === 'teams') found.add(below)
  return [...found]
}

/** The teams that a user is named in, or is a member of by a group of the identity provider. */
export async function teamsOf(
  reader: Pick<ConfigReader, 'usersOf' | 'all'>,
  user: string,
  groups: readonly string[],
): Promise<readonly Resource<'teams'>[]> {
  const named = (await reader.usersOf(user)).filter(isOfType('teams'))
  if (groups.length === 0) return named
  const theirs = new Set(groups)
  const byGroup = (await reader.all('teams')).filter(({ spec }) =>
    spec.idp_groups.some((group) => theirs.has(group)),
  )
  return [...new Map([...named, ...byGroup].map((team) => [team.id, team])).values()]
}

/** True when the user leads the team. */
export function leads(user: string, { spec }: Pick<Resource<'teams'>, 'spec'>): boolean {
  return spec.members.some((member) => member.user === user && member.role === 'admin')
}
