import type { z } from 'zod'
import type { Principal } from '../../access/principal.ts'
import { permits } from '../../access/roles.ts'
import { refuse } from '../../base/refusal.ts'
import type { ExportView, KeptExport } from '../../model/export.ts'
import type { OperationContext } from '../engine/context.ts'
import { subjectById } from '../engine/define.ts'
import { exportableOf } from '../engine/permission.ts'

const HOUR_MS = 3_600_000

/** How long the file of an export is kept, and how long one is told of. */
export const KEEP_MS = 24 * HOUR_MS
export const HISTORY_MS = 7 * 24 * HOUR_MS

/** What a file holds at most. */
export const ROWS_MAX = 100_000
export const BYTES_MAX = 64 * 1024 ** 2

export const MEDIA_TYPES = { csv: 'text/csv; charset=utf-8', ndjson: 'application/x-ndjson' } as const

/** What an export is made by. */
export type ExportOrder = Pick<KeptExport, 'of' | 'format' | 'filter' | 'collections'>

export const EXPORT_COLUMNS = ['id', 'of', 'format', 'state', 'rows', 'truncated', 'created_by', 'expires_at']

/** An export without what only its carrying out needs. */
export function viewOf({ owner, collections, filter, ...view }: KeptExport): z.output<typeof ExportView> {
  return view
}

/** What the audit calls it. */
export const subject = subjectById('export')

/** The operations name the permission for records; who may export the trail alone may call them for that. */
export const exportsAudit = (principal: Principal): boolean => permits(principal, 'audit:export')

/**
 * An export that the caller might have made: who may not read and export all that it may hold is not told of it. Refuses
 * with not_found.
 */
export async function findExport(id: string, context: OperationContext): Promise<KeptExport> {
  const found = context.exports.find(id)
  if (found !== undefined && (await mayTake(context))(found)) return found
  throw refuse('not_found', { detail: `There is no export "${id}".` })
}

/** Tells which exports the caller may take. */
export async function mayTake({ principal, whole }: OperationContext): Promise<(one: KeptExport) => boolean> {
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
