/** Stores of the last development version, which the fixture of `test/fixtures/previous` holds. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, test } from 'node:test'
import { CannotStart } from '../../base/cannot-start.ts'
import { CONFIG_MIGRATIONS } from '../migrations/config.ts'
import { KEY_MIGRATIONS } from '../migrations/idempotency-keys.ts'
import { RECORD_MIGRATIONS } from '../migrations/records.ts'
import { openConfigStore } from './config.ts'
import { conversionOf, convertDevelopmentStores } from './converter.ts'
import { migrate } from './migrate.ts'
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

function versionsIn(file: string): unknown {
  using database = new DatabaseSync(file, { readOnly: true })
  return database
    .prepare('select version, name from schema_versions order by version')
    .all()
    .map(({ version, name }) => [version, name])
}

const newest = ([step]: typeof CONFIG_MIGRATIONS): unknown => [[step!.version, step!.name]]

test('every row is kept as it is, and the schema is that of a new file', async () => {
  const files = stores()
  const before = [contentOf(files.config), contentOf(files.records)]
  for (const table of ['tokens', 'secrets', 'connections', 'oauth_artifacts', 'oauth_keys', 'passwords'])
    assert.ok((before[0]![table] as unknown[]).length > 0, table)
  const log: string[] = []
  for (let times = 0; times < 2; times++) convertDevelopmentStores(files, (_level, line) => log.push(line))
  assert.deepEqual([contentOf(files.config), contentOf(files.records)], before)
  assert.deepEqual(versionsIn(files.config), newest(CONFIG_MIGRATIONS))
  assert.deepEqual(versionsIn(files.records), newest(RECORD_MIGRATIONS))
  assert.equal(log.length, 4, log.join('\n'))
  assert.match(log[0]!, /records-\d+\.db is upgraded from development schema 7 to 1 now/)
  assert.match(log[3]!, /config-\d+\.db was upgraded from development schema 25 to 1 in \d+ ms/)
  const fresh = {
    config: join(directory, 'fresh.db'),
    records: join(directory, 'fresh-records.db'),
    keys: files.keys,
  }
  await openConfigStore(fresh.config).close()
  await openRecordStore(fresh.records).close()
  assert.deepEqual(schemaIn(files.config), schemaIn(fresh.config))
  assert.deepEqual(schemaIn(files.records), schemaIn(fresh.records))
  convertDevelopmentStores(fresh, () => assert.fail('a new file is left alone'))
  const none = join(directory, 'none')
  convertDevelopmentStores({ config: none, records: none, keys: none }, () =>
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
    () => convertDevelopmentStores(files, () => assert.fail('nothing is begun')),
    (error: Error) =>
      error instanceof CannotStart &&
      error.message.endsWith(
        'was written by an earlier development version (schema 23). Start commit 15150e42 once on it, then start this version.',
      ),
  )
  assert.equal(readFileSync(files.config, 'base64'), before)
  assert.equal((versionsIn(files.records) as unknown[]).length, 7)
})

test('idempotency keys of a file without the newest column of its versions are kept, and the file can take a next step', () => {
  const files = stores()
  const { keys } = contentOf(files.keys)
  assert.ok((keys as unknown[]).length > 0)
  {
    using database = new DatabaseSync(files.keys)
    database.exec('alter table schema_versions drop column compatible_from')
  }
  for (let times = 0; times < 2; times++) convertDevelopmentStores(files, () => {})
  using database = new DatabaseSync(files.keys)
  const next = { version: 2, name: 'next', sqlite: ['alter table keys add column later integer'] }
  migrate(database, files.keys, [...KEY_MIGRATIONS, next])
  assert.equal(database.prepare('select count(*) as n from keys').get()?.['n'], (keys as unknown[]).length)
})

test('a process that is killed between two statements leaves the old file whole, and the next start converts it', () => {
  const files = stores()
  const before = contentOf(files.config)
  const versions = versionsIn(files.config)
  const statements = conversionOf({ steps: CONFIG_MIGRATIONS })
  for (let done = 0; done <= statements.length; done++) {
    const script = `const { DatabaseSync } = require('node:sqlite')
      const database = new DatabaseSync(${JSON.stringify(files.config)})
      database.exec('begin immediate')
      for (const statement of ${JSON.stringify(statements.slice(0, done))}) database.exec(statement)
      process.kill(process.pid, 'SIGKILL')`
    const child = spawnSync(process.execPath, ['--disable-warning=ExperimentalWarning', '-e', script])
    assert.equal(child.signal, 'SIGKILL', String(child.stderr))
    assert.deepEqual([versionsIn(files.config), contentOf(files.config)], [versions, before])
  }
  convertDevelopmentStores(files, () => {})
  assert.deepEqual([versionsIn(files.config), contentOf(files.config)], [newest(CONFIG_MIGRATIONS), before])
})
