import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Given, INFO, META, startDoor, TOOLS } from '../../../test/support/mcp-endpoint.ts'
import { createSessionMemory } from '../../../test/support/session-memory.ts'
import type { Once } from '../../shared-state/ports/memory.ts'

test('server/discover names versions, capabilities and the server', async () => {
  const { json, status } = await startDoor().modern('server/discover')
  assert.equal(status, 200)
  assert.deepEqual(json, {
    jsonrpc: '2.0',
    id: 'r1',
    result: {
      resultType: 'complete',
      supportedVersions: ['2026-07-28'],
      capabilities: { tools: {} },
      instructions: 'Echo things.',
      ttlMs: 3_600_000,
      cacheScope: 'private',
      _meta: { 'io.modelcontextprotocol/serverInfo': INFO },
    },
  })
})

test('tools/list is complete, private and has a time to live', async () => {
  const { json } = await startDoor().modern('tools/list')
  assert.deepEqual(json.result, {
    resultType: 'complete',
    tools: TOOLS,
    ttlMs: 1000,
    cacheScope: 'private',
    _meta: { 'io.modelcontextprotocol/serverInfo': INFO },
  })
  assert.equal((await startDoor().modern('tools/list', { cursor: 'x' })).json.error?.code, -32602)
})

test('tools/call repeats the structured content as text and knows the agent', async () => {
  const { modern, calls } = startDoor()
  const { json } = await modern(
    'tools/call',
    { name: 'echo', arguments: { a: '"' } },
    { 'x-conversation-id': 'c1' },
  )
  assert.deepEqual(json.result, {
    resultType: 'complete',
    content: [{ type: 'text', text: '{"a":"\\""}' }],
    structuredContent: { a: '"' },
    isError: false,
    _meta: { 'io.modelcontextprotocol/serverInfo': INFO },
  })
  assert.deepEqual(calls[0]!.agent, { name: 'agent', version: '9' })
  assert.equal(calls[0]!.conversationId, 'c1')
  assert.equal(calls[0]!.id, 'r1')
})

test('a conversation may be named in _meta', async () => {
  const { modern, calls } = startDoor()
  await modern('tools/call', { name: 'echo' }, {}, { ...META, 'postern/conversation_id': 'c2' })
  assert.equal(calls[0]!.conversationId, 'c2')
})

test('an unknown method is 404 with -32601', async () => {
  for (const method of [
    'ping',
    'logging/setLevel',
    'initialize',
    'resources/list',
    'constructor',
    '__proto__',
  ]) {
    const { status, json } = await startDoor().modern(method)
    assert.deepEqual([status, json.error?.code, json.id], [404, -32601, 'r1'], method)
  }
})

test('where used replies are kept in another process, a reply counts once, and for nothing while that cannot be asked', async () => {
  const { tombstones, usedReplies } = createSessionMemory()
  let isReachable = true
  const elsewhere: Once = {
    claim: async (...given) => (isReachable ? usedReplies.claim(...given) : 'unavailable'),
  }
  const said: unknown[] = []
  const { modern, faults } = startDoor(
    {},
    ({ reply }) => {
      said.push(reply?.action ?? null)
      if (reply === null) return { kind: 'question', message: 'Sure?', form: {} }
      return { kind: 'result', json: '{}', isError: false }
    },
    { tombstones, usedReplies: elsewhere },
  )
  const meta = { ...META, 'io.modelcontextprotocol/clientCapabilities': { elicitation: {} } }
  const call = (more: Record<string, unknown>) => modern('tools/call', { name: 'asks', ...more }, {}, meta)
  const stateOf = ({ json }: Given): unknown => json.result?.['requestState']
  const inputResponses = { confirm: { action: 'accept', content: {} } }
  const retry = { requestState: stateOf(await call({})), inputResponses }
  assert.equal(stateOf(await call(retry)), undefined)
  assert.equal(typeof stateOf(await call(retry)), 'string')
  isReachable = false
  const unknown = await call({ requestState: stateOf(await call({})), inputResponses })
  assert.equal(typeof stateOf(unknown), 'string')
  assert.deepEqual([said, faults], [[null, 'accept', null, null, null], []])
})

test('header and body must agree', async () => {
  const call = { name: 'echo', arguments: {} }
  for (const headers of [
    { 'mcp-protocol-version': undefined },
    { 'mcp-protocol-version': '2025-11-25' },
    { 'mcp-method': undefined },
    { 'mcp-method': 'tools/list' },
    { 'mcp-method': 'Tools/call' },
    { 'mcp-method': 'tools/call, tools/call' },
    { 'mcp-name': undefined },
    { 'mcp-name': 'other' },
    { 'mcp-name': 'Echo' },
    { 'mcp-name': '=?base64?b3RoZXI=?=' },
    { 'mcp-name': '=?base64?ZWNobw?=' },
    { 'mcp-name': 'ech\u00f6' },
  ]) {
    const { modern, calls } = startDoor()
    const { status, json } = await modern('tools/call', call, headers)
    assert.deepEqual([status, json.error?.code, json.id], [400, -32020, 'r1'], JSON.stringify(headers))
    assert.equal(calls.length, 0)
  }
  assert.equal(
    (await startDoor().modern('tools/call', call, { 'mcp-name': '=?base64?ZWNobw==?=' })).status,
    200,
  )
})

test('a required member of _meta that is missing is 400 with -32602', async () => {
  for (const meta of [
    {},
    { 'io.modelcontextprotocol/clientCapabilities': {} },
    { 'io.modelcontextprotocol/protocolVersion': '2026-07-28' },
    { ...META, 'io.modelcontextprotocol/clientCapabilities': [] },
    { ...META, 'io.modelcontextprotocol/clientInfo': 'me' },
    { ...META, 'io.modelcontextprotocol/logLevel': 'loud' },
  ]) {
    const { status, json } = await startDoor().modern('tools/list', {}, {}, meta)
    assert.deepEqual([status, json.error?.code], [400, -32602], JSON.stringify(meta))
  }
})

test('a version that is not served is refused with those that are', async () => {
  const { send, request } = startDoor()
  for (const version of ['1900-01-01', '2027-01-01', 'x']) {
    const meta = { ...META, 'io.modelcontextprotocol/protocolVersion': version }
    for (const params of [{ _meta: meta }, {}]) {
      const { status, json } = await send(request('tools/list', params), {
        'mcp-protocol-version': version,
        'mcp-method': 'tools/list',
      })
      assert.deepEqual([status, json.error?.code], [400, -32022])
      assert.equal(json.error?.data?.['requested'], version)
      const all = ['2026-07-28', '2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05']
      assert.deepEqual(json.error?.data?.['supported'], '_meta' in params ? ['2026-07-28'] : all)
    }
  }
})

test('batches and responses are refused and notifications accepted', async () => {
  const { send, request } = startDoor()
  const headers = { 'mcp-protocol-version': '2026-07-28' }
  assert.equal((await send([request('tools/list')], headers)).status, 400)
  assert.equal((await send({ jsonrpc: '2.0', id: 1, result: {} }, headers)).status, 400)
  const accepted = await send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: {} }, headers)
  assert.deepEqual([accepted.status, accepted.text], [202, ''])
})

test('a session header is ignored and none is minted', async () => {
  const { status, headers } = await startDoor().modern('tools/list', {}, { 'mcp-session-id': 'whatever' })
  assert.equal(status, 200)
  assert.equal(headers['mcp-session-id'], undefined)
})
