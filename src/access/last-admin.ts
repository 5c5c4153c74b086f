/** Keeps at least one administrator. */
import { refuse } from '../base/refusal.ts'
import type { GrantSpec, TeamSpec } from '../model/access/access.ts'
import type { ResourceType } from '../model/resource-types.ts'
import type { ConfigReader, ListQuery } from '../store/ports/config.ts'
import type { Resource } from '../store/ports/resource.ts'
import { CLIENT_SECRET } from './accounts.ts'
import type { Principal } from './principal.ts'
import { teamsBelow } from './teams.ts'

/** Types of which a change may take an administrator away. */
const DECIDING: readonly ResourceType[] = ['users', 'teams', 'service_identities', 'trust_rules', 'grants']

const ALL = 2 ** 31 - 1

/**
 * A change may not remove the last full administrator, nor the last one whose grant does not expire. Refuses with
 * configuration_invalid. Changes that an identity provider reports about its users are applied in any case.
 * @param before the configuration as it stood before the change
 */
export async function keepAnAdmin(
  change: { readonly types: ReadonlySet<ResourceType>; readonly writer: ConfigReader },
  before: ConfigReader,
  principal: Pick<Principal, 'type'>,
  now: number,
): Promise<void> {
  if (principal.type === 'system' || !DECIDING.some((type) => change.types.has(type))) return
  for (const at of [now, Number.POSITIVE_INFINITY])
    if (!(await hasAdmin(change.writer, at)) && (await hasAdmin(before, at)))
      throw refuse('configuration_invalid', {
        detail: `This would remove the last administrator of everything${at === now ? '' : ' whose access does not expire'}. First grant the role admin to another active service identity that has a key, a secret or a trust rule, or to another active user who can sign in.`,
        errors: [{ pointer: '', reason: 'would remove the last administrator' }],
      })
}

/**
 * True when an active service identity that can prove itself, or an active user who can sign in, has the role admin over everything at a
 * moment, by any grant or by what their claims are mapped to.
 */
async function hasAdmin(reader: ConfigReader, at: number): Promise<boolean> {
  const admins = await reader.list({ type: 'grants', limit: ALL, where: { role: 'admin' } })
  for (const { spec } of admins) {
    // Stored by the schema of this type.
    const grant = spec
    const isEnded = grant.expires_at !== null && Date.parse(grant.expires_at) <= at
    if (!isEnded && isWhole(grant.scope) && (await hasBearer(reader, grant, at))) return true
  }
  return hasActive(reader, { mapped_grants: 'admin' })
}

function isWhole(scope: GrantSpec['scope']): boolean {
  return Object.values(scope).every((list) => list.length === 0)
}

async function hasBearer(
  reader: ConfigReader,
  { service_identity, user, team, group }: GrantSpec,
  at: number,
): Promise<boolean> {
  if (service_identity !== null) return canProve(reader, service_identity, at)
  if (user !== null) return canSignIn(reader, user)
  if (team !== null) return hasMember(reader, team)
  return group !== null && hasActive(reader, { groups: group })
}

/** True when the team, or one below it, has a member who can sign in. */
async function hasMember(reader: ConfigReader, top: string): Promise<boolean> {
  for (const id of await teamsBelow(reader, [top])) {
    const team = (await reader.byId('teams', id))?.spec as TeamSpec
    for (const { user } of team.members) if (await canSignIn(reader, user)) return true
    for (const group of team.idp_groups) if (await hasActive(reader, { groups: group })) return true
  }
  return false
}

async function hasActive(reader: ConfigReader, holds: NonNullable<ListQuery['holds']>): Promise<boolean> {
  const where = { active: true }
  return (await reader.list({ type: 'users', limit: 1, where, holds })).length > 0
}

/** True for an active service identity that has something by which it comes in. */
async function canProve(reader: ConfigReader, id: string, at: number): Promise<boolean> {
  const identity = await reader.byId('service_identities', id)
  if (identity === undefined || !isActive(identity)) return false
  if ((await reader.all('trust_rules', id)).length > 0) return true
  // Stored by the schema of this type.
  const { keys = [] } = identity.spec
  // With keys no secret is taken
  if (keys.length === 0) return (await reader.secretsOf([id])).some(({ field }) => field === CLIENT_SECRET)
  return keys.some(({ retires_at }) => typeof retires_at !== 'string' || Date.parse(retires_at) > at)
}

/** True for an active user who has a password, or an identity provider. */
async function canSignIn(reader: ConfigReader, id: string): Promise<boolean> {
  const user = await reader.byId('users', id)
  return isActive(user) && (user?.key !== null || (await reader.password(id)) !== undefined)
}

function isActive(account: Resource | undefined): boolean {
  return account?.spec['active'] === true
}
