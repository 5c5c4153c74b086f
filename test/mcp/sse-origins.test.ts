/** Origins of HTTP+SSE (2024-11-05), as callers of both eras have them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import {
  CreateMessageRequestSchema,
  ElicitationCompleteNotificationSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
  LoggingMessageNotificationSchema,
} from '@modelcontextprotocol/sdk/types.js'
import { eventually } from '../support/eventually.ts'
import { IS_LONG } from '../support/long.ts'
import { CLIENT_INFO } from '../support/mcp-clients.ts'
import { type HOSTILE_SSE_TOOLS, type Opening, startHostileSse } from './hostile/sse.ts'
import { startLegacyOrigin } from './legacy.ts'
import { LEGACY_NOTE } from './legacy-server.ts'
import { openWatching } from './open-stream.ts'
import { ERAS, type RawAnswer, rawClient } from './raw-client.ts'
import { startEverything } from './real-servers.ts'
import { startVirtualMcp } from './virtual-mcp.ts'

const TIMEOUTS = { connect: '1s', first_byte: '1s', idle: '10s', total: '2s' }

for (const era of ERAS)
  test(`${era} client: an origin of HTTP+SSE is found, listed and called, over one stream`, async () => {
    await using origin = await startLegacyOrigin({ transport: 'sse' })
    await using desk = await startVirtualMcp({ sse: origin.url })
    const { steps, found } = await desk.probe(origin.url)
    assert.equal(found?.verdict.transport, 'http_sse')
    assert.equal(found.verdict.era, 'legacy')
    assert.deepEqual([...new Set(steps.map(({ step }) => step))].slice(0, 2), ['sse', 'initialize'])
    assert.ok(steps.every(({ ok }) => ok))
    await eventually(() => origin.sessions.size === 0)
    const before = origin.sessionsOpened
    const client = await rawClient(desk, era)
    assert.match((await client.ask('tools/list', {})).text, /"name":"add"/)
    for (let n = 0; n < 5; n++) {
      const answer = await client.ask('tools/call', { name: 'add', arguments: { a: n, b: 1 } })
      assert.match(answer.text, new RegExp(`"text":"${n + 1}"`))
    }
    assert.match((await client.ask('resources/read', { uri: 'note://first' })).text, /contents/)
    assert.equal(origin.sessionsOpened - before, 1)
    assert.deepEqual(
      desk.served.records.filter(({ status }) => status !== 200),
      [],
    )
  })

test('each call has a stream for itself, and some of them wait for the next calls', async () => {
  await using origin = await startLegacyOrigin({ transport: 'sse' })
  await using desk = await startVirtualMcp({ sse: origin.url })
  await eventually(() => origin.sessions.size === 0)
  const before = origin.sessionsOpened
  const client = await rawClient(desk, 'modern')
  const slow = Array.from({ length: 6 }, async () => {
    const answer = await client.ask('tools/call', { name: 'slow', arguments: { ms: 300 } })
    assert.match(answer.text, /waited/)
  })
  await Promise.all(slow)
  assert.equal(origin.sessionsOpened - before, 6)
  await eventually(() => origin.sessions.size === 4)
})

test('a legacy client is asked by an origin of HTTP+SSE, and hears of progress and logs', async (t) => {
  await using origin = await startLegacyOrigin({ transport: 'sse' })
  await using desk = await startVirtualMcp({ sse: origin.url })
  const client = new Client(CLIENT_INFO, {
    capabilities: { elicitation: { form: {}, url: {} }, sampling: {}, roots: {} },
  })
  client.setRequestHandler(ElicitRequestSchema, () => ({ action: 'accept', content: { colour: 'red' } }))
  client.setRequestHandler(CreateMessageRequestSchema, () => ({
    model: 'test',
    role: 'assistant',
    content: { type: 'text', text: 'word' },
  }))
  client.setRequestHandler(ListRootsRequestSchema, () => ({ roots: [{ uri: 'file:///root' }] }))
  const logged: unknown[] = []
  client.setNotificationHandler(
    LoggingMessageNotificationSchema,
    ({ params }) => void logged.push(params.level),
  )
  const transport = new StreamableHTTPClientTransport(new URL(desk.url), {
    requestInit: { headers: desk.headers },
  })
  // The SDK declares its own transport with optional members that its interface has without
  await client.connect(transport as Parameters<typeof client.connect>[0])
  t.after(() => client.close())
  const done: unknown[] = []
  client.setNotificationHandler(
    ElicitationCompleteNotificationSchema,
    ({ params }) => void done.push(params.elicitationId),
  )
  const text = async (name: string, args: Record<string, unknown> = {}): Promise<unknown> =>
    ((await client.callTool({ name, arguments: args })).content as { text?: string }[])[0]?.text
  await client.setLoggingLevel('warning')
  assert.equal(await text('elicit'), '{"action":"accept","content":{"colour":"red"}}')
  assert.equal(await text('elicit_url'), 'accept')
  assert.deepEqual(done, ['legacy-1'])
  assert.equal(await text('sample'), 'word')
  assert.match(String(await text('roots')), /file:\/\/\/root/)
  assert.equal(await text('log', { line: 'x' }), 'logged')
  assert.deepEqual(logged, ['error'])
  let steps = 0
  await client.callTool({ name: 'progress', arguments: { steps: 3 } }, undefined, {
    onprogress: () => void steps++,
  })
  assert.equal(steps, 3)
  const stop = new AbortController()
  const call = client.callTool({ name: 'slow', arguments: { ms: 60_000 } }, undefined, {
    signal: stop.signal,
  })
  const left = assert.rejects(call)
  await eventually(() => origin.sessions.size > 0)
  setTimeout(() => stop.abort(), 200)
  await left
  await eventually(() => origin.cancelled.includes('slow'))
  assert.equal(await text('add', { a: 1, b: 2 }), '3')
})

test('a modern client answers what an origin of HTTP+SSE asks with its retry, and the call keeps its stream', async () => {
  await using origin = await startLegacyOrigin({ transport: 'sse' })
  await using desk = await startVirtualMcp({ sse: origin.url })
  await eventually(() => origin.sessions.size === 0)
  const before = origin.sessionsOpened
  const client = await rawClient(desk, 'modern', {
    elicitation: { form: {}, url: {} },
    sampling: {},
    roots: {},
  })
  const sampled = { role: 'assistant', content: { type: 'text', text: 'word' }, model: 'm' }
  for (const [name, response, expected] of [
    ['elicit', { action: 'accept', content: { colour: 'red' } }, /red/],
    ['elicit_url', { action: 'accept' }, /accept/],
    ['sample', sampled, /word/],
    ['roots', { roots: [{ uri: 'file:///a' }] }, /file:\/\/\/a/],
  ] as const) {
    const asked = (await client.ask('tools/call', { name, arguments: {} })).messages.at(-1)!.result!
    assert.equal(asked['resultType'], 'input_required')
    assert.equal(desk.parked(), 1)
    const { requestState } = asked
    const answer = await client.ask('tools/call', {
      name,
      arguments: {},
      requestState,
      inputResponses: { input_1: response },
    })
    assert.match(answer.text, expected)
  }
  assert.equal(desk.parked(), 0)
  assert.equal(origin.sessionsOpened - before, 1)
})

test('a parked call whose stream at an origin of HTTP+SSE breaks has failed when its retry comes', async () => {
  await using origin = await startLegacyOrigin({ transport: 'sse' })
  await using desk = await startVirtualMcp({ sse: origin.url })
  const client = await rawClient(desk, 'modern', { elicitation: { form: {} } })
  const asked = (await client.ask('tools/call', { name: 'elicit', arguments: {} })).messages.at(-1)!.result!
  await origin.forgetSessions()
  const inputResponses = { input_1: { action: 'accept', content: { colour: 'red' } } }
  const { requestState } = asked
  const answer = await client.ask('tools/call', {
    name: 'elicit',
    arguments: {},
    requestState,
    inputResponses,
  })
  assert.match(String(problemIn(answer)?.['detail']), /its stream has ended/)
  assert.equal(desk.parked(), 0)
})

test('a modern client that leaves cancels its call', async () => {
  await using origin = await startLegacyOrigin({ transport: 'sse' })
  await using desk = await startVirtualMcp({ sse: origin.url })
  const client = await rawClient(desk, 'modern')
  const stop = new AbortController()
  const posts = origin.requests.length
  const call = client.ask('tools/call', { name: 'slow', arguments: { ms: 60_000 } }, stop.signal)
  call.catch(() => {})
  await eventually(() => origin.requests.length >= posts + 4)
  stop.abort()
  await eventually(() => origin.cancelled.includes('slow'))
})

test('changes at an origin of HTTP+SSE are heard on one stream, which is opened again after an outage', async (t) => {
  let origin = await startLegacyOrigin({ transport: 'sse' })
  t.after(() => origin[Symbol.asyncDispose]())
  const { port } = origin
  await using desk = await startVirtualMcp({ sse: origin.url })
  await eventually(() => origin.sessions.size === 0)
  const heard = (news: string): Promise<void> =>
    eventually(
      () => desk.news.some(([from, one]) => from === 'ori_sse' && one === news),
      () => JSON.stringify(desk.news),
    )
  const forget = (): void => void (desk.news as unknown[]).splice(0)
  desk.watch()
  await heard('opened')
  origin.addTool('late')
  await heard('changed')
  assert.equal(origin.sessions.size, 1)

  await using client = await openWatching(desk, 'modern', LEGACY_NOTE)
  const told = (): number =>
    client.messages.filter(({ method }) => method === 'notifications/resources/updated').length
  const touched = (): Promise<void> => {
    const before = told()
    return eventually(() => {
      origin.touch(LEGACY_NOTE)
      return told() > before
    })
  }
  await touched()
  forget()
  const before = told()
  await origin[Symbol.asyncDispose]()
  await heard('failed')
  origin = await startLegacyOrigin({ transport: 'sse', port })
  await heard('changed')
  await eventually(() => told() > before)
  await touched()
  assert.equal(origin.sessions.size, 1)
  forget()
  // A restart that nobody saw
  await origin.forgetSessions()
  await heard('changed')
})

test('a client that ends its session closes the stream that waits for its next call', async () => {
  await using origin = await startLegacyOrigin({ transport: 'sse' })
  await using desk = await startVirtualMcp({ sse: origin.url })
  await eventually(() => origin.sessions.size === 0)
  const [leaving, staying] = [await rawClient(desk, 'legacy'), await rawClient(desk, 'legacy')]
  for (const client of [leaving, staying])
    await client.ask('tools/call', { name: 'add', arguments: { a: 1, b: 1 } })
  assert.equal(origin.sessions.size, 2)
  assert.equal(await leaving.leave(), 204)
  await eventually(() => origin.sessions.size === 1)
  const running = staying.ask('tools/call', { name: 'slow', arguments: { ms: 200 } })
  await eventually(() => origin.requests.at(-1)?.method === 'POST')
  assert.equal(await staying.leave(), 204)
  assert.match((await running).text, /waited/)
  await eventually(() => origin.sessions.size === 0)
})

/** The problem object that a refused call gives to the model. */
function problemIn({ messages }: RawAnswer): Readonly<Record<string, unknown>> | undefined {
  return messages.at(-1)?.result?.['structuredContent'] as Readonly<Record<string, unknown>> | undefined
}

