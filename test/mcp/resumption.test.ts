import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, request as httpRequest } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { eventually } from '../support/eventually.ts'
import { type EventReader, readEvents } from './event-reader.ts'
import { type Fixture, startFixture } from './fixture/fixture.ts'
import { type LegacyOrigin, startLegacyOrigin } from './legacy.ts'
import { startVirtualMcp, type VirtualMcp } from './virtual-mcp.ts'

let fixture: Fixture
let legacy: LegacyOrigin
let desk: VirtualMcp

before(async () => {
  fixture = await startFixture({ eras: 'legacy' })
  legacy = await startLegacyOrigin()
  desk = await startVirtualMcp({ demo: fixture.url, old: legacy.url })
})
after(async () => {
  await desk[Symbol.asyncDispose]()
  await fixture[Symbol.asyncDispose]()
  await legacy[Symbol.asyncDispose]()
})

const VERSION = '2025-11-25'

function post(fields: Record<string, string>, message: object): Promise<EventReader> {
  return readEvents(desk.url, {
    method: 'POST',
    headers: { ...desk.headers, 'content-type': 'application/json', ...fields },
    body: JSON.stringify({ jsonrpc: '2.0', ...message }),
  })
}

async function openSession(headers: Record<string, string> = desk.headers): Promise<Record<string, string>> {
  const params = { protocolVersion: VERSION, capabilities: {}, clientInfo: { name: 'test', version: '1' } }
  const opened = await post(headers, { id: 0, method: 'initialize', params })
  await opened.leave()
  return {
    ...headers,
    'mcp-session-id': opened.headers.get('mcp-session-id')!,
    'mcp-protocol-version': VERSION,
  }
}

const call = (session: Record<string, string>, steps: number): Promise<EventReader> =>
  post(session, {
    id: 1,
    method: 'tools/call',
    params: { name: 'progress', arguments: { steps }, _meta: { progressToken: 'p' } },
  })

const resume = (session: Record<string, string>, lastEventId: string): Promise<EventReader> =>
  readEvents(desk.url, { method: 'GET', headers: { ...session, 'last-event-id': lastEventId } })

/** Progress that was heard, then `result` for the response. */
const heard = ({ events }: EventReader): unknown[] =>
  events
    .filter(({ data }) => data !== '')
    .map(({ data }) => JSON.parse(data))
    .map(({ params, result }) => params?.progress ?? (result === undefined ? 'error' : 'result'))

const upTo = (steps: number, from = 1): unknown[] => [
  ...Array.from({ length: steps - from + 1 }, (_, n) => from + n),
  'result',
]

describe('a client of 2025-11-25 whose connection breaks in a call', () => {
  test('is told first how to come back, and gets all that came meanwhile, once', async () => {
    const session = await openSession()
    const stream = await call(session, 100)
    await eventually(() => stream.events.length > 3)
    await stream.leave()
    const [first] = stream.events
    assert.equal(first?.data, '')
    assert.equal(first?.retry, 1000)
    assert.equal(new Set(stream.events.map(({ id }) => id)).size, stream.events.length)
    const seen = heard(stream).length
    const again = await resume(session, stream.events.at(-1)!.id)
    assert.equal(again.status, 200)
    await eventually(again.isEnded)
    assert.deepEqual(heard(again), upTo(100, seen + 1))
    const nothing = await resume(session, again.events.at(-1)!.id)
    await eventually(nothing.isEnded)
    assert.deepEqual([nothing.status, nothing.events], [200, []])
  })

  test('gets the answer of a call that has ended meanwhile, also what was lost on the way', async () => {
    const session = await openSession()
    const stream = await call(session, 5)
    await eventually(() => stream.events.length > 1)
    await stream.leave()
    const before = legacy.requests.length
    const other = await call(await openSession(), 20)
    await eventually(other.isEnded)
    assert.ok(legacy.requests.length > before)
    const again = await resume(session, stream.events[0]!.id)
    await eventually(again.isEnded)
    assert.deepEqual(heard(again), upTo(5))
  })

  test('is read by the last reader alone', async () => {
    const session = await openSession()
    const stream = await call(session, 100)
    await eventually(() => stream.events.length > 3)
    const { id } = stream.events[0]!
    const again = await resume(session, id)
    await eventually(stream.isEnded)
    assert.ok(!heard(stream).includes('result'))
    await eventually(again.isEnded)
    assert.deepEqual(heard(again), upTo(100))
  })

  test('cannot be taken for another: principal, session, id', async () => {
    const session = await openSession()
    const stream = await call(session, 400)
    await eventually(() => stream.events.length > 1)
    await stream.leave()
    const { id } = stream.events[0]!
    const foreign = await openSession(desk.otherHeaders)
    const elsewhere = await openSession()
    const [sealed] = id.split('.')
    for (const [who, lastEventId, status] of [
      [foreign, id, 400],
      [elsewhere, id, 400],
      [{ ...desk.headers, 'mcp-session-id': 'made-up' }, id, 404],
      [{ ...session, ...desk.otherHeaders }, id, 404],
      [session, 'made-up.0', 400],
      [session, `${sealed}`, 400],
      [session, `${sealed}.-1`, 400],
      [session, `${sealed}.99999`, 400],
      [session, `${sealed?.slice(0, -4)}AAAA.0`, 400],
      [session, '', 400],
    ] as const) {
      const refused = await resume(who, lastEventId)
      assert.equal(refused.status, status, lastEventId)
      await refused.leave()
    }
    const again = await resume(session, id)
    await eventually(again.isEnded)
    assert.deepEqual(heard(again), upTo(400))
  })

  test('hears of a call that says nothing how to come back, and cancels it all the same', async () => {
    const session = await openSession()
    const params = { name: 'slow', arguments: { ms: 60_000 } }
    const stream = await post(session, { id: 7, method: 'tools/call', params })
    assert.equal(stream.headers.get('content-type'), 'text/event-stream')
    await eventually(() => stream.events.length > 0)
    await stream.leave()
    const cancelled = { method: 'notifications/cancelled', params: { requestId: 7 } }
    await (await post(session, cancelled)).leave()
    await eventually(() => legacy.cancelled.includes('slow'))
    const again = await resume(session, stream.events[0]!.id)
    await eventually(again.isEnded)
    assert.deepEqual(heard(again), [])
  })

  test('is the SDK v1 client, which comes back by itself', async () => {
    await using proxy = await startBreakingProxy(desk.served.port)
    const client = new Client({ name: 'test', version: '1' })
    const transport = new StreamableHTTPClientTransport(new URL(`http://localhost:${proxy.port}/mcp/desk`), {
      requestInit: { headers: desk.headers },
      reconnectionOptions: {
        initialReconnectionDelay: 10,
        maxReconnectionDelay: 100,
        reconnectionDelayGrowFactor: 1,
        maxRetries: 5,
      },
    })
    await client.connect(transport as Parameters<typeof client.connect>[0])
    const progress: number[] = []
    const params = { name: 'progress', arguments: { steps: 50 } }
    const result = await client.callTool(params, undefined, {
      onprogress: ({ progress: one }) => progress.push(one),
    })
    assert.deepEqual(result['content'], [{ type: 'text', text: '50 steps' }])
    assert.deepEqual(progress, upTo(50).slice(0, -1))
    assert.ok(proxy.broken > 0)
    await client.close()
  })
})

