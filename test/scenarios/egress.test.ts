import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { Issuer, signedBy, signingKey } from '../support/issuer.ts'
import { type Orders, startOrders } from './orders.ts'
import { type Reply, startTestServer } from './server.ts'

const KEY = signingKey('one')
const ORDER = '/orders/v1/orders/7'

const issuer = await new Issuer(KEY).listen()
const other = await new Issuer(KEY).listen()
const orders = await startOrders()
after(async () => {
  await orders.stop()
  await issuer[Symbol.asyncDispose]()
  await other[Symbol.asyncDispose]()
})

/** The same service by another name, so at another origin. */
const elsewhere = (path: string): string => `${other.url.replace('127.0.0.1', 'localhost')}${path}`
const seconds = (): number => Math.floor(Date.now() / 1000)
const tokenOf = (): string =>
  signedBy(KEY, { iss: issuer.url, aud: 'orders', sub: 'ann', iat: seconds(), exp: seconds() + 300 })

async function callAs({ server }: Orders): Promise<Reply> {
  const auth = { type: 'oidc', issuer: issuer.url, audience: 'orders' }
  const made = await server.manage('PUT', '/profiles/people', { client: 'acme', name: 'People', auth })
  assert.ok(made.status < 300, made.text)
  return server.gateway('GET', ORDER, { token: tokenOf() })
}

test('keys that a discovery document names at another private server are not fetched, and the record says what to do', async () => {
  issuer.discovery = { jwks_uri: elsewhere('/keys') }
  const reply = await callAs(orders)
  assert.deepEqual([reply.status, reply.json.code], [503, 'identity_unavailable'], reply.text)
  assert.doesNotMatch(reply.text, /localhost|127\.0\.0\.1|EGRESS|public/)
  const { reason } = await orders.record(String(reply.headers.get('x-request-id')))
  assert.equal(
    reason,
    'localhost is refused: its address is not public, and no administrator has configured this URL. Add localhost to POSTERN_EGRESS_ALLOW to allow it',
  )
  assert.equal(other.times('/keys'), 0)
  issuer.discovery = { jwks_uri: `${issuer.url}/keys` }
  orders.server.moveClock(6000)
  assert.equal((await callAs(orders)).status, 200, 'the very server of the issuer needs no entry')
})

test('a server that the list names is asked', async () => {
  await using allowing = await startOrders({ flags: ['--egress-allow', 'localhost,10.0.0.0/8'] })
  issuer.discovery = { jwks_uri: elsewhere('/keys') }
  assert.equal((await callAs(allowing)).status, 200)
  assert.equal(other.times('/keys'), 1)
})

test('the control listener is never an upstream, a token endpoint or an issuer: the change is refused with its place', async () => {
  const { server, upstream } = orders
  const { port } = new URL(server.running.controlUrl)
  const hosts = ['127.0.0.1', 'localhost', '127.1', '0x7f000001', '[::1]', '[::ffff:127.0.0.1]', 'LOCALHOST.']
  for (const host of hosts) {
    const url = `http://${host}:${port}/management/v1`
    const targets = [{ url: upstream.url }, { url }]
    const collection = await server.manage('PATCH', '/collections/orders', { upstream: { targets } })
    assert.deepEqual(
      [collection.status, collection.json.code, collection.json.errors?.[0].pointer],
      [422, 'configuration_invalid', '/upstream/targets/1/url'],
      collection.text,
    )
    assert.match(collection.text, /is refused: it is the control listener of this Postern/)
    if (host === 'LOCALHOST.') continue
    const credential = await server.manage('PUT', '/credentials/backend', {
      name: 'Backend',
      auth: { type: 'oauth2_client_credentials', token_url: url, client_id: 'a', client_secret: 'b' },
    })
    assert.deepEqual([credential.status, credential.json.errors?.[0].pointer], [422, '/auth/token_url'], host)
  }
  const url = `http://localhost:${port}`
  const profileOf = (auth: object): Promise<Reply> =>
    server.manage('PUT', '/profiles/own', { client: 'acme', name: 'Own', auth })
  for (const [auth, pointer] of [
    [{ type: 'oidc', issuer: url, audience: 'orders' }, '/auth/issuer'],
    [{ type: 'jwt', mode: 'jwks_url', issuer: 'a', jwks_url: url, audience: 'orders' }, '/auth/jwks_url'],
  ] as const) {
    const reply = await profileOf(auth)
    assert.deepEqual([reply.status, reply.json.errors?.[0].pointer], [422, pointer], reply.text)
  }
  // Nothing of it was stored, and another port of this machine is fine
  assert.equal((await orders.ask('GET', '/v1/orders/7')).status, 200)
})

test('a list that could not work is refused at the start, with the entry and the fix', async () => {
  for (const [list, fault] of [
    ['169.254.169.254', /"169\.254\.169\.254" must be .*always refused/],
    ['keys.internal,https://id.internal', /"https:\/\/id\.internal" must be a host name/],
  ] as const)
    await assert.rejects(startTestServer({ flags: ['--egress-allow', list] }), fault)
})
