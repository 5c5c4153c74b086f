import assert from 'node:assert/strict'
import { test } from 'node:test'
import { publishOrders, startTestServer, until } from './server.ts'
import { startUpstream } from './upstream.ts'

const ORDER = '/orders/v1/orders/1'

test('behind a trusted proxy the caller is known by its own address', async () => {
  await using upstream = await startUpstream()
  await using server = await startTestServer({ flags: ['--trusted-proxies', '127.0.0.0/8,10.0.0.0/8'] })
  const token = await publishOrders(server, upstream.url)
  const ask = (headers: Record<string, string>, auth = token) =>
    server.gateway('GET', ORDER, { token: auth, headers })

  const answer = await ask({
    'x-forwarded-for': '203.0.113.1, 192.0.2.7, 10.1.1.1',
    'x-forwarded-proto': 'https',
    'x-request-id': 'edge-42',
  })
  assert.equal(answer.status, 200)
  assert.equal(answer.headers.get('x-request-id'), 'edge-42')
  const { headers } = upstream.seen.at(-1)!
  assert.equal(headers['x-forwarded-for'], '192.0.2.7')
  assert.equal(headers['x-forwarded-proto'], 'https')
  assert.equal(headers['x-request-id'], 'edge-42')
  assert.equal(headers['forwarded'], undefined)
  const record = await until(
    () => server.manage('GET', '/records/edge-42'),
    ({ status }) => status === 200,
  )
  assert.equal(record.json.ip, '192.0.2.7')

  const two = await ask({ 'x-forwarded-for': '192.0.2.7', forwarded: 'for=192.0.2.8' })
  assert.deepEqual([two.status, two.json.code], [400, 'request_not_canonical'])

  // Failed authentication is throttled by the caller, not by the proxy that all callers share
  const bad = (from: string) => ask({ 'x-forwarded-for': from }, 'pk_wrong')
  let last = 0
  for (let i = 0; i < 60 && last !== 429; i++) last = (await bad('192.0.2.66')).status
  assert.equal(last, 429)
  assert.equal((await bad('192.0.2.67')).status, 401)

  const profiles = await server.manage('GET', '/profiles?client=acme')
  const id = profiles.json.items[0].id as string
  const patched = await server.manage('PATCH', `/profiles/${id}`, { ip_allowlist: ['192.0.2.0/24'] })
  assert.equal(patched.status, 200, patched.text)
  assert.equal((await ask({ 'x-forwarded-for': '192.0.2.7' })).status, 200)
  assert.equal((await ask({ 'x-forwarded-for': '192.0.2.7, 198.51.100.1' })).status, 403)
  assert.equal((await ask({})).status, 403)
})

test('without trusted proxies nobody is believed', async () => {
  await using upstream = await startUpstream()
  await using server = await startTestServer()
  const token = await publishOrders(server, upstream.url)
  const answer = await server.gateway('GET', ORDER, {
    token,
    headers: {
      'x-forwarded-for': '192.0.2.7',
      'x-forwarded-proto': 'https',
      forwarded: 'for=192.0.2.7',
      'x-request-id': 'edge-42',
      'client-cert': ':AA==:',
      'x-forwarded-client-cert': 'Hash=aa',
    },
  })
  assert.equal(answer.status, 200)
  assert.notEqual(answer.headers.get('x-request-id'), 'edge-42')
  const { headers } = upstream.seen.at(-1)!
  assert.equal(headers['x-forwarded-for'], '127.0.0.1')
  assert.equal(headers['x-forwarded-proto'], 'http')
  for (const name of ['forwarded', 'client-cert', 'x-forwarded-client-cert'])
    assert.equal(headers[name], undefined)
})

test('what an upstream answers to callers without TLS is not given to others', async () => {
  await using upstream = await startUpstream()
  await using server = await startTestServer({ flags: ['--trusted-proxies', '127.0.0.1'] })
  const token = await publishOrders(server, upstream.url)
  const patched = await server.manage('PATCH', '/proxies/orders:get-order', { cache: { scope: 'shared' } })
  assert.equal(patched.status, 200, patched.text)
  upstream.answer = ({ headers }, response) => {
    if (headers['x-forwarded-proto'] !== 'https')
      response.writeHead(301, { location: 'https://orders.test/' })
    response.end()
  }
  const ask = async (proto: string) => {
    const answer = await server.gateway('GET', ORDER, { token, headers: { 'x-forwarded-proto': proto } })
    return [answer.status, answer.headers.get('x-cache')]
  }
  assert.deepEqual(await ask('http'), [301, 'MISS'])
  assert.deepEqual(await ask('https'), [200, 'MISS'])
  assert.deepEqual(
    [await ask('http'), await ask('https')],
    [
      [301, 'HIT'],
      [200, 'HIT'],
    ],
  )
})
