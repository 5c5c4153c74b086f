import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ask } from '../gateway/serve.ts'
import { call, publishOrders, startTestServer, type TestServer } from './server.ts'
import { startUpstream } from './upstream.ts'

/** Many calls on connections of their own, so that every thread of the port gets some. */
async function onFreshConnections(
  server: TestServer,
  count: number,
  path: string,
  token: string,
): Promise<number[]> {
  const statuses: number[] = []
  for (let round = 0; round < count; round += 16) {
    const answers = await Promise.all(
      Array.from({ length: Math.min(16, count - round) }, () =>
        call('GET', `${server.running.gatewayUrl}${path}`, { token, headers: { connection: 'close' } }),
      ),
    )
    statuses.push(...answers.map((answer) => answer.status))
  }
  return statuses
}

/** 401 for each, or 429 once so many failures have come from one address. */
function assertRefused(statuses: readonly number[]): void {
  assert.equal(statuses[0], 401)
  assert.deepEqual(
    statuses.filter((status) => status !== 401 && status !== 429),
    [],
  )
}

test('a revocation that has answered holds on every one of four threads', async () => {
  await using upstream = await startUpstream()
  await using server = await startTestServer({ workers: 4 })
  const token = await publishOrders(server, upstream.url)
  const before = await onFreshConnections(server, 64, '/orders/v1/orders/1', token)
  assert.ok(before.every((status) => status === 200))

  const revoked = await server.manage('POST', '/profiles/sandbox/revoke', {})
  assert.equal(revoked.status, 200)
  assert.notEqual(revoked.json.pending, true)
  const after = await onFreshConnections(server, 64, '/orders/v1/orders/1', token)
  assertRefused(after)
})

test('four threads count one limit together', async () => {
  await using upstream = await startUpstream()
  await using server = await startTestServer({ workers: 4 })
  const token = await publishOrders(server, upstream.url, { max: 50, window: '1m' })
  const statuses = await onFreshConnections(server, 160, '/orders/v1/orders/1', token)
  assert.equal(statuses.filter((status) => status === 200).length, 50)
  assert.equal(statuses.filter((status) => status === 429).length, 110)
  assert.equal(upstream.seen.length, 50)
})

test('failures of one source for one profile are counted over four threads and both doors; others go on', async () => {
  await using upstream = await startUpstream()
  await using server = await startTestServer({ workers: 4 })
  const token = await publishOrders(server, upstream.url)
  const body = { client: 'acme', name: 'Other', slug: 'other', auth: { type: 'token' } }
  const other: string = (await server.manage('POST', '/profiles', body)).json.token
  const wrong = [...token.split('_').slice(0, 3), ...other.split('_').slice(3)].join('_')
  const port = Number(new URL(server.running.gatewayUrl).port)
  const list = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' })
  const code = async (n: number, bearer: string, from: string): Promise<unknown> => {
    const headers = { authorization: `Bearer ${bearer}`, accept: 'application/json, text/event-stream' }
    const answer =
      n % 2 === 0
        ? await ask(port, '/orders/v1/orders/1', { headers, from })
        : await ask(port, '/mcp', {
            method: 'POST',
            headers: { ...headers, 'content-type': 'application/json' },
            body: list,
            from,
          })
    return answer.status === 200 ? 200 : answer.json['code']
  }
  const all = (count: number, bearer: string, from = '127.0.0.9'): Promise<unknown[]> =>
    Promise.all(Array.from({ length: count }, (_, n) => code(n, bearer, from)))
  assert.deepEqual(new Set(await all(20, wrong)), new Set(['credential_invalid']))
  assert.deepEqual(new Set(await all(16, token)), new Set(['auth_throttled']))
  assert.deepEqual(new Set(await all(16, token, '127.0.0.10')), new Set([200]))
  assert.deepEqual(new Set(await all(16, other)), new Set([200]))
})

test('a gateway thread that dies is replaced, the others keep serving, and the replacement knows the configuration', async () => {
  await using upstream = await startUpstream()
  await using server = await startTestServer({ workers: 4 })
  const token = await publishOrders(server, upstream.url)
  const replaced = server.running.killThread(2)
  // Connections that the dead socket had not accepted yet are lost; everything after it is served.
  let served = 0
  for (let i = 0; i < 40; i++) {
    const answer = await call('GET', `${server.running.gatewayUrl}/orders/v1/orders/1`, {
      token,
      headers: { connection: 'close' },
    }).catch(() => null)
    if (answer?.status === 200) served += 1
  }
  assert.ok(served >= 30, `${served} of 40 were served meanwhile`)
  await replaced
  const after = await onFreshConnections(server, 64, '/orders/v1/orders/1', token)
  assert.ok(after.every((status) => status === 200))
  assert.ok(server.log.some((line) => line.includes('gateway thread 2 died')))

  const changed = await server.manage('POST', '/profiles/sandbox/revoke', {})
  assert.notEqual(changed.json.pending, true)
  assertRefused(await onFreshConnections(server, 64, '/orders/v1/orders/1', token))
})
