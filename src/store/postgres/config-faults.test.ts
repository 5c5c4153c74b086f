/** What happens to the configuration store when its database is lost, refuses, or is not as it was. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, test } from 'node:test'
import { issue } from '../../../test/certificates.ts'
import { entry, LINK_KEY, policy, sealed } from '../../../test/store/place.ts'
import { lanesSuite } from '../../../test/store/suite/lanes.ts'
import { transactionsSuite } from '../../../test/store/suite/transactions.ts'
import { eventually } from '../../../test/support/eventually.ts'
import { onPostgres, tamperWithDatabase } from '../../../test/support/postgres-databases.ts'
import { installed } from '../../../test/support/programs.ts'
import { TcpProxy } from '../../../test/support/tcp-proxy.ts'
import { CHAIN_START, type MarkedPlace } from '../ports/audit-chain.ts'
import type { ConfigStore } from '../ports/config.ts'
import { openConfigStore } from './config.ts'

const authority = issue({ name: 'Test authority', ca: true })
const certificate = issue({ name: 'db', issuer: authority, addresses: ['127.0.0.1'], usage: 'server' })

const put = (store: ConfigStore, id: string): Promise<void> =>
  store.write((writer) => writer.insert(policy(id, id)))

const slugs = async (store: ConfigStore): Promise<string[]> =>
  (await store.read.all('policies')).map(({ slug }) => slug)

/** Asserts that something rejects with a fault of the store. */
async function refused(work: Promise<unknown>, ...faults: string[]): Promise<string> {
  const error = await work.then(
    () => assert.fail('it was done'),
    (reason: unknown) => reason as { code?: string; fault?: string; facts?: { inner?: string } },
  )
  assert.equal(error.code, 'store_unavailable', String(error))
  assert.ok(faults.includes(error.fault!), `${error.fault}: ${error.facts?.inner}`)
  return error.facts?.inner ?? ''
}

/** A way to a server, which is open until the tests of the file end. */
async function wayTo(port: number): Promise<TcpProxy> {
  const way = await TcpProxy.make(port)
  await way.open()
  after(() => way.cut())
  return way
}

