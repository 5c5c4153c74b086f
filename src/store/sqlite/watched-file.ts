/**
 * Checks that a database file is still the one that was opened.
 *
 * 1. Each transaction checks the path first: an open connection continues to write to a deleted file, and loses what it
 *    writes.
 * 2. A deleted file is written again from what the process holds. A replaced or overwritten `config.db` is never used while
 *    the process runs, because it may be an older one.
 */
import { type BigIntStats, rmSync, statSync } from 'node:fs'
import { type StoreFault, StoreUnavailable } from '../ports/unavailable.ts'
import { setLogAside } from './side-files.ts'

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
