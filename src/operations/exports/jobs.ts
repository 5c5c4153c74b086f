/**
 * The main thread writes exports, one at a time, in steps: each step asks for one page, of records from the query
 * thread, and yields. Of nodes on one database each writes its own, and knows those of all. The content of an export is decided when the export is requested; the permission to download its
 * file is checked at each download. The file is read as fast as the caller takes it.
 */

import { setImmediate, setTimeout as wait } from 'node:timers/promises'
import { type Clock, toTime } from '../../base/clock.ts'
import { Refusal } from '../../base/refusal.ts'
import type { KeptExport } from '../../model/record.ts'
import type { ConfigReader } from '../../store/ports/config.ts'
import type { ExportStore, StoredExport } from '../../store/ports/exports.ts'
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
  readonly store: ExportStore
  readonly fault: (error: unknown, at: string) => void
}

const UNFINISHED: readonly KeptExport['state'][] = ['queued', 'running']
const STOPPED = 'Postern stopped before the export was finished. Create the export again.'
/** How long something about an export waits when the store could not be used, milliseconds. */
const RETRY_MS = 5000

const isDone = ({ state }: KeptExport): boolean => !UNFINISHED.includes(state)

/** The exports of a store, of which this process writes those that are added here. What an ended process has not finished has failed. */
export function createExportJobs(deps: ExportJobsDeps): ExportJobs {
  const { store, clock } = deps
  const queue: string[] = []
  /** What this process is to write, or writes. */
  const unfinished = new Set<string>()
  const stopping = new AbortController()
  let working: Promise<void> | null = null

  const failed = (one: KeptExport, error: string): KeptExport => ({
    ...one,
    ...{ state: 'failed', error, rows: 0, bytes: 0, finished_at: toTime(clock.now()) },
  })

  /** As it is now: a file is not given out after its time, whenever it is deleted. */
  function current({ kept, isLost }: StoredExport): KeptExport {
    if (isLost) return failed(kept, STOPPED)
    const isOver = kept.expires_at !== null && Date.parse(kept.expires_at) <= clock.now()
    return kept.state === 'ready' && isOver ? { ...kept, state: 'expired' } : kept
  }

  function faultIn(all: readonly StoredExport[], owner: string): string | null {
    const exports = all.map(current)
    const open = exports.filter((one) => !isDone(one))
    if (open.filter((one) => one.owner === owner).length >= UNFINISHED_OWN_MAX)
      return `${UNFINISHED_OWN_MAX} of your exports are not finished yet. Wait for one, or cancel it.`
    if (open.length >= UNFINISHED_MAX)
      return `${UNFINISHED_MAX} exports are not finished yet. Try again later.`
    const bytes = exports.reduce((sum, one) => sum + one.bytes, 0)
    return bytes >= TOTAL_BYTES_MAX
      ? 'The files of exports already take 1 GiB. First cancel some exports to delete their files.'
      : null
  }

  async function fail(one: KeptExport, error: string): Promise<void> {
    await store.replace(failed(one, error), UNFINISHED)
    await store.removeBytes(one.id)
  }

  /** Does something about an export, again until it succeeds. Undefined when the process stops before. */
  async function patiently<T>(id: string, work: () => Promise<T>): Promise<T | undefined> {
    const { signal } = stopping
    while (!signal.aborted) {
      try {
        return await work()
      } catch (error) {
        deps.fault(error, `the export ${id}`)
      }
      await wait(RETRY_MS, undefined, { ref: false, signal }).catch(() => {})
    }
    return undefined
  }

  async function work(): Promise<void> {
    for (;;) {
      const id = stopping.signal.aborted ? undefined : queue.shift()
      if (id === undefined) return
      const found = await patiently(id, () => store.find(id))
      // It may have been cancelled
      if (found?.kept.state === 'queued') await run(found.kept)
      if (!stopping.signal.aborted) unfinished.delete(id)
    }
  }

  async function run(queued: KeptExport): Promise<void> {
    const running: KeptExport = { ...queued, state: 'running' }
    try {
      if (!(await store.replace(running, ['queued']))) return
      const goesOn = async () =>
        !stopping.signal.aborted && (await store.find(running.id))?.kept.state === 'running'
      const written = await writeFile(running, deps, goesOn)
      // It may have been ended before its file was made
      if (written === null) return await store.removeBytes(queued.id)
      const now = clock.now()
      const times = { finished_at: toTime(now), expires_at: toTime(now + KEEP_MS) }
      const isKept = await store.replace({ ...running, ...written, ...times, state: 'ready' }, ['running'])
      if (!isKept) await store.removeBytes(queued.id)
    } catch (error) {
      // Of refusals the sentence is for those who ask; anything else is for the log
      if (!(error instanceof Refusal)) deps.fault(error, `the export ${queued.id}`)
      const reason = error instanceof Refusal ? error.message : 'The file could not be written.'
      await patiently(running.id, () => fail(running, reason))
    }
  }

  function start(): void {
    working ??= work()
      .catch((error: unknown) => deps.fault(error, 'exports'))
      .finally(() => {
        working = null
        if (!stopping.signal.aborted && queue.length > 0) start()
      })
  }

  const newestFirst = (a: KeptExport, b: KeptExport): number => (a.id < b.id ? 1 : -1)

  async function sweep(): Promise<void> {
    const all = await store.all()
    for (const { kept, isLost } of all) if (isLost) await fail(kept, STOPPED)
    const done = all
      .filter(({ kept }) => isDone(kept))
      .map(current)
      .toSorted(newestFirst)
    for (const [place, one] of done.entries()) {
      const isOld = Date.parse(one.created_at) + HISTORY_MS <= clock.now()
      if (isOld || place >= HISTORY_MAX) await store.remove(one.id)
      else if (one.state === 'expired' && (await store.replace({ ...one, bytes: 0 }, ['ready'])))
        await store.removeBytes(one.id)
    }
  }

  sweep().catch((error: unknown) => deps.fault(error, 'exports of an earlier process'))

  return {
    faultOf: async (owner) => faultIn(await store.all(), owner),
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
    async add(begun) {
      const added = await store.add((all) => {
        // Others may have come in between
        const fault = stopping.signal.aborted ? 'Postern is stopping.' : faultIn(all, begun.owner)
        return fault === null ? begun : failed(begun, fault)
      })
      if (isDone(added)) return added
      unfinished.add(added.id)
      queue.push(added.id)
      start()
      return added
    },
    async find(id) {
      const found = await store.find(id)
      return found && current(found)
    },
    all: async () => (await store.all()).map(current).toSorted(newestFirst),
    async read(id) {
      const found = await store.find(id)
      if (found === undefined || current(found).state !== 'ready') return undefined
      const bytes = await store.size(id)
      return bytes === undefined ? undefined : { bytes, stream: store.read(id) }
    },
    async cancel(id, by) {
      const found = await store.find(id)
      if (found === undefined) return undefined
      const one = current(found)
      const ended: KeptExport = isDone(one)
        ? { ...one, state: one.state === 'ready' ? 'expired' : one.state, bytes: 0 }
        : failed(one, `It was cancelled by ${by}.`)
      const isEnded = await store.replace(ended, isDone(one) ? ['ready'] : UNFINISHED)
      // It may have become ready in between
      if (!isEnded && !isDone(one)) return this.cancel(id, by)
      await store.removeBytes(id)
      return isEnded ? ended : one
    },
    sweep,
    async stop() {
      stopping.abort()
      await working
      for (const id of unfinished) {
        try {
          const found = await store.find(id)
          if (found !== undefined && !isDone(found.kept)) await fail(found.kept, STOPPED)
        } catch (error) {
          deps.fault(error, `the export ${id}`)
        }
      }
    },
  }
}

/** How long one may take, while others wait for their turn. */
const RUN_MS = 5 * 60_000

interface WriteFileDeps extends RowSources {
  readonly store: Pick<ExportStore, 'create'>
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
  goesOn: () => Promise<boolean>,
): Promise<Written | null> {
  const { store, clock, rowsMax = ROWS_MAX, bytesMax = BYTES_MAX } = deps
  const end = clock.monotonic() + RUN_MS
  await using file = await store.create(id)
  const columns = COLUMNS[order.of]
  const header = order.format === 'csv' ? csvHeader(columns) : ''
  await file.write(header)
  let [rows, bytes, truncated] = [0, Buffer.byteLength(header), false]
  for await (const items of rowsOf(order, deps)) {
    if (!(await goesOn())) return null
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
