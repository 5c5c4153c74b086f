import assert from 'node:assert/strict'
import { once } from 'node:events'
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect as connectHttp2 } from 'node:http2'
import { connect as connectTcp } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'
import { createCertificates } from '../../src/fleet/main/certificates.ts'
import { CERTIFICATE, OTHER_CERTIFICATE, OTHER_PRIVATE_KEY, PRIVATE_KEY } from '../wire/certificate.ts'
import { runPostern, startUp } from './process.ts'
import { askHttp2 } from './secure.ts'
import { publishOrders, startTestServer, type TestServer, until } from './server.ts'
import { startUpstream, type TestUpstream } from './upstream.ts'

let directory = ''
let upstream: TestUpstream
let server: TestServer
let token = ''
const file = (name: string): string => join(directory, name)

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'postern-tls-'))
  await writeFile(file('a.pem'), CERTIFICATE)
  await writeFile(file('a.key'), PRIVATE_KEY)
  await writeFile(file('b.pem'), OTHER_CERTIFICATE)
  await writeFile(file('b.key'), OTHER_PRIVATE_KEY)
  upstream = await startUpstream()
  server = await startTestServer({
    workers: 2,
    flags: [
      ...['--tls-cert', `${file('a.pem')},${file('b.pem')}`],
      ...['--tls-key', `${file('a.key')},${file('b.key')}`],
    ],
  })
  token = await publishOrders(server, upstream.url)
})

after(async () => {
  await server.stop()
  await upstream.close()
  await rm(directory, { recursive: true, force: true })
})

async function open(options: ConnectionOptions = {}, base = server.running.gatewayUrl): Promise<TLSSocket> {
  const socket = connect({
    host: '127.0.0.1',
    port: Number(new URL(base).port),
    servername: 'origin.test',
    ca: [CERTIFICATE, OTHER_CERTIFICATE],
    ALPNProtocols: ['http/1.1'],
    ...options,
  })
  await once(socket, 'secureConnect')
  return socket
}

/** Sends a request and gives the answer up to the end of its JSON body. */
async function ask(
  socket: TLSSocket,
  request = `GET /orders/v1/orders/1 HTTP/1.1\r\nHost: origin.test\r\nAuthorization: Bearer ${token}\r\n\r\n`,
) {
  let received = ''
  const take = (bytes: Buffer): void => {
    received += bytes.toString('latin1')
  }
  socket.on('data', take)
  socket.write(request)
  await until(
    async () => received,
    (text) => /\r\n\r\n[\s\S]*\}$/.test(text) || socket.destroyed,
  )
  socket.off('data', take)
  return received
}

test('the gateway listener speaks TLS, and upstreams are told so', async () => {
  assert.match(server.running.gatewayUrl, /^https:/)
  const socket = await open()
  assert.equal(socket.alpnProtocol, 'http/1.1')
  assert.match(await ask(socket), /^HTTP\/1\.1 200 /)
  assert.equal(upstream.seen.at(-1)!.headers['x-forwarded-proto'], 'https')
  // The connection lives on, and hostile bytes are refused as without TLS
  assert.match(await ask(socket), /^HTTP\/1\.1 200 /)
  assert.match(await ask(socket, 'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n'), /^HTTP\/1\.1 400 /)
  socket.destroy()
})

test('HTTP/2 goes through the same checks, limits and records, over REST and MCP alike', async () => {
  const socket = await open({ ALPNProtocols: ['h2', 'http/1.1'] })
  assert.equal(socket.alpnProtocol, 'h2')
  const session = connectHttp2('https://origin.test', { createConnection: () => socket })
  const authorization = `Bearer ${token}`

  const cookie = ['__Host-postern_session=1', 'a=1', '__Host-postern_session.sig=2; b=2']
  const got = await askHttp2(session, { ':path': '/orders/v1/orders/1', authorization, cookie })
  assert.equal(got.headers[':status'], 200)
  assert.match(String(got.headers['ratelimit']), /r=\d+/)
  const { headers } = upstream.seen.at(-1)!
  assert.equal(headers['x-forwarded-proto'], 'https')
  assert.match(String(headers['x-forwarded-host']), /^origin\.test/)
  assert.equal(headers['cookie'], 'a=1; b=2')
  const record = await until(
    () => server.manage('GET', `/records/${String(got.headers['x-request-id'])}`),
    ({ status }) => status === 200,
  )
  assert.deepEqual([record.json.path, record.json.status], ['/orders/v1/orders/1', 200])

  const order = JSON.stringify({ item: 'x'.repeat(50_000) })
  const posted = await askHttp2(
    session,
    { ':method': 'POST', ':path': '/orders/v1/orders', 'content-type': 'application/json', authorization },
    order,
  )
  assert.equal(JSON.parse(posted.text).body, order)

  const unknown = await askHttp2(session, { ':path': '/orders/v1/orders/1', authorization: 'Bearer pk_x' })
  assert.deepEqual([unknown.headers[':status'], JSON.parse(unknown.text).code], [401, 'credential_invalid'])
  const odd = await askHttp2(session, { ':path': '/orders/v1/../x', authorization })
  assert.deepEqual([odd.headers[':status'], JSON.parse(odd.text).code], [400, 'request_not_canonical'])

  const listed = await askHttp2(
    session,
    {
      ':method': 'POST',
      ':path': '/mcp',
      // The address that the program takes for its own
      ':authority': new URL(server.running.gatewayUrl).host,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      authorization,
    },
    JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: { name: 'list_collections', arguments: {} },
    }),
  )
  assert.match(listed.text, /orders/)
  session.close()
})

