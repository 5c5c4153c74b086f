import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import fc from 'fast-check'
import { publishOrders, startTestServer, type TestServer } from './server.ts'
import { startUpstream } from './upstream.ts'

const GET = '/orders/v1/orders/7'
const WINDOW_MS = 10_000
const RATE = 12
const BURST = { max: 8, burst: 5 }
const FLIGHT = 4
const LIMITS = [
  { name: 'window', kind: 'rate', max: RATE, window: '10s' },
  { name: 'bucket', kind: 'rate', window: '10s', ...BURST },
  { name: 'flight', kind: 'concurrency', max: FLIGHT },
]

/** A call between the moments at which it was sent and answered, by the moved clock. */
interface Made {
  readonly sent: number
  readonly answered: number
  readonly admitted: boolean
}

async function make(server: TestServer, token: string, agent: boolean, now: () => number): Promise<Made> {
  const sent = now()
  const params = { name: 'execute_call', arguments: { endpoint: `GET ${GET}` } }
  // A clock that is moved ends idle connections, perhaps while the next call is on its way on one.
  const headers = { accept: 'application/json, text/event-stream', connection: 'close' }
  const body = { jsonrpc: '2.0', id: 1, method: 'tools/call', params }
  const answer = agent
    ? await server.gateway('POST', '/mcp', { token, headers, body })
    : await server.gateway('GET', GET, { token, headers })
  assert.equal(agent ? 200 : answer.status === 429 ? 200 : answer.status, 200, answer.text)
  const admitted = agent ? answer.json.result.isError !== true : answer.status === 200
  return { sent, answered: now(), admitted }
}

/** Calls that were certainly admitted between two moments. */
function between(calls: readonly Made[], from: number, to: number): number {
  return calls.filter((call) => call.admitted && call.sent >= from && call.answered <= to).length
}

test('over two threads, REST and agents mixed, no limit ever admits more than it says', async () => {
  await using upstream = await startUpstream()
  await using server = await startTestServer({ workers: 2 })
  let underWay = 0
  let most = 0
  upstream.answer = (_, response) => {
    most = Math.max(most, ++underWay)
    void pause(5).then(() => {
      underWay--
      response.end('{}')
    })
  }
  const token = await publishOrders(server, upstream.url)
  let moved = 0
  const now = (): number => Date.now() + moved
  const move = (ms: number): void => {
    moved += ms
    server.moveClock(ms)
  }
  const steps = fc.array(
    fc.record({
      rest: fc.integer({ min: 0, max: 6 }),
      agents: fc.integer({ min: 0, max: 3 }),
      wait: fc.constantFrom(0, 100, 1300, 2600, 5000, 9990),
    }),
    { minLength: 8, maxLength: 14 },
  )
  let admitted = 0
  await fc.assert(
    fc.asyncProperty(fc.subarray(LIMITS, { minLength: 1 }), steps, async (limits, all) => {
      const changed = await server.manage('PATCH', '/policies/gold', { limits })
      assert.equal(changed.status, 200, changed.text)
      // What an earlier round has used is given back.
      move(3 * WINDOW_MS)
      const has = (name: string): boolean => limits.some((limit) => limit.name === name)
      const calls: Made[] = []
      most = 0
      for (const { rest, agents, wait } of all) {
        const round = [
          ...Array.from({ length: rest }, () => make(server, token, false, now)),
          ...Array.from({ length: agents }, () => make(server, token, true, now)),
        ]
        calls.push(...(await Promise.all(round)))
        move(wait)
      }
      admitted += between(calls, 0, Infinity)
      for (const { sent: from } of calls) {
        if (has('window')) assert.ok(between(calls, from, from + WINDOW_MS - 1) <= RATE)
        if (has('bucket'))
          for (const { answered: to } of calls)
            assert.ok(
              to < from ||
                between(calls, from, to) <= BURST.burst + Math.floor(((to - from) * BURST.max) / WINDOW_MS),
            )
      }
      if (has('flight')) assert.ok(most <= FLIGHT, `${most} at once`)
    }),
    { numRuns: 8, endOnFailure: true },
  )
  assert.ok(admitted > 50, `${admitted} admitted`)
})
