import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { connect as connectTls } from 'node:tls'
import { type Issued, issue, issueCrl } from '../certificates.ts'
import { runPage } from '../support/page.ts'
import { CERTIFICATE, PRIVATE_KEY } from '../wire/certificate.ts'
import { publishOrders, startTestServer, type TestServer, until } from './server.ts'
import { startUpstream, type TestUpstream } from './upstream.ts'

const ORDER = '/orders/v1/orders/1'
const URI = 'spiffe://acme/billing'

const root = issue({ name: 'Root' })
const between = issue({ name: 'Between', issuer: root, ca: true })
const robot = issue({ name: 'robot', issuer: root, uris: [URI] })
const revoked = issue({ name: 'revoked', issuer: root, uris: [URI] })

let upstream: TestUpstream
before(async () => {
  upstream = await startUpstream()
})
after(() => upstream.close())

const binary = ({ der }: Issued): string => `:${der.toString('base64')}:`
const escaped = (...issued: readonly Issued[]): string =>
  `"${encodeURIComponent(issued.map(({ certificate }) => certificate).join(''))}"`

/** Behind proxies that tell of certificates in this field. */
const behind = (field: string): Promise<TestServer> =>
  startTestServer({ flags: ['--trusted-proxies', '127.0.0.0/8', '--client-cert-field', field] })

async function bind(server: TestServer): Promise<void> {
  const auth = { type: 'mtls', bindings: [{ ca: root.certificate, san_uri: URI }] }
  const made = await server.manage('POST', '/profiles', {
    client: 'acme',
    name: 'Robot',
    auth,
    forward_identity: true,
  })
  assert.equal(made.status, 201, made.text)
}

test('what the page shows works', async () => {
  await using server = await behind('client-cert')
  await publishOrders(server, upstream.url)
  const inJson = (text: string): string => JSON.stringify(text).slice(1, -1)
  const words = {
    $CA_PEM: inJson(root.certificate),
    $CRL_PEM: inJson(issueCrl(root, [revoked])),
    $CLIENT_CERT: binary(robot),
    $REVOKED_CERT: binary(revoked),
  }
  assert.equal(await runPage('profiles/mtls.md', server, words), 3)
})

const far = issue({ name: 'far', issuer: between, uris: [URI] })
const servers = issue({ name: 'Servers', issuer: root, ca: true, usage: 'server' })
const strange = issue({ name: 'strange', issuer: servers, uris: [URI], usage: 'client' })
const forwarded = { 'x-forwarded-client-cert': `Hash=${robot.sha256};Cert=${escaped(robot)}` }
type Case = readonly [Readonly<Record<string, string>>, number | string]
const TOLD: Readonly<Record<string, (token: string) => readonly Case[]>> = {
  'client-cert': (token) => [
    [{ 'client-cert': binary(robot) }, 200],
    [{ 'client-cert': binary(robot) }, 200],
    [{ 'client-cert': binary(far) }, 'credential_invalid'],
    [{ 'client-cert': binary(far), 'client-cert-chain': binary(between) }, 200],
    [{ 'client-cert': binary(strange), 'client-cert-chain': binary(servers) }, 'credential_invalid'],
    [{ 'client-cert-chain': binary(robot) }, 'credentials_missing'],
    [{ 'client-cert': 'robot' }, 'credential_invalid'],
    [{ 'client-cert': 'robot', authorization: `Bearer ${token}` }, 200],
    [{ 'client-cert': binary(robot), 'x-client-id': 'acme', 'x-profile-id': 'robot' }, 200],
    [{ 'client-cert': binary(robot), 'x-profile-id': 'sandbox' }, 'identity_rejected'],
    [forwarded, 'credentials_missing'],
    [{ ...forwarded, 'client-cert': binary(far) }, 'credential_invalid'],
  ],
  'x-forwarded-client-cert': () => [
    [forwarded, 200],
    [{ 'x-forwarded-client-cert': `Cert=${escaped(far)};Chain=${escaped(far, between)}` }, 200],
    [{ 'x-forwarded-client-cert': `Hash=${robot.sha256};URI=${URI}` }, 'credential_invalid'],
    [{ 'client-cert': binary(robot) }, 'credentials_missing'],
  ],
  off: () => [
    [{ ...forwarded, 'client-cert': binary(robot) }, 'credentials_missing'],
    [{ 'client-cert': binary(robot), 'x-client-id': 'acme', 'x-profile-id': 'robot' }, 'credentials_missing'],
  ],
}

