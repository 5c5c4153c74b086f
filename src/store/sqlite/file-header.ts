/**
 * Recognizes a file that was overwritten in place. The start and each probe write a new version number into the header, and
 * the process knows the numbers that it wrote. Once the file has one of them, no copy of the write-ahead log can put another
 * number there. Before that, the log of an earlier process can, so a different number proves nothing.
 */
import { randomInt } from 'node:crypto'
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import type { DatabaseSync } from 'node:sqlite'

/** The header of a database file (https://sqlite.org/fileformat.html#the_database_header). */
const HEADER_BYTES = 100
const MAGIC = 'SQLite format 3\0'
/** Where the header has the version number that the user of the file sets. */
const USER_VERSION = 60

/**
 * - `same`: nothing has written to the file, or only SQLite.
 * - `touched`: the file was written to, and its header is the one of before, or this process has not stamped the file yet. Only its
 *   pages can tell whether it is whole.
 * - `overwritten`: the header is none that Postern has written.
 */
export type HeaderState = 'same' | 'touched' | 'overwritten'

/**
 * Notices that another program writes to an open database file in place: size and inode stay, and SQLite goes on with the pages
 * in its cache. With a write-ahead log, SQLite changes the file itself only when it copies the log into the file. Each
 * probe writes a new {@link HeaderWatch.next} version into the header. After such a copy the header has one of these versions;
 * an older file, or another one, does not.
 */
export class HeaderWatch {
  /** Open for as long as the database is: closing it would end the locks that SQLite has on the file in this process. */
  readonly #descriptor: number
  #seen: Buffer
  #modified: bigint
  /** Versions from the first one to the last one that a copy of the log can put into the file. */
  #first: number
  #last: number
  #isOverwritten = false

  /**
   * Stamps the file with the first version of this process, so that any other file is told from it at once. Where the stamp cannot be
   * written, such as on a full disk, a later probe writes it.
   * @param database writes to the file. No other connection reads from it yet. @param path of the file. Throws where it cannot be read.
   */
  constructor(database: DatabaseSync, path: string) {
    this.#first = randomInt(1, 2 ** 30)
    this.#last = this.#first
    try {
      database.exec(`pragma user_version = ${this.#first}`)
      database.exec('pragma wal_checkpoint(passive)')
    } catch {
      // A probe says what is wrong, and writes the next version
    }
    this.#descriptor = openSync(path, 'r')
    this.#seen = this.#header()
    this.#modified = this.#modifiedNow()
  }

  /** The header in the file has a version of this process. Until then, the stamp is only in the write-ahead log, or nowhere. */
  get isStamped(): boolean {
    return this.#isOwn(versionOf(this.#seen))
  }

  /** What has become of the file. `overwritten` is final. */
  look(): HeaderState {
    if (this.#isOverwritten) return 'overwritten'
    const modified = this.#modifiedNow()
    if (modified === this.#modified) return 'same'
    const header = this.#header()
    if (header.equals(this.#seen)) return 'touched'
    const version = versionOf(header)
    const isOwn = this.#isOwn(version)
    // A copy of the log before the next stamp changes other fields alone
    if (!isOwn && version !== versionOf(this.#seen)) {
      if (version !== null && !this.isStamped) return 'touched'
      this.#isOverwritten = true
      return 'overwritten'
    }
    if (isOwn && version !== null) this.#first = version
    this.#seen = header
    this.#modified = modified
    return 'same'
  }

  /** After `touched`: the pages are whole. */
  accept(): void {
    this.#modified = this.#modifiedNow()
    this.#seen = this.#header()
  }

  /** The version for the next probe to write. */
  next(): number {
    return ++this.#last
  }

  get isOverwritten(): boolean {
    return this.#isOverwritten
  }

  /** After the last connection to the file was closed. */
  close(): void {
    closeSync(this.#descriptor)
  }

  #isOwn(version: number | null): boolean {
    return version !== null && version >= this.#first && version <= this.#last
  }

  #modifiedNow(): bigint {
    return fstatSync(this.#descriptor, { bigint: true }).mtimeNs
  }

  #header(): Buffer {
    const bytes = Buffer.alloc(HEADER_BYTES)
    return bytes.subarray(0, readSync(this.#descriptor, bytes, 0, HEADER_BYTES, 0))
  }
}

/** Null where the bytes are no header of a database. */
function versionOf(header: Buffer): number | null {
  const isHeader = header.length === HEADER_BYTES && header.toString('latin1', 0, MAGIC.length) === MAGIC
  return isHeader ? header.readUInt32BE(USER_VERSION) : null
}