type Tool = (typeof HOSTILE_SSE_TOOLS)[number]
/** How the error begins; null for a call that succeeds. */
const CAME: Readonly<Record<Tool, string | null>> = {
  echo: null,
  before_taken: null,
  no_json: null,
  forgets_once: null,
  wrong_id: 'upstream_timeout',
  never: 'upstream_timeout',
  cuts: 'its stream was cut off',
  ends: 'its stream has ended',
  refused: 'it answered 400 to the request',
  fails: 'it answered 500 to the request',
  storm: 'it sends too many messages',
  too_long: 'one of its events is too long',
  endless_taken: 'it answers a message with more than an acknowledgement',
}

for (const era of ERAS)
  test(`${era} client: whatever an origin of HTTP+SSE does to a call, the next call is served`, async (t) => {
    await using hostile = await startHostileSse()
    // A storm takes its time on a busy machine, and only what never comes is to be given up
    await using patient = await startVirtualMcp({ sse: hostile.url })
    await using hasty = await startVirtualMcp({ sse: hostile.url }, { timeouts: TIMEOUTS })
    const clients = [patient, hasty].map(async (desk) => ({ desk, client: await rawClient(desk, era) }))
    for (const [name, expected] of Object.entries(CAME))
      await t.test(name, async () => {
        const { desk, client } = await clients[expected === 'upstream_timeout' ? 1 : 0]!
        const answer = await client.ask('tools/call', { name, arguments: { word: name } })
        if (expected === null) assert.match(answer.text, new RegExp(`\\\\"word\\\\":\\\\"${name}\\\\"`))
        else {
          const problem = problemIn(answer)
          assert.ok([problem?.['code'], String(problem?.['detail'])].join().includes(expected), answer.text)
          assert.equal(problem?.['origin'], 'sse')
        }
        assert.doesNotMatch(answer.text, /somebody else/)
        // A breaker closes again, and what has stood for so long without a word is given up
        desk.served.moveClock(60_000)
        hostile.cut()
        await eventually(() => hostile.streams.size === 0)
        const honest = await client.ask('tools/call', { name: 'echo', arguments: { word: 'next' } })
        assert.match(honest.text, /\\"word\\":\\"next\\"/)
      })
    assert.ok(hostile.streams.size <= 1)
  })

