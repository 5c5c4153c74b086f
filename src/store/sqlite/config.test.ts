import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { CannotStart } from '../../base/cannot-start.ts'
import type { AuditEntry } from '../../model/audit.ts'
import { CONFIG_MIGRATIONS } from '../migrations/config.ts'
import type { Resource } from '../ports/config.ts'
import { openConfigStore } from './config.ts'
import { migrate } from './migrate.ts'

const directory = mkdtempSync(join(tmpdir(), 'postern-store-'))
after(() => rmSync(directory, { recursive: true, force: true }))

let files = 0
const fresh = (): string => join(directory, `${files++}.db`)

function policy(id: string, slug: string): Resource {
  return {
    type: 'policies',
    id,
    slug,
    parent: null,
    name: slug,
    status: null,
    key: null,
    revision: 1,
    spec: { name: slug, tags: ['a'], active: true },
    draft: null,
    created_at: '2026-01-01T00:00:00.000Z',
    created_by: 'test',
    updated_at: '2026-01-01T00:00:00.000Z',
    updated_by: 'test',
    managed_by: null,
  }
}

function entry(id: string): AuditEntry {
  return {
    id,
    time: '2026-01-01T00:00:00.000Z',
    actor: { id: 'a', type: 'system', name: 'a', auth_method: 'none' },
    agent: { name: null, version: null, session_id: null, conversation_id: null },
    surface: 'system',
    operation: 'policies.create',
    action: 'CREATE',
    resource: { type: 'policy', id: null, slug: null, collection: null },
    revision_before: null,
    revision_after: null,
    config_revision: null,
    diff: [],
    reason: '100% sure_thing',
    http: null,
    ip: null,
    user_agent: null,
    request_id: null,
    outcome: 'ok',
    error: null,
    detail: null,
    count: 1,
  }
}

test('transactions run one after the other in order of arrival and never mix', async () => {
  const store = openConfigStore(fresh())
  const order: string[] = []
  const all = Array.from({ length: 20 }, (_, n) =>
    store
      .write(async (writer) => {
        order.push(`begin ${n}`)
        const before = await writer.revision()
        await writer.insert(policy(`pol_${n}`, `p${n}`))
        await turn()
        assert.equal(await writer.nextRevision(), before + 1)
        order.push(`end ${n}`)
        if (n % 3 === 0) throw new Error('undo')
      })
      .catch(() => {}),
  )
  await Promise.all(all)
  assert.deepEqual(
    order,
    all.flatMap((_, n) => [`begin ${n}`, `end ${n}`]),
  )
  const left = await store.read.all('policies')
  assert.equal(left.length, 13)
  assert.equal(await store.read.revision(), 13)
  await store.close()
})

test('a read waits for no transaction and sees nothing unfinished', async () => {
  const store = openConfigStore(fresh())
  await store.write(async (writer) => {
    await writer.insert(policy('pol_1', 'one'))
    assert.equal((await writer.all('policies')).length, 1)
    assert.equal((await store.read.all('policies')).length, 0)
  })
  assert.equal((await store.read.all('policies')).length, 1)
  await store.close()
})

test('a throw and a rollback leave nothing behind', async () => {
  const store = openConfigStore(fresh())
  await assert.rejects(
    store.write(async (writer) => {
      await writer.insert(policy('pol_1', 'one'))
      throw new Error('after the write')
    }),
    /after the write/,
  )
  let committed = false
  const result = await store.write(
    async (writer) => {
      await writer.insert(policy('pol_1', 'one'))
      return 'seen'
    },
    {
      rollback: true,
      committed: () => {
        committed = true
      },
    },
  )
  assert.equal(result, 'seen')
  assert.equal(committed, false)
  assert.deepEqual(await store.read.all('policies'), [])
  await store.close()
})

