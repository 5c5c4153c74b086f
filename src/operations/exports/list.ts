import { z } from 'zod'
import { ExportView } from '../../model/export.ts'
import { define } from '../engine/define.ts'
import { hasText, page, pageOf, textFilter, timeCursors, timeOrder } from '../engine/lists.ts'
import { EXPORT_COLUMNS, exportsAudit, findExport, mayTake, subject, viewOf } from './view.ts'

export const listExports = define({
  resource: 'exports',
  action: 'list',
  effect: 'read',
  tool: 'list_exports',
  group: 'manage_exports',
  summary: 'List the exports of the last 7 days that you may download',
  input: z.strictObject({
    ...page,
    text: textFilter('kind, format, state or name of the requester'),
    order: timeOrder('newest'),
  }),
  output: pageOf(ExportView),
  permission: 'records:export',
  own: exportsAudit,
  refuses: [],
  columns: EXPORT_COLUMNS,
  subject: () => subject({}, undefined),
  handle: async ({ limit, cursor, text, order }, context) => {
    const cursors = timeCursors('newest', order, 'exp_[0-9a-z]{26}')
    const last = cursors.from(cursor)
    const isShown = await mayTake(context)
    const all = order === 'newest' ? context.exports.all() : context.exports.all().toReversed()
    const found = all.filter(
      (one) =>
        (last === undefined || (order === 'newest' ? one.id < last : one.id > last)) &&
        isShown(one) &&
        hasText(text, [one.of, one.format, one.state, one.created_by]),
    )
    const items = found.slice(0, limit)
    return {
      items: items.map(viewOf),
      next_cursor: found.length > limit ? cursors.to(items.at(-1)!.id) : null,
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
