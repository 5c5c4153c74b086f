import assert from 'node:assert/strict'
import { once } from 'node:events'
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type ClientSessionOptions,
  connect,
  constants,
  type OutgoingHttpHeaders,
} from 'node:http2'
import { afterEach, test } from 'node:test'
import { connect as connectTls } from 'node:tls'
import { eventually } from '../../../test/support/eventually.ts'
import { CERTIFICATE, PRIVATE_KEY } from '../../../test/wire/certificate.ts'
import { type Gateway, Origin, startGateway } from '../../../test/wire/peers.ts'
import { CallerMemory } from '../caller-memory.ts'

const TLS = {
  pairs: [{ certificate: CERTIFICATE, key: PRIVATE_KEY }],
  ticketKeys: new Uint8Array(48),
  clientAuthorities: null,
}

const open: { close(): void }[] = []
afterEach(() => {
  for (const one of open.splice(0).reverse()) one.close()
})

async function start(
  onData?: ConstructorParameters<typeof Origin>[0],
  options: Parameters<typeof startGateway>[1] = {},
): Promise<{ gateway: Gateway; origin: Origin; session: ClientHttp2Session }> {
  const origin = new Origin(onData)
  const gateway = await startGateway(
    { host: '127.0.0.1', port: await origin.listen() },
    { tls: TLS, ...options },
  )
  open.push(origin, gateway)
  return { gateway, origin, session: call(gateway) }
}

function call(gateway: Gateway, options: ClientSessionOptions = {}): ClientHttp2Session {
  const session = connect(`https://origin.test:${gateway.port}`, {
    host: '127.0.0.1',
    servername: 'origin.test',
    ca: CERTIFICATE,
    ...options,
  })
  session.on('error', () => {})
  open.push({ close: () => session.destroy() })
  return session
}

interface Answer {
  readonly status: number
  readonly headers: Record<string, unknown>
  readonly body: string
  readonly reset: number
}

async function answerOf(stream: ClientHttp2Stream): Promise<Answer> {
  let headers: Record<string, unknown> = {}
  let body = ''
  stream.on('response', (received) => {
    headers = received
  })
  stream.on('data', (bytes: Buffer) => {
    body += bytes.toString('latin1')
  })
  stream.on('error', () => {})
  await new Promise((resolve) => stream.on('close', resolve))
  return { status: Number(headers[':status'] ?? 0), headers, body, reset: stream.rstCode ?? 0 }
}

function ask(session: ClientHttp2Session, headers: OutgoingHttpHeaders, body?: string): Promise<Answer> {
  const stream = session.request({ ':authority': 'a.test', ...headers }, { endStream: body === undefined })
  if (body !== undefined) stream.end(body)
  return answerOf(stream)
}

const chunked = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: x-hop\r\nX-Hop: 1\r\n\r\n'

test('streams of one connection are requests like any other', async () => {
  const { session, gateway, origin } = await start(undefined, { upstream: { connectionsMax: 64 } })
  const answers = await Promise.all(
    Array.from({ length: 40 }, (_, i) => ask(session, { ':path': `/v1/%6frders?n=${i}`, cookie: ['a=1', 'b=2'] })),
  ) // biome-ignore format: reads as one
  for (const { status, body, headers } of answers) {
    assert.deepEqual([status, body], [200, 'ok'])
    assert.equal(headers['x-request-id'], 'r1')
    assert.equal('connection' in headers, false)
  }
  assert.match(origin.received, /GET \/v1\/orders\?n=39 HTTP\/1\.1\r\n/)
  assert.match(origin.received, /\r\ncookie: a=1; b=2\r\n/i)
  assert.doesNotMatch(origin.received, /\r\nconnection:/i)
  assert.equal(gateway.finished.length, 40)
  assert.equal(gateway.seen[0]!.host, 'a.test')
  assert.equal(gateway.seen[0]!.peer, '127.0.0.1')
  assert.equal(gateway.engine.connections, 1)
})

test('bodies go both ways, with a length and without', async () => {
  const { session, origin, gateway } = await start((socket, bytes) => {
    if (!/(?:0\r\n\r\n|last)$/.test(bytes.toString('latin1'))) return
    socket.write(`${chunked}3\r\nabc\r\n`)
    setImmediate(() => socket.write('2\r\nde\r\n0\r\n\r\n'))
  })
  const first = await ask(session, { ':method': 'POST', ':path': '/b' }, 'x'.repeat(100_000))
  assert.deepEqual([first.status, first.body, first.headers['x-hop']], [200, 'abcde', undefined])
  assert.equal(gateway.finished[0]!.outcome.bytesIn, 100_000)
  assert.match(origin.received, /Transfer-Encoding: chunked\r\n/)
  const second = await ask(session, { ':method': 'POST', ':path': '/b', 'content-length': '4' }, 'last')
  assert.equal(second.body, 'abcde')
  assert.match(origin.received, /Content-Length: 4\r\n\r\nlast$/)
})

