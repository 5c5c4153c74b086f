/** Connections of SQLite, and when the write-ahead log is copied into the file. */
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite'
import { setImmediate } from 'node:timers/promises'
import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely'
import { Lru } from '../../base/memory/lru.ts'
import { pauseOfLongTurn } from '../../base/threads/time-slices.ts'
import { StoreUnavailable } from '../ports/unavailable.ts'
import { BUSY_MS, patiently, toStoreError } from './fault.ts'

const STATEMENTS_MAX = 256
/** Bytes of a page of the database. */
const PAGE_BYTES = 4096
/** Pages in the log after which SQLite copies them into the file with a commit; its own default. */
const LOG_PAGES = 1000

/** The connection in use; another one takes its place when the file was written anew. */
export interface Connected {
  readonly file: string
  database: DatabaseSync
  /** Throws StoreUnavailable when the pages of the file may be those of another file. */
  readonly demand: () => void
  /** Told of each error of the database that means the file; see {@link StoreUnavailable}. */
  readonly failed: (error: unknown) => void
  /** A commit has left many pages in the log; see {@link copyLog}. */
  isLogLong?: boolean
}

/**
 * Copies what a large commit has left in the write-ahead log into the file. SQLite would do so with the commit, and hold the thread for
 * both. An error means nothing: all is in the log, and a later commit copies it.
 */
export async function copyLog(connected: Connected): Promise<void> {
  if (connected.isLogLong !== true) return
  connected.isLogLong = false
  await setImmediate()
  try {
    connected.demand()
    connected.database.exec('pragma wal_checkpoint(passive)')
  } catch {
    // A probe says what is wrong
  }
  if (connected.database.isOpen) connected.database.exec(`pragma wal_autocheckpoint = ${LOG_PAGES}`)
}

/**
 * Kysely over one connection of `node:sqlite`. It does not queue: whoever opens a transaction on it must be alone
 * with it (see {@link createTurns}). Rejects with StoreUnavailable where the file cannot be used. While another process holds
 * the file, the event loop goes on. It also goes on between two statements of work that has held the thread for a time slice.
 */
export function createKyselyDialect(connected: Connected): Dialect {
  return {
    createAdapter: () => new SqliteAdapter(),
    createDriver: () => createDriver(connected),
    createIntrospector: (db) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  }
}

function createDriver(connected: Connected): Driver {
  const connection = new Connection(connected)
  return {
    init: async () => {},
    acquireConnection: async () => connection,
    releaseConnection: async () => {},
    // IMMEDIATE takes the write lock at once: a transaction that has read cannot fail later for having to write
    beginTransaction: async () => connection.begin(),
    commitTransaction: async () => connection.commit(),
    rollbackTransaction: async () => connection.rollback(),
    // Kysely does not ask a driver that was never used: who opened the connection closes it
    destroy: async () => {},
  }
}

class Connection implements DatabaseConnection {
  readonly #connected: Connected
  #statements = new Lru<string, StatementSync>(STATEMENTS_MAX)
  /** What the statements were prepared on. */
  #database: DatabaseSync
  #inTransaction = false
  /** Transactions that have begun or ended. */
  #transactions = 0
  /** Pages that the transaction has written, about: at least one with each statement. */
  #pages = 0

  constructor(connected: Connected) {
    this.#connected = connected
    this.#database = connected.database
  }

  async begin(): Promise<void> {
    await patiently(() => this.#guarded((database) => database.exec('begin immediate')), BUSY_MS)
    this.#inTransaction = true
    this.#transactions++
    this.#pages = 0
  }

  commit(): void {
    this.#guarded((database) => {
      const isLong = this.#pages > LOG_PAGES
      if (isLong) database.exec('pragma wal_autocheckpoint = 0')
      this.#connected.isLogLong = isLong
      database.exec('commit')
    })
    this.#inTransaction = false
    this.#transactions++
  }

  /** Never throws: the error that led here is the one to report. */
  rollback(): void {
    this.#inTransaction = false
    this.#transactions++
    const { database } = this.#connected
    // SQLite has rolled back by itself on some errors, such as a full disk
    if (!database.isTransaction) return
    try {
      database.exec('rollback')
    } catch {
      // The next `begin` fails, and tells of the connection that is left in a transaction
    }
  }

  executeQuery = async <R>(query: CompiledQuery): Promise<QueryResult<R>> => {
    const transactions = this.#transactions
    // Of many that were asked at once, some fit into a turn
    for (let pause = pauseOfLongTurn(); pause !== undefined; pause = pauseOfLongTurn()) await pause
    // Another one that was asked at the same time has failed
    if (transactions !== this.#transactions) throw new Error('a statement came after its transaction')
    // A transaction holds the file itself
    if (this.#inTransaction) return this.#execute<R>(query)
    return patiently(() => this.#execute<R>(query), BUSY_MS)
  }

  #execute<R>(query: CompiledQuery): QueryResult<R> {
    return this.#guarded((database) => {
      const statement = this.#prepare(database, query.sql)
      const values = query.parameters as readonly SQLInputValue[]
      // The rows are what the query selects; Kysely types them from the table types.
      if (statement.columns().length > 0) return { rows: statement.all(...values) as R[] }
      const { changes } = statement.run(...values)
      if (this.#inTransaction) this.#pages += 1 + Math.floor(charsOf(values) / PAGE_BYTES)
      return { rows: [], numAffectedRows: BigInt(changes) }
    })
  }

  streamQuery(): never {
    throw new Error('Streaming is not offered: no query of the store returns unbounded rows.')
  }

  #guarded<T>(work: (database: DatabaseSync) => T): T {
    const { database, file, demand } = this.#connected
    demand()
    if (!database.isOpen) throw new StoreUnavailable('cannot_open', `${file}: the connection is closed`)
    // A statement after SQLite has rolled back would be a transaction of its own
    if (this.#inTransaction && !database.isTransaction)
      throw new StoreUnavailable('io_error', `${file}: the transaction was rolled back by an earlier error`)
    try {
      return work(database)
    } catch (error) {
      const known = toStoreError(error, file)
      this.#connected.failed(known)
      throw known
    }
  }

  #prepare(database: DatabaseSync, text: string): StatementSync {
    if (database !== this.#database) {
      this.#database = database
      this.#statements = new Lru(STATEMENTS_MAX)
    }
    const known = this.#statements.get(text)
    if (known !== undefined) return known
    const statement = database.prepare(text)
    this.#statements.set(text, statement)
    return statement
  }
}

function charsOf(values: readonly SQLInputValue[]): number {
  let chars = 0
  for (const value of values) if (typeof value === 'string') chars += value.length
  return chars
}
