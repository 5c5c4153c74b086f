/** Servers of an earlier era that ask their client on the stream of the session, and not on that of the call. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type LegacyOrigin, startLegacyOrigin } from '../mcp/legacy.ts'
import { ATTENDED_PEERS, type Peer } from '../support/mcp-clients.ts'
import { startTestServer, type TestServer } from './server.ts'

let server: TestServer
let origin: LegacyOrigin
let token: string

before(async () => {
  origin = await startLegacyOrigin()
  server = await startTestServer({ workers: 2 })
  await made('/origins', { name: 'Forms', slug: 'forms', url: origin.url })
  await made('/virtual_mcps', { name: 'Desk', members: [{ origin: 'forms' }], status: 'published' })
  await made('/clients', { name: 'Acme', virtual_mcps: ['desk'], profiles: [] })
  token = (await made('/profiles', { client: 'acme', name: 'Key', auth: { type: 'token' } })).token!
})
after(async () => {
  await server?.stop()
  await origin?.[Symbol.asyncDispose]()
})

async function made(path: string, body: object): Promise<{ readonly token?: string }> {
  const reply = await server.manage('POST', path, body)
  assert.equal(reply.status, 201, reply.text)
  return reply.json
}

/** A person who answers each form with a colour. Each request takes a connection of its own, so that both threads get some. */
function person(era: keyof typeof ATTENDED_PEERS, colour: string): Promise<Peer> {
  const headers = { authorization: `Bearer ${token}`, connection: 'close' }
  return ATTENDED_PEERS[era]!(`${server.running.gatewayUrl}/mcp/desk`, headers, () => ({
    action: 'accept',
    content: { colour },
  }))
}

async function answered(client: Peer, colour: string): Promise<void> {
  const { content } = await client.call('elicit_apart', {})
  assert.deepEqual(JSON.parse(content[0]!.text!), { action: 'accept', content: { colour } })
}

for (const era of ['SDK v1', 'SDK v2, legacy era'])
  test(`${era}: a form on the stream of the session reaches the person, on whatever thread the call runs`, async () => {
    const client = await person(era, 'blue')
    for (let calls = 0; calls < 12; calls++) await answered(client, 'blue')
    await client.close()
  })

test('forms of several people at the same time reach each of them alone', async () => {
  const colours = Array.from({ length: 6 }, (_, n) => `colour ${n}`)
  const people = await Promise.all(colours.map((colour) => person('SDK v1', colour)))
  for (let round = 0; round < 3; round++)
    await Promise.all(people.map((client, n) => answered(client, colours[n]!)))
  for (const client of people) await client.close()
})
