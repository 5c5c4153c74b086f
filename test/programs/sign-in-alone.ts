/**
 * Sign-ins at a virtual MCP with the clients that the arguments name: URLs of client metadata documents, or `registered`. Prints, as JSON, the
 * network interfaces that there are, for each client how many tools it lists or what the person reads instead, and the log.
 */
import { networkInterfaces } from 'node:os'
import { startLegacyOrigin } from '../mcp/legacy.ts'
import { startTestServer } from '../scenarios/server.ts'
import { choose } from '../support/authorization.ts'
import { Browser } from '../support/browser.ts'
import { authorize, message, type SignInOptions, signIn } from '../support/sign-in.ts'

const redirect = 'http://localhost:61010/callback'
const origin = await startLegacyOrigin()
const server = await startTestServer()
const base = server.running.gatewayUrl.replace('127.0.0.1', 'localhost')
const ann = { name: 'ann', email: 'ann@example.com' }
await choose(new Browser(server.running.origin), (await server.running.firstLink())!.url, ann)
await server.manage('POST', '/origins', { name: 'Old', slug: 'old', url: origin.url })
const members = [{ origin: 'old' }]
await server.manage('POST', '/virtual_mcps', {
  ...{ name: 'Desk', slug: 'desk', status: 'published', all_users: true, members },
})

async function outcomeOf(client: string): Promise<number | string> {
  const options: SignInOptions = client === 'registered' ? {} : { clientId: client, redirect }
  const { page } = await authorize(`${base}/mcp/desk`, 'ann', options)
  if (page.status >= 400) return page.text.replace(/<[^>]*>/g, ' ')
  const { accessToken } = await signIn(`${base}/mcp/desk`, 'ann', options)
  const { json } = await message(`${base}/mcp/desk`, accessToken, 'tools/list')
  return json.result.tools.length
}

const outcomes: Record<string, number | string> = {}
for (const client of process.argv.slice(2)) outcomes[client] = await outcomeOf(client)
console.log(JSON.stringify({ interfaces: Object.keys(networkInterfaces()), outcomes, log: server.log }))
await server.stop()
await origin[Symbol.asyncDispose]()
