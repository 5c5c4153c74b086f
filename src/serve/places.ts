/**
 * The database engines that keep the data of instances. No other module names an engine, and no other module outside of
 * `store` imports one.
 */
import { existsSync } from 'node:fs'
import { type DatabaseAddress, shownDatabase } from '../base/net/database-url.ts'
import type { EventTable, NodeTable } from '../store/ports/nodes.ts'
import type { StorePlaces } from '../store/ports/places.ts'
import type { ConfigMove, SchemaUpgrade } from '../store/ports/transfer.ts'
import type { LookAtValkey, Valkey } from '../store/ports/valkey.ts'
import { configPlace, recordsPlace } from '../store/postgres/places.ts'
import type { SharedDatabase } from '../store/postgres/shared-state/database.ts'
import type { SharedRows } from '../store/postgres/shared-state/rows.ts'
import { sqlitePlaces } from '../store/sqlite/places.ts'

/** Files of the data directory. */
export const PLACES: StorePlaces = sqlitePlaces

/** Where an instance keeps its data. @param database null for files alone */
export function placesOf(database: DatabaseAddress | null): StorePlaces {
  return database === null
    ? PLACES
    : {
        ...PLACES,
        config: () => configPlace(database, makeFile),
        records: () => recordsPlace(database),
      }
}

const makeFile = async (...of: Parameters<typeof import('../store/sqlite/transfer.ts').makeFile>) =>
  (await import('../store/sqlite/transfer.ts')).makeFile(...of)

/** The move of a data directory to a database. @param files of configuration, and of request records, which may be missing */
export async function moveOf(
  files: { readonly config: string; readonly records: string },
  database: DatabaseAddress,
): Promise<ConfigMove> {
  const { fillDatabase, metaOf } = await import('../store/postgres/transfer.ts')
  const { CONFIG_TRANSFER, QUOTA_TRANSFER, transferTables } = await import('../store/sql/transfer.ts')
  const { openFileSource } = await import('../store/sqlite/transfer.ts')
  return {
    to: shownDatabase(database),
    async run({ isDryRun, progress, check }) {
      using sources = new DisposableStack()
      const source = sources.adopt(openFileSource(files.config), (one) => one.close())
      const quotas = existsSync(files.records)
        ? sources.adopt(openFileSource(files.records, 'records'), (one) => one.close())
        : null
      const { schemaVersion } = source
      return await fillDatabase(database, { isDryRun, schemaVersion }, async (sink) => {
        const tables = await transferTables(source, sink, CONFIG_TRANSFER, progress)
        // Few rows, of which nothing need be told
        const counted = quotas === null ? [] : await transferTables(quotas, sink, QUOTA_TRANSFER, () => {})
        await check(sink.store)
        return [...tables, ...counted]
      })
    },
    meta: (name) => metaOf(database, name),
  }
}

/** What the nodes on a database share beside configuration and records. */
export async function openShared(database: DatabaseAddress): Promise<SharedDatabase> {
  return (await import('../store/postgres/shared-state/database.ts')).openSharedDatabase(database)
}

/** As `createSharedRows`. */
export async function openSharedRows(
  ...of: Parameters<typeof import('../store/postgres/shared-state/rows.ts').createSharedRows>
): Promise<SharedRows> {
  return (await import('../store/postgres/shared-state/rows.ts')).createSharedRows(...of)
}

/** The nodes on a database. @param direct for notices, past a pooler */
export async function openNodeTable(shared: SharedDatabase, direct: DatabaseAddress): Promise<NodeTable> {
  return (await import('../store/postgres/shared-state/nodes.ts')).createNodeTable(shared, direct)
}

/** What these nodes tell each other. */
export async function openEventTable(shared: SharedDatabase): Promise<EventTable> {
  return (await import('../store/postgres/shared-state/nodes.ts')).createEventTable(shared)
}

/** Makes the tables of a database, or brings them to the newest version. @param role that may use them; null for none */
export async function upgradeSchema(database: DatabaseAddress, role: string | null): Promise<SchemaUpgrade> {
  const { upgradeDatabase } = await import('../store/postgres/transfer.ts')
  return upgradeDatabase(database, role)
}

/** Waits for the lock of a file and holds it until the answer is called; for the context file of the command line. */
export async function lockFile(file: string): Promise<() => void> {
  const { lockFile: lock } = await import('../store/sqlite/directory-lock.ts')
  return lock(file)
}

/** As `openValkey` of store/valkey. */
export async function openValkey(
  ...of: Parameters<typeof import('../store/valkey/valkey.ts').openValkey>
): Promise<Valkey> {
  return (await import('../store/valkey/valkey.ts')).openValkey(...of)
}

export const lookAtValkey: LookAtValkey = async (address) =>
  (await import('../store/valkey/look.ts')).lookAtValkey(address)

/** As `convertDevelopmentStores`. It goes away after 0.1.0. */
export async function convertStores(
  ...files: Parameters<typeof import('../store/sqlite/converter.ts').convertDevelopmentStores>
): Promise<void> {
  const { convertDevelopmentStores } = await import('../store/sqlite/converter.ts')
  convertDevelopmentStores(...files)
}
