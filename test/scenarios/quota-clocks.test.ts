import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { test } from 'node:test'
import { temporaryDirectory } from './process.ts'
import { publishOrders, startTestServer, type TestServer } from './server.ts'
import { startUpstream } from './upstream.ts'

const DAY_MS = 86_400_000
const NOON = Date.UTC(2026, 2, 4, 12)
const AHEAD_MS = 500 * DAY_MS

test('a used-up quota stays used up when the clock goes 500 days forward and back, with and without a restart', async () => {
  await using upstream = await startUpstream()
  const data = await temporaryDirectory()
  let token = ''
  // A clock that is moved ends idle connections, perhaps while the next call is on its way on one.
  const ask = async (server: TestServer): Promise<string> => {
    const options = { token, headers: { connection: 'close' } }
    const { status, json } = await server.gateway('GET', '/orders/v1/orders/7', options)
    return status === 200 ? 'admitted' : `${status} ${json.limit_name}`
  }
  {
    await using server = await startTestServer({ data, startAt: NOON })
    await publishOrders(server, upstream.url)
    const auth = { type: 'token', expires_in: null }
    const profile = { client: 'acme', name: 'Lasting', slug: 'lasting', auth }
    token = (await server.manage('POST', '/profiles', profile)).json.token
    const limits = [{ name: 'month', kind: 'quota', max: 3, window: '30d', timezone: 'Asia/Kolkata' }]
    assert.equal((await server.manage('PATCH', '/policies/gold', { limits })).status, 200)
    for (let i = 0; i < 3; i++) assert.equal(await ask(server), 'admitted')
    assert.equal(await ask(server), '429 month')
    server.moveClock(AHEAD_MS)
    assert.equal(await ask(server), 'admitted')
    server.moveClock(-AHEAD_MS)
    assert.equal(await ask(server), '429 month')
  }
  {
    await using server = await startTestServer({ data, startAt: NOON + AHEAD_MS })
    assert.equal(await ask(server), 'admitted')
    // Not used up: what is refused later is refused for the count of the month itself.
  }
  await using server = await startTestServer({ data, startAt: NOON })
  assert.equal(await ask(server), '429 month')
  server.moveClock(28 * DAY_MS)
  assert.equal(await ask(server), 'admitted')
  await server.stop()
  await rm(data, { recursive: true })
})
