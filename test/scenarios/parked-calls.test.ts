/** Calls that wait for their clients, with the threads of a whole Postern: one holds the call, the other gets the retry. */
import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { Agent, request } from 'node:http'
import { after, before, test } from 'node:test'
import { type Fixture, startFixture } from '../mcp/fixture/fixture.ts'
import { eventually } from '../support/eventually.ts'
import { killNow, startUp, temporaryDirectory } from './process.ts'
import { call as ask, publishOrders, startTestServer, type TestServer } from './server.ts'
import { startUpstream, type TestUpstream } from './upstream.ts'

const VERSION = '2026-07-28'
const TOOL = 'test_input_required_result_elicitation'
const HELD_BY = /^postern_mcp_parked_calls\{thread="gateway-(\d)"\} (\d+)$/gm

let server: TestServer
let upstream: TestUpstream
let origin: Fixture
let token: string
let data: string

before(async () => {
  upstream = await startUpstream()
  origin = await startFixture({ eras: 'legacy' })
  data = await temporaryDirectory()
  server = await startTestServer({ workers: 2, data })
  token = await publishOrders(server, upstream.url)
  for (const [path, body] of [
    ['/origins', { name: 'Fixture', slug: 'fixture', url: origin.url }],
    ['/virtual_mcps', { name: 'Desk', slug: 'desk', status: 'published', members: [{ origin: 'fixture' }] }],
    [
      '/virtual_mcps',
      {
        name: 'Compact',
        slug: 'compact',
        status: 'published',
        mcp_view: 'compact',
        members: [{ origin: 'fixture' }],
      },
    ],
  ] as const) {
    const made = await server.manage('POST', path, body)
    assert.equal(made.status, 201, made.text)
  }
  const assigned = await server.manage('PATCH', '/clients/acme', { virtual_mcps: ['desk', 'compact'] })
  assert.equal(assigned.status, 200, assigned.text)
})
after(async () => {
  await server?.stop()
  await origin?.[Symbol.asyncDispose]()
  await upstream?.[Symbol.asyncDispose]()
  if (data !== undefined) await rm(data, { recursive: true, force: true })
})

type Result = Readonly<Record<string, unknown>>

/** Calls the tool over the one connection of the agent. @param isCompact by way of `call_tool` */
function call(
  agent: Agent,
  more: object = {},
  url = server.running.gatewayUrl,
  isCompact = false,
): Promise<Result> {
  const meta = {
    'io.modelcontextprotocol/protocolVersion': VERSION,
    'io.modelcontextprotocol/clientCapabilities': { elicitation: { form: {} } },
  }
  const name = isCompact ? 'call_tool' : TOOL
  const given = isCompact ? { name: TOOL, arguments: {} } : {}
  const params = { name, arguments: given, ...more, _meta: meta }
  return new Promise((resolve, reject) => {
    const outgoing = request(
      `${url}/mcp/${isCompact ? 'compact' : 'desk'}`,
      {
        agent,
        method: 'POST',
        headers: {
          authorization: `Bearer ${token}`,
          'content-type': 'application/json',
          accept: 'application/json, text/event-stream',
          'mcp-protocol-version': VERSION,
          'mcp-method': 'tools/call',
          'mcp-name': name,
        },
      },
      (incoming) => {
        let text = ''
        incoming.on('data', (piece: Buffer) => {
          text += piece.toString()
        })
        incoming.on('end', () => {
          const { result } = JSON.parse(text) as { result?: Result }
          if (result === undefined) reject(new Error(text))
          else resolve(result)
        })
      },
    )
    outgoing.on('error', reject)
    outgoing.end(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params }))
  })
}

/** How many calls each thread holds. */
async function heldBySlot(): Promise<number[]> {
  const { text } = await ask('GET', `${server.running.controlUrl}/metrics`)
  return [...text.matchAll(HELD_BY)].map(([, , count]) => Number(count))
}

interface Parked {
  readonly agent: Agent
  readonly slot: number
  readonly requestState: unknown
}

