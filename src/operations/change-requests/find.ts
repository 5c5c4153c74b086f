import { refuse } from '../../base/refusal.ts'
import type { ChangeRequestFacts, StoredChangeRequest } from '../../store/ports/change-requests.ts'
import { isPending, sees } from '../approvals/request.ts'
import type { OperationContext } from '../context.ts'
import type { Subject } from '../define.ts'

/** What the audit calls it. */
export function subject(input: object, output: object | undefined): Subject {
  const of = (from: object | undefined): string | null =>
    from !== undefined && 'id' in from && typeof from.id === 'string' ? from.id : null
  return { type: 'change_request', id: of(output) ?? of(input), slug: null }
}

/** A change request that the principal may see. Refuses with not_found. */
export async function findRequest(id: string, context: OperationContext): Promise<StoredChangeRequest> {
  const found = await context.whole.changeRequest(id)
  if (found !== undefined && (await sees(context.principal, found, context.whole))) return found
  throw refuse('not_found', { detail: `There is no change request "${id}".` })
}

/** Refuses with change_request_closed one that nothing is to be decided of any more. */
export function demandPending(
  request: ChangeRequestFacts,
  states: readonly ChangeRequestFacts['state'][],
  now: number,
): void {
  if (states.includes(request.state) && request.expires_at > now) return
  const state = isPending(request) && request.expires_at <= now ? 'expired' : request.state
  throw refuse('change_request_closed', {
    detail: `The change request is ${state}.`,
    members: { state },
  })
}