test('the certificate is found by name; others get the first', async () => {
  const subjectOf = async (servername: string): Promise<string> => {
    const socket = await open({ servername, checkServerIdentity: () => undefined })
    const { CN } = socket.getPeerCertificate().subject
    socket.destroy()
    return String(CN)
  }
  assert.equal(await subjectOf('origin.test'), 'origin.test')
  assert.equal(await subjectOf('other.test'), 'other.test')
  assert.equal(await subjectOf('x.wild.test'), 'other.test')
  assert.equal(await subjectOf('unknown.test'), 'origin.test')
  assert.equal(await subjectOf(''), 'origin.test')
})

test('TLS 1.2 is the least, and plain HTTP is told that it is none', async () => {
  const twelve = await open({ minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' })
  assert.equal(twelve.getProtocol(), 'TLSv1.2')
  twelve.destroy()
  await assert.rejects(
    open({ minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }),
    /alert|protocol|version/i,
  )
  await assert.rejects(open({ ALPNProtocols: ['acme-tls/1'] }), /alert|protocol/i)
  const plain = connectTcp(Number(new URL(server.running.gatewayUrl).port), '127.0.0.1')
  let text = ''
  plain.on('data', (bytes: Buffer) => {
    text += bytes.toString('latin1')
  })
  plain.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  await once(plain, 'close')
  assert.match(text, /^HTTP\/1\.1 400 [\s\S]*This port speaks TLS/)
})

test('a session is resumed on whatever thread takes the connection', async () => {
  let session: Buffer | undefined
  const first = await open({ maxVersion: 'TLSv1.2' })
  session = first.getSession()
  first.destroy()
  for (let i = 0; i < 6; i++) {
    const socket = await open({ maxVersion: 'TLSv1.2', ...(session === undefined ? {} : { session }) })
    assert.equal(socket.isSessionReused(), true)
    socket.destroy()
  }
})

test('new certificates hold for new connections, and open ones go on; unusable ones change nothing', async () => {
  const old = await open()
  assert.match(await ask(old), /^HTTP\/1\.1 200 /)
  await copyFile(file('b.pem'), file('a.pem'))
  server.running.reload()
  await until(
    async () => server.log.join('\n'),
    (log) => /the key does not belong to the certificate/.test(log),
  )
  const same = await open()
  assert.equal(same.getPeerCertificate().subject.CN, 'origin.test')
  same.destroy()
  await copyFile(file('b.key'), file('a.key'))
  server.running.reload()
  await until(
    async () => {
      const socket = await open({ checkServerIdentity: () => undefined })
      const { CN } = socket.getPeerCertificate().subject
      socket.destroy()
      return CN
    },
    (name) => name === 'other.test',
  )
  assert.match(await ask(old), /^HTTP\/1\.1 200 /)
  old.destroy()
})

test('a wrong file refuses start with one sentence', async () => {
  await writeFile(file('c.pem'), CERTIFICATE)
  await writeFile(file('c.key'), PRIVATE_KEY)
  const cases: [string, string, RegExp][] = [
    ['missing.pem', 'c.key', /POSTERN_TLS_CERT \(--tls-cert\) .*missing\.pem: there is no such file\.$/m],
    [
      'c.key',
      'c.key',
      /POSTERN_TLS_CERT \(--tls-cert\) .*c\.key: the file contains no certificate in PEM\.$/m,
    ],
    ['c.pem', 'c.pem', /POSTERN_TLS_KEY \(--tls-key\) .*c\.pem: the file contains no private key in PEM/],
    [
      'c.pem',
      'b.key',
      /POSTERN_TLS_KEY \(--tls-key\) .*b\.key: the key does not belong to the certificate in .*c\.pem\.$/m,
    ],
  ]
  for (const [certificate, key, message] of cases) {
    const pair = { certificate: file(certificate), key: file(key) }
    assert.throws(() => createCertificates([pair], null, () => {}), { name: 'CannotStart', message })
  }
  const [certificate, key, message] = cases[0]!
  const ended = await runPostern([
    ...['up', '--data', file('data'), '--listen', '127.0.0.1:0', '--control-listen', '127.0.0.1:0'],
    ...['--tls-cert', file(certificate), '--tls-key', file(key)],
  ])
  assert.equal(ended.code, 1)
  assert.match(ended.stderr, message)
  assert.equal(ended.stderr.trim().split('\n').length, 1)
})

test('SIGHUP reads the certificates again', async () => {
  await writeFile(file('h.pem'), CERTIFICATE)
  await writeFile(file('h.key'), PRIVATE_KEY)
  const up = await startUp(file('hup'), ['--tls-cert', file('h.pem'), '--tls-key', file('h.key')])
  await writeFile(file('h.pem'), OTHER_CERTIFICATE)
  await writeFile(file('h.key'), OTHER_PRIVATE_KEY)
  up.child.kill('SIGHUP')
  await until(
    async () => up.output(),
    (text) => /the certificate was read again/.test(text),
  )
  const socket = await open({ checkServerIdentity: () => undefined }, up.gatewayUrl)
  assert.equal(socket.getPeerCertificate().subject.CN, 'other.test')
  assert.match(await ask(socket, 'GET /healthz HTTP/1.1\r\nHost: origin.test\r\n\r\n'), /^HTTP\/1\.1 200 /)
  socket.destroy()
  up.child.kill('SIGTERM')
  assert.equal((await up.ended).code, 0)
})