test('a client of 2026-07-28, and one of an earlier revision, get no ids of events', async () => {
  const params = {
    name: 'progress',
    arguments: { steps: 3 },
    _meta: {
      progressToken: 'p',
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientCapabilities': {},
    },
  }
  const fields = {
    ...desk.headers,
    'mcp-protocol-version': '2026-07-28',
    'mcp-method': 'tools/call',
    'mcp-name': 'progress',
  }
  const modern = await post(fields, { id: 1, method: 'tools/call', params })
  const session = { ...(await openSession()), 'mcp-protocol-version': '2025-06-18' }
  const earlier = await call(session, 3)
  for (const stream of [modern, earlier]) {
    await eventually(stream.isEnded)
    assert.deepEqual(heard(stream), upTo(3))
    assert.deepEqual([...new Set(stream.events.map(({ id }) => id))], [''])
  }
})

test('the stream of an origin that closes before its answer is taken up again after the time that it asks for', async () => {
  const session = await openSession()
  fixture.forgetRequests()
  const stream = await post(session, {
    id: 1,
    method: 'tools/call',
    params: { name: 'test_reconnection', arguments: {} },
  })
  await eventually(stream.isEnded)
  assert.match(stream.text(), /Answered after the stream was closed/)
  // The other one is the stream of the session, which brings log messages
  const resumed = fixture.requests.filter(({ headers }) => headers['last-event-id'] !== undefined)
  assert.deepEqual(
    resumed.map(({ method }) => method),
    ['GET'],
  )
  assert.equal(fixture.requests.filter(({ rpcMethod }) => rpcMethod === 'tools/call').length, 1)
})

/** A byte proxy that breaks each stream of a call once, after its third event. */
async function startBreakingProxy(
  port: number,
): Promise<AsyncDisposable & { port: number; readonly broken: number }> {
  let broken = 0
  const http = createServer((incoming, outgoing) => {
    const { method = 'GET', url = '/', headers } = incoming
    const inner = httpRequest({ port, host: 'localhost', method, path: url, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode!, answer.headers)
      let events = 0
      answer.on('data', (piece: Buffer) => {
        events += piece.toString().split('\n\n').length - 1
        const isStream = answer.headers['content-type'] === 'text/event-stream'
        if (method !== 'POST' || !isStream || events < 3) return outgoing.write(piece)
        broken++
        inner.destroy()
        // A client without a head has no stream that could break
        outgoing.write(piece, () => outgoing.destroy())
      })
      answer.on('end', () => outgoing.end())
    })
    inner.on('error', () => outgoing.destroy())
    outgoing.on('close', () => inner.destroy())
    incoming.pipe(inner)
  })
  http.listen(0, 'localhost')
  await once(http, 'listening')
  return {
    port: (http.address() as AddressInfo).port,
    get broken() {
      return broken
    },
    async [Symbol.asyncDispose]() {
      http.closeAllConnections()
      http.close()
    },
  }
}
