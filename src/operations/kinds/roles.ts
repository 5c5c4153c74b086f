import { isBuiltIn, parseGrant } from '../../access/grant-text.ts'
import { toGrant } from '../../access/identities.ts'
import { refuse } from '../../base/refusal.ts'
import { type GrantSpec, RoleSpec } from '../../model/access/access.ts'
import { NOUNS } from '../../model/resource-types.ts'
import type { Fields, Resource } from '../../store/ports/resource.ts'
import { demandHolds } from '../access/authority.ts'
import type { OperationContext } from '../engine/context.ts'
import type { Kind, Self } from '../engine/kind.ts'
import { viewSchema } from '../engine/kind-schema.ts'
import { standardOf } from '../engine/standard.ts'
import { refuseUsed } from '../engine/standard-delete.ts'

export const roleKind: Kind<'roles'> = {
  type: 'roles',
  noun: NOUNS.roles,
  prefix: 'rol',
  group: 'manage_access',
  spec: RoleSpec,
  view: viewSchema(RoleSpec),
  columns: ['slug', 'name', 'permissions', 'updated_at'],
  sections: {
    info: ['name', 'slug', 'description', 'tags'],
    permissions: ['permissions'],
  },
  parent: null,
  refs: [],
  staged: false,
  filters: {},
  check: granted,
}

/**
 * A role that grants refer to grants what it will hold. Claims may be mapped to any by its slug, once they are mapped to
 * roles that were made here.
 */
async function granted(spec: Fields, self: Self, context: OperationContext): Promise<void> {
  // Judged by the exact schema of the kind
  const role = { permissions: new Set((spec as RoleSpec).permissions) }
  for (const user of await context.whole.usersOf(self.id)) {
    const { scope } = await toGrant(context.whole, self.id, (user.spec as GrantSpec).scope)
    demandHolds([{ role, scope }], context)
  }
  if (await areClaimsMapped(context)) demandHolds([{ role }], context)
}

/** True when claims are mapped to roles that were made here, now or for somebody who has signed in before. */
async function areClaimsMapped({ mappedGrants, whole }: OperationContext): Promise<boolean> {
  const users = mappedGrants.some(namesRole) ? [] : await whole.all('users')
  return mappedGrants.some(namesRole) || users.some(({ spec }) => spec.mapped_grants.some(namesRole))
}

function namesRole(text: string): boolean {
  const grant = parseGrant(text)
  return typeof grant !== 'string' && !isBuiltIn(grant.role)
}

/** A role that the settings map claims to stays: without it the next start would be refused. */
async function refuseMapped(role: Resource, context: OperationContext): Promise<void> {
  await refuseUsed(role, context)
  const names = (text: string): boolean => {
    const grant = parseGrant(text)
    return typeof grant !== 'string' && (grant.role === role.slug || grant.role === role.id)
  }
  if (context.mappedGrants.some(names))
    throw refuse('in_use', {
      detail: `"${role.slug}" is named by a rule that maps claims to roles. Take it out of POSTERN_OIDC_ROLE_MAP, or out of role_map in POSTERN_OIDC_PROVIDERS_FILE, first.`,
      members: { used_by: [] },
    })
}

export const roleOperations = standardOf(roleKind, refuseMapped)