/** Parks a call over a connection of its own. */
async function park(isCompact = false): Promise<Parked> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const before = await heldBySlot()
  const { resultType, requestState } = await call(agent, {}, undefined, isCompact)
  assert.equal(resultType, 'input_required')
  const slot = (await heldBySlot()).findIndex((count, at) => count > before[at]!)
  assert.notEqual(slot, -1)
  return { agent, slot, requestState }
}

/** A call that each of the two threads holds. */
async function parkOnBoth(isCompact = false): Promise<readonly [Parked, Parked]> {
  const found: (Parked | undefined)[] = []
  const rest: Parked[] = []
  while (found[0] === undefined || found[1] === undefined) {
    assert.ok(rest.length < 12, 'one thread gets no connections')
    const parked = await park(isCompact)
    if (found[parked.slot] === undefined) found[parked.slot] = parked
    else rest.push(parked)
  }
  for (const other of rest) await answer(other.agent, other, undefined, isCompact)
  return [found[0], found[1]]
}

function answer(agent: Agent, { requestState }: Parked, url?: string, isCompact = false): Promise<Result> {
  const inputResponses = { user_name: { action: 'accept', content: { name: 'Alice' } } }
  return call(agent, { requestState, inputResponses }, url, isCompact)
}

const HELLO = [{ type: 'text', text: 'Hello, Alice!' }]
const cancelled = (): number =>
  origin.requests.filter(({ rpcMethod }) => rpcMethod === 'notifications/cancelled').length

test('a retry reaches the call on the other thread, and on its own', async () => {
  const both = await parkOnBoth()
  // Over the connection of the other
  for (const at of [0, 1] as const)
    assert.deepEqual((await answer(both[1 - at]!.agent, both[at])).content, HELLO)
  const again = await parkOnBoth()
  for (const parked of again) assert.deepEqual((await answer(parked.agent, parked)).content, HELLO)
  assert.deepEqual(await heldBySlot(), [0, 0])
  assert.equal(cancelled(), 0)
})

test('in the compact view a retry reaches the call on the other thread, and on its own', async () => {
  const both = await parkOnBoth(true)
  for (const at of [0, 1] as const)
    assert.deepEqual((await answer(both[1 - at]!.agent, both[at], undefined, true)).content, HELLO)
  const parked = await park(true)
  assert.deepEqual((await answer(parked.agent, parked, undefined, true)).content, HELLO)
  assert.deepEqual(await heldBySlot(), [0, 0])
  assert.equal(cancelled(), 0)
})

test('a call whose thread has died is lost, and the retry learns it at once', async () => {
  const both = await parkOnBoth()
  await server.running.killThread(0)
  const { isError, structuredContent } = await answer(both[1].agent, both[0])
  assert.equal(isError, true)
  const { code, repeat_is_safe } = structuredContent as Result
  assert.deepEqual([code, repeat_is_safe], ['call_lost', false])
  assert.deepEqual((await answer(both[1].agent, both[1])).content, HELLO)
  assert.deepEqual(await heldBySlot(), [0, 0])
})

test('a client whose assignment ends loses its parked calls', async () => {
  await park()
  const before = cancelled()
  const unassigned = await server.manage('PATCH', '/clients/acme', { virtual_mcps: [] })
  assert.equal(unassigned.status, 200, unassigned.text)
  await eventually(() => cancelled() > before)
  assert.deepEqual(await heldBySlot(), [0, 0])
  const assigned = await server.manage('PATCH', '/clients/acme', { virtual_mcps: ['desk'] })
  assert.equal(assigned.status, 200, assigned.text)
})

test('a stop ends parked calls at their origin', async () => {
  await parkOnBoth()
  const before = cancelled()
  await server.stop()
  assert.equal(cancelled() - before, 2)
})

test('calls of a process that was killed are lost, and the next process says so', async () => {
  const agent = new Agent()
  const first = await startUp(data)
  const { resultType, requestState } = await call(agent, {}, first.gatewayUrl)
  assert.equal(resultType, 'input_required')
  await killNow(first)
  const second = await startUp(data)
  const parked = { agent, slot: 0, requestState }
  const { isError, structuredContent } = await answer(agent, parked, second.gatewayUrl)
  assert.deepEqual([isError, (structuredContent as Result)['code']], [true, 'call_lost'])
  second.child.kill('SIGTERM')
  await second.ended
})
