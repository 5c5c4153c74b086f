import { z } from 'zod'
import { ExportView } from '../../model/export.ts'
import { define } from '../engine/define.ts'
import { fromCursor, page, pageOf, toCursor } from '../engine/lists.ts'
import { EXPORT_COLUMNS, exportsAudit, findExport, mayTake, subject, viewOf } from './view.ts'

export const listExports = define({
  resource: 'exports',
  action: 'list',
  effect: 'read',
  tool: 'list_exports',
  group: 'manage_exports',
  summary: 'List the exports of the last 7 days that you may download, newest first',
  input: z.strictObject(page),
  output: pageOf(ExportView),
  permission: 'records:export',
  own: exportsAudit,
  refuses: [],
  columns: EXPORT_COLUMNS,
  subject: () => subject({}, undefined),
  handle: async ({ limit, cursor }, context) => {
    const before = cursor === undefined ? null : fromCursor(cursor, /^exp_[0-9a-z]{26}$/)
    const isShown = await mayTake(context)
    const found = context.exports.all().filter((one) => (before === null || one.id < before) && isShown(one))
    const items = found.slice(0, limit)
    return {
      items: items.map(viewOf),
      next_cursor: found.length > limit ? toCursor(items.at(-1)!.id) : null,
    }
  },
})

export const ExportId = z.string().min(1).max(64)

export const getExport = define({
  resource: 'exports',
  action: 'get',
  effect: 'read',
  tool: 'get_export',
  group: 'manage_exports',
  summary: 'Show the progress of an export. Download its file over REST or with the CLI',
  input: z.strictObject({ id: ExportId }),
  output: ExportView,
  permission: 'records:export',
  own: exportsAudit,
  refuses: ['not_found'],
  columns: [...EXPORT_COLUMNS, 'error'],
  subject,
  handle: async ({ id }, context) => viewOf(await findExport(id, context)),
})
