/** Limits of two whole instances on one PostgreSQL. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { eventually } from '../support/eventually.ts'
import { onPostgres } from '../support/postgres-databases.ts'
import { publishOrders, startTestServer, type TestServer } from './server.ts'
import { startUpstream } from './upstream.ts'

await onPostgres(({ create }) => {
  const directory = mkdtempSync(join(tmpdir(), 'postern-node-limits-'))
  after(() => rmSync(directory, { recursive: true, force: true }))

  /** How nodes start on an empty database, with the key of the first one. */
  async function installation(): Promise<(name: string) => Promise<TestServer>> {
    const { host, port, user, database, password } = await create()
    const place = join(directory, database)
    writeFileSync(`${place}-password`, `${password}\n`, { mode: 0o600 })
    const url = `postgres://${user}@${host}:${port}/${database}?password_file=${place}-password`
    const flags = ['--database-url', url, '--origin', 'http://localhost:18080']
    return (name) =>
      startTestServer({
        data: `${place}-${name}`,
        flags: name === 'a' ? flags : [...flags, '--key-file', join(`${place}-a`, 'vault.key')],
      })
  }

  const call = (server: TestServer, token: string) => server.gateway('GET', '/orders/v1/orders/7', { token })

  async function admitted(server: TestServer, token: string, calls: number): Promise<number> {
    let count = 0
    for (let i = 0; i < calls; i++) if ((await call(server, token)).status === 200) count++
    return count
  }

  test('each of two nodes admits half of a rate, and says so', async () => {
    await using upstream = await startUpstream()
    const start = await installation()
    await using a = await start('a')
    const token = await publishOrders(a, upstream.url, { max: 9, window: '1h' })
    const alone = await call(a, token)
    assert.match(alone.headers.get('ratelimit-policy') ?? '', /"minute";q=9;/)
    await using b = await start('b')
    assert.equal(await admitted(b, token, 9), 5)
    assert.equal(await admitted(a, token, 9), 4, 'one was admitted before')
    const refused = await call(b, token)
    assert.equal(refused.status, 429)
    assert.match(refused.headers.get('ratelimit-policy') ?? '', /"minute";q=5;/)
    const problem = JSON.parse(refused.text)
    assert.deepEqual([problem.max, problem.nodes, problem.max_of_all_nodes], [5, 2, 9])
    assert.match(problem.detail, /limited to 5 requests in 3600 s on each of 2 nodes/)
    assert.deepEqual([a.faults(), b.faults()], [[], []])
  })

  test('two nodes admit a quota together, and the one that stays admits what is left of it', async () => {
    await using upstream = await startUpstream()
    const start = await installation()
    await using a = await start('a')
    const token = await publishOrders(a, upstream.url, { kind: 'quota', max: 40, window: '30d' })
    let total = 0
    {
      await using b = await start('b')
      total += await admitted(a, token, 5)
      total += await admitted(b, token, 5)
      assert.equal(total, 10)
      const used = async (server: TestServer) =>
        (await server.manage('GET', '/policies/gold/usage')).json.items[0].used
      await eventually(async () => (await used(a)) === 10 && (await used(b)) === 10)
      await eventually(async () => {
        total += await admitted(b, token, 4)
        return total >= 30
      })
      assert.deepEqual(b.faults(), [])
    }
    await eventually(async () => {
      total += await admitted(a, token, 4)
      return total >= 40
    })
    assert.equal(await admitted(a, token, 5), 0)
    assert.ok(total <= 41, `${total} of 40`)
    assert.deepEqual(a.faults(), [])
  })
})
