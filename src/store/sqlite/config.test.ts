import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, test } from 'node:test'
import { Kysely, type PluginTransformQueryArgs, type PluginTransformResultArgs } from 'kysely'
import { entry, sealed } from '../../../test/store/place.ts'
import { CannotStart } from '../../base/refusal.ts'
import { CONFIG_MIGRATIONS } from '../migrations/config.ts'
import { ask, type Migration } from '../migrations/migration.ts'
import type { Resource } from '../ports/resource.ts'
import { createAuditReader } from '../sql/audit-read.ts'
import type { ConfigTables } from '../sql/tables.ts'
import { openConfigStore, runDataStep, SQLITE } from './config.ts'
import { createKyselyDialect } from './connection.ts'
import { migrate } from './migrate.ts'

const directory = mkdtempSync(join(tmpdir(), 'postern-store-'))
after(() => rmSync(directory, { recursive: true, force: true }))

let files = 0
const fresh = (): string => join(directory, `${files++}.db`)

const migrateTo = (database: DatabaseSync, file: string, steps: readonly Migration[]): void =>
  migrate(database, file, steps, runDataStep)

const NEWEST = CONFIG_MIGRATIONS.at(-1)!.version

test('of the plans of one principal the last are kept', async () => {
  const file = fresh()
  const store = openConfigStore(file)
  const put = (id: string, made_by: string, created_at: number) =>
    store.write((writer) =>
      writer.putPlan({ id, made_by, created_at, owner: 'all', documents: 'd', steps: [], revision: 1 }, 1, 2),
    )
  await put('a', 'ann', 10)
  await put('b', 'bob', 11)
  await put('c', 'ann', 12)
  await put('d', 'ann', 12)
  const kept = async (id: string) => (await store.read.plan(id))?.made_by
  assert.deepEqual(await Promise.all(['a', 'b', 'c', 'd'].map(kept)), [undefined, 'bob', 'ann', 'ann'])
  await store.close()
})

test('links are read whole while entries are added between the statements', async () => {
  const file = fresh()
  const store = openConfigStore(file)
  await sealed(store)
  let added = 0
  const add = (): Promise<unknown> => store.write((writer) => writer.appendAudit(entry(`aud_${++added}`)))
  await add()
  const database = new DatabaseSync(file, { readOnly: true })
  const dialect = createKyselyDialect({ file, database, demand: () => {}, failed: () => {} })
  const addsMeanwhile = {
    transformQuery: ({ node }: PluginTransformQueryArgs) => node,
    transformResult: async ({ result }: PluginTransformResultArgs) => {
      await add()
      return result
    },
  }
  const reader = createAuditReader(new Kysely<ConfigTables>({ dialect, plugins: [addsMeanwhile] }), SQLITE)
  for (const after of [0, 1]) {
    const links = await reader.auditLinks(after, 1000)
    assert.ok(links.length > 0)
    for (const [at, { seq, id, hash, columns, isFindable }] of links.entries()) {
      assert.deepEqual([seq, id], [after + at + 1, `aud_${after + at + 1}`])
      assert.ok(hash !== null && columns !== null && isFindable, `${seq} of ${links.length}`)
    }
  }
  database.close()
  await store.close()
})

test('a data directory from a newer version is refused by one sentence and left as it is', () => {
  const file = fresh()
  const database = new DatabaseSync(file)
  database.exec('pragma journal_mode = wal')
  migrateTo(database, file, [...CONFIG_MIGRATIONS, { version: 99, name: 'later', sqlite: [] }])
  database.close()
  const bytes = readFileSync(file, 'base64')
  assert.throws(
    () => openConfigStore(file),
    (error: Error) =>
      error instanceof CannotStart &&
      error.message.includes('version 99') &&
      error.message.includes(`up to ${NEWEST}`) &&
      !error.message.includes('\n'),
  )
  assert.equal(readFileSync(file, 'base64'), bytes)
})

test('a file that is no database is one sentence, and a new one is for its owner alone', async () => {
  const file = fresh()
  writeFileSync(file, 'not a database, but long enough to be taken for the head of one '.repeat(20))
  assert.throws(
    () => openConfigStore(file),
    (error: Error) => error instanceof CannotStart && /^.*cannot be opened.*$/.test(error.message),
  )
  const made = fresh()
  const store = openConfigStore(made)
  assert.equal(statSync(made).mode & 0o777, 0o600)
  await store.close()
})

/** An invented next step: a column, filled from what is there. */
const NEXT: Migration = {
  version: NEWEST + 1,
  name: 'lengths of names',
  sqlite: ['alter table resources add column name_length integer'],
  *run(builder) {
    const db = builder.withTables<{ resources: { id: string; name: string; name_length: number } }>()
    for (const { id, name } of yield* ask(db.selectFrom('resources').select(['id', 'name'])))
      yield* ask(db.updateTable('resources').set({ name_length: name.length }).where('id', '=', id))
  },
}

const RESOURCE = `insert into resources (id, type, slug, name, revision, spec, created_at, created_by, updated_at, updated_by)
  values ('pol_1', 'policies', 'gold', 'Gold', 1, '{}', '2025', 'a', '2025', 'a')`

const versionIn = (database: DatabaseSync) =>
  database.prepare('select max(version) as v from schema_versions').get()?.['v']

