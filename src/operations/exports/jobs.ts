/**
 * The main thread writes exports, one at a time, in steps: each step asks for one page, of records from the query
 * thread, and yields. The content of an export is decided when the export is requested; the permission to download its
 * file is checked at each download. The file is read as fast as the caller takes it.
 */

import { setImmediate } from 'node:timers/promises'
import { type Clock, toTime } from '../../base/clock.ts'
import { Refusal } from '../../base/refusal.ts'
import { KeptExport } from '../../model/record.ts'
import type { ExportFiles } from '../../record/export-files.ts'
import type { ConfigReader } from '../../store/ports/config.ts'
import type { ExportJobs, RecordQueries } from '../engine/ports.ts'
import { entriesOf } from '../engine/shown-audit.ts'
import { ShownRecord, withSlugs } from '../records/records.ts'
import { BYTES_MAX, type ExportOrder, HISTORY_MS, KEEP_MS, ROWS_MAX } from './exports.ts'

/** Queued and running, of one principal and of all. */
const UNFINISHED_OWN_MAX = 3
const UNFINISHED_MAX = 20
/** Of all files. */
const TOTAL_BYTES_MAX = 1024 ** 3
/** Exports that are told of; the oldest that are done are forgotten first. */
const HISTORY_MAX = 1000

export interface ExportJobsDeps extends WriteFileDeps {
  readonly files: ExportFiles
  readonly fault: (error: unknown, at: string) => void
}

const isDone = ({ state }: KeptExport): boolean => state !== 'queued' && state !== 'running'

/** Takes up what an earlier process has left: files that are ready stay, what was not done has failed. */
export function createExportJobs(deps: ExportJobsDeps): ExportJobs {
  const { files, clock } = deps
  const kept = new Map<string, KeptExport>()
  let working: Promise<void> | null = null
  let stopped = false

  function keep(one: KeptExport): KeptExport {
    kept.set(one.id, one)
    try {
      files.describe(one.id, one)
    } catch (error) {
      deps.fault(error, `the export ${one.id} cannot be kept over a restart`)
    }
    return one
  }
  function fail(one: KeptExport, error: string): KeptExport {
    files.removeBytes(one.id)
    return keep({ ...one, state: 'failed', error, rows: 0, bytes: 0, finished_at: toTime(clock.now()) })
  }
  /** As it is now: a file is not given out after its time, whenever it is deleted. */
  function current(one: KeptExport): KeptExport {
    const isOver = one.expires_at !== null && Date.parse(one.expires_at) <= clock.now()
    return one.state === 'ready' && isOver ? { ...one, state: 'expired' } : one
  }
  const values = (): KeptExport[] => [...kept.values()]

  function faultOf(owner: string): string | null {
    const open = values().filter((one) => !isDone(one))
    if (open.filter((one) => one.owner === owner).length >= UNFINISHED_OWN_MAX)
      return `${UNFINISHED_OWN_MAX} of your exports are not finished yet. Wait for one, or cancel it.`
    if (open.length >= UNFINISHED_MAX)
      return `${UNFINISHED_MAX} exports are not finished yet. Try again later.`
    const bytes = values().reduce((sum, one) => sum + one.bytes, 0)
    return bytes >= TOTAL_BYTES_MAX
      ? 'The files of exports already take 1 GiB. First cancel some exports to delete their files.'
      : null
  }

  async function work(): Promise<void> {
    for (;;) {
      const next = values().find(({ state }) => state === 'queued')
      if (next === undefined || stopped) return
      await run(next)
    }
  }
  async function run(queued: KeptExport): Promise<void> {
    const running = keep({ ...queued, state: 'running' })
    try {
      const written = await writeFile(
        running,
        deps,
        () => !stopped && kept.get(running.id)?.state === 'running',
      )
      // It may have been ended before its file was made
      if (written === null) return files.removeBytes(queued.id)
      const now = clock.now()
      keep({
        ...running,
        ...written,
        state: 'ready',
        finished_at: toTime(now),
        expires_at: toTime(now + KEEP_MS),
      })
    } catch (error) {
      // Of refusals the sentence is for those who ask; anything else is for the log
      if (!(error instanceof Refusal)) deps.fault(error, `the export ${queued.id}`)
      fail(running, error instanceof Refusal ? error.message : 'The file could not be written.')
    }
  }
  function start(): void {
    working ??= work()
      .catch((error: unknown) => deps.fault(error, 'exports'))
      .finally(() => {
        working = null
        if (!stopped && values().some(({ state }) => state === 'queued')) start()
      })
  }

  for (const description of files.descriptions()) {
    const parsed = KeptExport.safeParse(description)
    if (parsed.success) kept.set(parsed.data.id, parsed.data)
  }
  for (const one of values())
    if (!isDone(one)) fail(one, 'Postern stopped before the export was finished. Create the export again.')
  sweep()

  function sweep(): void {
    const done = values()
      .filter(isDone)
      .sort((a, b) => (a.id < b.id ? 1 : -1))
    for (const [place, one] of done.entries()) {
      const isOld = Date.parse(one.created_at) + HISTORY_MS <= clock.now()
      if (isOld || place >= HISTORY_MAX) {
        files.remove(one.id)
        kept.delete(one.id)
      } else if (one.state === 'ready' && current(one).state === 'expired') {
        files.removeBytes(one.id)
        keep({ ...current(one), bytes: 0 })
      }
    }
  }

  return {
    faultOf,
    begin: (order) => ({
      ...order,
      state: 'queued',
      rows: 0,
      bytes: 0,
      truncated: false,
      error: null,
      created_at: toTime(clock.now()),
      finished_at: null,
      expires_at: null,
    }),
    add(begun) {
      // Others may have come in between
      const fault = stopped ? 'Postern is stopping.' : faultOf(begun.owner)
      if (fault !== null) return fail(begun, fault)
      const added = keep(begun)
      start()
      return added
    },
    find(id) {
      const found = kept.get(id)
      return found && current(found)
    },
    all: () =>
      values()
        .map(current)
        .sort((a, b) => (a.id < b.id ? 1 : -1)),
    read(id) {
      const found = kept.get(id)
      const bytes = found === undefined || current(found).state !== 'ready' ? undefined : files.size(id)
      return bytes === undefined ? undefined : { bytes, stream: files.read(id) }
    },
    cancel(id, by) {
      const found = kept.get(id)
      if (found === undefined) return undefined
      if (!isDone(found)) return fail(found, `It was cancelled by ${by}.`)
      files.removeBytes(id)
      return found.state === 'ready' ? keep({ ...found, state: 'expired', bytes: 0 }) : found
    },
    sweep,
    async stop() {
      stopped = true
      await working
      for (const one of values())
        if (!isDone(one))
          fail(one, 'Postern stopped before the export was finished. Create the export again.')
    },
  }
}

