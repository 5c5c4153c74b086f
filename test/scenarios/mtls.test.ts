import assert from 'node:assert/strict'
import { connect as connectHttp2 } from 'node:http2'
import { after, before, test } from 'node:test'
import { type Issued, issue, issueCrl } from '../certificates.ts'
import { CERTIFICATE } from '../wire/certificate.ts'
import { askHttp2, callSecurely, connectionShowing, startSecureServer } from './secure.ts'
import { publishOrders, type Reply, type TestServer, until } from './server.ts'
import { startUpstream, type TestUpstream } from './upstream.ts'

const ORDER = '/orders/v1/orders/1'
const DAY_MS = 86_400_000

const root = issue({ name: 'Root' })
const between = issue({ name: 'Between', issuer: root, ca: true })
const stranger = issue({ name: 'Elsewhere' })
const partner = issue({ name: 'partner', issuer: between, dns: ['partner.test'], usage: 'client' })

let upstream: TestUpstream
let server: TestServer
let token = ''

before(async () => {
  upstream = await startUpstream()
  server = await startSecureServer([root, stranger], { workers: 2 })
  token = await publishOrders(server, upstream.url)
  await bind('partner', {
    bindings: [{ ca: root.certificate + between.certificate, san_dns: 'Partner.test' }],
  })
})

after(async () => {
  await server.stop()
  await upstream.close()
})

async function bind(slug: string, auth: object): Promise<Reply> {
  const made = await server.manage('POST', '/profiles', {
    client: 'acme',
    name: slug,
    slug,
    auth: { type: 'mtls', ...auth },
  })
  assert.equal(made.status, 201, made.text)
  return made
}

/** A call in TLS with a certificate (and those that belong to it), or without any. */
const ask = (shown: readonly Issued[], headers: Record<string, string> = {}): Promise<Reply> =>
  callSecurely(server, 'GET', ORDER, { over: shown, headers })

/** The same call of an agent. */
const askAgent = (shown: readonly Issued[]): Promise<Reply> =>
  callSecurely(server, 'POST', '/mcp', {
    over: shown,
    headers: { accept: 'application/json, text/event-stream' },
    body: {
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: { name: 'execute_call', arguments: { endpoint: `GET ${ORDER}` } },
    },
  })

const codeOf = async (...args: Parameters<typeof ask>) => {
  const { status, json } = await ask(...args)
  return status === 200 ? 200 : json.code
}

test('a client certificate alone says who calls; others call without one', async () => {
  assert.equal(await codeOf([partner, between]), 200)
  assert.equal(await codeOf([partner, between], { 'x-client-id': 'acme', 'x-profile-id': 'partner' }), 200)
  assert.equal(await codeOf([partner, between], { 'x-profile-id': 'sandbox' }), 'identity_rejected')
  assert.equal(await codeOf([]), 'credentials_missing')
  assert.equal(await codeOf([], { 'x-client-id': 'acme', 'x-profile-id': 'partner' }), 'credentials_missing')
  assert.equal(await codeOf([], { authorization: `Bearer ${token}` }), 200)
  // Who shows another certificate may still prove itself otherwise
  const other = issue({ name: 'other', issuer: root })
  assert.equal(await codeOf([other], { authorization: `Bearer ${token}` }), 200)
  assert.equal(await codeOf([other]), 'credential_invalid')
})

test('what does not fit the binding, or is not valid, is refused', async () => {
  const now = Date.now()
  const dns = ['partner.test']
  const cases: [string, readonly Issued[], number | string][] = [
    [
      'an authority of the listener, but not of the binding',
      [issue({ name: 'x', issuer: stranger, dns })],
      401,
    ],
    ['an authority that nobody named', [issue({ name: 'x', issuer: issue({ name: 'Root' }), dns })], 401],
    ['it signs itself', [issue({ name: 'x', dns, ca: false })], 401],
    ['a part of the chain is missing', [partner], 401],
    ['no authority in between', [issue({ name: 'x', issuer: partner, dns }), partner, between], 401],
    ['for servers', [issue({ name: 'x', issuer: root, dns, usage: 'server' })], 401],
    ['another name', [issue({ name: 'x', issuer: root, dns: ['partner.test.evil'] })], 401],
    ['expired', [issue({ name: 'x', issuer: root, dns, until: now - 1000 })], 'credential_expired'],
    ['not yet', [issue({ name: 'x', issuer: root, dns, from: now + DAY_MS })], 'credential_invalid'],
    ['good', [issue({ name: 'x', issuer: root, dns })], 200],
  ]
  for (const [what, shown, expected] of cases) {
    const { status, json } = await ask(shown)
    if (typeof expected === 'number') assert.equal(status, expected, what)
    else assert.equal(json.code, expected, what)
  }
})

