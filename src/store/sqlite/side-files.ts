/** Files that the stores make beside the files of SQLite. */
import { renameSync, rmSync, statSync } from 'node:fs'

/** The copy of a configuration store that was deleted while it was open, until it takes the place of the file. */
export function rewrittenOf(file: string): string {
  return `${file}.new`
}

/** Says that the key sets in a file are outdated, where they cannot be deleted: an empty file fits on a full disk. */
export function outdatedOf(file: string): string {
  return `${file}.keys-outdated`
}

/**
 * Renames the write-ahead log of a database that no connection has open, so that SQLite neither applies it to another file nor
 * deletes it: it may hold changes that are in no other file. Does nothing where there is no log, or an empty one.
 */
export function setLogAside(file: string): void {
  const log = `${file}-wal`
  if ((statSync(log, { throwIfNoEntry: false })?.size ?? 0) > 0)
    renameSync(log, `${log}.left-${new Date().toISOString().replaceAll(/[-:.]/g, '')}`)
  rmSync(`${file}-shm`, { force: true })
}
