/** Brings a database to the newest schema. */
import { statSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { CannotStart } from '../../base/refusal.ts'
import {
  isOfDevelopment,
  type Migration,
  mayOpen,
  NO_SCHEMA,
  newestOf,
  type SchemaVersion,
} from '../migrations/migration.ts'

const READ_MS = 1000

/** Runs a data step on a database. */
type RunData = (database: DatabaseSync, run: NonNullable<Migration['run']>) => void

/**
 * Brings a database to the newest version, each step in its own transaction; a new database in one. One of a newer Postern
 * that allows this one is opened as it is. Throws {@link CannotStart} for any other newer one, since reading it by older rules
 * could lose what those rules do not know, and for one of a development version.
 * @param runData for steps with a data step; apart, so that a thread without such steps loads no query builder
 */
export function migrate(
  database: DatabaseSync,
  file: string,
  steps: readonly Migration[],
  runData?: RunData,
): void {
  database.exec(
    'create table if not exists schema_versions (version integer primary key, name text not null, applied_at text not null, compatible_from integer) strict',
  )
  const found = schemaVersionOf(database)
  demandKnown(found, file, steps)
  const due = steps.filter(({ version }) => version > found.version)
  const applyAll = (some: readonly Migration[]): void =>
    inTransaction(database, () => {
      for (const step of some) apply(database, step, runData)
    })
  // A new file has nothing that a failed step could hold up, and each commit waits for the disk
  if (found.version === 0) applyAll(due)
  else for (const step of due) applyAll([step])
}

/**
 * Throws {@link CannotStart} for a file of a newer Postern that does not allow this one, or of a development version, and leaves it as it is: opening it for writing
 * would set its journal mode and empty its write-ahead log. What cannot be read says nothing here; opening it does.
 */
export function refuseNewer(file: string, steps: readonly Migration[]): void {
  const found = schemaVersionIn(file)
  if (found !== null) demandKnown(found, file, steps)
}

/** The version of a file that is not open; null when it is missing, empty, or cannot be read. */
export function schemaVersionIn(file: string): SchemaVersion | null {
  if ((statSync(file, { throwIfNoEntry: false })?.size ?? 0) === 0) return null
  let database: DatabaseSync | undefined
  try {
    database = new DatabaseSync(file, { readOnly: true, timeout: READ_MS })
    return schemaVersionOf(database)
  } catch {
    return null
  } finally {
    database?.close()
  }
}

/** The version of a database that was migrated. Throws as SQLite does where it was not. */
export function schemaVersionOf(database: DatabaseSync): SchemaVersion {
  // All columns: a file that this program has not written may lack the last one
  const row = database.prepare('select * from schema_versions order by version desc limit 1').get()
  if (row === undefined) return NO_SCHEMA
  const version = Number(row['version'])
  return { version, compatibleFrom: Number(row['compatible_from'] ?? version) }
}

function demandKnown(found: SchemaVersion, file: string, steps: readonly Migration[]): void {
  if (isOfDevelopment(found, steps))
    throw new CannotStart(
      `${file} was written by a development version (schema ${found.version}). Start Postern with its data directory: a start converts it, or says what to do.`,
    )
  if (!mayOpen(found, steps))
    throw new CannotStart(
      `${file} has schema version ${found.version}, and this Postern knows versions up to ${newestOf(steps)}; start the newer Postern that wrote it, or restore a backup.`,
    )
}

function apply(
  database: DatabaseSync,
  { version, name, sqlite, run, compatibleFrom = version }: Migration,
  runData?: RunData,
): void {
  for (const statement of sqlite) database.exec(statement)
  if (run !== undefined) {
    if (runData === undefined) throw new Error(`Step ${version} has a data step, and nothing runs it.`)
    runData(database, run)
  }
  database
    .prepare('insert into schema_versions (version, name, applied_at, compatible_from) values (?, ?, ?, ?)')
    .run(version, name, new Date().toISOString(), compatibleFrom)
}

/** Does all of it or nothing. */
export function inTransaction(db: DatabaseSync, work: () => void): void {
  db.exec('BEGIN IMMEDIATE')
  try {
    work()
    db.exec('COMMIT')
  } catch (error) {
    // SQLite rolls back by itself on some errors, such as a full disk.
    if (db.isTransaction) db.exec('ROLLBACK')
    throw error
  }
}

/** Primary result codes IOERR, FULL and CANTOPEN: the disk has no room for the shared memory of the write-ahead log. */
const NO_ROOM = new Set([10, 13, 14])

/**
 * Opens a file in WAL mode that no other connection uses. SQLite makes a file of shared memory for it, which a full disk
 * refuses; then the connection keeps the file to itself, and needs none.
 */
export function openAlone(file: string, timeoutMs: number): DatabaseSync {
  const shared = new DatabaseSync(file, { timeout: timeoutMs })
  try {
    return read(shared)
  } catch (error) {
    shared.close()
    if (!NO_ROOM.has(Number((error as { errcode?: unknown }).errcode) & 0xff)) throw error
  }
  const alone = new DatabaseSync(file, { timeout: timeoutMs })
  try {
    alone.exec('pragma locking_mode = exclusive')
    return read(alone)
  } catch (error) {
    alone.close()
    throw error
  }
}

function read(database: DatabaseSync): DatabaseSync {
  database.prepare('select count(*) from sqlite_schema').get()
  return database
}
