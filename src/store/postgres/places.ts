/** The places of PostgreSQL: configuration with audit, and request records, are tables of one database. */
import { type DatabaseAddress, shownDatabase } from '../../base/net/database-url.ts'
import { CannotStart } from '../../base/refusal.ts'
import { CONFIG_MIGRATIONS } from '../migrations/config.ts'
import { newestOf } from '../migrations/migration.ts'
import type { ConfigPlace, StorePlace } from '../ports/places.ts'
import { StoreUnavailable } from '../ports/unavailable.ts'
import { openPool, type PgPool, SCHEMA } from './connection.ts'
import { toStoreError } from './fault.ts'
import { holderOf } from './holder.ts'
import { schemaVersionOf } from './migrate.ts'

/** Configuration and audit in a database. @param directory the data directory, whose process has the database alone */
export function configPlace(address: DatabaseAddress, directory: string): ConfigPlace {
  const shown = shownDatabase(address)
  return {
    ...placeOf(address),
    rewritten: null,
    schema: () =>
      withPool(address, async (pool) => {
        const { version } = await schemaVersionOf(pool, 'config')
        return { version, newest: newestOf(CONFIG_MIGRATIONS) }
      }).catch(() => null),
    open: async (environment) =>
      (await import('./config.ts')).openConfigStore(address, environment, { holder: holderOf(directory) }),
    openLater: async (environment, fault, reached) =>
      (await import('./config.ts')).openConfigStore(address, environment, {
        later: { fault, reached },
        holder: holderOf(directory),
      }),
    faultOf(error) {
      const known = toStoreError(error instanceof CannotStart ? error.cause : error, shown)
      return known instanceof StoreUnavailable ? known : null
    },
    accessFault: () => null,
    copyTo: async () => {},
    facts: () => withPool(address, factsOf),
  }
}

function placeOf(address: DatabaseAddress): StorePlace {
  return { file: shownDatabase(address), files: [], isThere: () => true, damage: async () => null }
}

/** Does something with a connection that nothing else uses. */
async function withPool<T>(address: DatabaseAddress, work: (pool: PgPool) => Promise<T>): Promise<T> {
  const pool = await openPool(address, 1, () => {})
  try {
    return await work(pool)
  } finally {
    await pool.end()
  }
}

async function factsOf(pool: PgPool): Promise<Awaited<ReturnType<ConfigPlace['facts']>>> {
  const { version, compatibleFrom } = await schemaVersionOf(pool, 'config')
  const client = await pool.connect()
  try {
    const { rows } = await client.query(`select name, value from ${SCHEMA}.meta`)
    const meta = new Map(rows.map(({ name, value }) => [String(name), String(value)]))
    const [last] = (await client.query(`select max(seq) as seq from ${SCHEMA}.audit`)).rows
    return {
      schemaVersion: version,
      compatibleFrom,
      revision: Number(meta.get('config_revision') ?? 0),
      auditSeq: Number(last?.['seq'] ?? 0),
      meta: (key) => meta.get(key),
    }
  } finally {
    client.release()
  }
}
