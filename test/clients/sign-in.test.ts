/** Clients of other projects are told one URL, find out how to sign in, and administer. */
import assert from 'node:assert/strict'
import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'
import { startTestServer, type TestServer } from '../scenarios/server.ts'
import { choose, register } from '../support/authorization.ts'
import { Browser } from '../support/browser.ts'
import { ownPort } from '../support/ports.ts'
import { type Ended, type Home, type Installed, makeHome, run, scopesOf, WHY_NOT } from './programs.ts'

/** For each step of a client, on a machine that does other things as well: milliseconds. */
const PATIENCE_MS = 60_000
/** What a client asks for that goes by what it is told. */
const NARROW = 'management:read management:write offline_access'
/** What it asks for when a call takes more. */
const BROAD = 'management:read management:write management:admin offline_access'

/** A run of mcp-remote. */
interface Run {
  /** Its directory for what it keeps. */
  readonly kept: string
  /** Where it listens for the browser. */
  readonly port: number
  readonly flags?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

const LIST = { action: 'list' }
const NOTHING = { items: [], next_cursor: null }

describe('clients that are installed', { skip: WHY_NOT }, () => {
  let server: TestServer
  let home: Home
  let inspector: Installed
  let remote: Installed
  before(async () => {
    home = makeHome()
    ;[inspector, remote] = await Promise.all([
      home.install('@modelcontextprotocol/inspector', '2.12.0', 'clients/launcher/build/index.js'),
      home.install('mcp-remote', '0.15.1', 'dist/proxy.js'),
    ])
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

  /** Has MCP Inspector call a tool, on a callback port of its own. */
  async function inspect(
    file: string,
    tool: string,
    values: object,
    flags: readonly string[],
    input = '',
  ): Promise<Ended> {
    const args = [file, '--cli', endpoint(), '--transport', 'http', '--format', 'json', ...flags]
    args.push('--callback-url', `http://127.0.0.1:${await ownPort()}/oauth/callback`)
    args.push('--connect-timeout', String(PATIENCE_MS), '--method', 'tools/call')
    args.push('--tool-name', tool, '--tool-args-json', JSON.stringify(values))
    return run(process.execPath, args, { env: home.env, input, timeout: 2 * PATIENCE_MS })
  }

  for (const era of ['legacy', 'modern'])
    test(`MCP Inspector registers, signs in and calls a tool in the ${era} era, and again without a browser`, async (t) => {
      if ('why' in inspector) return t.skip(inspector.why)
      const flags = ['--protocol-era', era]
      const first = await inspect(inspector.file, 'manage_collections', LIST, ['--relogin', ...flags])
      const browsed = home.browsed()
      assert.equal(first.code, 0, `${first.err}\n${browsed}`)
      assert.deepEqual(JSON.parse(first.out).result.structuredContent, NOTHING)
      assert.deepEqual(scopesOf(browsed), [NARROW])

      const second = await inspect(inspector.file, 'manage_collections', LIST, flags)
      assert.equal(second.code, 0, second.err)
      assert.deepEqual(scopesOf(home.browsed()), [])
    })

  // Where it has registered itself it takes a renewed token of the same scopes for an error of its own
  test('MCP Inspector, as a client that is known already, is told all the scopes that a call takes', async (t) => {
    if ('why' in inspector) return t.skip(inspector.why)
    const id = await register(server.running.origin, { redirect_uris: ['http://127.0.0.1/oauth/callback'] })
    const flags = ['--relogin', '--client-id', id]
    const { code, out, err } = await inspect(
      inspector.file,
      'manage_access',
      createRole('Reader'),
      flags,
      'y\n',
    )
    const browsed = home.browsed()
    assert.equal(code, 0, `${err}\n${browsed}`)
    assert.equal(JSON.parse(out).result.structuredContent.slug, 'reader')
    assert.deepEqual(scopesOf(browsed), [NARROW, BROAD])
  })

  /** A client that speaks to mcp-remote over stdio. */
  async function connect(file: string, { kept, port, flags = [], env = {} }: Run) {
    const transport = new StdioClientTransport({
      command: process.execPath,
      args: [file, endpoint(), String(port), '--auth-timeout', '60', ...flags],
      env: { ...home.env, MCP_REMOTE_CONFIG_DIR: join(home.directory, kept), ...env },
      stderr: 'pipe',
    })
    let said = ''
    transport.stderr!.on('data', (piece: Buffer) => {
      said += piece.toString()
    })
    const client = new Client({ name: 'test-agent', version: '1' })
    // The SDK declares its own transport in a way that exactOptionalPropertyTypes rejects
    const connected = client.connect(transport as Parameters<typeof client.connect>[0], {
      timeout: PATIENCE_MS,
    })
    await connected.catch((error: unknown) => assert.fail(`${error}\n${said}\n${home.browsed()}`))
    const call = async (name: string, values: Record<string, unknown>) => {
      const asked = { name, arguments: values }
      const result = await client.callTool(asked, undefined, { timeout: PATIENCE_MS })
      return result.structuredContent as Record<string, unknown>
    }
    return { client, call, [Symbol.asyncDispose]: () => client.close() }
  }

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
