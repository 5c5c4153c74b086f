import { z } from 'zod'
import { newId } from '../../base/ids.ts'
import { toInputInvalid } from '../../base/json/field-errors.ts'
import { refuse } from '../../base/refusal.ts'
import { ExportView, FORMATS } from '../../model/export.ts'
import { SURFACES } from '../../model/record.ts'
import { auditFilters, toAuditFilter } from '../audit/list.ts'
import type { OperationContext } from '../engine/context.ts'
import { define } from '../engine/define.ts'
import { exportableOf } from '../engine/permission.ts'
import { recordFilters } from '../records/list.ts'
import { toSelection } from '../records/selection.ts'
import { EXPORT_COLUMNS, exportsAudit, subject, viewOf } from './view.ts'

/** The filter by reason has another name here, where `reason` is that of the export itself. */
const { reason, ...entryFilters } = auditFilters

const RecordFilters = z.strictObject(recordFilters)
const EntryFilters = z.strictObject({ ...entryFilters, with_reason: reason })

export const createExport = define({
  resource: 'exports',
  action: 'create',
  effect: 'create',
  tool: 'create_export',
  group: 'manage_exports',
  summary:
    'Export request records (records:export) or audit entries (audit:export) to a CSV or NDJSON file, with the filters of their lists. Download the file when it is ready',
  input: z.strictObject({
    of: z
      .enum(['records', 'audit'])
      .describe('Type of entries to export; filters of the other type are refused'),
    format: z.enum(FORMATS).default('csv'),
    ...entryFilters,
    with_reason: reason,
    ...recordFilters,
    surface: z.enum([...SURFACES, 'app', 'agent']).optional(),
    text: recordFilters.text.describe('Part of any text of the record or entry, in any case'),
  }),
  output: ExportView,
  permission: 'records:export',
  own: exportsAudit,
  noted: 'READ',
  refuses: ['configuration_invalid', 'idempotency_conflict'],
  columns: EXPORT_COLUMNS,
  subject,
  handle: async ({ of, format, ...asked }, context) => {
    context.require(`${of}:export`)
    context.require(`${of}:read`)
    const { change, exports, principal, clock, whole } = context
    const filter = await filterOf(of, asked, context)
    const fault = exports.faultOf(principal.id)
    if (fault !== null) throw refuse('configuration_invalid', { detail: fault })
    const collections = await exportableOf(principal, of, whole)
    const begun = exports.begin({
      id: newId('exp', clock),
      of,
      format,
      filters: toJson(asked),
      filter: toJson(filter),
      collections: collections === null ? null : [...collections],
      created_by: principal.name,
      owner: principal.id,
    })
    change.tell({ op: 'add', path: '/of', value: of })
    change.tell({ op: 'add', path: '/format', value: format })
    change.tell({ op: 'add', path: '/filters', value: begun.filters })
    change.afterwards(() => viewOf(exports.add(begun)))
    return viewOf(begun)
  },
})

/** The filters as the stores are asked by them. Refuses with input_invalid those of the other list. */
async function filterOf(of: 'records' | 'audit', asked: object, context: OperationContext): Promise<object> {
  const parsed = (of === 'records' ? RecordFilters : EntryFilters).safeParse(asked)
  if (!parsed.success) throw toInputInvalid(parsed.error)
  if (of === 'records') return toSelection(parsed.data, context)
  const { with_reason, ...entry } = EntryFilters.parse(parsed.data)
  return toAuditFilter({ ...entry, ...(with_reason === undefined ? {} : { reason: with_reason }) }, context)
}

/** Without what was not said. */
function toJson(members: object): Record<string, z.core.util.JSONType> {
  return JSON.parse(JSON.stringify(members))
}
