/** Brings a database to the newest schema. */
import { CannotStart } from '../../base/refusal.ts'
import { type Migration, mayOpen, NO_SCHEMA, newestOf, type SchemaVersion } from '../migrations/migration.ts'
import { StoreUnavailable } from '../ports/unavailable.ts'
import { type PgClient, type PgPool, SCHEMA } from './connection.ts'

/** The oldest version that is supported: PostgreSQL 14, as `server_version_num`. */
const SERVER_MIN = 140_000

/** Classes of locks in the database, the first of two numbers. Postern takes no other advisory lock. */
export const LOCKS = {
  migration: 7_700_001,
  configuration: 7_700_002,
  oauth: 7_700_003,
  links: 7_700_004,
  exports: 7_700_005,
  blocks: 7_700_006,
} as const

/** What has steps of its own in `schema_versions`. */
export type Kind = 'config' | 'records' | 'shared_state'

/** Runs work in a transaction, and closes the connection where it cannot be ended. @param end follows work that has succeeded */
export async function inTransaction<T>(
  pool: PgPool,
  work: (client: PgClient) => Promise<T>,
  { begin = 'begin', end = 'commit' }: { readonly begin?: string; readonly end?: 'commit' | 'rollback' } = {},
): Promise<T> {
  const client = await pool.connect()
  let isEnded = false
  try {
    await client.query(begin)
    const result = await work(client)
    const { command } = await client.query(end)
    // So answers a server after a statement that has failed
    if (end === 'commit' && command === 'ROLLBACK')
      throw new Error('a statement of the transaction had failed')
    isEnded = true
    return result
  } catch (error) {
    isEnded = await client.query('rollback').then(
      () => true,
      () => false,
    )
    throw error
  } finally {
    client.release(!isEnded)
  }
}

/**
 * Brings the tables of a kind to the newest version, all due steps in one transaction. Processes that start at the same time wait for
 * each other. Throws {@link CannotStart} for a newer schema that does not allow this program and for a server that is too old, and
 * {@link StoreUnavailable} where the user may not make the tables.
 * @param kind names the steps in `schema_versions`: each kind has versions of its own
 * @param shown names the database in messages
 */
export async function migrate(
  pool: PgPool,
  kind: Kind,
  steps: readonly Migration[],
  shown: string,
): Promise<void> {
  const found = await versionToUse(pool, kind, steps, shown)
  if (found.version >= newestOf(steps)) return
  await inTransaction(pool, (client) => migrateIn(client, kind, steps, shown))
}

/** The version of the tables of a kind. Throws {@link CannotStart} where this program may not use them, or the server. */
export async function versionToUse(
  pool: PgPool,
  kind: Kind,
  steps: readonly Migration[],
  shown: string,
): Promise<SchemaVersion> {
  await demandServer(pool, shown)
  const found = await schemaVersionOf(pool, kind)
  demandKnown(found, steps, shown)
  return found
}

/** As {@link migrate}, inside of a transaction. */
export async function migrateIn(
  client: PgClient,
  kind: Kind,
  steps: readonly Migration[],
  shown: string,
): Promise<void> {
  try {
    await client.query(`select pg_advisory_xact_lock(${LOCKS.migration}, 0)`)
    const { rows } = await client.query('select 1 from pg_namespace where nspname = $1', [SCHEMA])
    // Asked before: `if not exists` needs the right to make it even where it is there
    if (rows.length === 0) await client.query(`create schema ${SCHEMA}`)
    await client.query(`set local search_path to ${SCHEMA}`)
    const { rows: tables } = await client.query('select to_regclass($1) is not null as known', [
      `${SCHEMA}.schema_versions`,
    ])
    if (tables[0]?.['known'] !== true)
      await client.query(
        'create table schema_versions (kind text not null, version bigint not null, name text not null, applied_at text not null, compatible_from bigint not null, primary key (kind, version))',
      )
    // Another process may have done it meanwhile
    const now = await versionIn(client, kind)
    demandKnown(now, steps, shown)
    for (const step of steps) if (step.version > now.version) await apply(client, kind, step)
  } catch (error) {
    const { code, message } = ((error as Error).cause ?? error) as { code?: unknown; message: string }
    if (code !== '42501') throw error
    throw new StoreUnavailable(
      'cannot_open',
      `${shown}: the user may not make the tables of schema ${SCHEMA} (${message}). Run postern migrate-schema as a user who may, with --grant-to and the name of this user`,
      error,
    )
  }
}

