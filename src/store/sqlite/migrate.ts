import type { DatabaseSync } from 'node:sqlite'
import { CannotStart } from '../../base/cannot-start.ts'
import type { Migration } from '../migrations/migration.ts'

/**
 * Brings a database to the newest version, each step in its own transaction. Throws {@link CannotStart} when a
 * newer Postern has written it: reading it by older rules could lose what those rules do not know.
 */
export function migrate(database: DatabaseSync, file: string, steps: readonly Migration[]): void {
  database.exec(
    'create table if not exists schema_versions (version integer primary key, name text not null, applied_at text not null) strict',
  )
  const row = database.prepare('select max(version) as version from schema_versions').get()
  const found = Number(row?.['version'] ?? 0)
  const newest = steps.at(-1)?.version ?? 0
  if (found > newest)
    throw new CannotStart(
      `${file} has schema version ${found}, and this Postern knows versions up to ${newest}; start the newer Postern that wrote it, or restore a backup.`,
    )
  for (const step of steps) if (step.version > found) apply(database, step)
}

function apply(database: DatabaseSync, step: Migration): void {
  database.exec('begin immediate')
  try {
    for (const statement of step.statements) database.exec(statement)
    step.finish?.(database)
    database
      .prepare('insert into schema_versions (version, name, applied_at) values (?, ?, ?)')
      .run(step.version, step.name, new Date().toISOString())
    database.exec('commit')
  } catch (error) {
    // SQLite has rolled back by itself on some errors, such as a full disk
    if (database.isTransaction) database.exec('rollback')
    throw error
  }
}
