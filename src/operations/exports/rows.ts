import type { ConfigReader } from '../../store/ports/config.ts'
import type { RecordQueries } from '../engine/ports.ts'
import { entriesOf } from '../engine/shown-audit.ts'
import { ShownRecord, withSlugs } from '../records/slugs.ts'
import type { ExportOrder } from './view.ts'

/** Rows that are asked for at a time, so that others come in between. */
const RECORDS_STEP = 500
const ENTRIES_STEP = 200

/** Columns of CSV: every member there is. */
export const COLUMNS: Readonly<Record<ExportOrder['of'], readonly string[]>> = {
  records: Object.keys(ShownRecord.shape),
  audit: [
    ...['id', 'time', 'environment', 'actor.id', 'actor.type', 'actor.name', 'actor.auth_method'],
    ...['agent.name', 'agent.version', 'agent.session_id', 'agent.conversation_id'],
    ...['surface', 'operation', 'action'],
    ...['resource.type', 'resource.id', 'resource.slug', 'resource.collection'],
    ...['revision_before', 'revision_after', 'config_revision', 'diff', 'plan_id', 'reason'],
    ...['approver.id', 'approver.type', 'approver.name'],
    ...['http.method', 'http.url', 'http.status', 'ip', 'user_agent', 'request_id'],
    ...['outcome', 'error', 'detail', 'request', 'response', 'count'],
  ],
}

/** What rows are read from. */
export interface RowSources {
  readonly records: Pick<RecordQueries, 'list'>
  /** All of it: what may be taken stands in the order. */
  readonly reader: ConfigReader
}

/** The rows of an export in steps, newest first. A step may be empty. */
export function rowsOf(order: ExportOrder, sources: RowSources): AsyncGenerator<readonly object[]> {
  return order.of === 'records' ? recordsOf(order, sources) : auditOf(order, sources)
}

async function* recordsOf({ filter, collections }: ExportOrder, { records, reader }: RowSources) {
  const within = collections === null ? {} : { collections }
  let cursor: string | null = null
  do {
    const page = await records.list({ ...filter, ...within, order: 'newest', limit: RECORDS_STEP, cursor })
    yield await withSlugs(page.items, reader)
    cursor = page.next_cursor
  } while (cursor !== null)
}

async function* auditOf({ filter, collections }: ExportOrder, { reader }: RowSources) {
  let last: number | null = null
  do {
    const place = last === null ? {} : { last }
    const page: Awaited<ReturnType<ConfigReader['auditEntries']>> = await entriesOf(
      collections,
      { ...filter, ...place, limit: ENTRIES_STEP, bodies: true },
      reader,
    )
    yield page.items
    last = page.next
  } while (last !== null)
}
