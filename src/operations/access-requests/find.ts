import { permits } from '../../access/roles.ts'
import { type Refusal, refuse } from '../../base/refusal.ts'
import { type StoredAccessRequest, stateAt } from '../../store/ports/access-requests.ts'
import type { OperationContext } from '../engine/context.ts'

/** True for one of the principal's own, and for one that they could carry out themselves. */
export async function mayRead(request: StoredAccessRequest, context: OperationContext): Promise<boolean> {
  return request.requester === context.principal.id || mayDecide(request, context)
}

async function mayDecide(request: StoredAccessRequest, context: OperationContext): Promise<boolean> {
  if (!permits(context.principal, 'clients:update')) return false
  const client = await context.reader.byId('clients', request.client)
  if (client === undefined || !(await context.allows('clients:update', client))) return false
  for (const id of request.collections)
    if ((await context.reader.byId('collections', id)) === undefined) return false
  return true
}

/** One that the principal may read. Refuses with not_found: what is others' is not told. */
export async function findRequest(id: string, context: OperationContext): Promise<StoredAccessRequest> {
  const request = await context.whole.accessRequest(id)
  if (request === undefined || !(await mayRead(request, context))) throw missing(id)
  return request
}

/** As {@link findRequest}; refuses with already_decided unless it is open. */
export async function findOpen(id: string, context: OperationContext): Promise<StoredAccessRequest> {
  const request = await findRequest(id, context)
  const state = stateAt(request, context.clock.now())
  if (state === 'open') return request
  const what = { rejected: 'was rejected', applied: 'was approved', expired: 'has expired' }[state]
  throw refuse('already_decided', { detail: `The access request "${id}" ${what}.`, members: { state } })
}

function missing(id: string): Refusal {
  return refuse('not_found', { detail: `There is no access request "${id}".` })
}
