/** Lists of virtual MCPs are kept as bytes, and sent between the texts of each answer. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { textTool } from './fixture/catalogue.ts'
import { startFixture } from './fixture/fixture.ts'
import { startVirtualMcp } from './virtual-mcp.ts'

const MODERN = '2026-07-28'

for (const [size, count] of [
  ['a short list', 3],
  ['a list of more than one piece', 1500],
] as const)
  test(`${size} arrives whole in both eras, under every id, as often as it is asked for`, async () => {
    await using origin = await startFixture({ isFilled: false })
    const names = Array.from({ length: count }, (_, at) => `tool_${at}`)
    for (const name of names)
      origin.catalogue.putTool(textTool(name, () => name, { description: `Größe, 大きさ, 🙂 of ${name}` }))
    await using desk = await startVirtualMcp({ many: origin.url })
    const ask = async (id: unknown, isModern: boolean): Promise<void> => {
      const _meta = {
        'io.modelcontextprotocol/protocolVersion': MODERN,
        'io.modelcontextprotocol/clientCapabilities': {},
      }
      const params = isModern ? { _meta } : {}
      const answer = await fetch(desk.url, {
        method: 'POST',
        headers: {
          ...desk.headers,
          'content-type': 'application/json',
          accept: 'application/json, text/event-stream',
          ...(isModern ? { 'mcp-protocol-version': MODERN, 'mcp-method': 'tools/list' } : {}),
        },
        body: JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/list', params }),
      })
      const bytes = Buffer.from(await answer.arrayBuffer())
      assert.equal(Number(answer.headers.get('content-length')), bytes.length)
      const response = JSON.parse(bytes.toString('utf8')) as {
        readonly id: unknown
        readonly result: { readonly tools: { readonly name: string; readonly description: string }[] }
      }
      assert.deepEqual(response.id, id)
      assert.deepEqual(
        response.result.tools.map((tool) => tool.name),
        names,
      )
      assert.equal(response.result.tools[2]!.description, 'Größe, 大きさ, 🙂 of tool_2')
      assert.equal('ttlMs' in response.result, isModern)
    }
    for (const id of [7, 'plain', '"quoted"\\', 'größe', '大', '\u007f', '\n', -1])
      for (const isModern of [true, false]) await ask(id, isModern)
    await Promise.all(Array.from({ length: 40 }, (_, at) => ask(`at the same time ${at}`, at % 2 === 0)))
  })
