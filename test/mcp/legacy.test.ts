import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
  LoggingMessageNotificationSchema,
  ResourceUpdatedNotificationSchema,
  ToolListChangedNotificationSchema,
} from '@modelcontextprotocol/sdk/types.js'
import { eventually } from '../support/eventually.ts'
import { CLIENT_INFO } from '../support/mcp-clients.ts'
import { type LegacyOptions, type LegacyOrigin, startLegacyOrigin } from './legacy.ts'
import { LEGACY_NOTE } from './legacy-server.ts'

const TRANSPORTS: Readonly<Record<string, LegacyOptions['transport'] & string>> = {
  'Streamable HTTP': 'http',
  'HTTP+SSE': 'sse',
}

async function connect(t: TestContext, origin: LegacyOrigin, transport: 'http' | 'sse'): Promise<Client> {
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
  const url = new URL(origin.url)
  const made = transport === 'sse' ? new SSEClientTransport(url) : new StreamableHTTPClientTransport(url)
  // The SDK declares its own transport with optional members that its interface has without
  await client.connect(made as Parameters<typeof client.connect>[0])
  // A client of a failed test would try for ever to open its stream again
  t.after(() => client.close())
  return client
}

const textOf = async (client: Client, name: string, args: Record<string, unknown> = {}): Promise<unknown> =>
  ((await client.callTool({ name, arguments: args })).content as { text?: string }[])[0]?.text

for (const [name, transport] of Object.entries(TRANSPORTS)) {
  test(`the server of SDK v1 has each flow of the legacy era over ${name}`, async (t) => {
    await using origin = await startLegacyOrigin({ transport })
    const client = await connect(t, origin, transport)
    const logged: unknown[] = []
    client.setNotificationHandler(
      LoggingMessageNotificationSchema,
      ({ params }) => void logged.push(params.level),
    )
    await client.setLoggingLevel('warning')
    assert.equal(await textOf(client, 'add', { a: 1, b: 2 }), '3')
    assert.equal(await textOf(client, 'elicit'), '{"action":"accept","content":{"colour":"red"}}')
    assert.equal(await textOf(client, 'elicit_url'), 'accept')
    assert.equal(await textOf(client, 'sample'), 'word')
    assert.equal(await textOf(client, 'roots'), '["file:///root"]')
    await assert.rejects(textOf(client, 'needs_url'), { code: -32_042 })
    await textOf(client, 'log', { line: 'x' })
    await eventually(() => logged.length === 1)
    const seen: number[] = []
    await client.callTool({ name: 'progress', arguments: { steps: 3 } }, undefined, {
      onprogress: ({ progress }) => void seen.push(progress),
    })
    assert.deepEqual([logged, seen], [['error'], [1, 2, 3]])
  })

  test(`the server of SDK v1 tells of changes over ${name}, and counts its sessions`, async (t) => {
    await using origin = await startLegacyOrigin({ transport })
    const client = await connect(t, origin, transport)
    const told: string[] = []
    client.setNotificationHandler(ToolListChangedNotificationSchema, () => void told.push('tools'))
    client.setNotificationHandler(
      ResourceUpdatedNotificationSchema,
      ({ params }) => void told.push(params.uri),
    )
    // The stream that notifications come on is opened after the answer to `initialize`
    await eventually(() => origin.requests.some(({ method }) => method === 'GET'))
    await client.subscribeResource({ uri: LEGACY_NOTE })
    origin.addTool('added')
    origin.touch(LEGACY_NOTE)
    await eventually(() => told.length === 2)
    assert.deepEqual(told, ['tools', LEGACY_NOTE])
    assert.equal(origin.sessions.size, 1)
    await client.close()
    if (transport === 'sse') await eventually(() => origin.sessions.size === 0)
    await origin.forgetSessions()
    assert.deepEqual([origin.sessions.size, origin.sessionsOpened], [0, 1])
  })
}

test('the server of SDK v1 offers prompts, completion, resources and a core task', async (t) => {
  await using origin = await startLegacyOrigin()
  const client = await connect(t, origin, 'http')
  const prompt = await client.getPrompt({ name: 'paint', arguments: { colour: 'red' } })
  assert.deepEqual(prompt.messages[0]?.content, { type: 'text', text: 'Paint it red' })
  const ref = { type: 'ref/prompt', name: 'paint' } as const
  const { completion } = await client.complete({ ref, argument: { name: 'colour', value: 'gr' } })
  assert.deepEqual(completion.values, ['green', 'grey'])
  const { contents } = await client.readResource({ uri: 'note://pages/4' })
  assert.deepEqual(contents, [{ uri: 'note://pages/4', text: 'page 4' }])
  const states: string[] = []
  for await (const message of client.experimental.tasks.callToolStream(
    { name: 'task', arguments: { word: 'it' } },
    undefined,
    { task: { ttl: 60_000 } },
  ))
    states.push(message.type)
  assert.deepEqual([states[0], states.at(-1)], ['taskCreated', 'result'])
})
