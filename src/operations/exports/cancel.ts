import { z } from 'zod'
import { ExportView } from '../../model/export.ts'
import { define } from '../engine/define.ts'
import { ExportId } from './list.ts'
import { EXPORT_COLUMNS, exportsAudit, findExport, subject, viewOf } from './view.ts'

export const cancelExport = define({
  resource: 'exports',
  action: 'cancel',
  effect: 'act',
  tool: 'cancel_export',
  group: 'manage_exports',
  summary: 'Cancel a running export, or delete the file of a finished one',
  input: z.strictObject({ id: ExportId }),
  output: ExportView,
  permission: 'records:export',
  own: exportsAudit,
  refuses: ['not_found', 'idempotency_conflict'],
  columns: EXPORT_COLUMNS,
  subject,
  handle: async ({ id }, context) => {
    const found = await findExport(id, context)
    const { change, exports, principal } = context
    change.tell({ op: 'replace', path: '/state', from: found.state, value: 'cancelled' })
    change.afterwards(() => viewOf(exports.cancel(id, principal.name) ?? found))
    return viewOf(found)
  },
})
