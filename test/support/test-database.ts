/**
 * With `TEST_DATABASE_URL`, as `npm test -- --postgres` sets it, instances of tests keep their configuration in PostgreSQL: each data
 * directory has a database of its own there, which outlives the instance as the directory does.
 */
import { createHash } from 'node:crypto'
import { type DatabaseAddress, readDatabaseUrl } from '../../src/base/net/database-url.ts'
import { openPool } from '../../src/store/postgres/connection.ts'

/** The database server of the run; null where instances keep files. */
export const TEST_DATABASE_URL: string | null = process.env['TEST_DATABASE_URL'] ?? null

/** The URL of the database of a data directory, which is made with the first call; null without a server. */
export async function databaseOf(data: string): Promise<string | null> {
  if (TEST_DATABASE_URL === null) return null
  const url = new URL(TEST_DATABASE_URL)
  const name = `dir_${createHash('sha256').update(data).digest('hex').slice(0, 24)}`
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

/** As {@link databaseOf}, for what opens stores itself. */
export async function databaseAddressOf(data: string): Promise<DatabaseAddress | null> {
  const url = await databaseOf(data)
  return url === null ? null : addressOf(url)
}

export function addressOf(url: string): DatabaseAddress {
  const address = readDatabaseUrl(url)
  if (typeof address === 'string') throw new Error(address)
  return address
}