/** The version of the tables of a kind. Rejects as a statement does. */
export async function schemaVersionOf(pool: PgPool, kind: Kind): Promise<SchemaVersion> {
  const client = await pool.connect()
  try {
    const { rows } = await client.query('select to_regclass($1) is not null as known', [
      `${SCHEMA}.schema_versions`,
    ])
    return rows[0]?.['known'] === true ? await versionIn(client, kind) : NO_SCHEMA
  } finally {
    client.release()
  }
}

async function versionIn(client: PgClient, kind: string): Promise<SchemaVersion> {
  const { rows } = await client.query(
    `select version, compatible_from from ${SCHEMA}.schema_versions where kind = $1 order by version desc limit 1`,
    [kind],
  )
  const [row] = rows
  if (row === undefined) return NO_SCHEMA
  return { version: Number(row['version']), compatibleFrom: Number(row['compatible_from']) }
}

async function apply(
  client: PgClient,
  kind: string,
  { version, name, postgres = [], run, compatibleFrom = version }: Migration,
): Promise<void> {
  for (const statement of postgres) await client.query(statement)
  if (run !== undefined) await runDataStep(client, run)
  await client.query(
    `insert into ${SCHEMA}.schema_versions (kind, version, name, applied_at, compatible_from) values ($1, $2, $3, $4, $5)`,
    [kind, version, name, new Date().toISOString(), compatibleFrom],
  )
}

/** Makes the queries of data steps; it has no connection. Loaded with the first such step. */
async function runDataStep(client: PgClient, run: NonNullable<Migration['run']>): Promise<void> {
  const { DummyDriver, Kysely, PostgresAdapter, PostgresIntrospector, PostgresQueryCompiler } = await import(
    'kysely'
  )
  const builder = new Kysely<object>({
    dialect: {
      createAdapter: () => new PostgresAdapter(),
      createDriver: () => new DummyDriver(),
      createIntrospector: (db) => new PostgresIntrospector(db),
      createQueryCompiler: () => new PostgresQueryCompiler(),
    },
  })
  const steps = run(builder.withSchema(SCHEMA))
  for (let next = steps.next(); next.done !== true; ) {
    const { rows } = await client.query(next.value.sql, next.value.parameters)
    next = steps.next(rows)
  }
}

async function demandServer(pool: PgPool, shown: string): Promise<void> {
  const client = await pool.connect()
  try {
    const { rows } = await client.query(
      "select current_setting('server_version_num')::int as version, current_setting('server_version') as named, pg_encoding_to_char(encoding) as encoding from pg_database where datname = current_database()",
    )
    const { version, named, encoding } = rows[0]!
    if (Number(version) < SERVER_MIN)
      throw new CannotStart(`${shown}: the server is PostgreSQL ${named}; Postern needs version 14 or later.`)
    if (encoding !== 'UTF8')
      throw new CannotStart(
        `${shown}: the database has the encoding ${encoding}; Postern needs one with UTF8 (create database … encoding 'UTF8' template template0).`,
      )
  } finally {
    client.release()
  }
}

function demandKnown(found: SchemaVersion, steps: readonly Migration[], shown: string): void {
  if (mayOpen(found, steps)) return
  throw new CannotStart(
    `${shown} has schema version ${found.version}, and this Postern knows versions up to ${newestOf(steps)}; start the newer Postern that wrote it, or restore a backup.`,
  )
}
