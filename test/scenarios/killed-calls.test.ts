/** Agents whose Postern is killed in the middle of a call: what they hold, such as a session, is good at the next process. */
import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { after, before, test } from 'node:test'
import { type Fixture, startFixture } from '../mcp/fixture/fixture.ts'
import { eventually } from '../support/eventually.ts'
import { PEERS, type Peer } from '../support/mcp-clients.ts'
import { ownPort } from '../support/ports.ts'
import { killNow, startUp, temporaryDirectory, type UpProcess } from './process.ts'
import { startTestServer } from './server.ts'

/** So that both threads have calls. */
const EACH = 2
const AGENTS = ['SDK v1', 'SDK v2, pinned to 2026-07-28']
const SLOW = { ms: 600_000 }

let data: string
let token: string
const origins: Fixture[] = []
const peers: Peer[] = []
let up: UpProcess | null = null

before(async () => {
  data = await temporaryDirectory()
  await using server = await startTestServer({ data })
  const made = async (path: string, body: object): Promise<{ readonly token?: string }> => {
    const reply = await server.manage('POST', path, body)
    assert.equal(reply.status, 201, reply.text)
    return reply.json
  }
  for (const eras of ['legacy', 'modern'] as const) {
    const origin = await startFixture({ eras })
    origins.push(origin)
    await made('/origins', { name: eras, url: origin.url })
    await made('/virtual_mcps', {
      name: `At ${eras}`,
      slug: eras,
      members: [{ origin: eras }],
      status: 'published',
    })
  }
  await made('/clients', { name: 'Acme', virtual_mcps: ['legacy', 'modern'], profiles: [] })
  token = (await made('/profiles', { client: 'acme', name: 'Key', auth: { type: 'token' } })).token!
})
after(async () => {
  // Their calls were lost with the process
  for (const peer of peers) await peer.close().catch(() => {})
  up?.child.kill('SIGTERM')
  await up?.ended
  for (const origin of origins) await origin[Symbol.asyncDispose]()
  if (data !== undefined) await rm(data, { recursive: true, force: true })
})

const callsAt = ({ requests }: Fixture): number =>
  requests.filter(({ rpcMethod, body }) => rpcMethod === 'tools/call' && body.includes('test_slow')).length

test('the next call of an agent works after a kill in the middle of a call, in the same session', async () => {
  const flags = ['--listen', `127.0.0.1:${await ownPort()}`, '--workers', '2']
  const first = await startUp(data, flags)
  up = first
  for (const slug of ['legacy', 'modern'])
    for (const name of AGENTS)
      for (let count = 0; count < EACH; count++)
        peers.push(
          await PEERS[name]!(`${first.gatewayUrl}/mcp/${slug}`, {
            authorization: `Bearer ${token}`,
            connection: 'close',
          }),
        )
  const lost = peers.map((peer) =>
    peer.call('test_slow', SLOW).then(
      () => 'answered',
      () => 'lost',
    ),
  )
  const expected = AGENTS.length * EACH
  await eventually(() => origins.every((origin) => callsAt(origin) === expected))
  await killNow(first)
  up = await startUp(data, flags)
  assert.equal(up.gatewayUrl, first.gatewayUrl)
  for (const peer of peers) {
    const { content } = await peer.call('test_simple_text', {})
    assert.equal(content[0]?.text, 'This is a simple text response for testing.')
  }
  for (const peer of peers) await peer.close()
  assert.ok(!(await Promise.all(lost)).includes('answered'))
})
