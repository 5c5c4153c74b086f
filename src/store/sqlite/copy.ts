/** Copies of a store, as it is at one moment. */
import { closeSync, openSync } from 'node:fs'
import { backup, DatabaseSync } from 'node:sqlite'
import { CONFIG_MIGRATIONS } from '../migrations/config.ts'
import { firstOf, newestOf } from '../migrations/migration.ts'
import type { StoreFacts } from '../ports/places.ts'
import { schemaVersionOf } from './migrate.ts'

/** Pages that are copied at a stretch. */
const STRETCH = 2000

/** The oldest and the newest version of the schema that this Postern knows. */
export const SCHEMA_VERSIONS = { first: firstOf(CONFIG_MIGRATIONS), newest: newestOf(CONFIG_MIGRATIONS) }

/**
 * Copies a store as it stands at one moment into a file of its own. Who writes it goes on: a reader of a write-ahead
 * log waits for nobody, and nobody waits for it. The copy is one file, without side files. Throws as SQLite does.
 */
export async function copyStore(
  from: string,
  to: string,
  progress: (part: number) => void = () => {},
): Promise<void> {
  const source = new DatabaseSync(from, { readOnly: true, timeout: 5000 })
  try {
    // What others write from here on is not seen, and so does not make the copy begin again
    source.exec('begin')
    source.prepare('select count(*) from sqlite_schema').get()
    closeSync(openSync(to, 'wx', 0o600))
    await backup(source, to, {
      rate: STRETCH,
      progress: ({ totalPages, remainingPages }) => progress(1 - remainingPages / Math.max(1, totalPages)),
    })
  } finally {
    source.close()
  }
  const copy = new DatabaseSync(to)
  try {
    copy.exec('pragma journal_mode = delete')
    refuseDamage(copy)
    progress(1)
  } finally {
    copy.close()
  }
}

/** Reads what a configuration store says of itself. Throws for a file that is none, or is damaged. */
export function readStoreFacts(file: string): StoreFacts {
  const database = new DatabaseSync(file, { readOnly: true, timeout: 5000 })
  try {
    refuseDamage(database)
    const one = (statement: string): unknown => Object.values(database.prepare(statement).get() ?? {})[0]
    const meta = new Map(
      database
        .prepare('select name, value from meta')
        .all()
        .map(({ name, value }) => [String(name), String(value)]),
    )
    const { version, compatibleFrom } = schemaVersionOf(database)
    return {
      schemaVersion: version,
      compatibleFrom,
      revision: Number(meta.get('config_revision') ?? 0),
      auditSeq: Number(one('select max(seq) from audit') ?? 0),
      nodes: [],
      meta: (key) => meta.get(key),
    }
  } finally {
    database.close()
  }
}

/** Throws where pages of it are damaged. */
export function refuseDamage(database: DatabaseSync): void {
  const [found] = Object.values(database.prepare('pragma quick_check(1)').get() ?? {})
  if (found !== 'ok') throw new Error(`it is damaged: ${String(found)}`)
}
