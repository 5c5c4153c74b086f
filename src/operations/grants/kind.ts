import { z } from 'zod'
import { isBuiltIn, parseGrant } from '../../access/grant-text.ts'
import { grantsOf, toGrant } from '../../access/identities.ts'
import type { Grant } from '../../access/principal.ts'
import { missingOf } from '../../access/roles.ts'
import { refuse } from '../../base/refusal.ts'
import { GrantSpec, ROLES, RoleSpec, SUBJECTS } from '../../model/access/access.ts'
import { NOUNS } from '../../model/resource-types.ts'
import type { Fields, Resource } from '../../store/ports/resource.ts'
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
  about: 'A role is a named set of permissions.',
  example: { name: 'Audit reader', permissions: ['audit:read'] },
  spec: RoleSpec,
  view: viewSchema(RoleSpec),
  columns: ['slug', 'name', 'permissions', 'updated_at'],
  sections: {
    info: ['name', 'slug', 'description', 'tags'],
    permissions: ['permissions'],
  },
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
      detail: `"${role.slug}" is named in a rule that maps claims to roles. First remove it from POSTERN_OIDC_ROLE_MAP, or from role_map in POSTERN_OIDC_PROVIDERS_FILE.`,
      members: { used_by: [] },
    })
}

export const roleOperations = standardOf(roleKind, refuseMapped)

export const grantKind: Kind<'grants'> = {
  type: 'grants',
  noun: NOUNS.grants,
  prefix: 'gra',
  group: 'manage_access',
  about: 'A grant gives a person, a team or a service identity a role, for all resources or for some.',
  example: { name: 'Ann modifies', user: 'ann', role: 'modifier' },
  spec: GrantSpec,
  view: viewSchema(GrantSpec),
  columns: [
    'slug',
    ...SUBJECTS,
    'role',
    'scope.collections',
    'scope.virtual_mcps',
    'scope.resource_types',
    'expires_at',
  ],
  sections: {
    info: ['name', 'slug', 'description', 'tags'],
    holder: ['service_identity', 'user', 'team', 'group'],
    permissions: ['role', 'scope', 'expires_at'],
  },
  refs: [
    { field: 'role', type: 'roles', words: ROLES },
    { field: 'collections', type: 'collections', many: true, within: 'scope' },
    { field: 'virtual_mcps', type: 'virtual_mcps', many: true, within: 'scope' },
  ],
  staged: false,
  filters: { role: z.string().max(130), group: z.string().max(256) },
  // Found by it for each of their users. Stored by the schema of this type.
  keyOf: (spec) => spec.group,
  check,
}

async function check(spec: Fields, _self: Self, context: OperationContext): Promise<void> {
  const named = SUBJECTS.filter((subject) => spec[subject] !== null)
  if (named.length !== 1)
    throw refuse('input_invalid', {
      detail: `Name the subject of the grant, one of ${SUBJECTS.join(', ')}.`,
      errors: (named.length === 0 ? SUBJECTS : named).map((subject) => ({
        pointer: `/${subject}`,
        reason: 'exactly one of these is required',
      })),
    })
  const { role, scope } = spec as GrantSpec
  demandHolds([await toGrant(context.whole, role, scope)], context)
}

export const grantOperations = standardOf(grantKind)

/** You can grant only permissions that you have. Refuses with permission_denied, naming what is missing. */
export function demandHolds(grants: readonly Grant[], { principal }: OperationContext): void {
  for (const grant of grants) {
    const permission = missingOf(principal, grant)
    if (permission !== null)
      throw refuse('permission_denied', {
        detail: `You can grant only permissions that you have, and you lack the permission ${permission} over all of that scope.`,
        members: { permission },
      })
  }
}

/** As {@link demandHolds}, for all that a user or a service identity may do: who decides who that is could use all of it. */
export async function demandHoldsOf(account: string, context: OperationContext): Promise<void> {
  demandHolds(await grantsOf(context.whole, account, context.clock.now()), context)
}
