/** Arguments that travel in headers too (2026-07-28: `x-mcp-header`), from a client to a virtual MCP and on to its origin. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startFixture } from './fixture/fixture.ts'
import { type RawAnswer, rawClient } from './raw-client.ts'
import { startVirtualMcp } from './virtual-mcp.ts'

const TOOL = 'test_header_parameter'
const refusedFor = ({ status, messages }: RawAnswer): readonly unknown[] => {
  const { error } = messages.at(-1)!
  return [status, error?.code, error?.message]
}

test('headers that disagree with the arguments are refused before the origin is asked', async () => {
  await using origin = await startFixture()
  await using desk = await startVirtualMcp({ demo: origin.url })
  const modern = await rawClient(desk, 'modern')
  const call = (args: object, fields: Readonly<Record<string, string>>): Promise<RawAnswer> =>
    modern.ask('tools/call', { name: TOOL, arguments: args }, undefined, fields)
  origin.forgetRequests()
  for (const [args, fields, reason] of [
    [{ region: 'eu' }, {}, 'Mcp-Param-Region is missing'],
    [{ region: 'eu' }, { 'mcp-param-region': 'us' }, 'Mcp-Param-Region differs from params.arguments.region'],
    [{ region: 'eu' }, { 'Mcp-Param-Region': '=?base64?ZXU?=' }, 'Mcp-Param-Region is malformed'],
    [
      { region: 'eu', priority: 1 },
      { 'mcp-param-region': 'eu', 'mcp-param-priority': '2' },
      'Mcp-Param-Priority differs from params.arguments.priority',
    ],
  ] as const)
    assert.deepEqual(refusedFor(await call(args, fields)), [400, -32020, `Header mismatch: ${reason}`])
  assert.equal(origin.requests.length, 0)
  const record = desk.served.records.at(-1)
  assert.deepEqual([record?.code, record?.agent?.tool], ['request_not_canonical', TOOL])

  const good = await call(
    { region: 'eu', priority: 2 },
    { 'MCP-PARAM-REGION': '=?base64?ZXU=?=', 'mcp-param-priority': '2.0' },
  )
  assert.equal(good.status, 200, good.text)
  const { headers } = origin.requests.at(-1)!
  assert.deepEqual([headers['mcp-param-region'], headers['mcp-param-priority']], ['eu', '2'], 'written anew')

  const { result } = (await modern.ask('tools/list', {})).messages.at(-1)!
  const listed = (result!['tools'] as { name: string; inputSchema: { properties: object } }[]).find(
    ({ name }) => name === TOOL,
  )
  assert.deepEqual(listed!.inputSchema.properties, {
    region: { type: 'string', 'x-mcp-header': 'Region' },
    priority: { type: 'integer', 'x-mcp-header': 'Priority' },
    query: { type: 'string' },
  })
  // Earlier revisions have no such headers
  const legacy = await rawClient(desk, 'legacy')
  const earlier = await legacy.ask('tools/call', { name: TOOL, arguments: { region: 'eu' } })
  assert.ok(earlier.messages.at(-1)!.result !== undefined, earlier.text)
  assert.equal(origin.requests.at(-1)!.headers['mcp-param-region'], 'eu')
})

test('an argument that the policy fixes or hides has no header of the caller', async () => {
  await using origin = await startFixture()
  await using desk = await startVirtualMcp({ demo: origin.url })
  const projection = { fixed: { region: 'eu' }, hidden: ['priority'] }
  desk.publish({
    members: [{ origin: 'ori_demo', capability_policy: { tools: [{ match: { exact: TOOL }, projection }] } }],
  })
  const client = await rawClient(desk, 'modern')
  const answer = await client.ask('tools/call', { name: TOOL, arguments: { query: 'q' } })
  assert.ok(answer.messages.at(-1)!.result !== undefined, answer.text)
  const { headers, body } = origin.requests.at(-1)!
  assert.equal(headers['mcp-param-region'], 'eu')
  assert.deepEqual((JSON.parse(body) as { params: { arguments: object } }).params.arguments, {
    query: 'q',
    region: 'eu',
  })
  // What the caller says in the header of such an argument goes nowhere
  await client.ask('tools/call', { name: TOOL, arguments: {} }, undefined, { 'mcp-param-region': 'us' })
  assert.equal(origin.requests.at(-1)!.headers['mcp-param-region'], 'eu')
})
