import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createConnection } from 'node:net'
import { after, describe, test } from 'node:test'
import { QUESTION_MS } from '../../src/mcp/protocol/sealed-elicitation.ts'
import { pending, startAskingAgent } from '../support/asking-agent.ts'
import { eventually } from '../support/eventually.ts'
import { ATTENDED_PEERS, PEERS } from '../support/mcp-clients.ts'
import { startOrders } from './orders.ts'
import { call, type Reply, until } from './server.ts'

const ENDPOINT = 'GET /orders/v1/orders/7'
const JSON_ACCEPT = { accept: 'application/json, text/event-stream' }

const { server, upstream, token, stop } = await startOrders({ workers: 2 })
after(stop)

describe('both MCP doors of a running server', () => {
  const bearer = (value: string): Record<string, string> => ({ authorization: `Bearer ${value}` })
  const rpc = (
    method: string,
    params: unknown = {},
    headers: Record<string, string> = {},
    body: unknown = { jsonrpc: '2.0', id: 1, method, params },
  ): Promise<Reply> =>
    server.gateway('POST', '/mcp', { token, headers: { ...JSON_ACCEPT, ...headers }, body })

  /** The status line of the answer to a head whose body does not come. */
  async function answerToHead(path: string, fields: string): Promise<string> {
    const socket = createConnection(Number(new URL(server.running.gatewayUrl).port), '127.0.0.1')
    socket.write(
      `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n${fields}\r\n{`,
    )
    const [data] = (await once(socket, 'data', { signal: AbortSignal.timeout(5000) })) as [Buffer]
    socket.destroy()
    return data.toString('latin1').split('\r\n', 1)[0]!
  }

  test('who proves nothing, or declares too much, is refused before the message is read', async () => {
    for (const path of ['/mcp', '/management/mcp'])
      assert.match(await answerToHead(path, 'Content-Length: 1000000\r\n'), / 401 /, path)
    const known = `Authorization: Bearer ${server.adminToken}\r\nAccept: application/json\r\n`
    assert.match(await answerToHead('/management/mcp', `${known}Content-Length: 70000000\r\n`), / 413 /)
  })

  test('execute_call reaches the collection of the endpoint, also where another has its base path', async () => {
    const ids: string[] = []
    for (const [slug, hosts] of [
      ['named', ['a.example']],
      ['any', []],
    ] as const) {
      await server.manage('POST', '/collections', {
        name: slug,
        slug,
        base_path: '/twin',
        hosts,
        upstream: { targets: [{ url: `${upstream.url}/${slug}` }] },
      })
      const proxy = {
        collection: slug,
        name: `of ${slug}`,
        methods: ['GET'],
        path: '/x',
        status: 'published',
      }
      ids.push((await server.manage('POST', '/proxies', proxy)).json.id)
      await server.manage('POST', `/collections/${slug}/publish`, {})
    }
    await server.manage('POST', '/clients', { name: 'Twins', slug: 'twins', collections: ['named', 'any'] })
    const open = { client: 'twins', name: 'Open', slug: 'open', auth: { type: 'none' } }
    await server.manage('POST', '/profiles', open)
    const peer = await PEERS['SDK v1']!(`${server.running.gatewayUrl}/mcp`, { 'x-client-id': 'twins' })
    for (const [index, url] of ['/named/x', '/any/x'].entries()) {
      const answer = await peer.call('execute_call', { endpoint: ids[index] })
      assert.equal((answer.structuredContent!['body'] as { url: string }).url, url)
    }
    await peer.close()
  })

  test('a call goes on in the trace that its message names, else in that of its request, else in a new one', async () => {
    const parent = (digit: string): string => `00-${digit.repeat(32)}-${digit.repeat(16)}-01`
    const own = { traceparent: parent('a'), tracestate: 'x=1' }
    const outer = { traceparent: parent('b'), tracestate: 'y=2' }
    for (const [meta, headers, wanted] of [
      [own, outer, own],
      [undefined, outer, outer],
      [{ ...own, tracestate: 'a\r\nb: c' }, {}, { traceparent: parent('a') }],
      [{ traceparent: 'odd' }, {}, undefined],
    ] as const) {
      const given = { endpoint: ENDPOINT, params: { headers: { traceparent: parent('c'), 'x-own': 'kept' } } }
      await rpc('tools/call', { name: 'execute_call', arguments: given, _meta: meta }, headers)
      const { traceparent, tracestate, ...others } = upstream.seen.at(-1)!.headers
      assert.equal(others['x-own'], 'kept')
      if (wanted === undefined) assert.match(String(traceparent), /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/)
      else assert.deepEqual({ traceparent, ...(tracestate === undefined ? {} : { tracestate }) }, wanted)
    }
  })

  for (const [name, connect] of Object.entries(PEERS)) {
    test(`${name} finds and calls an API on /mcp, and the record names the agent`, async () => {
      const peer = await connect(`${server.running.gatewayUrl}/mcp`, bearer(token))
      assert.equal((await peer.tools()).length, 4)
      const collections = await peer.call('list_collections', {})
      assert.equal((collections.structuredContent!['collections'] as unknown[]).length, 1)
      const endpoints = await peer.call('list_endpoints', { collection: 'orders' })
      const [endpoint] = endpoints.structuredContent!['endpoints'] as { endpoint_id: string }[]
      const contract = await peer.call('inspect_contract', { endpoint: endpoint!.endpoint_id })
      assert.equal((contract.structuredContent!['limits'] as { policy: string }[])[0]!.policy, 'gold')
      const answer = await peer.call('execute_call', { endpoint: ENDPOINT, reason: `said by ${name}` })
      assert.equal(answer.structuredContent!['status'], 200, answer.content[0]?.text)
      await peer.close()

      const id = answer.structuredContent!['request_id']
      const found = await until(
        () => server.manage('GET', `/records/${id}`),
        (reply) => reply.status === 200,
      )
      const record = found.json
      assert.equal(record.surface, 'gateway_mcp')
      assert.equal(record.path, '/orders/v1/orders/7')
      assert.equal(record.agent_name, 'test-agent')
      assert.equal(record.agent_version, '1.2.3')
      assert.equal(record.tool, 'execute_call')
      assert.equal(record.call_reason, `said by ${name}`)
      assert.equal(record.session_id !== null, name === 'SDK v1' || name === 'SDK v2, legacy era')
    })

    test(`${name} changes the configuration on /management/mcp, and the audit names the agent`, async () => {
      const url = `${server.running.gatewayUrl}/management/mcp`
      const peer = await connect(url, bearer(server.adminToken))
      assert.ok((await peer.tools()).some((tool) => tool.name === 'manage_collections'))
      const slug = `policy-${name.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')}`
      const made = await peer.call('manage_policies', { action: 'create', name: 'P', slug, limits: [] })
      assert.equal(made.structuredContent!['slug'], slug, made.content[0]?.text)
      await peer.close()
      const audit = await server.manage('GET', `/audit?resource_type=policy&resource=${slug}`)
      assert.equal(audit.json.items[0].surface, 'management_mcp')
      assert.equal(audit.json.items[0].agent.name, 'test-agent')
      const full = await connect(
        `${server.running.controlUrl}/api/v1/mcp?view=full`,
        bearer(server.adminToken),
      )
      assert.ok((await full.tools()).some((tool) => tool.name === 'create_policy'))
      await full.close()
    })
  }

  test('credentials come before the method, and each door names its own metadata', async () => {
    for (const [path, resource] of [
      ['/mcp', '/mcp'],
      ['/management/mcp', '/management/mcp'],
      ['/api/v1/mcp', '/api/v1/mcp'],
    ] as const) {
      const nobody = await server.gateway('GET', path)
      assert.equal(nobody.status, 401)
      const challenge = nobody.headers.get('www-authenticate')!
      const metadata = /resource_metadata="([^"]+)"/.exec(challenge)?.[1]
      assert.ok(metadata?.endsWith(`/.well-known/oauth-protected-resource${resource}`), challenge)
      assert.match(nobody.headers.get('x-request-id') ?? '', /^req_/)
      const known = await server.gateway('GET', path, { token: path === '/mcp' ? token : server.adminToken })
      assert.equal(known.status, 405)
      assert.equal(known.headers.get('allow'), 'POST, DELETE')
      const metadataPath = new URL(metadata!).pathname
      assert.equal((await server.gateway('GET', metadataPath)).status, 200)
    }
  })

  test('a token of one door proves nothing at the other', async () => {
    const crossed = await server.gateway('POST', '/mcp', { token: server.adminToken, body: {} })
    assert.equal(crossed.status, 401)
    const back = await server.gateway('POST', '/management/mcp', { token, body: {} })
    assert.equal(back.status, 401)
    assert.match(back.headers.get('www-authenticate')!, /error="invalid_token"/)
  })

  test('a secret leaves over MCP as a link that a person opens once', async () => {
    const { running } = server
    const modifier = await running.issueToken({ role: 'modifier', ttl: '5m', name: 'agent of ann' })
    const body = { tool: 'rotate_profile_credentials', id: 'acme:sandbox', overlap: '1h' }
    const path = '/management/mcp'
    const rotated = await server.gateway('POST', path, { token: modifier.token, body })
    assert.equal(rotated.status, 200, rotated.text)
    assert.doesNotMatch(rotated.text, /pst_pk_/)
    const link: string = rotated.json.result.token_link
    assert.ok(link.startsWith(`${running.origin}/management/secrets/`), link)
    const offered = await call('GET', link)
    assert.match(offered.text, /agent of ann/)
    assert.equal(offered.headers.get('cache-control'), 'no-store')
    const { text } = await call('POST', link)
    const [shown] = /pst_pk_\w+/.exec(text)!
    assert.equal((await server.gateway('GET', '/orders/v1/orders/7', { token: shown! })).status, 200)
    assert.equal((await call('POST', link)).status, 404)
    const trail = await server.manage('GET', '/audit?resource_type=profile&limit=3')
    assert.deepEqual(
      trail.json.items.map((item: { operation: string }) => item.operation),
      ['secret_links.open', 'secret_links.create', 'profiles.rotate'],
    )
    const secret = link.slice(link.lastIndexOf('/') + 1)
    assert.ok(![...server.log, trail.text].some((line) => line.includes(secret)))
  })

  test('a session ended on one thread has ended on all', async () => {
    const params = {
      protocolVersion: '2025-11-25',
      capabilities: {},
      clientInfo: { name: 'x', version: '1' },
    }
    const opened = await rpc('initialize', params)
    const session = opened.headers.get('mcp-session-id')!
    const ping = (): Promise<Reply> => rpc('ping', {}, { 'mcp-session-id': session, connection: 'close' })
    for (let i = 0; i < 8; i++) assert.equal((await ping()).status, 200)
    const ended = await server.gateway('DELETE', '/mcp', { token, headers: { 'mcp-session-id': session } })
    assert.equal(ended.status, 204)
    for (let i = 0; i < 8; i++) assert.equal((await ping()).status, 404)
  })

  test('a call is taken back on whatever thread its agent says so', async () => {
    const clientInfo = { name: 'x', version: '1' }
    const opened = await rpc('initialize', { protocolVersion: '2025-11-25', capabilities: {}, clientInfo })
    const headers = { 'mcp-session-id': opened.headers.get('mcp-session-id')!, connection: 'close' }
    const { answer } = upstream
    const open = new Set<string>()
    upstream.answer = (seen, response) => {
      open.add(seen.url)
      response.on('close', () => open.delete(seen.url))
    }
    // Connections of their own: most of them do not come to the thread of their call
    const ids = Array.from({ length: 12 }, (_, index) => index)
    const calls = ids.map((id) => {
      const params = { name: 'execute_call', arguments: { endpoint: `GET /orders/v1/orders/${id}` } }
      return rpc('', {}, headers, { jsonrpc: '2.0', id, method: 'tools/call', params })
    })
    await eventually(() => open.size === ids.length)
    for (const requestId of ids) {
      const params = { requestId }
      const accepted = await rpc('', {}, headers, {
        jsonrpc: '2.0',
        method: 'notifications/cancelled',
        params,
      })
      assert.equal(accepted.status, 202)
    }
    await eventually(() => open.size === 0)
    for (const { status, text } of await Promise.all(calls)) assert.deepEqual([status, text], [202, ''])
    upstream.answer = answer
  })

  test('a foreign page is refused, and so are headers that say other than the body', async () => {
    assert.equal((await rpc('ping', {}, { origin: 'https://evil.example' })).status, 403)
    assert.equal((await rpc('ping', {}, { origin: 'http://localhost:1234' })).status, 200)
    const meta = {
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientCapabilities': {},
    }
    const params = { name: 'execute_call', arguments: { endpoint: ENDPOINT }, _meta: meta }
    const headers = { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/call' }
    const before = upstream.seen.length
    for (const name of ['list_collections', '=?base64?bGlzdF9jb2xsZWN0aW9ucw==?=', '=?base64?!!?=']) {
      const refused = await rpc('tools/call', params, { ...headers, 'mcp-name': name })
      assert.equal(refused.status, 400)
      assert.equal(refused.json.error.code, -32020)
    }
    assert.equal(upstream.seen.length, before)
    const encoded = { ...headers, 'mcp-name': '=?base64?ZXhlY3V0ZV9jYWxs?=' }
    assert.equal((await rpc('tools/call', params, encoded)).json.result.structuredContent.status, 200)
    const twice = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list_collections","name":"execute_call"}}`
    assert.equal((await rpc('', {}, {}, twice)).json.error.code, -32600)
  })

  test('both doors count in the same limit', async () => {
    await server.manage('POST', '/policies', {
      name: 'Few',
      slug: 'few',
      limits: [{ name: 'minute', kind: 'rate', max: 4, window: '1m' }],
    })
    const body = { client: 'acme', name: 'Few', slug: 'few', auth: { type: 'token' }, policy: 'few' }
    const few: string = (await server.manage('POST', '/profiles', body)).json.token
    const args = { name: 'execute_call', arguments: { endpoint: ENDPOINT } }
    const overMcp = (): Promise<Reply> =>
      server.gateway('POST', '/mcp', {
        token: few,
        headers: JSON_ACCEPT,
        body: { jsonrpc: '2.0', id: 1, method: 'tools/call', params: args },
      })
    for (let i = 0; i < 2; i++) {
      assert.equal((await server.gateway('GET', '/orders/v1/orders/7', { token: few })).status, 200)
      assert.equal((await overMcp()).json.result.isError, false)
    }
    assert.equal((await server.gateway('GET', '/orders/v1/orders/7', { token: few })).status, 429)
    const { result } = (await overMcp()).json
    assert.equal(result.isError, true)
    assert.equal(result.structuredContent.code, 'rate_limit_exceeded')
    assert.ok(result.structuredContent.retry_after_ms > 0)
  })

  test('what the profile may not call does not exist for its agent', async () => {
    const body = { client: 'acme', name: 'Narrow', slug: 'narrow', auth: { type: 'token' }, collections: [] }
    const narrow: string = (await server.manage('POST', '/profiles', body)).json.token
    const asked = async (endpoint: string): Promise<Record<string, unknown>> => {
      const params = { name: 'execute_call', arguments: { endpoint } }
      const { json } = await call('POST', `${server.running.gatewayUrl}/mcp`, {
        token: narrow,
        headers: JSON_ACCEPT,
        body: { jsonrpc: '2.0', id: 1, method: 'tools/call', params },
      })
      const { request_id: _, detail: __, ...problem } = json.result.structuredContent
      return problem
    }
    assert.deepEqual(await asked(ENDPOINT), await asked('GET /nothing/like/it'))
  })

  test('a revoked token is refused on the next message, on every thread', async () => {
    const body = { client: 'acme', name: 'Brief', slug: 'brief', auth: { type: 'token' } }
    const brief: string = (await server.manage('POST', '/profiles', body)).json.token
    const list = (): Promise<Reply> =>
      server.gateway('POST', '/mcp', {
        token: brief,
        headers: { ...JSON_ACCEPT, connection: 'close' },
        body: { jsonrpc: '2.0', id: 1, method: 'tools/list' },
      })
    for (let i = 0; i < 4; i++) assert.equal((await list()).status, 200)
    assert.equal((await server.manage('POST', '/profiles/brief/revoke', {})).status, 200)
    for (let i = 0; i < 8; i++) assert.equal((await list()).status, 401)
  })

  for (const [name, connect] of Object.entries(ATTENDED_PEERS))
    test(`${name} asks its person through the gateway before something is destroyed`, async () => {
      await server.manage('POST', '/policies', { name: 'Doomed', slug: 'doomed', limits: [] })
      const asked: string[] = []
      let confirm = 'no'
      const peer = await connect(
        `${server.running.gatewayUrl}/management/mcp?confirm=elicit`,
        bearer(server.adminToken),
        ({ message }) => {
          asked.push(message)
          return { action: 'accept', content: { confirm } }
        },
      )
      const remove = () => peer.call('delete_policy', { id: 'doomed', confirm: 'doomed' })
      assert.equal((await remove()).structuredContent?.['code'], 'confirmation_required')
      confirm = 'doomed'
      assert.equal((await remove()).structuredContent?.['deleted'], true)
      assert.match(asked[1]!, /delete the policy "doomed"/)
      await peer.close()
    })

  test('a call waits for the person on its stream, and what ends the question leaves all as it was', async () => {
    const slugs = ['left', 'agreed', 'declined', 'late', 'more']
    for (const slug of slugs) await server.manage('POST', '/policies', { name: slug, slug, limits: [] })
    const isThere = async (slug: string) => (await server.manage('GET', `/policies/${slug}`)).status === 200
    const agent = await startAskingAgent(server.running.gatewayUrl, server.adminToken)
    const remove = (id: string) => agent.call('delete_policy', { id })
    const accept = (confirm: string) => ({ action: 'accept', content: { confirm } })
    const [left, agreed, declined, late] = (await Promise.all(slugs.slice(0, 4).map(remove))).map(pending)
    const crowded = await remove('more')
    assert.ok('result' in crowded)
    assert.match(String(crowded.result?.structuredContent['detail']), /too many questions/)

    assert.equal(await agent.answer(agreed!.id, accept('agreed')), 202)
    const [done] = await agreed!.rest()
    assert.equal(done?.result?.structuredContent['deleted'], true)
    assert.equal(await agent.answer(declined!.id, { action: 'decline' }), 202)
    assert.match(String((await declined!.rest())[0]?.result?.structuredContent['detail']), /declined/)

    // As many as may wait, so that a further one tells that the one that was left has ended
    pending(await remove('declined'))
    pending(await remove('declined'))
    left!.leave()
    await eventually(async () => 'question' in (await remove('more')))
    assert.equal(await agent.answer(left!.id, accept('left')), 202)

    const told = late!.rest()
    for (let minute = 1; minute < QUESTION_MS / 60_000; minute++) {
      // Silence of two minutes would end the connection
      server.moveClock(60_000)
      await eventually(() => late!.signs() === minute)
    }
    server.moveClock(61_000)
    const [withdrawn, expired] = await told
    assert.equal(withdrawn?.method, 'notifications/cancelled')
    assert.match(String(expired?.result?.structuredContent['detail']), /in time/)
    assert.equal(await agent.answer(late!.id, accept('late')), 202)
    assert.deepEqual(
      await Promise.all(slugs.map(isThere)),
      slugs.map((slug) => slug !== 'agreed'),
    )
    const trail = await server.manage('GET', '/audit?resource=agreed&action=DELETE')
    assert.equal(trail.json.items[0].agent.name, 'asking')
  })

  test('discovery has a bucket of its own: no more than 300 calls in a minute are answered, calls of endpoints go on', async () => {
    const answers: Reply[] = []
    for (let round = 0; round < 310; round += 31)
      answers.push(
        ...(await Promise.all(
          Array.from({ length: 31 }, () => rpc('tools/call', { name: 'list_collections', arguments: {} })),
        )),
      )
    const refused = answers.filter((answer) => answer.json.result.isError === true)
    assert.ok(refused.length >= 10, `${refused.length} of 310 were refused`)
    const { code, limit_name, retry_after_ms } = refused[0]!.json.result.structuredContent
    assert.deepEqual([code, limit_name], ['rate_limit_exceeded', 'discovery'])
    assert.ok(retry_after_ms > 0 && retry_after_ms <= 60_000)
    const query = '/records?code=rate_limit_exceeded&tool=list_collections&status=429&path=/mcp&limit=200'
    const recorded = await until(
      () => server.manage('GET', query),
      (reply) => reply.json.items.length >= refused.length,
    )
    assert.equal(recorded.json.items.length, refused.length, 'each refusal is recorded')
    const called = await rpc('tools/call', { name: 'execute_call', arguments: { endpoint: ENDPOINT } })
    assert.equal(called.json.result.isError, false, called.text)
    server.moveClock(61_000)
    const later = await rpc('tools/call', { name: 'list_collections', arguments: {} })
    assert.equal(later.json.result.isError, false)
  })
})
