/** Sessions at an origin of an earlier era, as two gateways have them that share a pool, as threads do. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  createOriginSessionMemory,
  ORIGIN_SESSION_BOUNDS,
} from '../../src/shared-state/memory/origin-sessions.ts'
import type { Fragment, OriginFragment } from '../../src/snapshot/fragments.ts'
import { eventually } from '../support/eventually.ts'
import { type Fixture, startFixture } from './fixture/fixture.ts'
import { startLegacyOrigin } from './legacy.ts'
import { type RawClient, rawClient } from './raw-client.ts'
import { startVirtualMcp, type VirtualMcp } from './virtual-mcp.ts'

const IDLE_MS = ORIGIN_SESSION_BOUNDS.idleMs

/** Two gateways with one pool, in front of a fixture whose probes are forgotten. */
async function startTwo(bounds = ORIGIN_SESSION_BOUNDS, sessions: 'separate' | 'shared' = 'shared') {
  let now = 1000
  const clock = { now: () => now, monotonic: () => now }
  const memory = createOriginSessionMemory(clock, bounds)
  const origin = await startFixture({ eras: 'legacy' })
  const start = (name: string): Promise<VirtualMcp> =>
    startVirtualMcp({ fixture: origin.url }, { pool: memory.join(name), clock, sessions })
  const desks = [await start('0'), await start('1')] as const
  const before = origin.sessionsOpened
  origin.forgetRequests()
  return {
    origin,
    memory,
    desks,
    opened: () => origin.sessionsOpened - before,
    move(ms: number) {
      now += ms
      memory.sweep()
    },
    async [Symbol.asyncDispose]() {
      for (const desk of desks) await desk[Symbol.asyncDispose]()
      await origin[Symbol.asyncDispose]()
    },
  }
}

/** Calls a tool as a client of its own. */
async function echo(desk: VirtualMcp, word: string, capabilities: object = {}): Promise<void> {
  const client = await rawClient(desk, 'legacy', capabilities)
  const { text } = await client.ask('tools/call', { name: 'test_echo', arguments: { word } })
  assert.match(text, new RegExp(`\\b${word}\\b`))
}

/** Session ids that were ended, in their order. */
function endedAt(origin: Fixture): string[] {
  return origin.requests
    .filter(({ method }) => method === 'DELETE')
    .map(({ headers }) => headers['mcp-session-id']!)
}

test('each session of a client has one at the origin, which every thread continues', async () => {
  await using two = await startTwo(ORIGIN_SESSION_BOUNDS, 'separate')
  const calls = Array.from({ length: 6 }, async (_, n) => {
    const client = await rawClient(two.desks[0], 'legacy', {})
    const call = { name: 'test_echo', arguments: { word: `word${n}` } }
    await client.ask('tools/call', call)
    await client.ask('tools/call', call)
  })
  await Promise.all(calls)
  assert.equal(two.opened(), 6)
  const used = two.origin.requests
    .filter(({ rpcMethod }) => rpcMethod === 'tools/call')
    .map(({ headers, body }) => `${headers['mcp-session-id']} ${/word\d/.exec(JSON.stringify(body))?.[0]}`)
  assert.equal(used.length, 12)
  assert.equal(new Set(used).size, 6)
})

test('a caller without a session has one at the origin, whatever thread answers it', async () => {
  await using two = await startTwo(ORIGIN_SESSION_BOUNDS, 'separate')
  for (const desk of [...two.desks, ...two.desks]) {
    const client = await rawClient(desk, 'modern')
    await client.ask('tools/call', { name: 'test_echo', arguments: {} })
  }
  assert.equal(two.opened(), 1)
})

test('many callers of several threads share one session, where the origin shares its sessions', async () => {
  await using two = await startTwo()
  const calls = Array.from({ length: 40 }, (_, n) => echo(two.desks[n % 2]!, `word${n}`))
  await Promise.all(calls)
  assert.equal(two.opened(), 1)
  assert.equal(two.origin.requests.filter(({ rpcMethod }) => rpcMethod === 'initialize').length, 1)
})

test('clients whose capabilities are written in another order share a session', async () => {
  await using two = await startTwo()
  await echo(two.desks[0], 'one', { sampling: {}, elicitation: { form: {}, url: {} } })
  await echo(two.desks[0], 'two', { elicitation: { url: {}, form: {} }, sampling: {} })
  await echo(two.desks[1], 'three', { elicitation: { url: {}, form: {} }, sampling: {} })
  await echo(two.desks[1], 'four')
  assert.equal(two.opened(), 2)
})

