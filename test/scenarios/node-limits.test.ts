/** Limits of two whole instances on one PostgreSQL. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { eventually } from '../support/eventually.ts'
import { onPostgres } from '../support/postgres-databases.ts'
import { NO_VALKEY, startValkey } from '../support/valkey.ts'
import { installations } from './installation.ts'
import { publishOrders, type TestServer } from './server.ts'
import { startUpstream } from './upstream.ts'

await onPostgres(({ create }) => {
  const newInstallation = installations({ create })
  const installation = async () => (await newInstallation()).start

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
    const exact = (await a.manage('GET', '/limits/explain?policy=gold')).json.items[0]
    assert.deepEqual([exact.counted, exact.worst_excess, exact.own], ['exactly', 0, 1])
    await using b = await start('b')
    assert.equal(await admitted(b, token, 9), 5)
    assert.equal(await admitted(a, token, 9), 4, 'one was admitted before')
    const refused = await call(b, token)
    assert.equal(refused.status, 429)
    assert.match(refused.headers.get('ratelimit-policy') ?? '', /"minute";q=5;/)
    const problem = JSON.parse(refused.text)
    assert.deepEqual([problem.max, problem.nodes, problem.max_of_all_nodes], [5, 2, 9])
    assert.match(problem.detail, /limited to 5 requests in 3600 s on each of 2 nodes/)
    const explained = (await b.manage('GET', '/limits/explain?client=acme')).json
    assert.deepEqual([explained.nodes, explained.silent_nodes], [2, 0])
    const [limit] = explained.items
    assert.deepEqual(
      [limit.policy, limit.counted, limit.max, limit.own, limit.own_max, limit.worst_excess],
      ['gold', 'by_node', 9, 5, 5, 1],
    )
    assert.equal(limit.because, 'Each of the 2 nodes admits at most 5 of 9, rounded up.')
    assert.deepEqual([a.faults(), b.faults()], [[], []])
  })

  test('two nodes count a rate together in Valkey, and each admits its part while that is lost', {
    skip: NO_VALKEY,
  }, async () => {
    await using upstream = await startUpstream()
    await using valkey = await startValkey()
    const start = await installation()
    const flags = ['--valkey-url', `redis://127.0.0.1:${valkey.port}`]
    await using a = await start('a', flags)
    await using b = await start('b', flags)
    const token = await publishOrders(a, upstream.url, { max: 9, window: '1h' })
    const explained = async (server: TestServer) =>
      (await server.manage('GET', '/limits/explain')).json.items[0]
    const counted = (server: TestServer, as: string) =>
      eventually(async () => (await explained(server)).counted === as)
    await counted(a, 'in_valkey')
    await counted(b, 'in_valkey')

    const first = await call(b, token)
    assert.match(first.headers.get('ratelimit-policy') ?? '', /"minute";q=9;/)
    const own = { a: 0, b: 1 }
    for (let i = 0; i < 6; i++) {
      own.a += await admitted(a, token, 1)
      own.b += await admitted(b, token, 1)
    }
    assert.equal(own.a + own.b, 9)
    const refused = await call(b, token)
    assert.equal(refused.status, 429)
    const problem = JSON.parse(refused.text)
    assert.deepEqual([problem.max, problem.nodes], [9, undefined])

    await valkey.kill()
    await counted(a, 'by_node')
    await counted(b, 'by_node')
    const { because } = await explained(a)
    assert.match(because, /^Valkey cannot be reached\. Each of the 2 nodes admits at most 5 of 9/)
    // What each has counted already is part of its part
    assert.equal(await admitted(a, token, 9), Math.max(0, 5 - own.a))
    assert.equal(await admitted(b, token, 9), Math.max(0, 5 - own.b))

    // Its data are lost: nodes tell it what they counted
    await valkey.start()
    await counted(a, 'in_valkey')
    await counted(b, 'in_valkey')
    assert.deepEqual([await admitted(a, token, 3), await admitted(b, token, 3)], [0, 0])
  })

  test('calls at the same time come back to max over both nodes after their connections to Valkey were cut', {
    skip: NO_VALKEY,
  }, async () => {
    let running = 0
    let most = 0
    const upstream = createServer((_, response) => {
      most = Math.max(most, ++running)
      setTimeout(() => {
        running--
        response.end('{}')
      }, 100)
    })
    upstream.listen(0, '127.0.0.1')
    await once(upstream, 'listening')
    await using valkey = await startValkey()
    const start = await installation()
    const flags = ['--valkey-url', `redis://127.0.0.1:${valkey.port}`]
    await using a = await start('a', flags)
    await using b = await start('b', flags)
    const url = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`
    const token = await publishOrders(a, url, { kind: 'concurrency', max: 5 })
    const isUp = async (server: TestServer) =>
      (await server.manage('GET', '/limits/explain')).json.items[0].counted === 'in_valkey'
    await eventually(async () => (await isUp(a)) && (await isUp(b)))
    let isOver = false
    const served = new Map([a, b].map((server) => [server, 0]))
    const callers = [a, b].flatMap((server) =>
      Array.from({ length: 6 }, async () => {
        while (!isOver)
          if ((await call(server, token)).status === 200) served.set(server, served.get(server)! + 1)
          else await new Promise((done) => setTimeout(done, 20))
      }),
    )
    await using _load = {
      async [Symbol.asyncDispose]() {
        isOver = true
        await Promise.all(callers)
        upstream.close()
        upstream.closeAllConnections()
      },
    }
    const until = async (count: number) => {
      const from = [...served.values()]
      await eventually(() => [...served.values()].every((now, index) => now >= from[index]! + count))
    }
    await until(10)
    assert.ok(most <= 5, `${most} of 5`)
    valkey.cli('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
    await until(20)
    await eventually(async () => (await isUp(a)) && (await isUp(b)))
    await until(40)
    most = 0
    await until(20)
    assert.ok(most <= 5 && most >= 4, `${most} of 5`)
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
      const [quota] = (await b.manage('GET', '/limits/explain')).json.items
      assert.deepEqual([quota.counted, quota.worst_excess], ['over_nodes', 1])
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