test('bindings are names of several kinds, and two profiles with one name are told apart by the id', async () => {
  const shown = issue({ name: 'robot', issuer: root, uris: ['spiffe://acme/robot'] })
  const authority = root.certificate
  assert.equal(await codeOf([shown]), 'credential_invalid')
  await bind('by-uri', { bindings: [{ ca: authority, san_uri: 'spiffe://acme/robot' }] })
  assert.equal(await codeOf([shown]), 200)
  await bind('by-subject', { bindings: [{ ca: authority, subject: 'CN=robot' }] })
  assert.equal(await codeOf([shown]), 'profile_ambiguous')
  assert.equal(await codeOf([shown], { 'x-profile-id': 'by-subject' }), 200)
  const pinned = issue({ name: 'pinned', issuer: root })
  await bind('by-print', { bindings: [{ ca: authority, sha256: pinned.x509.fingerprint256 }] })
  assert.equal(await codeOf([pinned]), 200)
  assert.equal(await codeOf([issue({ name: 'pinned', issuer: root })]), 'credential_invalid')
})

test('a revoked certificate is refused, and a list that is missing stops calls unless it may be', async () => {
  const good = issue({ name: 'good', issuer: root, uris: ['urn:listed'] })
  const bad = issue({ name: 'bad', issuer: root, uris: ['urn:listed'] })
  const bindings = [{ ca: root.certificate + between.certificate, san_uri: 'urn:listed' }]
  const crl = issueCrl(root, [bad], Date.now() + 2 * DAY_MS)
  const wrong = await server.manage('POST', '/profiles', {
    client: 'acme',
    name: 'wrong',
    auth: { type: 'mtls', bindings, revocation: { crl: issueCrl({ ...root, key: stranger.key }, []) } },
  })
  assert.deepEqual([wrong.status, wrong.json.errors?.[0].pointer], [400, '/auth/revocation/crl'])
  const made = await bind('listed', { bindings, revocation: { crl } })
  assert.match(JSON.stringify(made.json.warnings), /a revocation list ends at/)
  assert.equal(await codeOf([good]), 200)
  assert.equal(await codeOf([bad]), 'credential_invalid')
  // Nobody has said anything of those whom the authority in between has issued
  const far = issue({ name: 'far', issuer: between, uris: ['urn:listed'] })
  assert.equal(await codeOf([far, between]), 'identity_unavailable')
  const patched = await server.manage('PATCH', `/profiles/${made.json.id}`, {
    auth: { type: 'mtls', bindings, revocation: { crl, soft_fail: true } },
  })
  assert.equal(patched.status, 200, patched.text)
  assert.equal(await codeOf([far, between]), 200)
  assert.equal(await codeOf([bad]), 'credential_invalid')
  // With a list of each authority of the chain, every certificate of it is looked up
  for (const [revoked, expected] of [
    [[bad], 200],
    [[between], 'credential_invalid'],
  ] as const) {
    const revocation = { crl: issueCrl(root, revoked) + issueCrl(between, []), soft_fail: false }
    const auth = { type: 'mtls', bindings, revocation }
    assert.equal((await server.manage('PATCH', `/profiles/${made.json.id}`, { auth })).status, 200)
    assert.equal(await codeOf([far, between]), expected)
  }
})

