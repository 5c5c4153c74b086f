import { z } from 'zod'
import { ExportView } from '../../model/export.ts'
import { define } from '../engine/define.ts'
import { EXPORT_COLUMNS, exportsAudit, findExport, subject, viewOf } from './shape.ts'

export const ExportId = z.string().min(1).max(64)

export const getExport = define({
  resource: 'exports',
  action: 'get',
  effect: 'read',
  tool: 'get_export',
  group: 'manage_exports',
  summary: 'Show how far an export is. Its file is downloaded over REST or with the command line',
  input: z.strictObject({ id: ExportId }),
  output: ExportView,
  permission: 'records:export',
  own: exportsAudit,
  refuses: ['not_found'],
  columns: [...EXPORT_COLUMNS, 'error'],
  subject,
  handle: async ({ id }, context) => viewOf(await findExport(id, context)),
})
