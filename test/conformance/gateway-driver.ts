/**
 * Postern as a client, for the client side of the conformance suite: the URL of a scenario becomes an origin, and a client of the
 * official SDK uses all that a virtual MCP in front of it offers.
 */
import { startTestServer } from '../scenarios/server.ts'
import { drive } from './client-driver.ts'

const url = process.argv.at(-1)!
await using server = await startTestServer()

async function made(path: string, body: object): Promise<{ readonly token?: string }> {
  const reply = await server.manage('POST', path, body)
  if (reply.status !== 201) throw new Error(`${path}: ${reply.text}`)
  return reply.json
}

await made('/origins', { name: 'Scenario', slug: 'scenario', url })
await made('/virtual_mcps', {
  name: 'Desk',
  slug: 'desk',
  members: [{ origin: 'scenario' }],
  status: 'published',
})
const profiles = [{ name: 'Key', slug: 'key', auth: { type: 'token' } }]
await made('/clients', { name: 'Driver', slug: 'driver', virtual_mcps: ['desk'], profiles: [] })
const { token } = await made('/profiles', { client: 'driver', ...profiles[0]! })
await drive(`${server.running.gatewayUrl}/mcp/desk`, { headers: { authorization: `Bearer ${token}` } })
