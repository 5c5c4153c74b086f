import { scopesFor } from '../../access/scopes.ts'
import { refuse } from '../../base/refusal.ts'
import type { OperationContext } from '../engine/context.ts'

/**
 * Refuses what would change what its user holds by less than all of it, whatever that is at the moment: the user may be
 * given more later. Refuses with insufficient_scope where another token of the authorization server would do, else with
 * permission_denied.
 */
export function refuseNarrowed({ principal }: Pick<OperationContext, 'principal'>): void {
  if (principal.unnarrowed === undefined) return
  if (principal.scopes === undefined)
    throw refuse('permission_denied', {
      detail:
        'What proves you was given less than you may do, so that it neither makes nor ends personal tokens.',
    })
  const scope = scopesFor('users:update', principal.scopes)
  throw refuse('insufficient_scope', {
    detail: `Personal tokens are made and ended by a token that reaches all that you may do. Ask for the scopes ${scope}.`,
    members: { permission: 'users:update', scope },
  })
}
