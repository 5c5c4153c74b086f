/** Keys that were used once, as rows. */
import { hash } from 'node:crypto'
import type { Once, OnceKind } from '../../../shared-state/ports/memory.ts'
import { StoreUnavailable } from '../../ports/unavailable.ts'
import { SCHEMA } from '../connection.ts'
import { DATABASE_NOW, type SharedDatabase } from './database.ts'

const TABLE = `${SCHEMA}.shared_once`

/**
 * Keys of one kind. They have no bound here: each node bounds what it asks for. A claim that the database has and whose answer was lost
 * is `unavailable`, and its key stays used.
 * @param fault told of an error that does not mean the database
 */
export function createOnceRows(
  database: SharedDatabase,
  kind: OnceKind,
  fault: (error: unknown) => void,
): Once {
  return {
    async claim(key, until, now) {
      try {
        const rows = await database.query(
          `insert into ${TABLE} as it (key, until) values ($1, $2)
          on conflict (key) do update set until = excluded.until where it.until <= $3 returning 1`,
          [hash('sha256', `${kind}\n${key}`, 'buffer'), Math.ceil(until), Math.floor(now)],
        )
        return rows.length === 1 ? 'first' : 'again'
      } catch (error) {
        if (!(error instanceof StoreUnavailable)) fault(error)
        return 'unavailable'
      }
    },
  }
}

/** Clocks of nodes differ: a node may still take for unused what is over for another one, milliseconds. */
const LATE_MS = 3_600_000

/** Deletes keys that can be used again on each node. @param moved how far tests have moved the clock, milliseconds */
export async function sweepOnceRows(database: SharedDatabase, moved: number): Promise<void> {
  await database.query(`delete from ${TABLE} where until <= ${DATABASE_NOW} + $1::bigint`, [moved - LATE_MS])
}
