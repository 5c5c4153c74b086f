import { z } from 'zod'
import { toGrant } from '../../access/identities.ts'
import { GrantSpec, ROLES } from '../../model/access.ts'
import { NOUNS } from '../../model/common.ts'
import type { Fields } from '../../store/ports/config.ts'
import type { OperationContext } from '../context.ts'
import { type Kind, type Self, viewSchema } from '../kind.ts'
import { standardOf } from '../standard.ts'
import { demandHolds } from './authority.ts'

export const grantKind: Kind = {
  type: 'grants',
  noun: NOUNS.grants,
  prefix: 'gra',
  group: 'manage_access',
  spec: GrantSpec,
  view: viewSchema(GrantSpec),
  columns: ['slug', 'service_identity', 'role', 'scope.collections', 'scope.resource_types', 'expires_at'],
  parent: { field: 'service_identity', type: 'service_identities' },
  refs: [
    { field: 'role', type: 'roles', words: ROLES },
    { field: 'collections', type: 'collections', many: true, within: 'scope' },
  ],
  staged: false,
  filters: { role: z.string().max(130) },
  check: held,
}

async function held(spec: Fields, _self: Self, context: OperationContext): Promise<void> {
  const { role, scope } = spec as GrantSpec
  demandHolds([await toGrant(context.whole, role, scope)], context)
}

export const GRANT_OPERATIONS = standardOf(grantKind)
