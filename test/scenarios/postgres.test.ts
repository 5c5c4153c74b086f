/** A whole instance whose data is in PostgreSQL. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { eventually } from '../support/eventually.ts'
import { onPostgres } from '../support/postgres-databases.ts'
import { publishOrders, startTestServer, type TestServer, until } from './server.ts'
import { startUpstream } from './upstream.ts'

const call = (server: TestServer, token: string) => server.gateway('GET', '/orders/v1/orders/7', { token })

const ready = (server: TestServer) =>
  fetch(`${server.running.controlUrl}/readyz`).then(async (answer) => ({
    status: answer.status,
    ...((await answer.json()) as { store: boolean; stores: Record<string, string | null> }),
  }))

await onPostgres(({ server: postgres, create }) => {
  const directory = mkdtempSync(join(tmpdir(), 'postern-postgres-'))
  after(() => rmSync(directory, { recursive: true, force: true }))

  /** Starts an instance on a database. @param name of its data directory, which outlives it */
  async function start(name: string, url: string, more: { adminless?: boolean } = {}): Promise<TestServer> {
    return startTestServer({ data: join(directory, name), flags: ['--database-url', url], ...more })
  }

  /** The URL of a new database, with the password in a file. */
  async function newDatabase(): Promise<string> {
    const { host, port, user, database, password } = await create()
    const file = join(directory, 'password')
    writeFileSync(file, `${password}\n`, { mode: 0o600 })
    return `postgres://${user}@${host}:${port}/${database}?password_file=${file}`
  }

  test('configuration, audit and records are in the database, and a restart on another directory has them', async () => {
    await using upstream = await startUpstream()
    const url = await newDatabase()
    await using server = await start('one', url)
    const token = await publishOrders(server, upstream.url)
    assert.equal((await call(server, token)).status, 200)
    const found = await until(
      () => server.manage('GET', '/records?client=acme'),
      ({ json }) => json.items.length === 1,
    )
    const [record] = found.json.items
    const trail = (await server.manage('GET', '/audit?limit=200')).json.items.length
    await server.stop()
    // The key is the one thing that only the directory has
    const key = join(directory, 'one', 'vault.key')
    await using again = await startTestServer({
      data: join(directory, 'two'),
      flags: ['--database-url', url, '--key-file', key],
    })
    assert.equal((await call(again, token)).status, 200)
    assert.ok((await again.manage('GET', '/audit?limit=200')).json.items.length >= trail)
    assert.equal((await again.manage('GET', `/records/${record.id}`)).status, 200)
    const verified = await again.manage('GET', '/audit/verify')
    assert.equal(verified.json.ok, true, verified.text)
    const settings = await again.manage('GET', '/settings')
    assert.match(settings.text, /password_file/)
    assert.doesNotMatch(settings.text + again.log.join('\n'), /tulip-7-secret/)
    await again.stop()
  })

  test('while the database is down traffic goes on and changes are refused, and all goes on by itself', async () => {
    await using upstream = await startUpstream()
    await using server = await start('three', await newDatabase())
    const token = await publishOrders(server, upstream.url)
    await postgres.stop()
    const refused = await server.manage('POST', '/policies', { name: 'Silver', slug: 'silver' })
    assert.deepEqual([refused.status, refused.json.code], [503, 'store_unavailable'], refused.text)
    await until(
      () => ready(server),
      ({ stores }) => stores['config'] === 'unreachable' && stores['records'] === 'unreachable',
    )
    for (let count = 0; count < 20; count++) assert.equal((await call(server, token)).status, 200)
    assert.equal((await server.manage('GET', '/records')).status, 503)
    await postgres.start()
    await until(
      () => ready(server),
      ({ store, stores }) => store && stores['records'] === null,
    )
    assert.equal((await server.manage('POST', '/policies', { name: 'Silver', slug: 'silver' })).status, 201)
    // What was recorded meanwhile waited in memory
    await until(
      () => server.manage('GET', '/records?client=acme&limit=100'),
      ({ json }) => json.items?.length === 20,
    )
    const lines = server.log.filter((line) => line.startsWith('error'))
    assert.ok(lines.length <= 6, lines.join('\n'))
    await server.stop()
  })

  test('a start without its database serves the last known configuration, and can be changed once the database is back', async () => {
    await using upstream = await startUpstream()
    const url = await newDatabase()
    await using first = await start('four', url)
    const token = await publishOrders(first, upstream.url)
    await first.stop()
    await postgres.stop()
    await using server = await start('four', url, { adminless: true })
    assert.equal((await call(server, token)).status, 200)
    assert.equal((await ready(server)).stores['config'], 'unreachable')
    await assert.rejects(server.running.issueToken({ role: 'admin', ttl: '1h', name: 'a' }))
    await postgres.start()
    await eventually(async () => (await ready(server)).store)
    const { token: admin } = await server.running.issueToken({ role: 'admin', ttl: '1h', name: 'a' })
    const revoked = await server.manage('POST', '/profiles/sandbox/revoke', {}, { token: admin })
    assert.equal(revoked.status, 200, revoked.text)
    assert.equal((await call(server, token)).status, 401)
    const verified = await server.manage('GET', '/audit/verify', undefined, { token: admin })
    assert.equal(verified.json.ok, true, verified.text)
    await server.stop()
  })

  test('an empty database in the place of the one that was served is not taken, nor written to', async () => {
    await using upstream = await startUpstream()
    const url = await newDatabase()
    await using first = await start('five', url)
    const token = await publishOrders(first, upstream.url)
    await first.stop()
    const other = await newDatabase()
    await using server = await start('five', other, { adminless: true })
    assert.equal((await call(server, token)).status, 200)
    assert.equal((await ready(server)).store, false)
    assert.match(
      server.log.join('\n'),
      /has no configuration, and this data directory has served one.*Correct POSTERN_DATABASE_URL/,
    )
    await server.stop()
    const name = new URL(other).pathname.slice(1)
    assert.equal(postgres.sql("select count(*) from postern.meta where name <> 'holder'", name).trim(), '0')
  })
})