test('a list that is out of date stops calls unless it may be, until the next one is put', async () => {
  const good = issue({ name: 'good', issuer: root, uris: ['urn:dated'] })
  const bad = issue({ name: 'bad', issuer: root, uris: ['urn:dated'] })
  const later = issue({ name: 'later', issuer: root, uris: ['urn:dated'] })
  const bindings = [{ ca: root.certificate, san_uri: 'urn:dated' }]
  const listUntil = (ms: number, ...revoked: Issued[]) => issueCrl(root, revoked, Date.now() + ms)
  const dated = listUntil(600_000, bad)
  const { json: profile } = await bind('dated', { bindings, revocation: { crl: dated } })
  const put = async (crl: string, soft_fail = false): Promise<unknown> => {
    const auth = { type: 'mtls', bindings, revocation: { crl, soft_fail } }
    const patched = await server.manage('PATCH', `/profiles/${profile.id}`, { auth })
    assert.equal(patched.status, 200, patched.text)
    return patched.json.warnings?.map(({ reason }: { reason: string }) => reason)
  }
  const codes = () => Promise.all([good, bad, later].map((one) => codeOf([one])))
  assert.deepEqual(await codes(), [200, 'credential_invalid', 200])

  server.moveClock(600_001)
  assert.deepEqual(await codes(), ['identity_unavailable', 'credential_invalid', 'identity_unavailable'])
  for (const stopped of [await ask([good]), await askAgent([good])]) {
    assert.deepEqual([stopped.status, stopped.headers.get('retry-after')], [503, '5'], stopped.text)
    const id = stopped.headers.get('x-request-id')
    const { json: record } = await until(
      () => server.manage('GET', `/records/${id}`),
      ({ status }) => status === 200,
    )
    assert.deepEqual(
      [record.profile, record.status, record.code, record.stopped_at, record.reason],
      [profile.id, 503, 'identity_unavailable', 9, 'a revocation list is missing or out of date'],
    )
  }
  // Nobody failed to prove anything
  for (let i = 0; i < 25; i++) assert.equal(await codeOf([good]), 'identity_unavailable')

  assert.match(String(await put(dated, true)), /^a revocation list ended at/)
  assert.deepEqual(await codes(), [200, 'credential_invalid', 200])
  await put(dated)
  assert.equal(await codeOf([good]), 'identity_unavailable')

  const kept = connectionShowing([later], { keepAlive: true })
  const overKept = async () => (await callSecurely(server, 'GET', ORDER, { over: kept })).status
  assert.equal(await put(listUntil(30 * DAY_MS, bad)), undefined)
  assert.deepEqual([await codes(), await overKept()], [[200, 'credential_invalid', 200], 200])
  await put(listUntil(30 * DAY_MS, bad, later))
  assert.deepEqual(
    [await codes(), await overKept()],
    [[200, 'credential_invalid', 'credential_invalid'], 401],
  )
  kept.destroy()
})

test('an agent calls with its certificate', async () => {
  const called = await askAgent([partner, between])
  assert.equal(called.json.result?.structuredContent.status, 200, JSON.stringify(called.json))
})

test('over HTTP/2 the certificate counts for every stream, until its binding ends', async () => {
  const shown = issue({ name: 'stream', issuer: root, uris: ['urn:stream'] })
  const { json: profile } = await bind('stream', {
    bindings: [{ ca: root.certificate, san_uri: 'urn:stream' }],
  })
  const own = { cert: shown.certificate, key: shown.key }
  const sessions = [own, {}].map((more) =>
    connectHttp2(server.running.gatewayUrl, { ca: CERTIFICATE, servername: 'origin.test', ...more }),
  )
  const codes = (): Promise<unknown[]> =>
    Promise.all(
      [sessions[0]!, sessions[0]!, sessions[1]!].map(async (session) => {
        const { headers, text } = await askHttp2(session, { ':path': ORDER })
        return headers[':status'] === 200 ? 200 : JSON.parse(text).code
      }),
    )
  assert.deepEqual(await codes(), [200, 200, 'credentials_missing'])
  assert.equal((await server.manage('POST', `/profiles/${profile.id}/revoke`, {})).status, 200)
  assert.deepEqual(await codes(), ['credential_expired', 'credential_expired', 'credentials_missing'])
  for (const session of sessions) session.close()
})

test('explain knows the profile, and that a certificate is what it shows', async () => {
  const asked = new URLSearchParams({ method: 'GET', target: ORDER, client: 'acme', profile: 'partner' })
  const explained = await server.manage('GET', `/requests/explain?${asked}`)
  const check = explained.json.checks.find(({ name }: { name: string }) => name === 'authenticate')
  assert.equal(check.reason, 'the caller is assumed to present a valid certificate')
})

