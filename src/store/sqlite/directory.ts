/**
 * Locks the data directory for one process. The lock is an SQLite lock, which the system releases when the process
 * dies, however it dies.
 */
import { chmodSync, mkdirSync, rmSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { CannotStart } from '../../base/cannot-start.ts'
import { isDamage } from './damage.ts'

/** Held while a process uses a data directory; keep it, for a lock that nothing refers to ends with a collection. */
export interface DirectoryLock {
  release(): void
}

/**
 * Makes the data directory (mode 0700) if needed and locks it. The lock is that of an open file, so that it ends
 * with the process, however it ends. Throws {@link CannotStart} when another process holds it.
 * @param setBy the flag or setting that names the directory, for that message
 */
export function lockDirectory(path: string, setBy = '--data or POSTERN_DATA'): DirectoryLock {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 })
  } catch (error) {
    throw new CannotStart(`The data directory ${path} cannot be made: ${(error as Error).message}.`, error)
  }
  let database: DatabaseSync
  try {
    database = lockedDatabase(join(path, 'lock.db'))
  } catch (error) {
    const busy = (error as { errcode?: number }).errcode === 5
    throw new CannotStart(
      busy
        ? `The data directory ${path} is in use by another running instance. Stop that instance, or name another directory with ${setBy}.`
        : `The data directory ${path} cannot be used: its file lock.db cannot be locked (${(error as Error).message}). Make lock.db readable and writable for this user, or delete it while no instance runs; it holds nothing.`,
      error,
    )
  }
  return { release: () => database.close() }
}

/**
 * The file holds nothing: a damaged one is emptied in place. Deleting it would part it from the lock of a process that starts
 * at the same time.
 */
function lockedDatabase(file: string): DatabaseSync {
  try {
    return openLocked(file)
  } catch (error) {
    if (!isDamage(error)) throw error
    rmSync(`${file}-journal`, { force: true })
    truncateSync(file)
    return openLocked(file)
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
