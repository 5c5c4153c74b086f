import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { eventually } from '../../../test/support/eventually.ts'
import { type Gateway, NO_BOUND, type Origin, startBetween, startGateway } from '../../../test/wire/peers.ts'
import type {
  AnswerHead,
  AnswerReader,
  AnswerStream,
  ForwardRequest,
  StreamHandle,
  StreamRequest,
} from '../port.ts'

const SSE = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n'
const CHUNKED = `${SSE}Transfer-Encoding: chunked\r\n\r\n`
const TO_THE_CLOSE = `${SSE}\r\n`
const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'
const PIECE = Buffer.alloc(65_536, 'x')

const REQUEST: StreamRequest = {
  method: 'POST',
  target: '/mcp',
  host: 'origin',
  fields: 'X-Try: 1\r\n',
  responseFields: 'X-Own: 1\r\n',
  responseNames: ['x-own'],
  body: Buffer.from('{"a":"é"}'),
  readBytesMax: 1_000_000,
}

/** Keeps what it is told. */
class Reading implements AnswerReader {
  readonly log: string[] = []
  readonly heads: AnswerHead[] = []
  body = ''
  bytes = 0
  /** Pieces are answered by it; also called at the head. */
  onPiece: () => boolean = () => true
  handle: StreamHandle | null = null

  head(head: AnswerHead): void {
    this.heads.push(head)
    this.log.push(`head ${head.status}`)
  }

  piece(bytes: Buffer, from: number, to: number): boolean {
    assert.ok(to > from)
    this.bytes += to - from
    if (this.bytes < 100_000) this.body += bytes.toString('latin1', from, to)
    if (this.log.at(-1) !== 'body') this.log.push('body')
    return this.onPiece()
  }

  end(): void {
    this.log.push('end')
  }

  failed(failure: string, inner: string, upstreamAt: number): void {
    this.log.push(`failed ${failure}: ${inner}`)
    if (upstreamAt === 0) this.log.push('never sent')
  }

  async logged(last: RegExp): Promise<readonly string[]> {
    await eventually(
      () => last.test(this.log.at(-1) ?? ''),
      () => `${last} in ${this.log.join(', ')}`,
    )
    return this.log
  }
}

function send(gateway: Gateway, request: Partial<StreamRequest> = {}, reader = new Reading()): Reading {
  reader.handle = gateway.upstream.stream({ ...REQUEST, ...request }, reader)
  assert.deepEqual(reader.log, [])
  return reader
}

/** An upstream that answers with `text` and leaves the rest to the test. */
async function start(t: TestContext, text: string, options?: Parameters<typeof startBetween>[2]) {
  const between = await startBetween(t, (socket) => void socket.write(text, 'latin1'), options)
  between.caller.socket.destroy()
  return between
}

const socketOf = async (origin: Origin, index = 0): Promise<Socket> => {
  await eventually(() => origin.sockets.length > index)
  return origin.sockets[index]!
}

test('an answer with a length is handed over, and its connection is used again', async (t) => {
  const json = 'HTTP/1.1 200 OK\r\nX-Own: theirs\r\nX-A: 1\r\nConnection: x-a\r\nContent-Length: 2\r\n\r\n{}'
  const { origin, gateway } = await start(t, json)
  for (let i = 0; i < 2; i++) {
    const reading = send(gateway)
    assert.deepEqual(await reading.logged(/end/), ['head 200', 'body', 'end'])
    assert.equal(reading.body, '{}')
    const { fields, upstreamAt, upstreamHeadAt } = reading.heads[0]!
    assert.equal(fields, 'X-Own: 1\r\n')
    assert.ok(upstreamAt > 0 && upstreamHeadAt >= upstreamAt)
    // Too late for either
    reading.handle!.resume()
    reading.handle!.abort()
  }
  assert.equal(origin.sockets.length, 1)
  assert.match(
    origin.received,
    /^POST \/mcp HTTP\/1\.1\r\nHost: origin\r\nX-Try: 1\r\nContent-Length: 10\r\n\r\n/i,
  )
})

test('an answer without a body ends with its head, and a large request body is sent whole', async (t) => {
  const { origin, gateway } = await start(t, 'HTTP/1.1 204 No Content\r\n\r\n', { request: () => {} })
  assert.deepEqual(await send(gateway).logged(/end/), ['head 204', 'end'])
  assert.deepEqual(await send(gateway, { method: 'GET', body: null }).logged(/end/), ['head 204', 'end'])
  origin.received = ''
  origin.onData = (socket) => {
    if (origin.received.endsWith('end')) socket.write('HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n')
  }
  const body = Buffer.concat([PIECE, Buffer.from('end')])
  assert.deepEqual(await send(gateway, { body }).logged(/end/), ['head 202', 'end'])
})