test('HEAD, 204 and 304 have no body', async () => {
  const { session } = await start((socket, bytes) => {
    const [, method, status] = /^(\w+) \/(\d+)/.exec(bytes.toString('latin1')) ?? []
    socket.write(
      `HTTP/1.1 ${status} X\r\n${status === '204' ? '' : 'Content-Length: 7\r\n'}\r\n${method === 'HEAD' || status !== '200' ? '' : '1234567'}`,
    )
  })
  const head = await ask(session, { ':method': 'HEAD', ':path': '/200' })
  assert.deepEqual([head.status, head.headers['content-length'], head.body], [200, '7', ''])
  for (const status of [204, 304]) {
    const answer = await ask(session, { ':path': `/${status}` })
    assert.deepEqual([answer.status, answer.body, answer.reset], [status, '', 0])
  }
  assert.equal((await ask(session, { ':path': '/200' })).body, '1234567')
})

test('fields of an answer pass as they do over HTTP/1.1, also those that should not stand twice', async () => {
  const { session } = await start((socket) =>
    socket.write(
      'HTTP/1.1 200 OK\r\nX-Content-Type-Options: nosniff\r\nX-Content-Type-Options: nosniff\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nKeep-Alive: timeout=5\r\nContent-Length: 2\r\n\r\nok',
    ),
  )
  const { status, headers, body } = await ask(session, { ':path': '/' })
  assert.deepEqual([status, body], [200, 'ok'])
  assert.deepEqual(headers['set-cookie'], ['a=1', 'b=2'])
  assert.equal(headers['x-content-type-options'], 'nosniff')
  assert.equal(headers['keep-alive'], undefined)
})

test('interim answers come before the answer', async () => {
  const { session } = await start((socket) =>
    socket.write(
      'HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
    ),
  )
  const stream = session.request({
    ':authority': 'a.test',
    ':path': '/',
    ':method': 'POST',
    expect: '100-continue',
  })
  const interim: unknown[] = []
  stream.on('headers', (headers) => interim.push(headers[':status']))
  stream.on('continue', () => stream.end('x'))
  const { status, body } = await answerOf(stream)
  assert.deepEqual([interim, status, body], [[100, 103], 200, 'ok'])
})

test('a body waits for an upstream that does not take it', async () => {
  const { session, origin, gateway } = await start((socket) => socket.pause())
  const stream = session.request({ ':authority': 'a.test', ':path': '/', ':method': 'POST' })
  stream.on('error', () => {})
  const whole = 64 * 1024 * 1024
  stream.end(Buffer.alloc(whole))
  await eventually(
    () => origin.sockets.length === 1 && origin.sockets[0]!.isPaused(),
    () => 'the request',
  )
  let before = 0
  let looksWithoutChange = 0
  const { outcome } = gateway.seen[0]!
  await eventually(
    () => {
      const sent = session.socket.bytesWritten
      looksWithoutChange = sent === before ? looksWithoutChange + 1 : 0
      before = sent
      return looksWithoutChange === 100
    },
    () => 'a standstill',
  )
  assert.ok(before < whole / 2, String(before))
  origin.onData = (socket, bytes) => {
    if (bytes.subarray(-5).toString('latin1') === '0\r\n\r\n')
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
  }
  origin.sockets[0]!.resume()
  await eventually(
    () => gateway.finished.length === 1,
    () => 'the answer',
  )
  assert.equal(outcome.bytesIn, whole)
})

test('a caller that sends no body, or takes no answer, has its time', async () => {
  const { gateway } = await start((socket, bytes) => {
    if (bytes.toString('latin1').startsWith('GET '))
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
  })
  const session = call(gateway)
  const slow = answerOf(session.request({ ':authority': 'a.test', ':path': '/', ':method': 'POST' }))
  await eventually(
    () => gateway.seen.length === 1 && gateway.seen[0]!.outcome.upstreamAt > 0,
    () => 'the request',
  )
  gateway.pass(31_000)
  assert.deepEqual([(await slow).status, gateway.refused[0]!.code], [408, 'request_timeout'])

  const closed = call(gateway, { settings: { initialWindowSize: 0 } })
  const stuck = answerOf(closed.request({ ':authority': 'a.test', ':path': '/' }))
  await eventually(
    () => gateway.finished.length === 2,
    () => 'the answer',
  )
  gateway.pass(31_000)
  assert.equal((await stuck).reset, constants.NGHTTP2_INTERNAL_ERROR)
})

