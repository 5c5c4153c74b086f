import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { createTombstones } from '../../../test/support/tombstones.ts'
import { createClock } from '../../base/clock.ts'
import type { McpAnswer } from './answer.ts'
import type { Door, Tool, ToolCall } from './door.ts'
import { createMcpEndpoint } from './endpoint.ts'
import type { Heard } from './heard.ts'

const TOOLS: readonly Tool[] = [
  {
    name: 'echo',
    title: 'Echo',
    description: 'Says it back.',
    inputSchema: { type: 'object' },
    annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  },
]
const META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
  'io.modelcontextprotocol/clientInfo': { name: 'agent', version: '9' },
}
const INFO = { name: 'postern', title: 'Postern', version: '1' }

interface Parsed {
  readonly jsonrpc: string
  readonly id?: string | number
  readonly result?: Record<string, unknown>
  readonly error?: {
    readonly code: number
    readonly message: string
    readonly data?: Record<string, unknown>
  }
}
interface Given {
  readonly status: number
  readonly headers: McpAnswer['headers']
  readonly text: string
  readonly json: Parsed
}

function setup() {
  const calls: ToolCall[] = []
  const faults: unknown[] = []
  const told: Heard[] = []
  /** Calls of the tool `waits`, by what gives them up. */
  const waiting = new Map<string, () => void>()
  const door: Door<string> = {
    name: 'test',
    info: INFO,
    instructions: 'Echo things.',
    toolsTtlMs: 1000,
    identityOf: (caller) => caller,
    tools: () => TOOLS,
    heard: (_caller, heard) => void told.push(heard),
    cancel: (session, id) => waiting.get(`${session} ${typeof id} ${id}`)?.(),
    call(_caller, call, done) {
      calls.push(call)
      if (call.name === 'waits')
        return void waiting.set(`${call.sessionId} ${typeof call.id} ${call.id}`, () =>
          done({ kind: 'cancelled' }),
        )
      if (call.name === 'throws') throw new Error('a secret reason')
      if (call.name !== 'echo') done({ kind: 'invalid_params', message: `Unknown tool: ${call.name}` })
      else done({ kind: 'result', json: JSON.stringify(call.arguments), isError: false })
    },
  }
  const endpoint = createMcpEndpoint(door, {
    sealKey: new Uint8Array(32),
    clock: createClock(),
    tombstones: createTombstones(),
    fault: (error) => faults.push(error),
  })
  async function send(
    body: unknown,
    headers: Record<string, string | undefined> = {},
    method = 'POST',
    caller = 'me',
  ): Promise<Given> {
    const all: Record<string, string | undefined> = { 'content-type': 'application/json', ...headers }
    const bytes =
      body instanceof Uint8Array ? body : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))
    const answer = await new Promise<McpAnswer>((resolve) =>
      endpoint.answer(caller, { method, header: (name) => all[name], body: bytes }, resolve),
    )
    return {
      status: answer.status,
      headers: answer.headers,
      text: answer.body,
      json: answer.body === '' ? { jsonrpc: '' } : (JSON.parse(answer.body) as Parsed),
    }
  }
  /** A modern request with the headers that fit, unless others are given. */
  function modern(
    method: string,
    params: Record<string, unknown> = {},
    headers: Record<string, string | undefined> = {},
    meta: Record<string, unknown> = META,
  ): Promise<Given> {
    return send(
      { jsonrpc: '2.0', id: 'r1', method, params: { ...params, _meta: meta } },
      {
        'mcp-protocol-version': '2026-07-28',
        'mcp-method': method,
        ...(typeof params['name'] === 'string' ? { 'mcp-name': params['name'] } : {}),
        ...headers,
      },
    )
  }
  const request = (method: string, params?: unknown) => ({ jsonrpc: '2.0', id: 1, method, params })
  const initialize = (version: unknown, headers = {}) =>
    send(
      request('initialize', {
        protocolVersion: version,
        capabilities: {},
        clientInfo: { name: 'old', version: '2' },
      }),
      headers,
    )
  return { send, modern, request, initialize, calls, faults, told, waiting }
}

