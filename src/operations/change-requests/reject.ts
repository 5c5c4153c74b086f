import { z } from 'zod'
import { ChangeRequest } from '../../model/approval.ts'
import { Ref } from '../../model/common.ts'
import { askerOf, viewOfRequest } from '../engine/change-request.ts'
import { define } from '../engine/define.ts'
import { demandApprover } from './another-person.ts'
import { demandState, findRequest, subject, toDecided } from './find.ts'
import { COLUMNS } from './list.ts'

export const rejectChangeRequest = define({
  resource: 'change_requests',
  action: 'reject',
  effect: 'act',
  tool: 'reject_change_request',
  group: 'manage_config',
  summary: 'Reject a write that waits for approval, or take back one of your own; reason says why',
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
