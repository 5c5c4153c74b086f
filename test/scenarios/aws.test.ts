import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { awsFault } from '../support/aws-service.ts'
import { callAsAgent, publishOrders, type Reply, startTestServer, type TestServer } from './server.ts'
import { type Seen, startUpstream, type TestUpstream } from './upstream.ts'

const SECRET = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY'

let upstream: TestUpstream
let server: TestServer
let token = ''
let secret = SECRET

before(async () => {
  upstream = await startUpstream()
  upstream.answer = (seen, response) => {
    const fault = awsFault(seen, secret)
    response.writeHead(fault === null ? 200 : 403).end(JSON.stringify({ fault, body: seen.body.length }))
  }
  server = await startTestServer()
  token = await publishOrders(server, upstream.url)
  const objects = { collection: 'orders', name: 'Objects', path: '/objects/*', status: 'published' }
  const made = await server.manage('POST', '/proxies', { ...objects, methods: ['GET', 'PUT', 'DELETE'] })
  assert.equal(made.status, 201, made.text)
})

after(async () => {
  await server.stop()
  await upstream.close()
})

async function sign(more: object = {}): Promise<void> {
  const auth = {
    type: 'aws_sigv4',
    region: 'eu-central-1',
    service: 'execute-api',
    access_key_id: 'AKIDEXAMPLE',
    secret_access_key: SECRET,
    ...more,
  }
  const reply = await server.manage('PUT', '/credentials/aws', { name: 'AWS', auth })
  assert.ok(reply.status < 300, reply.text)
  assert.equal((await server.manage('PATCH', '/collections/orders', { credential: 'aws' })).status, 200)
}

const ask = (method: string, path: string, options: object = {}): Promise<Reply> =>
  server.gateway(method, `/orders${path}`, { token, ...options })
const last = (): Seen => upstream.seen.at(-1)!

for (const service of ['execute-api', 's3'])
  test(`${service}: what arrives is signed, whatever path, query, headers and body`, async () => {
    await sign({ service })
    for (const [method, path, options] of [
      ['GET', '/v1/orders/7', {}],
      ['GET', '/objects/a%20b/c:d@e,f;g=h/%E1%88%B4/(1)*!', {}],
      ['GET', '/objects/x?b=2&a=1&a=0&c&d=%20+x%2Fy&e=~-._', {}],
      ['DELETE', '/objects/x', {}],
      ['POST', '/v1/orders', { body: { item: 'ä'.repeat(1000) } }],
      ['PUT', '/objects/large', { body: 'x'.repeat(300_000) }],
      ['GET', '/objects/x', { headers: { 'x-amz-target': ' Table.Get  Item ', 'X-Amz-Meta': 'a' } }],
      // What a caller says of a signature is nothing
      ['GET', '/objects/x', { headers: { 'x-amz-date': '20000101T000000Z', 'x-amz-content-sha256': 'y' } }],
    ] as const) {
      const { status, text } = await ask(method, path, options)
      assert.equal(status, 200, `${method} ${path}: ${text}`)
    }
    const agent = { endpoint: 'POST /orders/v1/orders', params: { body: { item: 1 } } }
    assert.equal((await callAsAgent(server, token, agent)).status, 200)
  })

test('a signed body is gathered, one that is not streams, and the request says so', async () => {
  for (const [payload, hash, framing] of [
    ['signed', /^[0-9a-f]{64}$/, 'content-length'],
    ['unsigned', /^UNSIGNED-PAYLOAD$/, 'transfer-encoding'],
  ] as const) {
    await sign({ service: 's3', payload })
    const streamed = await fetch(`${server.running.gatewayUrl}/orders/objects/y`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${token}` },
      body: ReadableStream.from(Array.from({ length: 30 }, () => Buffer.alloc(10_000, 'x'))),
      duplex: 'half',
    } as RequestInit)
    assert.equal(streamed.status, 200, await streamed.text())
    assert.match(String(last().headers['x-amz-content-sha256']), hash)
    assert.ok(framing in last().headers)
  }
})

test('a body over the bound of the collection is refused before it is signed', async () => {
  await sign()
  await server.manage('PATCH', '/collections/orders', { max_body: 1000 })
  const { length } = upstream.seen
  const refused = await ask('PUT', '/objects/x', { body: 'x'.repeat(2000) })
  assert.deepEqual([refused.status, refused.json.code], [413, 'body_too_large'])
  assert.equal(upstream.seen.length, length)
  await server.manage('PATCH', '/collections/orders', { max_body: 1_000_000 })
})

test('a trial is signed too, and a rotation of key and secret steps in for 403', async () => {
  await sign()
  const tried = await server.manage('POST', '/credentials/aws/test', { path: '/health' })
  assert.equal(tried.json.ok, true, tried.text)
  const auth = { access_key_id: 'AKIDSECOND', secret_access_key: 'another-secret-of-the-account' }
  const body = { auth, untested: true }
  assert.equal((await server.manage('POST', '/credentials/aws/rotate', body)).status, 200)
  assert.equal((await ask('POST', '/v1/orders', { body: { item: 1 } })).status, 200)
  assert.match(last().headers.authorization!, /Credential=AKIDEXAMPLE\//)
  secret = 'another-secret-of-the-account'
  assert.equal((await ask('GET', '/v1/orders/7')).status, 200)
  assert.match(last().headers.authorization!, /Credential=AKIDSECOND\//)
})