/** How long one may take, while others wait for their turn. */
const RUN_MS = 5 * 60_000

interface WriteFileDeps extends RowSources {
  readonly files: Pick<ExportFiles, 'create'>
  readonly clock: Clock
  /** Other bounds, for tests. */
  readonly rowsMax?: number
  readonly bytesMax?: number
}

interface Written {
  readonly rows: number
  readonly bytes: number
  /** A bound was reached, or the time was over, before all was written. */
  readonly truncated: boolean
}

/**
 * Writes the file of an export in steps, between which everybody else has their turn.
 * @param goesOn asked before each step; null is answered where it does not
 */
async function writeFile(
  { id, ...order }: KeptExport,
  deps: WriteFileDeps,
  goesOn: () => boolean,
): Promise<Written | null> {
  const { files, clock, rowsMax = ROWS_MAX, bytesMax = BYTES_MAX } = deps
  const end = clock.monotonic() + RUN_MS
  await using file = await files.create(id)
  const columns = COLUMNS[order.of]
  const header = order.format === 'csv' ? csvHeader(columns) : ''
  await file.write(header)
  let [rows, bytes, truncated] = [0, Buffer.byteLength(header), false]
  for await (const items of rowsOf(order, deps)) {
    if (!goesOn()) return null
    let text = ''
    for (const item of items) {
      const line = order.format === 'csv' ? csvRow(columns, item) : `${JSON.stringify(item)}\n`
      const size = Buffer.byteLength(line)
      truncated = rows === rowsMax || bytes + size > bytesMax
      if (truncated) break
      text += line
      rows += 1
      bytes += size
    }
    await file.write(text)
    truncated ||= clock.monotonic() > end
    if (truncated) break
    await setImmediate()
  }
  return { rows, bytes, truncated }
}

/** What spreadsheets take for a formula when a cell begins with it. */
const FORMULA = /^[=+\-@\t\r]/

const QUOTED = /[",\r\n]/

/** The header row. @param columns paths of members, such as `actor.name` */
export function csvHeader(columns: readonly string[]): string {
  return `${columns.join(',')}\r\n`
}

/**
 * One row of CSV (RFC 4180). What is absent is empty, objects and lists are JSON. A text that a spreadsheet would run as a
 * formula gets a leading apostrophe.
 */
export function csvRow(columns: readonly string[], item: object): string {
  return `${columns.map((column) => cell(at(item, column))).join(',')}\r\n`
}

function at(item: object, column: string): unknown {
  let value: unknown = item
  for (const name of column.split('.'))
    value = typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
  return value
}

function cell(value: unknown): string {
  if (value === null || value === undefined) return ''
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  const safe = FORMULA.test(text) ? `'${text}` : text
  return QUOTED.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}

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
interface RowSources {
  readonly records: Pick<RecordQueries, 'list'>
  /** All of it: what may be taken stands in the order. */
  readonly reader: ConfigReader
}

/** The rows of an export in steps, newest first. A step may be empty. */
function rowsOf(order: ExportOrder, sources: RowSources): AsyncGenerator<readonly object[]> {
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
