import assert from 'node:assert/strict'
import { Agent, request } from 'node:http'
import { after, before, test } from 'node:test'
import { publishOrders, startTestServer } from './server.ts'
import { startUpstream, type TestUpstream } from './upstream.ts'

let upstream: TestUpstream
before(async () => {
  upstream = await startUpstream()
})
after(() => upstream.close())

/** The status of an answer, or the error in its place. */
function ask(url: string, token: string, agent: Agent | undefined): Promise<number | string> {
  return new Promise((resolve) => {
    const failed = (error: Error): void => resolve(error.message)
    const headers = { authorization: `Bearer ${token}` }
    const sent = request(url, { headers, agent: agent ?? false }, (answer) => {
      answer.resume()
      answer.on('end', () => resolve(answer.statusCode ?? 0))
      answer.on('error', failed)
    })
    sent.on('error', failed)
    sent.end()
  })
}

test('no call fails at an instance that stops when callers leave it after /readyz says 503', async () => {
  const server = await startTestServer({ workers: 2 })
  const token = await publishOrders(server, upstream.url, { max: 1_000_000, window: '1m' })
  const url = `${server.running.gatewayUrl}/orders/v1/orders/7`
  const ends = new Map<number | string, number>()
  let isReady = true
  const callers = Array.from({ length: 16 }, async (_, n) => {
    const agent = n % 2 === 0 ? new Agent({ keepAlive: true, maxSockets: 1 }) : undefined
    while (isReady) {
      const end = await ask(url, token, agent)
      ends.set(end, (ends.get(end) ?? 0) + 1)
    }
    agent?.destroy()
  })
  while ((ends.get(200) ?? 0) < 300) await new Promise((resolve) => setTimeout(resolve, 10))
  const stopped = server.stop()
  // On a connection of its own each time: the server ends those that stand unused. An error ends the callers too
  let health: number | string = 200
  while (health === 200) health = await ask(`${server.running.controlUrl}/readyz`, token, undefined)
  isReady = false
  await Promise.all(callers)
  await stopped
  assert.equal(health, 503)
  assert.deepEqual([...ends.keys()], [200], JSON.stringify([...ends]))
})
