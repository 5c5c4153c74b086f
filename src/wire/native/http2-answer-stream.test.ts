import assert from 'node:assert/strict'
import { type ClientHttp2Stream, connect } from 'node:http2'
import { type TestContext, test } from 'node:test'
import { eventually } from '../../../test/support/eventually.ts'
import { CERTIFICATE, PRIVATE_KEY } from '../../../test/wire/certificate.ts'
import { type GatewayOptions, NO_BOUND, startGateway } from '../../../test/wire/peers.ts'
import { CallerMemory } from '../caller-memory.ts'
import type { AnswerStream, AnswerWriter } from '../port.ts'

const TLS = {
  pairs: [{ certificate: CERTIFICATE, key: PRIVATE_KEY }],
  ticketKeys: new Uint8Array(48),
  clientAuthorities: null,
}
const PIECE = Buffer.alloc(65_536, 'x')

/** A gateway that answers every request of HTTP/2 with a stream, and one caller. */
async function start(t: TestContext, options: GatewayOptions = {}) {
  const streams: AnswerStream[] = []
  const told: string[] = []
  const writer: AnswerWriter = {
    drained: () => void told.push('drained'),
    draining: () => void told.push('draining'),
    gone: () => void told.push('gone'),
  }
  const gateway = await startGateway(
    { host: '127.0.0.1', port: 9 },
    {
      tls: TLS,
      request: (incoming) =>
        void streams.push(
          incoming.stream(200, 'Content-Type: text/event-stream\r\nConnection: x\r\n', writer, NO_BOUND),
        ),
      ...options,
    },
  )
  const session = connect(`https://origin.test:${gateway.port}`, {
    host: '127.0.0.1',
    servername: 'origin.test',
    ca: CERTIFICATE,
  })
  session.on('error', () => {})
  t.after(() => {
    session.destroy()
    gateway.close()
    assert.deepEqual(gateway.faults, [])
  })
  const ask = async (method = 'GET', reads = true) => {
    const before = streams.length
    const request = session.request({ ':path': '/', ':method': method, ':authority': 'a.test' })
    request.on('error', () => {})
    const body = bodyOf(request, reads)
    await eventually(() => streams.length > before)
    return { request, body, answer: streams[before]! }
  }
  return { gateway, session, streams, told, ask }
}

function bodyOf(request: ClientHttp2Stream, reads: boolean) {
  const body = { text: '', ended: false, status: undefined as unknown }
  request.on('response', (headers) => {
    body.status = headers[':status']
    assert.equal(headers['transfer-encoding'], undefined)
  })
  request.on('data', (bytes: Buffer) => {
    body.text += bytes.toString('latin1')
  })
  if (!reads) request.pause()
  request.on('end', () => {
    body.ended = true
  })
  return body
}

test('pieces leave as they are written on several streams of one connection', async (t) => {
  const { gateway, ask, told } = await start(t)
  const first = await ask()
  const second = await ask('POST')
  const bodies = [first.body, second.body]
  await eventually(() => bodies.every(({ status }) => status === 200))
  first.answer.write('data: 1\n\n')
  second.answer.write('a')
  await eventually(() => bodies[0]!.text === 'data: 1\n\n' && bodies[1]!.text === 'a')
  second.answer.write('b')
  second.answer.end()
  await eventually(() => bodies[1]!.ended)
  assert.equal(bodies[1]!.text, 'ab')
  gateway.pass(36_000_000)
  await new Promise((resolve) => setTimeout(resolve, 20))
  first.answer.write('later')
  first.answer.end()
  await eventually(() => bodies[0]!.ended)
  assert.equal(bodies[0]!.text, 'data: 1\n\nlater')
  await eventually(() => gateway.finished.length === 2)
  assert.deepEqual(
    gateway.finished.map(({ outcome }) => outcome.bytesOut),
    [2, 14],
  )
  assert.deepEqual(told, [])
})

test('HEAD gets the head alone', async (t) => {
  const { ask, gateway } = await start(t)
  const { request, answer, body } = await ask('HEAD')
  await eventually(() => body.status === 200)
  answer.write('no')
  answer.end()
  await eventually(() => gateway.finished.length === 1 && request.closed)
  assert.deepEqual([body.text, gateway.finished[0]!.outcome.bytesOut], ['', 0])
})

test('a stream that its caller resets is noticed while nothing is written', async (t) => {
  const { ask, gateway, told } = await start(t)
  const { request, answer } = await ask()
  const other = await ask()
  request.close(8)
  await eventually(() => gateway.finished.length === 1)
  assert.deepEqual(told, ['gone'])
  assert.equal(gateway.finished[0]!.outcome.aborted, true)
  assert.equal(answer.write('late'), false)
  other.answer.end()
  await eventually(() => other.body.ended)
})

test('a connection that its caller leaves ends all of its streams', async (t) => {
  const { ask, gateway, session, told } = await start(t)
  await ask()
  await ask()
  session.destroy()
  await eventually(() => gateway.finished.length === 2)
  assert.deepEqual(told, ['gone', 'gone'])
})

test('an answer that its writer gives up is reset', async (t) => {
  const { ask, gateway, told } = await start(t)
  const { request, answer, body } = await ask()
  answer.write('half')
  await eventually(() => body.text === 'half')
  answer.abort()
  await eventually(() => request.closed)
  assert.notEqual(request.rstCode, 0)
  assert.equal(gateway.finished[0]!.outcome.truncated, true)
  assert.deepEqual(told, [])
})

test('a caller that does not read is waited for within what it may keep', async (t) => {
  const memory = new CallerMemory(2_000_000)
  const { ask, gateway, told } = await start(t, { keep: (peer) => memory.open(peer) })
  const { request, answer, body } = await ask('GET', false)
  await eventually(() => gateway.seen.length === 1)
  let bytes = PIECE.length
  while (answer.write(PIECE)) bytes += PIECE.length
  answer.write('end')
  assert.ok(memory.bytes > 0 && memory.bytes <= 2_000_000)
  request.resume()
  await eventually(() => told.length === 1)
  assert.deepEqual(told, ['drained'])
  answer.end()
  await eventually(() => body.ended)
  assert.equal(body.text.length, bytes + 3)
  await eventually(() => memory.bytes === 0)
  const slow = await ask('GET', false)
  while (slow.answer.write(PIECE));
  gateway.pass(31_000)
  await eventually(() => gateway.finished.length === 2)
  assert.equal(gateway.finished[1]!.outcome.aborted, true)
  assert.deepEqual(told, ['drained', 'gone'])
  await eventually(() => memory.bytes === 0)
})

test('writers are told of a drain, which waits for their end', async (t) => {
  const { ask, gateway, told } = await start(t)
  const { answer, body } = await ask()
  const draining = gateway.engine.drain(10_000)
  await eventually(() => told.length === 1)
  assert.deepEqual(told, ['draining'])
  answer.write('last')
  answer.end()
  await eventually(() => body.ended)
  assert.equal(body.text, 'last')
  await draining
  assert.equal(gateway.finished.length, 1)
})
