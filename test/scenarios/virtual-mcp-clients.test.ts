/** Clients of the official SDKs and of the AI SDK at a virtual MCP of a whole Postern: they list, call, are asked, and lose the right. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { aiSdkPeer } from '../mcp/ai-sdk.ts'
import { type Fixture, startFixture } from '../mcp/fixture/fixture.ts'
import { type AnswerForm, ATTENDED_PEERS, type Peer } from '../support/mcp-clients.ts'
import { startTestServer, type TestServer } from './server.ts'

let server: TestServer
const origins = new Map<string, Fixture>()

before(async () => {
  server = await startTestServer({ workers: 2 })
  for (const eras of ['modern', 'legacy'] as const) {
    const fixture = await startFixture({ eras })
    origins.set(eras, fixture)
    await made('/origins', { name: eras, url: fixture.url })
    await made('/virtual_mcps', { name: `Over ${eras}`, members: [{ origin: eras }], status: 'published' })
  }
})
after(async () => {
  await server.stop()
  for (const fixture of origins.values()) await fixture[Symbol.asyncDispose]()
})

async function made(path: string, body: object): Promise<{ readonly token?: string }> {
  const reply = await server.manage('POST', path, body)
  assert.equal(reply.status, 201, reply.text)
  return reply.json
}

/** A new client that may call the virtual MCP; gives its token. */
async function clientOf(name: string, virtualMcp: string): Promise<string> {
  await made('/clients', { name, slug: name, virtual_mcps: [virtualMcp], profiles: [] })
  const { token } = await made('/profiles', { client: name, name: 'Key', auth: { type: 'token' } })
  assert.ok(token !== undefined)
  return token
}

const accepts: AnswerForm = () => ({
  action: 'accept',
  content: { username: 'ann', email: 'ann@example.com' },
})
const textOf = ({ content }: Awaited<ReturnType<Peer['call']>>): string => content[0]?.text ?? ''

/** It works, and stops working with the next call once the virtual MCP is taken from the client. */
async function worksUntilTaken(client: Peer, name: string, isAsked: boolean): Promise<void> {
  const names = (await client.tools()).map((tool) => tool.name)
  assert.ok(names.includes('test_simple_text'), names.join())
  assert.match(textOf(await client.call('test_simple_text', {})), /simple text/)
  if (isAsked) {
    const asked = await client.call('test_elicitation', { message: 'Who are you?' })
    assert.match(textOf(asked), /ann@example\.com/)
  }
  const taken = await server.manage('PATCH', `/clients/${name}`, { virtual_mcps: [] })
  assert.equal(taken.status, 200, taken.text)
  await assert.rejects(client.call('test_simple_text', {}))
}

let number = 0
for (const eras of ['modern', 'legacy'])
  describe(`before an origin of the ${eras} era`, () => {
    for (const [peer, connect] of Object.entries(ATTENDED_PEERS))
      test(`${peer} lists, calls, answers a form, and is refused once it has lost the right`, async () => {
        const name = `client-${++number}`
        const token = await clientOf(name, `over-${eras}`)
        const url = `${server.running.gatewayUrl}/mcp/over-${eras}`
        const client = await connect(url, { authorization: `Bearer ${token}` }, accepts)
        await worksUntilTaken(client, name, true)
        await client.close().catch(() => {})
      })

    test('the client of the AI SDK lists, calls, and is refused once it has lost the right', async () => {
      const name = `client-${++number}`
      const token = await clientOf(name, `over-${eras}`)
      const url = `${server.running.gatewayUrl}/mcp/over-${eras}`
      const client = await aiSdkPeer(url, { authorization: `Bearer ${token}` }, 'http')
      await worksUntilTaken(client, name, false)
      await client.close().catch(() => {})
    })
  })
