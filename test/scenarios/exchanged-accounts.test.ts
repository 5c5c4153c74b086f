/** Origins that get a token for each person from the corporate sign-in, without asking the person. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { eventually } from '../support/eventually.ts'
import { ExchangingIssuer } from '../support/exchanging-issuer.ts'
import { resultOf } from '../support/guarded-origin.ts'
import { json, ScriptedServer } from '../support/scripted-as.ts'
import { message, signInAtProvider } from '../support/sign-in.ts'
import { startTestServer, type TestServer } from './server.ts'

let idp: ExchangingIssuer
let origin: ScriptedServer
let server: TestServer
let endpoint: string

/** An MCP server of 2025-06-18 for those who have a token of its authorization server. */
function guard(guarded: ScriptedServer): void {
  const challenged = `Bearer resource_metadata="${guarded.url}/.well-known/oauth-protected-resource/mcp"`
  guarded.acts.set('/mcp', (incoming, outgoing, body) => {
    const token = (incoming.headers.authorization ?? '').replace('Bearer ', '')
    const account = guarded.accessTokens.get(token)?.user
    if (account === undefined) return outgoing.writeHead(401, { 'www-authenticate': challenged }).end()
    if (incoming.method !== 'POST') return outgoing.writeHead(405).end()
    const { id, method = '' } = JSON.parse(body) as { id?: number; method?: string }
    if (id === undefined) return outgoing.writeHead(202).end()
    const result = resultOf(method, account, false)
    const came = result === null ? { error: { code: -32601, message: 'Method not found' } } : { result }
    return json(outgoing, 200, { jsonrpc: '2.0', id, ...came })
  })
  guarded.acts.set('/token', (_, outgoing, body) => {
    const form = new URLSearchParams(body)
    const user = idp.issued.get(form.get('assertion') ?? '')
    return user === undefined || form.get('client_id') !== 'manual-postern'
      ? json(outgoing, 400, { error: 'invalid_grant' })
      : json(outgoing, 200, guarded.issue({ user, resource: form.get('resource') }))
  })
}

/** Signs a person in at the provider, and allows the application. */
async function signIn(person: string): Promise<string> {
  idp.person = { sub: person, name: person, email: `${person}@example.com`, groups: [] }
  return (await signInAtProvider(endpoint)).accessToken
}

const whoami = (token: string) => message(endpoint, token, 'tools/call', { name: 'whoami' })

async function make(path: string, body: object): Promise<void> {
  const made = await server.manage('POST', path, body)
  assert.equal(made.status, 201, made.text)
}

before(async () => {
  idp = await new ExchangingIssuer().listen()
  origin = await new ScriptedServer().listen()
  guard(origin)
  server = await startTestServer({
    workers: 2,
    flags: [
      ['--oidc-issuer', idp.url],
      ['--oidc-client-id', 'postern'],
      ['--oidc-client-secret', 'secret'],
    ].flat(),
  })
  endpoint = `${server.running.gatewayUrl.replace('127.0.0.1', 'localhost')}/mcp/desk`
  const oauth = { client_id: 'manual-postern' }
  await make('/origins', { name: 'Desk', slug: 'desk', url: origin.mcp, auth_mode: 'id_jag', oauth })
  const virtual = { name: 'Desk', slug: 'desk', status: 'published', all_users: true }
  await make('/virtual_mcps', { ...virtual, members: [{ origin: 'desk' }] })
})
after(async () => {
  await server?.stop()
  await origin[Symbol.asyncDispose]()
  await idp[Symbol.asyncDispose]()
})

test('who signs in at the provider calls the origin as that person, and connects nothing', async () => {
  const ada = await signIn('ada')
  // The first person tells what the origin offers
  await eventually(async () => {
    const { json: listed } = await message(endpoint, ada, 'tools/list')
    return listed.result.tools.length === 1
  })
  const bob = await signIn('bob')
  for (const [person, token] of Object.entries({ ada, bob, again: ada })) {
    const { json: called, text } = await whoami(token)
    assert.equal(called.result?.content?.[0]?.text, person === 'again' ? 'ada' : person, text)
  }
})

test('an administrator switches the origin off for one person', async () => {
  const [ada, bob] = [await signIn('ada'), await signIn('bob')]
  const users = (await server.manage('GET', '/users?email=ada@example.com')).json.items
  const off = await server.manage('POST', '/connections/toggle', {
    ...{ origin: 'desk', user: users[0].slug, active: false },
  })
  assert.equal(off.status, 200, off.text)
  assert.equal((await whoami(ada)).json.result.isError, true)
  assert.equal((await whoami(bob)).json.result.content[0].text, 'bob')
})
