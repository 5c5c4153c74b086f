import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket, type TcpNetConnectOpts } from 'node:net'
import { test } from 'node:test'
import { connect as connectTls } from 'node:tls'
import fc from 'fast-check'
import { EGRESS } from '../../../test/support/egress.ts'
import { CERTIFICATE, PRIVATE_KEY } from '../../../test/wire/certificate.ts'
import { createClock } from '../../base/clock.ts'
import { createNativeEngine } from './engine.ts'
import { PROXY_PREFACE_BYTES, proxiedPeer, proxyRestBytes } from './proxy-header.ts'

const SIGNATURE = '0d0a0d0a000d0a515549540a'
const V4 = 'cb007107c0000201d43101bb'
const V6 = `${'20010db8000000000000000000000007'.padEnd(64, '0')}d43101bb`

function header(command: string, family: string, rest: string): Buffer {
  const length = (rest.length / 2).toString(16).padStart(4, '0')
  return Buffer.from(SIGNATURE + command + family + length + rest, 'hex')
}

const TCP4 = header('21', '11', V4)
const REQUEST = 'GET /a HTTP/1.1\r\nHost: a.test\r\n\r\n'

/** A listener that answers with the address of its caller; the header is expected where `isTrusted`. */
async function listen(tls: boolean, isTrusted = true, host = '127.0.0.1') {
  const engine = createNativeEngine({
    egress: EGRESS,
    clock: createClock(),
    rules: { take: [], peek: [], identity: [], strip: [], stripPrefixes: [] },
    limits: { headTimeoutMs: 500 },
    sweepMs: 20,
    handler: {
      request: (incoming) => incoming.answer(200, '', incoming.peer),
      refused: (incoming) => incoming.answer(400, '', 'refused'),
      finished: () => {},
    },
  })
  const pairs = [{ certificate: CERTIFICATE, key: PRIVATE_KEY }]
  const port = await engine.listen({
    host,
    port: 0,
    reusePort: false,
    tls: tls ? { pairs, clientAuthorities: null, ticketKeys: Buffer.alloc(48) } : null,
    announces: () => isTrusted,
  })
  return { port, [Symbol.dispose]: () => engine.close() }
}

async function textOf(socket: Socket, end: RegExp): Promise<string> {
  let text = ''
  socket.on('error', () => {})
  socket.on('data', (bytes) => {
    text += bytes
    if (end.test(text)) socket.destroy()
  })
  if (!socket.closed) await once(socket, 'close')
  return text
}

async function ask(
  port: number,
  pieces: readonly (Buffer | string)[],
  end = /\r\n\r\n[\s\S]+/,
): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  socket.setNoDelay(true)
  await once(socket, 'connect')
  const text = textOf(socket, end)
  for (const piece of pieces) await new Promise((done) => socket.write(piece, done))
  return text
}

test('the caller is the one that the header names, however the bytes arrive', async () => {
  using server = await listen(false)
  assert.match(await ask(server.port, [Buffer.concat([TCP4, Buffer.from(REQUEST)])]), /203\.0\.113\.7$/)
  const bytes = [...Buffer.concat([TCP4, Buffer.from(REQUEST)])].map((byte) => Buffer.from([byte]))
  assert.match(await ask(server.port, bytes), /203\.0\.113\.7$/)
  const two = await ask(server.port, [TCP4, REQUEST, REQUEST], /\.7HTTP[\s\S]*\.7$/)
  assert.match(two, /\.7HTTP[\s\S]*\.7$/)
  assert.match(await ask(server.port, [header('21', '21', V6), REQUEST]), /2001:db8::7$/)
  const mapped = header('21', '21', `00000000000000000000ffffcb007107${'00'.repeat(20)}`)
  assert.match(await ask(server.port, [mapped, REQUEST]), /\n203\.0\.113\.7$/)
  // Additions after the addresses are skipped; LOCAL and unspecified are the proxy's own
  assert.match(await ask(server.port, [header('21', '11', `${V4}040003616263`), REQUEST]), /203\.0\.113\.7$/)
  assert.match(await ask(server.port, [header('20', '00', ''), REQUEST]), /\n127\.0\.0\.1$/)
  assert.match(await ask(server.port, [header('20', '11', V4), REQUEST]), /\n127\.0\.0\.1$/)
  assert.match(await ask(server.port, [header('21', '00', 'aabb'), REQUEST]), /\n127\.0\.0\.1$/)
})

