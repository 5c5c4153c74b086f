import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { Client } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { IS_LONG } from '../support/long.ts'
import { CLIENT_INFO, PEERS } from '../support/mcp-clients.ts'
import { aiSdkPeer } from './ai-sdk.ts'
import { startFixture } from './fixture/fixture.ts'
import { startLegacyOrigin } from './legacy.ts'
import { STDIO_SERVERS, startEverything } from './real-servers.ts'

test('the client of the AI SDK uses the fixture', async () => {
  await using fixture = await startFixture()
  const peer = await aiSdkPeer(fixture.url, { authorization: 'Bearer secret' })
  assert.ok((await peer.tools()).some(({ name }) => name === 'test_echo'))
  assert.equal((await peer.call('test_echo', { a: 1 })).content[0]?.text, '{"a":1}')
  assert.match(await peer.prompt('test_simple_prompt', {}), /simple prompt/)
  assert.match(await peer.read('test://static-text'), /static text/)
  await peer.close()
})

test('the client of the AI SDK uses a server of HTTP+SSE', async () => {
  await using origin = await startLegacyOrigin({ transport: 'sse' })
  const peer = await aiSdkPeer(origin.url, {}, 'sse')
  assert.equal((await peer.call('add', { a: 1, b: 2 })).content[0]?.text, '3')
  await peer.close()
})

const SKIPPED = IS_LONG ? false : 'they start programs of other projects: npm run test:all'

describe('servers of other projects', { skip: SKIPPED }, () => {
  test('server-everything answers over Streamable HTTP', async () => {
    await using server = await startEverything()
    const peer = await PEERS['SDK v1']!(server.url, {})
    const { content } = await peer.call('echo', { message: 'hello' })
    assert.match(content[0]?.text ?? '', /hello/)
    await peer.close()
  })

  test('server-everything answers over HTTP+SSE', async () => {
    await using server = await startEverything('sse')
    const peer = await aiSdkPeer(server.url, {}, 'sse')
    assert.match((await peer.call('echo', { message: 'hello' })).content[0]?.text ?? '', /hello/)
    await peer.close()
  })

  const CALLS = {
    everything: { name: 'echo', arguments: { message: 'hello' } },
    filesystem: { name: 'list_allowed_directories', arguments: {} },
    memory: { name: 'read_graph', arguments: {} },
  }
  for (const name of ['everything', 'filesystem', 'memory'] as const)
    test(`server-${name} answers over stdio`, async (t) => {
      const directory = mkdtempSync(join(tmpdir(), 'postern-stdio-'))
      t.after(() => rmSync(directory, { recursive: true, force: true }))
      writeFileSync(join(directory, 'a.txt'), 'content')
      const { command, args, env } = STDIO_SERVERS[name](directory)
      const client = new Client(CLIENT_INFO, {})
      await client.connect(
        new StdioClientTransport({ command, args: [...args], env: { ...env }, stderr: 'ignore' }),
      )
      const { content, isError } = await client.callTool(CALLS[name])
      assert.ok(!isError, JSON.stringify(content))
      await client.close()
    })
})
