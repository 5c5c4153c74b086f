/**
 * Looks for damage in the files of the stores while the instance serves. A start reads only what it needs, so a damaged page
 * that nothing reads could stay unnoticed for months. SQLite reads the whole file without a pause, so a thread of its own
 * does it. A file that is too large for a bounded time is left out.
 */
import { readFileSync, statSync } from 'node:fs'
import type { Worker } from 'node:worker_threads'
import { type Repeating, repeat } from '../../base/clock.ts'
import type { StorePlaces } from '../../store/ports/places.ts'
import { filesIn } from '../data-files.ts'

/** Bytes of a file with its write-ahead log. A larger one is not read: at 10 MB/s, this many take half a minute. */
const CHECKED_BYTES_MAX = 256 * 1024 * 1024
/** After the instance is ready, so that the start has the processors to itself. */
const FIRST_MS = 1000
/** From one check to the next. */
const EVERY_MS = 24 * 3_600_000
/** Of one check of all files. Then nothing more is read. */
const DEADLINE_MS = 60_000

/** `workerData` of the check thread. */
export interface CheckSetup {
  /** Path of the data directory. */
  readonly data: string
}

/** What became of one file. */
export interface CheckedFile {
  readonly name: 'config' | 'records' | 'idempotency' | 'serving'
  /** What SQLite finds wrong; null when the file is sound, missing, cannot be reached, or was not read. */
  readonly damage: string | null
  /** The file is larger than {@link CHECKED_BYTES_MAX}. */
  readonly isTooLarge: boolean
}

/** Checks the files of a data directory with `pragma quick_check`, the configuration first. Blocks the thread while it reads. */
export async function* checkFiles(
  data: string,
  places: StorePlaces,
  bytesMax = CHECKED_BYTES_MAX,
): AsyncGenerator<CheckedFile> {
  const { config, lastGood, keys, records } = filesIn(data, places)
  for (const [name, { files }, damageOf] of [
    ['config', config, config.damage],
    ['serving', lastGood, lastGood.damage],
    ['idempotency', keys, keys.damage],
    ['records', records, records.damageOfAll],
  ] as const) {
    const bytes = files.reduce((sum, file) => sum + (statSync(file, { throwIfNoEntry: false })?.size ?? 0), 0)
    const isTooLarge = bytes > bytesMax
    const damage = isTooLarge ? null : await damageOf()
    // SQLite answers in several lines, and the log has one
    yield { name, damage: damage?.replaceAll(/\s+/g, ' ') ?? null, isTooLarge }
  }
}

/** What a check needs of the process. */
interface FileChecks extends Repeating {
  readonly log: (level: 'info' | 'warn', message: string) => void
  /** Starts a check thread. */
  readonly start: () => Worker
  /** Told what is wrong with a file; null when nothing is. Not told of a file that was not read. */
  readonly checked: (name: CheckedFile['name'], damage: string | null) => void
}

/** Checks the files soon after the instance is ready, and once a day. */
export function keepFileChecks(its: FileChecks): void {
  const { parts, fault } = its
  let running: Worker | null = null

  async function check(): Promise<void> {
    // The parts end one after the other, and timers go on meanwhile
    if (parts.disposed || running !== null) return
    running = its.start()
    try {
      await heard(running, its)
    } finally {
      running = null
    }
  }

  const first = setTimeout(() => void check().catch((error: unknown) => fault(error, CHECK)), FIRST_MS)
  parts.defer(async () => {
    clearTimeout(first)
    await running?.terminate()
  })
  repeat(its, EVERY_MS, CHECK, check)
}

const CHECK = 'the check of the files of the stores'

/** Resolves when a check thread has ended; rejects when it fails. */
function heard(worker: Worker, { checked, log, parts }: FileChecks): Promise<void> {
  // A check keeps no process from its end, but for the file that it is reading
  worker.unref()
  return new Promise((done, failed) => {
    const deadline = setTimeout(() => {
      log('warn', `${CHECK} took more than ${DEADLINE_MS / 1000} seconds and was ended. The disk is slow.`)
      void worker.terminate()
    }, DEADLINE_MS)
    deadline.unref()
    worker.on('message', ({ name, damage, isTooLarge }: CheckedFile) => {
      if (parts.disposed) return
      if (!isTooLarge) checked(name, damage)
      else log('info', `The file of ${name} is larger than 256 MiB and is not checked for damage.`)
    })
    worker.on('error', failed)
    worker.on('exit', () => {
      clearTimeout(deadline)
      done()
    })
  })
}

// The limit of open files.

/** A lower limit leads to a warning: each call in progress needs two sockets, one to the caller and one to the upstream. */
const OPEN_FILES_MIN = 4096

/** How many files and sockets this process can have open at once; Infinity for no limit, null where the system has no /proc. */
function openFilesMax(): number | null {
  try {
    return readOpenFiles(readFileSync('/proc/self/limits', 'latin1'))
  } catch {
    return null
  }
}

/** The soft limit in the text of `/proc/<pid>/limits`, see proc(5); null when the text has no such line. */
export function readOpenFiles(limits: string): number | null {
  const [, soft] = /^Max open files\s+(\d+|unlimited)\s/m.exec(limits) ?? []
  if (soft === undefined) return null
  return soft === 'unlimited' ? Number.POSITIVE_INFINITY : Number(soft)
}

/** Logs the limit of open files, as a warning if it is low. Node raises the soft limit to the hard limit when it starts. */
export function logOpenFiles(
  log: (level: 'info' | 'warn', message: string) => void,
  max: number | null = openFilesMax(),
): void {
  if (max === null) return
  if (max >= OPEN_FILES_MIN) log('info', `limit of open files: ${max}`)
  else
    log(
      'warn',
      `limit of open files: ${max}. Each call needs two, so connections fail beyond about ${Math.floor(max / 2)} concurrent calls. Raise the limit to ${OPEN_FILES_MIN} or more (ulimit -n, or LimitNOFILE= of systemd)`,
    )
}
