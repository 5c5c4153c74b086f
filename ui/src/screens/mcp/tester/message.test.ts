import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventsIn, headersOf, mirrored, outcomeOf, questionsIn, replyTo, requestOf } from './message.ts'

const message = (params: object) => ({ jsonrpc: '2.0', id: 1, method: 'tools/call', params }) as never

test('a modern request says in its meta and in its headers what it is, a legacy request has the version alone', () => {
  const modern = requestOf('modern', 7, 'tools/list', { _meta: { progressToken: 1 } })
  const meta = (modern['params'] as { _meta: Record<string, unknown> })._meta
  assert.equal(meta['io.modelcontextprotocol/protocolVersion'], '2026-07-28')
  assert.equal(meta['progressToken'], 1)
  assert.deepEqual(headersOf('modern', message({ name: 'read' }), null), {
    'mcp-protocol-version': '2026-07-28',
    'mcp-method': 'tools/call',
    'mcp-name': 'read',
  })
  assert.deepEqual(requestOf('legacy', 7, 'ping', {}), { jsonrpc: '2.0', id: 7, method: 'ping', params: {} })
  assert.deepEqual(headersOf('legacy', message({ name: 'read' }), null), {
    'mcp-protocol-version': '2025-11-25',
  })
})

test('arguments that the schema marks are repeated in headers, wherever their values are', () => {
  const schema = {
    properties: {
      region: { type: 'string', 'x-mcp-header': 'Region' },
      deep: { type: 'object', properties: { count: { type: 'integer', 'x-mcp-header': 'Count' } } },
      none: { type: 'string', 'x-mcp-header': 'None' },
      odd: { type: 'string', 'x-mcp-header': 'no token' },
    },
  }
  const given = { name: 'read', arguments: { region: 'Zürich', deep: { count: 3 }, none: null, odd: 'x' } }
  assert.deepEqual(headersOf('modern', message(given), schema), {
    'mcp-protocol-version': '2026-07-28',
    'mcp-method': 'tools/call',
    'mcp-name': 'read',
    'mcp-param-Region': '=?base64?WsO8cmljaA==?=',
    'mcp-param-Count': '3',
  })
})

test('a value that looks encoded, or has blanks around it, is encoded', () => {
  assert.equal(mirrored('a b'), 'a b')
  assert.equal(mirrored(' a'), '=?base64?IGE=?=')
  assert.equal(mirrored('=?base64?x?='), '=?base64?PT9iYXNlNjQ/eD89?=')
  assert.equal(mirrored(''), '=?base64??=')
})

test('events are read as they become whole, with comments and priming events left out', () => {
  const first = eventsIn(': open\n\nid: 1\ndata:\n\ndata: {"a":1}\n\ndata: {"b"')
  assert.deepEqual(first, { data: ['{"a":1}'], rest: 'data: {"b"' })
  assert.deepEqual(eventsIn(`${first.rest}:2}\r\n\r\n`), { data: ['{"b":2}'], rest: '' })
})

test('the outcome of a message is told from its response, whatever came before it', () => {
  const progress = { method: 'notifications/progress' }
  assert.equal(outcomeOf(200, [progress, { id: 1, result: { content: [] } }]), 'ok')
  assert.equal(outcomeOf(200, [{ id: 1, result: { isError: true } }]), 'tool_error')
  assert.equal(outcomeOf(200, [{ id: 1, result: { resultType: 'input_required' } }]), 'input_required')
  assert.equal(outcomeOf(400, [{ id: 1, error: { code: -32602 } }]), 'error')
  assert.equal(outcomeOf(401, [{ code: 'credential_invalid' }]), 'refused')
  assert.equal(outcomeOf(202, []), 'sent')
})

const SEAT = {
  method: 'elicitation/create',
  params: {
    message: 'Which seat?',
    requestedSchema: { properties: { row: { type: 'string' }, aisle: { type: 'boolean', default: true } } },
  },
}

test('what asks for input is answered by the same call with its state, or by a response to the server', () => {
  const sent = requestOf('modern', 1, 'tools/call', { name: 'book', arguments: {} })
  const asks = {
    id: 1,
    result: {
      resultType: 'input_required',
      inputRequests: { seat: SEAT },
      requestState: 's',
    },
  }
  assert.deepEqual(
    questionsIn([asks], 'modern').map(({ text }) => text),
    ['Which seat?'],
  )
  const retry = replyTo(sent, [asks], 'modern', 2)
  assert.equal(retry?.['id'], 2)
  const params = retry?.['params'] as Record<string, unknown>
  assert.deepEqual(
    [params['name'], params['inputResponses'], params['requestState']],
    ['book', { seat: { action: 'accept', content: { row: '', aisle: true } } }, 's'],
  )
  const question = { jsonrpc: '2.0', id: 'q1', method: 'elicitation/create', params: {} }
  assert.deepEqual(replyTo(sent, [question], 'legacy', 2), {
    jsonrpc: '2.0',
    id: 'q1',
    result: { action: 'accept', content: {} },
  })
  assert.equal(replyTo(sent, [{ id: 1, result: {} }], 'modern', 2), null)
})
