import assert from 'node:assert/strict'
import type { AddressInfo } from 'node:net'
import { after, before, test } from 'node:test'
import { createServer, type Server, setDefaultCACertificates } from 'node:tls'
import { CERTIFICATE, PRIVATE_KEY } from '../../../test/wire/certificate.ts'
import { Caller, startGateway } from '../../../test/wire/peers.ts'

let server: Server
let port = 0
let names: (string | false | null)[] = []

before(async () => {
  server = createServer({ key: PRIVATE_KEY, cert: CERTIFICATE, ALPNProtocols: ['http/1.1'] }, (socket) => {
    names.push(socket.servername)
    socket.on('error', () => {})
    socket.on('data', () => {
      socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n')
      setImmediate(() => socket.write('3\r\nend\r\n0\r\n\r\n'))
    })
  })
  server.on('tlsClientError', () => {})
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  // A TCP server's address is an object
  port = (server.address() as AddressInfo).port
})

after(() => server.close())

async function ask(serverName: string): Promise<{ text: string; inner: string | undefined }> {
  names = []
  const gateway = await startGateway({ host: '127.0.0.1', port }, { upstream: { tls: { serverName } } })
  const caller = new Caller(gateway.port)
  await caller.ask('GET / HTTP/1.1\r\nHost: a\r\n\r\n', /unreachable$|0\r\n\r\n$|okend$/)
  if (caller.received.startsWith('HTTP/1.1 200')) {
    caller.received = ''
    await caller.ask('GET / HTTP/1.1\r\nHost: a\r\n\r\n', /0\r\n\r\n$|okend$/)
  }
  const { received: text } = caller
  gateway.close()
  return { text, inner: gateway.refused[0]?.inner }
}

test('an upstream whose certificate nobody vouches for is unreachable', async () => {
  const { text, inner } = await ask('origin.test')
  assert.match(text, /^HTTP\/1.1 502 /)
  assert.equal(
    inner,
    'no trusted authority has issued the certificate of the upstream (DEPTH_ZERO_SELF_SIGNED_CERT)',
  )
})

test('a trusted certificate with the right name is accepted, the connection kept', async () => {
  setDefaultCACertificates([CERTIFICATE])
  const { text } = await ask('origin.test')
  assert.match(text, /^HTTP\/1.1 200 /)
  assert.deepEqual(names, ['origin.test'])
})

test('an address is checked against the certificate too, without naming it in the handshake', async () => {
  setDefaultCACertificates([CERTIFICATE])
  const { text } = await ask('127.0.0.1')
  assert.match(text, /^HTTP\/1.1 200 /)
  assert.deepEqual(names, [false])
})

test('a trusted certificate of another name is refused', async () => {
  setDefaultCACertificates([CERTIFICATE])
  const { text, inner } = await ask('other.test')
  assert.match(text, /^HTTP\/1.1 502 /)
  assert.equal(inner, 'the certificate of the upstream is for another name (ERR_TLS_CERT_ALTNAME_INVALID)')
})
