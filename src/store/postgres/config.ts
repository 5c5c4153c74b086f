/**
 * The configuration store in PostgreSQL, which several processes may share: connections, locks, and faults. Turns and queries are those
 * of `store/sql`.
 * 1. Each write lane has a lock in the database, taken before all else that is read and held until the commit can be seen. READ COMMITTED is
 *    enough under it: each statement sees what the transaction before has committed. Ids and secrets are drawn inside of transactions, so
 *    that none may be run again, as SERIALIZABLE would need.
 * 2. A statement that fails ends its transaction.
 * 3. When a connection is lost during a commit, another one asks the server how the transaction ended.
 * 4. While the server does not answer, writes and reads are refused at once, until a probe finds the database well.
 */
import { setTimeout } from 'node:timers/promises'
import { CompiledQuery, type Kysely, sql } from 'kysely'
import { type DatabaseAddress, shownDatabase } from '../../base/net/database-url.ts'
import { CannotStart } from '../../base/refusal.ts'
import { CONFIG_MIGRATIONS } from '../migrations/config.ts'
import type { ConfigStore } from '../ports/config.ts'
import type { ConfigPlace } from '../ports/places.ts'
import { type StoreFault, StoreUnavailable, toLastingFault } from '../ports/unavailable.ts'
import { createConfigStore, type Engine } from '../sql/config.ts'
import type { ConfigTables, Dialect } from '../sql/tables.ts'
import { openPool, type PgClient, type PgPool, SCHEMA } from './connection.ts'
import { keptAlive } from './kept-alive.ts'
import { LOCKS, migrate } from './migrate.ts'
import { kyselyOver } from './queries.ts'

/** Connections that read at the same time. */
const READERS = 8
/** How long a transaction waits for the lock of its lane, milliseconds. */
const LOCK_MS = 10_000
/**
 * A process that stops inside of a transaction loses the lock after this time, milliseconds: before those give up that wait for it. A
 * process that works asks every {@link ALIVE_MS}, and its main thread is never busy for so long at a stretch.
 */
const IDLE_MS = 5000
const ALIVE_MS = 1000
/** Name of the value in `meta` that a probe writes. */
const PROBED = 'probed'
/** How often, and how long in all, the end of a transaction is asked for when its connection was lost; milliseconds. */
const ASK_MS = 250
const ASKING_MS = 5000

/** Faults in which nothing is read until a probe finds the database well, and those in which nothing is written. */
const WITHOUT_READS: ReadonlySet<StoreFault> = new Set(['unreachable'])
const WITHOUT_WRITES: ReadonlySet<StoreFault> = new Set(['unreachable', 'disk_full', 'read_only'])

/**
 * Configuration and audit in a PostgreSQL database. Throws CannotStart where it cannot be reached or used, and for a newer schema.
 * @param environment stands in the audit entries that are written
 */
export async function openConfigStore(
  address: DatabaseAddress,
  environment: string | null = null,
  opening: Partial<Opening> = {},
): Promise<ConfigStore> {
  return createConfigStore(await openEngine(address, opening), environment)
}

interface Opening {
  /** Opens it without connecting. */
  readonly later: Later | null
}

/** A database that could not be reached yet. */
interface Later {
  readonly fault: StoreUnavailable
  /** See {@link ConfigPlace.openLater}. */
  readonly reached: () => Promise<void>
}

