import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, test } from 'node:test'
import { entry, LINK_KEY, sealed } from '../../../test/store/place.ts'
import { CannotStart } from '../../base/cannot-start.ts'
import { CONFIG_MIGRATIONS } from '../migrations/config.ts'
import type { Migration } from '../migrations/migration.ts'
import { CHAIN_START, keyedLink, plainLink } from '../ports/audit-chain.ts'
import { openConfigStore } from './config.ts'
import { runDataStep } from './data-step.ts'
import { migrate } from './migrate.ts'

const directory = mkdtempSync(join(tmpdir(), 'postern-store-'))
after(() => rmSync(directory, { recursive: true, force: true }))

let files = 0
const fresh = (): string => join(directory, `${files++}.db`)

const migrateTo = (database: DatabaseSync, file: string, steps: readonly Migration[]): void =>
  migrate(database, file, steps, runDataStep)

const NEWEST = CONFIG_MIGRATIONS.at(-1)!.version

test('an older data directory is brought to the newest version with all that it held', async () => {
  const file = fresh()
  const database = new DatabaseSync(file)
  migrateTo(database, file, CONFIG_MIGRATIONS.slice(0, 1))
  database.exec(
    `insert into resources (id, type, slug, name, revision, spec, created_at, created_by, updated_at, updated_by)
     values ('pol_1', 'policies', 'old', 'Old', 3, '{"name":"Old"}', '2025', 'a', '2025', 'a'),
            ('col_1', 'collections', 'old', 'Old', 3, '{"name":"Old"}', '2025', 'a', '2025', 'a')`,
  )
  database.close()
  for (let times = 0; times < 2; times++) {
    const store = openConfigStore(file)
    assert.deepEqual((await store.read.byId('policies', 'pol_1'))?.spec, { name: 'Old' })
    const { spec, draft } = (await store.read.byId('collections', 'col_1'))!
    assert.deepEqual(
      { spec, draft },
      { spec: { name: 'Old', requestable: false, hide_unassigned: false, pass_headers: [] }, draft: null },
    )
    assert.equal(await store.read.accessToken('none'), undefined)
    await store.close()
  }
  const again = new DatabaseSync(file)
  const versions = again.prepare('select version from schema_versions order by version').all()
  assert.deepEqual(
    versions.map((row) => row['version']),
    CONFIG_MIGRATIONS.map((step) => step.version),
  )
  again.close()
})

test('entries from before the chain are linked as they are found, and those after them follow', async () => {
  const file = fresh()
  const database = new DatabaseSync(file)
  migrateTo(database, file, CONFIG_MIGRATIONS.slice(0, 3))
  const old = entry('aud_old')
  database
    .prepare(
      `insert into audit (id, time, actor_id, actor_name, surface, operation, action, resource_type, outcome, entry)
       values (?, ?, 'a', 'a', 'system', 'policies.create', 'CREATE', 'policy', 'ok', ?)`,
    )
    .run(old.id, old.time, JSON.stringify(old))
  database.close()
  const store = openConfigStore(file)
  await sealed(store)
  await store.write((writer) => writer.appendAudit(entry('aud_new')))
  let before = CHAIN_START
  const links = await store.read.auditLinks(0, 10)
  assert.deepEqual(
    links.map(({ id }) => id),
    ['aud_old', 'aud_new'],
  )
  for (const [index, { columns, hash }] of links.entries()) {
    assert.equal(index === 0 ? plainLink(before, columns!) : keyedLink(LINK_KEY, before, columns!), hash)
    before = hash!
  }
  await store.close()
})

