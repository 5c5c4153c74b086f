/**
 * Which of the processes on one database does the upkeep of the request records: rollups, compaction, retention and erasures.
 * 1. One row names the holder. It is renewed by each use, and by each probe. 10 seconds after the last one, by the clock of the server,
 *    another process may take over.
 * 2. Each transaction of the upkeep locks that row and checks the holder and the term, so that a process that was stopped, or cut off,
 *    changes nothing when it continues. The term rises with each takeover.
 * 3. A process that finds the term changed forgets what it has read: listeners are called before it goes on.
 */
import { randomBytes } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import { StoreUnavailable } from '../ports/unavailable.ts'
import { type PgClient, SCHEMA } from './connection.ts'
import type { RecordDatabase } from './record-database.ts'

/** After the last use. */
const LAPSED = "used < clock_timestamp() - interval '10 seconds'"
/** How long a process that has taken over has for its erasure: others wait. */
const ERASING = "clock_timestamp() + interval '1 second'"
/** How long another process is waited for that erases, and how often the server is asked; milliseconds. */
const TAKE_MS = 5000
const ASK_MS = 20
/** A process that stops inside of a transaction gives up the lock after this time. */
export const LIMITS = "set local idle_in_transaction_session_timeout = '10s'; set local lock_timeout = '10s'"

export class Upkeep {
  readonly #database: RecordDatabase
  /** Names this process, and this run of it. */
  readonly holder = randomBytes(12).toString('hex')
  /** Null while another process does the upkeep, as far as this one knows. */
  #term: number | null = null
  readonly #listeners: (() => void)[] = []

  constructor(database: RecordDatabase) {
    this.#database = database
  }

  /** This process did the upkeep when it last asked. */
  get isHeld(): boolean {
    return this.#term !== null
  }

  /** As {@link LastingRecordStore.whenUpkeepChanged}. */
  whenChanged(listener: () => void): void {
    this.#listeners.push(listener)
  }

  /** Renews the upkeep, or begins it where no other process does it. True if this process does it now. */
  async hold(): Promise<boolean> {
    await this.#claim(`holder = $1 or (holder is null or ${LAPSED}) and erasing_until < clock_timestamp()`)
    return this.isHeld
  }

  /** As {@link RecordStore.takeUpkeep}. */
  async take(): Promise<void> {
    const until = performance.now() + TAKE_MS
    for (;;) {
      await this.#claim('holder = $1 or erasing_until < clock_timestamp()', ERASING)
      if (this.isHeld) return
      if (performance.now() > until)
        throw new StoreUnavailable('locked', `${this.#database.shown}: another process erases records`)
      await setTimeout(ASK_MS)
    }
  }

  /** Runs work in a transaction. Rejects with StoreUnavailable `locked`, and changes nothing, unless this process does the upkeep. */
  async transaction<T>(work: (client: PgClient) => Promise<T>): Promise<T> {
    const term = this.#term
    if (term === null) throw this.#lost()
    const done = await this.#database.transaction(async (client) => {
      await client.query(LIMITS)
      const { rowCount } = await client.query(
        `select 1 from ${SCHEMA}.record_upkeep where id = 1 and holder = $1 and term = $2 for update`,
        [this.holder, term],
      )
      return rowCount === 0 ? null : { result: await work(client) }
    })
    if (done !== null) return done.result
    this.forget()
    throw this.#lost()
  }

  /** An erasure is done: others need not wait any longer. In its transaction. */
  async erased(client: PgClient): Promise<void> {
    await client.query(`update ${SCHEMA}.record_upkeep set erasing_until = '-infinity' where id = 1`)
  }

  /** What this process knows of the upkeep holds no more. */
  forget(): void {
    this.#note(null)
  }

  /** Leaves the upkeep to whichever process asks next. */
  async release(): Promise<void> {
    if (this.#term === null) return
    this.#term = null
    await this.#database.use((client) =>
      client.query(
        `update ${SCHEMA}.record_upkeep set used = '-infinity', erasing_until = '-infinity' where id = 1 and holder = $1`,
        [this.holder],
      ),
    )
  }

  async #claim(condition: string, erasingUntil = 'erasing_until'): Promise<void> {
    const { rows } = await this.#database.use((client) =>
      client.query(
        `update ${SCHEMA}.record_upkeep
           set holder = $1, term = case when holder = $1 then term else term + 1 end, used = clock_timestamp(),
             erasing_until = ${erasingUntil}
           where id = 1 and (${condition})
           returning term`,
        [this.holder],
      ),
    )
    const term = rows[0]?.['term'] ?? null
    if (this.#note(term === null ? null : Number(term)) && term !== null) await this.#recount()
  }

  /** True if that is news. */
  #note(term: number | null): boolean {
    if (term === this.#term) return false
    this.#term = term
    for (const listener of this.#listeners) listener()
    return true
  }

  /** The sizes are kept up by the holder alone, and a database that was restored may say something else. */
  #recount(): Promise<unknown> {
    return this.transaction((client) =>
      client.query(
        `update ${SCHEMA}.record_sizes s set bytes = (
           select coalesce(sum(b.bytes), 0) from ${SCHEMA}.record_blocks b
             where b.proved = s.proved and not exists (select 1 from ${SCHEMA}.record_uncounted u where u.id = b.id))`,
      ),
    )
  }

  #lost(): StoreUnavailable {
    return new StoreUnavailable(
      'locked',
      `${this.#database.shown}: another process has taken over the upkeep of the request records`,
    )
  }
}
