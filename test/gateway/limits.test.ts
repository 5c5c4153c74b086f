import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { test } from 'node:test'
import { createCounterMemory } from '../../src/gateway/admit/counter-memory.ts'
import type { Counters } from '../../src/gateway/admit/port.ts'
import type { Fragment, LimitFragment } from '../../src/snapshot/fragments.ts'
import { eventually } from '../support/eventually.ts'
import { client, collection, policy, profile, proxy, upstream } from './fragments.ts'
import { type Served, serve } from './serve.ts'

const rate = (max: number, given: Partial<LimitFragment> = {}): LimitFragment => ({
  name: 'rate',
  kind: 'rate',
  max,
  window_ms: 60_000,
  ...given,
})

async function withPolicies(
  given: { onCollection?: LimitFragment[]; onClient?: LimitFragment[]; onProxy?: LimitFragment[] },
  run: (served: Served, ask: (who?: string, more?: object) => Promise<string>) => Promise<void>,
): Promise<void> {
  const served = await serve((port): Fragment[] => [
    collection('orders', {
      upstream: upstream(port),
      policy: given.onCollection === undefined ? null : 'pol_collection',
      proxies: [proxy('one', '/x', { policy: given.onProxy === undefined ? null : 'pol_proxy' })],
    }),
    policy('collection', given.onCollection ?? []),
    policy('client', given.onClient ?? []),
    policy('proxy', given.onProxy ?? []),
    ...['acme', 'beta'].map((slug) =>
      client(slug, {
        policy: given.onClient === undefined ? null : 'pol_client',
        profiles: [profile('open', { id: `pro_${slug}` })],
      }),
    ),
  ])
  const ask = async (who = 'acme', more: object = {}): Promise<string> => {
    const { headers = {}, ...rest } = more as { headers?: Record<string, string> }
    const answer = await served.ask('/orders/x', {
      headers: { 'x-client-id': who, 'x-profile-id': 'open', ...headers },
      ...rest,
    })
    return answer.status === 200 ? 'ok' : String(answer.json['attached_to'] ?? answer.json['code'])
  }
  try {
    await run(served, ask)
  } finally {
    await served.close()
  }
}

test('at a collection each client has a counter of its own, unless the limit is for all together', async () => {
  await withPolicies({ onCollection: [rate(1)] }, async (_, ask) => {
    assert.deepEqual([await ask(), await ask(), await ask('beta')], ['ok', 'collection', 'ok'])
  })
  await withPolicies({ onCollection: [rate(1, { key: 'global' })] }, async (_, ask) => {
    assert.deepEqual([await ask(), await ask('beta')], ['ok', 'collection'])
  })
})

test('an address counts for all clients of a collection together, and within a client for it alone', async () => {
  const from = { from: '127.0.0.2' }
  await withPolicies({ onCollection: [rate(1, { key: 'ip' })] }, async (_, ask) => {
    assert.deepEqual([await ask(), await ask('beta'), await ask('beta', from)], ['ok', 'collection', 'ok'])
  })
  await withPolicies({ onClient: [rate(1, { key: 'ip' })] }, async (_, ask) => {
    assert.deepEqual(
      [await ask(), await ask('beta'), await ask(), await ask('acme', from)],
      ['ok', 'ok', 'client', 'ok'],
    )
  })
})

test('a header divides the counter of a client, and calls without it or a claim share one', async () => {
  const tenant = (name: string) => ({ headers: { 'X-TENANT': name } })
  await withPolicies({ onClient: [rate(1, { key: 'header:X-Tenant' })] }, async (_, ask) => {
    assert.deepEqual([await ask('acme', tenant('a')), await ask('acme', tenant('a'))], ['ok', 'client'])
    assert.deepEqual([await ask('acme', tenant('b')), await ask('beta', tenant('a'))], ['ok', 'ok'])
    assert.deepEqual([await ask(), await ask(), await ask('beta')], ['ok', 'client', 'ok'])
  })
  await withPolicies({ onClient: [rate(1, { key: 'claim:sub' })] }, async (_, ask) => {
    assert.deepEqual([await ask(), await ask(), await ask('beta')], ['ok', 'client', 'ok'])
  })
})

test('of several limits the first that refuses is named, and nothing is taken from the others', async () => {
  const limits = {
    onClient: [rate(3, { name: 'wide' })],
    onCollection: [rate(2, { name: 'middle' })],
    onProxy: [rate(1, { name: 'tight', window_ms: 10_000 })],
  }
  await withPolicies(limits, async (served, ask) => {
    assert.deepEqual([await ask(), await ask(), await ask()], ['ok', 'proxy', 'proxy'])
    served.moveClock(11_000)
    assert.deepEqual([await ask(), await ask()], ['ok', 'collection'])
    served.moveClock(50_000)
    assert.equal(await ask(), 'ok')
  })
})