test('entries from before approvers and environments keep their links, and say that there were none', async () => {
  const file = fresh()
  const database = new DatabaseSync(file)
  migrateTo(
    database,
    file,
    CONFIG_MIGRATIONS.filter(({ version }) => version <= 10),
  )
  const { approver, environment, ...old } = entry('aud_old')
  const values = [old.id, old.time, 'a', 'a', 'system', 'policies.create', 'CREATE', 'policy', null, null]
  const row = [1, ...values, null, null, 'ok', JSON.stringify(old)]
  database.prepare(`insert into audit values (${row.map(() => '?').join()})`).run(...row)
  const hash = createHash('sha256')
    .update(JSON.stringify(['', ...row]))
    .digest('hex')
  database.prepare('insert into audit_chain values (1, ?)').run(hash)
  database.close()
  const store = openConfigStore(file)
  await sealed(store)
  await store.write((writer) => writer.appendAudit(entry('aud_new')))
  const [first, second] = await store.read.auditLinks(0, 10)
  assert.equal(plainLink('', first!.columns!), hash)
  assert.equal(keyedLink(LINK_KEY, hash, second!.columns!), second!.hash)
  const read = await store.read.auditEntry('aud_old')
  assert.deepEqual([read?.approver, read?.environment], [approver, environment])
  await store.close()
})

test('of the plans of one principal the last are kept, and those from before are of nobody', async () => {
  const file = fresh()
  const database = new DatabaseSync(file)
  migrateTo(
    database,
    file,
    CONFIG_MIGRATIONS.filter(({ version }) => version <= 13),
  )
  database.exec(`insert into plans values ('old', 'all', 'd', '[]', 1, 5)`)
  database.close()
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
  assert.deepEqual(await Promise.all(['old', 'a', 'b', 'c', 'd'].map(kept)), [
    '',
    undefined,
    'bob',
    'ann',
    'ann',
  ])
  await store.close()
})

test('access tokens from before grants keep their role', async () => {
  const file = fresh()
  const database = new DatabaseSync(file)
  migrateTo(database, file, CONFIG_MIGRATIONS.slice(0, 2))
  database.exec(
    `insert into access_tokens values ('tok_1', 'aaa', 'hash', 'Ada', 'auditor', 'management', 'm', 1, 2, null)`,
  )
  database.close()
  const store = openConfigStore(file)
  const token = await store.read.accessToken('aaa')
  assert.deepEqual(token?.grants, [{ role: 'auditor' }])
  assert.equal(token?.expires_at, 2)
  await store.close()
})

