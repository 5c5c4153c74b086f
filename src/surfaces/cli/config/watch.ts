import { statSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { ProblemError, WaitsForApproval } from '../../client/send.ts'
import { UsageError } from '../exit.ts'
import type { CliPorts } from '../ports.ts'
import { type Format, printFailure, printWaiting } from '../print.ts'
import { filesOf } from './files.ts'

/** Between two looks at the files. What two looks in a row find alike is whole: editors and copies take a moment. */
const LOOK_MS = 500
/** Looks until what failed for another reason than the documents is tried again. */
const LOOKS_TO_RETRY = 20

interface Watched {
  /** Files and directories. */
  readonly paths: readonly string[]
  readonly format: Format
}

/**
 * Applies documents at once, and again whenever one of their files has changed, until the process has to stop. A failure is
 * printed and leaves what was applied before. Files are polled, because not every file system reports changes.
 * Throws a usage error for a path that is not there at first.
 */
export async function applyOnChange(
  ports: CliPorts,
  { paths, format }: Watched,
  apply: () => Promise<void>,
): Promise<void> {
  for (const path of paths) {
    if (path === '-') throw new UsageError('Standard input cannot be watched.')
    if (statSync(path, { throwIfNoEntry: false }) === undefined)
      throw new UsageError(`${path}: there is no such file or directory.`)
  }
  const stopped = new AbortController()
  void ports.stopSignal().then(() => stopped.abort())
  let applied: string | null = null
  let seen = stampOf(paths)
  let looksLeft = 0
  while (!stopped.signal.aborted) {
    const now = stampOf(paths)
    if (looksLeft > 0) looksLeft--
    if (now === seen && (now !== applied || looksLeft === 1)) {
      if (applied !== null) ports.err(now === applied ? 'Trying again.\n' : 'Files have changed.\n')
      applied = now
      looksLeft = (await isSettled(ports, format, apply)) ? 0 : LOOKS_TO_RETRY
    }
    seen = now
    // The stop signal also ends the wait
    await delay(LOOK_MS, undefined, { signal: stopped.signal }).catch(() => undefined)
  }
  ports.err('Stopped; what was applied stays.\n')
}

/** Names, sizes and times of all files; those that go while they are looked at are not there. */
function stampOf(paths: readonly string[]): string {
  const stamps = paths.map((path) => {
    try {
      return filesOf(path).map((file) => {
        const { size, mtimeMs, ino } = statSync(file)
        return [file, size, mtimeMs, ino]
      })
    } catch {
      return null
    }
  })
  return JSON.stringify(stamps)
}

/** Applies, and tells a failure. False where trying again may help although the documents are the same. */
async function isSettled(ports: CliPorts, format: Format, apply: () => Promise<void>): Promise<boolean> {
  try {
    await apply()
    return true
  } catch (error) {
    if (error instanceof WaitsForApproval) {
      printWaiting(ports, format, error.body)
      return true
    }
    printFailure(ports, format, error)
    ports.err('Nothing was changed; watching on.\n')
    if (!(error instanceof ProblemError)) return error instanceof UsageError
    const { status } = error.problem
    return status < 500 && status !== 412 && status !== 429
  }
}
