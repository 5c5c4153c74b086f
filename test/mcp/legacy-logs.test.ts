/** Log messages of origins for clients that have said nothing of them, by the specification of their era. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startFixture } from './fixture/fixture.ts'
import { rawClient } from './raw-client.ts'
import { startVirtualMcp } from './virtual-mcp.ts'

for (const era of ['legacy', 'modern'] as const)
  test(`${era} client: ${era === 'legacy' ? 'log messages come without a level' : 'no log message comes without a level'}`, async () => {
    await using origin = await startFixture({ eras: 'legacy' })
    await using desk = await startVirtualMcp({ demo: origin.url })
    const client = await rawClient(desk, era)
    const answer = await client.ask('tools/call', { name: 'test_tool_with_logging', arguments: {} })
    const logs = answer.messages.filter(({ method }) => method === 'notifications/message')
    assert.equal(logs.length > 0, era === 'legacy')
    assert.ok(!origin.requests.some(({ rpcMethod }) => rpcMethod === 'logging/setLevel'))
  })