test('grants from before users and teams are those of service identities', async () => {
  const file = fresh()
  const database = new DatabaseSync(file)
  const people = CONFIG_MIGRATIONS.findIndex(({ name }) => name === 'people')
  migrateTo(database, file, CONFIG_MIGRATIONS.slice(0, people))
  database.exec(
    `insert into resources (id, type, slug, name, revision, spec, created_at, created_by, updated_at, updated_by)
     values ('gra_1', 'grants', 'all', 'All', 1, '{"service_identity":"svc_1","role":"viewer"}', '2025', 'a', '2025', 'a')`,
  )
  database.close()
  const store = openConfigStore(file)
  const spec = { service_identity: 'svc_1', role: 'viewer', user: null, team: null, group: null }
  assert.deepEqual((await store.read.byId('grants', 'gra_1'))?.spec, spec)
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

test('a migration that fails leaves the version before it', () => {
  const file = fresh()
  const database = new DatabaseSync(file)
  const broken = {
    version: NEWEST + 1,
    name: 'broken',
    sqlite: ['create table half (a text)', 'nonsense'],
  }
  const version = () => database.prepare('select max(version) as v from schema_versions').get()?.['v']
  assert.throws(() => migrateTo(database, file, [...CONFIG_MIGRATIONS, broken]))
  assert.equal(version(), null, 'a new file has all of its steps or none')
  migrateTo(database, file, CONFIG_MIGRATIONS.slice(0, 1))
  assert.throws(() => migrateTo(database, file, [...CONFIG_MIGRATIONS, broken]))
  assert.equal(version(), NEWEST)
  assert.throws(() => database.exec('select * from half'))
  database.close()
})

test('an older store is filled with what lists and filters look in, and texts that are no JSON keep no start', async () => {
  const file = fresh()
  const database = new DatabaseSync(file)
  migrateTo(
    database,
    file,
    CONFIG_MIGRATIONS.filter(({ version }) => version < 18),
  )
  const resource = database.prepare(
    `insert into resources (id, type, slug, name, revision, spec, draft, created_at, created_by, updated_at, updated_by)
     values (?, 'users', ?, 'U', 1, ?, ?, '2025', 'a', '2025', 'a')`,
  )
  for (let n = 0; n < 1200; n++) {
    const spec = { email: `u${n}@x.test`, active: n % 2 === 0, groups: ['all', `g${n % 3}`] }
    const id = `usr_${String(n).padStart(4, '0')}`
    resource.run(id, id, JSON.stringify(spec), JSON.stringify({ email: 'draft' }))
  }
  const asked = database.prepare(
    `insert into access_requests values (?, 'usr_0001', 'U', 'usr_0002', ?, 'm', 'open', 1, 9, null, null, null)`,
  )
  asked.run('arq_1', '["col_1","col_2","col_1"]')
  asked.run('arq_2', '["col_2"]')
  const put = database.prepare(
    `insert into audit (seq, id, time, actor_id, actor_name, surface, operation, action, resource_type, outcome, entry)
     values (?, ?, '2026', 'a', 'a', 'rest', 'o', 'READ', 't', 'ok', ?)`,
  )
  for (let n = 1; n <= 1100; n++)
    put.run(
      n,
      `aud_${n}`,
      JSON.stringify({ ...entry(`aud_${n}`), request_id: `req_${n}`, reason: `why ${n}` }),
    )
  put.run(1101, 'aud_1101', 'no JSON')
  database.close()
  const store = openConfigStore(file)
  const { read } = store
  assert.equal((await read.list({ type: 'users', limit: 2000, where: { active: true } })).length, 600)
  assert.equal((await read.list({ type: 'users', limit: 2000, holds: { groups: 'g1' } })).length, 400)
  const [last] = await read.list({ type: 'users', limit: 2, where: { email: 'u1199@x.test' } })
  assert.equal(last?.id, 'usr_1199')
  assert.deepEqual(await read.list({ type: 'users', limit: 2, where: { email: 'draft' } }), [])
  const found = await read.auditEntries({ limit: 5, request_id: 'req_1100', reason: 'WHY 11' })
  assert.deepEqual(
    found.items.map(({ id }) => id),
    ['aud_1100'],
  )
  await store.write((writer) => writer.remove('col_1'))
  const state = async (id: string) => (await read.accessRequest(id))?.state
  assert.deepEqual([await state('arq_1'), await state('arq_2')], ['expired', 'open'])
  await store.close()
})

test('clients from before virtual MCPs have none, and so has what was applied of them', async () => {
  const file = fresh()
  const database = new DatabaseSync(file)
  migrateTo(
    database,
    file,
    CONFIG_MIGRATIONS.filter(({ version }) => version < 21),
  )
  const resource = database.prepare(
    `insert into resources (id, type, slug, name, revision, spec, created_at, created_by, updated_at, updated_by)
     values (?, ?, ?, 'N', 1, ?, '2025', 'a', '2025', 'a')`,
  )
  resource.run('cli_1', 'clients', 'acme', '{"collections":["col_1"]}')
  resource.run('pol_1', 'policies', 'gold', '{}')
  const applied = database.prepare(
    `insert into applied (owner, address, resource_id, spec) values ('s', ?, ?, '{}')`,
  )
  applied.run('client/acme', 'cli_1')
  applied.run('policy/gold', 'pol_1')
  database.close()
  const store = openConfigStore(file)
  const { read } = store
  assert.deepEqual((await read.byId('clients', 'cli_1'))?.spec, { collections: ['col_1'], virtual_mcps: [] })
  assert.deepEqual((await read.byId('policies', 'pol_1'))?.spec, {})
  const specs = new Map((await read.applied('s')).map(({ address, spec }) => [address, spec]))
  assert.deepEqual([specs.get('client/acme'), specs.get('policy/gold')], [{ virtual_mcps: [] }, {}])
  await store.close()
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