test('callers of a limit with a weight are told how many requests are left, and in a refusal what each takes', async () => {
  const limits: LimitFragment[] = [
    rate(7, { name: 'weighed', cost: 3 }),
    rate(20, { name: 'heavy', burst: 90, cost: 30 }),
    { name: 'flight', kind: 'concurrency', max: 5, cost: 2 } as LimitFragment,
  ]
  await withPolicies({ onClient: limits }, async (served) => {
    const ask = () => served.ask('/orders/x', { headers: { 'x-client-id': 'acme', 'x-profile-id': 'open' } })
    const { headers } = await ask()
    assert.equal(
      headers['ratelimit-policy'],
      '"weighed";q=2;w=60, "heavy";q=1;w=90, "flight";q=2;qu="concurrent-requests"',
    )
    assert.match(String(headers['ratelimit']), /^"weighed";r=1;t=60, "flight";r=1, "heavy";r=2;t=\d+$/)
    await ask()
    const { json } = await ask()
    assert.equal(
      json['detail'],
      'The client is limited to 7 units in 60 s (a request takes 3) by limit "weighed" of policy "client".',
    )
    assert.deepEqual([json['max'], json['remaining'], json['cost']], [7, 1, 3])
  })
  await withPolicies({ onClient: [rate(1)] }, async (served) => {
    const ask = () => served.ask('/orders/x', { headers: { 'x-client-id': 'acme', 'x-profile-id': 'open' } })
    await ask()
    const { json } = await ask()
    assert.match(String(json['detail']), /^The client is limited to 1 request in 60 s by limit "rate"/)
    assert.equal(json['cost'], undefined)
  })
})

test('a client whose callers invent values does not use up the counters of others', async (t) => {
  const served = await serve(
    (port): Fragment[] => [
      collection('orders', {
        upstream: upstream(port),
        policy: 'pol_each',
        proxies: [proxy('one', '/x')],
      }),
      policy('each', [rate(5, { key: 'header:x-tenant', window_ms: 3_600_000 })]),
      ...['acme', 'beta'].map((slug) => client(slug, { profiles: [profile('open', { id: `pro_${slug}` })] })),
    ],
    { counters: createCounterMemory(256) },
  )
  t.after(() => served.close())
  const ask = async (who: string, tenant: string): Promise<number> => {
    const headers = { 'x-client-id': who, 'x-profile-id': 'open', 'x-tenant': tenant }
    return (await served.ask('/orders/x', { headers })).status
  }
  const statuses: number[] = []
  for (let i = 0; i < 400; i++) statuses.push(await ask('acme', `invented ${i}`))
  assert.ok(statuses.slice(-100).every((status) => status === 429))
  for (const tenant of ['a', 'b', 'c']) assert.equal(await ask('beta', tenant), 200)
  assert.equal(await ask('acme', 'invented 0'), 200)
})

test('a call that finds no counter is told so', async (t) => {
  const served = await serve(
    (port): Fragment[] => [
      collection('orders', { upstream: upstream(port), proxies: [proxy('one', '/x')] }),
      policy('client', [rate(5, { key: 'header:x-tenant', window_ms: 3_600_000 })]),
      client('acme', { policy: 'pol_client' }),
    ],
    { counters: createCounterMemory(32) },
  )
  t.after(() => served.close())
  let refused = 0
  for (let i = 0; i < 100; i++) {
    const headers = { 'x-client-id': 'acme', 'x-profile-id': 'open', 'x-tenant': `invented ${i}` }
    const { status, json } = await served.ask('/orders/x', { headers })
    if (status === 200) continue
    refused++
    assert.equal(status, 429)
    assert.match(
      String(json['detail']),
      /^No counter is free for limit "rate" of policy "client" of the client\. Wait for Retry-After\.$/,
    )
    assert.match(
      String((await served.record(i)).reason),
      /^no counter is free, in total or in the share of the client$/,
    )
  }
  assert.ok(refused > 60, `${refused}`)
})

test('one policy at two places whose limit is for all takes once from a call', async () => {
  const served = await serve((port): Fragment[] => [
    collection('orders', { upstream: upstream(port), policy: 'pol_one', proxies: [proxy('one', '/x')] }),
    policy('one', [rate(2, { key: 'global' })]),
    client('acme', { policy: 'pol_one' }),
  ])
  const headers = { 'x-client-id': 'acme', 'x-profile-id': 'open' }
  const statuses: number[] = []
  for (let i = 0; i < 3; i++) statuses.push((await served.ask('/orders/x', { headers })).status)
  assert.deepEqual(statuses, [200, 200, 429])
  await served.close()
})

test('a changed policy holds from the next call on, with the plan made anew', async () => {
  await withPolicies({ onClient: [rate(1)] }, async (served, ask) => {
    assert.deepEqual([await ask(), await ask()], ['ok', 'client'])
    served.apply([policy('client', [rate(2)])])
    assert.deepEqual([await ask(), await ask()], ['ok', 'client'])
    served.apply([policy('client', [rate(2)], false)])
    assert.equal(await ask(), 'ok')
    served.apply([], ['policy:pol_client'])
    assert.equal(await ask(), 'route_unavailable')
  })
})

