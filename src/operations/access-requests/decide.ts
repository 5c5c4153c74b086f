/**
 * Access requests are stored beside the configuration and count no revision. Approving a request is the assignment
 * itself, in the same transaction, with the permissions of the approver. The clock decides at each read whether a
 * request has expired.
 */
import { z } from 'zod'
import { refuse } from '../../base/refusal.ts'
import type { StoredAccessRequest } from '../../store/ports/access-requests.ts'
import { assign } from '../clients/assign.ts'
import type { OperationContext } from '../engine/context.ts'
import { CHANGE_REFUSES, define } from '../engine/define.ts'
import { findOpen } from './find.ts'
import { AccessRequest, AccessRequestId, COLUMNS, keep, subject, viewsOf } from './view.ts'

const common = {
  resource: 'access_requests',
  effect: 'act',
  group: 'manage_clients',
  input: z.strictObject({ id: AccessRequestId }),
  output: AccessRequest,
  permission: 'clients:update',
  columns: COLUMNS,
  subject,
} as const

/** It is written like an assignment of one's own, and so by nobody who could not make that. */
export const approveAccessRequest = define({
  ...common,
  action: 'approve',
  tool: 'approve_access_request',
  summary: 'Approve an access request: the client can call the collections immediately',
  refuses: [...CHANGE_REFUSES, 'already_decided'],
  handle: async ({ id }, context) => {
    const request = await findOpen(id, context)
    await assign(request.client, { collections: { add: request.collections } }, context)
    context.change.finding = `Approved ${id}, which ${request.requester_name} asked for.`
    return decide(request, 'applied', context)
  },
})

export const rejectAccessRequest = define({
  ...common,
  action: 'reject',
  tool: 'reject_access_request',
  summary: 'Reject an access request with a reason, or withdraw your own',
  own: () => true,
  refuses: ['not_found', 'already_decided', 'idempotency_conflict'],
  handle: async ({ id }, context) => {
    const request = await findOpen(id, context)
    const { change, principal, options } = context
    const isOwn = request.requester === principal.id
    if (!isOwn && options.reason === undefined)
      throw refuse('input_invalid', {
        detail: 'Say why: the requester reads the reason.',
        errors: [{ pointer: '/reason', reason: 'required to reject a request of another user' }],
      })
    change.finding = isOwn
      ? `${request.requester_name} took ${id} back.`
      : `Rejected ${id}, which ${request.requester_name} asked for.`
    return decide(request, 'rejected', context)
  },
})

/** Ends an open request by a decision. */
async function decide(
  request: StoredAccessRequest,
  state: 'applied' | 'rejected',
  context: OperationContext,
): Promise<z.output<typeof AccessRequest>> {
  const { change, clock, principal, options } = context
  const decided: StoredAccessRequest = {
    ...request,
    state,
    decided_at: clock.now(),
    decided_by: principal.name,
    reason: options.reason ?? null,
  }
  await keep(decided, context)
  change.tell({ op: 'replace', path: `/access_requests/${request.id}/state`, from: 'open', value: state })
  return (await viewsOf([decided], context))[0]!
}
