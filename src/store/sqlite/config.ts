/**
 * The configuration store on a SQLite file: connections, the watch over the file, and its faults. One connection writes, and one reads
 * beside it, so both write lanes are one; record queries use a third one in the query thread. Turns and queries are those of `store/sql`.
 */

import { randomInt } from 'node:crypto'
import { closeSync, fstatSync, fsyncSync, openSync, readSync, renameSync, rmSync, statSync } from 'node:fs'
import { DatabaseSync, type SQLInputValue } from 'node:sqlite'
import {
  type CompiledQuery,
  DummyDriver,
  Kysely,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
  sql,
} from 'kysely'
import { CannotStart } from '../../base/refusal.ts'
import { CONFIG_MIGRATIONS } from '../migrations/config.ts'
import type { Migration } from '../migrations/migration.ts'
import type { ConfigStore } from '../ports/config.ts'
import { StoreUnavailable, toLastingFault } from '../ports/unavailable.ts'
import { createConfigStore, type Engine } from '../sql/config.ts'
import type { ConfigTables, Dialect } from '../sql/tables.ts'
import { type Connected, copyLog, createKyselyDialect } from './connection.ts'
import { BUSY_MS, guarded, mendSideFiles, toStoreError } from './fault.ts'
import { faultOfDatabase } from './judge-file.ts'
import { migrate, refuseNewer } from './migrate.ts'
import { probeFile, rewrittenOf, setLogAside, WatchedFile } from './watched-file.ts'

/**
 * Configuration and audit in one SQLite file. Every COMMIT is on disk before it answers. Throws CannotStart for a file of a newer version.
 * A file that is deleted while it is open is written again by the next probe, from what the connection holds.
 * @param environment stands in the audit entries that are written
 */
export function openConfigStore(file: string, environment: string | null = null): ConfigStore {
  return createConfigStore(openEngine(file), environment)
}

function openEngine(file: string): Engine {
  const failed = (error: unknown): void => {
    fault = toLastingFault(error) ?? fault
  }
  const demand = (): void => {
    if (header.isOverwritten)
      throw new StoreUnavailable('overwritten', `${file}: its header is of another file`)
  }
  const writing: Connected = { file, database: openWriting(file), demand, failed }
  // Before there is a reader, which could keep the stamp from the file
  let header = new HeaderWatch(writing.database, file)
  const reading: Connected = { file, database: openReading(file), demand, failed }
  let watched = new WatchedFile(file)
  let fault: StoreUnavailable | null = null
  const writer = new Kysely<ConfigTables>({ dialect: createKyselyDialect(writing) })
  const reader = new Kysely<ConfigTables>({ dialect: createKyselyDialect(reading) })

  function demandFile(): void {
    try {
      watched.demand()
      header.look()
      demand()
    } catch (error) {
      failed(error)
      throw error
    }
  }

  /** Puts a copy of what is held in the place of the file that is gone. No transaction runs. */
  function writeAgain(): void {
    const copy = rewrittenOf(file)
    rmSync(copy, { force: true })
    closeSync(openSync(copy, 'wx', 0o600))
    writing.database.prepare('vacuum into ?').run(copy)
    syncFile(copy)
    reading.database.close()
    writing.database.close()
    header.close()
    // SQLite leaves the log of a file that is gone, and would apply it to the copy, which holds all of it
    watched.removeLog()
    renameSync(copy, file)
    writing.database = openWriting(file)
    header = new HeaderWatch(writing.database, file)
    reading.database = openReading(file)
    watched = new WatchedFile(file)
  }

  /** What another program has written to the file in place is seen here, and that nothing has. */
  function demandPages(): void {
    const found = header.look()
    demand()
    if (found === 'same') return
    const damage = faultOfDatabase(file)
    if (damage !== null) throw new StoreUnavailable('damaged', `${file}: ${damage}`)
    header.accept()
  }

  async function probe(check: () => Promise<void>): Promise<void> {
    if (watched.look() === 'missing' && fault?.fault === 'missing') writeAgain()
    watched.demand()
    demandPages()
    await probeFile(writing.database, file, watched, header.next(), fault)
    // From the log into the file, so that any other file is told from this one
    if (!header.isStamped) guarded(file, () => writing.database.exec('pragma wal_checkpoint(passive)'))
    await check()
    // What is damaged needs a person; that a page can be written proves nothing
    if (fault?.fault !== 'damaged') fault = null
  }

  return {
    dialect: SQLITE,
    isShared: false,
    reading: reader,
    async transaction(_lane, work) {
      demandFile()
      // A small change may still find room in the log; the next one does not. Probes find out when there is room again
      if (fault?.fault === 'disk_full') throw fault
      const result = await writer.transaction().execute(work)
      await copyLog(writing)
      return result
    },
    joinOAuth: async () => {},
    // It is alone with the connection that writes, so that no statement of another can come between
    still: (work) => work(writer),
    failed,
    get fault() {
      return fault
    },
    async probe(check) {
      try {
        await probe(check)
      } catch (error) {
        const known = toStoreError(error, file)
        fault =
          known instanceof StoreUnavailable
            ? known
            : new StoreUnavailable('cannot_open', `${file}: ${String(error)}`, error)
      }
    },
    async close() {
      await reader.destroy()
      await writer.destroy()
      // The reading one last leaves the log as it is, which does not belong to a file that was overwritten
      const order = header.isOverwritten ? [writing, reading] : [reading, writing]
      // Closed already where a file that was written again could not be opened
      for (const { database } of order) if (database.isOpen) database.close()
      header.close()
      watched.setLogAside(header.isOverwritten)
    },
  }
}

