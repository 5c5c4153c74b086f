import { closeSync, fsyncSync, openSync, rmSync, writeSync } from 'node:fs'
import type { DatabaseSync } from 'node:sqlite'
import { StoreUnavailable } from '../ports/unavailable.ts'
import { guarded } from './fault.ts'
import type { WatchedFile } from './watched-file.ts'

/** What must fit on a disk that was full before its stores are used again. */
const ROOM = Buffer.alloc(256 * 1024)

/**
 * Writes one page to a database whose own version number nothing else uses. Throws StoreUnavailable.
 * @param before why it could not be used until now. After a full disk there must be room for more than a page, so that
 * the store does not fail again at its next use.
 */
export function probeFile(
  database: DatabaseSync,
  path: string,
  watched: WatchedFile,
  before: StoreUnavailable | null,
): void {
  watched.demand()
  if (before?.fault === 'disk_full') demandRoom(path)
  guarded(path, () => database.exec('pragma user_version = 1'))
}

/** Throws StoreUnavailable unless some blocks can be written beside a file. */
export function demandRoom(path: string): void {
  const scratch = `${path}.room`
  try {
    const descriptor = openSync(scratch, 'w', 0o600)
    try {
      writeSync(descriptor, ROOM)
      fsyncSync(descriptor)
    } finally {
      closeSync(descriptor)
    }
  } catch (error) {
    throw new StoreUnavailable('disk_full', `${path}: ${(error as Error).message}`, error)
  } finally {
    rmSync(scratch, { force: true })
  }
}
