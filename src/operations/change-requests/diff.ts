import { z } from 'zod'
import { DIFF_COLUMNS, Difference } from '../../model/access/approval.ts'
import { Ref } from '../../model/members.ts'
import { define } from '../engine/define.ts'
import { fromCursor, page, pageOf, toCursor } from '../engine/lists.ts'
import { findRequest, subject } from './find.ts'

export const diffChangeRequest = define({
  resource: 'change_requests',
  action: 'diff',
  effect: 'read',
  tool: 'get_change_request_diff',
  group: 'manage_config',
  summary: 'Show the complete difference of a change request, page by page',
  input: z.strictObject({ id: Ref, ...page }),
  output: pageOf(Difference),
  permission: 'config:read',
  own: () => true,
  refuses: ['not_found'],
  columns: DIFF_COLUMNS,
  subject,
  handle: async ({ id, limit, cursor }, context) => {
    const { diff } = await findRequest(id, context)
    const start = cursor === undefined ? 0 : Number(fromCursor(cursor, /^\d{1,9}$/))
    const end = start + limit
    return { items: diff.slice(start, end), next_cursor: end < diff.length ? toCursor(String(end)) : null }
  },
})
