/** What a client of 2026-07-28 gets of a server of 2025-11-25 beside answers: progress, log messages, completion. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ODD } from '../support/any-json.ts'
import { startFixture } from './fixture/fixture.ts'
import { startLegacyOrigin } from './legacy.ts'
import { type RawAnswer, rawClient } from './raw-client.ts'
import { startVirtualMcp } from './virtual-mcp.ts'

const LOG_LEVEL = 'io.modelcontextprotocol/logLevel'

/** Notifications before the response. */
function toldIn({ messages }: RawAnswer): readonly unknown[] {
  return messages.slice(0, -1).map(({ method, params }) => [method, params])
}

test('progress has the token of its own request', async () => {
  await using origin = await startLegacyOrigin()
  await using desk = await startVirtualMcp({ demo: origin.url })
  const client = await rawClient(desk, 'modern')
  const call = (meta: object): Promise<RawAnswer> =>
    client.ask('tools/call', { name: 'progress', arguments: { steps: 2 }, _meta: meta })
  const [one, other, none] = await Promise.all([
    call({ progressToken: 7 }),
    call({ progressToken: 'seven' }),
    call({}),
  ])
  const steps = (progressToken: unknown): unknown[] =>
    [1, 2].map((progress) => [
      'notifications/progress',
      { progressToken, progress, total: 2, message: `step ${progress}` },
    ])
  assert.deepEqual([toldIn(one), toldIn(other), toldIn(none)], [steps(7), steps('seven'), []])
})

test('log messages come to requests that asked, from the level that each has asked for', async () => {
  await using origin = await startFixture({ eras: 'legacy' })
  await using desk = await startVirtualMcp({ demo: origin.url })
  const client = await rawClient(desk, 'modern')
  const levelsSet = (): number =>
    origin.requests.filter(({ rpcMethod }) => rpcMethod === 'logging/setLevel').length
  const call = async (level: string | null): Promise<readonly string[]> => {
    const _meta = level === null ? {} : { [LOG_LEVEL]: level }
    const answer = await client.ask('tools/call', { name: 'test_tool_with_logging', arguments: {}, _meta })
    return answer.messages.slice(0, -1).map(({ method, params }) => `${method} ${String(params?.['level'])}`)
  }
  assert.deepEqual(await call(null), [])
  assert.equal(levelsSet(), 0)
  const infos = await call('info')
  assert.ok(infos.length >= 3 && infos.every((line) => line === 'notifications/message info'), infos.join())
  assert.deepEqual(await call('error'), [])
  assert.deepEqual(await call('debug'), infos)
  assert.deepEqual(await call(null), [])
  // The session is shared: its level is that of nobody alone, and is set once
  assert.equal(levelsSet(), 1)
})

test('arguments of prompts are completed by the origin', async () => {
  await using origin = await startLegacyOrigin()
  await using desk = await startVirtualMcp({ demo: origin.url })
  const client = await rawClient(desk, 'modern')
  const answer = await client.ask('completion/complete', {
    ref: { type: 'ref/prompt', name: 'paint' },
    argument: { name: 'colour', value: 'gre' },
  })
  const { result } = answer.messages.at(-1)!
  assert.deepEqual(result, {
    resultType: 'complete',
    completion: { values: ['green', 'grey'], total: 2, hasMore: false },
  })
  for (const argument of [
    undefined,
    ['colour'],
    ...[...ODD, ['colour'], null].map((name) => ({ name, value: '' })),
  ]) {
    const ref = { type: 'ref/prompt', name: 'paint' }
    const refused = await client.ask('completion/complete', { ref, argument })
    assert.equal(refused.messages.at(-1)!.error?.code, -32602, refused.text)
  }
})
