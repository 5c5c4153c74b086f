/** What records say of calls of origins: which have failed, and how much they gave the model. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { failureOriginOf, outcomeClassOf, type RecordFields } from '../../src/record/fields.ts'
import { estimatedTokens } from '../../src/record/search.ts'
import { startFixture } from './fixture/fixture.ts'
import { startHostileOrigin } from './hostile/hostile.ts'
import { ERAS, rawClient } from './raw-client.ts'
import { startVirtualMcp, type VirtualMcp } from './virtual-mcp.ts'

/** The record of the last call. */
function lastCall({ served }: VirtualMcp): RecordFields {
  const record = served.records.findLast(({ agent }) => agent?.mcpMethod === 'tools/call')
  assert.ok(record !== undefined)
  return record
}

const said = (record: RecordFields): readonly unknown[] => [
  record.status,
  record.code,
  record.reason,
  outcomeClassOf(record),
  failureOriginOf(record),
]

for (const eras of ['modern', 'legacy'] as const)
  test(`${eras} origin: a failing tool is told apart in records, whatever the client speaks`, async () => {
    await using origin = await startFixture({ eras })
    await using desk = await startVirtualMcp({ demo: origin.url })
    for (const era of ERAS) {
      const client = await rawClient(desk, era)
      await client.ask('tools/call', { name: 'test_simple_text', arguments: {} })
      assert.deepEqual(said(lastCall(desk)), [200, '', '', 'success', null])
      const failed = await client.ask('tools/call', { name: 'test_error_handling', arguments: {} })
      assert.equal(failed.messages.at(-1)!.result!['isError'], true)
      assert.deepEqual(said(lastCall(desk)), [200, 'tool_error', '', 'application_error', 'upstream'])
    }
  })

test('a JSON-RPC error and an answer without a response are told apart too', async () => {
  await using origin = await startHostileOrigin()
  await using desk = await startVirtualMcp({ hostile: origin.url })
  const client = await rawClient(desk, 'modern')
  const call = async (behaviour: string): Promise<readonly unknown[]> => {
    await client.ask('tools/call', { name: `hostile_${behaviour}`, arguments: {} })
    return said(lastCall(desk))
  }
  const [status, code, reason, ...ended] = await call('strange_error')
  assert.deepEqual([status, code, ...ended], [200, 'origin_error', 'application_error', 'upstream'])
  assert.match(String(reason), /^JSON-RPC error -?\d+$/)
  for (const behaviour of ['html', 'truncated_json', 'wrong_id', 'ended_stream']) {
    const record = await call(behaviour)
    assert.deepEqual(
      record.toSpliced(2, 1),
      [502, 'upstream_invalid_response', 'upstream_error', 'upstream'],
      behaviour,
    )
    assert.notEqual(record[2], '')
  }
  assert.deepEqual((await call('challenge')).slice(0, 2), [401, 'credential_unavailable'])
})

test('tokens out are those of the result, however it was framed and whatever came before it', async () => {
  const tokens: number[] = []
  for (const answers of ['json', 'sse'] as const) {
    await using origin = await startFixture({ answers })
    await using desk = await startVirtualMcp({ demo: origin.url })
    const client = await rawClient(desk, 'modern')
    const text = 'word '.repeat(200)
    const { messages } = await client.ask('tools/call', { name: 'test_echo', arguments: { text } })
    const record = lastCall(desk)
    tokens.push(estimatedTokens(record)!.out)
    const bytes = Buffer.byteLength(JSON.stringify(messages.at(-1)))
    assert.ok(Math.abs(record.bytesOut - bytes) < 64, `${record.bytesOut} of ${bytes}`)
    await client.ask('tools/call', {
      name: 'test_tool_with_progress',
      arguments: {},
      _meta: { progressToken: 'p' },
    })
    assert.ok(estimatedTokens(lastCall(desk))!.out < 60)
  }
  assert.equal(tokens[0], tokens[1])
})