test('answers that a caller does not read take no more memory than it may have, and others are answered', async () => {
  const memory = new CallerMemory(4 * 1024 * 1024)
  let connections = 0
  const body = 'x'.repeat(100_000)
  const { session, gateway } = await start(
    (socket) => socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`),
    { upstream: { connectionsMax: 64 }, keep: () => memory.open(`caller ${++connections}`) },
  )
  const hoarder = call(gateway, { settings: { initialWindowSize: 0 } })
  const stuck: Promise<Answer>[] = []
  for (let i = 0; i < 60; i++) stuck.push(answerOf(hoarder.request({ ':authority': 'a.test', ':path': '/' })))
  const first = await Promise.race(stuck)
  assert.equal(first.reset, constants.NGHTTP2_INTERNAL_ERROR)
  await eventually(
    () => gateway.finished.length === stuck.length,
    () => `${gateway.finished.length} ends`,
  )
  assert.ok(memory.bytes > 1024 * 1024 && memory.bytes <= 2 * 1024 * 1024, String(memory.bytes))
  assert.equal((await ask(session, { ':path': '/' })).body, body)
  hoarder.destroy()
  await Promise.all(stuck)
  await eventually(
    () => memory.bytes === 0,
    () => `${memory.bytes} bytes to be given back`,
  )
})

test('what a caller reads at once or late, or gives up, no longer counts', async () => {
  const memory = new CallerMemory(4 * 1024 * 1024)
  const body = 'x'.repeat(100_000)
  const long = body.repeat(60)
  const { gateway, session: reader } = await start(
    (socket, bytes) => {
      const sent = bytes.toString('latin1').startsWith('GET /long') ? long : body
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${sent.length}\r\n\r\n${sent}`)
    },
    { keep: () => memory.open('caller') },
  )
  assert.equal((await ask(reader, { ':path': '/long' })).body.length, long.length)
  const session = call(gateway, { settings: { initialWindowSize: 0 } })
  const streams = [1, 2].map(() => session.request({ ':authority': 'a.test', ':path': '/' }))
  const answers = streams.map(answerOf)
  await eventually(
    () => gateway.finished.length === 3 && memory.bytes >= 2 * body.length,
    () => 'both answers to wait',
  )
  streams[0]!.close(constants.NGHTTP2_CANCEL)
  await answers[0]
  await eventually(
    () => memory.bytes < 2 * body.length,
    () => 'one to be given back',
  )
  session.settings({ initialWindowSize: 1_000_000 })
  assert.equal((await answers[1]!).body, body)
  await eventually(
    () => memory.bytes === 0,
    () => `${memory.bytes} bytes to be given back`,
  )
})

test('a refusal ends its stream alone', async () => {
  const { session, gateway, origin } = await start(undefined, {
    limits: { headBytesMax: 4096, targetBytesMax: 1024 },
  })
  const cases: [OutgoingHttpHeaders, number, string][] = [
    [{ ':path': '/a/../b' }, 400, 'request_not_canonical'],
    [{ ':path': '/%2e%2e/b' }, 400, 'request_not_canonical'],
    [{ ':path': '*', ':method': 'OPTIONS' }, 400, 'request_not_canonical'],
    [{ ':path': '/', host: 'b.test' }, 400, 'request_not_canonical'],
    [{ ':path': '/', 'x_client_id': '1' }, 400, 'request_not_canonical'],
    [{ ':path': '/', ':method': 'TRACE' }, 405, 'method_not_allowed'],
    [{ ':path': `/${'x'.repeat(2000)}` }, 414, 'uri_too_long'],
    [{ ':path': '/', 'x-long': 'x'.repeat(5000) }, 431, 'headers_too_large'],
    [{ ':path': '/', ...Object.fromEntries(Array.from({ length: 140 }, (_, i) => [`x-${i}`, '1'])) }, 431, 'headers_too_large'],
    [{ ':path': '/', expect: 'wonders' }, 417, 'expectation_failed'],
  ] // biome-ignore format: a table
  for (const [headers, status, body] of cases) {
    const answer = await ask(session, headers)
    assert.deepEqual([answer.status, answer.body], [status, body], JSON.stringify(headers).slice(0, 80))
  }
  assert.equal(gateway.refused.length, cases.length)
  assert.equal(origin.received, '')
  assert.equal((await ask(session, { ':path': '/', host: 'A.test' })).status, 200)
})

