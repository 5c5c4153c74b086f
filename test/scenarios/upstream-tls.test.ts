import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { TLSSocket } from 'node:tls'
import { issue } from '../certificates.ts'
import { runPage } from '../support/page.ts'
import {
  CERTIFICATE,
  EXPIRED_CERTIFICATE,
  OTHER_CERTIFICATE,
  OTHER_PRIVATE_KEY,
  PRIVATE_KEY,
} from '../wire/certificate.ts'
import { callAsAgent, publishOrders, type Reply, startTestServer, type TestServer, until } from './server.ts'
import { startUpstream, type TestUpstream } from './upstream.ts'

const DAY = 86_400_000
const DEFAULTS = { ca: null, server_name: null, min_version: '1.2', verify: true }

let origin: TestUpstream
/** Takes calls of those alone who show one of two certificates. */
let closed: TestUpstream
let expired: TestUpstream
let server: TestServer
let token = ''

before(async () => {
  origin = await startUpstream({ cert: CERTIFICATE, key: PRIVATE_KEY })
  closed = await startUpstream({
    cert: CERTIFICATE,
    key: PRIVATE_KEY,
    ca: [CERTIFICATE, OTHER_CERTIFICATE],
    requestCert: true,
    rejectUnauthorized: true,
  })
  closed.answer = (_seen, response) => {
    response.end((response.req.socket as TLSSocket).getPeerCertificate().subject.CN)
  }
  expired = await startUpstream({ cert: EXPIRED_CERTIFICATE, key: PRIVATE_KEY })
  server = await startTestServer({ workers: 2 })
  token = await publishOrders(server, origin.url)
})

after(async () => {
  await server.stop()
  for (const upstream of [origin, closed, expired]) await upstream.close()
})

const order = (): Promise<Reply> => server.gateway('GET', '/orders/v1/orders/7', { token })
const put = (body: object): Promise<Reply> => server.manage('PATCH', '/collections/orders', body)

async function use(
  { url }: TestUpstream,
  tls: object | null,
  credential: string | null = null,
): Promise<Reply> {
  const changed = await put({
    upstream: { targets: [{ url }], tls: tls && { ...DEFAULTS, ...tls } },
    credential,
  })
  assert.equal(changed.status, 200, changed.text)
  return changed
}

/** What the record says of a call that must not reach the upstream. */
async function reasonOf(reply: Reply): Promise<string> {
  assert.deepEqual([reply.status, reply.json.code], [502, 'upstream_unreachable'], reply.text)
  assert.doesNotMatch(reply.text, /certificate|127\.0\.0\.1|origin\.test/)
  const id = reply.json.request_id
  const found = await until(
    () => server.manage('GET', '/records?limit=20'),
    ({ json }) => json.items.some((item: { id: string }) => item.id === id),
  )
  return found.json.items.find((item: { id: string }) => item.id === id).reason
}

const mtls = (certificate: string, key: string): object => ({
  name: 'Ours',
  auth: { type: 'mtls', client_cert_pem: certificate, client_key_pem: key },
})

test('the page about TLS towards upstreams does what it shows', async () => {
  const text = (pem: string): string => JSON.stringify(pem).slice(1, -1)
  const begin = (kind: string, body: string): string =>
    `-----BEGIN ${kind}-----\\n${body}\\n-----END ${kind}-----\\n`
  const requests = await runPage('upstream-tls.md', server, {
    'https://127.0.0.1:9443': closed.url,
    [begin('CERTIFICATE', 'MIIB…')]: text(CERTIFICATE),
    [begin('CERTIFICATE', 'MIIC…')]: text(OTHER_CERTIFICATE),
    [begin('PRIVATE KEY', 'MIGH…')]: text(OTHER_PRIVATE_KEY),
    'pst_pk_…': token,
  })
  assert.equal(requests, 4)
  assert.equal((await order()).text, 'other.test')
})

