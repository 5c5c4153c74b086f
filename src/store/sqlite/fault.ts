/** Translates errors of SQLite and the system to faults of a store. */
import { chmodSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { type AccessFault, faultOfAccess } from '../../base/files.ts'
import { type StoreFault, StoreUnavailable } from '../ports/unavailable.ts'

/** Primary result codes of SQLite after which the file cannot be used for now. Any other code is a fault of the program. */
const FAULTS: Readonly<Record<number, StoreFault>> = {
  5: 'locked',
  6: 'locked',
  8: 'read_only',
  10: 'io_error',
  11: 'damaged',
  13: 'disk_full',
  14: 'cannot_open',
  26: 'damaged',
}

/** Error codes of the system after which the file cannot be used for now. */
const SYSTEM_FAULTS: Readonly<Record<string, StoreFault>> = {
  EACCES: 'cannot_open',
  EPERM: 'cannot_open',
  EROFS: 'read_only',
  ENOSPC: 'disk_full',
  EDQUOT: 'disk_full',
  EIO: 'io_error',
  ENOENT: 'cannot_open',
  ENOTDIR: 'cannot_open',
  EISDIR: 'cannot_open',
  EMFILE: 'cannot_open',
  ENFILE: 'cannot_open',
}

/** What SQLite and the system say of a file whose mode, owner or directory is at fault. */
const OF_ACCESS: ReadonlySet<StoreFault> = new Set(['read_only', 'cannot_open'])

/** READONLY_DBMOVED: the path names another file, or none. */
const MOVED = 1032
/** IOERR_SHMSIZE, IOERR_SHMMAP: the shared-memory file of the write-ahead log cannot grow. */
const NO_ROOM = new Set([4874, 5386])

/**
 * What SQLite or the system threw, as {@link StoreUnavailable} where it means the file, and as it came otherwise. Where this process may
 * not write the file, the words for the log name its mode, its owner and the remedy.
 */
export function toStoreError(error: unknown, file: string): unknown {
  if (!(error instanceof Error)) return error
  if (!('errcode' in error)) return toSystemFault(error, file)
  const code = Number(error.errcode)
  const fault = code === MOVED ? 'replaced' : NO_ROOM.has(code) ? 'disk_full' : FAULTS[code & 0xff]
  if (fault === undefined) return error
  return toUnavailable(fault, file, `${error.message} (SQLite ${code})`, error)
}

function toSystemFault(error: NodeJS.ErrnoException, file: string): unknown {
  const fault = error.syscall === undefined ? undefined : SYSTEM_FAULTS[error.code ?? '']
  return fault === undefined ? error : toUnavailable(fault, file, error.message, error)
}

function toUnavailable(fault: StoreFault, file: string, message: string, error: Error): StoreUnavailable {
  const access = OF_ACCESS.has(fault) ? faultOfStoreAccess(file) : null
  if (access === null) return new StoreUnavailable(fault, `${file}: ${message}`, error)
  // What can be read lacks the right to write alone
  const isRead = faultOfAccess(file, 'read') === null
  return new StoreUnavailable(
    isRead ? 'read_only' : fault,
    `${file}: ${message}: ${access.found}. ${access.fix}`,
    error,
  )
}

/**
 * SQLite gives the files beside a database its mode, also where it only reads. After the mode of the database was repaired, they would
 * still keep it from being written. Does nothing to files of another user.
 */
export function mendSideFiles(file: string): void {
  if (faultOfAccess(file, 'write') !== null) return
  for (const path of [`${file}-wal`, `${file}-shm`])
    if (faultOfAccess(path, 'write') !== null)
      try {
        chmodSync(path, 0o600)
      } catch {
        // Opening the database says why
      }
}

/** Why this process cannot write a database: the file, what SQLite keeps beside it, or their directory; null when it can. */
export function faultOfStoreAccess(file: string): AccessFault | null {
  for (const path of [file, `${file}-wal`, `${file}-shm`, dirname(file)]) {
    const fault = faultOfAccess(path, 'write')
    if (fault !== null) return fault
  }
  return null
}

/** Does something with a file; what it throws is as {@link toStoreError} says. */
export function guarded<T>(file: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw toStoreError(error, file)
  }
}

// Waits without blocking the thread while another process holds the database file.

/** How long a statement waits for another process that holds the file, milliseconds. */
export const BUSY_MS = 5000
const PAUSE_MS = 10

/**
 * Repeats work on a database while another process holds the file. SQLite would wait too, but with the whole thread.
 * Rejects with StoreUnavailable `locked` after `waitMs`, and at once with any other error.
 */
export async function patiently<T>(work: () => T, waitMs: number): Promise<T> {
  const until = performance.now() + waitMs
  for (;;) {
    try {
      return work()
    } catch (error) {
      if (!(error instanceof StoreUnavailable) || error.fault !== 'locked' || performance.now() > until)
        throw error
    }
    await setTimeout(PAUSE_MS)
  }
}