function openReading(file: string): DatabaseSync {
  const database = new DatabaseSync(file, { timeout: BUSY_MS, readOnly: true })
  // SQLite opens the log at the first read: after this one, reads go on when the file is gone
  database.prepare('select count(*) from sqlite_schema').get()
  return waitingNoMore(addFunctions(database))
}

/** From here on the dialect waits, without holding the thread. */
function waitingNoMore(database: DatabaseSync): DatabaseSync {
  database.exec('pragma busy_timeout = 0')
  return database
}

function syncFile(file: string): void {
  const descriptor = openSync(file, 'r+')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

/** Opens the file for writing, for its owner alone, at the newest version of its schema. */
function openWriting(file: string): DatabaseSync {
  let database: DatabaseSync | undefined
  try {
    // SQLite deletes the log of a file without pages
    if ((statSync(file, { throwIfNoEntry: false })?.size ?? 0) === 0) setLogAside(file)
    // SQLite would make it readable for everybody; its side files take over the mode of this one.
    closeSync(openSync(file, 'a', 0o600))
    mendSideFiles(file)
    refuseNewer(file, CONFIG_MIGRATIONS)
    database = new DatabaseSync(file, { timeout: BUSY_MS })
    database.exec('pragma journal_mode = wal; pragma synchronous = full; pragma foreign_keys = on')
    migrate(database, file, CONFIG_MIGRATIONS, runDataStep)
    return waitingNoMore(addFunctions(database))
  } catch (error) {
    database?.close()
    if (error instanceof CannotStart) throw error
    throw new CannotStart(`${file} cannot be opened: ${(error as Error).message}.`, error)
  }
}

/** The dialect of SQLite. */
export const SQLITE: Dialect = {
  // The sign makes it an expression, of which no index knows
  unindexed: (column) => sql<string>`+${sql.ref(column)}`,
  // Not LIKE: what people search for may hold % and _
  contains(text, part) {
    const lower = part.toLowerCase()
    // SQLite itself knows the cases of ASCII alone, and is faster
    return ASCII.test(lower)
      ? sql<boolean>`instr(lower(${text}), ${lower}) > 0`
      : sql<boolean>`instr(in_lower_case(${text}), ${lower}) > 0`
  },
}

const ASCII = /^[ -~]*$/

/** Gives a connection the functions that the expressions of {@link SQLITE} call. */
export function addFunctions(database: DatabaseSync): DatabaseSync {
  database.function('in_lower_case', { deterministic: true }, (text) =>
    typeof text === 'string' ? text.toLowerCase() : null,
  )
  return database
}

/** Makes the queries of data steps; it has no connection. */
const BUILDER = new Kysely<object>({
  dialect: {
    createAdapter: () => new SqliteAdapter(),
    createDriver: () => new DummyDriver(),
    createIntrospector: (db) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  },
})

/** Runs the data step of a migration, inside of the transaction that is open. */
export function runDataStep(database: DatabaseSync, run: NonNullable<Migration['run']>): void {
  const steps = run(BUILDER)
  for (let next = steps.next(); next.done !== true; ) next = steps.next(rowsOf(database, next.value))
}

function rowsOf(database: DatabaseSync, { sql, parameters }: CompiledQuery): readonly unknown[] {
  const statement = database.prepare(sql)
  const values = parameters as readonly SQLInputValue[]
  if (statement.columns().length > 0) return statement.all(...values)
  statement.run(...values)
  return []
}

// Recognizes a file that was overwritten in place. The start and each probe write a new version number into the header, and
// the process knows the numbers that it wrote. Once the file has one of them, no copy of the write-ahead log can put another
// number there. Before that, the log of an earlier process can, so a different number proves nothing.

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
