import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { after, before, test } from 'node:test'
import { connect as connectTls } from 'node:tls'
import fc from 'fast-check'
import { EGRESS } from '../../../test/support/egress.ts'
import { CERTIFICATE, PRIVATE_KEY } from '../../../test/wire/certificate.ts'
import { createClock } from '../../base/clock.ts'
import type { Engine } from '../port.ts'
import { createNativeEngine } from './engine.ts'

const TOLD =
  /^HTTP\/1\.1 400 Bad Request\r\nContent-Type: text\/plain\r\n[\s\S]*\r\nConnection: close\r\n\r\nThis port speaks TLS\. /

let engine: Engine
let port: number
before(async () => {
  engine = createNativeEngine({
    egress: EGRESS,
    clock: createClock(),
    rules: { take: [], peek: [], identity: [], strip: [], stripPrefixes: [] },
    limits: { headTimeoutMs: 300 },
    handler: {
      request: (incoming) => incoming.answer(200, '', 'served'),
      refused: (incoming) => incoming.answer(400, '', 'refused'),
      finished: () => {},
    },
  })
  const pairs = [{ certificate: CERTIFICATE, key: PRIVATE_KEY }]
  const tls = { pairs, clientAuthorities: null, ticketKeys: Buffer.alloc(48) }
  port = await engine.listen({ host: '127.0.0.1', port: 0, reusePort: false, tls })
})
after(() => engine.close())

/** What comes until the listener closes. */
async function saidTo(bytes: string | Uint8Array): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  let text = ''
  // The listener may close with bytes unread
  socket.on('error', () => {})
  socket.on('data', (piece) => {
    text += piece.toString('latin1')
  })
  socket.write(bytes)
  await once(socket, 'close')
  return text
}

async function isServed(): Promise<boolean> {
  const socket = connectTls({ port, host: '127.0.0.1', servername: 'origin.test', ca: CERTIFICATE })
  socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
  let text = ''
  for await (const piece of socket) text += piece
  return text.endsWith('served')
}

test('a plain request to a listener of TLS is told so, whatever its method', async () => {
  for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])
    assert.match(await saidTo(`${method} / HTTP/1.1\r\nHost: a\r\n\r\n`), TOLD, method)
  assert.match(await saidTo('CONNECT a:1 HTTP/1.1\r\n\r\n'), TOLD)
  assert.ok(await isServed())
})

test('what is neither TLS nor a request gets no answer in plain text', async () => {
  const bytes = fc.uint8Array({ minLength: 16, maxLength: 80 })
  const beginnings = fc.constantFrom([], [0x16], [0x16, 3, 1, 0, 4], [0x80, 16, 1], [...Buffer.from('GETX')])
  await fc.assert(
    fc.asyncProperty(beginnings, bytes, async (beginning, rest) => {
      assert.doesNotMatch(await saidTo(Uint8Array.from([...beginning, ...rest])), /HTTP/)
    }),
    { numRuns: 60 },
  )
  assert.ok(await isServed())
})

test('a caller of TLS 1.2 cannot begin another handshake within its connection', async () => {
  for (const clientAuthorities of [null, CERTIFICATE]) {
    const pairs = [{ certificate: CERTIFICATE, key: PRIVATE_KEY }]
    const tls = { pairs, clientAuthorities, ticketKeys: Buffer.alloc(48) }
    const own = await engine.listen({ host: '127.0.0.1', port: 0, reusePort: false, tls })
    const socket = connectTls({
      port: own,
      host: '127.0.0.1',
      servername: 'origin.test',
      ca: CERTIFICATE,
      maxVersion: 'TLSv1.2',
    })
    await once(socket, 'secureConnect')
    const ended = Promise.withResolvers<unknown>()
    socket.on('error', ended.resolve)
    socket.on('close', () => ended.resolve(new Error('closed')))
    socket.renegotiate({}, ended.resolve)
    assert.match(String(await ended.promise), /no renegotiation/)
    socket.destroy()
  }
  assert.ok(await isServed())
})

test('a handshake that does not come to its end is closed when the time for a head is over', async () => {
  for (const beginning of ['', 'GE', '\x16\x03\x01\x02\x00']) {
    const socket = connect(port, '127.0.0.1')
    socket.resume()
    socket.write(Buffer.from(beginning, 'latin1'))
    await once(socket, 'close', { signal: AbortSignal.timeout(10_000) })
  }
})