await onPostgres(({ server, create }) => {
  test('while the server cannot be reached, writes and reads are refused at once, and a probe finds it again', async () => {
    const address = await create()
    const way = await wayTo(address.port)
    const store = await openConfigStore({ ...address, port: way.port })
    await put(store, 'one')
    await way.cut()
    await refused(put(store, 'two'), 'unreachable')
    // The look after the loss has ended then
    await store.probe()
    const tried = way.connections
    for (let count = 0; count < 100; count++) {
      await refused(put(store, 'two'), 'unreachable')
      await refused(store.read.all('policies'), 'unreachable')
    }
    assert.equal(way.connections, tried, 'none of them asks the server')
    await store.probe()
    assert.equal(store.fault?.fault, 'unreachable')
    await way.open()
    await store.probe()
    assert.equal(store.fault, null)
    await put(store, 'three')
    assert.deepEqual(await slugs(store), ['one', 'three'])
    await store.close()
  })

  test('connections that end while they are unused are replaced, and no probe is needed', async () => {
    const address = await create()
    const way = await wayTo(address.port)
    const store = await openConfigStore({ ...address, port: way.port })
    await put(store, 'one')
    await slugs(store)
    way.reset()
    await eventually(async () => (await slugs(store).catch(() => null)) !== null)
    assert.equal(store.fault, null)
    await put(store, 'two')
    assert.deepEqual(await slugs(store), ['one', 'two'])
    await store.close()
  })

  test('a connection that is lost in the middle of a transaction leaves nothing of it', async () => {
    const address = await create()
    const store = await openConfigStore(address)
    await refused(
      store.write(async (writer) => {
        await writer.insert(policy('one', 'one'))
        server.sql(
          "select pg_terminate_backend(pid) from pg_stat_activity where state = 'idle in transaction' and datname = current_database()",
          address.database,
        )
        await writer.insert(policy('two', 'two'))
      }),
      'unreachable',
    )
    await store.probe()
    assert.deepEqual([store.fault, await slugs(store)], [null, []])
    await put(store, 'three')
    await store.close()
  })

  test('a commit whose answer was lost counts as done if it was done, and as not done if it was not', async () => {
    const address = await create()
    for (const [verdict, isDone] of [
      ['after', true],
      ['before', false],
    ] as const) {
      const way = await wayTo(address.port)
      const store = await openConfigStore({ ...address, port: way.port })
      way.judge((bytes) => (bytes.includes('commit\0') ? verdict : null))
      let committed = 0
      const write = store.write((writer) => writer.insert(policy(verdict, verdict)), {
        committed: () => void committed++,
      })
      if (isDone) await write
      else await refused(write, 'unreachable')
      way.judge(() => null)
      await store.probe()
      assert.deepEqual([committed, (await slugs(store)).includes(verdict)], isDone ? [1, true] : [0, false])
      await store.close()
    }
  })

  test('a commit of which the server cannot be asked is refused, and the reason says that it is not known', async () => {
    const address = await create()
    const way = await wayTo(address.port)
    const store = await openConfigStore({ ...address, port: way.port })
    way.judge((bytes) => {
      if (!bytes.includes('commit\0')) return null
      void way.cut()
      return 'before'
    })
    // The first sentence of the answer, in place of the one that nothing was changed
    await assert.rejects(put(store, 'one'), {
      fault: 'uncertain',
      message: /not known whether(?!.*Nothing was changed)/,
    })
    await store.close()
  })

  test('a database that takes no writes is reported, and used again when it takes them', async () => {
    const address = await create()
    const store = await openConfigStore(address)
    await put(store, 'one')
    const { database } = address
    const kick = `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${database}'`
    server.sql(`alter database ${database} set default_transaction_read_only = on; ${kick}`)
    await eventually(async () => {
      await store.probe()
      return store.fault?.fault === 'read_only'
    })
    await refused(put(store, 'two'), 'read_only')
    assert.deepEqual(await slugs(store), ['one'])
    server.sql(`alter database ${database} reset default_transaction_read_only; ${kick}`)
    await eventually(async () => {
      await store.probe()
      return store.fault === null
    })
    await put(store, 'two')
    await store.close()
  })

  test('a lock that another process holds for too long refuses the write, and nothing else', async () => {
    const address = await create()
    const [first, second] = [await openConfigStore(address), await openConfigStore(address)]
    const { promise: go, resolve } = Promise.withResolvers<void>()
    const { promise: begun, resolve: begin } = Promise.withResolvers<void>()
    const long = first.write(async (writer) => {
      await writer.insert(policy('one', 'one'))
      begin()
      await go
    })
    await begun
    assert.deepEqual(await slugs(second), [])
    await second.writeOAuth(async () => {})
    await refused(put(second, 'two'), 'locked')
    assert.equal(second.fault, null)
    resolve()
    await long
    await put(second, 'two')
    assert.deepEqual(await slugs(first), ['one', 'two'])
    await first.close()
    await second.close()
  })

  test('a process that was stopped in the middle of a change loses the lock before those give up that wait for it', async (t) => {
    const address = await create()
    const store = await openConfigStore(address)
    const program = join(import.meta.dirname, '../../../test/programs/stopped-writer.ts')
    const stopped = spawn(process.execPath, [program, JSON.stringify(address)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    t.after(() => stopped.kill('SIGKILL'))
    const said = createInterface(stopped.stdout)[Symbol.asyncIterator]()
    assert.equal((await said.next()).value, 'begun')
    stopped.kill('SIGSTOP')
    await Promise.all([put(store, 'one'), put(store, 'two')])
    stopped.kill('SIGCONT')
    stopped.stdin.write('go on\n')
    assert.match((await said.next()).value!, /^(slow|unreachable)$/)
    assert.deepEqual(await slugs(store), ['one', 'two'], 'nothing of its change is there')
    await store.close()
  })

  test('a limit of the server for the time of a statement refuses the write that meets it, and nothing else', async () => {
    const address = await create()
    const holding = await openConfigStore(address)
    server.sql(`alter database ${address.database} set statement_timeout = '200ms'`)
    const store = await openConfigStore(address)
    const { promise: go, resolve } = Promise.withResolvers<void>()
    const { promise: begun, resolve: begin } = Promise.withResolvers<void>()
    const long = holding.write(async () => {
      begin()
      await go
    })
    await begun
    await refused(put(store, 'one'), 'slow')
    assert.equal(store.fault, null)
    resolve()
    await long
    await put(store, 'two')
    assert.deepEqual(await slugs(store), ['two'])
    await store.close()
    await holding.close()
  })

  test('a standby takes no changes, and is used as soon as it is the primary', async () => {
    const address = await create()
    const way = await wayTo(address.port)
    const store = await openConfigStore({ ...address, port: way.port })
    await sealed(store)
    await store.write((writer) => writer.appendAudit(entry('aud_1')))
    await using standby = await server.standby()
    way.lead(standby.port)
    way.reset()
    await eventually(async () => {
      await store.probe()
      return store.fault?.fault === 'read_only'
    })
    assert.match(store.fault?.facts.inner ?? '', /standby/)
    await refused(put(store, 'one'), 'read_only')
    assert.deepEqual(await slugs(store), [])
    standby.sql('select pg_promote()')
    await eventually(async () => {
      await store.probe()
      return store.fault === null
    })
    await store.write((writer) => writer.appendAudit(entry('aud_2')))
    assert.equal((await store.read.lastAuditLink())?.seq, 2)
    await store.close()
  })

  test('two processes on one database write one trail without gaps, and their revisions follow each other', async () => {
    const address = await create()
    const stores = [await openConfigStore(address), await openConfigStore(address)]
    for (const store of stores) await sealed(store)
    const revisions: number[] = []
    await Promise.all(
      Array.from({ length: 40 }, (_, at) =>
        stores[at % 2]!.write(async (writer) => {
          const revision = await writer.nextRevision()
          await writer.appendAudit(entry(`aud_${at}`))
          // Which must leave no gap
          if (at % 5 === 0) throw new Error('undo')
          return revision
        }).then(
          (revision) => revisions.push(revision),
          () => {},
        ),
      ),
    )
    assert.deepEqual(
      revisions.toSorted((a, b) => a - b),
      Array.from({ length: 32 }, (_, at) => at + 1),
    )
    const links = await stores[0]!.read.auditLinks(0, 100)
    assert.deepEqual(
      links.map(({ seq }) => seq),
      Array.from({ length: 32 }, (_, at) => at + 1),
    )
    for (const store of stores) {
      await store.probe()
      assert.equal(store.fault, null)
      await store.close()
    }
  })

  test('a database that lost what this process knows, as after a failover to a standby that lagged, takes no changes', async () => {
    const address = await create()
    const store = await openConfigStore(address)
    await sealed(store)
    for (const id of ['aud_1', 'aud_2']) await store.write((writer) => writer.appendAudit(entry(id)))
    {
      await using tamper = await tamperWithDatabase(address)
      await tamper.unguardAudit()
      await tamper.execute('delete from audit_chain where seq = 2')
      await tamper.execute('delete from audit where seq = 2')
    }
    await refused(
      store.write((writer) => writer.appendAudit(entry('aud_3'))),
      'changed',
    )
    // Another process goes on where the trail ends now; the entry that this one knows is not there
    const other = await openConfigStore(address)
    await sealed(other)
    for (const id of ['aud_4', 'aud_5']) await other.write((writer) => writer.appendAudit(entry(id)))
    await refused(
      store.write((writer) => writer.appendAudit(entry('aud_6'))),
      'changed',
    )
    await store.close()
    await other.close()
  })

  test('a process that was stopped follows a trail that others have extended, and retention has cut', async () => {
    const address = await create()
    const [store, other] = [await openConfigStore(address), await openConfigStore(address)]
    let place: MarkedPlace = { seq: 0, hash: CHAIN_START, revision: 0 }
    store.sealTrail({
      linkKey: LINK_KEY,
      mark: {
        get place() {
          return place
        },
        async move(to) {
          place = to
        },
      },
    })
    await store.write((writer) => writer.appendAudit(entry('aud_1')))
    await sealed(other)
    for (const id of ['aud_2', 'aud_3', 'aud_4'])
      await other.write((writer) => writer.appendAudit(entry(id, { operation: 'audit.retention' })))
    const links = await other.read.auditLinks(0, 10)
    const signed = { time: '2026-01-01T00:00:00.000Z', key: 'k', signature: 's' }
    const [second, fourth] = [links[1]!, links[3]!]
    await other.write((writer) => writer.putCheckpoint({ seq: 2, hash: second.hash!, ...signed }))
    await other.write((writer) =>
      writer.cutAudit({
        ...{ seq: 2, hash: second.hash!, entries: 2 },
        ...{ head_seq: 4, head_hash: fourth.hash! },
        ...signed,
      }),
    )
    await store.write((writer) => writer.appendAudit(entry('aud_5')))
    assert.equal(place.seq, 5)
    await store.close()
    await other.close()
  })

  test('a write of the configuration that goes on in the OAuth lane waits for a write of that lane, and both are done', async () => {
    const address = await create()
    const store = await openConfigStore(address)
    let started = (): void => {}
    const isInOAuth = new Promise<void>((resolve) => {
      started = resolve
    })
    let left = (): void => {}
    const mayEnd = new Promise<void>((resolve) => {
      left = resolve
    })
    const configuration = store.write(async (writer) => {
      await writer.insert(policy('one', 'one'))
      await isInOAuth
      const joined = writer.joinOAuth()
      left()
      await joined
    })
    const oauth = store.writeOAuth(async () => {
      started()
      await mayEnd
    })
    await Promise.all([configuration, oauth])
    assert.deepEqual(await slugs(store), ['one'])
    await store.close()
  })

  test('a user without rights, a wrong password, a missing database and an old schema are told of in one sentence without the password', async () => {
    const address = await create()
    for (const [its, said] of [
      [{ password: 'wrong-secret' }, /password authentication failed/],
      [{ password: '', passwordFile: '/none' }, /password_file cannot be read.*ENOENT/],
      [{ password: '' }, /the server asks for a password/],
      [{ database: 'nowhere' }, /database "nowhere" does not exist/],
      [{ port: 1 }, /ECONNREFUSED/],
      [{ tls: 'require' as const }, /offers no TLS/],
    ] as const) {
      const error = await openConfigStore({ ...address, ...its }).then(
        () => assert.fail('it was opened'),
        (reason: Error) => reason,
      )
      assert.match(error.message, said)
      assert.equal(error.name, 'CannotStart')
      assert.doesNotMatch(error.message, /wrong-secret|tulip-7-secret/)
    }
    const store = await openConfigStore(address)
    await store.close()
    server.sql(
      "insert into postern.schema_versions values ('config', 999, 'later', '', 999)",
      address.database,
    )
    await assert.rejects(openConfigStore(address), /schema version 999.*start the newer Postern/)
  })
})

await onPostgres(({ create }) => {
  test('TLS is verified with the given authority and the name of the host, unless the URL says less', async (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'postern-tls-'))
    t.after(() => rmSync(directory, { recursive: true }))
    const authorities = join(directory, 'ca.pem')
    writeFileSync(authorities, authority.certificate)
    const address = await create()
    for (const [url, outcome] of [
      [{ tls: 'verify-full', authorities }, null],
      [{ tls: 'verify-ca', authorities, host: 'localhost' }, null],
      [{ tls: 'require' }, null],
      [{ tls: 'verify-full', authorities, host: 'localhost' }, /does not match certificate/],
      [{ tls: 'verify-full' }, /unable to verify|self-signed/],
      [{ tls: 'verify-full', authorities: `${authorities}.none` }, /sslrootcert cannot be read/],
    ] as const) {
      const opened = openConfigStore({ ...address, ...url })
      if (outcome === null) await (await opened).close()
      else await assert.rejects(opened, outcome)
    }
  })
}, certificate)

const bouncer = installed('/usr/sbin/pgbouncer')
await onPostgres(({ server, create }) => {
  if (bouncer === null) {
    test('PgBouncer', { skip: 'PgBouncer is not installed' })
    return
  }
  const through = async () => {
    const address = await create()
    const port = await server.bouncer(bouncer, address)
    return {
      isOfOneProcess: false,
      open: (environment: string | null = null) => openConfigStore({ ...address, port }, environment),
      tamper: () => tamperWithDatabase(address),
    }
  }
  transactionsSuite('PgBouncer in transaction mode', through)
  lanesSuite('PgBouncer in transaction mode', through)
})
