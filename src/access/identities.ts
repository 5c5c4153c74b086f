import type { GrantSpec, RoleSpec } from '../model/access.ts'
import type { ConfigReader, Fields } from '../store/ports/config.ts'
import type { CustomRole, Grant, Role } from './principal.ts'

/** What a service identity may do at a moment (milliseconds since the epoch): its grants that have not ended. */
export async function grantsOf(reader: ConfigReader, identity: string, now: number): Promise<Grant[]> {
  const grants: Grant[] = []
  for (const { spec } of await reader.all('grants', identity)) {
    // Stored by the schema of this type.
    const { role, scope, expires_at } = spec as GrantSpec
    if (expires_at !== null && Date.parse(expires_at) <= now) continue
    grants.push(await toGrant(reader, role, scope))
  }
  return grants
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
