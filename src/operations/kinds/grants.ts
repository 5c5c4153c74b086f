import { z } from 'zod'
import { toGrant } from '../../access/identities.ts'
import { refuse } from '../../base/refusal.ts'
import { GrantSpec, ROLES, SUBJECTS } from '../../model/access/access.ts'
import { NOUNS } from '../../model/resource-types.ts'
import type { Fields } from '../../store/ports/resource.ts'
import { demandHolds } from '../access/authority.ts'
import type { OperationContext } from '../engine/context.ts'
import type { Kind, Self } from '../engine/kind.ts'
import { viewSchema } from '../engine/kind-schema.ts'
import { standardOf } from '../engine/standard.ts'

export const grantKind: Kind<'grants'> = {
  type: 'grants',
  noun: NOUNS.grants,
  prefix: 'gra',
  group: 'manage_access',
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
  parent: { field: 'service_identity', type: 'service_identities' },
  otherParents: [
    { field: 'user', type: 'users' },
    { field: 'team', type: 'teams' },
  ],
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
