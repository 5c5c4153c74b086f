import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import { isWithin } from '../../access/roles.ts'
import { CannotStart } from '../../base/cannot-start.ts'
import type { AuditEntry } from '../../model/audit.ts'
import type { ResourceType } from '../../model/resource-types.ts'
import { CONFIG_MIGRATIONS } from '../migrations/config.ts'
import type { Migration } from '../migrations/migration.ts'
import { CHAIN_START, keyedLink, type MarkedPlace, plainLink } from '../ports/audit-chain.ts'
import type { ConfigStore } from '../ports/config.ts'
import type { Resource } from '../ports/resource.ts'
import { openConfigStore } from './config.ts'
import { runDataStep } from './data-step.ts'
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
    environment: null,
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
    approver: null,
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

const migrateTo = (database: DatabaseSync, file: string, steps: readonly Migration[]): void =>
  migrate(database, file, steps, runDataStep)

const LINK_KEY = new Uint8Array(32).fill(1)

/** Gives a store a key, and a mark at the end of its trail. Returns the places that the mark moves to. */
async function sealed(store: ConfigStore): Promise<MarkedPlace[]> {
  const moves: MarkedPlace[] = []
  let place: MarkedPlace = { seq: 0, hash: CHAIN_START, ...(await store.read.lastAuditLink()), revision: 0 }
  store.sealTrail({
    linkKey: LINK_KEY,
    mark: {
      get place() {
        return place
      },
      async move(to) {
        place = to
        moves.push(to)
      },
    },
  })
  return moves
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
  await sealed(store)
  await store.write((writer) => writer.appendAudit(entry('aud_1')))
  assert.equal((await store.read.auditEntries({ limit: 10, text: '100% SURE_' })).items.length, 1)
  assert.equal((await store.read.auditEntries({ limit: 10, text: '100%s' })).items.length, 0)
  await store.close()
  const database = new DatabaseSync(file)
  assert.throws(() => database.exec("update audit set entry = '{}'"), /never changed/)
  assert.throws(() => database.exec('delete from audit'), /never deleted/)
  database.close()
})

test('the mark moves to the last entry of each transaction that adds one or counts a revision, and of no other', async () => {
  const store = openConfigStore(fresh())
  await assert.rejects(
    store.write((writer) => writer.appendAudit(entry('aud_0'))),
    /has no key yet/,
  )
  const moves = await sealed(store)
  await store.write(async (writer) => {
    await writer.nextRevision()
    await writer.appendAudit(entry('aud_1'))
    await writer.appendAudit(entry('aud_2'))
  })
  await store.write((writer) => writer.appendAudit(entry('aud_3')), { rollback: true })
  await assert.rejects(
    store.write(async (writer) => {
      await writer.appendAudit(entry('aud_3'))
      throw new Error('on purpose')
    }),
    /on purpose/,
  )
  await store.write((writer) => writer.setMeta('a', 'b'))
  await store.write((writer) => writer.appendAudit(entry('aud_3')))
  const last = await store.read.lastAuditLink()
  assert.deepEqual(
    moves.map(({ seq, revision }) => [seq, revision]),
    [
      [2, 1],
      [last!.seq, 1],
    ],
  )
  assert.equal(moves.at(-1)!.hash, last!.hash)
  await store.close()
})

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

test('entries say of which environment the instance was when they were written', async () => {
  const file = fresh()
  for (const [id, environment] of [
    ['aud_1', 'staging'],
    ['aud_2', null],
  ] as const) {
    const store = openConfigStore(file, environment)
    await sealed(store)
    await store.write((writer) => writer.appendAudit(entry(id)))
    await store.close()
  }
  const store = openConfigStore(file)
  const { items } = await store.read.auditEntries({ limit: 10 })
  assert.deepEqual(
    items.map(({ id, environment }) => [id, environment]),
    [
      ['aud_2', null],
      ['aud_1', 'staging'],
    ],
  )
  await store.close()
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
  assert.throws(() => migrateTo(database, file, [...CONFIG_MIGRATIONS, broken]))
  assert.equal(database.prepare('select max(version) as v from schema_versions').get()?.['v'], NEWEST)
  assert.throws(() => database.exec('select * from half'))
  database.close()
})

