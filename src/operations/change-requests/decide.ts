import { z } from 'zod'
import { ChangeRequest } from '../../model/access/approval.ts'
import { Ref } from '../../model/members.ts'
import { askerOf, viewOfRequest } from '../engine/change-request.ts'
import { define } from '../engine/define.ts'
import { holdsLengths, tooLargeToReview } from '../engine/review.ts'
import { demandAnotherPerson, demandApprover } from './another-person.ts'
import { demandState, findRequest, subject, toDecided } from './find.ts'
import { COLUMNS } from './list.ts'

export const approveChangeRequest = define({
  resource: 'change_requests',
  action: 'approve',
  effect: 'act',
  tool: 'approve_change_request',
  group: 'manage_config',
  summary:
    "Approve a change request of another user. The change runs with the requester's current permissions, unless an affected resource has changed",
  input: z.strictObject({ id: Ref }),
  output: ChangeRequest,
  permission: 'config:approve',
  refuses: [
    'not_found',
    'already_decided',
    'change_too_large',
    'change_request_outdated',
    'idempotency_conflict',
  ],
  destroys: () => true,
  columns: COLUMNS,
  subject,
  prepare: async ({ id }, context) => {
    const request = await findRequest(id, context)
    await demandAnotherPerson(request, context)
    demandState(request, ['open'], context.clock.now())
    if (request.is_whole !== true && holdsLengths(request.diff)) throw tooLargeToReview()
    return { id, prepared: request.repeats ? null : await context.carryOut.prepare(request) }
  },
  handle: async ({ id, prepared }, context) => {
    const { change, clock } = context
    const now = clock.now()
    const request = await findRequest(id, context)
    await demandAnotherPerson(request, context)
    demandState(request, ['open'], now)
    const approved = toDecided(request, 'approved', context)
    await change.writer.putChangeRequest(approved)
    if (request.repeats) {
      change.finding = `${request.operation}: carried out when "${request.requester.name}" repeats the call.`
      change.tell({ op: 'replace', path: '/state', from: 'open', value: 'approved' })
      return viewOfRequest(approved, now)
    }
    const revision = await context.carryOut.carryOut(approved, prepared)
    change.finding = `${request.operation} was carried out, as "${request.requester.name}" had asked for.`
    change.tell({ op: 'replace', path: '/state', from: 'open', value: 'applied' })
    return viewOfRequest({ ...approved, state: 'applied', config_revision: revision }, now)
  },
})

export const rejectChangeRequest = define({
  resource: 'change_requests',
  action: 'reject',
  effect: 'act',
  tool: 'reject_change_request',
  group: 'manage_config',
  summary: 'Reject a change request with a reason, or withdraw your own',
  input: z.strictObject({ id: Ref }),
  output: ChangeRequest,
  permission: 'config:approve',
  own: () => true,
  refuses: ['not_found', 'already_decided', 'idempotency_conflict'],
  columns: COLUMNS,
  subject,
  handle: async ({ id }, context) => {
    const { change, clock, principal } = context
    const now = clock.now()
    const request = await findRequest(id, context)
    if (request.asker !== askerOf(principal)) await demandApprover(request, context)
    demandState(request, ['open', 'approved'], now)
    const rejected = { ...toDecided(request, 'rejected', context), sealed: null }
    await change.writer.putChangeRequest(rejected)
    change.finding = `${request.operation}, which "${request.requester.name}" had asked for.`
    change.tell({ op: 'replace', path: '/state', from: request.state, value: 'rejected' })
    return viewOfRequest(rejected, now)
  },
})
