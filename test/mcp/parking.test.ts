/** An origin of an earlier era asks in the middle of a call, and a client of 2026-07-28 answers with its retry. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createClock, createClockCell } from '../../src/base/clock.ts'
import { createThreadHeldCalls, type ThreadHeldCalls } from '../../src/shared-state/memory/held-calls.ts'
import { createKeyMemory, openKeyMemory } from '../../src/shared-state/memory/key-memory.ts'
import { eventually } from '../support/eventually.ts'
import { moveClock } from '../support/moved-clock.ts'
import type { SharedParking } from '../support/parking.ts'
import { startFixture } from './fixture/fixture.ts'
import { startLegacyOrigin } from './legacy.ts'
import { type Message, type RawAnswer, type RawClient, rawClient } from './raw-client.ts'
import { startVirtualMcp, type VirtualMcp } from './virtual-mcp.ts'

const ALL = { elicitation: { form: {}, url: {} }, sampling: {}, roots: {} }
const NAME = 'test_input_required_result_elicitation'
const ALICE = { action: 'accept', content: { name: 'Alice' } }

/** Two gateways that attach to each other's calls, as threads do, in front of one origin. */
async function startTwo() {
  const cell = createClockCell()
  const keys = createKeyMemory(1024)
  const threads: (ThreadHeldCalls | null)[] = []
  const shared = (slot: number): SharedParking => {
    const heldCalls = createThreadHeldCalls({
      slot,
      send(sent) {
        const owner = threads[sent.slot]
        if (owner == null) sent.port.close()
        else owner.deliver(sent)
      },
    })
    threads.push(heldCalls)
    return { heldCalls, usedReplies: openKeyMemory(keys) }
  }
  const origin = await startFixture({ eras: 'legacy' })
  const start = (slot: number): Promise<VirtualMcp> =>
    startVirtualMcp({ demo: origin.url }, { shared: shared(slot), clock: createClock(cell) })
  const desks = [await start(0), await start(1)] as const
  const sent = (method: string): number =>
    origin.requests.filter(({ rpcMethod }) => rpcMethod === method).length
  return {
    origin,
    desks,
    sent,
    /** Gives the calls up that the origin was told of. */
    cancelled: () => sent('notifications/cancelled'),
    move: (ms: number) => moveClock(cell, ms),
    /** The thread ends as by a crash. */
    kill(slot: number) {
      threads[slot] = null
    },
    async [Symbol.asyncDispose]() {
      for (const desk of desks) await desk[Symbol.asyncDispose]()
      await origin[Symbol.asyncDispose]()
    },
  }
}

interface Asked {
  readonly inputRequests: Readonly<Record<string, { method: string; params: Record<string, unknown> }>>
  readonly requestState: string
}

function lastOf({ messages }: RawAnswer): Message {
  return messages.at(-1)!
}

function askedIn(answer: RawAnswer): Asked {
  const { result } = lastOf(answer)
  assert.equal(result?.['resultType'], 'input_required', answer.text)
  return result as unknown as Asked
}

const call = (client: RawClient, name: string, more: object = {}): Promise<RawAnswer> =>
  client.ask('tools/call', { name, arguments: {}, ...more })

function problemIn(answer: RawAnswer): Readonly<Record<string, unknown>> {
  const { result, error } = lastOf(answer)
  return (result?.['structuredContent'] ?? error?.data) as Readonly<Record<string, unknown>>
}

for (const second of [0, 1] as const)
  test(`a retry on ${second === 0 ? 'the same' : 'another'} thread takes the call up, and each request has its record`, async () => {
    await using two = await startTwo()
    const [first, other] = [two.desks[0], two.desks[second]]
    const { inputRequests, requestState } = askedIn(await call(await rawClient(first, 'modern', ALL), NAME))
    assert.deepEqual(Object.keys(inputRequests), ['user_name'])
    assert.equal(inputRequests['user_name']?.method, 'elicitation/create')
    assert.equal(first.parked(), 1)
    const retry = { requestState, inputResponses: { user_name: ALICE } }
    const answer = await call(await rawClient(other, 'modern', ALL), NAME, retry)
    assert.match(answer.text, /Hello, Alice!/)
    assert.equal(lastOf(answer).result?.['resultType'], 'complete')
    assert.equal(first.parked(), 0)
    assert.equal(two.sent('tools/call'), 1)
    assert.equal(two.cancelled(), 0)
    const records = [await first.served.record(0), await other.served.record(second === 0 ? 1 : 0)]
    assert.deepEqual(
      records.map(({ status, code, origin, agent }) => [status, code, origin, agent?.mcpMethod, agent?.tool]),
      [
        [200, '', 'ori_demo', 'tools/call', NAME],
        [200, '', 'ori_demo', 'tools/call', NAME],
      ],
    )
  })

