/**
 * Brings the stores of the last development version, commit {@link THROUGH}, to version 1 of their schemas. It goes away after 0.1.0, and
 * nothing else knows of it but one call at start.
 *
 * 1. The tables of that version are those of version 1, so that no row is copied or changed: what is converted is the list of versions.
 *    Fragments in `config.db` and `serving.db` are compiled anew, because another compiler has made them.
 * 2. Each file is converted in one transaction. A process that is killed leaves the file whole, old or new, and the next start goes on.
 * 3. `config.db` comes last: a directory is converted once it is.
 * 4. An older file is refused, and stays as it is.
 */
import { statSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { CannotStart } from '../../base/cannot-start.ts'
import { CONFIG_MIGRATIONS } from '../migrations/config.ts'
import type { Migration } from '../migrations/migration.ts'
import { RECORD_MIGRATIONS } from '../migrations/records.ts'
import { mendSideFiles } from './fault.ts'
import { inTransaction } from './transaction.ts'

/** The commit on main whose stores are converted. */
const THROUGH = '15150e42'

/** The last version of a development schema, and the names of its first and last steps. */
interface DevelopmentSchema {
  readonly first: string
  readonly last: string
  readonly version: number
  readonly steps: readonly Migration[]
}

const CONFIG: DevelopmentSchema = {
  first: 'configuration and audit',
  last: 'lists in the order of the last change',
  version: 25,
  steps: CONFIG_MIGRATIONS,
}
const RECORDS: DevelopmentSchema = {
  first: 'blocks and quotas',
  last: 'rollups',
  version: 7,
  steps: RECORD_MIGRATIONS,
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
 * Converts the files that the last development version wrote. Does nothing for others, and for files that cannot be read. Throws
 * {@link CannotStart} for an older file, before any file is changed.
 */
export function convertDevelopmentStores({ config, records, keys }: ConvertedFiles, log: Log): void {
  const found = [
    { file: records, schema: RECORDS },
    { file: config, schema: CONFIG },
  ]
  const due = found.filter(({ file, schema }) => isDue(file, schema))
  addCompatibleFrom(keys)
  for (const { file, schema } of due) {
    log(
      'info',
      `${file} is upgraded from development schema ${schema.version} to 1 now. Do not stop Postern.`,
    )
    const begun = performance.now()
    convert(file, schema)
    const ms = Math.round(performance.now() - begun)
    log('info', `${file} was upgraded from development schema ${schema.version} to 1 in ${ms} ms.`)
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

/** The statements of a conversion, for one transaction. */
export function conversionOf({ steps }: Pick<DevelopmentSchema, 'steps'>): readonly string[] {
  const { version, name } = steps[0]!
  return [
    'drop table schema_versions',
    'create table schema_versions (version integer primary key, name text not null, applied_at text not null, compatible_from integer) strict',
    `insert into schema_versions values (${version}, '${name}', strftime('%Y-%m-%dT%H:%M:%fZ'), ${version})`,
  ]
}

function convert(file: string, schema: DevelopmentSchema): void {
  let database: DatabaseSync | undefined
  try {
    mendSideFiles(file)
    database = new DatabaseSync(file, { timeout: BUSY_MS })
    const its = database
    its.exec('pragma journal_mode = wal; pragma synchronous = full')
    inTransaction(its, () => {
      for (const statement of conversionOf(schema)) its.exec(statement)
    })
  } catch (error) {
    throw new CannotStart(`${file} cannot be upgraded: ${(error as Error).message}.`, error)
  } finally {
    database?.close()
  }
}

function isDue(file: string, { first, last, version }: DevelopmentSchema): boolean {
  const steps = stepsIn(file)
  // Version 1 has a step of another name
  if (steps[0]?.name !== first) return false
  const newest = steps.at(-1)!
  if (newest.version === version && newest.name === last) return true
  throw new CannotStart(
    newest.version < version
      ? `${file} was written by an earlier development version (schema ${newest.version}). Start commit ${THROUGH} once on it, then start this version.`
      : `${file} was written by a development version (schema ${newest.version}) that this version does not know. Restore a backup of commit ${THROUGH} with that commit, then start this version.`,
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
