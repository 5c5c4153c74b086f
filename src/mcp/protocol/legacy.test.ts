import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Given, INFO, type Parsed, startDoor, TOOLS } from '../../../test/support/mcp-endpoint.ts'

test('initialize negotiates each of its revisions and seals a session', async () => {
  for (const version of ['2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05']) {
    const { json, headers } = await startDoor().initialize(version)
    assert.equal(json.result?.['protocolVersion'], version)
    assert.deepEqual(json.result?.['capabilities'], { tools: {} })
    assert.deepEqual(json.result?.['serverInfo'], INFO)
    assert.match(headers['mcp-session-id']!, /^[!-~]+$/)
  }
  assert.equal((await startDoor().initialize('2026-07-28')).json.result?.['protocolVersion'], '2025-11-25')
  assert.equal((await startDoor().initialize('nonsense')).json.result?.['protocolVersion'], '2025-11-25')
  assert.equal((await startDoor().initialize(7)).json.error?.code, -32602)
})

test('a session carries the agent to later calls, and calls without one work', async () => {
  const { send, request, initialize, calls } = startDoor()
  const session = (await initialize('2025-11-25')).headers['mcp-session-id']!
  const call = request('tools/call', { name: 'echo', arguments: {} })
  await send(call, { 'mcp-session-id': session, 'mcp-protocol-version': '2025-11-25' })
  assert.deepEqual(calls[0]!.agent, { name: 'old', version: '2' })
  assert.match(calls[0]!.sessionId, /^[A-Za-z0-9_-]{22}$/)
  assert.equal((await send(call)).status, 200)
  assert.deepEqual(calls[1]!.agent, { name: '', version: '' })
  assert.equal(calls[1]!.sessionId, '')
})

test('a foreign, broken or ended session is 404', async () => {
  const { send, request, initialize } = startDoor()
  const id = (await initialize('2025-11-25')).headers['mcp-session-id']!
  const ping = request('ping')
  assert.equal((await send(ping, { 'mcp-session-id': id })).status, 200)
  assert.equal((await send(ping, { 'mcp-session-id': id }, 'POST', 'other')).status, 404)
  assert.equal((await send(ping, { 'mcp-session-id': 'broken' })).status, 404)
  assert.equal((await send('', { 'mcp-session-id': id }, 'DELETE', 'other')).status, 404)
  assert.equal((await send('', {}, 'DELETE')).status, 400)
  const ended = await send('', { 'mcp-session-id': id }, 'DELETE')
  assert.deepEqual([ended.status, ended.text], [204, ''])
  assert.equal((await send(ping, { 'mcp-session-id': id })).status, 404)
  assert.equal((await send('', { 'mcp-session-id': id }, 'DELETE')).status, 404)
})

test('an unknown method is 200 with -32601, and ping is answered', async () => {
  const { send, request } = startDoor()
  for (const method of ['logging/setLevel', 'server/discover', 'prompts/list']) {
    const { status, json } = await send(request(method))
    assert.deepEqual([status, json.error?.code], [200, -32601])
  }
  assert.deepEqual((await send(request('ping'))).json.result, {})
  assert.deepEqual((await send(request('tools/list'))).json.result, { tools: TOOLS })
})

test('notifications and responses are accepted with 202', async () => {
  const { send } = startDoor()
  for (const body of [
    { jsonrpc: '2.0', method: 'notifications/initialized' },
    { jsonrpc: '2.0', id: 5, result: {} },
    { jsonrpc: '2.0', id: 5, error: { code: 1, message: 'x' } },
  ]) {
    const { status, text } = await send(body, { 'mcp-protocol-version': '2025-11-25' })
    assert.deepEqual([status, text], [202, ''])
  }
})

test('a call is given up as its session asks, and gets no response', async () => {
  const { send, initialize, reported, waiting } = startDoor()
  const sessionOf = async () => ({
    'mcp-session-id': (await initialize('2025-11-25')).headers['mcp-session-id']!,
  })
  const session = await sessionOf()
  const call = { jsonrpc: '2.0', id: 7, method: 'tools/call', params: { name: 'waits', arguments: {} } }
  let answer: Given | null = null
  const answered = send(call, session).then((given) => {
    answer = given
  })
  assert.equal(waiting.size, 1)
  const cancel = (requestId: unknown, headers: Record<string, string>) =>
    send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId } }, headers)
  for (const [requestId, headers] of [
    ['7', session],
    [8, session],
    [{}, session],
    [undefined, session],
    [7, await sessionOf()],
    [7, {}],
  ] as const)
    assert.equal((await cancel(requestId, headers)).status, 202)
  assert.equal(answer, null)
  assert.equal((await cancel(7, session)).status, 202)
  await answered
  assert.deepEqual([answer!.status, answer!.text], [202, ''])
  const { outcome, error } = reported.findLast(({ tool }) => tool === 'waits')!
  assert.deepEqual([outcome, error], [{ kind: 'cancelled' }, null])
  assert.equal((await cancel(7, session)).status, 202)
})

test('batches exist in 2025-03-26 only', async () => {
  const { send, request, initialize, calls } = startDoor()
  const batch = [
    request('ping'),
    { jsonrpc: '2.0', method: 'notifications/initialized' },
    { jsonrpc: '2.0', id: 2, method: 'tools/call', params: { name: 'echo', arguments: {} } },
    { jsonrpc: '2.0', id: null, method: 'ping' },
  ]
  for (const headers of [{}, { 'mcp-protocol-version': '2025-03-26' }]) {
    const { status, text } = await send(batch, headers)
    assert.equal(status, 200)
    const answers = JSON.parse(text) as Parsed[]
    assert.deepEqual(
      answers.map((answer) => answer.id ?? answer.error?.code),
      [1, 2, -32600],
    )
  }
  assert.equal(calls.length, 2)
  assert.equal((await send(batch, { 'mcp-protocol-version': '2025-06-18' })).status, 400)
  const session = (await initialize('2025-11-25')).headers['mcp-session-id']!
  assert.equal((await send(batch, { 'mcp-session-id': session })).status, 400)
  assert.equal((await send([])).status, 400)
  assert.equal((await send(Array.from({ length: 33 }, () => request('ping')))).status, 400)
  assert.equal((await send([request('initialize', { protocolVersion: '2025-03-26' })])).status, 400)
  assert.equal((await send([{ jsonrpc: '2.0', method: 'notifications/x' }])).status, 202)
})
