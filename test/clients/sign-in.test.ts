/** Clients of other projects are told one URL, find out how to sign in, and administer. */
import assert from 'node:assert/strict'
import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { startTestServer, type TestServer } from '../scenarios/server.ts'
import { choose, register } from '../support/authorization.ts'
import { Browser } from '../support/browser.ts'
import { ownPort } from '../support/ports.ts'
import { callOf, inspect, installInspector } from './inspector.ts'
import { connectRemote, installRemote, type Run } from './mcp-remote.ts'
import { type Home, type Installed, makeHome, scopesOf, WHY_NOT } from './programs.ts'

/** What a client asks for that goes by what it is told. */
const NARROW = 'management:read management:write offline_access'
/** What it asks for when a call takes more. */
const BROAD = 'management:read management:write management:admin offline_access'

const LIST = { action: 'list' }
const NOTHING = { items: [], next_cursor: null }

describe('clients that are installed', { skip: WHY_NOT }, () => {
  let server: TestServer
  let home: Home
  let inspector: Installed
  let remote: Installed
  before(async () => {
    home = makeHome()
    ;[inspector, remote] = await Promise.all([installInspector(home), installRemote(home)])
    server = await startTestServer()
    await choose(new Browser(server.running.origin), (await server.running.firstLink())!.url, {
      name: 'ann',
      email: 'ann@example.com',
    })
  })
  after(async () => {
    await server.stop()
    home[Symbol.dispose]()
  })
  const endpoint = (): string => `${server.running.origin}/management/mcp`

  /** Has MCP Inspector call a tool. */
  const call = (file: string, tool: string, values: object, flags: readonly string[], input = '') =>
    inspect(home, file, endpoint(), [...flags, ...callOf(tool, values)], input)
  /** A client that speaks to mcp-remote over stdio. */
  const connect = (file: string, how: Run) => connectRemote(home, file, endpoint(), how)

  for (const era of ['legacy', 'modern'])
    test(`MCP Inspector registers, signs in and calls a tool in the ${era} era, and again without a browser`, async (t) => {
      if ('why' in inspector) return t.skip(inspector.why)
      const flags = ['--protocol-era', era]
      const first = await call(inspector.file, 'manage_collections', LIST, ['--relogin', ...flags])
      const browsed = home.browsed()
      assert.equal(first.code, 0, `${first.err}\n${browsed}`)
      assert.deepEqual(JSON.parse(first.out).result.structuredContent, NOTHING)
      assert.deepEqual(scopesOf(browsed), [NARROW])

      const second = await call(inspector.file, 'manage_collections', LIST, flags)
      assert.equal(second.code, 0, second.err)
      assert.deepEqual(scopesOf(home.browsed()), [])
    })

  // Where it has registered itself it takes a renewed token of the same scopes for an error of its own
  test('MCP Inspector, as a client that is known already, is told all the scopes that a call takes', async (t) => {
    if ('why' in inspector) return t.skip(inspector.why)
    const id = await register(server.running.origin, { redirect_uris: ['http://127.0.0.1/oauth/callback'] })
    const flags = ['--relogin', '--client-id', id]
    const { code, out, err } = await call(inspector.file, 'manage_access', createRole('Reader'), flags, 'y\n')
    const browsed = home.browsed()
    assert.equal(code, 0, `${err}\n${browsed}`)
    assert.equal(JSON.parse(out).result.structuredContent.slug, 'reader')
    assert.deepEqual(scopesOf(browsed), [NARROW, BROAD])
  })

  test('mcp-remote registers and signs in for a client over stdio, and renews its token without a browser', async (t) => {
    if ('why' in remote) return t.skip(remote.why)
    const port = await ownPort()
    {
      await using peer = await connect(remote.file, { kept: 'person', port })
      assert.deepEqual(scopesOf(home.browsed()), [NARROW])
      const { tools } = await peer.client.listTools()
      assert.ok(tools.some(({ name }) => name === 'manage_collections'))
      assert.deepEqual(await peer.call('manage_collections', LIST), NOTHING)
    }
    const [file] = globSync(join(home.directory, 'person/*/*_tokens.json'))
    const tokens = JSON.parse(readFileSync(file!, 'utf8'))
    writeFileSync(file!, JSON.stringify({ ...tokens, access_token: 'has-ended' }))
    await using again = await connect(remote.file, { kept: 'person', port })
    assert.deepEqual(await again.call('manage_collections', LIST), NOTHING)
    assert.deepEqual(scopesOf(home.browsed()), [])
    assert.notEqual(JSON.parse(readFileSync(file!, 'utf8')).refresh_token, tokens.refresh_token)
  })

  test('mcp-remote is told all the scopes that a call takes, in the middle of a session', async (t) => {
    if ('why' in remote) return t.skip(remote.why)
    await using peer = await connect(remote.file, { kept: 'narrow', port: await ownPort() })
    assert.equal((await peer.call('manage_access', createRole('Writer')))['slug'], 'writer')
    assert.deepEqual(scopesOf(home.browsed()), [NARROW, BROAD])
  })

  test('mcp-remote comes as a service identity with its secret', async (t) => {
    if ('why' in remote) return t.skip(remote.why)
    const { manage } = server
    await manage('POST', '/service_identities', { name: 'Pipeline', slug: 'pipeline' })
    await manage('POST', '/grants', { name: 'Pipeline', service_identity: 'pipeline', role: 'viewer' })
    const { json } = await manage('POST', '/service_identities/pipeline/issue_secret', {})
    const known = `{ "client_id": "pipeline", "client_secret": "\${SECRET}" }`
    const flags = ['--client-credentials', '--protocol', 'auto', '--static-oauth-client-info', known]
    const env = { SECRET: json.client_secret }
    await using peer = await connect(remote.file, { kept: 'service', port: await ownPort(), flags, env })
    assert.deepEqual(await peer.call('manage_collections', LIST), NOTHING)
    assert.deepEqual(scopesOf(home.browsed()), [])
    const { json: trail } = await manage('GET', '/audit?operation=oauth.issue_token')
    assert.deepEqual([trail.items[0].actor.type, trail.items[0].actor.name], ['service', 'pipeline'])
  })
})

const createRole = (name: string) => ({ action: 'create_role', name, permissions: ['proxies:read'] })
