/** Reads all tables of a database as they are at one moment, and fills a database in one transaction. */
import { type DatabaseAddress, shownDatabase } from '../../base/net/database-url.ts'
import { CannotStart } from '../../base/refusal.ts'
import { CONFIG_MIGRATIONS } from '../migrations/config.ts'
import { type Migration, newestOf } from '../migrations/migration.ts'
import { RECORD_MIGRATIONS } from '../migrations/records.ts'
import { SHARED_STATE_MIGRATIONS } from '../migrations/shared-state.ts'
import type { ConfigStore } from '../ports/config.ts'
import { LIVE_MS } from '../ports/nodes.ts'
import type {
  SchemaUpgrade,
  TransferFile,
  TransferSink,
  TransferSource,
  TransferTable,
  TransferValue,
} from '../ports/transfer.ts'
import { StoreUnavailable } from '../ports/unavailable.ts'
import { createConfigStore } from '../sql/config.ts'
import type { ConfigTables } from '../sql/tables.ts'
import {
  CONFIG_TRANSFER,
  charsOf,
  copyTables,
  isCopied,
  PIECE_CHARS,
  PIECE_ROWS,
  QUOTA_TRANSFER,
  quoted,
  selectRows,
} from '../sql/transfer.ts'
import { POSTGRES } from './config.ts'
import { type PgClient, type PgPool, SCHEMA, withPool } from './connection.ts'
import { inTransaction, type Kind, LOCKS, migrateIn, schemaVersionOf, versionToUse } from './migrate.ts'
import { kyselyOver } from './queries.ts'
import { nodesIn } from './shared-state/nodes.ts'

/** How long a lock of the database is waited for, milliseconds: less than one statement may take. */
const LOCK_MS = 20_000
/** Rows that a cursor gives at first; then as many as fit into a piece. */
const FIRST_ROWS = 100

/** Reads a database in one transaction, which ends with the work. Throws {@link CannotStart} for a schema that this program cannot copy. */
function readDatabase<T>(address: DatabaseAddress, work: (source: TransferSource) => Promise<T>): Promise<T> {
  const shown = shownDatabase(address)
  return onDatabase(address, async (pool) => {
    const { version } = await versionToUse(pool, 'config', CONFIG_MIGRATIONS, shown)
    if (version === 0) throw new CannotStart(`${shown} has no tables of Postern.`)
    const newest = newestOf(CONFIG_MIGRATIONS)
    if (version > newest)
      throw new CannotStart(
        `${shown} has schema version ${version}, and this Postern copies versions up to ${newest}. Use the newer Postern.`,
      )
    return inTransaction(pool, async (client) => {
      await client.query('set transaction isolation level repeatable read, read only')
      await prepare(client)
      return work({ schemaVersion: version, ...readerOf(client) })
    })
  })
}

/** Copies a database, as it is at one moment, into a file that another engine makes. */
export async function copyDatabase(
  address: DatabaseAddress,
  file: string,
  makeFile: (file: string, schemaVersion: number) => Promise<TransferFile>,
  progress: (part: number) => void = () => {},
): Promise<void> {
  await readDatabase(address, async (source) => {
    const copy = await makeFile(file, source.schemaVersion)
    try {
      await copyTables(source, copy, CONFIG_TRANSFER, progress)
      copy.finish()
    } finally {
      copy.close()
    }
  })
}

/** What `fillDatabase` gives to its work. */
export interface DatabaseSink extends TransferSink {
  /** Reads what was put. It writes nothing, and needs no end. */
  readonly store: ConfigStore
}

/**
 * Fills a database without rows, in one transaction that ends with the work. Makes the tables where they are missing. Throws
 * {@link CannotStart} where there are rows.
 * @param isDryRun rolls back after the work
 */
