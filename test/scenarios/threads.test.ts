import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { ask } from '../gateway/serve.ts'
import { type Orders, startOrders } from './orders.ts'
import { call, type Reply } from './server.ts'

const ORDER = '/orders/v1/orders/1'

let orders: Orders

before(async () => {
  orders = await startOrders({ workers: 4 })
})
after(() => orders.stop())

/** A profile of the client of the example. */
async function profile(slug: string): Promise<string> {
  const body = { client: 'acme', name: slug, slug, auth: { type: 'token' } }
  const made = await orders.server.manage('POST', '/profiles', body)
  assert.equal(made.status, 201, made.text)
  return made.json.token
}

/** Many calls on connections of their own, so that every thread of the port gets some. */
async function onFreshConnections(count: number, token: string): Promise<number[]> {
  const statuses: number[] = []
  for (let round = 0; round < count; round += 16) {
    const answers = await Promise.all(
      Array.from({ length: Math.min(16, count - round) }, () => onFreshConnection(token)),
    )
    statuses.push(...answers.map((answer) => answer.status))
  }
  return statuses
}

function onFreshConnection(token: string): Promise<Reply> {
  const url = `${orders.server.running.gatewayUrl}${ORDER}`
  return call('GET', url, { token, headers: { connection: 'close' } })
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
  const token = await profile('brief')
  const before = await onFreshConnections(64, token)
  assert.ok(before.every((status) => status === 200))

  const revoked = await orders.server.manage('POST', '/profiles/brief/revoke', {})
  assert.equal(revoked.status, 200)
  assert.notEqual(revoked.json.pending, true)
  assertRefused(await onFreshConnections(64, token))
})

test('four threads count one limit together', async () => {
  const token = await profile('limited')
  const limits = [{ name: 'minute', kind: 'rate', max: 50, window: '1m' }]
  const policy = await orders.server.manage('POST', '/policies', { name: 'Fifty', slug: 'fifty', limits })
  assert.equal(policy.status, 201, policy.text)
  const attached = await orders.server.manage('PATCH', '/profiles/limited', { policy: 'fifty' })
  assert.equal(attached.status, 200, attached.text)
  const before = orders.upstream.seen.length
  const statuses = await onFreshConnections(160, token)
  assert.equal(statuses.filter((status) => status === 200).length, 50)
  assert.equal(statuses.filter((status) => status === 429).length, 110)
  assert.equal(orders.upstream.seen.length - before, 50)
})

test('failures of one source for one profile are counted over four threads and both doors; the valid token and others go on', async () => {
  const { server, token } = orders
  const other = await profile('other')
  const wrong = [...token.split('_').slice(0, 3), ...other.split('_').slice(3)].join('_')
  const port = Number(new URL(server.running.gatewayUrl).port)
  const list = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' })
  const code = async (n: number, bearer: string, from: string): Promise<unknown> => {
    const headers = { authorization: `Bearer ${bearer}`, accept: 'application/json, text/event-stream' }
    const answer =
      n % 2 === 0
        ? await ask(port, ORDER, { headers, from })
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
  assert.deepEqual(new Set(await all(16, wrong)), new Set(['auth_throttled']))
  assert.deepEqual(new Set(await all(16, token)), new Set([200]))
  assert.deepEqual(new Set(await all(16, token, '127.0.0.10')), new Set([200]))
  assert.deepEqual(new Set(await all(16, other)), new Set([200]))
})

test('a gateway thread that dies is replaced, the others keep serving, and the replacement knows the configuration', async () => {
  const { server } = orders
  const token = await profile('lasting')
  const replaced = server.running.killThread(2)
  // Connections that the dead socket had not accepted yet are lost; everything after it is served.
  let served = 0
  for (let i = 0; i < 40; i++) {
    const answer = await onFreshConnection(token).catch(() => null)
    if (answer?.status === 200) served += 1
  }
  assert.ok(served >= 30, `${served} of 40 were served meanwhile`)
  await replaced
  const after = await onFreshConnections(64, token)
  assert.ok(after.every((status) => status === 200))
  assert.ok(server.log.some((line) => line.includes('gateway thread 2 died')))

  // Past the failures that tests before it have had from this address
  server.moveClock(5 * 60_000)
  const changed = await server.manage('POST', '/profiles/lasting/revoke', {})
  assert.notEqual(changed.json.pending, true)
  assertRefused(await onFreshConnections(64, token))
})