test('failures with certificates are throttled by source and profile, and certificates that were verified pass', async () => {
  const forged = issue({ name: 'x', issuer: stranger, dns: ['partner.test'] })
  assert.equal(await codeOf([partner, between]), 200)
  let last: string | number = ''
  for (let i = 0; i < 60 && last !== 'auth_throttled'; i++) last = await codeOf([forged])
  assert.equal(last, 'auth_throttled')
  for (let i = 0; i < 3; i++)
    assert.equal(await codeOf([partner, between]), 200, 'over a connection of its own')
  assert.equal(await codeOf([forged]), 'auth_throttled')
  const [first, second] = [1, 2].map((n) => issue({ name: `new ${n}`, issuer: root, dns: ['partner.test'] }))
  assert.deepEqual([await codeOf([first!]), await codeOf([second!])], [200, 'auth_throttled'])
  server.moveClock(1000)
  assert.deepEqual([await codeOf([second!]), await codeOf([first!])], [200, 200])
  assert.equal(await codeOf([], { authorization: `Bearer ${token}` }), 200)
})

test('failures never keep back callers of a profile that asks for no proof, whatever certificate they show', async () => {
  const open = { client: 'acme', name: 'Open door', slug: 'open-door', auth: { type: 'none' } }
  assert.equal((await server.manage('POST', '/profiles', open)).status, 201)
  const named = { 'x-client-id': 'acme', 'x-profile-id': 'open-door' }
  const other = issue({ name: 'any', issuer: root })
  let last: string | number = ''
  for (let i = 0; i < 60 && last !== 'auth_throttled'; i++)
    last = await codeOf([other], { ...named, authorization: 'Bearer wrong' })
  assert.equal(last, 'auth_throttled')
  assert.deepEqual([await codeOf([other], named), await codeOf([], named)], [200, 200])
})

test('the gateway judges times by its own clock, and the next request after a change by what holds then; a stream ends with the certificate', async () => {
  const shown = issue({ name: 'brief', issuer: root, uris: ['urn:brief'], until: Date.now() + 3_600_000 })
  const binding = { ca: root.certificate, san_uri: 'urn:brief' }
  const retires_at = new Date(Date.now() + 1_800_000).toISOString()
  const { json: profile } = await bind('brief', { bindings: [{ ...binding, retires_at }] })
  assert.equal(await codeOf([shown]), 200)
  const state = await server.manage('GET', `/profiles/${profile.id}/state`)
  const [held] = state.json.credentials
  assert.deepEqual([held.lookup, held.state], ['san_uri:urn:brief', 'retiring'])
  const { json: records } = await server.manage('GET', `/records?credential_id=${held.id}`)
  assert.equal(records.items[0].profile, profile.id)
  server.moveClock(1_800_001)
  assert.equal(await codeOf([shown]), 'credential_expired')
  const patched = await server.manage('PATCH', `/profiles/${profile.id}`, {
    auth: { type: 'mtls', bindings: [binding] },
  })
  assert.equal(patched.status, 200, patched.text)
  assert.equal(await codeOf([shown]), 200)
  const listening = listen([shown])
  let isOver = false
  void listening.then(() => (isOver = true))
  assert.equal(await codeOf([shown]), 200)
  assert.equal(isOver, false)
  server.moveClock(3_600_001)
  assert.equal(await codeOf([shown]), 'credential_expired')
  const { text } = await listening
  assert.match(text, /acknowledged/)
  assert.match(text, /"resultType":"complete"/)
})

/** Hears of changes until the stream ends. */
const listen = (shown: readonly Issued[]): Promise<Reply> =>
  callSecurely(server, 'POST', '/mcp', {
    over: shown,
    headers: {
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': 'subscriptions/listen',
    },
    body: {
      jsonrpc: '2.0',
      id: 1,
      method: 'subscriptions/listen',
      params: {
        notifications: { toolsListChanged: true },
        _meta: {
          'io.modelcontextprotocol/protocolVersion': '2026-07-28',
          'io.modelcontextprotocol/clientCapabilities': {},
        },
      },
    },
  })
