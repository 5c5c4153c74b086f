import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync, type SQLInputValue } from 'node:sqlite'
import { after, test } from 'node:test'
import { onPostgres, tamperWithDatabase } from '../../../test/support/postgres-databases.ts'
import type { DatabaseAddress } from '../../base/net/database-url.ts'
import { moveOf, placesOf, upgradeSchema } from '../../serve/places.ts'
import type { TransferredTable } from '../ports/transfer.ts'
import { CONFIG_TRANSFER } from '../sql/transfer.ts'
import { openConfigStore } from '../sqlite/config.ts'
import { openLastingRecordStore } from '../sqlite/lasting-records.ts'
import { openSharedDatabase } from './shared-state/database.ts'
import { createNodeTable } from './shared-state/nodes.ts'

const directory = mkdtempSync(join(tmpdir(), 'postern-transfer-'))
after(() => rmSync(directory, { recursive: true }))
let files = 0

/** Rows that need several pieces. */
const MANY = 2500

/** A text of every kind: bytes sort other than UTF-16, and nothing may be changed by an encoding. */
const TEXTS = ['', "it's", '\ufffd', '\u{1f600}', '\\', '\\u0000', 'é', 'e\u0301', '\n']

/** A file with rows in every table, as they are after retention has removed entries, and many in one table. */
async function filledFile(): Promise<string> {
  const file = join(directory, `config-${files++}.db`)
  await openConfigStore(file).close()
  const database = new DatabaseSync(file)
  const guards = database.prepare("select name, sql from sqlite_schema where type = 'trigger'").all()
  for (const { name } of guards) database.exec(`drop trigger ${String(name)}`)
  database.exec('begin')
  const insert = (table: string, row: Record<string, SQLInputValue>): void => {
    const names = Object.keys(row)
    database
      .prepare(
        `insert into ${table} (${names.map((name) => `"${name}"`).join(', ')}) values (${names.map(() => '?').join(', ')})`,
      )
      .run(...Object.values(row))
  }
  for (const { name: table } of CONFIG_TRANSFER) {
    const columns = database.prepare(`select name, type, "notnull" from pragma_table_info('${table}')`).all()
    const refers = database
      .prepare(`select "from" as name, "table" as of from pragma_foreign_key_list('${table}')`)
      .all()
    const rows = table === 'audit_key_anchor' ? 1 : table === 'audit' ? MANY : TEXTS.length
    for (let at = 0; at < rows; at++)
      insert(
        table,
        Object.fromEntries(
          columns.map((column) => {
            const name = String(column['name'])
            const of = refers.find((one) => one['name'] === name)?.['of']
            if (name === 'parent_id')
              return [name, at === 0 ? null : String(table === 'resources' ? 9 - at : 0)]
            if (of !== undefined)
              return [
                name,
                `${of === 'resources' ? '' : 'id '}${of === 'resources' ? 8 - at : `${at} ${TEXTS[at]}`}`,
              ]
            if (table === 'resources' && name === 'id') return [name, String(8 - at)]
            if (column['type'] === 'INTEGER' || column['type'] === 'integer') return [name, at + 1]
            if (column['notnull'] === 0 && at % 2 === 1) return [name, null]
            return [name, `${name} ${at} ${TEXTS[at % TEXTS.length]}`]
          }),
        ),
      )
  }
  database.exec('commit')
  for (const { sql } of guards) database.exec(String(sql))
  database.close()
  return file
}

const move = async (
  file: string,
  address: DatabaseAddress,
  isDryRun = false,
  records = join(directory, 'none.db'),
) =>
  (await moveOf({ config: file, records }, address)).run({ isDryRun, progress() {}, check: async () => {} })