test('a transaction inside of a transaction is refused, and the next one still runs', async () => {
  const store = openConfigStore(fresh())
  await assert.rejects(
    store.write(() => store.write(async () => {})),
    /inside of a transaction/,
  )
  await store.write((writer) => writer.insert(policy('pol_1', 'one')))
  await store.close()
})

test('audit entries can be neither changed nor deleted, and text is searched as it is written', async () => {
  const file = fresh()
  const store = openConfigStore(file)
  await store.write((writer) => writer.appendAudit(entry('aud_1')))
  assert.equal((await store.read.auditEntries({ limit: 10, text: '100% SURE_' })).items.length, 1)
  assert.equal((await store.read.auditEntries({ limit: 10, text: '100%s' })).items.length, 0)
  await store.close()
  const database = new DatabaseSync(file)
  assert.throws(() => database.exec("update audit set entry = '{}'"), /never changed/)
  assert.throws(() => database.exec('delete from audit'), /never deleted/)
  database.close()
})

test('an older data directory is brought to the newest version with all that it held', async () => {
  const file = fresh()
  const database = new DatabaseSync(file)
  migrate(database, file, CONFIG_MIGRATIONS.slice(0, 1))
  database.exec(
    `insert into resources (id, type, slug, name, revision, spec, created_at, created_by, updated_at, updated_by)
     values ('pol_1', 'policies', 'old', 'Old', 3, '{"name":"Old"}', '2025', 'a', '2025', 'a')`,
  )
  database.close()
  for (let times = 0; times < 2; times++) {
    const store = openConfigStore(file)
    assert.equal((await store.read.byId('policies', 'pol_1'))?.revision, 3)
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

test('a data directory from a newer version is refused by one sentence and left as it is', () => {
  const file = fresh()
  const database = new DatabaseSync(file)
  migrate(database, file, [...CONFIG_MIGRATIONS, { version: 99, name: 'later', statements: [] }])
  database.close()
  assert.throws(
    () => openConfigStore(file),
    (error: Error) => error instanceof CannotStart && /version 99.*up to 2/.test(error.message),
  )
})

test('a file that is no database is one sentence, and a new one is for its owner alone', async () => {
  const file = fresh()
  writeFileSync(file, 'not a database, but long enough to be taken for the head of one '.repeat(20))
  assert.throws(
    () => openConfigStore(file),
    (error: Error) => error instanceof CannotStart && error.message.includes('cannot be opened'),
  )
  const made = fresh()
  const store = openConfigStore(made)
  assert.equal(statSync(made).mode & 0o777, 0o600)
  await store.close()
})

test('a migration that fails leaves the version before it', () => {
  const file = fresh()
  const database = new DatabaseSync(file)
  const broken = { version: 3, name: 'broken', statements: ['create table half (a text)', 'nonsense'] }
  assert.throws(() => migrate(database, file, [...CONFIG_MIGRATIONS, broken]))
  assert.equal(database.prepare('select max(version) as v from schema_versions').get()?.['v'], 2)
  assert.throws(() => database.exec('select * from half'))
  database.close()
})

test('lists filter by fields, tags and members of lists, in order and by pages', async () => {
  const store = openConfigStore(fresh())
  await store.write(async (writer) => {
    for (const n of [1, 2, 3, 4, 5])
      await writer.insert({ ...policy(`pol_${n}`, `p${n}`), spec: { active: n % 2 === 1, tags: [`t${n}`] } })
  })
  const ids = async (query: object) =>
    (await store.read.list({ type: 'policies', limit: 10, ...query })).map((one) => one.id)
  assert.deepEqual(await ids({ limit: 2 }), ['pol_1', 'pol_2'])
  assert.deepEqual(await ids({ limit: 2, after: 'pol_2' }), ['pol_3', 'pol_4'])
  assert.deepEqual(await ids({ where: { active: false } }), ['pol_2', 'pol_4'])
  assert.deepEqual(await ids({ tag: 't4' }), ['pol_4'])
  assert.deepEqual(await ids({ tag: `t4' or 1=1` }), [])
  await store.close()
})
