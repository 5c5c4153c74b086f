import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { connect, type Socket } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { PROBLEMS, type RefusalCode } from '../../src/base/refusal.ts'
import type { RequestRecord } from '../../src/model/record.ts'
import { PEERS } from '../support/mcp-clients.ts'
import { HOSTILE } from '../wire/hostile-requests.ts'
import { publishOrders, type Reply, startTestServer, type TestServer, until } from './server.ts'
import { startUpstream, type TestUpstream } from './upstream.ts'

const BODY_FOLLOWS = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n'
const ENDPOINT = 'GET /orders/v1/orders/7'
const JSON_ACCEPT = { accept: 'application/json, text/event-stream' }
const AGENT = { name: 'probe', version: '4.2' }
const MODERN = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
  'io.modelcontextprotocol/clientInfo': AGENT,
}

describe('the records of a running server', () => {
  let server: TestServer
  let upstream: TestUpstream
  let profiles = 0

  before(async () => {
    upstream = await startUpstream()
    // One thread hands its records over in their order, so that the last one says that all are there.
    server = await startTestServer({ workers: 1 })
    await publishOrders(server, upstream.url)
  })
  after(async () => {
    // Whichever did not come up has nothing to stop.
    await server?.stop()
    await upstream?.[Symbol.asyncDispose]()
  })

  /** A profile of its own, what it sends to `/mcp`, and its records so far, oldest first. */
  async function someone() {
    const slug = `p${++profiles}`
    const body = { client: 'acme', name: slug, slug, auth: { type: 'token' } }
    const made = await server.manage('POST', '/profiles', body)
    const token: string = made.json.token
    const send = (message: unknown, headers: Record<string, string> = {}, method = 'POST'): Promise<Reply> =>
      server.gateway(method, '/mcp', {
        token,
        headers: { ...JSON_ACCEPT, ...headers },
        ...(message === undefined ? {} : { body: message }),
      })
    async function records(query = ''): Promise<RequestRecord[]> {
      const last = await server.gateway('GET', '/orders/v1/orders/last', { token })
      await recordOf(last)
      const { json } = await server.manage('GET', `/records?client=acme&profile=${slug}&limit=200${query}`)
      const items = json.items as RequestRecord[]
      return items.filter(({ path }) => path !== '/orders/v1/orders/last').reverse()
    }
    return { id: made.json.id as string, token, send, records }
  }

  const request = (method: string, params: unknown = {}, id: unknown = 1): object => ({
    jsonrpc: '2.0',
    id,
    method,
    params,
  })
  const toolCall = (name: string, args: unknown, id: unknown = 1): object =>
    request('tools/call', { name, arguments: args }, id)

  /** The record that an answer names, once it is there. */
  async function recordOf(answer: Reply): Promise<RequestRecord> {
    return recordNamed(answer.headers.get('x-request-id') ?? '')
  }
  async function recordNamed(id: string): Promise<RequestRecord> {
    const found = await until(
      () => server.manage('GET', `/records/${id}`),
      ({ status }) => status === 200,
    )
    return found.json as RequestRecord
  }

  test('a session over /mcp leaves one record per message, and that of a call is the call', async () => {
    const { id, send, records } = await someone()
    const conversation = { 'x-conversation-id': 'talk-1' }
    const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: AGENT }
    const opened = await send(request('initialize', params, 'first'), conversation)
    const session = { ...conversation, 'mcp-session-id': opened.headers.get('mcp-session-id')! }
    const answers = [
      opened,
      await send({ jsonrpc: '2.0', method: 'notifications/initialized' }, session),
      await send(request('ping', {}, 2), session),
      await send(request('tools/list', {}, 3), session),
      await send(toolCall('list_collections', {}, 4), session),
      await send(toolCall('list_endpoints', {}, 5), session),
      await send(toolCall('inspect_contract', { endpoint: ENDPOINT }, 6), session),
      await send(toolCall('execute_call', { endpoint: ENDPOINT }, 7), session),
      await send(undefined, session, 'DELETE'),
    ]
    const found = await records()
    assert.deepEqual(
      found.map((one) => [one.method, one.path, one.status, one.mcp_method, one.tool, one.mcp_request_id]),
      [
        ['POST', '/mcp', 200, 'initialize', null, 'first'],
        ['POST', '/mcp', 202, 'notifications/initialized', null, null],
        ['POST', '/mcp', 200, 'ping', null, '2'],
        ['POST', '/mcp', 200, 'tools/list', null, '3'],
        ['POST', '/mcp', 200, 'tools/call', 'list_collections', '4'],
        ['POST', '/mcp', 200, 'tools/call', 'list_endpoints', '5'],
        ['POST', '/mcp', 200, 'tools/call', 'inspect_contract', '6'],
        ['GET', '/orders/v1/orders/7', 200, 'tools/call', 'execute_call', '7'],
        ['DELETE', '/mcp', 204, null, null, null],
      ],
    )
    assert.deepEqual(
      found.map((one) => one.id),
      answers.map((answer) => answer.headers.get('x-request-id')),
      'each under the id that its answer carries',
    )
    const named = new Set(found.map((one) => one.session_id))
    assert.equal(named.size, 1)
    const [sessionId] = named
    assert.ok(typeof sessionId === 'string' && !session['mcp-session-id'].includes(sessionId))
    for (const one of found) {
      assert.deepEqual(
        [one.surface, one.profile, one.agent_name, one.agent_version, one.conversation_id, one.code],
        ['gateway_mcp', id, 'probe', '4.2', 'talk-1', null],
      )
      assert.ok(
        one.client?.startsWith('cli_') && one.credential_id?.startsWith('key_') && one.duration_ms > 0,
      )
    }
    assert.ok(found[4]!.bytes_in > 50 && found[4]!.bytes_out > 50)

    const only = async (query: string): Promise<number> => (await records(query)).length
    assert.equal(await only(`&session_id=${sessionId}`), 9)
    assert.equal(await only(`&session_id=${session['mcp-session-id']}`), 9, 'the id as the client sends it')
    assert.equal(await only('&mcp_method=tools/call'), 4)
    assert.equal(await only('&tool=list_endpoints&agent_name=probe&conversation_id=talk-1'), 1)
    assert.equal(await only('&surface=gateway_mcp&path=/mcp'), 8)
    assert.equal(await only('&surface=gateway_mcp&method=DELETE'), 1)
  })

  test('messages of the era without sessions are recorded with the agent each of them names', async () => {
    const { send, records } = await someone()
    const modern = (method: string, params: object = {}, headers: Record<string, string> = {}) =>
      send(request(method, { ...params, _meta: MODERN }), {
        'mcp-protocol-version': '2026-07-28',
        'mcp-method': method,
        ...headers,
      })
    await modern('server/discover')
    await modern('tools/list')
    await modern('tools/call', { name: 'list_collections' }, { 'mcp-name': 'list_collections' })
    await modern('tools/call', { name: 'list_collections' }, { 'mcp-name': 'execute_call' })
    await modern('prompts/list')
    assert.deepEqual(
      (await records()).map((one) => [one.mcp_method, one.tool, one.status, one.code, one.reason]),
      [
        ['server/discover', null, 200, null, null],
        ['tools/list', null, 200, null, null],
        ['tools/call', 'list_collections', 200, null, null],
        ['tools/call', 'list_collections', 400, 'request_not_canonical', 'JSON-RPC error -32020'],
        ['prompts/list', null, 404, 'not_found', 'JSON-RPC error -32601'],
      ],
    )
    assert.equal((await records('&agent_name=probe')).length, 5)
  })

  for (const [name, open] of Object.entries(PEERS))
    test(`${name}: every list and call of the client has one record`, async () => {
      const { token, records } = await someone()
      const peer = await open(`${server.running.gatewayUrl}/mcp`, { authorization: `Bearer ${token}` })
      await peer.tools()
      await peer.call('list_collections', {})
      await peer.call('execute_call', { endpoint: ENDPOINT })
      await peer.close()
      const found = await records()
      assert.equal(new Set(found.map(({ id }) => id)).size, found.length)
      for (const [method, tool] of [
        ['tools/list', null],
        ['tools/call', 'list_collections'],
        ['tools/call', 'execute_call'],
      ])
        assert.equal(
          found.filter((one) => one.mcp_method === method && one.tool === tool).length,
          1,
          `${method} ${tool}`,
        )
    })

  test('what an agent asks wrongly is recorded with the code and status of its refusal', async () => {
    const { send, records } = await someone()
    const cases: readonly (readonly [what: unknown, code: RefusalCode, headers?: Record<string, string>])[] =
      [
        [toolCall('execute_call', { endpoint: 'GET /nothing/like/it' }), 'endpoint_not_found'],
        [toolCall('inspect_contract', { endpoint: 'no such name' }), 'endpoint_not_found'],
        [
          toolCall('execute_call', { endpoint: 'get-order', params: { path: { id: '../x' } } }),
          'parameter_invalid',
        ],
        [toolCall('execute_call', { endpoint: 7 }), 'parameter_invalid'],
        [toolCall('list_endpoints', { collection: 'hidden' }), 'not_found'],
        [toolCall('no_such_tool', {}), 'parameter_invalid'],
        [request('tools/call', { name: 7 }), 'parameter_invalid'],
        [request('prompts/list'), 'not_found'],
        [request('tools/list', { cursor: 'x' }), 'parameter_invalid'],
        [request('initialize', {}), 'parameter_invalid'],
        [{ jsonrpc: '1.0', id: 1, method: 'ping' }, 'input_invalid'],
        ['{', 'payload_rejected'],
        [request('ping'), 'unsupported_media_type', { 'content-type': 'text/plain' }],
        [request('ping'), 'not_found', { 'mcp-session-id': 'unknown' }],
        [request('ping'), 'input_invalid', { 'mcp-protocol-version': '1999-01-01' }],
      ]
    const answers: Reply[] = []
    for (const [what, , headers] of cases) answers.push(await send(what, headers))
    const got = await send(undefined, {}, 'GET')
    const found = await records()
    assert.equal(found.length, cases.length + 1)
    for (const [index, [what, code]] of cases.entries()) {
      const record = found[index]!
      assert.deepEqual([record.code, record.status], [code, PROBLEMS[code].status], JSON.stringify(what))
      const answer = answers[index]!
      assert.equal(record.id, answer.headers.get('x-request-id'))
      const told = answer.json.result?.structuredContent
      if (told !== undefined) assert.deepEqual([told.code, told.request_id], [code, record.id])
      else assert.equal(record.reason, `JSON-RPC error ${answer.json.error.code}`)
    }
    assert.deepEqual(
      [found.at(-1)!.code, found.at(-1)!.status, found.at(-1)!.id],
      ['method_not_allowed', 405, got.headers.get('x-request-id')],
    )
    assert.equal((await records('&code=endpoint_not_found&tool=execute_call&status=404')).length, 1)
  })

  test('each message of a batch has its record, and the id in its refusal finds it', async () => {
    const { send, records } = await someone()
    const batch = [
      toolCall('execute_call', { endpoint: 'nothing' }, 'a'),
      { jsonrpc: '2.0', method: 'notifications/progress', params: {} },
      toolCall('execute_call', { endpoint: ENDPOINT }, 'b'),
      toolCall('execute_call', { endpoint: 'nothing' }, 'c'),
    ]
    const answer = await send(batch, { 'mcp-protocol-version': '2025-03-26' })
    const id = answer.headers.get('x-request-id')!
    const found = await records()
    assert.deepEqual(
      new Set(found.map((one) => `${one.id} ${one.mcp_request_id} ${one.code} ${one.path}`)),
      new Set([
        `${id} a endpoint_not_found /mcp`,
        `${id}.2 null null /mcp`,
        `${id}.3 b null /orders/v1/orders/7`,
        `${id}.4 c endpoint_not_found /mcp`,
      ]),
    )
    const told = answer.json.map((one: Reply['json']) => one.result.structuredContent.request_id)
    assert.deepEqual(told, [id, `${id}.3`, `${id}.4`])
    for (const each of told) assert.equal((await recordNamed(each)).id, each)
    assert.equal(found.filter((one) => one.path === '/mcp' && one.bytes_in > 0).length, 1)
    const refused = await send([], { 'mcp-protocol-version': '2025-03-26' })
    assert.equal((await recordOf(refused)).code, 'input_invalid')
  })

  test('the upstream, the answer and the record of a call carry one id', async () => {
    const { send } = await someone()
    const answer = await send(toolCall('execute_call', { endpoint: ENDPOINT }))
    const id = answer.headers.get('x-request-id')!
    assert.equal(answer.json.result.structuredContent.request_id, id)
    assert.equal(upstream.seen.at(-1)!.headers['x-request-id'], id)
    assert.equal((await recordNamed(id)).tool, 'execute_call')
  })

  /** Sends a call, and leaves when the upstream has it. Gives the upstream's answer to it. */
  async function leaveAfter(message: object, token: string, lines = ''): Promise<ServerResponse> {
    const asked = new Promise<ServerResponse>((resolve) => {
      upstream.answer = (_seen, response) => resolve(response)
    })
    const text = JSON.stringify(message)
    const socket = open()
    socket.write(`${head('POST /mcp', token)}${lines}Content-Length: ${text.length}\r\n\r\n${text}`)
    const response = await asked
    upstream.answer = (_seen, later) => void later.end('{}')
    socket.destroy()
    await once(socket, 'close')
    return response
  }

  test('a record tells the slugs of now beside its ids, in lists too, and none of what is gone', async () => {
    const { id, token } = await someone()
    const answer = await server.gateway('GET', '/orders/v1/orders/7', { token })
    const slugs = (record: Record<string, unknown>): unknown[] =>
      ['collection', 'proxy', 'client', 'profile'].map((name) => record[`${name}_slug`])
    const record = (await recordOf(answer)) as unknown as Record<string, unknown>
    assert.deepEqual(slugs(record), ['orders', 'get-order', 'acme', `p${profiles}`])
    await server.manage('PATCH', `/profiles/${id}`, { slug: 'renamed' })
    const listed = await server.manage('GET', `/records?request_id=${record['id']}`)
    assert.deepEqual(slugs(listed.json.items[0]), ['orders', 'get-order', 'acme', 'renamed'])
    assert.equal((await server.manage('DELETE', `/profiles/${id}?confirm=renamed`)).status, 200)
    const left = await recordOf(answer)
    assert.deepEqual([left.profile, slugs({ ...left })], [id, ['orders', 'get-order', 'acme', null]])
  })

  test('a call of 2025-11-25 whose agent leaves goes on to its end, and has one record', async () => {
    const { token, records } = await someone()
    const response = await leaveAfter(toolCall('execute_call', { endpoint: ENDPOINT }), token)
    response.end('{}')
    const found = await until(records, (list) => list.length > 0)
    assert.deepEqual(
      found.map((one) => [one.path, one.status, one.aborted]),
      [['/orders/v1/orders/7', 200, false]],
    )
  })

  test('a call of 2025-11-25 that its agent takes back is given up at the upstream, and has one record', async () => {
    const { send, records } = await someone()
    const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: AGENT }
    const opened = await send(request('initialize', params, 'first'))
    const session = { 'mcp-session-id': opened.headers.get('mcp-session-id')! }
    const asked = new Promise<ServerResponse>((resolve) => {
      upstream.answer = (_seen, response) => resolve(response)
    })
    const called = send(toolCall('execute_call', { endpoint: ENDPOINT }, 7), session)
    const response = await asked
    upstream.answer = (_seen, later) => void later.end('{}')
    const closed = once(response, 'close', { signal: AbortSignal.timeout(10_000) })
    const cancelled = { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 7 } }
    assert.equal((await send(cancelled, session)).status, 202)
    await closed
    assert.equal(response.writableEnded, false)
    const answer = await called
    assert.deepEqual([answer.status, answer.text], [202, ''])
    assert.equal((await send(cancelled, session)).status, 202)
    const found = await records()
    assert.deepEqual(
      found.map((one) => [one.mcp_method, one.path, one.status, one.aborted]),
      [
        ['initialize', '/mcp', 200, false],
        ['tools/call', '/orders/v1/orders/7', 0, true],
        ['notifications/cancelled', '/mcp', 202, false],
        ['notifications/cancelled', '/mcp', 202, false],
      ],
    )
  })

  test('a call of 2026-07-28 whose agent leaves is given up at the upstream, and has one record', async () => {
    const { token, records } = await someone()
    const params = { name: 'execute_call', arguments: { endpoint: ENDPOINT }, _meta: MODERN }
    const lines =
      'MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: execute_call\r\nAccept: application/json, text/event-stream\r\n'
    const response = await leaveAfter(request('tools/call', params), token, lines)
    await once(response, 'close', { signal: AbortSignal.timeout(10_000) })
    assert.equal(response.writableEnded, false)
    const found = await until(records, (list) => list.length > 0)
    assert.deepEqual(
      found.map((one) => [one.path, one.status, one.aborted, one.tool]),
      [['/orders/v1/orders/7', 0, true, 'execute_call']],
    )
  })

  test('who is refused at /mcp before a message is read has a record too', async () => {
    const { token, send } = await someone()
    const nobody = await server.gateway('POST', '/mcp', { body: request('ping') })
    const foreign = await send(request('ping'), { origin: 'https://evil.example' })
    const virtual = await server.gateway('POST', '/mcp/team', { token, body: request('ping') })
    const records = await Promise.all([nobody, foreign, virtual].map(recordOf))
    assert.deepEqual(
      records.map((one) => [one.surface, one.path, one.status, one.code, one.mcp_method]),
      [
        ['gateway_mcp', '/mcp', 401, 'credentials_missing', null],
        ['gateway_mcp', '/mcp', 403, 'identity_rejected', null],
        ['virtual_mcp', '/mcp/team', 404, 'not_found', null],
      ],
    )
    const large = await raw(`${head('POST /mcp', token)}Content-Length: 5000000\r\n\r\n`)
    assert.deepEqual([large.status, (await recordNamed(large.id)).code], [413, 'body_too_large'])
    const broken = await raw(`${head('POST /mcp', token)}Content-Length: 5\r\nContent-Length: 6\r\n\r\n`)
    const record = await recordNamed(broken.id)
    assert.deepEqual([broken.status, record.code], [400, 'malformed_request'])
  })

  test('a message whose body stops, or whose sender leaves, has a record', async () => {
    const { token, records } = await someone()
    const start = `${head('POST /mcp', token)}Content-Length: 50\r\nExpect: 100-continue\r\n\r\n`
    const slow = open()
    slow.write(start)
    await once(slow, 'data')
    const answered = once(slow, 'data')
    server.moveClock(31_000)
    assert.match(String((await answered)[0]), /^HTTP\/1.1 408 /)
    const gone = open()
    gone.write(start)
    await once(gone, 'data')
    gone.destroy()
    const found = await until(records, (list) => list.length === 2)
    assert.deepEqual(
      found.map((one) => [one.path, one.surface, one.status, one.code, one.aborted]),
      [
        ['/mcp', 'gateway_mcp', 408, 'request_timeout', false],
        ['/mcp', 'gateway_mcp', 0, null, true],
      ],
    )
  })

  test('whatever the wire refuses is recorded under the id that its answer carries', async () => {
    const { token } = await someone()
    const bodyFollows = `${head('POST /orders/v1/orders', token)}Transfer-Encoding: chunked\r\n\r\n`
    const refused: readonly (readonly [bytes: string, code: RefusalCode])[] = [
      // A broken body comes behind a head that is accepted
      ...HOSTILE.map(([, bytes, code]) => [bytes.replace(BODY_FOLLOWS, bodyFollows), code] as const),
      [`GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(70_000)}\r\n\r\n`, 'headers_too_large'],
      [`GET /${'x'.repeat(70_000)} HTTP/1.1\r\nHost: a\r\n\r\n`, 'uri_too_long'],
      ['GET / HTTP/2.0\r\nHost: a\r\n\r\n', 'http_version_not_supported'],
      ['GET /nowhere HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n', 'route_not_found'],
      [`${head('GET /orders/nowhere', token)}Connection: close\r\n\r\n`, 'route_not_found'],
      [`${head('POST /orders/v1/orders', token)}Content-Length: 99999999999\r\n\r\n`, 'body_too_large'],
    ]
    for (const [index, [bytes, code]] of refused.entries()) {
      // Each from an address of its own: many refusals of one are counted together
      const answer = await raw(bytes, `127.0.1.${index + 1}`)
      const what = JSON.stringify(bytes.slice(0, 100))
      assert.equal(answer.code, code, what)
      const record = await recordNamed(answer.id)
      assert.deepEqual(
        [record.code, record.status, record.surface],
        [answer.code, answer.status, 'gateway'],
        what,
      )
    }
  })

  function open(from = '127.0.0.1'): Socket {
    const port = Number(new URL(server.running.gatewayUrl).port)
    const socket = connect({ port, host: '127.0.0.1', localAddress: from })
    socket.on('error', () => {})
    return socket
  }

  const head = (line: string, token: string): string =>
    `${line} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\n`

  /** Sends bytes and reads what comes until the connection closes. */
  async function raw(
    bytes: string,
    from = '127.0.0.1',
  ): Promise<{ status: number; id: string; code: string }> {
    const socket = open(from)
    socket.write(bytes, 'latin1')
    let text = ''
    socket.on('data', (piece: Buffer) => {
      text += piece.toString('latin1')
    })
    await once(socket, 'close', { signal: AbortSignal.timeout(10_000) })
    return {
      status: Number(text.slice(9, 12)),
      id: /X-Request-ID: (\S+)/i.exec(text)?.[1] ?? '',
      code: /"code":"([a-z_]+)"/.exec(text)?.[1] ?? '',
    }
  }
})
