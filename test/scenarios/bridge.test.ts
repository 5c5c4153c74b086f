import assert from 'node:assert/strict'
import { resolve } from 'node:path'
import { after, before, test } from 'node:test'
import { Client as ModernClient } from '@modelcontextprotocol/client'
import { StdioClientTransport as ModernStdio } from '@modelcontextprotocol/client/stdio'
import { Client as LegacyClient } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport as LegacyStdio } from '@modelcontextprotocol/sdk/client/stdio.js'
import { type CallResult, CLIENT_INFO } from '../support/mcp-clients.ts'
import { publishOrders, startTestServer, type TestServer } from './server.ts'
import { startUpstream } from './upstream.ts'

const MAIN = resolve(import.meta.dirname, '../../postern.js')

let server: TestServer
let upstream: Awaited<ReturnType<typeof startUpstream>>
let token: string
before(async () => {
  server = await startTestServer()
  upstream = await startUpstream()
  token = await publishOrders(server, upstream.url)
})
after(async () => {
  await server.stop()
  await upstream.close()
})

function program(args: readonly string[], env: Record<string, string> = {}) {
  return {
    command: process.execPath,
    args: ['--disable-warning=ExperimentalWarning', MAIN, 'mcp', ...args, '--data', server.data],
    env: { PATH: process.env['PATH'] ?? '', ...env },
  }
}

test('a client with a handshake administers over standard input and output', async () => {
  const client = new LegacyClient(CLIENT_INFO)
  await client.connect(new LegacyStdio(program([])))
  const { tools } = await client.listTools()
  assert.ok(tools.some(({ name }) => name === 'manage_collections'))
  const args = { action: 'get', id: 'orders' }
  const got = (await client.callTool({ name: 'manage_collections', arguments: args })) as CallResult
  assert.equal(got.structuredContent?.['slug'], 'orders')
  await client.close()
})

test('a client without a handshake calls a published API with the token of a profile', async () => {
  const client = new ModernClient(CLIENT_INFO, { versionNegotiation: { mode: { pin: '2026-07-28' } } })
  await client.connect(
    new ModernStdio(
      program(['--gateway', '--client', 'acme', '--profile', 'sandbox'], { POSTERN_TOKEN: token }),
    ),
  )
  const called = (await client.callTool({
    name: 'execute_call',
    arguments: { endpoint: 'GET /orders/v1/orders/{id}', params: { path: { id: '7' } } },
  })) as CallResult
  assert.equal(called.isError, false, JSON.stringify(called))
  assert.equal(upstream.seen.at(-1)?.url, '/v1/orders/7')
  await client.close()
})
