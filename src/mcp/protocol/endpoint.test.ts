import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { anyJson } from '../../../test/support/any-json.ts'
import { META, type Parsed, startDoor } from '../../../test/support/mcp-endpoint.ts'

test('other methods are 405 with Allow', async () => {
  for (const method of ['GET', 'PUT', 'HEAD', 'OPTIONS']) {
    const { status, headers } = await startDoor().send('', {}, method)
    assert.deepEqual([status, headers['allow']], [405, 'POST, DELETE'])
  }
})

test('bodies must be JSON by type and by grammar', async () => {
  const { send, request } = startDoor()
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/jsonp', '', undefined])
    assert.equal((await send(request('ping'), { 'content-type': type })).status, 415)
  assert.equal(
    (await send(request('ping'), { 'content-type': 'Application/JSON; charset=utf-8' })).status,
    200,
  )
  assert.equal((await send(request('ping'), { accept: 'text/html' })).status, 406)
  assert.equal((await send(request('ping'), { accept: 'application/json, text/event-stream' })).status, 200)
  const broken = await send('{')
  assert.deepEqual([broken.status, broken.json.error?.code, broken.json.id], [400, -32700, undefined])
})

test('what is no message is 400 with -32600', async () => {
  for (const body of [
    '1',
    'null',
    '"x"',
    '{}',
    '{"jsonrpc":"1.0","id":1,"method":"ping"}',
    '{"jsonrpc":"2.0","id":null,"method":"ping"}',
    '{"jsonrpc":"2.0","id":1.5,"method":"ping"}',
    '{"jsonrpc":"2.0","id":{},"method":"ping"}',
    '{"jsonrpc":"2.0","id":1,"method":7}',
    '{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}',
    '{"jsonrpc":"2.0","method":"tools/call","params":{"name":"echo"}}',
    '{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}',
    '{"jsonrpc":"2.0","id":1,"result":{},"error":{}}',
    '{"jsonrpc":"2.0","__proto__":{"method":"ping"},"id":1}',
  ]) {
    const { send, calls } = startDoor()
    const { status, json } = await send(body)
    assert.deepEqual([status, json.error?.code], [400, -32600], body)
    assert.equal(calls.length, 0)
  }
})

test('a name given twice is refused before either is executed', async () => {
  const { send, calls } = startDoor()
  const meta = JSON.stringify(META)
  const body = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","n\\u0061me":"throws","_meta":${meta}}}`
  const { status } = await send(body, {
    'mcp-protocol-version': '2026-07-28',
    'mcp-method': 'tools/call',
    'mcp-name': 'echo',
  })
  assert.equal(status, 400)
  assert.equal(calls.length, 0)
})

test('a call of the wrong shape or to an unknown tool is -32602', async () => {
  const { send, request } = startDoor()
  for (const params of [
    {},
    { name: 1 },
    { name: 'echo', arguments: [] },
    { name: 'echo', arguments: 'x' },
    { name: 'no' },
  ]) {
    const { status, json } = await send(request('tools/call', params))
    assert.deepEqual([status, json.error?.code], [200, -32602])
  }
})

test('a fault of the door is -32603 and tells nothing', async () => {
  const { send, request, faults } = startDoor()
  const { json, text } = await send(request('tools/call', { name: 'throws' }))
  assert.equal(json.error?.code, -32603)
  assert.doesNotMatch(text, /secret/)
  assert.equal(faults.length, 1)
})

test('arbitrary envelopes are answered once, with JSON-RPC, and never throw', async () => {
  const { send, faults, reported } = startDoor()
  const value = anyJson({ maxDepth: 3 }) as fc.Arbitrary<unknown>
  const versions = fc.constantFrom('2026-07-28', '2025-11-25', '2025-03-26', '1900-01-01', '')
  const meta = fc.oneof(
    value,
    fc.record(
      {
        'io.modelcontextprotocol/protocolVersion': fc.oneof(versions, value),
        'io.modelcontextprotocol/clientCapabilities': fc.oneof(fc.constant({}), value),
        'io.modelcontextprotocol/clientInfo': fc.oneof(fc.constant({ name: 'a' }), value),
      },
      { requiredKeys: [] },
    ),
  )
  const methods = fc.constantFrom(
    'tools/call',
    'tools/list',
    'initialize',
    'ping',
    'server/discover',
    'notifications/x',
  )
  const message = fc.record(
    {
      jsonrpc: fc.oneof({ arbitrary: fc.constant('2.0'), weight: 9 }, { arbitrary: value, weight: 1 }),
      id: fc.oneof(fc.integer(), fc.string(), value),
      method: fc.oneof({ arbitrary: methods, weight: 9 }, { arbitrary: value, weight: 1 }),
      params: fc.oneof(
        value,
        fc.record(
          { name: fc.oneof(fc.constant('echo'), value), arguments: value, _meta: meta },
          { requiredKeys: [] },
        ),
      ),
    },
    { requiredKeys: [] },
  )
  const headers = fc.record(
    {
      'mcp-protocol-version': versions,
      'mcp-method': fc.oneof(methods, fc.string()),
      'mcp-name': fc.oneof(fc.constant('echo'), fc.string()),
      'mcp-session-id': fc.string(),
    },
    { requiredKeys: [] },
  )
  await fc.assert(
    fc.asyncProperty(fc.oneof(message, fc.array(message, { maxLength: 3 })), headers, async (body, given) => {
      const { status, text } = await send(body, given)
      assert.ok([200, 202, 400, 404].includes(status), String(status))
      assert.equal(text === '', status === 202)
      const answers: unknown = text === '' ? [] : JSON.parse(text)
      const received = reported.splice(0)
      if (Array.isArray(answers)) assert.equal(received.length, Array.isArray(body) ? body.length : 1)
      else assert.equal(received.length, 1)
      const errors = (Array.isArray(answers) ? answers : [answers]) as Parsed[]
      for (const answer of errors) assert.equal(Reflect.get(answer, 'jsonrpc'), '2.0')
      assert.deepEqual(
        received.flatMap(({ error }) => error ?? []).sort(),
        errors.flatMap(({ error }) => error?.code ?? []).sort(),
        'the door is told of the very errors that were answered',
      )
    }),
    { numRuns: 500 },
  )
  assert.deepEqual(faults, [])
})