test('a stream that breaks between two calls costs the next call nothing', async () => {
  await using hostile = await startHostileSse()
  await using desk = await startVirtualMcp({ sse: hostile.url }, { timeouts: TIMEOUTS })
  const client = await rawClient(desk, 'modern')
  for (let n = 0; n < 3; n++) {
    const { text } = await client.ask('tools/call', { name: 'echo', arguments: { word: `n${n}` } })
    assert.match(text, new RegExp(`n${n}`))
    hostile.cut()
    await eventually(() => hostile.streams.size === 0)
  }
})

/** Why each opening is refused; null where it is not. */
const OPENINGS: Readonly<Record<Opening, string | null>> = {
  honest: null,
  twice: null,
  elsewhere: 'it names an endpoint at another server, which is refused',
  other_port: 'it names an endpoint at another server, which is refused',
  other_scheme: 'it names an endpoint at another server, which is refused',
  with_password: 'it names an endpoint at another server, which is refused',
  no_url: 'it names an endpoint that is not a URL',
  none: 'it did not name the endpoint for requests in time',
  comments: 'it did not name the endpoint for requests in time',
  late: 'it did not name the endpoint for requests in time',
  too_long: 'one of its events is too long',
  ends: 'its stream has ended',
}

test('an origin whose stream names no endpoint of its own is refused, by probes and in calls', async (t) => {
  await using hostile = await startHostileSse()
  await using desk = await startVirtualMcp({ sse: hostile.url }, { timeouts: TIMEOUTS })
  const client = await rawClient(desk, 'modern')
  for (const [opening, expected] of Object.entries(OPENINGS))
    await t.test(opening, async () => {
      hostile.opening = opening as Opening
      hostile.cut()
      const { steps, found } = await desk.probe(hostile.url)
      assert.equal(steps.findLast(({ ok }) => !ok)?.error ?? null, expected)
      assert.equal(found === null, expected !== null)
      await eventually(() => hostile.streams.size === 0)
      desk.served.moveClock(60_000)
      const answer = await client.ask('tools/call', { name: 'echo', arguments: { word: 'x' } })
      if (expected === null) assert.match(answer.text, /\\"word\\":\\"x\\"/)
      else assert.ok(String(problemIn(answer)?.['detail']).includes(expected), answer.text)
      assert.ok(hostile.posts.every((path) => /^\/(sse|messages\?session=\d+)$/.test(path)))
    })
})

test('server-everything is used over HTTP+SSE', { skip: !IS_LONG }, async () => {
  await using server = await startEverything('sse')
  await using desk = await startVirtualMcp({ everything: server.url })
  for (const era of ERAS) {
    const client = await rawClient(desk, era)
    const answer = await client.ask('tools/call', { name: 'echo', arguments: { message: 'hello' } })
    assert.match(answer.text, /hello/)
  }
})
