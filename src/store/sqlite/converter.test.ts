/** Stores of the last development version, which the fixture of `test/fixtures/previous` holds. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, test } from 'node:test'
import type { AccessFault } from '../../base/files.ts'
import { CannotStart } from '../../base/refusal.ts'
import { CONFIG_MIGRATIONS } from '../migrations/config.ts'
import { KEY_MIGRATIONS, RECORD_MIGRATIONS } from '../migrations/records.ts'
import { openConfigStore } from './config.ts'
import { convertDevelopmentStores } from './converter.ts'
import { faultOfKeys, faultOfRecords } from './judge-file.ts'
import { migrate, schemaVersionOf } from './migrate.ts'
import { openRecordStore } from './records.ts'

const FIXTURE = resolve(import.meta.dirname, '../../../test/fixtures/previous')
const directory = mkdtempSync(join(tmpdir(), 'postern-converter-'))
after(() => rmSync(directory, { recursive: true, force: true }))

let count = 0
function stores(): { config: string; records: string; keys: string } {
  count++
  const made = (name: string): string => {
    const file = join(directory, `${name}-${count}.db`)
    using database = new DatabaseSync(file)
    database.exec('pragma journal_mode = wal')
    database.exec(readFileSync(join(FIXTURE, `${name}.sql`), 'utf8'))
    return file
  }
  return { config: made('config'), records: made('records'), keys: made('idempotency') }
}

/** Everything that a file holds, but the list of its versions. */
function contentOf(file: string): Record<string, unknown> {
  using database = new DatabaseSync(file, { readOnly: true })
  const tables = database
    .prepare("select name from sqlite_schema where type = 'table' and name <> 'schema_versions'")
    .all()
  const rows = (name: string): unknown => database.prepare(`select * from "${name}"`).all()
  return Object.fromEntries(tables.map(({ name }) => [String(name), rows(String(name))]))
}