test('an upstream of an own authority is called with its name; what fails is named in the record alone', async () => {
  await use(origin, { ca: CERTIFICATE, server_name: 'origin.test' })
  assert.equal((await order()).status, 200)
  const agent = await callAsAgent(server, token, {
    endpoint: 'GET /orders/v1/orders/{id}',
    params: { path: { id: '7' } },
  })
  assert.equal(agent.status, 200, JSON.stringify(agent))

  await use(origin, null)
  assert.match(await reasonOf(await order()), /^no trusted authority has issued/)
  await use(origin, { ca: OTHER_CERTIFICATE })
  assert.match(await reasonOf(await order()), /^no trusted authority has issued/)
  await use(origin, { ca: CERTIFICATE, server_name: 'other.test' })
  assert.match(await reasonOf(await order()), /for another name \(ERR_TLS_CERT_ALTNAME_INVALID\)$/)
  await use(expired, { ca: EXPIRED_CERTIFICATE })
  assert.match(await reasonOf(await order()), /has expired \(CERT_HAS_EXPIRED\)$/)
  assert.equal(expired.seen.length, 0)
})

test('an upstream that is not verified is called, with a warning', async () => {
  const changed = await use(expired, { verify: false })
  assert.deepEqual(
    changed.json.warnings.map(({ pointer }: { pointer: string }) => pointer),
    ['/upstream/tls/verify'],
  )
  assert.equal((await order()).status, 200)
  const old = await use(expired, { ca: EXPIRED_CERTIFICATE })
  assert.match(old.json.warnings[0].reason, /ended at 2020-01-02T00:00:00\.000Z/)
})