export function fillDatabase<T>(
  address: DatabaseAddress,
  { isDryRun, schemaVersion }: { readonly isDryRun: boolean; readonly schemaVersion: number },
  work: (sink: DatabaseSink) => Promise<T>,
): Promise<T> {
  const shown = shownDatabase(address)
  return onDatabase(address, async (pool) => {
    await versionToUse(pool, 'config', CONFIG_MIGRATIONS, shown)
    return inTransaction(
      pool,
      async (client) => {
        await prepare(client)
        for (const [kind, steps] of KINDS) await migrateIn(client, kind, steps, shown)
        await enterLanes(client)
        const { rows } = await client.query(
          'select max(version) as version from schema_versions where kind = $1',
          ['config'],
        )
        if (Number(rows[0]?.['version']) !== schemaVersion)
          throw new CannotStart(
            `${shown} has schema version ${rows[0]?.['version']}, and the files have version ${schemaVersion}. Use the Postern that made the tables.`,
          )
        // An instance that is started now waits for the end, and sees what was written. First: the tables of one that runs are no left-over
        const live = (await nodesIn(client)).filter(({ silentMs }) => silentMs < LIVE_MS)
        if (live.length > 0)
          throw new CannotStart(
            `${shown} is in use by ${live.map(({ name }) => name).join(' and ')}. Use an empty database.`,
          )
        await demandEmpty(client, shown)
        const result = await work({
          ...readerOf(client),
          refuses: '\0',
          put: putter(client, shown),
          store: storeIn(client),
        })
        return result
      },
      { end: isDryRun ? 'rollback' : 'commit' },
    )
  })
}

/**
 * A value of `meta`; undefined where there is none. A transaction that fills the database is waited for, because its end may not have
 * reached the process that began it.
 */
export function metaOf(address: DatabaseAddress, name: string): Promise<string | undefined> {
  return onDatabase(address, async (pool) => {
    if ((await schemaVersionOf(pool, 'config')).version === 0) {
      // The tables may be made by that transaction
      await inTransaction(pool, async (client) => {
        await prepare(client)
        await client.query(`select pg_advisory_xact_lock(${LOCKS.migration}, 0)`)
      })
      if ((await schemaVersionOf(pool, 'config')).version === 0) return undefined
    }
    return inTransaction(pool, async (client) => {
      await prepare(client)
      await enterLanes(client)
      const { rows } = await client.query('select value from meta where name = $1', [name])
      return rows[0] === undefined ? undefined : String(rows[0]['value'])
    })
  })
}

/** All that has tables in a database. */
const KINDS = (
  Object.entries({
    config: CONFIG_MIGRATIONS,
    records: RECORD_MIGRATIONS,
    shared_state: SHARED_STATE_MIGRATIONS,
  }) as [Kind, readonly Migration[]][]
).filter(([, steps]) => steps.every(({ postgres }) => postgres !== undefined))

/**
 * Makes the tables, or brings them to the newest version, and lets a role use them.
 * @param role null for none. Throws {@link CannotStart} where it does not exist
 */
export function upgradeDatabase(address: DatabaseAddress, role: string | null): Promise<SchemaUpgrade> {
  const shown = shownDatabase(address)
  return onDatabase(address, async (pool) => {
    const before = await versionToUse(pool, 'config', CONFIG_MIGRATIONS, shown)
    return inTransaction(pool, async (client) => {
      await client.query(`set local lock_timeout = ${LOCK_MS}`)
      for (const [kind, steps] of KINDS) await migrateIn(client, kind, steps, shown)
      if (role !== null) await grant(client, role, shown)
      return {
        database: shown,
        schema: SCHEMA,
        from: before.version,
        to: newestOf(CONFIG_MIGRATIONS),
        granted_to: role,
      }
    })
  })
}

async function grant(client: PgClient, role: string, shown: string): Promise<void> {
  const { rows } = await client.query(
    'select quote_ident(rolname) as name from pg_roles where rolname = $1',
    [role],
  )
  const name = rows[0]?.['name']
  if (typeof name !== 'string')
    throw new CannotStart(
      `${shown} has no role ${role}. Create the user of the instance first (create user).`,
    )
  for (const statement of [
    `grant usage on schema ${SCHEMA} to ${name}`,
    `grant select, insert, update, delete on all tables in schema ${SCHEMA} to ${name}`,
    `grant usage on all sequences in schema ${SCHEMA} to ${name}`,
  ])
    await client.query(statement)
}

/** Throws {@link CannotStart} where the database cannot be used. */
async function onDatabase<T>(address: DatabaseAddress, work: (pool: PgPool) => Promise<T>): Promise<T> {
  try {
    return await withPool(address, work)
  } catch (error) {
    if (!(error instanceof StoreUnavailable)) throw error
    throw new CannotStart(`${String(error.facts.inner)}.`, error)
  }
}

/** Names are of the schema, and neither a long pause nor a long statement ends the transaction. */
async function prepare(client: PgClient): Promise<void> {
  await client.query(
    `set local search_path to ${SCHEMA}; set local lock_timeout = ${LOCK_MS}; set local idle_in_transaction_session_timeout = 0; set local statement_timeout = 0`,
  )
}

