/**
 * Brings the stores of the last development versions, commit {@link THROUGH} and those after it, to the first step of their schemas.
 * It goes away after 0.1.0, and nothing else knows of it but one call at start.
 *
 * 1. The tables of those versions are those of the first step, so that no row is copied or changed: a file is converted by one row in
 *    its list of versions. Fragments in `config.db` and `serving.db` are compiled anew, because another compiler has made them.
 * 2. A process that is killed leaves each file whole, old or new, and the next start goes on.
 * 3. The row names a version that {@link THROUGH} does not know and may not open, so that it refuses a converted file.
 * 4. Where a file is older, or one cannot be written, nothing is changed in any.
 */
import { statSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import type { AccessFault } from '../../base/files.ts'
import { CannotStart } from '../../base/refusal.ts'
import { CONFIG_MIGRATIONS } from '../migrations/config.ts'
import { isOfDevelopment, type Migration } from '../migrations/migration.ts'
import { RECORD_MIGRATIONS } from '../migrations/records.ts'
import { mendSideFiles } from './fault.ts'

/** The commit on main whose stores are converted. */
const THROUGH = '15150e42'

/** The steps of a schema, and the last of development: of {@link THROUGH}, and of a few commits after it. */
interface DevelopmentSchema {
  readonly steps: readonly Migration[]
  readonly last: readonly Pick<Migration, 'version' | 'name'>[]
}

const CONFIG: DevelopmentSchema = {
  steps: CONFIG_MIGRATIONS,
  last: [
    { version: 25, name: 'lists in the order of the last change' },
    { version: 1, name: 'configuration and audit in one step' },
  ],
}
const RECORDS: DevelopmentSchema = {
  steps: RECORD_MIGRATIONS,
  last: [
    { version: 7, name: 'rollups' },
    { version: 1, name: 'records, quotas and rollups' },
  ],
}

const BUSY_MS = 5000

/** The paths of the files of a data directory that this process has locked. */
interface ConvertedFiles {
  readonly config: string
  readonly records: string
  readonly keys: string
}

type Log = (level: 'info', message: string) => void

/**
 * Converts the files that the last development versions wrote. Does nothing for others, and for files that cannot be read. Throws
 * {@link CannotStart} for an older file, and for one that is in use or may not be written, before any file is changed.
 * @param readOnly why the data directory may not be written; null when it may
 * @param busyMs how long to wait for another program that uses a file
 */
export function convertDevelopmentStores(
  { config, records, keys }: ConvertedFiles,
  readOnly: AccessFault | null,
  log: Log,
  busyMs = BUSY_MS,
): void {
  const found = [
    { file: records, schema: RECORDS },
    { file: config, schema: CONFIG },
  ]
  const due = found.flatMap(({ file, schema }) => {
    const version = versionDue(file, schema)
    return version === null ? [] : [{ file, version, first: schema.steps[0]! }]
  })
  if (readOnly !== null) {
    if (due.length === 0) return
    throw new CannotStart(
      `${due[0]!.file} is of a development version and must be converted, but ${readOnly.found}. ${readOnly.fix}.`,
    )
  }
  for (const { file } of due)
    attempt(file, busyMs, (database) => {
      database.exec('begin immediate')
      database.exec('rollback')
    })
  addCompatibleFrom(keys)
  for (const { file, version, first } of due) {
    const versions = `from development schema ${version} to schema ${first.version}`
    log('info', `${file} is upgraded ${versions} now. Do not stop Postern.`)
    const begun = performance.now()
    attempt(file, busyMs, (database) => {
      database.exec('pragma journal_mode = wal; pragma synchronous = full')
      database
        .prepare(
          'insert into schema_versions (version, name, applied_at, compatible_from) values (?, ?, ?, ?)',
        )
        .run(first.version, first.name, new Date().toISOString(), first.version)
    })
    log('info', `${file} was upgraded ${versions} in ${Math.round(performance.now() - begun)} ms.`)
  }
}

/** The schema of idempotency keys has been version 1 throughout; files of earlier programs lack a column of the list of versions. */
function addCompatibleFrom(keys: string): void {
  if (stepsIn(keys).length === 0) return
  let database: DatabaseSync | undefined
  try {
    mendSideFiles(keys)
    database = new DatabaseSync(keys, { timeout: BUSY_MS })
    const columns = database.prepare("select name from pragma_table_info('schema_versions')").all()
    if (columns.every(({ name }) => name !== 'compatible_from'))
      database.exec('alter table schema_versions add column compatible_from integer')
  } catch {
    // It can be opened as it is, and what opens it says what is wrong
  } finally {
    database?.close()
  }
}

function attempt(file: string, busyMs: number, work: (database: DatabaseSync) => void): void {
  let database: DatabaseSync | undefined
  try {
    mendSideFiles(file)
    database = new DatabaseSync(file, { timeout: busyMs })
    work(database)
  } catch (error) {
    throw new CannotStart(
      `${file} is of a development version and cannot be converted: ${(error as Error).message}. End what else uses it, see that this user may write it and that the disk has room, and start again.`,
      error,
    )
  } finally {
    database?.close()
  }
}

/** The version of a file that is to be converted; null for another. */
function versionDue(file: string, { steps, last }: DevelopmentSchema): number | null {
  const newest = stepsIn(file).at(-1)
  if (newest === undefined || !isOfDevelopment(newest, steps)) return null
  if (last.some(({ version, name }) => version === newest.version && name === newest.name))
    return newest.version
  throw new CannotStart(
    newest.version < last[0]!.version
      ? `${file} was written by an earlier development version (schema ${newest.version}). Start commit ${THROUGH} once on it, then start this version.`
      : `${file} was written by a development version (schema ${newest.version}) that this version does not know. Restore a backup of commit ${THROUGH} with that commit, start that commit once on it, then start this version.`,
  )
}

/** Empty where the file is missing, or cannot be read: what opens it says so. */
function stepsIn(file: string): readonly { readonly version: number; readonly name: string }[] {
  if ((statSync(file, { throwIfNoEntry: false })?.size ?? 0) === 0) return []
  let database: DatabaseSync | undefined
  try {
    database = new DatabaseSync(file, { readOnly: true, timeout: BUSY_MS })
    const rows = database.prepare('select version, name from schema_versions order by version').all()
    return rows.map(({ version, name }) => ({ version: Number(version), name: String(name) }))
  } catch {
    return []
  } finally {
    database?.close()
  }
}
