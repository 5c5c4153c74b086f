import { z } from 'zod'
import type { Principal } from '../../access/principal.ts'
import { permits } from '../../access/roles.ts'
import { newId } from '../../base/ids.ts'
import { toInputInvalid } from '../../base/json/fault.ts'
import { refuse } from '../../base/refusal.ts'
import { ExportView, FORMATS, type KeptExport, SURFACES } from '../../model/record.ts'
import { auditFilters, toAuditFilter } from '../audit/audit.ts'
import type { OperationContext } from '../engine/context.ts'
import { define, subjectById } from '../engine/define.ts'
import { hasText, page, pageOf, textFilter, timeCursors, timeOrder } from '../engine/lists.ts'
import { exportableOf } from '../engine/permission.ts'
import { recordFilters, toSelection } from '../records/records.ts'

const HOUR_MS = 3_600_000

/** How long the file of an export is kept, and how long one is told of. */
export const KEEP_MS = 24 * HOUR_MS
export const HISTORY_MS = 7 * 24 * HOUR_MS

/** What a file holds at most. */
export const ROWS_MAX = 100_000
export const BYTES_MAX = 64 * 1024 ** 2

const MEDIA_TYPES = { csv: 'text/csv; charset=utf-8', ndjson: 'application/x-ndjson' } as const

/** What an export is made by. */
export type ExportOrder = Pick<KeptExport, 'of' | 'format' | 'filter' | 'collections'>

const EXPORT_COLUMNS = ['id', 'of', 'format', 'state', 'rows', 'truncated', 'created_by', 'expires_at']

/** An export without what only its carrying out needs. */
function viewOf({ owner, collections, filter, ...view }: KeptExport): z.output<typeof ExportView> {
  return view
}

/** What the audit calls it. */
const subject = subjectById('export')

/** The operations name the permission for records; who may export the trail alone may call them for that. */
const exportsAudit = (principal: Principal): boolean => permits(principal, 'audit:export')

/**
 * An export that the caller might have made: who may not read and export all that it may hold is not told of it. Refuses
 * with not_found.
 */
async function findExport(id: string, context: OperationContext): Promise<KeptExport> {
  const found = await context.exports.find(id)
  if (found !== undefined && (await mayTake(context))(found)) return found
  throw refuse('not_found', { detail: `There is no export "${id}".` })
}

/** Tells which exports the caller may take. */
async function mayTake({ principal, whole }: OperationContext): Promise<(one: KeptExport) => boolean> {
  const reach = {
    records: await exportableOf(principal, 'records', whole),
    audit: await exportableOf(principal, 'audit', whole),
  }
  return ({ of, collections }) => {
    if (!permits(principal, `${of}:export`) || !permits(principal, `${of}:read`)) return false
    const own = reach[of]
    return own === null || collections?.every((id) => own.includes(id)) === true
  }
}

const ExportId = z.string().min(1).max(64)

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
    change.afterwards(async () => viewOf((await exports.cancel(id, principal.name)) ?? found))
    return viewOf(found)
  },
})

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
    const kept = await context.exports.all()
    const all = order === 'newest' ? kept : kept.toReversed()
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
      const file = await context.exports.read(id)
      if (file === undefined)
        throw refuse('not_found', {
          detail: `The export "${id}" is ${state}, so it has no file.${error === null ? '' : ` ${error}`}`,
        })
      return { ...file, mediaType: MEDIA_TYPES[format], fileName: `postern-${of}-${id}.${format}` }
    },
  },
  handle: async ({ id }, context) => viewOf(await findExport(id, context)),
})

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
    text: recordFilters.text.describe('Part of any text of the record or entry, ignoring case'),
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
    const fault = await exports.faultOf(principal.id)
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
    change.afterwards(async () => viewOf(await exports.add(begun)))
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