await onPostgres(({ server, create }) => {
  test('the list has every table of both schemas, with its key and all columns', async () => {
    const address = await create()
    await move(await filledFile(), address)
    const file = join(directory, `config-${files++}.db`)
    await openConfigStore(file).close()
    const database = new DatabaseSync(file)
    const listed = CONFIG_TRANSFER.map(({ name }) => name).sort()
    const own = database
      .prepare(
        "select name from sqlite_schema where type = 'table' and name not like 'sqlite_%' order by name",
      )
      .all()
      .map(({ name }) => String(name))
    assert.deepEqual([...listed, 'schema_versions'].sort(), own)
    await using tamper = await tamperWithDatabase(address)
    const others = await tamper.rows(
      "select table_name as name from information_schema.tables where table_schema = 'postern' order by 1",
    )
    assert.deepEqual(
      others.map(({ name }) => String(name)).filter((name) => !/^(record|shared)_/.test(name)),
      own,
    )
    for (const { name, key } of CONFIG_TRANSFER) {
      const columns = database
        .prepare(`select name, pk from pragma_table_info('${name}') order by name`)
        .all()
      const keyed = columns
        .filter(({ pk }) => Number(pk) > 0)
        .sort((a, b) => Number(a['pk']) - Number(b['pk']))
      assert.deepEqual(
        key,
        keyed.map((one) => one['name']),
        name,
      )
      const there = await tamper.rows(
        `select column_name as name from information_schema.columns where table_schema = 'postern' and table_name = '${name}' order by column_name collate "C"`,
      )
      assert.deepEqual(
        columns.map((one) => one['name']),
        there.map((one) => one['name']),
        name,
      )
    }
    database.close()
  })

  test('every row comes to the database and back to a file unchanged, and both keep their guards', async () => {
    const address = await create()
    const file = await filledFile()
    const there = await move(file, address)
    assert.equal(there.find(({ table }) => table === 'audit')?.rows, MANY)
    assert.ok(there.every(({ rows }) => rows > 0))
    const copy = join(directory, `copy-${files++}.db`)
    const told: number[] = []
    await placesOf(address)
      .config('')
      .copyTo(copy, (part) => told.push(part))
    assert.equal(told.at(-1), 1)
    assert.ok(told.length > 5)
    assert.equal(statSync(copy).mode & 0o777, 0o600)
    const guards = (name: string) => {
      const database = new DatabaseSync(name)
      try {
        return database.prepare('select type, name, sql from sqlite_schema order by type, name').all()
      } finally {
        database.close()
      }
    }
    assert.deepEqual(guards(copy), guards(file))
    // What came back is what went there
    {
      const database = new DatabaseSync(copy)
      database.exec("insert into meta values ('probed', 'x')")
      database.close()
    }
    const again = await create()
    assert.deepEqual(await move(copy, again), there)
    await using tamper = await tamperWithDatabase(again)
    assert.deepEqual(await tamper.rows("select 1 from meta where name = 'probed'"), [])
    await assert.rejects(tamper.execute('delete from audit_anchors'), /never deleted/)
    await assert.rejects(tamper.execute("update audit set id = 'x'"), /never changed/)
    const store = await openConfigStore(copy)
    await store.close()
  })

  test('a database with rows, or in use, is refused, and one with tables alone is filled', async () => {
    const address = await create()
    const file = await filledFile()
    await move(file, address)
    await assert.rejects(
      move(file, address),
      /is not empty: table postern\.meta has rows\. Use an empty database/,
    )
    const { openConfigStore: openThere } = await import('./config.ts')
    const shared = await openSharedDatabase(address)
    shared.begin()
    const nodes = createNodeTable(shared, address)
    const facts = { version: '1', recordsWaiting: 0, skewMs: null, staleMaxMs: null }
    const epoch = await nodes.join('ann', 'ann.example:8080', 'here', {
      facts,
      held: { revision: 0, ended: 0 },
      counted: [],
      isNews: true,
    })
    // Not: delete the tables
    await assert.rejects(move(file, address), /is in use by ann\.example:8080/)
    await nodes.remove('ann', epoch)
    await shared.close()
    await assert.rejects(move(file, address), /is not empty/)
    const empty = await create()
    await (await openThere(empty)).close()
    await move(file, empty)
  })

  test('a dry run does everything and leaves nothing, not even tables', async () => {
    const address = await create()
    let seen: readonly TransferredTable[] = []
    seen = await move(await filledFile(), address, true)
    assert.ok(seen.every(({ rows }) => rows > 0))
    await using tamper = await tamperWithDatabase(address)
    assert.deepEqual(await tamper.rows("select nspname from pg_namespace where nspname = 'postern'"), [])
  })

  test('a check that fails leaves the database as it was, and reads what was written before', async () => {
    const address = await create()
    const file = await filledFile()
    const moving = await moveOf({ config: file, records: '' }, address)
    let revision: number | null = null
    const run = moving.run({
      isDryRun: false,
      progress() {},
      async check(store) {
        revision = (await store.read.lastAuditLink())?.seq ?? null
        throw new Error('no')
      },
    })
    await assert.rejects(run, /^Error: no$/)
    assert.equal(revision, TEXTS.length)
    assert.equal(await moving.meta('name 0 '), undefined)
    await move(file, address)
    assert.equal(await moving.meta('name 0 '), 'value 0 ')
  })

  test('what quotas have counted moves, and their turn', async () => {
    const address = await create()
    const records = join(directory, 'records.db')
    const store = openLastingRecordStore(records, null)
    await store.quotas.save([{ key: 'a', period: 7, ends: 8, entered: 9, count: 10 }])
    await store.close()
    {
      const database = new DatabaseSync(records)
      database.exec('update quota_turns set turn = 41; update quotas set turn = 40')
      database.close()
    }
    const tables = await move(await filledFile(), address, false, records)
    assert.deepEqual(
      tables.slice(-2).map(({ table, rows }) => [table, rows]),
      [
        ['quota_turns', 1],
        ['quotas', 1],
      ],
    )
    await using tamper = await tamperWithDatabase(address)
    assert.deepEqual(await tamper.rows('select key, period, ends, entered, count, turn from record_quotas'), [
      { key: 'a', period: 7, ends: 8, entered: 9, count: 10, turn: 40 },
    ])
    assert.deepEqual(await tamper.rows('select turn from record_quota_turns'), [{ turn: 41 }])
  })

  test('only the owner of the tables moves a trail from which entries were removed, and is named to others', async () => {
    const address = await create()
    server.sql(`create role keeper login password '${address.password}'`)
    server.sql(`alter database ${address.database} owner to keeper`)
    await upgradeSchema({ ...address, user: 'keeper' }, address.user)
    const file = await filledFile()
    await assert.rejects(move(file, address), /only the owner of the tables can copy an audit trail/)
    const whole = new DatabaseSync(file)
    whole.exec('drop trigger audit_anchors_no_delete; delete from audit_anchors')
    whole.close()
    await move(file, address)
  })

  test('a text with U+0000 is refused with its table and key', async () => {
    const address = await create()
    const file = await filledFile()
    const database = new DatabaseSync(file)
    database
      .prepare("insert into facets (type, name, value, resource_id) values ('t', 'n', ?, 'r')")
      .run('a\0b')
    database.close()
    await assert.rejects(
      move(file, address),
      /Table facets has a row with type "t", name "n", value "a\\u0000b", resource_id "r" whose column value contains U\+0000/,
    )
  })

  test('a source that is read while another process writes is of one moment', async () => {
    const address = await create()
    await move(await filledFile(), address)
    await using tamper = await tamperWithDatabase(address)
    const copy = join(directory, `copy-${files++}.db`)
    let changing: Promise<void> | undefined
    await placesOf(address)
      .config('')
      .copyTo(copy, () => {
        changing ??= tamper.execute("insert into jobs (name, last) values ('later', 1)")
      })
    await changing
    assert.equal((await tamper.rows("select 1 from jobs where name = 'later'")).length, 1)
    const database = new DatabaseSync(copy)
    assert.equal(database.prepare("select count(*) as n from jobs where name = 'later'").get()?.['n'], 0)
    database.close()
  })
})
