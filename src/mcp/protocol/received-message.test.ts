import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startDoor } from '../../../test/support/mcp-endpoint.ts'
import type { ReceivedMessage } from './received-message.ts'

const of = ({ method, tool, id, place, agent, conversationId, status, error }: ReceivedMessage) => [
  method,
  tool,
  id,
  place,
  agent.name,
  conversationId,
  status,
  error,
]

test('each message once, with who sent it and what it was answered', async () => {
  const { send, modern, request, initialize, reported } = startDoor()
  const session = (await initialize('2025-11-25')).headers['mcp-session-id']!
  const headers = { 'mcp-session-id': session, 'x-conversation-id': 'talk' }
  await send(request('tools/call', { name: 'echo' }), headers)
  await send(request('tools/call', { name: 'throws' }), headers)
  await send(request('tools/call', { arguments: {} }))
  await modern('tools/call', { name: 'nothing' })
  await modern('tools/list', {}, { 'mcp-method': 'ping' })
  await send([request('ping'), { jsonrpc: '2.0', method: 'notifications/x' }, 7])
  assert.deepEqual(reported.map(of), [
    ['initialize', '', 1, 0, 'old', '', 200, null],
    ['tools/call', 'echo', 1, 0, 'old', 'talk', 200, null],
    ['tools/call', 'throws', 1, 0, 'old', 'talk', 200, -32603],
    ['tools/call', '', 1, 0, '', '', 200, -32602],
    ['tools/call', 'nothing', 'r1', 0, 'agent', '', 200, -32602],
    ['tools/list', '', 'r1', 0, 'agent', '', 400, -32020],
    ['ping', '', 1, 0, '', '', 0, null],
    ['notifications/x', '', undefined, 1, '', '', 0, null],
    ['', '', undefined, 2, '', '', 0, -32600],
  ])
  assert.equal(new Set(reported.slice(0, 3).map(({ sessionId }) => sessionId)).size, 1)
  assert.notEqual(reported[0]!.sessionId, '')
})

test('a request that holds no message counts as one', async () => {
  const { send, initialize, reported } = startDoor()
  const session = (await initialize('2025-11-25')).headers['mcp-session-id']!
  await send('{')
  await send('', {}, 'GET')
  await send('', { 'mcp-session-id': session }, 'DELETE')
  await send('', {}, 'DELETE')
  await send([])
  assert.deepEqual(reported.slice(1).map(of), [
    ['', '', undefined, 0, '', '', 400, -32700],
    ['', '', undefined, 0, '', '', 405, -32600],
    ['', '', undefined, 0, 'old', '', 204, null],
    ['', '', undefined, 0, '', '', 400, -32600],
    ['', '', undefined, 0, '', '', 400, -32600],
  ])
})
