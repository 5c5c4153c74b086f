/** What a database says of itself, without being opened as a store. */
import type { DatabaseAddress } from '../../base/net/database-url.ts'
import { CONFIG_MIGRATIONS } from '../migrations/config.ts'
import { newestOf } from '../migrations/migration.ts'
import { RECORD_MIGRATIONS } from '../migrations/records.ts'
import { SHARED_STATE_MIGRATIONS } from '../migrations/shared-state.ts'
import type { StoreFacts, UpgradedPlace } from '../ports/places.ts'
import { SCHEMA, withPool } from './connection.ts'
import { type Kind, schemaVersionOf } from './migrate.ts'
import { nodesIn } from './shared-state/nodes.ts'

const STEPS = {
  config: CONFIG_MIGRATIONS,
  records: RECORD_MIGRATIONS,
  shared_state: SHARED_STATE_MIGRATIONS,
} as const

/** As {@link UpgradedPlace.schema}. */
export async function schemaOf(address: DatabaseAddress, kind: Kind): ReturnType<UpgradedPlace['schema']> {
  try {
    const { version } = await withPool(address, (pool) => schemaVersionOf(pool, kind))
    return { version, newest: newestOf(STEPS[kind]) }
  } catch {
    return null
  }
}

/** Of configuration and audit. Rejects where the database cannot be used. */
export function factsOf(address: DatabaseAddress): Promise<StoreFacts> {
  return withPool(address, async (pool) => {
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
        nodes: await nodesIn(client),
        meta: (key) => meta.get(key),
      }
    } finally {
      client.release()
    }
  })
}
