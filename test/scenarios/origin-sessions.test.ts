import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Fixture, startFixture } from '../mcp/fixture/fixture.ts'
import { eventually } from '../support/eventually.ts'
import { PEERS } from '../support/mcp-clients.ts'
import { publishOrders, startTestServer, type TestServer } from './server.ts'
import { startUpstream, type TestUpstream } from './upstream.ts'

let server: TestServer
let upstream: TestUpstream
let origin: Fixture
let token: string

before(async () => {
  upstream = await startUpstream()
  origin = await startFixture({ eras: 'legacy' })
  server = await startTestServer({ workers: 2 })
  token = await publishOrders(server, upstream.url)
  for (const [path, body] of [
    ['/origins', { name: 'Fixture', slug: 'fixture', url: origin.url, sessions: 'shared' }],
    ['/virtual_mcps', { name: 'Desk', slug: 'desk', status: 'published', members: [{ origin: 'fixture' }] }],
  ] as const) {
    const made = await server.manage('POST', path, body)
    assert.equal(made.status, 201, made.text)
  }
  const assigned = await server.manage('PATCH', '/clients/acme', { virtual_mcps: ['desk'] })
  assert.equal(assigned.status, 200, assigned.text)
})
after(async () => {
  await server?.stop()
  await origin?.[Symbol.asyncDispose]()
  await upstream?.[Symbol.asyncDispose]()
})

/** Sessions in which tools were called; the stream on which Postern hears of changes has another one. */
const called = (): ReadonlySet<string> =>
  new Set(
    origin.requests
      .filter(({ rpcMethod }) => rpcMethod === 'tools/call')
      .map(({ headers }) => headers['mcp-session-id']!),
  )

/** Clients on connections of their own, so that both threads get some. */
async function echoes(count: number): Promise<void> {
  const url = `${server.running.gatewayUrl}/mcp/desk`
  await Promise.all(
    Array.from({ length: count }, async (_, n) => {
      const peer = await PEERS['SDK v1']!(url, { authorization: `Bearer ${token}`, connection: 'close' })
      const { content } = await peer.call('test_echo', { word: `word${n}` })
      assert.match(JSON.stringify(content), new RegExp(`\\bword${n}\\b`))
      await peer.close()
    }),
  )
}

test('two threads and many callers: one session, which outlives threads and changes of the configuration', async () => {
  await echoes(24)
  assert.equal(called().size, 1)
  const renamed = await server.manage('PATCH', '/origins/fixture', { name: 'Renamed', probe: false })
  assert.equal(renamed.status, 200, renamed.text)
  await echoes(8)
  for (const slot of [0, 1]) {
    await server.running.killThread(slot)
    await echoes(8)
  }
  assert.equal(called().size, 1)
})

test('clients that end their sessions end those at the origin at once, on whatever thread', async () => {
  const patched = await server.manage('PATCH', '/origins/fixture', { sessions: 'separate', probe: false })
  assert.equal(patched.status, 200, patched.text)
  const before = called()
  await echoes(8)
  const own = [...called()].filter((session) => !before.has(session))
  assert.equal(own.length, 8)
  await eventually(() => own.every((session) => !origin.sessions.has(session)))
  const shared = await server.manage('PATCH', '/origins/fixture', { sessions: 'shared', probe: false })
  assert.equal(shared.status, 200, shared.text)
  await echoes(1)
})

test('a stop ends the session', async () => {
  const isOpen = (): boolean => [...called()].some((session) => origin.sessions.has(session))
  assert.equal(isOpen(), true)
  await server.stop()
  await eventually(() => !isOpen())
})