test('events are handed over as they come, and trailers are not', async (t) => {
  const { origin, gateway } = await start(t, CHUNKED)
  const reading = send(gateway)
  await reading.logged(/head/)
  const socket = await socketOf(origin)
  socket.write('9;x="y"\r\ndata: 1\n\n\r\n')
  await eventually(() => reading.body === 'data: 1\n\n')
  socket.write('2\r\nda\r\n1\r\nt\r\n')
  await eventually(() => reading.body === 'data: 1\n\ndat')
  socket.write('1\r\na\r\n0\r\nX-Trailer: 1\r\n\r\n')
  assert.deepEqual(await reading.logged(/end/), ['head 200', 'body', 'end'])
  assert.equal(reading.body, 'data: 1\n\ndata')
})

test('an answer without a length ends with the connection', async (t) => {
  const { origin, gateway } = await start(t, `${TO_THE_CLOSE}half`)
  const reading = send(gateway)
  await reading.logged(/body/)
  ;(await socketOf(origin)).end(' and half')
  await reading.logged(/end/)
  assert.equal(reading.body, 'half and half')
})

for (const [what, answer] of [
  ['a length', `${SSE}Content-Length: 99\r\n\r\nhalf`],
  ['chunks', `${CHUNKED}9\r\nhalf`],
] as const)
  test(`an upstream that breaks off in the middle of ${what} has failed`, async (t) => {
    const { origin, gateway } = await start(t, answer)
    const reading = send(gateway)
    await reading.logged(/body/)
    ;(await socketOf(origin)).end()
    assert.deepEqual(await reading.logged(/failed/), ['head 200', 'body', 'failed unreachable: closed'])
    assert.equal(reading.body, 'half')
  })

test('an upstream whose answer is no HTTP has failed, before its head or behind it', async (t) => {
  const { gateway } = await start(t, 'SIP/2.0 200 OK\r\n\r\n')
  const log = await send(gateway).logged(/failed/)
  assert.match(log[0]!, /^failed invalid_response: /)
  assert.equal(log.length, 1)
  const later = await start(t, CHUNKED)
  const reading = send(later.gateway)
  await reading.logged(/head/)
  ;(await socketOf(later.origin)).write('no size\r\n')
  const logged = await reading.logged(/failed/)
  assert.match(logged.at(-1)!, /^failed invalid_response: /)
})

test('an upstream that cannot be reached has failed, and was never sent anything', async (t) => {
  const { origin, gateway } = await start(t, '')
  origin.close()
  await eventually(() => origin.sockets.every(({ destroyed }) => destroyed))
  const log = await send(gateway).logged(/never/)
  assert.match(log[0]!, /^failed unreachable: /)
})

test('a full waiting line is busy', async (t) => {
  const { gateway } = await start(t, CHUNKED, { upstream: { connectionsMax: 1, waitingMax: 1 } })
  const first = send(gateway)
  await first.logged(/head/)
  const waits = send(gateway)
  const refused = await send(gateway).logged(/never/)
  assert.deepEqual(refused, ['failed busy: waiting line is full', 'never sent'])
  waits.handle!.abort()
  first.handle!.abort()
  await send(gateway).logged(/head/)
  assert.deepEqual(waits.log, [])
})

test('the first byte has the time of the upstream, pieces have that of the request', async (t) => {
  const { origin, gateway } = await start(t, '')
  const mute = send(gateway, { idleTimeoutMs: 3_600_000 })
  await eventually(() => origin.received !== '')
  gateway.pass(6000)
  assert.deepEqual(await mute.logged(/failed/), ['failed timeout: first byte'])
  origin.onData = (socket) => void socket.write(CHUNKED)
  const usual = send(gateway)
  const patient = send(gateway, { idleTimeoutMs: 3_600_000 })
  await usual.logged(/head/)
  await patient.logged(/head/)
  gateway.pass(6000)
  assert.deepEqual(await usual.logged(/failed/), ['head 200', 'failed timeout: idle'])
  gateway.pass(3_500_000)
  for (const socket of origin.sockets) if (!socket.destroyed) socket.write('1\r\na\r\n')
  await patient.logged(/body/)
  gateway.pass(3_500_000)
  for (const socket of origin.sockets) if (!socket.destroyed) socket.write('1\r\nb\r\n')
  await eventually(() => patient.body === 'ab')
  gateway.pass(3_700_000)
  assert.deepEqual(await patient.logged(/failed/), ['head 200', 'body', 'failed timeout: idle'])
})

