import { z } from 'zod'
import { refuse } from '../../base/refusal.ts'
import { ExportView } from '../../model/export.ts'
import { define } from '../engine/define.ts'
import { ExportId } from './list.ts'
import { EXPORT_COLUMNS, exportsAudit, findExport, MEDIA_TYPES, subject, viewOf } from './view.ts'

export const downloadExport = define({
  resource: 'exports',
  action: 'download',
  effect: 'read',
  tool: null,
  group: 'manage_exports',
  summary: 'Download the file of an export that is ready',
  input: z.strictObject({ id: ExportId }),
  output: ExportView,
  permission: 'records:export',
  own: exportsAudit,
  noted: 'READ',
  refuses: ['not_found'],
  columns: EXPORT_COLUMNS,
  subject,
  content: {
    mediaTypes: Object.values(MEDIA_TYPES),
    open: async ({ id, of, format, state, error }, context) => {
      const file = context.exports.read(id)
      if (file === undefined)
        throw refuse('not_found', {
          detail: `The export "${id}" is ${state}: there is no file.${error === null ? '' : ` ${error}`}`,
        })
      return { ...file, mediaType: MEDIA_TYPES[format], fileName: `postern-${of}-${id}.${format}` }
    },
  },
  handle: async ({ id }, context) => viewOf(await findExport(id, context)),
})
