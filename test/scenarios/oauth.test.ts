import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { resolve } from 'node:path'
import { after, test } from 'node:test'
import { authorization, choose, consent, register, tokensFor } from '../support/authorization.ts'
import { AUTHORIZED_PEERS } from '../support/authorized-clients.ts'
import { Browser } from '../support/browser.ts'
import { runPage } from '../support/page.ts'
import { ownPort } from '../support/ports.ts'
import { startTestServer } from './server.ts'

const server = await startTestServer()
after(() => server.stop())
const { origin } = server.running
await choose(new Browser(origin), (await server.running.firstLink())!.url, {
  name: 'ann',
  email: 'ann@example.com',
})

for (const [path, body] of [
  ['/origins', { name: 'Notes', slug: 'notes', url: 'http://127.0.0.1:9/mcp', auth_mode: 'user_oauth' }],
  [
    '/virtual_mcps',
    { name: 'Desk', slug: 'desk', members: [{ origin: 'notes' }], status: 'published', all_users: true },
  ],
] as const) {
  const made = await server.manage('POST', path, body)
  assert.equal(made.status, 201, made.text)
}

const visit = async (url: URL): Promise<URL> => (await consent(new Browser(origin), url)).url

for (const [name, path] of [
  ['SDK v2, legacy era', '/management/mcp'],
  ['SDK v1', '/api/v1/mcp'],
] as const)
  test(`an MCP client that knows one URL signs in and calls tools: ${name} at ${path}`, async () => {
    const peer = await AUTHORIZED_PEERS[name].connect(origin + path, visit)
    const tools = await peer.tools()
    assert.ok(tools.some((tool) => tool.name === 'manage_collections'))
    const { structuredContent } = await peer.call('manage_collections', { action: 'list' })
    assert.deepEqual(structuredContent?.['items'], [])
    await peer.close()
  })

test('an SDK client whose token is too narrow asks for one with all the scopes that the call takes', async () => {
  const asked: string[] = []
  const peer = await AUTHORIZED_PEERS['SDK v2, legacy era'].connect(
    `${origin}/management/mcp`,
    async (url) => {
      asked.push(url.searchParams.get('scope') ?? '')
      return visit(url)
    },
  )
  const { structuredContent } = await peer.call('create_role', {
    name: 'Reader',
    permissions: ['proxies:read'],
  })
  assert.equal(structuredContent?.['slug'], 'reader')
  assert.deepEqual(asked, [
    'management:read management:write offline_access',
    'management:read management:write management:admin offline_access',
  ])
  await peer.close()
})

test('the page of the docs does what it shows', async () => {
  assert.equal(await runPage('oauth.md', server, { 'http://localhost:8080': origin }), 6)
})

test('a token for management opens no other surface', async () => {
  const client = await register(origin)
  const { access_token: token } = await tokensFor(origin, new Browser(origin), client)
  const statusAt = async (path: string): Promise<number> =>
    (await server.gateway('POST', path, { token, body: {} })).status
  assert.deepEqual([await statusAt('/mcp'), await statusAt('/management/v1/collections')], [401, 401])
  assert.notEqual(await statusAt('/management/mcp'), 401)
})

test('a redirect address that would lead elsewhere than it reads is refused', async () => {
  for (const redirect of ['https://p\u200bay.example/cb', 'https://p%61y.example/cb', 'http:127.0.0.1/cb']) {
    const { status, json } = await server.gateway('POST', '/oauth/register', {
      body: { client_name: 'Test', redirect_uris: [redirect] },
    })
    assert.deepEqual([status, json.error], [400, 'invalid_redirect_uri'], redirect)
  }
})

test('a registration with redirect addresses of 50 KB leaves a small audit entry', async () => {
  const redirects = Array.from({ length: 100 }, (_, i) => `http://127.0.0.1/${i}/${'a'.repeat(480)}`)
  const client = await register(origin, { redirect_uris: redirects })
  const { json } = await server.manage('GET', '/audit?operation=oauth.register_client')
  const entry = json.items.find(({ resource }: { resource: { id: string } }) => resource.id === client)
  assert.match(JSON.stringify(entry.diff), /… \(\d{5} characters\)/)
  assert.ok(JSON.stringify(entry).length < 3000, `${JSON.stringify(entry).length} characters`)
})

test('a browser comes to the pages through the gateway, whose headers alone are believed', async () => {
  const client = await register(origin)
  const { url } = authorization(origin, client)
  const answer = await fetch(url, {
    redirect: 'manual',
    headers: {
      'x-forwarded-host': 'evil.example',
      'x-forwarded-proto': 'https',
      'x-postern-peer': '6.6.6.6',
    },
  })
  assert.match(answer.headers.get('location')!, /^\/oauth\/interaction\//)
  const metadata = await fetch(`${origin}/.well-known/oauth-authorization-server`, {
    headers: { 'x-forwarded-host': 'evil.example' },
  })
  assert.doesNotMatch(await metadata.text(), /evil/)
})

for (const path of ['/management/mcp', '/mcp/desk'])
  test(`the conformance suite finds nothing wrong with the authorization server, with tokens for ${path}`, async () => {
    const port = await ownPort()
    const client = await register(origin, { redirect_uris: [`http://127.0.0.1:${port}/callback`] })
    const program = resolve(
      import.meta.dirname,
      '../../node_modules/@modelcontextprotocol/conformance/dist/index.js',
    )
    const flags = { url: origin, 'client-id': client, resource: origin + path, port: String(port) }
    const child = spawn(
      process.execPath,
      [program, 'authorization', ...Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value])],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    )
    let output = ''
    let isVisited = false
    const hear = (piece: Buffer): void => {
      output += piece.toString()
      const shown = /(https?:\/\/\S+\/oauth\/authorize\S+)\s/.exec(output)
      if (shown === null || isVisited) return
      isVisited = true
      consent(new Browser(origin), shown[1]!)
        .then(({ url }) => fetch(url))
        .catch((error: unknown) => child.kill() && assert.fail(String(error)))
    }
    child.stdout.on('data', hear)
    child.stderr.on('data', hear)
    const code = await new Promise((done) => child.on('close', done))
    assert.equal(code, 0, output)
    assert.match(output, /Total: [1-9] passed, 0 failed/)
  })
