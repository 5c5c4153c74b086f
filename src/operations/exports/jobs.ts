/**
 * The main thread writes exports, one at a time, in steps: each step asks for one page, of records from the query
 * thread, and yields. The content of an export is decided when the export is requested; the permission to download its
 * file is checked at each download. The file is read as fast as the caller takes it.
 */
import { toTime } from '../../base/clock.ts'
import { Refusal } from '../../base/refusal.ts'
import { KeptExport } from '../../model/export.ts'
import type { ExportFiles } from '../../record/export-files.ts'
import type { ExportJobs } from '../engine/ports.ts'
import { HISTORY_MS, KEEP_MS } from './view.ts'
import { type WriteFileDeps, writeFile } from './write-file.ts'

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
      return `${UNFINISHED_OWN_MAX} exports of yours are not done yet. Wait for one, or cancel it.`
    if (open.length >= UNFINISHED_MAX)
      return `${UNFINISHED_MAX} exports are not done yet. Wait until fewer are.`
    const bytes = values().reduce((sum, one) => sum + one.bytes, 0)
    return bytes >= TOTAL_BYTES_MAX ? 'The files of exports take 1 GiB already. Cancel some first.' : null
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
    if (!isDone(one)) fail(one, 'Postern was stopped before it was done. Ask again.')
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
        if (!isDone(one)) fail(one, 'Postern was stopped before it was done. Ask again.')
    },
  }
}