test('a connection that served a patient request gives the next one the usual time', async (t) => {
  const { origin, gateway } = await start(t, `${SSE}Content-Length: 0\r\n\r\n`)
  await send(gateway, { idleTimeoutMs: 3_600_000 }).logged(/end/)
  origin.onData = (socket) => void socket.write(CHUNKED)
  const usual = send(gateway)
  await usual.logged(/head/)
  assert.equal(origin.sockets.length, 1)
  gateway.pass(6000)
  assert.deepEqual(await usual.logged(/failed/), ['head 200', 'failed timeout: idle'])
})

for (const [what, answer] of [
  ['a length', `${SSE}Content-Length: 9\r\n\r\n123456789`],
  ['chunks', `${CHUNKED}9\r\n123456789\r\n0\r\n\r\n`],
] as const)
  test(`a body by ${what} that is longer than what may be read has failed`, async (t) => {
    const { gateway } = await start(t, answer)
    const fits = send(gateway, { readBytesMax: 9 })
    await fits.logged(/end/)
    assert.equal(fits.body, '123456789')
    const tooLong = send(gateway, { readBytesMax: 8 })
    const log = await tooLong.logged(/failed/)
    assert.equal(log.at(-1), 'failed invalid_response: the body is too long')
    assert.equal(tooLong.body, '')
  })

test('a reader that asks for a pause gets the rest when it resumes, however long that takes', async (t) => {
  const { origin, gateway } = await start(t, TO_THE_CLOSE)
  const reading = new Reading()
  reading.onPiece = () => false
  send(gateway, { readBytesMax: Infinity }, reading)
  const socket = await socketOf(origin)
  await reading.logged(/head/)
  for (let i = 0; i < 320; i++) socket.write(PIECE)
  socket.end()
  for (let pauses = 0; pauses < 5; pauses++) {
    const before = reading.bytes
    await eventually(() => reading.bytes > before)
    const { bytes } = reading
    gateway.pass(3_600_000)
    await new Promise((resolve) => setTimeout(resolve, 15))
    assert.equal(reading.bytes, bytes)
    reading.handle!.resume()
  }
  reading.onPiece = () => true
  reading.handle!.resume()
  await reading.logged(/end/)
  assert.equal(reading.bytes, 320 * PIECE.length)
})

for (const phase of ['at once', 'sent', 'began', 'head', 'piece', 'paused'] as const)
  test(`a reader that gives up hears nothing more, and the upstream's connection closes: ${phase}`, async (t) => {
    const { origin, gateway } = await start(t, phase === 'sent' ? '' : CHUNKED)
    const reading = new Reading()
    const abort = (): boolean => {
      reading.handle!.abort()
      reading.log.push('left')
      return true
    }
    if (phase === 'head')
      reading.head = () => {
        abort()
      }
    if (phase === 'piece') reading.onPiece = abort
    if (phase === 'paused') reading.onPiece = () => false
    send(gateway, phase === 'began' ? { began: () => void abort() } : {}, reading)
    if (phase === 'at once') abort()
    else {
      const socket = await socketOf(origin)
      await eventually(() => origin.received !== '')
      if (phase === 'sent') abort()
      if (phase === 'piece' || phase === 'paused') {
        await reading.logged(/head/)
        socket.write('1\r\na\r\n')
      }
      if (phase === 'paused') {
        await reading.logged(/body/)
        abort()
      }
      await reading.logged(/left/)
      await eventually(() => socket.destroyed || socket.readableEnded)
    }
    origin.onData = (socket) => void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
    await send(gateway).logged(/end/)
    assert.equal(reading.log.at(-1), 'left')
    reading.handle!.abort()
    reading.handle!.resume()
  })

test('a reader that throws is reported, and hears nothing more', async (t) => {
  const { origin, gateway } = await startBetween(t, (socket) => void socket.write(`${CHUNKED}1\r\na\r\n`))
  const throws = (): never => {
    throw new Error('a fault')
  }
  const atPiece = new Reading()
  atPiece.onPiece = throws
  send(gateway, {}, atPiece)
  await eventually(() => gateway.faults.length === 1)
  const atHead = new Reading()
  atHead.head = throws
  send(gateway, {}, atHead)
  await eventually(() => gateway.faults.length === 2)
  const socket = await socketOf(origin, 1)
  await eventually(() => origin.sockets.every((each) => each.destroyed || each.readableEnded))
  assert.equal(socket.writable, false)
  assert.deepEqual([atPiece.log, atHead.log], [['head 200', 'body'], []])
  gateway.faults.length = 0
})

