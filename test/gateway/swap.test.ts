import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createClockCell } from '../../src/base/clock.ts'
import { createCounterMemory } from '../../src/gateway/admit/counter-memory.ts'
import { eventually } from '../support/eventually.ts'
import { client, collection, policy, profile, proxy, rate, token, upstream } from './fragments.ts'
import { ask, Echo, type Served, serve } from './serve.ts'

const IDS = { 'x-client-id': 'acme' }

async function withServed(
  fragments: Parameters<typeof serve>[0],
  run: (served: Served) => Promise<void>,
): Promise<void> {
  const served = await serve(fragments)
  try {
    await run(served)
  } finally {
    await served.close()
  }
}

test('a request under way ends on the snapshot it started with, the next one meets the new', async () => {
  await withServed(
    (port) => [
      collection('orders', {
        upstream: upstream(port, { first_byte_ms: 300 }),
        proxies: [proxy('all', '/*')],
      }),
      client('acme'),
    ],
    async (served) => {
      const pending = served.ask('/orders/slow', { headers: IDS })
      await eventually(
        () => served.echo.seen.length === 1,
        () => 'the upstream',
      )
      served.apply([client('acme', { active: false })], ['collection:col_orders'])
      assert.equal((await served.ask('/orders/x', { headers: IDS })).json['code'], 'route_not_found')
      const answer = await pending
      assert.equal(answer.json['code'], 'upstream_timeout')
      assert.equal(served.records.at(-1)!.collection, 'col_orders')
    },
  )
})

test('connections to an upstream live on over snapshots, and end when nothing uses them', async () => {
  await withServed(
    (port) => [
      collection('orders', { upstream: upstream(port), proxies: [proxy('all', '/*')] }),
      client('acme'),
    ],
    async (served) => {
      let sockets = 0
      let ended = 0
      served.echo.server.on('connection', (socket) => {
        sockets++
        socket.on('close', () => ended++)
      })
      const { port } = served.echo
      await served.ask('/orders/a', { headers: IDS })
      served.apply([
        collection('orders', { name: 'renamed', upstream: upstream(port), proxies: [proxy('all', '/*')] }),
      ])
      await served.ask('/orders/b', { headers: IDS })
      assert.equal(sockets, 1)
      const other = new Echo()
      await new Promise<void>((resolve) => other.server.listen(0, '127.0.0.1', resolve))
      served.apply([collection('orders', { upstream: upstream(other.port), proxies: [proxy('all', '/*')] })])
      await eventually(
        () => ended === 1,
        () => 'the end of the old connection',
      )
      assert.equal((await served.ask('/orders/c', { headers: IDS })).status, 200)
      assert.equal(other.seen.length, 1)
      other.server.closeAllConnections()
      other.server.close()
    },
  )
})

test('two gateways on one memory count together', async () => {
  const counters = createCounterMemory(1024)
  const clockCell = createClockCell()
  const fragments = (port: number) => [
    collection('orders', { upstream: upstream(port) }),
    policy('p', [rate(6)]),
    client('acme', { policy: 'pol_p' }),
  ]
  const one = await serve(fragments, { counters, clockCell, slot: 0 })
  const two = await serve(fragments, { counters, clockCell, slot: 1 })
  try {
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, i) =>
        ask(i % 2 ? one.port : two.port, '/orders/v1/orders/7', { headers: IDS }),
      ),
    )
    assert.equal(answers.filter(({ status }) => status === 200).length, 6)
    assert.equal(answers.filter(({ status }) => status === 429).length, 4)
  } finally {
    await one.close()
    await two.close()
  }
})

test('swaps under load lose no request, and a revocation holds for the very next one', async () => {
  const good = token('tok_1')
  const acme = (name: string, tokens: readonly (typeof good.fragment)[]) =>
    client('acme', { name, profiles: [profile('main', { auth: 'token', tokens })] })
  await withServed(
    (port) => [
      ...Array.from({ length: 200 }, (_, i) => collection(`c${i}`, { proxies: [proxy(`p${i}`, '/{id}')] })),
      collection('orders', { upstream: upstream(port) }),
      acme('first', [good.fragment]),
    ],
    async (served) => {
      const headers = { authorization: `Bearer ${good.text}` }
      const pending: Promise<number>[] = []
      for (let i = 0; i < 200; i++) {
        pending.push(served.ask('/orders/v1/orders/7', { headers }).then(({ status }) => status))
        served.apply([acme(`name ${i}`, [good.fragment])])
        if (i % 20 === 0) await Promise.all(pending)
      }
      assert.ok((await Promise.all(pending)).every((status) => status === 200))
      served.apply([acme('last', [])])
      assert.equal((await served.ask('/orders/v1/orders/7', { headers })).json['code'], 'credential_invalid')
    },
  )
})

test('a caller that leaves is recorded as such', async () => {
  await withServed(
    (port) => [
      collection('orders', { upstream: upstream(port), proxies: [proxy('all', '/*')] }),
      client('acme'),
    ],
    async (served) => {
      const controller = new AbortController()
      const pending = fetch(`http://127.0.0.1:${served.port}/orders/slow`, {
        headers: IDS,
        signal: controller.signal,
      }).catch(() => 'left')
      await eventually(
        () => served.echo.seen.length === 1,
        () => 'the upstream',
      )
      controller.abort()
      assert.equal(await pending, 'left')
      const record = await served.record(0)
      assert.equal(record.aborted, true)
      assert.equal(record.upstreamStatus, -1)
    },
  )
})

test('a record that cannot be kept fails no request', async () => {
  await withServed(
    (port) => [collection('orders', { upstream: upstream(port) }), client('acme')],
    async (served) => {
      served.records.push = () => {
        throw new Error('full')
      }
      for (let i = 0; i < 2; i++)
        assert.equal((await served.ask('/orders/v1/orders/7', { headers: IDS })).status, 200)
    },
  )
})

test('a door that asks twice for one request gets the answer of the moment each time', async () => {
  const good = token('tok_1')
  const answers: boolean[] = []
  const served: Served = await serve(
    (port) => [
      collection('orders', { upstream: upstream(port) }),
      client('acme', { profiles: [profile('main', { auth: 'token', tokens: [good.fragment] })] }),
    ],
    {
      async reserved(incoming, _exchange, gateway) {
        answers.push((await gateway.identify(incoming)).ok)
        served.apply([], ['client:cli_acme'])
        answers.push((await gateway.identify(incoming)).ok)
        incoming.answer(204, '', '')
      },
    },
  )
  try {
    await served.ask('/mcp', { headers: { authorization: `Bearer ${good.text}` } })
    assert.deepEqual(answers, [true, false])
  } finally {
    await served.close()
  }
})
