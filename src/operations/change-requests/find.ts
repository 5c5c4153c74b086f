import { refuse } from '../../base/refusal.ts'
import type { ChangeRequestFacts, StoredChangeRequest } from '../../store/ports/change-requests.ts'
import { sees, stateAt } from '../engine/change-request.ts'
import type { OperationContext } from '../engine/context.ts'
import { subjectById } from '../engine/define.ts'

/** What the audit calls it. */
export const subject = subjectById('change_request')

/** A change request that the principal may see. Refuses with not_found. */
export async function findRequest(id: string, context: OperationContext): Promise<StoredChangeRequest> {
  const found = await context.whole.changeRequest(id)
  if (found !== undefined && (await sees(context.principal, found, context.whole))) return found
  throw refuse('not_found', { detail: `There is no change request "${id}".` })
}

/** The request with what the principal has decided. */
export function toDecided(
  request: StoredChangeRequest,
  state: 'approved' | 'rejected',
  { clock, principal, options }: OperationContext,
): StoredChangeRequest {
  return {
    ...request,
    state,
    decided_at: clock.now(),
    decided_by: { id: principal.id, name: principal.name },
    decision_reason: options.reason ?? null,
  }
}

/** Refuses with already_decided one that is in none of the states. */
export function demandState(
  request: ChangeRequestFacts,
  states: readonly ChangeRequestFacts['state'][],
  now: number,
): void {
  const state = stateAt(request, now)
  if (states.includes(state)) return
  throw refuse('already_decided', {
    detail: `The change request is ${state}.`,
    members: { state },
  })
}