/** Keeps out all processes that write, until the transaction ends. */
async function enterLanes(client: PgClient): Promise<void> {
  for (const lock of [LOCKS.configuration, LOCKS.oauth])
    await client.query(`select pg_advisory_xact_lock(${lock}, 0)`)
}

async function demandEmpty(client: PgClient, shown: string): Promise<void> {
  for (const table of [...CONFIG_TRANSFER, ...QUOTA_TRANSFER]) {
    if (table.isSeeded === true) continue
    const name = nameOf(table)
    const { rows } = await client.query(`select 1 from ${name} where ${isCopied(table)} limit 1`)
    if (rows.length > 0)
      throw new CannotStart(
        `${shown} is not empty: table ${SCHEMA}.${name} has rows. Use an empty database. If nothing uses these tables, delete them with: drop schema ${SCHEMA} cascade`,
      )
  }
}

/** The name of a table in a database. */
function nameOf({ name, there = name }: TransferTable): string {
  return there
}

function putter(client: PgClient, shown: string): TransferSink['put'] {
  return async (table, columns, rows) => {
    const isGuarded = table.name === 'audit_anchors'
    if (table.isSeeded === true) await client.query(`delete from ${nameOf(table)}`)
    // Its guard asks for entries that retention has removed
    if (isGuarded) await guard(client, table, 'disable', shown)
    const places = rows.map(
      (_, row) => `(${columns.map((_, column) => `$${row * columns.length + column + 1}`).join(', ')})`,
    )
    await client.query(
      `insert into ${nameOf(table)} (${columns.map(quoted).join(', ')}) values ${places.join(', ')}`,
      rows.flat(),
    )
    if (isGuarded) await guard(client, table, 'enable', shown)
  }
}

async function guard(
  client: PgClient,
  { name }: TransferTable,
  state: 'enable' | 'disable',
  shown: string,
): Promise<void> {
  try {
    await client.query(`alter table ${name} ${state} trigger user`)
  } catch (error) {
    if (((error as Error).cause as { code?: unknown } | undefined)?.code !== '42501') throw error
    throw new CannotStart(
      `${shown}: only the owner of the tables can copy an audit trail from which retention has removed entries. Migrate as the user that made the tables (postern migrate-schema), and start the instance with its own user.`,
      error,
    )
  }
}

function readerOf(client: PgClient): Omit<TransferSource, 'schemaVersion'> {
  return {
    async columns(table) {
      const { rows } = await client.query(
        `select attname as name from pg_attribute where attrelid = $1::regclass and attnum > 0 and not attisdropped order by attname collate "C"`,
        [`${SCHEMA}.${nameOf(table)}`],
      )
      return rows.map((row) => String(row['name']))
    },
    count: async (table) =>
      Number((await client.query(`select count(*) as n from ${nameOf(table)}`)).rows[0]?.['n']),
    async *rows(table, columns, order) {
      await client.query(
        `declare transfer no scroll cursor for ${selectRows({ ...table, name: nameOf(table) }, columns, order)}`,
      )
      for (let wanted = FIRST_ROWS; ; ) {
        const { rows } = await client.query(`fetch forward ${wanted} from transfer`)
        // Columns are texts, whole numbers or bytes
        const piece = rows.map((row) => columns.map((column) => row[column] as TransferValue))
        if (piece.length > 0) yield piece
        if (piece.length < wanted) break
        const chars = piece.reduce((sum, row) => sum + charsOf(row), 0)
        wanted = Math.max(
          1,
          Math.min(PIECE_ROWS, Math.floor((PIECE_CHARS * piece.length) / Math.max(1, chars))),
        )
      }
      await client.query('close transfer')
    },
  }
}

/** A store that reads inside of the transaction of a client. */
function storeIn(client: PgClient): ConfigStore {
  const db = kyselyOver<ConfigTables>({
    connect: async () => ({ ...client, release() {} }),
    end: async () => {},
    on() {},
  })
  return createConfigStore(
    {
      dialect: POSTGRES,
      isShared: true,
      reading: db,
      transaction: () => Promise.reject(new Error('a store that is only read')),
      joinOAuth: async () => {},
      still: (work) => work(db),
      failed() {},
      fault: null,
      probe: async () => {},
      close: async () => {},
    },
    null,
  )
}
