import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { CannotStart } from '../../base/cannot-start.ts'

/** Held while a process uses a data directory; keep it, for a lock that nothing refers to ends with a collection. */
export interface DirectoryLock {
  release(): void
}

/**
 * Makes the data directory (mode 0700) if needed and locks it. The lock is that of an open file, so that it ends
 * with the process, however it ends. Throws {@link CannotStart} when another process holds it.
 */
export function lockDirectory(path: string): DirectoryLock {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 })
  } catch (error) {
    throw new CannotStart(`The data directory ${path} cannot be made: ${(error as Error).message}.`, error)
  }
  let database: DatabaseSync | undefined
  try {
    database = new DatabaseSync(join(path, 'lock.db'), { timeout: 0 })
    // With its journal in memory the lock writes nothing, so that a full disk does not prevent it
    database.exec('pragma journal_mode = memory; begin exclusive')
  } catch (error) {
    database?.close()
    const busy = (error as { errcode?: number }).errcode === 5
    throw new CannotStart(
      busy
        ? `The data directory ${path} is in use by another running instance; stop it, or set POSTERN_DATA to another directory.`
        : `The data directory ${path} cannot be used: ${(error as Error).message}.`,
      error,
    )
  }
  const held = database
  return { release: () => held.close() }
}