test('settings that cannot be used are refused at save, and the member is named', async () => {
  await use(origin, null)
  const targets = [{ url: origin.url }]
  const cases: [object, string, RegExp][] = [
    [{ ca: 'nothing' }, '/upstream/tls/ca', /no CERTIFICATE in PEM/],
    [{ ca: CERTIFICATE + PRIVATE_KEY }, '/upstream/tls/ca', /must contain only CERTIFICATE/],
    [
      { ca: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----' },
      '/upstream/tls/ca',
      /certificate 1 cannot be read/,
    ],
    [{ server_name: 'https://a' }, '/upstream/tls/server_name', /host name/],
    [{ min_version: '1.1' }, '/upstream/tls/min_version', /1\.2/],
  ]
  for (const [tls, pointer, reason] of cases) {
    const refused = await put({ upstream: { targets, tls } })
    assert.equal(refused.status, 400, refused.text)
    assert.equal(refused.json.errors[0].pointer, pointer)
    assert.match(refused.json.errors[0].reason, reason)
    assert.doesNotMatch(refused.text, /BEGIN|MIGH/)
  }
  const plain = await put({
    upstream: { targets: [{ url: 'http://127.0.0.1:9' }], tls: { ca: CERTIFICATE } },
  })
  assert.deepEqual([plain.status, plain.json.errors[0].pointer], [400, '/upstream/tls'])
})

test('collections with different settings share no connection', async () => {
  await use(origin, { ca: CERTIFICATE })
  await server.manage('POST', '/collections', {
    name: 'Other',
    base_path: '/other',
    upstream: { targets: [{ url: origin.url }], tls: { ca: OTHER_CERTIFICATE } },
  })
  await server.manage('POST', '/proxies', {
    collection: 'other',
    name: 'Get',
    methods: ['GET'],
    path: '/x',
    status: 'published',
  })
  await server.manage('POST', '/collections/other/publish', {})
  await server.manage('PATCH', '/clients/acme', { collections: ['orders', 'other'] })
  for (let i = 0; i < 8; i++) {
    assert.equal((await order()).status, 200)
    assert.equal((await server.gateway('GET', '/other/x', { token })).status, 502)
  }
})

test('a client certificate opens an upstream that refuses calls without one', async () => {
  await use(closed, { ca: CERTIFICATE })
  const before = closed.seen.length
  assert.match(await reasonOf(await order()), /requires a client certificate/)
  assert.equal(closed.seen.length, before)
  const made = await server.manage('PUT', '/credentials/ours', mtls(OTHER_CERTIFICATE, OTHER_PRIVATE_KEY))
  assert.equal(made.status, 201, made.text)
  assert.doesNotMatch(made.text, /PRIVATE KEY/)
  await use(closed, { ca: CERTIFICATE }, 'ours')
  assert.equal((await order()).text, 'other.test')
  const tested = await server.manage('POST', '/credentials/ours/test', {})
  assert.equal(tested.json.ok, true, tested.text)

  // With authorities of its own, for upstreams that name none
  await use(closed, { server_name: 'origin.test' }, 'ours')
  assert.match(await reasonOf(await order()), /no trusted authority/)
  const trust = async (ca_cert_pem: string | null): Promise<Reply> => {
    const changed = await server.manage('PATCH', '/credentials/ours', { auth: { ca_cert_pem } })
    assert.equal(changed.status, 200, changed.text)
    return changed
  }
  assert.equal((await trust(CERTIFICATE)).json.auth.ca_cert_pem, CERTIFICATE)
  assert.equal((await order()).text, 'other.test')
  assert.equal((await server.manage('POST', '/credentials/ours/test', {})).json.ok, true)
  const [ended] = (await trust(EXPIRED_CERTIFICATE)).json.warnings
  assert.deepEqual(ended.pointer, '/auth/ca_cert_pem')
  assert.match(await reasonOf(await order()), /no trusted authority/)
  await use(closed, { ca: CERTIFICATE }, 'ours')
  assert.equal((await order()).text, 'other.test')
  assert.equal((await trust(null)).json.auth.ca_cert_pem, null)
  assert.equal((await order()).text, 'other.test')

  await use({ ...origin, url: 'http://127.0.0.1:9' }, null, 'ours')
  const refused = await order()
  assert.deepEqual([refused.status, refused.json.code], [500, 'credential_unavailable'])
})

test('a key that does not belong to the certificate is refused, whichever of them changes', async () => {
  const wrong = mtls(OTHER_CERTIFICATE, PRIVATE_KEY)
  for (const reply of [
    await server.manage('PUT', '/credentials/mixed', wrong),
    await server.manage('PATCH', '/credentials/ours', { auth: { client_key_pem: PRIVATE_KEY } }),
    await server.manage('PATCH', '/credentials/ours', { auth: { client_cert_pem: CERTIFICATE } }),
  ]) {
    assert.equal(reply.status, 400, reply.text)
    assert.deepEqual(reply.json.errors, [
      { pointer: '/auth/client_key_pem', reason: 'the key does not belong to the certificate' },
    ])
  }
})

test('another certificate is shown once the change has answered, and no call under way fails', async () => {
  await server.manage('PUT', '/credentials/ours', mtls(OTHER_CERTIFICATE, OTHER_PRIVATE_KEY))
  await use(closed, { ca: CERTIFICATE }, 'ours')
  let stopped = false
  const seen = new Set<string>()
  const load = Array.from({ length: 6 }, async () => {
    while (!stopped) {
      const reply = await order()
      assert.equal(reply.status, 200, reply.text)
      seen.add(reply.text)
    }
  })
  for (let i = 0; i < 5; i++) {
    const pair = [mtls(CERTIFICATE, PRIVATE_KEY), mtls(OTHER_CERTIFICATE, OTHER_PRIVATE_KEY)][i % 2]!
    const changed = await server.manage('PUT', '/credentials/ours', pair)
    assert.equal(changed.status, 200, changed.text)
    assert.equal((await order()).text, i % 2 === 0 ? 'origin.test' : 'other.test')
  }
  stopped = true
  await Promise.all(load)
  assert.deepEqual([...seen].sort(), ['origin.test', 'other.test'])
})

test('health checks show the certificate too', async () => {
  const health = { active: { interval: '1s' } }
  const changed = await put({
    upstream: { targets: [{ url: closed.url }], tls: { ...DEFAULTS, ca: CERTIFICATE }, health },
    credential: 'ours',
  })
  assert.equal(changed.status, 200, changed.text)
  await until(
    async () => closed.seen.map(({ headers }) => headers['user-agent']),
    (agents) => agents.includes('postern-health'),
  )
  assert.equal((await order()).status, 200)
})

test('the end of a certificate is shown, and warned about when it is near', async () => {
  const shown = await server.manage('GET', '/credentials/ours')
  const end = Date.parse(shown.json.auth.not_after)
  assert.ok(end > Date.now() + 365 * DAY)
  assert.equal((await server.manage('GET', '/credentials/ours/state')).json.state, 'ok')
  const old = await server.manage('PUT', '/credentials/old', mtls(EXPIRED_CERTIFICATE, PRIVATE_KEY))
  assert.match(old.json.warnings[0].reason, /ended at 2020-01-02/)
  const near = issue({ name: 'near', until: Date.now() + 3 * DAY })
  const soon = await server.manage('PUT', '/credentials/soon', mtls(near.certificate, near.key))
  assert.match(soon.json.warnings[0].reason, /ends at /)
  assert.equal((await server.manage('GET', '/credentials/soon/state')).json.state, 'expiring')
  assert.equal((await server.manage('GET', '/credentials/old/state')).json.state, 'expired')
})