test('lists hold what is within one of the parts, and agree with how a scope is judged', async () => {
  const store = openConfigStore(fresh())
  const of = (type: ResourceType, id: string, parent: string | null, tags: string[]): Resource => ({
    ...policy(id, id.replace('_', '-')),
    type,
    parent,
    spec: { tags },
  })
  const all = [
    of('collections', 'col_a', null, ['x']),
    of('collections', 'col_b', null, ['y']),
    of('collections', 'col_c', null, []),
    of('proxies', 'prx_a', 'col_a', []),
    of('proxies', 'prx_b', 'col_a', ['y']),
    of('proxies', 'prx_c', 'col_b', ['z']),
    of('proxies', 'prx_d', 'col_c', []),
    of('clients', 'cli_a', null, ['x']),
    of('profiles', 'prf_a', 'cli_a', []),
  ]
  await store.write(async (writer) => {
    for (const one of all) await writer.insert(one)
  })
  const tagsOf = (id: string | null): string[] =>
    id === null ? [] : (all.find((one) => one.id === id)!.spec['tags'] as string[])
  const touched = ({ id, type, parent }: Resource) => ({
    collection: type === 'collections' ? id : type === 'proxies' ? parent : null,
    tags: [...tagsOf(id), ...tagsOf(parent)],
  })
  const some = (...texts: string[]) => fc.subarray(texts)
  const part = fc.record({
    collections: some('col_a', 'col_b', 'col_c', 'col_gone'),
    tags: some('x', 'y', 'z', 'q'),
  })
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom<ResourceType>('collections', 'proxies', 'clients', 'profiles'),
      fc.array(part, { maxLength: 3 }),
      async (type, within) => {
        const found = await store.read.list({ type, limit: 100, within })
        const wanted = all.filter(
          (one) => one.type === type && within.some((parts) => isWithin(parts, touched(one))),
        )
        assert.deepEqual(
          found.map(({ id }) => id),
          wanted.map(({ id }) => id),
        )
      },
    ),
    { numRuns: 300 },
  )
  await store.close()
})

test('lists filter by fields, tags and members of lists, in order and by pages', async () => {
  const store = openConfigStore(fresh())
  await store.write(async (writer) => {
    for (const n of [1, 2, 3, 4, 5])
      await writer.insert({
        ...policy(`pol_${n}`, `p${n}`),
        spec: { active: n % 2 === 1, tags: [`t${n}`, 'all'] },
      })
  })
  const ids = async (query: object) =>
    (await store.read.list({ type: 'policies', limit: 10, ...query })).map((one) => one.id)
  assert.deepEqual(await ids({ limit: 2 }), ['pol_1', 'pol_2'])
  assert.deepEqual(await ids({ limit: 2, after: 'pol_2' }), ['pol_3', 'pol_4'])
  assert.deepEqual(await ids({ where: { active: false } }), ['pol_2', 'pol_4'])
  assert.deepEqual(await ids({ tags: ['t4'] }), ['pol_4'])
  assert.deepEqual(await ids({ tags: ['all', 't4'] }), ['pol_4'])
  assert.deepEqual(await ids({ tags: ['t3', 't4'] }), [])
  assert.deepEqual(await ids({ tags: [`t4' or 1=1`] }), [])
  await store.close()
})

test('lists find resources by what they hold now, whatever was written before', async () => {
  const store = openConfigStore(fresh())
  const spec = fc.record({
    active: fc.boolean(),
    role: fc.constantFrom('a', 'b', '', null),
    groups: fc.array(fc.constantFrom('a', 'b', 'c')),
    tags: fc.array(fc.constantFrom('a', 'b')),
  })
  const id = fc.constantFrom('usr_1', 'usr_2', 'usr_3')
  const model = new Map<string, Resource>()
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(id, fc.option(spec)), { minLength: 1, maxLength: 8 }),
      async (steps) => {
        await store.write(async (writer) => {
          for (const [one, now] of steps) {
            const known = model.get(one)
            const next = now === null ? null : { ...policy(one, one), type: 'users' as const, spec: now }
            if (next === null) {
              if (known !== undefined) await writer.remove(one)
              model.delete(one)
              continue
            }
            // A draft is not what lists find
            if (known === undefined) await writer.insert(next)
            else
              await writer.replace({
                ...next,
                draft: { active: !next.spec.active, role: 'b', groups: ['c'] },
              })
            model.set(one, next)
          }
        })
        const all = [...model.values()].sort((a, b) => (a.id < b.id ? -1 : 1))
        const idsOf = async (query: object) =>
          (await store.read.list({ type: 'users', limit: 10, ...query })).map((one) => one.id)
        const wanted = (fits: (spec: Resource['spec']) => boolean) =>
          all.filter(({ spec }) => fits(spec)).map((one) => one.id)
        const has = (of: Resource['spec'], name: string, value: string) =>
          (of[name] as string[]).includes(value)
        for (const active of [true, false])
          assert.deepEqual(
            await idsOf({ where: { active } }),
            wanted((of) => of['active'] === active),
          )
        for (const role of ['a', 'b', ''])
          assert.deepEqual(
            await idsOf({ where: { active: true, role }, tags: ['a'] }),
            wanted((of) => of['active'] === true && of['role'] === role && has(of, 'tags', 'a')),
          )
        assert.deepEqual(
          await idsOf({ holds: { groups: 'a' }, tags: ['a', 'b'] }),
          wanted((of) => has(of, 'groups', 'a') && has(of, 'tags', 'a') && has(of, 'tags', 'b')),
        )
        assert.deepEqual(await store.read.list({ type: 'clients', limit: 10, where: { active: true } }), [])
      },
    ),
    { numRuns: 60 },
  )
  await store.close()
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
