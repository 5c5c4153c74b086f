import { z } from 'zod'
import { grantsOfTeam } from '../../access/identities.ts'
import { TEAMS_DEEP_MAX, teamsAbove } from '../../access/teams.ts'
import { refuse } from '../../base/refusal.ts'
import { TeamSpec } from '../../model/access/access.ts'
import { NOUNS } from '../../model/resource-types.ts'
import type { OperationContext } from '../engine/context.ts'
import type { Kind, Self } from '../engine/kind.ts'
import { viewSchema } from '../engine/kind-schema.ts'
import { standardOf } from '../engine/standard.ts'
import { refuseUsed } from '../engine/standard-delete.ts'
import { demandHolds } from '../grants/kind.ts'

/** People who may do the same: what a team is granted, its members may do and those of the teams below it. */
export const teamKind: Kind<'teams'> = {
  type: 'teams',
  noun: NOUNS.teams,
  prefix: 'tea',
  group: 'manage_access',
  about: 'A team groups people. Grants and virtual MCPs can be shared with a team.',
  example: { name: 'Payments', members: [{ user: 'ann' }] },
  spec: TeamSpec,
  view: viewSchema(TeamSpec),
  columns: ['slug', 'name', 'parent', 'members', 'idp_groups', 'updated_at'],
  sections: {
    info: ['name', 'slug', 'description', 'tags', 'parent'],
    members: ['members', 'idp_groups'],
  },
  refs: [
    { field: 'parent', type: 'teams' },
    { field: 'user', type: 'users', within: 'members' },
  ],
  staged: false,
  filters: { parent: z.string().max(130) },
  check: judge,
}

async function judge(spec: TeamSpec, self: Self, context: OperationContext): Promise<void> {
  const before = (await context.whole.byId('teams', self.id))?.spec
  refuseTwice(spec)
  if (before !== undefined && before.parent !== spec.parent) {
    // Who leads a team does not take it out of those above it
    context.require('teams:create')
    await refuseDeep(spec, self, context)
  } else if (before === undefined) await refuseDeep(spec, self, context)
  if (gainsBy(before, spec))
    demandHolds(await grantsOfTeam(context.whole, { id: self.id, spec }, context.clock.now()), context)
}

function refuseTwice({ members }: TeamSpec): void {
  const users = members.map(({ user }) => user)
  const at = users.findIndex((user, index) => users.indexOf(user) !== index)
  if (at < 0) return
  throw refuse('input_invalid', {
    detail: 'A user can be a member only once.',
    errors: [{ pointer: `/members/${at}/user`, reason: 'is already a member' }],
  })
}

/** Refuses a team that would be part of itself, or too deep with those below it. */
async function refuseDeep(spec: TeamSpec, self: Self, context: OperationContext): Promise<void> {
  const above = await teamsAbove(context.whole, spec.parent)
  const isCycle = above.some(({ id }) => id === self.id)
  if (!isCycle && above.length + (await depthOf(self.id, context)) <= TEAMS_DEEP_MAX) return
  const reason = isCycle ? 'the team would be part of itself' : `teams are at most ${TEAMS_DEEP_MAX} deep`
  throw refuse('configuration_invalid', {
    detail: `/parent: ${reason}.`,
    errors: [{ pointer: '/parent', reason }],
  })
}

/** Levels of a team and those below it. */
async function depthOf(id: string, context: OperationContext): Promise<number> {
  const below = (await context.whole.usersOf(id)).filter(({ type }) => type === 'teams')
  const depths = await Promise.all(below.map((team) => depthOf(team.id, context)))
  return 1 + Math.max(0, ...depths)
}

/** True when anybody comes to what the team may do by the change, or to leading it. */
function gainsBy(before: TeamSpec | undefined, { parent, members, idp_groups }: TeamSpec): boolean {
  if (before === undefined) return true
  const isKnown = (member: TeamSpec['members'][number]): boolean =>
    before.members.some(
      ({ user, role }) => user === member.user && (role === member.role || role === 'admin'),
    )
  return (
    parent !== before.parent ||
    !members.every(isKnown) ||
    !idp_groups.every((group) => before.idp_groups.includes(group))
  )
}

export const teamOperations = standardOf(teamKind, refuseUsed)
