import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { connect as connectTls } from 'node:tls'
import { eventually } from '../../../test/support/eventually.ts'
import { CERTIFICATE, PRIVATE_KEY } from '../../../test/wire/certificate.ts'
import {
  Caller,
  type Gateway,
  type GatewayOptions,
  NO_BOUND,
  nativeAlone,
  startGateway,
} from '../../../test/wire/peers.ts'
import type { ByteBudget } from '../../base/memory/bytes.ts'
import type { AnswerStream, AnswerWriter, Incoming } from '../port.ts'

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'
const FIELDS = 'Content-Type: text/event-stream\r\n'
const PIECE = Buffer.alloc(65_536, 'x')
const TLS = {
  pairs: [{ certificate: CERTIFICATE, key: PRIVATE_KEY }],
  ticketKeys: new Uint8Array(48),
  clientAuthorities: null,
}
const NOWHERE = { host: '127.0.0.1', port: 9 }

/** A budget that says what is taken of it. */
class Budget implements ByteBudget {
  bytes = 0
  most = 0
  readonly max: number

  constructor(max = Infinity) {
    this.max = max
  }

  take(bytes: number): boolean {
    if (this.bytes + bytes > this.max) return false
    this.bytes += bytes
    this.most = Math.max(this.most, this.bytes)
    return true
  }

  give(bytes: number): void {
    this.bytes -= bytes
  }
}

interface Streaming {
  readonly gateway: Gateway
  readonly caller: Caller
  /** Of each request, in the order in which they came. */
  readonly streams: AnswerStream[]
  /** What the writers were told. */
  readonly told: string[]
  stream(index?: number): Promise<AnswerStream>
}

interface Options extends NonNullable<GatewayOptions> {
  readonly budget?: ByteBudget
  readonly status?: number
  readonly writer?: Partial<AnswerWriter>
  readonly faults?: number
}

/** A gateway that answers every request with a stream. */
async function start(t: TestContext, options: Options = {}): Promise<Streaming> {
  const { budget = NO_BOUND, status = 200, faults = 0, ...more } = options
  const streams: AnswerStream[] = []
  const told: string[] = []
  const writer: AnswerWriter = {
    drained: () => void told.push('drained'),
    draining: () => void told.push('draining'),
    gone: () => void told.push('gone'),
    ...options.writer,
  }
  const request = (incoming: Incoming): void =>
    void streams.push(incoming.stream(status, FIELDS, writer, budget))
  const gateway = await startGateway(NOWHERE, { request, ...more })
  t.after(() => {
    gateway.close()
    assert.equal(gateway.faults.length, faults)
  })
  const stream = async (index = 0): Promise<AnswerStream> => {
    await eventually(
      () => streams.length > index,
      () => 'the stream',
    )
    return streams[index]!
  }
  return { gateway, caller: new Caller(gateway.port), streams, told, stream }
}

const finished = (gateway: Gateway, count = 1): Promise<void> =>
  eventually(
    () => gateway.finished.length === count,
    () => 'the end',
  )

/** Writes until the caller takes no more; gives the bytes. */
function fill(stream: AnswerStream): number {
  for (let bytes = PIECE.length; ; bytes += PIECE.length) if (!stream.write(PIECE)) return bytes
}

