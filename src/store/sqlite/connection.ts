import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite'
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
import { Lru } from '../../base/lru.ts'
import { StoreUnavailable } from '../ports/unavailable.ts'
import { BUSY_MS, patiently } from './busy.ts'
import { toStoreError } from './fault.ts'

const STATEMENTS_MAX = 256

/** The connection in use; another one takes its place when the file was written anew. */
export interface Connected {
  readonly file: string
  database: DatabaseSync
  /** Throws StoreUnavailable when the pages of the file may be those of another file. */
  readonly demand: () => void
  /** Told of each error of the database that means the file; see {@link StoreUnavailable}. */
  readonly failed: (error: unknown) => void
}

/**
 * Kysely over one connection of `node:sqlite`. It does not queue: whoever opens a transaction on it must be alone
 * with it (see {@link createTurns}). Rejects with StoreUnavailable where the file cannot be used. While another process holds
 * the file, the event loop goes on.
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

  constructor(connected: Connected) {
    this.#connected = connected
    this.#database = connected.database
  }

  async begin(): Promise<void> {
    await patiently(() => this.#guarded((database) => database.exec('begin immediate')), BUSY_MS)
    this.#inTransaction = true
  }

  commit(): void {
    this.#guarded((database) => database.exec('commit'))
    this.#inTransaction = false
  }

  /** Never throws: the error that led here is the one to report. */
  rollback(): void {
    this.#inTransaction = false
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
