/**
 * Locks the data directory for one process. It is a lock of SQLite, which the system releases when the process ends for any
 * reason.
 */
import { chmodSync, existsSync, mkdirSync, rmSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout } from 'node:timers/promises'
import { faultOfAccess } from '../../base/files.ts'
import { CannotStart } from '../../base/refusal.ts'
import type { DirectoryLock, StartLock } from '../ports/places.ts'
import { StoreUnavailable } from '../ports/unavailable.ts'

/** How a user names the data directory, where nothing else is said. */
const SET_BY = '--data or POSTERN_DATA'

/**
 * As {@link lockDirectory}. Where the directory or its lock.db cannot be written, the lock is shared by processes that only read: it
 * keeps out a process that writes, as far as lock.db can be read. Throws {@link CannotStart} when a process that writes holds it.
 */
export function lockForStart(path: string): StartLock {
  makeDirectory(path)
  const lock = join(path, 'lock.db')
  const fault = faultOfAccess(path, 'write')
  if (fault !== null) return { ...lockShared(path, lock), readOnly: fault }
  try {
    return { ...lockDirectory(path), readOnly: null }
  } catch (error) {
    const lockFault = isBusy((error as Error).cause) ? null : faultOfAccess(lock, 'write')
    if (lockFault === null) throw error
    return { ...lockShared(path, lock), readOnly: lockFault }
  }
}

/** Holds off a process that writes. Does nothing where the file cannot be read: this process then only reads, without a lock. */
function lockShared(path: string, file: string): DirectoryLock {
  if (!existsSync(file)) return { release() {} }
  let database: DatabaseSync | undefined
  try {
    database = new DatabaseSync(file, { readOnly: true, timeout: 0 })
    database.exec('begin')
    database.prepare('select count(*) from sqlite_schema').get()
    const locked = database
    return { release: () => locked.close() }
  } catch (error) {
    database?.close()
    if (isBusy(error)) throw inUse(path, SET_BY, error)
    return { release() {} }
  }
}

/**
 * Makes the data directory (mode 0700) if needed and locks it. The lock is that of an open file, so that it ends
 * with the process, however it ends. Throws {@link CannotStart} when another process holds it.
 * @param setBy the flag or setting that names the directory, for that message
 */
export function lockDirectory(path: string, setBy = SET_BY): DirectoryLock {
  makeDirectory(path)
  let database: DatabaseSync
  try {
    database = lockedDatabase(join(path, 'lock.db'))
  } catch (error) {
    if (isBusy(error)) throw inUse(path, setBy, error)
    const fault = faultOfAccess(path, 'write') ?? faultOfAccess(join(path, 'lock.db'), 'write')
    throw new CannotStart(
      `The data directory ${path} cannot be used: its file lock.db cannot be locked (${(error as Error).message}). ${fault === null ? '' : `${fault.found}. ${fault.fix}. `}Make lock.db readable and writable for this user, or delete it while no instance runs; it holds nothing.`,
      error,
    )
  }
  return { release: () => database.close() }
}

function makeDirectory(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 })
  } catch (error) {
    throw new CannotStart(`The data directory ${path} cannot be created: ${(error as Error).message}.`, error)
  }
}

function isBusy(error: unknown): boolean {
  return (error as { errcode?: number } | undefined)?.errcode === 5
}

function inUse(path: string, setBy: string, error: unknown): CannotStart {
  return new CannotStart(
    `The data directory ${path} is in use by another running instance. Stop that instance, or name another directory with ${setBy}.`,
    error,
  )
}

/**
 * The file holds nothing: a damaged one is emptied in place. Deleting it would part it from the lock of a process that starts
 * at the same time.
 */
function lockedDatabase(file: string): DatabaseSync {
  try {
    return openLocked(file)
  } catch (error) {
    if (isBusy(error)) throw error
    if (!isDamage(error)) {
      if (!isMadeWritable(file)) throw error
      return openLocked(file)
    }
    rmSync(`${file}-journal`, { force: true })
    truncateSync(file)
    return openLocked(file)
  }
}

/** Its owner may set the mode, which is 0600 anyway. */
function isMadeWritable(file: string): boolean {
  if (faultOfAccess(file, 'write') === null) return false
  try {
    chmodSync(file, 0o600)
    return true
  } catch {
    return false
  }
}

function openLocked(file: string): DatabaseSync {
  const database = new DatabaseSync(file, { timeout: 0 })
  try {
    database.exec('pragma journal_mode = memory; begin exclusive')
    // Another user who can read the file could lock it, and no start would get the lock
    chmodSync(file, 0o600)
    return database
  } catch (error) {
    database.close()
    throw error
  }
}

// Recognizes errors that mean damage.

/** Codes of SQLite for a file that is damaged, or none of its own. */
const DAMAGED = new Set([11, 26])

/** Whether it was thrown because a file is damaged, and not because it cannot be reached or was written by a newer version. */
export function isDamage(error: unknown): boolean {
  const cause = error instanceof CannotStart || error instanceof StoreUnavailable ? error.cause : error
  return cause instanceof Error && 'errcode' in cause && DAMAGED.has(Number(cause.errcode) & 0xff)
}

/** How long another process may hold it, milliseconds. */
const WAIT_MS_MAX = 60_000
const PAUSE_MS = 20

/** SQLite: another connection holds the lock. */
const BUSY = 5

/**
 * Waits for the lock of a file and holds it until the answer is called. The system releases it when the process ends,
 * however it ends. Throws when another process does not let go.
 */
export async function lockFile(file: string): Promise<() => void> {
  const deadline = performance.now() + WAIT_MS_MAX
  for (;;) {
    const database = new DatabaseSync(file, { timeout: 0 })
    try {
      database.exec('begin exclusive')
      return () => database.close()
    } catch (error) {
      database.close()
      if ((error as { errcode?: number }).errcode !== BUSY) throw error
      if (performance.now() > deadline)
        throw new Error(`${file} is held by another command; end that first.`, { cause: error })
    }
    await setTimeout(PAUSE_MS)
  }
}
