/** Changes of hundreds of resources, which reach gateway threads in parts. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { call, publishOrders, startTestServer } from './server.ts'
import { startUpstream } from './upstream.ts'

const clients = Array.from({ length: 300 }, (_, at) => ({
  kind: 'client',
  slug: `c${at}`,
  spec: { name: `Client ${at}` },
}))

test('a change of hundreds of resources is in force in all threads when it has answered, and so is their removal', async () => {
  await using upstream = await startUpstream()
  await using server = await startTestServer({ workers: 2 })
  const token = await publishOrders(server, upstream.url)
  const statuses = (path: string): Promise<number[]> =>
    Promise.all(
      Array.from({ length: 8 }, async () => {
        const headers = { connection: 'close' }
        return (await call('GET', `${server.running.gatewayUrl}${path}/v1/orders/7`, { token, headers }))
          .status
      }),
    )
  const all = (status: number): number[] => Array.from({ length: 8 }, () => status)
  assert.deepEqual(await statuses('/orders'), all(200))

  const { json } = await server.manage('GET', '/collections/orders')
  const { name, upstream: targets, status } = json
  const moved = {
    kind: 'collection',
    slug: 'orders',
    spec: { name, upstream: targets, status, base_path: '/moved' },
  }
  const applied = await server.manage('POST', '/config/apply', {
    documents: [...clients, moved],
    take_over: true,
  })
  assert.deepEqual([applied.status, applied.json?.pending], [200, undefined], applied.text.slice(0, 500))
  assert.deepEqual([applied.json.create, applied.json.update], [300, 1])
  assert.deepEqual(await statuses('/moved'), all(200))
  assert.deepEqual(await statuses('/orders'), all(404))

  const pruned = await server.manage('POST', '/config/apply', {
    documents: [moved],
    prune: true,
    allow_deletes: 300,
  })
  assert.deepEqual([pruned.status, pruned.json?.pending, pruned.json?.remove], [200, undefined, 300])
  assert.deepEqual(await statuses('/moved'), all(200))
})