test('the next version adds a column and fills it, and the program of the version before it is refused', () => {
  const file = fresh()
  using database = new DatabaseSync(file)
  migrateTo(database, file, CONFIG_MIGRATIONS)
  database.exec(RESOURCE)
  for (let times = 0; times < 2; times++) {
    migrateTo(database, file, [...CONFIG_MIGRATIONS, NEXT])
    assert.equal(database.prepare('select name_length as n from resources').get()?.['n'], 4)
    assert.equal(versionIn(database), NEWEST + 1)
  }
  assert.throws(
    () => openConfigStore(file),
    /has schema version 27, and this Postern knows versions up to 26/,
  )
})

test('a migration that fails in the middle leaves the version before it whole', () => {
  const file = fresh()
  using database = new DatabaseSync(file)
  const broken: Migration = {
    ...NEXT,
    *run(builder) {
      yield* NEXT.run!(builder)
      throw new Error('the process ends here')
    },
  }
  assert.throws(() => migrateTo(database, file, [...CONFIG_MIGRATIONS, broken]), /ends here/)
  assert.equal(versionIn(database), null, 'a new file has all of its steps or none')
  migrateTo(database, file, CONFIG_MIGRATIONS)
  database.exec(RESOURCE)
  const all = () =>
    JSON.stringify([
      database.prepare('select * from sqlite_schema').all(),
      database.prepare('select * from resources').all(),
    ])
  const before = all()
  assert.throws(() => migrateTo(database, file, [...CONFIG_MIGRATIONS, broken]), /ends here/)
  assert.deepEqual([versionIn(database), all()], [NEWEST, before])
})

test('a replacement, which SQLite makes without a word to triggers of deletions, is refused too', async () => {
  const file = fresh()
  const store = openConfigStore(file)
  await sealed(store)
  await store.write(async (writer) => {
    await writer.appendAudit(entry('aud_1'))
    await writer.putAuditKeyAnchor({ seq: 1, hash: 'h', time: '2026', mac: 'm' })
  })
  await store.close()
  using database = new DatabaseSync(file)
  for (const statement of [
    'insert or replace into audit select * from audit where seq = 1',
    "insert or replace into audit_chain values (1, 'x')",
    "insert or replace into audit_key_anchor values (1, 1, '', '', '')",
  ])
    assert.throws(() => database.exec(statement), /never replaced/, statement)
  assert.throws(() => database.exec('delete from audit_key_anchor'), /never deleted/)
})

test('accounts at an origin are listed in order by an index: to end 100,000 sorts them no hundred times', async () => {
  const file = fresh()
  await openConfigStore(file).close()
  const database = new DatabaseSync(file)
  const plan = (where: string) =>
    JSON.stringify(
      database
        .prepare(`explain query plan select * from connections where ${where} order by user, origin`)
        .all(),
    )
  for (const where of ["origin = 'o'", "origin = 'o' and user >= 'u' and (user > 'u' or origin > 'p')"])
    assert.doesNotMatch(plan(where), /TEMP B-TREE|SCAN/)
  assert.match(plan("user >= 'u' and (user > 'u' or origin > 'p')"), /SEARCH connections/)
  database.close()
})

test('what a large change leaves in the log is in the file once the change is done', async () => {
  const file = fresh()
  const store = openConfigStore(file)
  const before = statSync(file).size
  const text = 'x'.repeat(100_000)
  await store.write(async (writer) => {
    for (let at = 0; at < 100; at++) await writer.setMeta(`large ${at}`, `${text}${at}`)
  })
  assert.ok(statSync(file).size > before + 100 * text.length)
  // SQLite copies later ones again, large or not
  await store.write((writer) => writer.setMeta('small', '1'))
  assert.equal(await store.read.meta('large 99'), `${text}99`)
  await store.close()
})

test('a list of thousands is in its order, however many of them are asked for', async () => {
  const store = openConfigStore(fresh())
  const all = Array.from({ length: 3000 }, (_, at): Resource => {
    const time = new Date(Date.UTC(2026, 0, 1) + (at % 7) * 1000).toISOString()
    return {
      id: `cli_${String(at).padStart(5, '0')}`,
      type: 'clients',
      slug: `c${(at * 7919) % 3000}`,
      parent: null,
      name: 'C',
      status: null,
      key: null,
      revision: 1,
      spec: { name: 'C' },
      draft: null,
      created_at: time,
      created_by: 'ann',
      updated_at: time,
      updated_by: 'ann',
      managed_by: null,
    }
  })
  await store.write(async (writer) => {
    for (const one of all) await writer.insert(one)
  })
  const byId = all.map(({ id }) => id)
  const bySlug = all.toSorted((a, b) => (a.slug < b.slug ? -1 : 1)).map(({ id }) => id)
  const byUpdate = all
    .toSorted((a, b) =>
      a.updated_at === b.updated_at ? (a.id < b.id ? 1 : -1) : a.updated_at < b.updated_at ? 1 : -1,
    )
    .map(({ id }) => id)
  for (const [order, expected] of [
    ['oldest', byId],
    ['newest', byId.toReversed()],
    ['slug', bySlug],
    ['updated', byUpdate],
  ] as const)
    for (const limit of [999, 1000, 1001, 2000, 3000, 1_000_000]) {
      const found = await store.read.list({ type: 'clients', order, limit })
      assert.deepEqual(
        found.map(({ id }) => id),
        expected.slice(0, limit),
        `${order} ${limit}`,
      )
    }
  await store.close()
})
