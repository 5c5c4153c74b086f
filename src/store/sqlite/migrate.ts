import { statSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { CannotStart } from '../../base/cannot-start.ts'
import type { Migration } from '../migrations/migration.ts'

const READ_MS = 1000

/** Runs a data step on a database. */
type RunData = (database: DatabaseSync, run: NonNullable<Migration['run']>) => void

/**
 * Brings a database to the newest version, each step in its own transaction. Throws {@link CannotStart} when a
 * newer Postern has written it: reading it by older rules could lose what those rules do not know.
 * @param runData for steps with a data step; apart, so that a thread without such steps loads no query builder
 */
export function migrate(
  database: DatabaseSync,
  file: string,
  steps: readonly Migration[],
  runData?: RunData,
): void {
  database.exec(
    'create table if not exists schema_versions (version integer primary key, name text not null, applied_at text not null) strict',
  )
  const found = versionOf(database)
  demandKnown(found, file, steps)
  for (const step of steps) if (step.version > found) apply(database, step, runData)
}

/**
 * Throws {@link CannotStart} for a file that a newer Postern has written, and leaves it as it is: opening it for writing would set
 * its journal mode and empty its write-ahead log. What cannot be read says nothing here; opening it does.
 */
export function refuseNewer(file: string, steps: readonly Migration[]): void {
  if ((statSync(file, { throwIfNoEntry: false })?.size ?? 0) === 0) return
  let found = 0
  let database: DatabaseSync | undefined
  try {
    database = new DatabaseSync(file, { readOnly: true, timeout: READ_MS })
    found = versionOf(database)
  } catch {
    return
  } finally {
    database?.close()
  }
  demandKnown(found, file, steps)
}

function versionOf(database: DatabaseSync): number {
  const row = database.prepare('select max(version) as version from schema_versions').get()
  return Number(row?.['version'] ?? 0)
}

function demandKnown(found: number, file: string, steps: readonly Migration[]): void {
  const newest = steps.at(-1)?.version ?? 0
  if (found > newest)
    throw new CannotStart(
      `${file} has schema version ${found}, and this Postern knows versions up to ${newest}; start the newer Postern that wrote it, or restore a backup.`,
    )
}

function apply(database: DatabaseSync, { version, name, sqlite, run }: Migration, runData?: RunData): void {
  database.exec('begin immediate')
  try {
    for (const statement of sqlite) database.exec(statement)
    if (run !== undefined) {
      if (runData === undefined) throw new Error(`Step ${version} has a data step, and nothing runs it.`)
      runData(database, run)
    }
    database
      .prepare('insert into schema_versions (version, name, applied_at) values (?, ?, ?)')
      .run(version, name, new Date().toISOString())
    database.exec('commit')
  } catch (error) {
    // SQLite has rolled back by itself on some errors, such as a full disk
    if (database.isTransaction) database.exec('rollback')
    throw error
  }
}