test('pieces leave as they are written, and the connection goes on behind the end', async (t) => {
  const { gateway, caller, stream, told } = await start(t)
  const head = await caller.ask(GET + GET, /\r\n\r\n$/)
  assert.match(head, /^HTTP\/1\.1 200 OK\r\nContent-Type: text\/event-stream\r\nDate: [^\r]+\r\n/)
  assert.match(head, /\r\nTransfer-Encoding: chunked\r\n\r\n$/)
  const first = await stream()
  assert.equal(first.write('data: 1\n\n'), true)
  await caller.receive(/\r\n9\r\ndata: 1\n\n\r\n$/)
  const bytes = Buffer.from('é\0')
  assert.equal(first.write(bytes), true)
  bytes.fill(0)
  assert.equal(first.write(''), true)
  first.write('ü')
  await caller.receive(/\r\n3\r\n\xc3\xa9\0\r\n2\r\n\xc3\xbc\r\n$/)
  assert.equal(gateway.seen.length, 1)
  assert.equal(gateway.finished.length, 0)
  caller.received = ''
  first.end()
  await caller.receive(/^0\r\n\r\nHTTP\/1\.1 200 /)
  await finished(gateway)
  const { outcome } = gateway.finished[0]!
  assert.deepEqual([outcome.status, outcome.bytesOut, outcome.aborted], [200, 14, false])
  const second = await stream(1)
  assert.equal(first.write('late'), false)
  first.end()
  first.abort()
  second.write('2')
  second.end()
  await caller.receive(/1\r\n2\r\n0\r\n\r\n$/)
  await finished(gateway, 2)
  assert.deepEqual(told, [])
})

test('the caller of HTTP/1.0 gets the body up to the close', async (t) => {
  const { gateway, caller, stream } = await start(t)
  caller.send('GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n')
  const answer = await stream()
  answer.write('a')
  await caller.receive(/a$/)
  answer.write('b')
  answer.end()
  const received = await caller.closed()
  assert.match(received, /\r\nConnection: close\r\n\r\nab$/)
  assert.doesNotMatch(received, /Transfer-Encoding/)
  assert.equal(gateway.finished[0]!.outcome.bytesOut, 2)
})

for (const [what, ask, status] of [
  ['HEAD', GET.replace('GET', 'HEAD'), 200],
  ['a status without a body', GET, 204],
] as const)
  test(`${what} gets the head alone, and the next request is served behind the end`, async (t) => {
    const { gateway, caller, stream } = await start(t, { status })
    const head = await caller.ask(ask + ask, /\r\n\r\n$/)
    const answer = await stream()
    assert.equal(answer.write(PIECE), true)
    answer.write('more')
    answer.end()
    await stream(1)
    await eventually(() => caller.answers === 2)
    // A second may begin between the two
    const withoutDate = (text: string): string => text.replace(/Date: [^\r]*\r\n/, '')
    assert.equal(withoutDate(caller.received.slice(head.length)), withoutDate(head))
    assert.equal(gateway.finished[0]!.outcome.bytesOut, 0)
  })

