/** Looks for damage in files that are not open. */
import { existsSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { CONFIG_MIGRATIONS } from '../migrations/config.ts'
import { isOfDevelopment, type Migration, newestOf } from '../migrations/migration.ts'
import { KEY_MIGRATIONS, RECORD_MIGRATIONS } from '../migrations/records.ts'
import { schemaVersionIn } from './migrate.ts'

/** Result codes of SQLite that say nothing of the file: BUSY, LOCKED, NOMEM, READONLY, IOERR, FULL, CANTOPEN. */
const NOT_THE_FILE = new Set([5, 6, 7, 8, 10, 13, 14])
const TIMEOUT_MS = 1000

/** What is wrong with the file of idempotency keys; null when it is sound, missing, or cannot be reached. */
export function faultOfKeys(file: string): string | null {
  return faultOf(file, (database) => {
    if (isEmpty(database)) return
    demandVersion(database, KEY_MIGRATIONS)
    const rows = database.prepare('select key, fingerprint, until, state, sealed from keys').all()
    const isSound = rows.every(
      ({ key, fingerprint, until, state, sealed }) =>
        typeof key === 'string' &&
        typeof fingerprint === 'string' &&
        typeof until === 'number' &&
        (state === 'answered' ? sealed instanceof Uint8Array : state === 'open' || state === 'unkept'),
    )
    if (!isSound) throw new Error('a row is not as it was written')
    quickCheck(database)
  })
}

/**
 * What is wrong with the file of records, as far as a start needs it; null when it is sound, missing, or cannot be reached.
 * The records themselves are not read: there may be many gigabytes of them.
 */
export function faultOfRecords(file: string): string | null {
  return faultOf(file, (database) => {
    if (isEmpty(database)) return
    demandVersion(database, RECORD_MIGRATIONS)
    database.prepare('select key, period, count from quotas').all()
    database
      .prepare('select id, min_time, max_time, rows, classes, agents from blocks order by id desc limit 1')
      .all()
    database.prepare('select max_time from blocks order by max_time limit 1').all()
    database.prepare('select rows from blocks order by rows limit 1').all()
  })
}

/** What SQLite finds wrong with a file; null when it is sound, missing, or cannot be reached. Reads the whole file. */
export function faultOfDatabase(file: string): string | null {
  return faultOf(file, quickCheck)
}

const STEPS = { config: CONFIG_MIGRATIONS, keys: KEY_MIGRATIONS, records: RECORD_MIGRATIONS } as const

/** The version of the schema of a file, and the newest that is known; null when the file is missing, empty or cannot be read. */
export function schemaOf(file: string, kind: keyof typeof STEPS): { version: number; newest: number } | null {
  const found = schemaVersionIn(file)
  return found && { version: found.version, newest: newestOf(STEPS[kind]) }
}

function faultOf(file: string, judge: (database: DatabaseSync) => void): string | null {
  if (!existsSync(file)) return null
  let database: DatabaseSync | undefined
  try {
    database = new DatabaseSync(file, { readOnly: true, timeout: TIMEOUT_MS })
    judge(database)
    return null
  } catch (error) {
    const code = error instanceof Error && 'errcode' in error ? Number(error.errcode) & 0xff : 0
    return NOT_THE_FILE.has(code) ? null : (error as Error).message
  } finally {
    database?.close()
  }
}

function quickCheck(database: DatabaseSync): void {
  const [found] = Object.values(database.prepare('pragma quick_check(1)').get() ?? {})
  if (found !== 'ok') throw new Error(String(found))
}

/** It was made, and the process ended before it was filled. */
function isEmpty(database: DatabaseSync): boolean {
  return database.prepare('select 1 from sqlite_schema limit 1').get() === undefined
}

/**
 * A file of a newer version is refused where it is opened, with a sentence of its own. A converted file lists the versions of
 * development too.
 */
function demandVersion(database: DatabaseSync, steps: readonly Migration[]): void {
  const rows = database.prepare('select version, name from schema_versions').all()
  const isKnown = rows.every(
    ({ version, name }) =>
      isOfDevelopment({ version: Number(version) }, steps) ||
      Number(version) > newestOf(steps) ||
      steps.some((step) => step.version === version && step.name === name),
  )
  if (!isKnown) throw new Error('its schema is none that was ever written')
}