describe('the modern era', () => {
  test('server/discover names versions, capabilities and the server', async () => {
    const { json, status } = await setup().modern('server/discover')
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
    const { json } = await setup().modern('tools/list')
    assert.deepEqual(json.result, {
      resultType: 'complete',
      tools: TOOLS,
      ttlMs: 1000,
      cacheScope: 'private',
      _meta: { 'io.modelcontextprotocol/serverInfo': INFO },
    })
    assert.equal((await setup().modern('tools/list', { cursor: 'x' })).json.error?.code, -32602)
  })

  test('tools/call repeats the structured content as text and knows the agent', async () => {
    const { modern, calls } = setup()
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
    const { modern, calls } = setup()
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
      const { status, json } = await setup().modern(method)
      assert.deepEqual([status, json.error?.code, json.id], [404, -32601, 'r1'], method)
    }
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
      const { modern, calls } = setup()
      const { status, json } = await modern('tools/call', call, headers)
      assert.deepEqual([status, json.error?.code, json.id], [400, -32020, 'r1'], JSON.stringify(headers))
      assert.equal(calls.length, 0)
    }
    assert.equal(
      (await setup().modern('tools/call', call, { 'mcp-name': '=?base64?ZWNobw==?=' })).status,
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
      const { status, json } = await setup().modern('tools/list', {}, {}, meta)
      assert.deepEqual([status, json.error?.code], [400, -32602], JSON.stringify(meta))
    }
  })

  test('a version that is not served is refused with those that are', async () => {
    const { send, request } = setup()
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
    const { send, request } = setup()
    const headers = { 'mcp-protocol-version': '2026-07-28' }
    assert.equal((await send([request('tools/list')], headers)).status, 400)
    assert.equal((await send({ jsonrpc: '2.0', id: 1, result: {} }, headers)).status, 400)
    const accepted = await send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: {} }, headers)
    assert.deepEqual([accepted.status, accepted.text], [202, ''])
  })

  test('a session header is ignored and none is minted', async () => {
    const { status, headers } = await setup().modern('tools/list', {}, { 'mcp-session-id': 'whatever' })
    assert.equal(status, 200)
    assert.equal(headers['mcp-session-id'], undefined)
  })
})

