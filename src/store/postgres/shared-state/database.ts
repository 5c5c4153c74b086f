/**
 * Connections to the tables that nodes share.
 * 1. Nothing is read or written before `begin`: an instance may start while its database cannot be reached, and finds out later whether
 *    it is the right one. The tables are made, or upgraded, with the first use.
 * 2. While the server does not answer, one use at a time tries. All others are refused at once, so that no request waits for a timeout.
 */
import { type DatabaseAddress, shownDatabase } from '../../../base/net/database-url.ts'
import { SHARED_STATE_MIGRATIONS } from '../../migrations/shared-state.ts'
import { LIVE_MS } from '../../ports/nodes.ts'
import { StoreUnavailable, toLastingFault } from '../../ports/unavailable.ts'
import { openPool, type PgClient, SCHEMA } from '../connection.ts'
import { inTransaction, migrate } from '../migrate.ts'

/** Statements at the same time: each is short, and traffic may wait for it. */
const CONNECTIONS = 4

/** Statements and transactions that run or wait at once; more are refused, so that none waits for longer than its caller. */
const UNDER_WAY_MAX = 512

/** Of each transaction. A process that stops inside of one gives up its locks. */
const LIMITS = `set local search_path to ${SCHEMA}; set local lock_timeout = '5s'; set local idle_in_transaction_session_timeout = '5s'`

/** The time of rows: the clock of the database, which all nodes read alike, in milliseconds since the epoch. */
export const DATABASE_NOW = '(extract(epoch from clock_timestamp()) * 1000)::bigint'

/** True for a row whose process has ended, by its columns `node` and `epoch`. @param row name of the row in the statement */
export function isGone(row: string): string {
  return `not exists (
    select 1 from ${SCHEMA}.shared_nodes live
    where live.id = ${row}.node and live.epoch = ${row}.epoch and live.seen_at > clock_timestamp() - interval '${LIVE_MS} milliseconds'
  )`
}

export interface SharedDatabase {
  /** The database is that of this instance. */
  begin(): void
  /** The rows of one statement, which names each table with its schema. Rejects with StoreUnavailable. */
  query(text: string, values?: readonly unknown[]): Promise<readonly Record<string, unknown>[]>
  /** Runs work in one transaction, whose search path is the schema. Rejects likewise. */
  transaction<T>(work: (client: PgClient) => Promise<T>): Promise<T>
  close(): Promise<void>
}

export async function openSharedDatabase(address: DatabaseAddress): Promise<SharedDatabase> {
  const shown = shownDatabase(address)
  let isBegun = false
  let fault: StoreUnavailable | null = null
  let isTrying = false
  let ready: Promise<void> | null = null
  let underWay = 0
  const pool = await openPool(address, CONNECTIONS, (error) => {
    fault = toLastingFault(error) ?? fault
  })

  /** The tables are there. The next use tries again where they cannot be made. */
  function prepared(): Promise<void> {
    ready ??= migrate(pool, 'shared_state', SHARED_STATE_MIGRATIONS, shown).catch((error: unknown) => {
      ready = null
      throw error
    })
    return ready
  }

  async function guarded<T>(work: () => Promise<T>): Promise<T> {
    if (!isBegun) throw new StoreUnavailable('unreachable', `${shown} was not reached since the start`)
    if (underWay === UNDER_WAY_MAX)
      throw new StoreUnavailable('slow', `${shown}: ${UNDER_WAY_MAX} statements wait`)
    underWay++
    try {
      return await tried(work)
    } finally {
      underWay--
    }
  }

  async function tried<T>(work: () => Promise<T>): Promise<T> {
    if (fault === null) {
      await prepared()
      return work()
    }
    if (isTrying) throw fault
    isTrying = true
    try {
      await prepared()
      const result = await work()
      fault = null
      return result
    } finally {
      isTrying = false
    }
  }

  return {
    begin() {
      isBegun = true
    },
    query: (text, values) =>
      guarded(async () => {
        const client = await pool.connect()
        try {
          return (await client.query(text, values)).rows
        } finally {
          client.release()
        }
      }),
    transaction: (work) =>
      guarded(() =>
        inTransaction(pool, async (client) => {
          await client.query(LIMITS)
          return work(client)
        }),
      ),
    close: () => pool.end(),
  }
}
