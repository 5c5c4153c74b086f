/**
 * With `TEST_DATABASE_URL`, as `npm test -- --postgres` sets it, instances of tests keep their configuration in PostgreSQL: each
 * configuration file has a database in its place, which outlives the instance as the file does.
 */
import { createHash } from 'node:crypto'
import { type DatabaseAddress, readDatabaseUrl } from '../../src/base/net/database-url.ts'
import { placesOf } from '../../src/serve/places.ts'
import type { ConfigStore } from '../../src/store/ports/config.ts'
import { openPool } from '../../src/store/postgres/connection.ts'

/** The database server of the run; null where instances keep files. */
export const TEST_DATABASE_URL: string | null = process.env['TEST_DATABASE_URL'] ?? null

/** The URL of the database in the place of a configuration file, which is made with the first call; null without a server. */
export async function databaseOf(file: string): Promise<string | null> {
  if (TEST_DATABASE_URL === null) return null
  const url = new URL(TEST_DATABASE_URL)
  const name = `file_${createHash('sha256').update(file).digest('hex').slice(0, 24)}`
  const pool = await openPool(addressOf(url.href), 1, () => {})
  try {
    const client = await pool.connect()
    const { rows } = await client.query('select 1 from pg_database where datname = $1', [name])
    if (rows.length === 0) await client.query(`create database ${name}`)
    client.release()
  } finally {
    await pool.end()
  }
  url.pathname = `/${name}`
  return url.href
}

/** As {@link databaseOf}, as an address. */
export async function databaseAddressOf(file: string): Promise<DatabaseAddress | null> {
  const url = await databaseOf(file)
  return url === null ? null : addressOf(url)
}

/** Opens the configuration store of a file, or of the database in its place. */
export async function openTestStore(file: string): Promise<ConfigStore> {
  return placesOf(await databaseAddressOf(file))
    .config(file)
    .open(null)
}

export function addressOf(url: string): DatabaseAddress {
  const address = readDatabaseUrl(url)
  if (typeof address === 'string') throw new Error(address)
  return address
}
