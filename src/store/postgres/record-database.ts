/** The connections of a process that writes request records, and the fault of their database. */
import { type DatabaseAddress, shownDatabase } from '../../base/net/database-url.ts'
import { RECORD_MIGRATIONS } from '../migrations/records.ts'
import { StoreUnavailable, toLastingFault } from '../ports/unavailable.ts'
import { openPool, type PgClient, type PgPool, SCHEMA } from './connection.ts'
import { inTransaction, migrate } from './migrate.ts'

/** Rows, quotas and a probe may be under way at the same time. */
const CONNECTIONS = 3

/**
 * 1. A database that cannot be reached refuses every use at once, until a probe finds it well: nobody waits for a connection in vain.
 * 2. The tables are made when the database is reached for the first time, and again where they are gone.
 */
export class RecordDatabase {
  /** Names it in the log. */
  readonly shown: string
  #pool!: PgPool
  #fault: StoreUnavailable | null = null
  #hasTables = false
  /** Of the tables: others have another one. */
  #identity: string | null = null

  private constructor(address: DatabaseAddress) {
    this.shown = shownDatabase(address)
  }

  /** Throws CannotStart for tables of a newer version, a server that is too old, and a user who may not make the tables. */
  static async open(address: DatabaseAddress): Promise<RecordDatabase> {
    const database = new RecordDatabase(address)
    database.#pool = await openPool(address, CONNECTIONS, (error) => {
      database.#fault = toLastingFault(error) ?? database.#fault
    })
    try {
      await database.#prepare()
    } catch (error) {
      if (error instanceof StoreUnavailable) return database
      await database.close()
      throw error
    }
    return database
  }

  get fault(): StoreUnavailable | null {
    return this.#fault
  }

  /** Rejects with StoreUnavailable while the database cannot be used. */
  async use<T>(work: (client: PgClient) => Promise<T>): Promise<T> {
    const client = await this.#usable().connect()
    try {
      return await work(client)
    } finally {
      client.release()
    }
  }

  /** As {@link use}, in a transaction. */
  async transaction<T>(work: (client: PgClient) => Promise<T>): Promise<T> {
    return inTransaction(this.#usable(), work)
  }

  /**
   * Looks whether the database can be used, and writes to it. Never rejects: what it finds is the fault.
   * @param holder whose upkeep is renewed
   * @returns whether the tables are others than before, which hold nothing of those
   */
  async probe(holder: string): Promise<boolean> {
    const before = this.#identity
    try {
      if (!this.#hasTables) await this.#prepare()
      await this.#touch(holder).catch(async (error: unknown) => {
        if (!(error instanceof StoreUnavailable && error.fault === 'missing')) throw error
        await this.#prepare()
        await this.#touch(holder)
      })
      this.#fault = null
    } catch (error) {
      this.#fault =
        error instanceof StoreUnavailable ? error : new StoreUnavailable('cannot_open', String(error), error)
    }
    return before !== null && this.#identity !== before
  }

  /** Writes something that changes nothing, and renews the upkeep if it is that of the holder. */
  async touch(holder: string): Promise<void> {
    this.#usable()
    await this.#touch(holder)
  }

  close(): Promise<void> {
    return this.#pool.end()
  }

  #usable(): PgPool {
    if (this.#fault?.fault === 'unreachable' || !this.#hasTables)
      throw this.#fault ?? new StoreUnavailable('cannot_open', this.shown)
    return this.#pool
  }

  async #prepare(): Promise<void> {
    this.#hasTables = false
    await migrate(this.#pool, 'records', RECORD_MIGRATIONS, this.shown)
    this.#hasTables = true
  }

  async #touch(holder: string): Promise<void> {
    const client = await this.#pool.connect()
    try {
      const { rows } = await client.query(
        `with probe as (update ${SCHEMA}.record_probes set at = clock_timestamp() where id = 1),
         renewal as (
           update ${SCHEMA}.record_upkeep set used = clock_timestamp() where id = (
             select id from ${SCHEMA}.record_upkeep where id = 1 and holder = $1 for update skip locked))
         select store from ${SCHEMA}.record_upkeep where id = 1`,
        [holder],
      )
      this.#identity = String(rows[0]?.['store'])
    } finally {
      client.release()
    }
  }
}