/** Counters that miss the lease of a limit, for so many takes, until it was asked for. */
function sharing(local: Counters) {
  const asked: string[][] = []
  let missing = 0
  let names: string[] = []
  let answer: () => void = () => {}
  const counters: Counters = new Proxy(local, {
    get(target, name) {
      if (name === 'take')
        return (...given: Parameters<Counters['take']>) => {
          names = given[0].limits.map((limit) => limit.name)
          return missing > 0 ? 'ask' : target.take(...given)
        }
      if (name === 'ask')
        return async () => {
          asked.push(names)
          await new Promise<void>((resolve) => (answer = resolve))
        }
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  return {
    counters,
    asked,
    miss(times: number) {
      missing = times
    },
    answer() {
      missing--
      answer()
    },
  }
}

test('a request waits for a lease of its limits that is missing, and is judged by what the counters then hold', async (t) => {
  let shares!: ReturnType<typeof sharing>
  const limits = [rate(2), rate(1, { name: 'by_user', key: 'header:x-user' })]
  const served = await serve(
    (port): Fragment[] => [
      collection('orders', { upstream: upstream(port), proxies: [proxy('one', '/x')] }),
      policy('all', limits),
      client('acme', { policy: 'pol_all', profiles: [profile('open')] }),
    ],
    {
      countersOf(local) {
        shares = sharing(local)
        return shares.counters
      },
    },
  )
  t.after(() => served.close())
  const ask = async (user: string): Promise<unknown> => {
    const headers = { 'x-client-id': 'acme', 'x-profile-id': 'open', 'x-user': user }
    const { status, json } = await served.ask('/orders/x', { headers })
    return status === 200 ? 'ok' : json['limit_name']
  }
  shares.miss(2)
  const waits = ask('ann')

  for (let times = 1; times <= 2; times++) {
    await eventually(
      () => shares.asked.length === times,
      () => `asked ${shares.asked.length} times`,
    )
    shares.answer()
  }
  assert.equal(await waits, 'ok')
  assert.deepEqual([await ask('ann'), await ask('ben'), await ask('cid')], ['by_user', 'ok', 'rate'])
  assert.equal(shares.asked.length, 2)
})

test('nothing is taken for a caller that leaves while a lease is fetched', async (t) => {
  let shares!: ReturnType<typeof sharing>
  const served = await serve(
    (port): Fragment[] => [
      collection('orders', { upstream: upstream(port), policy: 'pol_all', proxies: [proxy('one', '/x')] }),
      policy('all', [rate(1)]),
      client('acme', { profiles: [profile('open')] }),
    ],
    {
      countersOf(local) {
        shares = sharing(local)
        return shares.counters
      },
    },
  )
  t.after(() => served.close())
  shares.miss(1)
  const head = 'GET /orders/x HTTP/1.1\r\nHost: x\r\nX-Client-ID: acme\r\nX-Profile-ID: open\r\n\r\n'
  const leaving = connect(served.port, '127.0.0.1', () => leaving.write(head))
  await eventually(
    () => shares.asked.length === 1,
    () => 'nothing was asked',
  )
  leaving.destroy()
  await served.record(0)
  shares.answer()
  const headers = { 'x-client-id': 'acme', 'x-profile-id': 'open' }
  assert.equal((await served.ask('/orders/x', { headers })).status, 200)
})

test('while Valkey cannot be reached, a policy refuses every call, or admits every call and goes on counting', async (t) => {
  let counters!: Counters
  const served = await serve(
    (port): Fragment[] => [
      collection('orders', { upstream: upstream(port), proxies: [proxy('one', '/x')] }),
      ...(['deny', 'allow'] as const).map((on_store_failure) => ({
        ...policy(on_store_failure, [rate(1)]),
        on_store_failure,
      })),
      ...['deny', 'allow'].map((slug) =>
        client(slug, { policy: `pol_${slug}`, profiles: [profile('open', { id: `pro_${slug}` })] }),
      ),
    ],
    { countersOf: (local) => (counters = local) },
  )
  t.after(() => served.close())
  const ask = async (who: string): Promise<unknown> => {
    const headers = { 'x-client-id': who, 'x-profile-id': 'open' }
    const { status, json } = await served.ask('/orders/x', { headers })
    return status === 200 ? 'ok' : json['code']
  }
  counters.setLeaseState('down')
  assert.deepEqual([await ask('deny'), await ask('allow'), await ask('allow')], ['not_ready', 'ok', 'ok'])
  counters.setLeaseState('off')
  assert.deepEqual([await ask('deny'), await ask('allow')], ['ok', 'rate_limit_exceeded'])
})
