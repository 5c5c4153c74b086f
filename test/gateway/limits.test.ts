import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Fragment, LimitFragment } from '../../src/snapshot/fragments.ts'
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