test('questions that come together are put together, and what is not answered is asked for again', async () => {
  await using two = await startTwo()
  const clients = await Promise.all(two.desks.map((desk) => rawClient(desk, 'modern', ALL)))
  const name = 'test_input_required_result_multiple_inputs'
  const first = askedIn(await call(clients[0]!, name))
  assert.deepEqual(Object.keys(first.inputRequests), ['user_name', 'greeting', 'client_roots'])
  const wrong = {
    user_name: { action: 'perhaps' },
    greeting: 'hello',
    client_roots: { roots: [] },
    other: { action: 'accept' },
  }
  const second = askedIn(
    await call(clients[1]!, name, { requestState: first.requestState, inputResponses: wrong }),
  )
  assert.deepEqual(Object.keys(second.inputRequests), ['user_name', 'greeting'])
  const greeting = { role: 'assistant', content: { type: 'text', text: 'Good day' }, model: 'm' }
  const inputResponses = { user_name: ALICE, greeting }
  const answer = await call(clients[0]!, name, { requestState: second.requestState, inputResponses })
  assert.match(answer.text, /Alice.*Good day/)
  assert.equal(two.sent('tools/call'), 1)
})

test('a state counts once, for its own caller and request, and as it was given', async () => {
  await using two = await startTwo()
  for (const desk of two.desks) desk.assignStranger()
  const [desk, other] = two.desks
  const client = await rawClient(desk, 'modern', ALL)
  const stranger = await rawClient({ url: other.url, headers: other.strangerHeaders }, 'modern', ALL)
  const { requestState } = askedIn(await call(client, NAME))
  const retry = { requestState, inputResponses: { user_name: ALICE } }
  const refused = [
    await call(stranger, NAME, retry),
    await call(client, NAME, { ...retry, arguments: { more: 1 } }),
    await call(client, 'test_elicitation', { ...retry, arguments: { message: 'x' } }),
    await client.ask('prompts/get', { name: 'test_input_required_result_prompt', ...retry }),
    await call(client, NAME, { ...retry, requestState: `${requestState.slice(0, -2)}AA` }),
    await call(client, NAME, { ...retry, requestState: '' }),
  ]
  for (const answer of refused) assert.equal(lastOf(answer).error?.code, -32602, answer.text)
  // None of them has used the state
  assert.match((await call(await rawClient(other, 'modern', ALL), NAME, retry)).text, /Hello, Alice!/)
  for (const again of two.desks) {
    const { error } = lastOf(await call(await rawClient(again, 'modern', ALL), NAME, retry))
    assert.deepEqual([error?.code, error?.message], [-32602, 'The requestState was used already'])
  }
  assert.equal(two.sent('tools/call'), 1)
})

test('a call whose client is silent for too long ends at its origin, and the late answer says so', async () => {
  await using two = await startTwo()
  const client = await rawClient(two.desks[0], 'modern', ALL)
  const { requestState } = askedIn(await call(client, NAME))
  two.move(10 * 60_000 - 1000)
  assert.equal(two.desks[0].parked(), 1)
  two.move(1000)
  const late = await rawClient(two.desks[1], 'modern', ALL)
  const answer = await call(late, NAME, { requestState, inputResponses: { user_name: ALICE } })
  const { code, repeat_is_safe, detail } = problemIn(answer)
  assert.deepEqual([code, repeat_is_safe], ['call_lost', false], answer.text)
  assert.match(String(detail), /too late.*only if a second effect does no harm/)
  await eventually(() => two.desks[0].parked() === 0 && two.cancelled() === 1)
  assert.equal((await two.desks[1].served.record(0)).code, 'call_lost')
})

test('the calls of a thread that has ended are lost, and the answer says whether to repeat them', async () => {
  await using two = await startTwo()
  const client = await rawClient(two.desks[0], 'modern', ALL)
  const tool = askedIn(await call(client, NAME))
  const name = 'test_input_required_result_prompt'
  const prompt = askedIn(await client.ask('prompts/get', { name }))
  two.kill(0)
  const other = await rawClient(two.desks[1], 'modern', ALL)
  const answers = [
    await call(other, NAME, { requestState: tool.requestState, inputResponses: { user_name: ALICE } }),
    await other.ask('prompts/get', { name, requestState: prompt.requestState, inputResponses: {} }),
  ]
  assert.deepEqual(
    answers.map((answer) => [problemIn(answer)['code'], problemIn(answer)['repeat_is_safe']]),
    [
      ['call_lost', false],
      ['call_lost', true],
    ],
  )
  assert.equal(lastOf(answers[0]!).result?.['isError'], true)
})

