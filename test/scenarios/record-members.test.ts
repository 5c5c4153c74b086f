import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { readdirSync, statSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { RequestRecord } from '../../src/model/record.ts'
import { ownPort } from '../support/ports.ts'
import { publishOrders, type Reply, startTestServer, type TestServer } from './server.ts'
import { startUpstream, type TestUpstream } from './upstream.ts'

const TRACE = '0af7651916cd43dd8448eb211c80319c'

describe('what a record says of a request', () => {
  let server: TestServer
  let upstream: TestUpstream
  let token: string

  before(async () => {
    upstream = await startUpstream()
    server = await startTestServer({ workers: 2 })
    token = await publishOrders(server, upstream.url)
  })
  after(async () => {
    await server?.stop()
    await upstream?.[Symbol.asyncDispose]()
  })

  async function recordOf(answer: Reply): Promise<RequestRecord> {
    const id = answer.headers.get('x-request-id')
    const found = await server.manage('GET', `/records/${id}`)
    assert.equal(found.status, 200, found.text)
    return found.json
  }

  test('a call over REST names trace, server, nearest limit, and the agent and conversation of its headers', async () => {
    const headers = {
      'x-agent-name': 'nightly-sync',
      'x-conversation-id': 'talk-7',
      traceparent: `00-${TRACE}-b7ad6b7169203331-01`,
    }
    const record = await recordOf(await server.gateway('GET', '/orders/v1/orders/7', { token, headers }))
    assert.deepEqual(
      [record.agent_name, record.conversation_id, record.trace_id, record.upstream_target],
      ['nightly-sync', 'talk-7', TRACE, upstream.url],
    )
    assert.deepEqual(
      [record.nearest_limit, record.retries, record.cache, record.check, record.stopped_at],
      ['gold/minute', 0, null, null, null],
    )
    assert.deepEqual([record.outcome_class, record.failure_origin, record.count], ['success', null, 1])
    assert.equal(upstream.seen.at(-1)?.headers['x-agent-name'], 'nightly-sync', 'it goes on to the upstream')
    for (const query of [
      `trace_id=${TRACE}`,
      'agent_name=nightly-sync',
      'conversation_id=talk-7&outcome_class=success',
      `upstream_target=${encodeURIComponent(upstream.url)}&nearest_limit=gold/minute`,
    ]) {
      const { json } = await server.manage('GET', `/records?${query}`)
      assert.ok(
        json.items.some(({ id }: RequestRecord) => id === record.id),
        query,
      )
    }
  })

  test('names that callers give themselves are cut at their bound, with a mark', async () => {
    const long = 'n'.repeat(5000)
    const record = await recordOf(
      await server.gateway('GET', `/orders/v1/orders/${long}`, {
        token,
        headers: { 'x-agent-name': long, 'x-conversation-id': long },
      }),
    )
    const { agent_name, conversation_id, path } = record
    assert.deepEqual(
      [agent_name?.length, conversation_id?.length, path.length, path.at(-1), agent_name?.at(-1)],
      [256, 256, 2048, '…', '…'],
    )
  })

  test('an answer of the upstream, a refusal by a limit and a faulty request say whose failure they are', async () => {
    const answer = upstream.answer
    upstream.answer = (_, response) => response.writeHead(404).end()
    const missing = await recordOf(await server.gateway('GET', '/orders/v1/orders/7', { token }))
    upstream.answer = answer
    assert.deepEqual(
      [missing.outcome_class, missing.failure_origin, missing.check],
      ['application_error', 'upstream', null],
    )
    const one = { name: 'One', slug: 'one', limits: [{ name: 'once', kind: 'rate', max: 1, window: '1h' }] }
    await server.manage('POST', '/policies', one)
    await server.manage('PATCH', '/proxies/get-order', { policy: 'one' })
    await server.gateway('GET', '/orders/v1/orders/7', { token })
    const limited = await recordOf(await server.gateway('GET', '/orders/v1/orders/7', { token }))
    await server.manage('PATCH', '/proxies/get-order', { policy: null })
    assert.deepEqual(
      [limited.status, limited.check, limited.stopped_at, limited.nearest_limit],
      [429, 'limits', 13, 'one/once'],
    )
    assert.deepEqual([limited.outcome_class, limited.failure_origin], ['gateway_error', 'policy'])
    const wrong = await recordOf(await server.gateway('GET', '/orders/v1/orders/7', { token: `${token}x` }))
    assert.deepEqual([wrong.outcome_class, wrong.failure_origin], ['gateway_error', 'client'])
    const found = await server.manage('GET', '/records?check=limits&failure_origin=policy')
    assert.deepEqual(
      found.json.items.map(({ id }: RequestRecord) => id),
      [limited.id],
    )
    const counted = await server.manage('GET', '/metrics/overview?failure_origin=policy&check=limits')
    assert.equal(counted.json.requests, 1)
  })

  test('what the cache did, and how often another server was asked, are recorded', async () => {
    const dead = `http://127.0.0.1:${await ownPort()}`
    const stock = await server.manage('POST', '/collections', {
      name: 'Stock',
      slug: 'stock',
      base_path: '/stock',
      upstream: {
        targets: [{ url: dead }, { url: upstream.url }],
        retries: { max: 1 },
      },
    })
    assert.equal(stock.status, 201, stock.text)
    const made = await server.manage('POST', '/proxies', {
      collection: 'stock',
      name: 'Item',
      methods: ['GET'],
      path: '/items/{id}',
      status: 'published',
      cache: { ttl: '10m', scope: 'client' },
    })
    assert.equal(made.status, 201, made.text)
    await server.manage('POST', '/collections/stock/publish', {})
    await server.manage('PATCH', '/clients/acme', { collections: ['orders', 'stock'] })
    const answer = upstream.answer
    upstream.answer = (_, response) => response.setHeader('cache-control', 'max-age=60').end('{}')
    const seen: RequestRecord[] = []
    for (let i = 0; i < 12; i++)
      seen.push(await recordOf(await server.gateway('GET', `/stock/items/${i % 4}`, { token })))
    const bypassing = { token, headers: { 'cache-control': 'no-store' } }
    seen.push(await recordOf(await server.gateway('GET', '/stock/items/1', bypassing)))
    upstream.answer = answer
    assert.deepEqual(new Set(seen.map(({ cache }) => cache)), new Set(['miss', 'hit', 'bypass']))
    assert.ok(
      seen.some(({ retries, upstream_target }) => retries === 1 && upstream_target === upstream.url),
      JSON.stringify(seen.map(({ retries, upstream_target }) => [retries, upstream_target])),
    )
    for (const hit of seen.filter(({ cache }) => cache === 'hit'))
      assert.deepEqual([hit.upstream_target, hit.upstream_ms], [null, null])
  })

  test('a signed token gives the subject and the OAuth client that it was issued to', async () => {
    const made = await server.manage('POST', '/profiles', {
      client: 'acme',
      name: 'Signed',
      slug: 'signed',
      auth: { type: 'jwt', issuer: 'https://issuer.test', audience: 'orders' },
    })
    assert.equal(made.status, 201, made.text)
    const now = Math.floor(Date.now() / 1000)
    const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
    const claims = {
      iss: 'https://issuer.test',
      aud: 'orders',
      sub: 'ann',
      azp: 'desktop-agent',
      iat: now,
      exp: now + 600,
    }
    const signed = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims)}`
    const jwt = `${signed}.${createHmac('sha256', made.json.signing_secret).update(signed).digest('base64url')}`
    const record = await recordOf(await server.gateway('GET', '/orders/v1/orders/7', { token: jwt }))
    assert.deepEqual(
      [record.status, record.subject, record.agent_host],
      [200, 'ann', 'desktop-agent'],
      JSON.stringify(record),
    )
    const found = await server.manage('GET', '/records?subject=ann&agent_host=desktop-agent')
    assert.equal(found.json.items.length, 1)
  })

  test('a flood of refused requests with long paths drops no record of a caller with a token, and stays small', async () => {
    const size = (): number =>
      readdirSync(server.data)
        .filter((name) => name.startsWith('records.db'))
        .reduce((sum, name) => sum + statSync(join(server.data, name)).size, 0)
    // What other tests have left is stored
    await server.manage('GET', '/records?limit=1')
    const before = size()
    const from = new Date().toISOString()
    const agent = new Agent({ keepAlive: true, maxSockets: 16 })
    const { hostname, port } = new URL(server.running.gatewayUrl)
    const ask = (path: string, headers: Record<string, string> = {}): Promise<number> =>
      new Promise((done, failed) => {
        const sent = request({ agent, hostname, port, path, headers }, (answer) => {
          answer.resume()
          answer.on('end', () => done(answer.statusCode ?? 0))
        })
        sent.on('error', failed).end()
      })
    const authorization = { authorization: `Bearer ${token}`, 'x-conversation-id': 'under-fire' }
    let next = 0
    const floods = Array.from({ length: 16 }, async () => {
      while (next < 4000) {
        const number = next++
        const known = number % 100 === 0
        const path = known ? `/orders/v1/orders/${number}` : `/nowhere/${number}/${'x'.repeat(6000)}`
        assert.equal(await ask(path, known ? authorization : {}), known ? 200 : 404)
      }
    })
    await Promise.all(floods)
    agent.destroy()
    const minutes = Math.floor(Date.now() / 60_000) - Math.floor(Date.parse(from) / 60_000) + 1
    server.moveClock(60_000)
    const known = await server.manage('GET', '/records?conversation_id=under-fire&limit=200')
    assert.equal(known.json.items.length, 40)
    const { json } = await server.manage('GET', `/records?code=route_not_found&from=${from}&limit=200`)
    const refused = json.items as RequestRecord[]
    // Ten and an aggregate of each of two threads
    assert.ok(refused.length <= 22 * minutes, `${refused.length} records in ${minutes} minutes`)
    assert.equal(
      refused.reduce((sum, { count }) => sum + count, 0),
      3960,
    )
    const counted = await server.manage('GET', `/metrics/overview?status=404&from=${from}`)
    assert.equal(counted.json.requests, 3960)
    assert.ok(size() - before < 2_000_000, `${size() - before} bytes`)
    const { recorder } = (await server.gateway('GET', '/readyz')).json
    assert.equal(recorder.dropped, 0)
  })
})