test('after 10 minutes without a call a session is ended, and the next call opens another one', async () => {
  await using two = await startTwo()
  await echo(two.desks[0], 'one')
  await echo(two.desks[1], 'two')
  const [session] = two.origin.sessions
  two.move(IDLE_MS - 1)
  await echo(two.desks[1], 'three')
  two.move(IDLE_MS - 1)
  assert.deepEqual(endedAt(two.origin), [])
  two.move(1)
  await eventually(() => endedAt(two.origin).length > 0)
  assert.deepEqual(endedAt(two.origin), [session])
  await echo(two.desks[0], 'four')
  assert.equal(two.opened(), 2)
  assert.equal(endedAt(two.origin).length, 1)
})

test('sessions that clients abandon leave none at the origin after 10 minutes, and probes leave none at all', async () => {
  await using two = await startTwo(ORIGIN_SESSION_BOUNDS, 'separate')
  const abandoned = 20
  await Promise.all(Array.from({ length: abandoned }, (_, n) => echo(two.desks[n % 2]!, `word${n}`)))
  assert.equal(two.origin.sessions.size, abandoned)
  two.move(IDLE_MS)
  await eventually(() => two.origin.sessions.size === 0)
  assert.equal(two.opened(), abandoned)
  for (let probes = 0; probes < 5; probes++)
    assert.notEqual((await two.desks[0].probe(two.origin.url)).found, null)
  assert.equal(two.opened(), abandoned + 5)
  assert.equal(two.origin.sessions.size, 0)
})

test('a session is not ended while a call runs in it', async () => {
  await using two = await startTwo()
  const client = await rawClient(two.desks[0], 'legacy')
  const call = client.ask('tools/call', { name: 'test_slow', arguments: { ms: 400 } })
  await eventually(() => two.origin.requests.some(({ rpcMethod }) => rpcMethod === 'tools/call'))
  two.move(IDLE_MS)
  await echo(two.desks[0], 'another')
  assert.deepEqual(endedAt(two.origin), [])
  assert.notEqual((await call).messages.at(-1)?.result?.['isError'], true)
  await eventually(() => endedAt(two.origin).length === 1)
  assert.equal(two.opened(), 2)
})

test('a client that ends its session ends the one at the origin at once, from any thread, and no other', async () => {
  await using two = await startTwo(ORIGIN_SESSION_BOUNDS, 'separate')
  const call = { name: 'test_echo', arguments: {} }
  const [leaving, staying] = [
    await rawClient(two.desks[0], 'legacy'),
    await rawClient(two.desks[0], 'legacy'),
  ]
  await leaving.ask('tools/call', call)
  const [session] = two.origin.sessions
  await staying.ask('tools/call', call)
  assert.equal(await leaving.leave(), 204)
  await eventually(() => endedAt(two.origin).length > 0)
  assert.deepEqual(endedAt(two.origin), [session])
  assert.equal((await leaving.ask('tools/call', call)).status, 404)
  await staying.ask('tools/call', call)
  assert.equal(two.opened(), 2)
})

test('a client that ends its session while a call runs ends the one at the origin after the call', async () => {
  await using two = await startTwo(ORIGIN_SESSION_BOUNDS, 'separate')
  const client = await rawClient(two.desks[0], 'legacy')
  const call = client.ask('tools/call', { name: 'test_slow', arguments: { ms: 300 } })
  await eventually(() => two.origin.requests.some(({ rpcMethod }) => rpcMethod === 'tools/call'))
  assert.equal(await client.leave(), 204)
  assert.equal((await client.ask('tools/list', {})).status, 404)
  assert.deepEqual(endedAt(two.origin), [])
  assert.notEqual((await call).messages.at(-1)?.result?.['isError'], true)
  await eventually(() => endedAt(two.origin).length === 1)
})

test('a client that ends its session leaves a shared session to the others', async () => {
  await using two = await startTwo()
  const client = await rawClient(two.desks[0], 'legacy')
  await client.ask('tools/call', { name: 'test_echo', arguments: {} })
  assert.equal(await client.leave(), 204)
  await echo(two.desks[1], 'another')
  assert.equal(two.opened(), 1)
  assert.deepEqual(endedAt(two.origin), [])
})