async function openEngine(address: DatabaseAddress, { later = null }: Partial<Opening>): Promise<Engine> {
  const shown = shownDatabase(address)
  let fault: StoreUnavailable | null = null
  let isReached = later === null
  let isLooking = true
  const failed = (error: unknown): void => {
    const lasting = toLastingFault(error)
    if (lasting === null) return
    fault = lasting
    // One connection may be lost where the server is well, as behind a firewall that forgets unused ones
    if (lasting.fault === 'unreachable' && !isLooking) void lookAgain()
  }
  const open = (max: number): Promise<PgPool> => openPool(address, max, failed)
  const pools = { read: await open(READERS), configuration: await open(1), oauth: await open(1) }
  /** Past the fault, to find out whether it still holds. */
  const probing = await open(1)
  const end = async (): Promise<void> => {
    await Promise.all([...Object.values(pools), probing].map((pool) => pool.end()))
  }

  try {
    if (later === null) await migrate(probing, 'config', CONFIG_MIGRATIONS, shown)
  } catch (error) {
    await end()
    if (error instanceof CannotStart) throw error
    const why =
      error instanceof StoreUnavailable ? error.facts.inner : `${shown}: ${(error as Error).message}`
    throw new CannotStart(`The database cannot be opened: ${why}.`, error)
  }
  fault = later?.fault ?? null
  isLooking = !isReached
  /** Refuses what would wait for a server that does not answer, or fail where the last one has. */
  const demand = (refused: ReadonlySet<StoreFault>): void => {
    if (fault !== null && (!isReached || refused.has(fault.fault))) throw fault
  }
  const reading = kyselyOver<ConfigTables>({
    ...pools.read,
    connect() {
      demand(WITHOUT_READS)
      return pools.read.connect()
    },
  })
  const writing = {
    configuration: kyselyOver<ConfigTables>(keptAlive(pools.configuration, ALIVE_MS)),
    oauth: kyselyOver<ConfigTables>(keptAlive(pools.oauth, ALIVE_MS)),
  }

  /**
   * Begins the work of a transaction in its lane, in one message: limits, the lock of the lane, then what is read under it.
   * @returns the id of the transaction
   */
  async function begin(db: Kysely<ConfigTables>, lane: 'configuration' | 'oauth'): Promise<string> {
    const { rows } = await run(
      db,
      `set local lock_timeout = ${LOCK_MS}; set local idle_in_transaction_session_timeout = ${IDLE_MS}; ${lockOf(lane)}; select pg_current_xact_id()::text as id`,
    )
    return String(rows[0]!['id'])
  }

  /** How a transaction ended whose connection was lost; null where the server cannot be asked. */
  async function outcomeOf(id: string): Promise<'committed' | 'aborted' | null> {
    for (const until = performance.now() + ASKING_MS; performance.now() < until; await setTimeout(ASK_MS)) {
      const client = await probing.connect().catch(() => null)
      try {
        const found = (await client?.query('select pg_xact_status($1::xid8) as status', [id]))?.rows[0]?.[
          'status'
        ]
        if (found === 'committed' || found === 'aborted') return found
      } catch {
        // Asked again
      } finally {
        client?.release()
      }
    }
    return null
  }

  /** Asks the server for something that any statement needs. Rejects with the fault. */
  async function look(client: PgClient): Promise<void> {
    const { rows } = await client.query(
      "select current_setting('transaction_read_only') as read_only, pg_is_in_recovery() as standby, to_regclass($1) is not null as known",
      [`${SCHEMA}.meta`],
    )
    const [row] = rows
    if (row?.['known'] !== true)
      throw new StoreUnavailable('missing', `${shown}: the tables of schema ${SCHEMA} are missing`)
    if (row['standby'] === true)
      throw new StoreUnavailable(
        'read_only',
        `${shown}: the server is a standby; name the primary in the URL`,
      )
    if (row['read_only'] === 'on')
      throw new StoreUnavailable('read_only', `${shown}: its transactions are read-only`)
  }

  async function lookOnce(): Promise<void> {
    const client = await probing.connect()
    try {
      await look(client)
      // So that a full disk shows too
      await client.query(
        `insert into ${SCHEMA}.meta (name, value) values ('${PROBED}', '') on conflict (name) do update set value = excluded.value`,
      )
    } finally {
      client.release()
    }
  }

  /** Takes up the use after a connection was lost. Where that fails, a probe does it later. */
  async function lookAgain(): Promise<void> {
    isLooking = true
    try {
      await lookOnce()
      if (fault?.fault === 'unreachable') fault = null
    } catch {
      // It is the fault that is known
    } finally {
      isLooking = false
    }
  }

  async function probe(check: () => Promise<void>): Promise<void> {
    isLooking = true
    try {
      if (!isReached) await later?.reached()
      isReached = true
      await lookOnce()
    } finally {
      isLooking = !isReached
    }
    const before = fault
    // The check reads through the pools
    fault = null
    try {
      await check()
    } catch (error) {
      fault ??= before
      throw error
    }
  }

  return {
    dialect: POSTGRES,
    isShared: true,
    reading,
    async transaction(lane, work) {
      demand(WITHOUT_WRITES)
      let id: string | null = null
      let result: Awaited<ReturnType<typeof work>> | undefined
      let isWorkDone = false
      try {
        return await writing[lane].transaction().execute(async (db) => {
          id = await begin(db, lane)
          result = await work(db)
          isWorkDone = true
          return result
        })
      } catch (error) {
        // Not of the work: the commit itself failed
        if (!isWorkDone || id === null || !(error instanceof StoreUnavailable)) throw error
        const outcome = await outcomeOf(id)
        if (outcome === 'committed') return result as Awaited<ReturnType<typeof work>>
        if (outcome === null)
          throw new StoreUnavailable('uncertain', `${shown}: the connection was lost during a commit`, error)
        throw error
      }
    },
    joinOAuth: async (db) => {
      await db.executeQuery(CompiledQuery.raw(lockOf('oauth')))
    },
    still: (work) =>
      reading.transaction().setIsolationLevel('repeatable read').setAccessMode('read only').execute(work),
    failed,
    get fault() {
      return fault
    },
    async probe(check) {
      try {
        await probe(check)
      } catch (error) {
        fault =
          error instanceof StoreUnavailable
            ? error
            : new StoreUnavailable('cannot_open', `${shown}: ${String(error)}`, error)
      }
    },
    close: end,
  }
}

/** Waits for the lock of a lane, which the transaction then has until it ends. */
function lockOf(lane: 'configuration' | 'oauth'): string {
  return `select pg_advisory_xact_lock(${LOCKS[lane]}, 0)`
}

/** Runs statements in a transaction. The rows are those of the last one. */
async function run(db: Kysely<ConfigTables>, text: string): Promise<{ rows: Record<string, unknown>[] }> {
  return db.executeQuery<Record<string, unknown>>(CompiledQuery.raw(text))
}

/** The dialect of PostgreSQL. */
export const POSTGRES: Dialect = {
  // An expression, of which no index knows
  unindexed: (column) => sql<string>`(${sql.ref(column)} || '')`,
  // `lower` knows the cases of the locale alone, which "C" takes for ASCII
  contains: (text, part) =>
    sql<boolean>`strpos(lower(${text} collate "und-x-icu"), lower(${part.toLowerCase()} collate "und-x-icu")) > 0`,
}