test('an answer stays open for hours, and so does one that waits between pieces', async (t) => {
  const { gateway, caller, stream } = await start(t)
  caller.send(GET)
  const answer = await stream()
  for (let hours = 1; hours <= 3; hours++) {
    // More than one look at the deadlines
    for (let i = 0; i < 3; i++) {
      gateway.pass(1_200_000)
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    answer.write(`hour ${hours}\n`)
    await caller.receive(new RegExp(`hour ${hours}\n`))
  }
  answer.end()
  await caller.receive(/0\r\n\r\n$/)
})

for (const wrote of [false, true])
  test(`a caller that leaves is noticed ${wrote ? 'between pieces' : 'before the first piece'}`, async (t) => {
    const { gateway, caller, stream, told } = await start(t, {
      writer: { gone: () => void told.push(`gone, ${gateway.finished.length} finished`) },
    })
    await caller.ask(GET, /\r\n\r\n$/)
    const answer = await stream()
    if (wrote) {
      answer.write('a')
      await caller.receive(/a\r\n$/)
    }
    caller.socket.destroy()
    await finished(gateway)
    assert.deepEqual(told, ['gone, 0 finished'])
    const { outcome } = gateway.finished[0]!
    assert.deepEqual([outcome.aborted, outcome.truncated, outcome.bytesOut], [true, false, wrote ? 1 : 0])
    assert.equal(answer.write('late'), false)
    answer.end()
    answer.abort()
    await eventually(() => gateway.engine.connections === 0)
    assert.equal(gateway.finished.length, 1)
    assert.deepEqual(told.length, 1)
  })

test('the writer of an answer to a caller that had left before is told so', async (t) => {
  const { gateway, caller, told } = await start(t, { request: () => {} })
  caller.send(GET)
  await eventually(() => gateway.seen.length === 1)
  caller.socket.destroy()
  await finished(gateway)
  const writer: AnswerWriter = { drained() {}, draining() {}, gone: () => void told.push('gone') }
  const answer = gateway.seen[0]!.stream(200, '', writer, NO_BOUND)
  assert.deepEqual(told, [])
  assert.equal(answer.write('a'), false)
  answer.end()
  await eventually(() => told.length === 1)
  assert.equal(gateway.finished.length, 1)
})

test('what a slow caller has not taken is counted, and drained is told when it has taken all', async (t) => {
  const budget = new Budget()
  const { gateway, caller, stream, told } = await start(t, { budget })
  caller.send(GET)
  const answer = await stream()
  await caller.receive(/\r\n\r\n$/)
  caller.socket.pause()
  let bytes = fill(answer)
  assert.equal(budget.bytes, 0)
  for (let i = 0; i < 500; i++) assert.equal(answer.write(`piece ${i}\n`), false)
  const few = Array.from({ length: 500 }, (_, i) => `piece ${i}\n`).join('')
  assert.equal(answer.write(few.repeat(40)), false)
  bytes += few.length * 41
  assert.ok(budget.bytes >= few.length * 41 && budget.bytes <= few.length * 41 + 65_536)
  assert.deepEqual(told, [])
  caller.socket.resume()
  await eventually(() => told.length === 1)
  assert.deepEqual(told, ['drained'])
  assert.equal(budget.bytes, 0)
  assert.equal(answer.write('on'), true)
  answer.end()
  await caller.receive(/2\r\non\r\n0\r\n\r\n$/)
  const body = unchunked(caller.received)
  assert.equal(body.length, bytes + 2)
  assert.equal(body.replace(/^x+/, ''), `${few.repeat(41)}on`)
  assert.equal(gateway.finished[0]!.outcome.bytesOut, bytes + 2)
  assert.deepEqual(told, ['drained'])
})

test('what waits for a slow caller is sent behind the end, and its next request is served', async (t) => {
  const budget = new Budget()
  const { gateway, caller, stream, told } = await start(t, { budget })
  caller.send(GET)
  const answer = await stream()
  await caller.receive(/\r\n\r\n$/)
  caller.socket.pause()
  const bytes = fill(answer) + PIECE.length * 3
  answer.write(Buffer.concat([PIECE, PIECE, PIECE]))
  answer.end()
  assert.equal(answer.write('late'), false)
  assert.equal(gateway.finished.length, 0)
  caller.socket.resume()
  await caller.receive(/0\r\n\r\n$/)
  assert.equal(unchunked(caller.received).length, bytes)
  assert.deepEqual([budget.bytes, told.length], [0, 0])
  caller.received = ''
  await caller.ask(GET, /\r\n\r\n$/)
  ;(await stream(1)).end()
})

test('an answer that there is no room for is broken off', async (t) => {
  const budget = new Budget(1_000_000)
  const { gateway, caller, stream, told } = await start(t, { budget })
  caller.send(GET)
  const answer = await stream()
  await caller.receive(/\r\n\r\n$/)
  caller.socket.pause()
  fill(answer)
  let kept = 0
  while (told.length === 0) {
    assert.equal(answer.write(PIECE), false)
    kept += PIECE.length
  }
  assert.deepEqual(told, ['gone'])
  assert.ok(budget.most <= 1_000_000 && kept <= 1_000_000 + PIECE.length)
  assert.equal(budget.bytes, 0)
  await finished(gateway)
  assert.equal(gateway.finished[0]!.outcome.aborted, true)
  assert.equal(answer.write('late'), false)
  caller.socket.resume()
  assert.doesNotMatch(await caller.closed(), /0\r\n\r\n$/)
})

test('a caller that takes nothing for too long is closed, however much is written meanwhile', async (t) => {
  const budget = new Budget()
  let answer: AnswerStream
  const { gateway, caller, stream, told } = await start(t, {
    budget,
    limits: { sendTimeoutMs: 20_000 },
    // What the system takes is not taken by the caller
    writer: { drained: () => void fill(answer) },
  })
  caller.send(GET)
  answer = await stream()
  await caller.receive(/\r\n\r\n$/)
  caller.socket.pause()
  fill(answer)
  await eventually(() => {
    answer.write('a')
    gateway.pass(1000)
    return gateway.finished.length === 1
  })
  assert.deepEqual(told, ['gone'])
  assert.ok(budget.most > 0)
  assert.equal(budget.bytes, 0)
  assert.equal(gateway.finished[0]!.outcome.aborted, true)
})

for (const minor of [1, 0])
  test(`an answer that its writer gives up cannot be taken for complete, HTTP/1.${minor}`, async (t) => {
    const { gateway, caller, stream, told } = await start(t)
    let fault = ''
    caller.socket.on('error', (error: NodeJS.ErrnoException) => {
      fault = error.code ?? ''
    })
    caller.send(GET.replace('1.1', `1.${minor}`))
    const answer = await stream()
    answer.write('half')
    await caller.receive(/half/)
    answer.abort()
    answer.abort()
    assert.doesNotMatch(await caller.closed(), /\r\n0\r\n/)
    assert.equal(fault, minor === 0 ? 'ECONNRESET' : '')
    await finished(gateway)
    const { outcome } = gateway.finished[0]!
    assert.deepEqual([outcome.truncated, outcome.aborted, outcome.bytesOut], [true, false, 4])
    assert.deepEqual(told, [])
  })

test('a writer that throws is reported, and its answer is broken off', async (t) => {
  const { gateway, caller, stream } = await start(t, {
    faults: 1,
    writer: {
      drained() {
        throw new Error('a fault')
      },
    },
  })
  caller.send(GET)
  const answer = await stream()
  await caller.receive(/\r\n\r\n$/)
  caller.socket.pause()
  fill(answer)
  caller.socket.resume()
  await finished(gateway)
  assert.equal(gateway.finished[0]!.outcome.truncated, true)
  await caller.closed()
})

test('writers are told of a drain once the listener is closed, and the drain waits for their end', async (t) => {
  const { gateway, caller, stream, told } = await start(t)
  const late = new Caller(gateway.port)
  caller.send(GET)
  const answer = await stream()
  let drained = false
  const draining = gateway.engine.drain(10_000).then(() => {
    drained = true
  })
  late.send(GET)
  const second = await stream(1)
  await eventually(() => told.length === 2)
  assert.deepEqual(told, ['draining', 'draining'])
  const refused = new Caller(gateway.port)
  await refused.closed()
  assert.equal(refused.received, '')
  assert.equal(drained, false)
  answer.write('last')
  answer.end()
  await caller.receive(/last\r\n0\r\n\r\n$/)
  second.end()
  assert.match(await late.closed(), /Connection: close\r\n[\s\S]*0\r\n\r\n$/)
  caller.socket.destroy()
  await draining
  assert.deepEqual(told, ['draining', 'draining'])
})

test('an answer that does not end is broken off when the engine closes behind its drain', async (t) => {
  const { gateway, caller, stream, told } = await start(t)
  caller.send(GET)
  await stream()
  await gateway.engine.drain(300)
  assert.equal(caller.isClosed, false)
  gateway.engine.close()
  assert.doesNotMatch(await caller.closed(), /0\r\n\r\n$/)
  await finished(gateway)
  assert.deepEqual(told, ['draining', 'gone'])
})

for (const isEnded of [false, true])
  test(`a handler that throws behind ${isEnded ? 'the end of its answer loses nothing' : 'its stream leaves none open'}`, async (t) => {
    const told: string[] = []
    const writer: AnswerWriter = { drained() {}, draining() {}, gone: () => void told.push('gone') }
    let bytes = 0
    const { gateway, caller } = await start(t, {
      faults: 1,
      request(incoming) {
        const answer = incoming.stream(200, FIELDS, writer, NO_BOUND)
        bytes = fill(answer)
        if (isEnded) answer.end()
        throw new Error('a fault')
      },
    })
    caller.send(GET)
    await finished(gateway)
    const { outcome } = gateway.finished[0]!
    assert.equal(outcome.aborted, !isEnded)
    if (isEnded) {
      await caller.receive(/0\r\n\r\n$/)
      assert.equal(unchunked(caller.received).length, bytes)
    } else await caller.closed()
    assert.deepEqual(told, isEnded ? [] : ['gone'])
  })

test('a request that is refused may be answered with a stream too', async (t) => {
  const streams: AnswerStream[] = []
  const writer: AnswerWriter = { drained() {}, draining() {}, gone() {} }
  const { gateway, caller } = await start(t, {
    refused: (incoming) => void streams.push(incoming.stream(400, FIELDS, writer, NO_BOUND)),
  })
  caller.send('GET  / HTTP/1.1\r\nHost: a\r\nBad Name: 1\r\n\r\n')
  await eventually(() => streams.length === 1)
  const [answer] = streams
  caller.socket.pause()
  const bytes = fill(answer!) + PIECE.length * 2
  answer!.write(PIECE)
  answer!.write(PIECE)
  answer!.end()
  caller.socket.resume()
  const received = await caller.closed()
  assert.match(received, /^HTTP\/1\.1 400 /)
  assert.equal(gateway.finished[0]!.outcome.bytesOut, bytes)
  assert.equal(received.slice(received.indexOf('\r\n\r\n')).split('x').length, bytes + 1)
})

test('over TLS a slow caller is waited for, and one that leaves is noticed', nativeAlone('it speaks no TLS'), async (t) => {
  const budget = new Budget()
  const { gateway, stream, told } = await start(t, { budget, tls: TLS })
  const socket = connectTls({ port: gateway.port, host: '127.0.0.1', ca: CERTIFICATE, servername: 'origin.test' })
  let received = ''
  socket.on('error', () => {})
  socket.on('data', (bytes: Buffer) => {
    received += bytes.toString('latin1')
  })
  socket.write(GET)
  const answer = await stream()
  for (let i = 0; i < 100; i++) answer.write(`data: ${i}\n\n`)
  await eventually(() => received.includes('data: 99\n\n'))
  socket.pause()
  let bytes = fill(answer)
  for (let i = 0; i < 100; i++) answer.write(`data: ${i}\n\n`)
  answer.write(PIECE)
  bytes += PIECE.length
  assert.ok(budget.bytes > PIECE.length)
  socket.resume()
  await eventually(() => told.length === 1)
  assert.deepEqual([told, budget.bytes], [['drained'], 0])
  answer.write('end')
  await eventually(() => received.endsWith('end\r\n'))
  assert.equal(unchunked(`${received}0\r\n\r\n`).split('x').length, bytes + 1)
  socket.destroy()
  await finished(gateway)
  assert.deepEqual(told, ['drained', 'gone'])
}) // biome-ignore format: reads as one

test('an answer before a large body closes the connection behind itself', async (t) => {
  const { caller, stream } = await start(t)
  caller.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n\r\nbody')
  const answer = await stream()
  answer.write('a')
  answer.end()
  assert.match(await caller.closed(), /\r\nConnection: close\r\n\r\n1\r\na\r\n0\r\n\r\n$/)
})

/** The body of an answer in chunks. */
function unchunked(received: string): string {
  let at = received.indexOf('\r\n\r\n') + 4
  let body = ''
  for (;;) {
    const end = received.indexOf('\r\n', at)
    const length = Number.parseInt(received.slice(at, end), 16)
    if (length === 0) return body
    body += received.slice(end + 2, end + 2 + length)
    at = end + length + 4
  }
}
