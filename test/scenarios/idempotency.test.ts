import assert from 'node:assert/strict'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { type IncomingMessage, request } from 'node:http'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { freshConnections } from '../support/moved-clock.ts'
import { databaseOf } from '../support/test-database.ts'
import { startOrders } from './orders.ts'
import { killNow, startUp, temporaryDirectory } from './process.ts'
import { call, type Reply, startTestServer, until } from './server.ts'

const data = await temporaryDirectory()
const { server, upstream, token, ask, addProxy, executeCall, stop } = await startOrders({ workers: 2, data })
after(async () => {
  await stop()
  rmSync(data, { recursive: true })
})

test('of many requests with one key at once exactly one reaches the upstream, over all threads and doors', async () => {
  const before = upstream.answer
  const made = await addProxy('Charge', { methods: ['POST'], path: '/v1/charges', idempotency: true })
  assert.equal(made.status, 201, made.text)
  let charges = 0
  const answers: (() => void)[] = []
  upstream.answer = (_seen, response) => {
    charges++
    answers.push(() => response.writeHead(201, { 'content-type': 'application/json' }).end('{"charge":1}'))
  }
  const charge = (): Promise<Reply> =>
    call('POST', `${server.running.gatewayUrl}/orders/v1/charges`, {
      token,
      headers: { 'idempotency-key': 'k1', connection: 'close' },
      body: { amount: 1 },
    })
  const first = charge()
  await until(
    async () => answers.length,
    (length) => length === 1,
  )
  const others = await Promise.all(Array.from({ length: 12 }, charge))
  for (const other of others) assert.deepEqual([other.status, other.json.code], [409, 'idempotency_conflict'])
  answers[0]!()
  assert.equal((await first).status, 201)
  for (const again of await Promise.all(Array.from({ length: 12 }, charge))) {
    assert.deepEqual([again.status, again.text], [201, '{"charge":1}'])
    assert.equal(again.headers.get('idempotency-replayed'), 'true')
  }
  const agent = await executeCall({
    endpoint: 'POST /orders/v1/charges',
    params: { body: { amount: 1 } },
    idempotency_key: 'k1',
  })
  assert.deepEqual([agent.status, agent.body], [201, { charge: 1 }])
  assert.equal(charges, 1)
  server.moveClock(25 * 3_600_000)
  const tomorrow = charge()
  await until(
    async () => answers.length,
    (length) => length === 2,
  )
  answers[1]!()
  assert.equal((await tomorrow).status, 201)
  upstream.answer = before
})

test('a key is free again when its request came to no answer', async () => {
  const before = upstream.answer
  let count = 0
  upstream.answer = (_seen, response) => {
    if (++count === 1) response.destroy()
    else if (count === 2) response.writeHead(503).end()
    else response.end('done')
  }
  const pay = (): Promise<Reply> => ask('POST', '/v1/charges', { n: 2 }, { 'idempotency-key': 'k2' })
  assert.equal((await pay()).status, 502)
  assert.equal((await pay()).status, 503)
  assert.equal((await pay()).text, 'done')
  assert.equal((await pay()).headers.get('idempotency-replayed'), 'true')
  upstream.answer = before
})

test('an answer that breaks off on its way does not let the request be made again', async () => {
  const before = upstream.answer
  let count = 0
  let breakOff = (): void => {}
  upstream.answer = (_seen, response) => {
    count++
    response.writeHead(201, { 'content-type': 'application/json' }).write('{"charge":')
    if (count > 1) response.end('2}')
    breakOff = () => response.destroy()
  }
  for (const [key, leaves] of [
    ['k3', true],
    ['k4', false],
  ] as const) {
    count = 0
    const made = request(`${server.running.gatewayUrl}/orders/v1/charges`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${token}`,
        'idempotency-key': key,
        'content-type': 'application/json',
      },
    })
    made.on('error', () => {})
    made.end('{"n":3}')
    const [answer] = (await once(made, 'response')) as [IncomingMessage]
    answer.on('error', () => {})
    if (leaves) made.destroy()
    else breakOff()
    const again = await until(
      () => ask('POST', '/v1/charges', { n: 3 }, { 'idempotency-key': key }),
      ({ headers }) => headers.get('retry-after') === null,
    )
    assert.deepEqual([again.status, again.json.code, count], [409, 'idempotency_conflict', 1])
  }
  upstream.answer = before
})

test('a key holds over a restart and when a thread or the process is killed, also with its request under way', async () => {
  const made = new Map<string, number>()
  upstream.answer = ({ headers }, response) => {
    const key = String(headers['idempotency-key'])
    made.set(key, (made.get(key) ?? 0) + 1)
    if ((key === 'held' || key === 'lost') && made.get(key) === 1) return
    response.writeHead(201, { 'content-type': 'application/json' }).end(JSON.stringify({ key }))
  }
  const pay = (at: { gatewayUrl: string }, key: string, amount = 1): Promise<Reply> =>
    call('POST', `${at.gatewayUrl}/orders/v1/charges`, {
      token,
      headers: { 'idempotency-key': key },
      body: { amount },
    })
  const isReplayed = async (at: { gatewayUrl: string }, key: string): Promise<void> => {
    const { status, text, headers } = await pay(at, key)
    assert.deepEqual(
      [status, text, headers.get('content-type'), headers.get('idempotency-replayed')],
      [201, JSON.stringify({ key }), 'application/json', 'true'],
    )
  }
  const isCutOff = async (at: { gatewayUrl: string }, key: string): Promise<void> => {
    const { status, json } = await pay(at, key)
    assert.deepEqual([status, json.code], [409, 'idempotency_conflict'])
    assert.match(json.detail, /^The gateway stopped during the first request with this key/)
  }
  const isMade = (key: string): Promise<unknown> =>
    until(
      async () => made.get(key),
      (count) => count === 1,
    )
  assert.equal((await pay(server.running, 'first')).status, 201)
  const lost = assert.rejects(pay(server.running, 'lost'))
  await isMade('lost')
  for (const slot of [0, 1]) await server.running.killThread(slot)
  await lost
  freshConnections()
  await isCutOff(server.running, 'lost')
  await server.stop()

  const database = await databaseOf(join(data, 'config.db'))
  const up = await startUp(data, [], database === null ? {} : { POSTERN_DATABASE_URL: database })
  await isReplayed(up, 'first')
  assert.equal((await pay(up, 'second')).status, 201)
  await isReplayed(up, 'second')
  const held = assert.rejects(pay(up, 'held'))
  await isMade('held')
  await killNow(up)
  await held
  freshConnections()

  await using next = await startTestServer({ data })
  for (const key of ['first', 'second']) {
    await isReplayed(next.running, key)
    const other = await pay(next.running, key, 2)
    assert.deepEqual([other.status, other.json.code], [409, 'idempotency_conflict'])
  }
  for (const key of ['lost', 'held']) await isCutOff(next.running, key)
  assert.deepEqual([...made.values()], [1, 1, 1, 1])
  // The clock of the first server was moved by a day, and a database keeps its times
  next.moveClock(50 * 3_600_000)
  for (const key of made.keys()) {
    const tomorrow = await pay(next.running, key, 2)
    assert.equal(tomorrow.status, 201)
  }
  assert.deepEqual([...made.values()], [2, 2, 2, 2])
})
