import { closeSync, fsyncSync, openSync, rmSync, writeSync } from 'node:fs'
import type { DatabaseSync } from 'node:sqlite'
import { StoreUnavailable } from '../ports/unavailable.ts'
import { patiently } from './busy.ts'
import { guarded } from './fault.ts'
import type { WatchedFile } from './watched-file.ts'

/** What must fit on a disk that was full before its stores are used again. */
const ROOM = Buffer.alloc(256 * 1024)

/** How long a probe waits for another process that holds the file. */
const BUSY_MS = 1000

/**
 * Writes one page to a database whose own version number nothing else uses. Rejects with StoreUnavailable.
 * @param version to write
 * @param before why it could not be used until now. After a full disk there must be room for more than a page, so that
 * the store does not fail again at its next use.
 */
export async function probeFile(
  database: DatabaseSync,
  path: string,
  watched: WatchedFile,
  version: number,
  before: StoreUnavailable | null,
): Promise<void> {
  watched.demand()
  if (before?.fault === 'disk_full') demandRoom(path)
  await patiently(() => guarded(path, () => database.exec(`pragma user_version = ${version}`)), BUSY_MS)
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
