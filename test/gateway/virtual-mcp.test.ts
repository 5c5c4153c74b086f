import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startVirtualMcp, type VirtualMcp } from '../mcp/virtual-mcp.ts'
import { PEERS } from '../support/mcp-clients.ts'
import { type SdkServer, startSdkServer } from '../support/mcp-server.ts'
import { ask } from './serve.ts'

let desk: VirtualMcp
let sums: SdkServer

before(async () => {
  sums = await startSdkServer()
  desk = await startVirtualMcp({ sums: sums.url })
})
after(async () => {
  await desk[Symbol.asyncDispose]()
  await sums[Symbol.asyncDispose]()
})

for (const [name, connect] of Object.entries(PEERS))
  test(`${name} lists the tools of an origin at its virtual MCP, and calls one`, async () => {
    const peer = await connect(desk.url, desk.headers)
    const tools = await peer.tools()
    assert.deepEqual(
      tools.map((tool) => tool.name),
      ['add'],
    )
    const result = await peer.call('add', { a: 19, b: 23 })
    assert.deepEqual(result.content, [{ type: 'text', text: '42' }])
    await peer.close()
  })

test('a client that the virtual MCP is not assigned to gets the answer of one that does not exist', async () => {
  const post = async (path: string) => {
    const { status, json } = await ask(desk.served.port, path, {
      method: 'POST',
      headers: { ...desk.strangerHeaders, 'content-type': 'application/json' },
      body: '{"jsonrpc":"2.0","id":1,"method":"tools/list"}',
    })
    const { request_id: _, ...problem } = json
    return { status, problem }
  }
  assert.deepEqual(await post('/mcp/desk'), await post('/mcp/nothing'))
  assert.equal((await post('/mcp/desk')).status, 404)
})

test('the origin sees neither the token of the caller nor who it is', () => {
  assert.ok(sums.seen.length > 0)
  for (const { headers } of sums.seen) {
    assert.equal(headers['authorization'], undefined)
    assert.equal(headers['x-forwarded-for'], undefined)
  }
})