for (const [field, cases] of Object.entries(TOLD))
  test(`of the fields for certificates the one counts that is set (${field}), and upstreams see none`, async () => {
    await using server = await behind(field)
    const token = await publishOrders(server, upstream.url)
    await bind(server)
    for (const [headers, expected] of cases(token)) {
      const { status, json } = await server.gateway('GET', ORDER, { headers })
      assert.equal(status === 200 ? 200 : json.code, expected, JSON.stringify(headers).slice(0, 200))
      if (status !== 200) continue
      const seen = upstream.seen.at(-1)!.headers
      assert.deepEqual(
        Object.keys(seen).filter((name) => name.includes('cert')),
        [],
      )
      assert.equal(seen['x-postern-subject'], headers['authorization'] === undefined ? URI : undefined)
    }
  })

test('from everyone else the fields count for nothing', async () => {
  await using server = await startTestServer({
    flags: ['--trusted-proxies', '192.0.2.1', '--client-cert-field', 'client-cert'],
  })
  const token = await publishOrders(server, upstream.url)
  await bind(server)
  const headers = { 'client-cert': binary(robot), 'x-forwarded-client-cert': `Cert=${escaped(robot)}` }
  const alone = await server.gateway('GET', ORDER, { headers })
  assert.deepEqual([alone.status, alone.json.code], [401, 'credentials_missing'])
  const named = { ...headers, 'x-client-id': 'acme', 'x-profile-id': 'robot' }
  assert.equal((await server.gateway('GET', ORDER, { headers: named })).json.code, 'credentials_missing')
  assert.equal((await server.gateway('GET', ORDER, { headers, token })).status, 200)
  const seen = upstream.seen.at(-1)!.headers
  assert.deepEqual([seen['client-cert'], seen['x-forwarded-client-cert']], [undefined, undefined])
})

test('a trusted proxy passes TLS on and names the caller before it; its own certificate is not the callers', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'postern-proxied-'))
  const files = { 'a.pem': CERTIFICATE, 'a.key': PRIVATE_KEY, 'clients.pem': root.certificate }
  for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text)
  try {
    await using server = await startTestServer({
      flags: [
        ...['--tls-cert', join(directory, 'a.pem'), '--tls-key', join(directory, 'a.key')],
        ...['--tls-client-ca', join(directory, 'clients.pem')],
        ...['--trusted-proxies', '127.0.0.0/8', '--client-cert-field', 'client-cert'],
        ...['--proxy-protocol', 'v2'],
      ],
    })
    await publishOrders(server, upstream.url)
    await bind(server)
    const ask = async (header: string): Promise<string> => {
      const raw = connect(Number(new URL(server.running.gatewayUrl).port), '127.0.0.1')
      await once(raw, 'connect')
      raw.write(Buffer.from(`0d0a0d0a000d0a515549540a${header}`, 'hex'))
      const socket = connectTls({
        socket: raw,
        servername: 'origin.test',
        ca: CERTIFICATE,
        cert: robot.certificate,
        key: robot.key,
      })
      let text = ''
      socket.on('data', (bytes) => {
        text += bytes
      })
      socket.write(`GET ${ORDER} HTTP/1.1\r\nHost: origin.test\r\n\r\n`)
      await until(
        async () => text,
        (received) => /\r\n\r\n[\s\S]*\}$/.test(received),
      )
      socket.destroy()
      return text
    }
    assert.match(await ask('2111000ccb007107c0000201d43101bb'), /^HTTP\/1\.1 200 /)
    assert.equal(upstream.seen.at(-1)!.headers['x-forwarded-for'], '203.0.113.7')
    assert.match(await ask('20000000'), /^HTTP\/1\.1 401 [\s\S]*credentials_missing/)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
})