test('16 calls of one client wait in a thread; the next one is refused and ends at its origin', async () => {
  await using two = await startTwo()
  const [desk] = two.desks
  const client = await rawClient(desk, 'modern', ALL)
  const asked: Asked[] = []
  for (let count = 0; count < 16; count++) asked.push(askedIn(await call(client, NAME)))
  assert.equal(desk.parked(), 16)
  const refused = await call(client, NAME)
  assert.equal(problemIn(refused)['code'], 'concurrency_exceeded', refused.text)
  await eventually(() => two.cancelled() === 1)
  const { requestState } = asked[0]!
  assert.match(
    (await call(client, NAME, { requestState, inputResponses: { user_name: ALICE } })).text,
    /Hello, Alice!/,
  )
  askedIn(await call(client, NAME))
  assert.equal(desk.parked(), 16)
  assert.equal((await desk.served.record(16)).code, 'concurrency_exceeded')
})

test('a caller who loses the right to a parked call loses the call', async () => {
  const losses: readonly ((desk: VirtualMcp) => void)[] = [
    (desk) => desk.unassign(),
    (desk) =>
      desk.publish({
        members: [{ origin: 'ori_demo', capability_policy: { tools: ['test_simple_text'] } }],
      }),
  ]
  for (const lose of losses) {
    await using two = await startTwo()
    const [desk] = two.desks
    const client = await rawClient(desk, 'modern', ALL)
    const { requestState } = askedIn(await call(client, NAME))
    lose(desk)
    await eventually(() => desk.parked() === 0 && two.cancelled() === 1)
    const answer = await call(client, NAME, { requestState, inputResponses: { user_name: ALICE } })
    assert.ok(answer.status === 404 || lastOf(answer).error?.code === -32602, answer.text)
  }
})

test('a retry that another thread refuses ends the call', async () => {
  await using two = await startTwo()
  const [desk, other] = two.desks
  const { requestState } = askedIn(await call(await rawClient(desk, 'modern', ALL), NAME))
  other.publish({ members: [{ origin: 'ori_demo', capability_policy: { tools: ['test_simple_text'] } }] })
  const client = await rawClient(other, 'modern', ALL)
  const answer = await call(client, NAME, { requestState, inputResponses: { user_name: ALICE } })
  assert.equal(lastOf(answer).error?.code, -32602)
  await eventually(() => desk.parked() === 0 && two.cancelled() === 1)
})

test('a stop ends parked calls at their origins', async () => {
  await using two = await startTwo()
  const client = await rawClient(two.desks[0], 'modern', ALL)
  askedIn(await call(client, NAME))
  await two.desks[0].closeParking()
  assert.equal(two.cancelled(), 1)
  assert.equal(two.desks[0].parked(), 0)
})

test('progress and log messages after the answer go to the retry that brought it, as it wants them', async () => {
  await using origin = await startLegacyOrigin()
  await using desk = await startVirtualMcp({ demo: origin.url })
  const client = await rawClient(desk, 'modern', ALL)
  const wants = (progressToken: string, level: string | null) => ({
    _meta: { progressToken, ...(level === null ? {} : { 'io.modelcontextprotocol/logLevel': level }) },
  })
  for (const [level, isTold] of [
    ['error', true],
    ['critical', false],
    [null, false],
  ] as const) {
    const { requestState } = askedIn(await call(client, 'elicit_work', wants('first', 'debug')))
    const inputResponses = { input_1: { action: 'accept', content: {} } }
    const { messages } = await call(client, 'elicit_work', {
      requestState,
      inputResponses,
      ...wants('second', level),
    })
    const told = messages.slice(0, -1).map(({ method, params }) => [method, params])
    assert.deepEqual(told, [
      ['notifications/progress', { progressToken: 'second', progress: 1 }],
      ...(isTold ? [['notifications/message', { level: 'error', data: 'works' }]] : []),
    ])
    assert.match(JSON.stringify(messages.at(-1)), /worked/)
  }
})

