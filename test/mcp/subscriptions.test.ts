import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { eventually } from '../support/eventually.ts'
import { type Fixture, startFixture } from './fixture/fixture.ts'
import { startVirtualMcp, type VirtualMcp } from './virtual-mcp.ts'

const WATCHED = 'test://watched-resource'
const META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
  'io.modelcontextprotocol/clientCapabilities': {},
}
const ONLY_ECHO = { origin: 'ori_demo', capability_policy: { tools: ['test_echo'] } }

let fixture: Fixture
let desk: VirtualMcp

before(async () => {
  fixture = await startFixture()
})
after(() => fixture[Symbol.asyncDispose]())

interface Open extends AsyncDisposable {
  readonly status: number
  readonly session: string | null
  /** Messages that have come so far. */
  readonly messages: readonly Record<string, unknown>[]
  readonly isEnded: () => boolean
}

/** A request whose answer is read as it comes. */
async function open(method: string, headers: Record<string, string>, body?: object): Promise<Open> {
  const leaving = new AbortController()
  const response = await fetch(desk.url, {
    method,
    headers: {
      ...desk.headers,
      accept: 'application/json, text/event-stream',
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    signal: leaving.signal,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const messages: Record<string, unknown>[] = []
  let ended = false
  let text = ''
  const read = async (): Promise<void> => {
    for await (const piece of response.body!.pipeThrough(new TextDecoderStream())) {
      text += piece
      for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
        const data = /^data: (.*)$/m.exec(text.slice(0, end))?.[1]
        if (data !== undefined) messages.push(JSON.parse(data) as Record<string, unknown>)
        text = text.slice(end + 2)
      }
    }
    ended = true
  }
  const reading = read().catch(() => {})
  return {
    status: response.status,
    session: response.headers.get('mcp-session-id'),
    messages,
    isEnded: () => ended,
    async [Symbol.asyncDispose]() {
      leaving.abort()
      await reading
    },
  }
}

const listen = (notifications: object): Promise<Open> =>
  open(
    'POST',
    { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'subscriptions/listen' },
    {
      jsonrpc: '2.0',
      id: 'listen-1',
      method: 'subscriptions/listen',
      params: { notifications, _meta: META },
    },
  )

async function openSession(): Promise<Record<string, string>> {
  const params = {
    protocolVersion: '2025-11-25',
    capabilities: {},
    clientInfo: { name: 'test', version: '1' },
  }
  await using answer = await open('POST', {}, { jsonrpc: '2.0', id: 1, method: 'initialize', params })
  return { 'mcp-session-id': answer.session!, 'mcp-protocol-version': '2025-11-25' }
}

const methodsOf = ({ messages }: Open): unknown[] => messages.map(({ method }) => method)
const seen = (stream: Open, method: string): Promise<void> =>
  eventually(
    () => methodsOf(stream).includes(method),
    () => `${method} among ${JSON.stringify(stream.messages)}`,
  )

test('a listen of 2026-07-28 hears of changed lists and resources, with its id on each message', async () => {
  desk = await startVirtualMcp({ demo: fixture.url })
  await using _ = desk
  await using stream = await listen({
    toolsListChanged: true,
    resourceSubscriptions: [WATCHED],
  })
  await seen(stream, 'notifications/subscriptions/acknowledged')
  const honoured = { toolsListChanged: true, resourceSubscriptions: [WATCHED] }
  assert.deepEqual((stream.messages[0]!['params'] as Record<string, unknown>)['notifications'], honoured)
  await eventually(
    () => fixture.listens > 0,
    () => 'the origin is listened to',
  )
  fixture.catalogue.touch(WATCHED)
  await seen(stream, 'notifications/resources/updated')
  desk.publish({ members: [ONLY_ECHO] })
  await seen(stream, 'notifications/tools/list_changed')
  for (const { params } of stream.messages)
    assert.equal(
      ((params as Record<string, unknown>)['_meta'] as Record<string, unknown>)[
        'io.modelcontextprotocol/subscriptionId'
      ],
      'listen-1',
    )
})

test('a listen hears nothing of lists that its caller sees as before', async () => {
  desk = await startVirtualMcp({ demo: fixture.url })
  await using _ = desk
  await using stream = await listen({ toolsListChanged: true, promptsListChanged: true })
  await seen(stream, 'notifications/subscriptions/acknowledged')
  desk.publish({ description: 'Something else' })
  desk.publish({ members: [ONLY_ECHO] })
  await seen(stream, 'notifications/tools/list_changed')
  assert.deepEqual(methodsOf(stream), [
    'notifications/subscriptions/acknowledged',
    'notifications/tools/list_changed',
  ])
})

test('a listen ends when its client may no longer call the virtual MCP', async () => {
  desk = await startVirtualMcp({ demo: fixture.url })
  await using _ = desk
  await using stream = await listen({ toolsListChanged: true })
  await seen(stream, 'notifications/subscriptions/acknowledged')
  desk.unassign()
  await eventually(
    () => stream.isEnded(),
    () => 'the end of the stream',
  )
  assert.equal(stream.messages.at(-1)?.['id'], 'listen-1')
})

test('a session of 2025-11-25 hears on its stream of changed lists, and of the resources that it has subscribed to', async () => {
  desk = await startVirtualMcp({ demo: fixture.url })
  await using _ = desk
  const session = await openSession()
  await using stream = await open('GET', session)
  assert.equal(stream.status, 200)
  const params = { uri: WATCHED }
  await using answer = await open('POST', session, {
    jsonrpc: '2.0',
    id: 2,
    method: 'resources/subscribe',
    params,
  })
  assert.equal(answer.status, 200)
  await eventually(
    () => fixture.listens > 0,
    () => 'the origin is listened to',
  )
  fixture.catalogue.touch(WATCHED)
  await seen(stream, 'notifications/resources/updated')
  desk.publish({ members: [ONLY_ECHO] })
  await seen(stream, 'notifications/tools/list_changed')
})

test('the stream of a session needs the session, and a client that reads streams', async () => {
  desk = await startVirtualMcp({ demo: fixture.url })
  await using _ = desk
  await using without = await open('GET', {})
  assert.equal(without.status, 400)
  await using unable = await open('GET', { ...(await openSession()), accept: 'application/json' })
  assert.equal(unable.status, 406)
})
