/** Descriptions of the size of the largest public ones. The long form sends some 60 MB. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { sendDescription } from '../support/large-description.ts'
import { IS_LONG } from '../support/long.ts'
import { longestBlock } from '../support/main-thread.ts'
import { call, publishOrders, startTestServer, type TestServer } from './server.ts'
import { startUpstream } from './upstream.ts'

const SIZE = IS_LONG ? { operations: 8400, schemas: 8400 } : { operations: 500, schemas: 500 }
/** Far above what a shared machine measures, and far below the seconds that it took. */
const BLOCK_MS_MAX = 1000

/** Calls the gateway until the work is done, and gives the statuses of the answers. */
async function callsDuring(server: TestServer, token: string, work: Promise<unknown>): Promise<number[]> {
  let isDone = false
  void work.finally(() => {
    isDone = true
  })
  const statuses: number[] = []
  while (!isDone) {
    const { status } = await call('GET', `${server.running.gatewayUrl}/orders/v1/orders/7`, { token })
    statuses.push(status)
    // So that the main thread, which is the client of these calls, has little of its own to do
    await wait(50)
  }
  return statuses
}

for (const isText of [false, true])
  test(`a large description imports as ${isText ? 'a text' : 'an object'} while the gateway answers calls and the main thread has its turns`, async (t) => {
    await using upstream = await startUpstream()
    await using server = await startTestServer()
    const profile = await publishOrders(server, upstream.url, { max: 1_000_000, window: '1m' })
    const { token } = await server.running.issueToken({ role: 'modifier', ttl: '1h', name: 'modifier' })
    const sending = sendDescription({
      ...SIZE,
      url: `${server.running.controlUrl}/management/v1/collections/import`,
      token,
      members: { base_path: '/large', slug: 'large' },
      isText,
    })
    let statuses: number[] = []
    const ms = await longestBlock(async () => {
      statuses = await callsDuring(server, profile, sending)
    })
    const { status, bytes, text } = await sending
    t.diagnostic(
      `${(bytes / 1e6).toFixed(1)} MB: longest block ${ms.toFixed(0)} ms, ${statuses.length} calls`,
    )
    assert.equal(status, 201, text.slice(0, 500))
    const { proxies, schemas, collection } = JSON.parse(text)
    assert.deepEqual({ proxies, schemas, status: collection.status }, { ...named(SIZE), status: 'draft' })
    assert.ok(statuses.length > 0)
    assert.deepEqual(new Set(statuses), new Set([200]))
    assert.ok(ms < BLOCK_MS_MAX, `${ms} ms`)

    let published = 0
    const publishing = await longestBlock(async () => {
      // It has no time limit, which `manage` has
      const response = await fetch(`${server.running.controlUrl}/management/v1/collections/large/publish`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}` },
      })
      await response.arrayBuffer()
      published = response.status
    })
    t.diagnostic(`publishing it: longest block ${publishing.toFixed(0)} ms`)
    assert.equal(published, 200)
    assert.ok(publishing < BLOCK_MS_MAX, `${publishing} ms`)

    let changed = ''
    const again = await longestBlock(async () => {
      const sent = await sendDescription({
        ...{ operations: SIZE.operations - 2, schemas: SIZE.schemas, isText, token },
        url: `${server.running.controlUrl}/management/v1/collections/large/reimport`,
        members: {},
      })
      changed = sent.text
    })
    t.diagnostic(`reimporting it: longest block ${again.toFixed(0)} ms`)
    const { missing, unchanged } = JSON.parse(changed)
    assert.deepEqual(
      { missing, unchanged },
      { missing: 2, unchanged: SIZE.operations - 2 },
      changed.slice(0, 500),
    )
    assert.ok(again < BLOCK_MS_MAX, `${again} ms`)
  })

const named = ({ operations, schemas }: typeof SIZE) => ({ proxies: operations, schemas })
