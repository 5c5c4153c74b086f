/** Clients of other projects at a virtual MCP, each with the token of a profile: they list and call, until they lose the right. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'
import { type Fixture, startFixture } from '../mcp/fixture/fixture.ts'
import { startTestServer, type TestServer } from '../scenarios/server.ts'
import { type Ended, type Home, type Installed, makeHome, run, WHY_NOT } from './programs.ts'

/** For each step of a client, on a machine that does other things as well: milliseconds. */
const PATIENCE_MS = 60_000

describe('clients that are installed, at a virtual MCP', { skip: WHY_NOT }, () => {
  let fixture: Fixture
  let server: TestServer
  let home: Home
  let inspector: Installed
  let remote: Installed
  let mastra: Installed
  let token: string
  before(async () => {
    home = makeHome()
    ;[inspector, remote, mastra] = await Promise.all([
      home.install('@modelcontextprotocol/inspector', '2.12.0', 'clients/launcher/build/index.js'),
      home.install('mcp-remote', '0.15.1', 'dist/proxy.js'),
      home.install('@mastra/mcp', '2.0.0', 'package.json'),
    ])
    fixture = await startFixture()
    server = await startTestServer({ workers: 2 })
    await made('/origins', { name: 'demo', url: fixture.url })
    await made('/virtual_mcps', { name: 'Desk', members: [{ origin: 'demo' }], status: 'published' })
    await made('/clients', { name: 'acme', virtual_mcps: ['desk'], profiles: [] })
    token = (await made('/profiles', { client: 'acme', name: 'Key', auth: { type: 'token' } })).token!
  })
  after(async () => {
    await server.stop()
    await fixture[Symbol.asyncDispose]()
    home[Symbol.dispose]()
  })
  const endpoint = (): string => `${server.running.gatewayUrl}/mcp/desk`

  async function made(path: string, body: object): Promise<{ readonly token?: string }> {
    const reply = await server.manage('POST', path, body)
    assert.equal(reply.status, 201, reply.text)
    return reply.json
  }

  /** Runs `use` while the client may not call the virtual MCP. */
  async function withoutRight(use: () => Promise<void>): Promise<void> {
    await server.manage('PATCH', '/clients/acme', { virtual_mcps: [] })
    try {
      await use()
    } finally {
      await server.manage('PATCH', '/clients/acme', { virtual_mcps: ['desk'] })
    }
  }

  for (const era of ['legacy', 'modern'])
    test(`MCP Inspector lists and calls tools in the ${era} era, and is refused without the right`, async (t) => {
      if ('why' in inspector) return t.skip(inspector.why)
      const { file } = inspector
      const inspect = (...asked: string[]): Promise<Ended> =>
        run(
          process.execPath,
          [
            file,
            ...['--cli', endpoint(), '--transport', 'http', '--format', 'json', '--protocol-era', era],
            ...['--header', `Authorization: Bearer ${token}`, '--connect-timeout', String(PATIENCE_MS)],
            ...asked,
          ],
          { env: home.env, timeout: 2 * PATIENCE_MS },
        )
      const listed = await inspect('--method', 'tools/list')
      assert.equal(listed.code, 0, listed.err)
      assert.match(listed.out, /"test_simple_text"/)
      const call = ['--method', 'tools/call', '--tool-name', 'test_simple_text']
      const called = await inspect(...call)
      assert.equal(called.code, 0, called.err)
      assert.match(called.out, /simple text/)
      await withoutRight(async () => assert.notEqual((await inspect(...call)).code, 0))
    })

  test('mcp-remote carries a client over stdio, which is refused once it has lost the right', async (t) => {
    if ('why' in remote) return t.skip(remote.why)
    const client = new Client({ name: 'over-stdio', version: '1.0.0' })
    const args = [remote.file, endpoint(), '--transport', 'http-only', '--allow-http']
    args.push('--header', `Authorization: Bearer ${token}`)
    await client.connect(
      new StdioClientTransport({ command: process.execPath, args, env: { ...home.env }, stderr: 'ignore' }),
    )
    try {
      const { tools } = await client.listTools()
      assert.ok(tools.some(({ name }) => name === 'test_simple_text'))
      const ask = () => client.callTool({ name: 'test_simple_text' }, undefined, { timeout: 5000 })
      assert.match(JSON.stringify(await ask()), /simple text/)
      await withoutRight(() => assert.rejects(ask()))
    } finally {
      await client.close()
    }
  })

  test('Mastra lists and calls tools, and is refused once it has lost the right', async (t) => {
    if ('why' in mastra) return t.skip(mastra.why)
    const program = join(mastra.file, '../../../../mastra.mjs')
    writeFileSync(program, MASTRA)
    const env = { ...home.env, URL_OF_MCP: endpoint(), TOKEN: token }
    const ask = (): Promise<Ended> => run(process.execPath, [program], { env, timeout: PATIENCE_MS })
    const called = await ask()
    assert.equal(called.code, 0, called.err)
    assert.match(called.out, /simple text/)
    await withoutRight(async () => assert.doesNotMatch((await ask()).out, /simple text/))
  })
})

/** A program of Mastra that calls one tool. */
const MASTRA = `
import { MCPClient } from '@mastra/mcp'
const requestInit = { headers: { Authorization: 'Bearer ' + process.env.TOKEN } }
const client = new MCPClient({ servers: { desk: { url: new URL(process.env.URL_OF_MCP), requestInit } } })
const tools = await client.listTools()
const tool = tools['desk_test_simple_text']
console.log(JSON.stringify(await tool.execute({}, {})))
await client.disconnect()
`
