import { grantsOf } from '../../access/identities.ts'
import type { Grant } from '../../access/principal.ts'
import { missingOf } from '../../access/roles.ts'
import { refuse } from '../../base/refusal.ts'
import type { OperationContext } from '../engine/context.ts'

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
