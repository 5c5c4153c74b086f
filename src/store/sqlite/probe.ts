/** Probes whether a database can be written. */
import { closeSync, fsyncSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { StoreUnavailable } from '../ports/unavailable.ts'
import { patiently } from './busy.ts'
import { guarded } from './fault.ts'
import type { WatchedFile } from './watched-file.ts'

/** Must fit on a disk whose stores are used: a page alone may find room in the write-ahead log, where a change does not. */
const ROOM = Buffer.alloc(256 * 1024)

/** How long a probe waits for another process that holds the file. */
const BUSY_MS = 1000

/**
 * Writes one page to a database whose own version number nothing else uses. Rejects with StoreUnavailable.
 * @param version to write
 * @param before why it could not be used until now. After a full disk, and where the file system reports hardly any free
 * block, there must be room for more than a page, so that the store does not fail at its next use.
 */
export async function probeFile(
  database: DatabaseSync,
  path: string,
  watched: WatchedFile,
  version: number,
  before: StoreUnavailable | null,
): Promise<void> {
  watched.demand()
  if (before?.fault === 'disk_full' || isNearlyFull(path)) demandRoom(path)
  await patiently(() => guarded(path, () => database.exec(`pragma user_version = ${version}`)), BUSY_MS)
}

/** True where few blocks are left to unprivileged processes. Privileged ones may have more: {@link demandRoom} tries. */
function isNearlyFull(path: string): boolean {
  try {
    const { bavail, bsize } = statfsSync(dirname(path))
    return bavail * bsize < ROOM.length
  } catch {
    // The write says what is wrong with the file
    return false
  }
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