/** What the file is made of, without the white space of its statements. */
function schemaIn(file: string): readonly string[] {
  using database = new DatabaseSync(file, { readOnly: true })
  const plain = (sql: unknown): string =>
    String(sql)
      .toLowerCase()
      .replaceAll(/[\s"]+/g, '')
  return database
    .prepare('select sql from sqlite_schema where sql is not null')
    .all()
    .map(({ sql }) => plain(sql))
    .sort()
}

function versionsIn(file: string): readonly unknown[] {
  using database = new DatabaseSync(file, { readOnly: true })
  return database
    .prepare('select version, name from schema_versions order by version')
    .all()
    .map(({ version, name }) => [version, name])
}

const newest = ([step]: typeof CONFIG_MIGRATIONS): unknown => [step!.version, step!.name]

test('every row is kept as it is, and the schema is that of a new file', async () => {
  const files = stores()
  const before = [contentOf(files.config), contentOf(files.records)]
  for (const table of ['tokens', 'secrets', 'connections', 'oauth_artifacts', 'oauth_keys', 'passwords'])
    assert.ok((before[0]![table] as unknown[]).length > 0, table)
  const log: string[] = []
  for (let times = 0; times < 2; times++)
    convertDevelopmentStores(files, null, (_level, line) => log.push(line))
  assert.deepEqual([contentOf(files.config), contentOf(files.records)], before)
  assert.deepEqual(versionsIn(files.config).at(-1), newest(CONFIG_MIGRATIONS))
  assert.deepEqual(versionsIn(files.records).at(-1), newest(RECORD_MIGRATIONS))
  assert.deepEqual([faultOfRecords(files.records), faultOfKeys(files.keys)], [null, null])
  assert.equal(log.length, 4, log.join('\n'))
  assert.match(log[0]!, /records-\d+\.db is upgraded from development schema 7 to schema 8 now/)
  assert.match(log[3]!, /config-\d+\.db was upgraded from development schema 25 to schema 26 in \d+ ms/)
  const fresh = {
    config: join(directory, 'fresh.db'),
    records: join(directory, 'fresh-records.db'),
    keys: files.keys,
  }
  await openConfigStore(fresh.config).close()
  await openRecordStore(fresh.records).close()
  // Later steps follow when the store is opened
  await openRecordStore(files.records).close()
  assert.deepEqual(schemaIn(files.config), schemaIn(fresh.config))
  assert.deepEqual(schemaIn(files.records), schemaIn(fresh.records))
  convertDevelopmentStores(fresh, null, () => assert.fail('a new file is left alone'))
  const none = join(directory, 'none')
  convertDevelopmentStores({ config: none, records: none, keys: none }, null, () =>
    assert.fail('a file that is not there is left alone'),
  )
})

test('an older file is refused by one sentence with its version and the commit to start, and nothing is changed', () => {
  const files = stores()
  {
    using database = new DatabaseSync(files.config)
    database.exec('delete from schema_versions where version > 23')
  }
  const before = readFileSync(files.config, 'base64')
  assert.throws(
    () => convertDevelopmentStores(files, null, () => assert.fail('nothing is begun')),
    (error: Error) =>
      error instanceof CannotStart &&
      error.message.endsWith(
        'was written by an earlier development version (schema 23). Start commit 15150e42 once on it, then start this version.',
      ),
  )
  assert.equal(readFileSync(files.config, 'base64'), before)
  assert.equal(versionsIn(files.records).length, 7)
})

test('idempotency keys of a file without the newest column of its versions are kept, and the file can take a next step', () => {
  const files = stores()
  const { keys } = contentOf(files.keys)
  assert.ok((keys as unknown[]).length > 0)
  {
    using database = new DatabaseSync(files.keys)
    database.exec('alter table schema_versions drop column compatible_from')
  }
  for (let times = 0; times < 2; times++) convertDevelopmentStores(files, null, () => {})
  using database = new DatabaseSync(files.keys)
  const next = { version: 2, name: 'next', sqlite: ['alter table keys add column later integer'] }
  migrate(database, files.keys, [...KEY_MIGRATIONS, next])
  assert.equal(database.prepare('select count(*) as n from keys').get()?.['n'], (keys as unknown[]).length)
})

test('a process that is killed before its transaction ends leaves the old file whole, and the next start converts it', () => {
  const files = stores()
  const before = contentOf(files.config)
  const versions = versionsIn(files.config)
  const script = `const { DatabaseSync } = require('node:sqlite')
    const database = new DatabaseSync(${JSON.stringify(files.config)})
    database.exec('begin immediate')
    database.exec("insert into schema_versions values (26, 'half', '', 26)")
    process.kill(process.pid, 'SIGKILL')`
  const child = spawnSync(process.execPath, ['--disable-warning=ExperimentalWarning', '-e', script])
  assert.equal(child.signal, 'SIGKILL', String(child.stderr))
  assert.deepEqual([versionsIn(files.config), contentOf(files.config)], [versions, before])
  convertDevelopmentStores(files, null, () => {})
  assert.deepEqual(versionsIn(files.config).at(-1), newest(CONFIG_MIGRATIONS))
  assert.deepEqual(contentOf(files.config), before)
})

test('stores of the first commits after it are converted as well', () => {
  const files = stores()
  for (const [file, steps] of [
    [files.config, CONFIG_MIGRATIONS],
    [files.records, RECORD_MIGRATIONS],
  ] as const) {
    using database = new DatabaseSync(file)
    database.exec('delete from schema_versions')
    database.prepare('insert into schema_versions values (1, ?, ?, 1)').run(steps[0]!.name, '')
  }
  convertDevelopmentStores(files, null, () => {})
  assert.deepEqual(versionsIn(files.config).at(-1), newest(CONFIG_MIGRATIONS))
  assert.deepEqual(versionsIn(files.records).at(-1), newest(RECORD_MIGRATIONS))
})

test('a converted file refuses the program that wrote it, because the oldest version that may open it is the new one', () => {
  const files = stores()
  convertDevelopmentStores(files, null, () => {})
  for (const [file, known] of [
    [files.config, 25],
    [files.records, 7],
  ] as const) {
    using database = new DatabaseSync(file, { readOnly: true })
    const { compatibleFrom } = schemaVersionOf(database)
    assert.ok(compatibleFrom > known, `${file}: ${compatibleFrom}`)
  }
})

test('a file that is in use, or a directory that may not be written, is refused before any file is changed', () => {
  const files = stores()
  const refuses = (readOnly: AccessFault | null, message: RegExp): void =>
    assert.throws(
      () => convertDevelopmentStores(files, readOnly, () => assert.fail('nothing is begun'), 10),
      (error: Error) => error instanceof CannotStart && message.test(error.message),
    )
  {
    using other = new DatabaseSync(files.config)
    other.exec('begin immediate')
    refuses(null, /config-\d+\.db is of a development version and cannot be converted: database is locked\./)
  }
  refuses({ found: 'it is locked', fix: 'Unlock it' }, /must be converted, but it is locked\. Unlock it\.$/)
  assert.deepEqual([versionsIn(files.records).length, versionsIn(files.config).length], [7, 25])
})

test('what opens a file of development without a start refuses it, names the schema and says that a start converts it', async () => {
  const files = stores()
  for (const [file, open, schema] of [
    [files.config, openConfigStore, 25],
    [files.records, openRecordStore, 7],
  ] as const)
    assert.throws(
      () => open(file),
      (error: Error) =>
        error instanceof CannotStart &&
        error.message.includes(
          `was written by a development version (schema ${schema}). Start Postern with its data directory`,
        ),
    )
})
