import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type EventReader, readEvents } from '../mcp/event-reader.ts'
import { type LegacyOrigin, startLegacyOrigin } from '../mcp/legacy.ts'
import { eventually } from '../support/eventually.ts'
import { publishOrders, startTestServer, type TestServer } from './server.ts'
import { startUpstream, type TestUpstream } from './upstream.ts'

/** So many clients that both threads get some, at each of their requests. */
const CLIENTS = 12
const STEPS = 60

let server: TestServer
let upstream: TestUpstream
let origin: LegacyOrigin
/** A client each. Postern remembers few streams of one client that were written to their end. */
let tokens: readonly string[]

before(async () => {
  upstream = await startUpstream()
  origin = await startLegacyOrigin()
  server = await startTestServer({ workers: 2 })
  await publishOrders(server, upstream.url)
  for (const [path, body] of [
    ['/origins', { name: 'Old', slug: 'old', url: origin.url }],
    ['/virtual_mcps', { name: 'Desk', slug: 'desk', status: 'published', members: [{ origin: 'old' }] }],
  ] as const) {
    const made = await server.manage('POST', path, body)
    assert.equal(made.status, 201, made.text)
  }
  tokens = await Promise.all(
    Array.from({ length: CLIENTS }, async (_, n) => {
      const profiles = [{ name: 'Live', auth: { type: 'token' } }]
      const made = await server.manage('POST', '/clients', {
        name: `C${n}`,
        virtual_mcps: ['desk'],
        profiles,
      })
      assert.equal(made.status, 201, made.text)
      return made.json.profiles[0].token
    }),
  )
})
after(async () => {
  await server?.stop()
  await origin?.[Symbol.asyncDispose]()
  await upstream?.[Symbol.asyncDispose]()
})

const post = (fields: Record<string, string>, message: object): Promise<EventReader> =>
  readEvents(`${server.running.gatewayUrl}/mcp/desk`, {
    method: 'POST',
    headers: { connection: 'close', 'content-type': 'application/json', ...fields },
    body: JSON.stringify({ jsonrpc: '2.0', ...message }),
  })

/** The response to one message. */
async function said(fields: Record<string, string>, message: object) {
  const answer = await post(fields, message)
  await eventually(answer.isEnded)
  const last = answer.events.at(-1)?.data ?? answer.text()
  return { headers: answer.headers, ...JSON.parse(last) }
}

async function openSession(token: string): Promise<Record<string, string>> {
  const authorization = `Bearer ${token}`
  const protocolVersion = '2025-11-25'
  const params = { protocolVersion, capabilities: {}, clientInfo: { name: 'test', version: '1' } }
  const opened = await said({ authorization }, { id: 0, method: 'initialize', params })
  return {
    authorization,
    'mcp-session-id': opened.headers.get('mcp-session-id'),
    'mcp-protocol-version': protocolVersion,
  }
}

async function clients(work: (session: Record<string, string>) => Promise<void>): Promise<void> {
  await Promise.all(tokens.map(async (token) => work(await openSession(token))))
}

test('a stream is resumed by a request that comes to another thread', async () => {
  await clients(async (session) => {
    const params = { name: 'progress', arguments: { steps: STEPS }, _meta: { progressToken: 'p' } }
    const stream = await post(session, { id: 1, method: 'tools/call', params })
    await eventually(() => stream.events.length > 2)
    await stream.leave()
    const all = stream.events.filter(({ data }) => data !== '')
    let lastEventId = stream.events.at(-1)!.id
    // Several times, so that a client meets both threads
    while (!all.some(({ data }) => data.includes('result'))) {
      const again = await readEvents(`${server.running.gatewayUrl}/mcp/desk`, {
        method: 'GET',
        headers: { connection: 'close', ...session, 'last-event-id': lastEventId },
      })
      assert.equal(again.status, 200, again.text())
      await eventually(() => again.events.length > 4 || again.isEnded())
      await again.leave()
      all.push(...again.events)
      lastEventId = all.at(-1)!.id
    }
    const messages = all.map(({ data }) => JSON.parse(data))
    const steps = messages.map(({ params: told, id }) => told?.progress ?? `answer ${id}`)
    assert.deepEqual(steps, [...Array.from({ length: STEPS }, (_, n) => n + 1), 'answer 1'])
  })
})

test('a task is asked for at any thread', async () => {
  await clients(async (session) => {
    const params = { name: 'job', arguments: { word: 'it' }, task: {} }
    const { result } = await said(session, { id: 1, method: 'tools/call', params })
    const { taskId } = result.task
    for (let id = 2; id < 6; id++) {
      const got = await said(session, { id, method: 'tasks/get', params: { taskId } })
      assert.equal(got.result?.taskId, taskId, JSON.stringify(got))
    }
    const ended = await said(session, { id: 9, method: 'tasks/result', params: { taskId } })
    assert.equal(ended.result.content[0].text, 'did it, was told nothing')
  })
})