test('a renewed credential is tried before the reader hears of an answer', async (t) => {
  const { origin, gateway } = await start(t, '')
  origin.onData = (socket, bytes) =>
    void socket.write(
      bytes.includes('X-Try: 2')
        ? `${CHUNKED}2\r\nok\r\n0\r\n\r\n`
        : 'HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno',
    )
  const statuses: number[] = []
  const again: ForwardRequest['again'] = (status) =>
    status === 401 ? Promise.resolve({ ...REQUEST, fields: 'X-Try: 2\r\n' }) : null
  const renewed = send(gateway, { again, began: (status) => statuses.push(status) })
  assert.deepEqual(await renewed.logged(/end/), ['head 200', 'body', 'end'])
  assert.equal(renewed.body, 'ok')
  assert.deepEqual(statuses, [401, 200])
  assert.equal(origin.received.split('{"a":').length, 3)
  const none = send(gateway, { again: () => Promise.resolve({ inner: 'no token' }) })
  assert.deepEqual(await none.logged(/failed/), ['failed credential: no token'])
  const passed = send(gateway, { again: () => null })
  assert.deepEqual(await passed.logged(/end/), ['head 401', 'body', 'end'])
})

test('what is sent in the place of a refused request says itself what becomes of its answer', async (t) => {
  const { origin, gateway } = await start(t, '')
  origin.onData = (socket) => void socket.write('HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno')
  const statuses: number[] = []
  const began = (status: number): void => void statuses.push(status)
  const ended: ForwardRequest['again'] = () => Promise.resolve({ inner: 'refused twice' })
  const refused = send(gateway, { began, again: () => Promise.resolve({ ...REQUEST, again: ended }) })
  assert.deepEqual(await refused.logged(/failed/), ['failed credential: refused twice'])
  const once = send(gateway, { began, again: () => Promise.resolve(REQUEST) })
  assert.deepEqual(await once.logged(/end/), ['head 401', 'body', 'end'])
  assert.deepEqual(statuses, [401, 401, 401, 401])
})

test('an upstream is read as fast as the caller takes what is made of its answer', async (t) => {
  let kept = 0
  let most = 0
  const budget = {
    take(bytes: number) {
      kept += bytes
      most = Math.max(most, kept)
      return true
    },
    give(bytes: number) {
      kept -= bytes
    },
  }
  const { origin, gateway, caller } = await startBetween(t, (socket) => void socket.write(TO_THE_CLOSE), {
    upstream: { idleTimeoutMs: 600_000 },
    request: (incoming, upstream) => {
      let answer: AnswerStream
      const handle = upstream.stream(
        { ...REQUEST, readBytesMax: Infinity },
        {
          head: ({ status, fields }) => {
            const drained = (): void => handle.resume()
            const writer = { drained, draining() {}, gone: () => handle.abort() }
            answer = incoming.stream(status, fields, writer, budget)
          },
          piece: (bytes, from, to) => answer.write(bytes.subarray(from, to)),
          end: () => answer.end(),
          failed: () => answer.abort(),
        },
      )
    },
  })
  caller.send(GET)
  await caller.receive(/\r\n\r\n$/)
  caller.socket.pause()
  const socket = await socketOf(origin)
  for (let i = 0; i < 640; i++) socket.write(PIECE)
  socket.end()
  await eventually(() => gateway.seen[0]!.outcome.bytesOut > 0)
  await new Promise((resolve) => setTimeout(resolve, 50))
  assert.ok(socket.writableLength > 0)
  let taken = 0
  caller.socket.removeAllListeners('data')
  caller.socket.on('data', (bytes: Buffer) => {
    taken += bytes.length
  })
  caller.socket.resume()
  await eventually(() => gateway.finished.length === 1)
  assert.equal(gateway.finished[0]!.outcome.bytesOut, 640 * PIECE.length)
  await eventually(() => taken > 640 * PIECE.length)
  assert.ok(most <= 131_072, `${most} bytes`)
  assert.equal(kept, 0)
})

test('a caller that leaves ends the request whose answer it was to get', async (t) => {
  const { origin, gateway, caller } = await startBetween(t, (socket) => void socket.write(CHUNKED), {
    request: (incoming, upstream) => {
      const handle = upstream.stream(REQUEST, new Reading())
      incoming.stream(200, '', { drained() {}, draining() {}, gone: () => handle.abort() }, NO_BOUND)
    },
  })
  await caller.ask(GET, /\r\n\r\n$/)
  const socket = await socketOf(origin)
  await eventually(() => origin.received !== '')
  caller.socket.destroy()
  await eventually(() => socket.destroyed || socket.readableEnded)
  assert.equal(gateway.finished.length, 1)
})

test('an address that nothing may connect to has failed', async (t) => {
  const gateway = await startGateway({ host: '169.254.169.254', port: 80 })
  t.after(() => gateway.close())
  const log = await send(gateway).logged(/never/)
  assert.match(log[0]!, /^failed unreachable: /)
})