test('a head that repeats a field too often resets its stream', async () => {
  const { gateway } = await start()
  const session = call(gateway, { maxSendHeaderBlockLength: 10_000_000 })
  // HPACK makes one byte of each repetition, and a table for them all
  const many = Array.from({ length: 5000 }, () => 'x'.repeat(1000))
  const { status, reset } = await ask(session, { ':path': '/', 'x-a': many })
  assert.deepEqual([status, reset], [0, constants.NGHTTP2_ENHANCE_YOUR_CALM])
  assert.equal(gateway.seen.length + gateway.refused.length, 0)
  assert.equal((await ask(session, { ':path': '/' })).status, 200)
})

test('a body over the bound is 413, and the caller need not send the rest', async () => {
  const { session, gateway } = await start(undefined, {
    request: (incoming, upstream) => {
      incoming.bodyBytesMax = 1000
      incoming.forward(upstream, { method: 'POST', target: '/', host: 'o', fields: '', responseFields: '', responseNames: [] })
    },
  }) // biome-ignore format: reads as one
  const stream = session.request({ ':method': 'POST', ':path': '/' })
  stream.write('x'.repeat(3000))
  const answer = await answerOf(stream)
  assert.deepEqual([answer.status, answer.body, answer.reset], [413, 'body_too_large', 0])
  assert.deepEqual(gateway.faults, [])
})

test('a caller that resets its stream ends the request at the upstream', async () => {
  const { session, gateway, origin } = await start(() => {})
  const stream = session.request({ ':path': '/slow' })
  stream.on('error', () => {})
  await eventually(
    () => origin.received !== '',
    () => 'the request',
  )
  const gone = once(origin.sockets[0]!, 'close')
  stream.close(constants.NGHTTP2_CANCEL)
  await gone
  await eventually(
    () => gateway.finished.length === 1,
    () => 'the end',
  )
  assert.equal(gateway.finished[0]!.outcome.aborted, true)
})