test('a client that hangs up its retry ends the call', async () => {
  await using origin = await startLegacyOrigin()
  await using desk = await startVirtualMcp({ demo: origin.url })
  const client = await rawClient(desk, 'modern', ALL)
  const leaving = new AbortController()
  const { requestState } = askedIn(await call(client, 'elicit_work'))
  assert.equal(desk.parked(), 1)
  const before = origin.requests.length
  const retry = { requestState, inputResponses: { input_1: { action: 'decline' } } }
  const gone = assert.rejects(
    client.ask('tools/call', { name: 'elicit_work', arguments: {}, ...retry }, leaving.signal),
  )
  // The origin has its answer
  await eventually(() => origin.requests.length > before)
  leaving.abort()
  await gone
  await eventually(() => origin.cancelled.includes('elicit_work'))
  assert.equal(desk.parked(), 0)
})

test('each kind of question reaches the client, and its answer the origin', async () => {
  await using origin = await startLegacyOrigin()
  await using desk = await startVirtualMcp({ demo: origin.url })
  const client = await rawClient(desk, 'modern', ALL)
  const sampled = { role: 'assistant', content: { type: 'text', text: 'word' }, model: 'm' }
  const flows = [
    ['elicit', 'elicitation/create', { action: 'accept', content: { colour: 'red' } }, /red/],
    ['elicit_url', 'elicitation/create', { action: 'accept' }, /accept/],
    ['sample', 'sampling/createMessage', sampled, /word/],
    ['roots', 'roots/list', { roots: [{ uri: 'file:///a' }] }, /file:\/\/\/a/],
  ] as const
  for (const [name, method, response, expected] of flows) {
    const { inputRequests, requestState } = askedIn(await call(client, name))
    assert.equal(inputRequests['input_1']?.method, method)
    assert.equal(inputRequests['input_1']?.params?.['elicitationId'], undefined)
    const answer = await call(client, name, { requestState, inputResponses: { input_1: response } })
    assert.match(answer.text, expected)
    // 2026-07-28 has no ids of pages, and tells of none
    assert.deepEqual(
      answer.messages.flatMap(({ method }) => method ?? []),
      [],
    )
    assert.notEqual(lastOf(answer).result?.['isError'], true, answer.text)
  }
})

test('a call that needs a page first is made again once the page was opened, and not otherwise', async () => {
  await using origin = await startLegacyOrigin()
  await using desk = await startVirtualMcp({ demo: origin.url })
  const client = await rawClient(desk, 'modern', ALL)
  let asked = askedIn(await call(client, 'needs_url'))
  const { method, params } = asked.inputRequests['page_1']!
  assert.equal(method, 'elicitation/create')
  assert.deepEqual(params, {
    mode: 'url',
    message: 'Please connect',
    url: 'https://consent.example.com/connect?flow=legacy',
  })
  assert.equal(desk.parked(), 0)
  const retry = (action: string) => ({
    requestState: asked.requestState,
    inputResponses: { page_1: { action } },
  })
  // The origin goes on asking
  for (let round = 2; round <= 8; round++) asked = askedIn(await call(client, 'needs_url', retry('accept')))
  assert.equal(
    problemIn(await call(client, 'needs_url', retry('accept')))['code'],
    'upstream_invalid_response',
  )
  asked = askedIn(await call(client, 'needs_url'))
  assert.equal(problemIn(await call(client, 'needs_url', retry('decline')))['code'], 'permission_denied')
  const unable = await rawClient(desk, 'modern', { elicitation: {} })
  const answer = await call(unable, 'needs_url')
  assert.deepEqual(lastOf(answer).error?.data, { requiredCapabilities: { elicitation: { url: {} } } })
  assert.deepEqual([answer.status, lastOf(answer).error?.code], [400, -32021])
})

test('a call that fails for want of a capability names it', async () => {
  await using origin = await startLegacyOrigin()
  await using desk = await startVirtualMcp({ demo: origin.url })
  const client = await rawClient(desk, 'modern')
  const wanted = [
    ['elicit', { elicitation: { form: {} } }],
    ['elicit_url', { elicitation: { url: {} } }],
    ['sample', { sampling: {} }],
    ['roots', { roots: {} }],
  ] as const
  for (const [name, requiredCapabilities] of wanted) {
    const answer = await call(client, name)
    const { error } = lastOf(answer)
    assert.deepEqual(
      [answer.status, error?.code, error?.data],
      [400, -32021, { requiredCapabilities }],
      `${name}: ${answer.text}`,
    )
  }
  assert.equal(problemIn(await call(client, 'fail')), undefined)
})
