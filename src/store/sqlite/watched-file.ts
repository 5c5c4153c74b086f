/**
 * Checks that a database file is still the one that was opened.
 *
 * 1. Each transaction checks the path first: an open connection continues to write to a deleted file, and loses what it
 *    writes.
 * 2. A deleted file is written again from what the process holds. A replaced or overwritten `config.db` is never used while
 *    the process runs, because it may be an older one.
 */
import {
  type BigIntStats,
  closeSync,
  fsyncSync,
  openSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { type StoreFault, StoreUnavailable } from '../ports/unavailable.ts'
import { guarded, patiently } from './fault.ts'

/** An open database file, looked at by its path: a connection goes on with a file that was deleted, and loses what it writes. */
export class WatchedFile {
  readonly #path: string
  readonly #device: bigint
  readonly #inode: bigint
  /** SQLite never makes a file smaller here: nothing vacuums it. */
  #bytes: bigint
  /** Time of the last write by this process, nanoseconds since the epoch; null where that is not known. */
  #modified: bigint | null = null
  #isTruncated = false
  /** Of its write-ahead log. */
  readonly #logInode: number | undefined

  /** @param path of a file that was just opened and read. Throws where there is none. */
  constructor(path: string) {
    const { dev, ino, size } = statSync(path, { bigint: true })
    this.#path = path
    this.#device = dev
    this.#inode = ino
    this.#bytes = size
    this.#logInode = this.#logNow()
  }

  /** What has become of the file, or null. A file that was truncated stays so: what it held is not known any more. */
  look(): StoreFault | null {
    if (this.#isTruncated) return 'truncated'
    let found: BigIntStats | undefined
    try {
      found = statSync(this.#path, { bigint: true, throwIfNoEntry: false })
    } catch {
      return 'cannot_open'
    }
    if (found === undefined) return 'missing'
    if (found.dev !== this.#device || found.ino !== this.#inode) return 'replaced'
    this.#isTruncated = found.size < this.#bytes
    if (this.#isTruncated) return 'truncated'
    this.#bytes = found.size
    if (this.#modified !== null && found.mtimeNs !== this.#modified) return 'overwritten'
    // What is committed lies in the log until it is copied into the file: without its log the file is not whole
    return this.#logInode !== undefined && this.#logNow() !== this.#logInode ? 'missing' : null
  }

  /** After each write of the only connection that writes to the file: from then on, any other write is noticed. */
  wrote(): void {
    this.#modified = statSync(this.#path, { bigint: true, throwIfNoEntry: false })?.mtimeNs ?? null
  }

  /** Throws StoreUnavailable unless the path still names the file. */
  demand(): void {
    const fault = this.look()
    if (fault !== null) throw new StoreUnavailable(fault, `${this.#path}: ${fault}`)
  }

  /**
   * After the last connection was closed: SQLite leaves the write-ahead log of a file that was replaced, and would read it
   * as the log of the file that took its place. What the log holds may be in no other file, so the log is kept under another name.
   * @param isOverwritten the file has the pages of another one
   */
  setLogAside(isOverwritten = false): void {
    if (this.#hasForeignLog(isOverwritten)) setLogAside(this.#path)
  }

  /** As {@link WatchedFile.setLogAside}, where everything that the log holds is kept elsewhere: the log is deleted. */
  removeLog(): void {
    if (!this.#hasForeignLog(false)) return
    for (const suffix of ['-wal', '-shm']) rmSync(this.#path + suffix, { force: true })
  }

  /** The log beside the file is the one of the opened file, and the file is another one, or gone. */
  #hasForeignLog(isOverwritten: boolean): boolean {
    const fault = this.look()
    const isOther = isOverwritten || fault === 'replaced' || fault === 'missing'
    return isOther && this.#logNow() === this.#logInode
  }

  #logNow(): number | undefined {
    return statSync(`${this.#path}-wal`, { throwIfNoEntry: false })?.ino
  }
}

// Files that the stores make beside the files of SQLite.

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

// Probes whether a database can be written.

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