test('any other beginning closes the connection without a word', async () => {
  using server = await listen(false)
  const wrong = [
    Buffer.from(REQUEST),
    Buffer.from('PROXY TCP4 203.0.113.7 192.0.2.1 54321 443\r\n'),
    header('11', '11', V4),
    header('22', '11', V4),
    header('21', '12', V4),
    header('21', '31', '00'.repeat(216)),
    header('21', '11', V4.slice(2)),
    header('21', '21', V4),
    header('21', '11', '00'.repeat(3000)),
  ]
  for (const one of wrong)
    assert.equal(
      await ask(server.port, [Buffer.concat([one, Buffer.from(REQUEST)])]),
      '',
      one.toString('hex'),
    )
  // Half a header has the time of a head
  assert.equal(await ask(server.port, [TCP4.subarray(0, 20)]), '')
})

test('from others the header is no header', async () => {
  using server = await listen(false, false)
  assert.match(await ask(server.port, [REQUEST]), /127\.0\.0\.1$/)
  assert.match(await ask(server.port, [TCP4, REQUEST]), /^HTTP\/1\.1 400 /)
})

test('the header stands before TLS', async () => {
  using server = await listen(true)
  for (const gap of [true, false]) {
    const raw = connect(server.port, '127.0.0.1')
    await once(raw, 'connect')
    raw.write(TCP4)
    if (gap) await new Promise((done) => setImmediate(done))
    const socket = connectTls({ socket: raw, servername: 'origin.test', ca: CERTIFICATE })
    await once(socket, 'secureConnect')
    socket.write(REQUEST)
    assert.match(await textOf(socket, /\r\n\r\n[\s\S]+/), /203\.0\.113\.7$/)
  }
})

test('connections of one proxy from one port to two addresses are told apart', async () => {
  using server = await listen(true, true, '0.0.0.0')
  const open = async (host: string, from: Partial<TcpNetConnectOpts>, header: Buffer): Promise<Socket> => {
    const raw = connect({ host, port: server.port, localAddress: '127.0.0.1', ...from })
    await once(raw, 'connect')
    await new Promise((done) => raw.write(header, done))
    return raw
  }
  const first = await open('127.0.0.1', {}, TCP4)
  const second = await open(
    '127.0.0.2',
    { localPort: first.localPort! },
    header('21', '11', `cb007108${V4.slice(8)}`),
  )
  for (const [raw, peer] of [
    [second, /\.8$/],
    [first, /\.7$/],
  ] as const) {
    const socket = connectTls({ socket: raw, servername: 'origin.test', ca: CERTIFICATE })
    await once(socket, 'secureConnect')
    socket.write(REQUEST)
    assert.match(await textOf(socket, /\r\n\r\n[\s\S]+/), peer)
  }
})

test('whatever the header holds, it names an address, nobody, or is refused', () => {
  const bytes = fc.uint8Array({ minLength: PROXY_PREFACE_BYTES, maxLength: PROXY_PREFACE_BYTES })
  fc.assert(
    fc.property(bytes, fc.uint8Array({ maxLength: 60 }), fc.boolean(), (preface, rest, isSigned) => {
      if (isSigned) preface.set(Buffer.from(`${SIGNATURE}21`, 'hex'))
      const length = proxyRestBytes(preface)
      assert.ok(length === null || (length >= 0 && length <= 2048))
      const peer = proxiedPeer(preface, Buffer.from(rest))
      if (typeof peer === 'string') assert.match(peer, /^(\d{1,3}(\.\d{1,3}){3}|[0-9a-f:.]+)$/)
    }),
    { numRuns: 3000 },
  )
})
