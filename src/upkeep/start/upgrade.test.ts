import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, test } from 'node:test'
import { PLACES } from '../../serve/places.ts'
import { RECORD_MIGRATIONS } from '../../store/migrations/records.ts'
import type { UpgradedPlace } from '../../store/ports/places.ts'
import { migrate } from '../../store/sqlite/migrate.ts'
import { openUpgraded } from './configuration.ts'

const data = mkdtempSync(join(tmpdir(), 'postern-upgrade-'))
after(() => rmSync(data, { recursive: true, force: true }))

const VERSION = RECORD_MIGRATIONS.at(-1)!.version
/** An invented next step. */
const NEXT = { version: VERSION + 1, name: 'next', sqlite: ['alter table blocks add column later integer'] }
const NEWEST = NEXT.version

/** The place of a program that knows the next step. */
function placeOf(file: string): UpgradedPlace {
  const schema = async () => {
    const found = await PLACES.records(file).schema()
    return found && { ...found, newest: NEWEST }
  }
  return { ...PLACES.records(file), schema }
}

/** Opens a file of records. @return the log, with the moment at which the file was opened */
async function open(file: string): Promise<string[]> {
  const log: string[] = []
  const opening = openUpgraded(
    placeOf(file),
    (level, line) => log.push(`${level} ${line}`),
    async () => {
      log.push('open')
      using database = new DatabaseSync(file)
      migrate(database, file, [...RECORD_MIGRATIONS, NEXT])
    },
  )
  await opening.catch((error: Error) => log.push(`refused ${error.message}`))
  return log
}

/** A file as an earlier version left it. @param sql what else stands in it */
function older(name: string, sql = ''): string {
  const file = join(data, name)
  using database = new DatabaseSync(file)
  migrate(database, file, RECORD_MIGRATIONS)
  database.exec(sql)
  return file
}

test('an upgrade is announced before the file is opened, with path and versions, and again after it with the time', async () => {
  const file = older('older.db')
  const [before, opened, after, ...more] = await open(file)
  assert.equal(
    before,
    `info ${file} is upgraded from schema version ${VERSION} to ${NEWEST} now. Do not stop Postern.`,
  )
  assert.equal(opened, 'open')
  assert.match(
    after!,
    new RegExp(`^info ${file} was upgraded from schema version ${VERSION} to ${NEWEST} in \\d+ ms\\.$`),
  )
  assert.deepEqual(more, [])
})

test('a new file and one of the newest version are opened without a word', async () => {
  const file = join(data, 'new.db')
  assert.deepEqual(await open(file), ['open'])
  assert.deepEqual(await open(file), ['open'])
})

test('an upgrade that fails is told of, with the version that the file has', async () => {
  const file = older('failing.db', 'drop table blocks')
  const log = await open(file)
  assert.match(log[0]!, new RegExp(`is upgraded from schema version ${NEWEST - 1}`))
  assert.match(
    log[2]!,
    new RegExp(`^error ${file} was not upgraded to schema version ${NEWEST}: it has \\d+ after`),
  )
  assert.match(log[3]!, /^refused .*no such table/)
})
