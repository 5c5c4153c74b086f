import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import fc from 'fast-check'
import { anyJson } from '../../../test/support/any-json.ts'
import { type FakeGateway, fakeGateway, OTHER_TOKEN, TOKEN } from '../../../test/support/fake-gateway.ts'
import { PEERS } from '../../../test/support/mcp-clients.ts'
import { type Shell, serveIncoming, TAKEN } from '../../../test/support/mcp-shell.ts'
import { createSessionMemory } from '../../../test/support/session-memory.ts'
import { createClock } from '../../base/clock.ts'
import { createAllowedOrigins } from '../../base/http/origins.ts'
import { createThreadEvents } from '../../shared-state/memory/shared-cells.ts'
import { createRunningCalls } from '../http/message.ts'
import { createConsumerDoor } from './door.ts'

const FOUR = ['list_collections', 'list_endpoints', 'inspect_contract', 'execute_call']

describe('the Gateway MCP door', () => {
  let gateway: FakeGateway
  let shell: Shell
  const faults: unknown[] = []

  before(async () => {
    gateway = fakeGateway()
    let count = 0
    const door = createConsumerDoor({
      gateway,
      sealKey: new Uint8Array(32).fill(7),
      ...createSessionMemory(),
      running: createRunningCalls(createThreadEvents(() => {})),
      origin: 'http://localhost:8080',
      allowsOrigin: createAllowedOrigins(['http://localhost:8080'], null, true),
      corsLines: () => '',
      version: '0.0.0',
      clock: createClock(),
      requestId: () => `req_${++count}`,
      taken: TAKEN,
      fault: (error) => faults.push(error),
    })
    shell = await serveIncoming(door)
  })
  beforeEach(() => {
    gateway.calls.length = 0
    gateway.reply = () => ({})
    gateway.refused = false
  })
  after(async () => {
    await shell.close()
    assert.deepEqual(faults, [])
  })

  const headers = { authorization: `Bearer ${TOKEN}` }

  for (const [name, connect] of Object.entries(PEERS))
    test(`${name} lists the four tools and calls each of them`, async () => {
      const peer = await connect(`${shell.url}/mcp`, headers)
      assert.deepEqual(
        (await peer.tools()).map((tool) => tool.name),
        FOUR,
      )
      const collections = await peer.call('list_collections', {})
      assert.deepEqual(collections.structuredContent?.['collections'], [
        {
          collection_id: 'col_files',
          slug: 'files',
          name: 'Files',
          description: 'All about files.',
          base_path: '/files',
          published_endpoints: 1,
        },
        {
          collection_id: 'col_orders',
          slug: 'orders',
          name: 'Orders',
          description: 'All about orders.',
          base_path: '/orders',
          published_endpoints: 6,
        },
      ])
      assert.deepEqual(JSON.parse(collections.content[0]!.text!), collections.structuredContent)
      const endpoints = await peer.call('list_endpoints', { collection: 'Orders', tags: ['read'] })
      assert.equal((endpoints.structuredContent!['endpoints'] as unknown[]).length, 3)
      const contract = await peer.call('inspect_contract', { endpoint: 'Get order' })
      assert.equal(contract.structuredContent?.['endpoint_id'], 'prx_get-order')
      const answer = await peer.call('execute_call', {
        endpoint: 'GET /orders/v1/orders/{id}',
        params: { path: { id: '7' } },
        reason: 'a test',
      })
      assert.deepEqual(answer.structuredContent?.['body'], { method: 'GET', target: '/orders/v1/orders/7' })
      assert.equal(answer.isError, false)
      const { agent } = gateway.calls[0]!
      assert.deepEqual(
        [agent.name, agent.version, agent.tool, agent.reason],
        ['test-agent', '1.2.3', 'execute_call', 'a test'],
      )
      const refusal = await peer.call('execute_call', { endpoint: 'nothing like it' })
      assert.equal(refusal.isError, true)
      assert.equal(refusal.structuredContent?.['code'], 'endpoint_not_found')
      await assert.rejects(peer.call('no_such_tool', {}), /Unknown tool/)
      const incomplete = await peer.call('execute_call', {})
      assert.equal(incomplete.isError, true)
      assert.equal(incomplete.structuredContent?.['detail'], '/endpoint: is required')
      await peer.close()
    })

  function post(body: unknown, more: Record<string, string> = {}): Promise<Response> {
    return fetch(`${shell.url}/mcp`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        ...headers,
        ...more,
      },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    })
  }
  const call = (args: unknown, name = 'execute_call') => ({
    jsonrpc: '2.0',
    id: 1,
    method: 'tools/call',
    params: { name, arguments: args },
  })
  async function execute(args: unknown, name?: string): Promise<Record<string, unknown>> {
    const answer = (await (await post(call(args, name))).json()) as {
      result: { structuredContent: Record<string, unknown>; isError: boolean }
    }
    return { ...answer.result.structuredContent, isError: answer.result.isError }
  }

  test('numbers keep their digits from the message to the call, and from the answer to the result', async () => {
    const numbers = '[12345678901234567890,1.0,1e400,0.10000000000000000001]'
    gateway.reply = () => ({
      fields: 'content-type: application/json\r\n',
      body: Buffer.from(`{"kept":${numbers},"other":1}`),
    })
    for (const fields of [undefined, ['kept']]) {
      const body = JSON.stringify(
        call({ endpoint: 'create-order', params: { query: { q: 'N' }, body: { n: 'N' } }, fields }),
      ).replaceAll('"N"', numbers)
      const answer = await fetch(`${shell.url}/mcp`, {
        method: 'POST',
        headers: { ...headers, 'content-type': 'application/json' },
        body,
      })
      const text = await answer.text()
      const made = gateway.calls.at(-1)!
      assert.equal(Buffer.from(made.body!).toString(), `{"n":${numbers}}`)
      assert.match(made.target, /\?q=12345678901234567890&q=1\.0&q=1e400&q=0\.10000000000000000001$/)
      assert.ok(text.includes(`"body":{"kept":${numbers}`), text)
    }
  })

  test('a call without credentials is challenged, whatever its method', async () => {
    for (const method of ['GET', 'POST', 'DELETE']) {
      const answer = await fetch(`${shell.url}/mcp`, { method })
      assert.equal(answer.status, 401)
      assert.equal(
        answer.headers.get('www-authenticate'),
        'Bearer resource_metadata="http://localhost:8080/.well-known/oauth-protected-resource/mcp", scope="mcp:tools mcp:prompts mcp:resources"',
      )
      assert.equal(answer.headers.get('content-type'), 'application/problem+json')
      assert.match(answer.headers.get('x-request-id') ?? '', /^req_/)
    }
  })

  test('a wrong credential is named in the challenge and a refused identity gets 403', async () => {
    const wrong = await post({}, { authorization: 'Bearer wrong' })
    assert.equal(wrong.status, 401)
    assert.match(wrong.headers.get('www-authenticate') ?? '', /error="invalid_token"$/)
    gateway.refused = true
    const refused = await post({})
    assert.equal(refused.status, 403)
    assert.equal(((await refused.json()) as { code: string }).code, 'profile_inactive')
  })

  test('GET after authentication is 405 with Allow', async () => {
    const answer = await fetch(`${shell.url}/mcp`, { headers })
    assert.equal(answer.status, 405)
    assert.equal(answer.headers.get('allow'), 'POST, DELETE')
  })

  test('a foreign Origin is refused before credentials are looked at', async () => {
    const answer = await post({}, { origin: 'https://evil.example', authorization: '' })
    assert.equal(answer.status, 403)
    assert.equal(
      (await post({ jsonrpc: '2.0', id: 1, method: 'ping' }, { origin: 'http://localhost:6274' })).status,
      200,
    )
  })

  test('a session of one profile is unknown to another', async () => {
    const opened = await post({
      jsonrpc: '2.0',
      id: 1,
      method: 'initialize',
      params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'a', version: '1' } },
    })
    const session = opened.headers.get('mcp-session-id')!
    const ping = { jsonrpc: '2.0', id: 2, method: 'ping' }
    assert.equal((await post(ping, { 'mcp-session-id': session })).status, 200)
    const foreign = { 'mcp-session-id': session, authorization: `Bearer ${OTHER_TOKEN}` }
    assert.equal((await post(ping, foreign)).status, 404)
    assert.equal((await post(ping)).status, 200)
  })

  test('a concrete path fills the parameters, and the more literal endpoint wins', async () => {
    assert.deepEqual((await execute({ endpoint: 'GET /orders/v1/orders/45821' }))['body'], {
      method: 'GET',
      target: '/orders/v1/orders/45821',
    })
    assert.equal((await execute({ endpoint: '/orders/v1/orders/search?q=a%20b' }))['status'], 200)
    assert.equal(gateway.calls.at(-1)!.target, '/orders/v1/orders/search?q=a%20b')
    await execute({ endpoint: 'POST /orders/v1/orders/7:cancel' })
    assert.equal(gateway.calls.at(-1)!.target, '/orders/v1/orders/7:cancel')
    await execute({ endpoint: 'prx_cancel-order', params: { id: 'a:b' } })
    assert.equal(gateway.calls.at(-1)!.target, '/orders/v1/orders/a%3Ab:cancel')
    await execute({ endpoint: 'GET /files/v1/raw/a/b c' })
    assert.equal(gateway.calls.at(-1)!.target, '/files/v1/raw/a/b%20c')
  })

  test('a method the path does not have is left to the gateway to refuse', async () => {
    await execute({ endpoint: 'DELETE /orders/v1/orders/7' })
    assert.equal(gateway.calls.at(-1)!.method, 'DELETE')
    assert.equal(gateway.calls.at(-1)!.target, '/orders/v1/orders/7')
  })

  test('an endpoint with several methods needs one', async () => {
    const refused = await execute({ endpoint: 'change-order', params: { id: 7 } })
    assert.equal(refused['code'], 'parameter_invalid')
    assert.deepEqual(refused['errors'], [{ pointer: '/method', reason: 'must be one of PUT, PATCH' }])
    await execute({ endpoint: 'change-order', params: { id: 7, body: { a: 1 } }, method: 'patch' })
    assert.equal(gateway.calls.at(-1)!.method, 'PATCH')
  })

  test('an ambiguous endpoint lists its candidates, and the method may decide', async () => {
    const refused = await execute({ endpoint: '/orders/v1/orders' })
    assert.equal(refused['code'], 'endpoint_ambiguous')
    assert.deepEqual(
      (refused['candidates'] as { endpoint_id: string }[]).map((item) => item.endpoint_id),
      ['prx_list-orders', 'prx_create-order'],
    )
    await execute({ endpoint: '/orders/v1/orders', method: 'POST', params: { body: {} } })
    assert.equal(gateway.calls.at(-1)!.method, 'POST')
  })

  test('a value cannot leave its segment', async () => {
    for (const id of ['../admin', 'a/b', 'a\\b', '..', '.', '', 'a\u0000b', '\ud800']) {
      const refused = await execute({ endpoint: 'get-order', params: { path: { id } } })
      assert.equal(refused['code'], 'parameter_invalid', JSON.stringify(id))
    }
    assert.equal(gateway.calls.length, 0)
    await execute({ endpoint: 'get-order', params: { path: { id: 'a?b#c%2f d' } } })
    assert.equal(gateway.calls[0]!.target, '/orders/v1/orders/a%3Fb%23c%252f%20d')
  })

  test('flat parameters go where the contract declares them', async () => {
    await execute({ endpoint: 'list-orders', params: { status: 'open', limit: 5, 'x-tenant': 't1' } })
    assert.equal(gateway.calls[0]!.target, '/orders/v1/orders?status=open&limit=5')
    assert.match(gateway.calls[0]!.fields, /^x-tenant: t1\r\n/)
  })

  test('a flat parameter that is declared twice, given twice or not declared is an error', async () => {
    const twice = await execute({ endpoint: 'get-order', params: { id: '7' } })
    assert.deepEqual(twice['errors'], [
      { pointer: '/params/id', reason: 'is declared in path and query; put it into one of them' },
    ])
    const both = await execute({ endpoint: 'list-orders', params: { status: 'a', query: { status: 'b' } } })
    assert.deepEqual(both['errors'], [{ pointer: '/params/status', reason: 'is also given in query' }])
    const unknown = await execute({ endpoint: 'list-orders', params: { colour: 'red' } })
    assert.equal(unknown['code'], 'parameter_invalid')
  })

  test('another spelling of a declared name is refused in the query and at any depth of the body', async () => {
    const order = { sku: 'a', lines: [{ n: 1 }] }
    for (const [endpoint, params, pointer] of [
      ['list-orders', { query: { status: 'open', Status: 'hidden' } }, '/params/query/Status'],
      ['list-orders', { query: { 'status\0': 'hidden' } }, '/params/query/status\0'],
      ['list-orders', { query: { '\u017ftatus': 'hidden' } }, '/params/query/\u017ftatus'],
      ['create-order', { body: { ...order, SKU: 'b' } }, '/params/body/SKU'],
      ['create-order', { body: { ...order, lines: [{ n: 1, N: 2 }] } }, '/params/body/lines/0/N'],
    ] as const) {
      const answer = await execute({ endpoint, params })
      assert.equal(answer['code'], 'parameter_invalid', pointer)
      const [first] = answer['errors'] as readonly { readonly pointer: string }[]
      assert.ok(first!.pointer.startsWith(pointer.split('\0')[0]!), first!.pointer)
    }
    assert.deepEqual(gateway.calls, [])
    await execute({ endpoint: 'create-order', params: { body: { ...order, Other: 1, other: 2 } } })
    assert.equal(gateway.calls.length, 1, 'names that nothing declares may be like each other')
  })

  test('lists repeat a query parameter and objects become bracketed names', async () => {
    await execute({
      endpoint: 'list-orders',
      params: { query: { tag: ['a', 'b c'], created: { gte: 5 }, none: null } },
    })
    assert.equal(gateway.calls[0]!.target, '/orders/v1/orders?tag=a&tag=b%20c&created%5Bgte%5D=5')
  })

  test('headers of identity and framing are not sent and the agent is told', async () => {
    const answer = await execute({
      endpoint: 'list-orders',
      params: { headers: { Authorization: 'Bearer x', 'Content-Length': '3', 'X-Tenant': 'a' } },
      idempotency_key: 'k1',
    })
    assert.equal(gateway.calls[0]!.fields, 'x-tenant: a\r\nidempotency-key: k1\r\n')
    assert.equal(gateway.calls[0]!.ownFields, 'accept: application/json, */*;q=0.5\r\n')
    await execute({ endpoint: 'list-orders', params: { headers: { Accept: 'text/csv' } } })
    assert.equal(gateway.calls[1]!.fields, 'accept: text/csv\r\n')
    assert.equal(gateway.calls[1]!.ownFields, '')
    assert.match(String(answer['hint']), /Authorization, Content-Length/)
    const split = await execute({ endpoint: 'list-orders', params: { headers: { a: 'b\r\nc: d' } } })
    assert.equal(split['code'], 'parameter_invalid')
  })

  test('bodies are JSON unless another type is named', async () => {
    const sent = async (params: unknown): Promise<string> => {
      await execute({ endpoint: 'create-order', params })
      const { body, fields, ownFields } = gateway.calls.at(-1)!
      const type = /content-type: (.*)\r\n/.exec(fields + ownFields)?.[1] ?? ''
      return `${type} ${Buffer.from(body ?? []).toString()}`
    }
    assert.equal(await sent({ body: { sku: 'a' } }), 'application/json {"sku":"a"}')
    assert.equal(await sent({ body: '{"sku":"a"}' }), 'application/json {"sku":"a"}')
    assert.equal(await sent({ body: 'plain' }), 'application/json "plain"')
    assert.equal(await sent({ body: 'a;b', headers: { 'Content-Type': 'text/csv' } }), 'text/csv a;b')
    const form = {
      body: { a: 1, b: 'c d' },
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    }
    assert.equal(await sent(form), 'application/x-www-form-urlencoded a=1&b=c%20d')
  })

  test('the aliases of tools and arguments work unlisted', async () => {
    assert.equal(
      (await execute({ endpoint_id: 'prx_get-order' }, 'endpoint_details'))['endpoint_id'],
      'prx_get-order',
    )
    assert.equal(
      (await execute({ endpoint_id: 'GET /orders/v1/orders/1' }, 'execute_endpoint'))['status'],
      200,
    )
    assert.equal(gateway.calls[0]!.agent.tool, 'execute_endpoint')
    assert.equal((await execute({ endpoint: 'a', endpoint_id: 'b' }))['code'], 'parameter_invalid')
  })

  test('wrong arguments are an error result with a pointer and a call that would be right', async () => {
    for (const [tool, given, pointer] of [
      ['execute_call', { endpoint: 7 }, '/endpoint'],
      ['execute_call', {}, '/endpoint'],
      ['execute_call', { endpoint: 'get-order', verb: 'GET' }, '/verb'],
      ['execute_call', { endpoint: 'prx_get-order', params: { path: { nr: 7 } } }, '/params/path/nr'],
      ['execute_call', { endpoint: 'prx_get-order', method: 'FETCH' }, '/method'],
      ['list_endpoints', { limit: 'many' }, '/limit'],
      ['list_endpoints', { cursor: 'nonsense' }, '/cursor'],
    ] as const) {
      const answer = (await (await post(call(given, tool))).json()) as {
        result: { isError: boolean; structuredContent: Record<string, unknown> }
      }
      const { isError, structuredContent: content } = answer.result
      assert.deepEqual([isError, content['code']], [true, 'parameter_invalid'], JSON.stringify(given))
      assert.equal((content['errors'] as { pointer: string }[])[0]!.pointer, pointer)
      const { name, arguments: right } = content['example'] as { name: string; arguments: object }
      assert.equal(name, tool)
      const again = await execute(right, name)
      assert.deepEqual([again['isError'], again['code']], [false, undefined], JSON.stringify(right))
    }
  })

  test('an unknown tool, and arguments that are no object, are protocol errors', async () => {
    for (const [params, pointer] of [
      [{ name: 'no_such', arguments: {} }, '/params/name'],
      [{ name: 'execute_call', arguments: 'x' }, '/params/arguments'],
    ] as const) {
      const body = { jsonrpc: '2.0', id: 1, method: 'tools/call', params }
      const { error } = (await (await post(body)).json()) as {
        error: { code: number; data: { pointer: string } }
      }
      assert.deepEqual([error.code, error.data.pointer], [-32602, pointer])
    }
  })

  test('pages of endpoints follow each other without a gap', async () => {
    const seen: string[] = []
    let cursor: unknown
    do {
      const page = await execute({ limit: 2, ...(cursor === undefined ? {} : { cursor }) }, 'list_endpoints')
      seen.push(...(page['endpoints'] as { endpoint_id: string }[]).map((item) => item.endpoint_id))
      cursor = page['next_cursor'] ?? undefined
    } while (cursor !== undefined)
    assert.equal(seen.length, 7)
    assert.equal(new Set(seen).size, 7)
    assert.equal((await execute({ cursor: 'nonsense' }, 'list_endpoints'))['code'], 'parameter_invalid')
    assert.equal((await execute({ collection: 'hidden' }, 'list_endpoints'))['code'], 'not_found')
  })

  test('a contract shows parameters, limits and an example that can be executed', async () => {
    const contract = await execute({ endpoint: 'list-orders' }, 'inspect_contract')
    assert.deepEqual(contract['path_params'], [])
    assert.deepEqual(contract['query_params'], [
      { name: 'status', required: true, type: 'string', description: '', enum: ['open', 'shipped'] },
      { name: 'limit', required: false, type: 'integer', description: '' },
    ])
    assert.deepEqual(contract['header_params'], [
      { name: 'X-Tenant', required: false, type: 'string', description: '' },
    ])
    assert.deepEqual(contract['limits'], [
      { attached_to: 'client', policy: 'gold', name: 'minute', kind: 'rate', max: 1000, window: '1m' },
    ])
    assert.deepEqual(contract['call_example'], {
      name: 'execute_call',
      arguments: { endpoint: 'prx_list-orders', params: { query: { status: 'open' } } },
    })
    assert.deepEqual(contract['response_schema'], {
      type: 'array',
      items: { type: 'object', properties: { id: { type: 'string' } } },
    })
    const create = await execute({ endpoint: 'create-order' }, 'inspect_contract')
    const example = create['call_example'] as { arguments: { params: { body: unknown } } }
    assert.deepEqual(example.arguments.params.body, { sku: 'value', lines: [{ n: 1 }] })
    const answer = await execute(example.arguments)
    assert.equal(answer['isError'], false)
    assert.equal(gateway.calls.length, 1)
  })

  test('a contract is refused for a method that the endpoint does not answer', async () => {
    for (const [args, pointer, allow] of [
      [{ endpoint: 'DELETE /orders/v1/orders/{id}' }, '/endpoint', ['GET', 'PUT', 'PATCH']],
      [{ endpoint: '/orders/v1/orders/7', method: 'delete' }, '/method', ['GET', 'PUT', 'PATCH']],
      [{ endpoint: 'prx_change-order', method: 'GET' }, '/method', ['PUT', 'PATCH']],
      [{ endpoint: 'Create order', method: 'NONSENSE' }, '/method', ['POST']],
    ] as const) {
      const answer = await execute(args, 'inspect_contract')
      assert.deepEqual([answer['isError'], answer['code']], [true, 'method_not_allowed'])
      assert.deepEqual(answer['allow'], allow)
      assert.equal((answer['errors'] as { pointer: string }[])[0]?.pointer, pointer)
    }
    const head = await execute({ endpoint: 'HEAD /orders/v1/orders/7' }, 'inspect_contract')
    assert.equal(head['endpoint_id'], 'prx_get-order')
    const patch = await execute({ endpoint: 'prx_change-order', method: 'patch' }, 'inspect_contract')
    assert.equal(patch['endpoint_id'], 'prx_change-order')
  })

  test('an error of the upstream is an error with its status and body', async () => {
    gateway.reply = () => ({ status: 422, body: Buffer.from('{"error":"no"}'), bodyBytes: 14 })
    const answer = await execute({ endpoint: 'GET /orders/v1/orders/1' })
    assert.equal(answer['isError'], true)
    assert.equal(answer['status'], 422)
    assert.deepEqual(answer['body'], { error: 'no' })
    assert.match(String(answer['hint']), /inspect_contract/)
  })

  test('a refusal of a check shows its code and when to try again', async () => {
    const body = Buffer.from(
      JSON.stringify({
        title: 'Rate limit exceeded',
        detail: 'Too many.',
        code: 'rate_limit_exceeded',
        retry_after_ms: 1500,
      }),
    )
    gateway.reply = () => ({
      status: 429,
      code: 'rate_limit_exceeded',
      fields: 'Content-Type: application/problem+json\r\nRetry-After: 2\r\n',
      body,
      bodyBytes: body.length,
    })
    const answer = await execute({ endpoint: 'GET /orders/v1/orders/1' })
    assert.equal(answer['isError'], true)
    assert.equal(answer['code'], 'rate_limit_exceeded')
    assert.equal(answer['retry_after_ms'], 1500)
    assert.equal(answer['request_id'], 'req_inner')
  })

  test('only selected headers are shown', async () => {
    const answer = await execute({ endpoint: 'GET /orders/v1/orders/1' })
    assert.deepEqual(answer['headers'], { 'content-type': 'application/json', etag: '"1"' })
    assert.equal(answer['duration_ms'], 1.235)
  })

  test('numbers beyond what JavaScript holds keep their digits', async () => {
    gateway.reply = () => ({ body: Buffer.from('{"id":12345678901234567890}'), bodyBytes: 27 })
    const text = await (await post(call({ endpoint: 'GET /orders/v1/orders/1' }))).text()
    assert.match(text, /"body":\{"id":12345678901234567890\}/)
  })

  test('arbitrary arguments are answered, and what reaches the gateway is well formed', async () => {
    const value = anyJson({ maxDepth: 2 }) as fc.Arbitrary<unknown>
    const text = fc.oneof(fc.string({ maxLength: 8 }), fc.string({ unit: 'binary', maxLength: 4 }))
    const refs = fc.oneof(
      fc.constantFrom('prx_get-order', 'GET /orders/v1/orders/{id}', 'list-orders', 'POST /orders/v1/orders'),
      text.map((end) => `GET /orders/v1/orders/${end}`),
      text.map((end) => `GET /files/v1/raw/${end}`),
    )
    const scalar = fc.oneof(text, fc.integer(), fc.boolean())
    const header = fc.oneof(fc.constantFrom('X-A', 'Authorization', 'host', 'Content-Length'), text)
    const params = fc.record(
      {
        path: fc.record({ id: scalar }),
        query: fc.dictionary(text, fc.oneof(scalar, fc.array(scalar, { maxLength: 2 })), { maxKeys: 2 }),
        headers: fc.dictionary(header, fc.oneof(fc.constant('v'), text), { maxKeys: 1 }),
        body: value,
      },
      { requiredKeys: ['path'] },
    )
    const likely = fc.record({ endpoint: refs, params }, { requiredKeys: ['endpoint'] })
    const calls = fc.oneof(
      { arbitrary: fc.tuple(fc.constant('execute_call'), likely), weight: 4 },
      { arbitrary: fc.tuple(fc.constantFrom(...FOUR, 'x'), value), weight: 1 },
      {
        arbitrary: fc.tuple(fc.constant('execute_call'), fc.record({ endpoint: refs, params: value })),
        weight: 1,
      },
    )
    await fc.assert(
      fc.asyncProperty(calls, async ([name, given]) => {
        const answer = await post(call(given, name))
        assert.equal(answer.status, 200)
        await answer.json()
      }),
      { numRuns: 400 },
    )
    assert.ok(gateway.calls.length > 20)
    for (const { target, fields } of gateway.calls) {
      assert.match(target, /^\/(orders|files)\/v1\/[!-~]*$/)
      assert.doesNotMatch(target, /#|\/\.{1,2}(\/|\?|$)/)
      assert.match(fields, /^([!#$%&'*+.^_`|~0-9a-z-]+: [\t -~]*\r\n)*$/)
      assert.doesNotMatch(
        fields,
        /^(authorization|host|content-length|connection|transfer-encoding|x-client-id):/m,
      )
    }
  })
})
