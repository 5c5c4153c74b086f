import type { GrantSpec, RoleSpec, UserSpec } from '../model/access.ts'
import type { ConfigReader, Fields } from '../store/ports/config.ts'
import { parseGrant } from './grant-text.ts'
import type { CustomRole, Grant, Role } from './principal.ts'

/**
 * What a user or a service identity may do at a moment (milliseconds since the epoch): grants that have not ended, and
 * those that the claims of a user are mapped to.
 */
export async function grantsOf(reader: ConfigReader, account: string, now: number): Promise<Grant[]> {
  const grants: Grant[] = []
  for (const { spec } of await reader.all('grants', account)) {
    // Stored by the schema of this type.
    const { role, scope, expires_at } = spec as GrantSpec
    if (expires_at !== null && Date.parse(expires_at) <= now) continue
    grants.push(await toGrant(reader, role, scope))
  }
  const user = account.startsWith('usr_') ? await reader.byId('users', account) : undefined
  if (user === undefined) return grants
  const { mapped_grants } = user.spec as UserSpec
  for (const text of mapped_grants) grants.push(...(await mappedGrant(text, reader)))
  return grants
}

/** What a claim is mapped to. A collection that is not there is nothing, and never everything. */
async function mappedGrant(text: string, reader: ConfigReader): Promise<Grant[]> {
  const written = parseGrant(text)
  if (typeof written === 'string') return []
  const { role, ...scope } = written
  const collections: string[] = []
  for (const ref of scope.collections) {
    const found = await collectionOf(ref, reader)
    if (found !== undefined) collections.push(found)
  }
  if (scope.collections.length > 0 && collections.length === 0) return []
  const isWhole = [scope.types, collections, scope.tags].every((list) => list.length === 0)
  return [isWhole ? { role } : { role, scope: { ...scope, collections } }]
}

/** Id of the collection that a compact grant names by slug or id. */
export async function collectionOf(ref: string, reader: ConfigReader): Promise<string | undefined> {
  const found = ref.includes('_')
    ? await reader.byId('collections', ref)
    : (await reader.bySlug('collections', ref))[0]
  return found?.id
}

/** A grant as it is judged. @param role one that is always there, or the id of a role */
export async function toGrant(
  reader: Pick<ConfigReader, 'byId'>,
  role: string,
  scope: GrantSpec['scope'],
): Promise<Required<Grant>> {
  const { resource_types: types, verbs, collections, tags } = scope
  const custom = role.startsWith('rol_') ? await reader.byId('roles', role) : undefined
  return {
    // References lead somewhere: what is referred to cannot be deleted.
    role: custom === undefined ? (role as Role) : toRole(custom.spec),
    scope: { types, verbs, collections, tags },
  }
}

/** A role of one's own, of its stored fields. */
export function toRole(spec: Fields): CustomRole {
  return { permissions: new Set((spec as RoleSpec).permissions) }
}
