import { z } from 'zod'
import { ChangeRequest } from '../../model/approval.ts'
import { Ref } from '../../model/common.ts'
import { viewOfRequest } from '../engine/change-request.ts'
import { define } from '../engine/define.ts'
import { findRequest, subject } from './find.ts'
import { COLUMNS } from './list.ts'

export const getChangeRequest = define({
  resource: 'change_requests',
  action: 'get',
  effect: 'read',
  tool: 'get_change_request',
  group: 'manage_config',
  summary: 'Show a write that waits for another person, or did, with what it would change',
  input: z.strictObject({ id: Ref }),
  output: ChangeRequest,
  permission: 'config:read',
  own: () => true,
  refuses: ['not_found'],
  columns: COLUMNS,
  subject,
  handle: async ({ id }, context) => viewOfRequest(await findRequest(id, context), context.clock.now()),
})