test('a session is not ended while a task works in it, whether nobody calls or its client has left', async () => {
  let now = 0
  const clock = { now: () => now, monotonic: () => now }
  const memory = createOriginSessionMemory(clock)
  await using origin = await startLegacyOrigin()
  await using desk = await startVirtualMcp({ old: origin.url }, { pool: memory.join('0'), clock })
  const leaving = await rawClient(desk, 'legacy')
  const staying = await rawClient(desk, 'legacy')
  const before = origin.sessions.size
  const begun = async (client: RawClient): Promise<unknown> => {
    // The task asks its user, who is not there: it works on
    const call = { name: 'job', arguments: { word: 'it', asks: true, ttl: 10_000_000 }, task: {} }
    const { messages } = await client.ask('tools/call', call)
    const { taskId } = messages.at(-1)!.result!['task'] as { taskId: unknown }
    return taskId
  }
  const tasks = [await begun(leaving), await begun(staying)]
  const ended = (): number => origin.requests.filter(({ method }) => method === 'DELETE').length
  const first = ended()
  assert.equal(await leaving.leave(), 204)
  now += IDLE_MS
  memory.sweep()
  const later = await rawClient(desk, 'legacy')
  const statusOf = async (taskId: unknown): Promise<unknown> =>
    (await later.ask('tasks/get', { taskId })).messages.at(-1)?.result?.['status']
  for (const taskId of tasks) assert.notEqual(await statusOf(taskId), undefined)
  assert.equal(origin.sessions.size, before + 2)
  assert.equal(ended(), first)
  for (const taskId of tasks) await later.ask('tasks/cancel', { taskId })
  await eventually(() => ended() === first + 1)
  now += IDLE_MS
  memory.sweep()
  await eventually(() => ended() === first + 2)
  assert.equal(origin.sessions.size, before)
})

test('a thread that has ended leaves its sessions to the others', async () => {
  await using two = await startTwo()
  await echo(two.desks[0], 'one')
  two.memory.leave('0')
  await echo(two.desks[1], 'two')
  assert.equal(two.opened(), 1)
  two.memory.leave('1')
  await using third = await startVirtualMcp(
    { fixture: two.origin.url },
    { pool: two.memory.join('2'), clock: { now: Date.now, monotonic: () => 0 }, sessions: 'shared' },
  )
  const opened = two.opened()
  await echo(third, 'three')
  assert.equal(two.opened(), opened)
})

test('a session that no living thread has taken is ended all the same', async () => {
  await using two = await startTwo()
  await echo(two.desks[0], 'one')
  // The door of the other gateway is there
  await echo(two.desks[1], 'two', { sampling: {} })
  two.memory.leave('0')
  two.move(IDLE_MS)
  await eventually(() => endedAt(two.origin).length === 2)
})

/** The fragments of a desk with another one of its origin. */
function changed({ fragments }: VirtualMcp, change: (origin: OriginFragment) => OriginFragment): Fragment[] {
  return fragments.map((one) => (one.kind === 'origin' ? change(one) : one))
}

test('changes that lead nowhere else keep sessions; another way to reach the origin ends them', async () => {
  await using two = await startTwo()
  const apply = (change: (origin: OriginFragment) => OriginFragment): void => {
    for (const desk of two.desks) desk.served.apply(changed(desk, change))
  }
  const each = async (word: string): Promise<void> => {
    for (const desk of two.desks) await echo(desk, word)
  }
  await each('one')
  const [session] = two.origin.sessions
  apply((one) => ({
    ...one,
    name: 'Renamed',
    total_ms: one.total_ms + 1,
    upstream: { ...one.upstream!, idle_ms: one.upstream!.idle_ms + 1 },
    verdict: { ...one.verdict!, instructions: 'Others.' },
  }))
  await each('two')
  assert.deepEqual([two.opened(), endedAt(two.origin)], [1, []])
  apply((one) => ({ ...one, target: `${one.target}?of=others` }))
  await eventually(() => endedAt(two.origin).length === 1)
  assert.deepEqual(endedAt(two.origin), [session])
  await each('three')
  assert.equal(two.opened(), 2)
  for (const desk of two.desks) desk.served.apply([], ['origin:ori_fixture'])
  await eventually(() => endedAt(two.origin).length === 2)
})

test('a session that its origin has forgotten is opened anew once, for all threads', async () => {
  await using two = await startTwo()
  for (const desk of two.desks) await echo(desk, 'one')
  await two.origin.forgetSessions()
  await Promise.all(Array.from({ length: 20 }, (_, n) => echo(two.desks[n % 2]!, `word${n}`)))
  assert.equal(two.opened(), 2)
  assert.deepEqual(endedAt(two.origin), [])
})

test('a caller that declares ever other capabilities pushes out its own sessions, and those are ended', async () => {
  await using two = await startTwo({ ...ORIGIN_SESSION_BOUNDS, perOwnerMax: 3 })
  for (let n = 0; n < 8; n++) {
    const asked = ['sampling', 'roots', 'elicitation'].filter((_, bit) => (n & (1 << bit)) !== 0)
    await echo(two.desks[n % 2]!, `word${n}`, Object.fromEntries(asked.map((name) => [name, {}])))
  }
  await eventually(() => endedAt(two.origin).length === 5)
  assert.equal(two.origin.sessions.size, 3)
})

test('a stop ends each session once', async () => {
  await using two = await startTwo()
  for (const desk of two.desks) await echo(desk, 'one')
  await echo(two.desks[0], 'two', { sampling: {} })
  await Promise.all(two.desks.map((desk) => desk.closeSessions()))
  assert.equal(endedAt(two.origin).length, 2)
  assert.equal(two.origin.sessions.size, 0)
})