describe('the legacy era', () => {
  test('initialize negotiates each of its revisions and seals a session', async () => {
    for (const version of ['2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05']) {
      const { json, headers } = await setup().initialize(version)
      assert.equal(json.result?.['protocolVersion'], version)
      assert.deepEqual(json.result?.['capabilities'], { tools: {} })
      assert.deepEqual(json.result?.['serverInfo'], INFO)
      assert.match(headers['mcp-session-id']!, /^[!-~]+$/)
    }
    assert.equal((await setup().initialize('2026-07-28')).json.result?.['protocolVersion'], '2025-11-25')
    assert.equal((await setup().initialize('nonsense')).json.result?.['protocolVersion'], '2025-11-25')
    assert.equal((await setup().initialize(7)).json.error?.code, -32602)
  })

  test('a session carries the agent to later calls, and calls without one work', async () => {
    const { send, request, initialize, calls } = setup()
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
    const { send, request, initialize } = setup()
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
    const { send, request } = setup()
    for (const method of ['logging/setLevel', 'server/discover', 'prompts/list']) {
      const { status, json } = await send(request(method))
      assert.deepEqual([status, json.error?.code], [200, -32601])
    }
    assert.deepEqual((await send(request('ping'))).json.result, {})
    assert.deepEqual((await send(request('tools/list'))).json.result, { tools: TOOLS })
  })

  test('notifications and responses are accepted with 202', async () => {
    const { send } = setup()
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
    const { send, initialize, told, waiting } = setup()
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
    const { outcome, error } = told.findLast(({ tool }) => tool === 'waits')!
    assert.deepEqual([outcome, error], [{ kind: 'cancelled' }, null])
    assert.equal((await cancel(7, session)).status, 202)
  })

  test('batches exist in 2025-03-26 only', async () => {
    const { send, request, initialize, calls } = setup()
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
})

describe('what a door is told', () => {
  const of = ({ method, tool, id, place, agent, conversationId, status, error }: Heard) => [
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
    const { send, modern, request, initialize, told } = setup()
    const session = (await initialize('2025-11-25')).headers['mcp-session-id']!
    const headers = { 'mcp-session-id': session, 'x-conversation-id': 'talk' }
    await send(request('tools/call', { name: 'echo' }), headers)
    await send(request('tools/call', { name: 'throws' }), headers)
    await send(request('tools/call', { arguments: {} }))
    await modern('tools/call', { name: 'nothing' })
    await modern('tools/list', {}, { 'mcp-method': 'ping' })
    await send([request('ping'), { jsonrpc: '2.0', method: 'notifications/x' }, 7])
    assert.deepEqual(told.map(of), [
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
    assert.equal(new Set(told.slice(0, 3).map(({ sessionId }) => sessionId)).size, 1)
    assert.notEqual(told[0]!.sessionId, '')
  })

  test('a request that holds no message counts as one', async () => {
    const { send, initialize, told } = setup()
    const session = (await initialize('2025-11-25')).headers['mcp-session-id']!
    await send('{')
    await send('', {}, 'GET')
    await send('', { 'mcp-session-id': session }, 'DELETE')
    await send('', {}, 'DELETE')
    await send([])
    assert.deepEqual(told.slice(1).map(of), [
      ['', '', undefined, 0, '', '', 400, -32700],
      ['', '', undefined, 0, '', '', 405, -32600],
      ['', '', undefined, 0, 'old', '', 204, null],
      ['', '', undefined, 0, '', '', 400, -32600],
      ['', '', undefined, 0, '', '', 400, -32600],
    ])
  })
})

describe('both eras', () => {
  test('other methods are 405 with Allow', async () => {
    for (const method of ['GET', 'PUT', 'HEAD', 'OPTIONS']) {
      const { status, headers } = await setup().send('', {}, method)
      assert.deepEqual([status, headers['allow']], [405, 'POST, DELETE'])
    }
  })

  test('bodies must be JSON by type and by grammar', async () => {
    const { send, request } = setup()
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'application/jsonp',
      '',
      undefined,
    ])
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
      const { send, calls } = setup()
      const { status, json } = await send(body)
      assert.deepEqual([status, json.error?.code], [400, -32600], body)
      assert.equal(calls.length, 0)
    }
  })

  test('a name given twice is refused before either is executed', async () => {
    const { send, calls } = setup()
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
    const { send, request } = setup()
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
    const { send, request, faults } = setup()
    const { json, text } = await send(request('tools/call', { name: 'throws' }))
    assert.equal(json.error?.code, -32603)
    assert.doesNotMatch(text, /secret/)
    assert.equal(faults.length, 1)
  })

  test('arbitrary envelopes are answered once, with JSON-RPC, and never throw', async () => {
    const { send, faults, told } = setup()
    const value = fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<unknown>
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
      fc.asyncProperty(
        fc.oneof(message, fc.array(message, { maxLength: 3 })),
        headers,
        async (body, given) => {
          const { status, text } = await send(body, given)
          assert.ok([200, 202, 400, 404].includes(status), String(status))
          assert.equal(text === '', status === 202)
          const answers: unknown = text === '' ? [] : JSON.parse(text)
          const heard = told.splice(0)
          if (Array.isArray(answers)) assert.equal(heard.length, Array.isArray(body) ? body.length : 1)
          else assert.equal(heard.length, 1)
          const errors = (Array.isArray(answers) ? answers : [answers]) as Parsed[]
          assert.deepEqual(
            heard.flatMap(({ error }) => error ?? []).sort(),
            errors.flatMap(({ error }) => error?.code ?? []).sort(),
            'the door is told of the very errors that were answered',
          )
        },
      ),
      { numRuns: 500 },
    )
    assert.deepEqual(faults, [])
  })
})
