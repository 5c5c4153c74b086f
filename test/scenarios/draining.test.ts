import assert from 'node:assert/strict'
import { once } from 'node:events'
import { after, before, test } from 'node:test'
import { Worker } from 'node:worker_threads'
import type { LeavingCallers, Left } from '../programs/leaving-callers.ts'
import { publishOrders, startTestServer } from './server.ts'
import { startUpstream, type TestUpstream } from './upstream.ts'

let upstream: TestUpstream
before(async () => {
  upstream = await startUpstream()
})
after(() => upstream.close())

test('no call fails at an instance that stops when callers leave it after /readyz says 503', async () => {
  const server = await startTestServer({ workers: 2 })
  const token = await publishOrders(server, upstream.url, { max: 1_000_000, window: '1m' })
  const workerData: LeavingCallers = {
    url: `${server.running.gatewayUrl}/orders/v1/orders/7`,
    readyz: `${server.running.controlUrl}/readyz`,
    token,
  }
  const callers = new Worker(new URL('../programs/leaving-callers.ts', import.meta.url), { workerData })
  assert.deepEqual(await once(callers, 'message'), ['calling'])
  const [[left]] = await Promise.all([once(callers, 'message'), server.stop()])
  const { health, ends } = left as Left
  assert.equal(health, 503)
  assert.deepEqual(
    ends.map(([end]) => end),
    [200],
    JSON.stringify(ends),
  )
})