test('an upstream that breaks off resets the stream, and no other', async () => {
  const { session, gateway } = await start((socket, bytes) => {
    const [, path] = /^GET (\S+)/.exec(bytes.toString('latin1')) ?? []
    if (path === '/') socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
    else {
      socket.write(path === '/length' ? 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc' : `${chunked}3\r\nabc\r\n`)
      setImmediate(() => socket.destroy())
    }
  }) // biome-ignore format: reads as one
  for (const path of ['/length', '/chunks']) {
    const stream = session.request({ ':authority': 'a.test', ':path': path })
    let isEnded = false
    stream.on('end', () => {
      isEnded = true
    })
    const { reset } = await answerOf(stream)
    assert.deepEqual([reset, isEnded], [constants.NGHTTP2_INTERNAL_ERROR, false])
  }
  assert.equal(gateway.finished[1]!.outcome.truncated, true)
  assert.equal((await ask(session, { ':path': '/' })).body, 'ok')
})

test('an answer waits for its caller, and the upstream with it', async () => {
  const size = 20 * 1024 * 1024
  const { session, origin } = await start((socket) => {
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`)
    socket.write(Buffer.alloc(size))
  })
  const stream = session.request({ ':path': '/' })
  await once(stream, 'response')
  // An answer to another request shows that everything that could move has moved
  for (let i = 0; i < 3; i++) await new Promise<void>((resolve) => session.ping(() => resolve()))
  assert.ok(origin.sockets[0]!.writableLength > 0)
  let received = 0
  stream.on('data', (bytes: Buffer) => {
    received += bytes.length
  })
  await once(stream, 'close')
  assert.equal(received, size)
})

test('draining says GOAWAY and lets what is in progress end', async () => {
  const { session, gateway, origin } = await start(() => {})
  const answer = ask(session, { ':path': '/' })
  await eventually(
    () => origin.received !== '',
    () => 'the request',
  )
  const goaway = once(session, 'goaway')
  const drained = gateway.engine.drain(10_000)
  await goaway
  origin.sockets[0]!.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
  assert.equal((await answer).body, 'ok')
  await drained
  assert.equal(gateway.engine.connections, 0)
})

test('a connection without requests ends after the idle time', async () => {
  const { session, gateway } = await start()
  assert.equal((await ask(session, { ':path': '/' })).status, 200)
  const closed = once(session, 'close')
  gateway.pass(70_000)
  await closed
  await eventually(
    () => gateway.engine.connections === 0,
    () => 'no connection',
  )
})

/** A frame (RFC 9113 4.1). */
function frame(type: number, flags: number, stream: number, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head.writeUInt8(type, 3)
  head.writeUInt8(flags, 4)
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

const [HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, CONTINUATION] = [1, 3, 4, 6, 7, 9]
const END_HEADERS_AND_STREAM = 5
/** GET https://a.test/ (RFC 7541 6). */
const GET = Buffer.concat([Buffer.from([0x82, 0x87, 0x84, 0x01, 6]), Buffer.from('a.test')])

/** Sends frames until the gateway has had enough; gives the code of its GOAWAY, or -1 for an end without one. */
async function flood(gateway: Gateway, frames: (n: number) => Buffer): Promise<number> {
  const socket = connectTls({
    host: '127.0.0.1',
    port: gateway.port,
    servername: 'origin.test',
    ca: CERTIFICATE,
    ALPNProtocols: ['h2'],
  })
  open.push({ close: () => socket.destroy() })
  await once(socket, 'secureConnect')
  let received = Buffer.alloc(0)
  socket.on('data', (bytes: Buffer) => {
    received = Buffer.concat([received, bytes])
  })
  socket.on('error', () => {})
  socket.write(Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(SETTINGS, 0, 0)]))
  for (let n = 0; n < 5000 && !socket.destroyed && socket.readable; n++) {
    socket.write(frames(n))
    if (n % 50 === 49) await new Promise((resolve) => setImmediate(resolve))
  }
  await eventually(
    () => socket.destroyed,
    () => 'an end of the connection',
  )
  for (let at = 0; at + 9 <= received.length; at += 9 + received.readUIntBE(at, 3))
    if (received[at + 3] === GOAWAY) return received.readUInt32BE(at + 13)
  return -1
}

test('requests that are given up at once, and floods of PING and SETTINGS, end the connection', async () => {
  const { gateway, origin } = await start(() => {})
  const calm = constants.NGHTTP2_ENHANCE_YOUR_CALM
  const rapidReset = (n: number): Buffer =>
    Buffer.concat([
      frame(HEADERS, END_HEADERS_AND_STREAM, 2 * n + 1, GET),
      frame(RST_STREAM, 0, 2 * n + 1, Buffer.alloc(4)),
    ])
  // A reset of the connection may overtake the word
  for (const frames of [
    rapidReset,
    () => frame(PING, 0, 0, Buffer.alloc(8)),
    () => frame(SETTINGS, 0, 0, Buffer.from([0, 3, 0, 0, 0, 9])),
  ])
    assert.ok([calm, -1].includes(await flood(gateway, frames)))
  assert.ok((origin.received.match(/GET /g) ?? []).length <= 400)
  assert.deepEqual(gateway.faults, [])
  await eventually(
    () => gateway.finished.length === gateway.seen.length,
    () => 'the end of every request',
  )
})

test('a head without an end is bounded', async () => {
  const { gateway } = await start()
  const field = Buffer.concat([
    Buffer.from([0x00, 3]),
    Buffer.from('x-a'),
    Buffer.from([1]),
    Buffer.from('b'),
  ])
  await flood(gateway, (n) => (n === 0 ? frame(HEADERS, 1, 1, GET) : frame(CONTINUATION, 0, 1, field)))
  assert.equal(gateway.seen.length, 0)
})

test('gRPC does not pass: trailers end here, and a server of HTTP/2 alone is no upstream', async () => {
  const call = { ':method': 'POST', ':path': '/s/M', 'content-type': 'application/grpc', te: 'trailers' }
  const { session, origin } = await start((socket, bytes) => {
    if (bytes.toString('latin1').endsWith('0\r\n\r\n'))
      socket.write(
        'HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\nTransfer-Encoding: chunked\r\n\r\n0\r\ngrpc-status: 0\r\n\r\n',
      )
  })
  const stream = session.request({ ':authority': 'a.test', ...call })
  let hasTrailers = false
  stream.on('trailers', () => {
    hasTrailers = true
  })
  stream.end('x')
  assert.deepEqual([(await answerOf(stream)).status, hasTrailers], [200, false])
  assert.doesNotMatch(origin.received, /\r\nte:/i)

  const other = await start((socket) => socket.write(frame(SETTINGS, 0, 0)))
  const answer = await ask(other.session, call, 'x')
  assert.deepEqual([answer.status, answer.body], [502, 'upstream_invalid_response'])
})
