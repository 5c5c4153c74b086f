import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { eventually } from '../../../test/support/eventually.ts'
import { createRandom } from '../../../test/wire/llhttp.ts'
import {
  Caller,
  type Gateway,
  nativeAlone,
  Origin,
  startBetween as start,
  startGateway,
} from '../../../test/wire/peers.ts'
import type { CallRequest, CallResult } from '../port.ts'

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'

/** Read by Node in another way, in which it misleads nobody. */
const READ_BY_NODE: Readonly<Record<string, string>> = {
  'control character in the reason': 'the reason is not passed on',
  'broken chunk': 'found after the head: the answer breaks off',
}

/** Answers that break HTTP/1.1 or leave open where they end. */
const BROKEN: readonly (readonly [name: string, bytes: string])[] = [
  ['no HTTP', 'hello\r\n\r\n'],
  ['bare LF', 'HTTP/1.1 200 OK\nContent-Length: 0\n\n'],
  ['HTTP/2.0', 'HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n'],
  ['status of two digits', 'HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n'],
  ['status 600', 'HTTP/1.1 600 OK\r\nContent-Length: 0\r\n\r\n'],
  ['control character in the reason', 'HTTP/1.1 200 O\x01K\r\nContent-Length: 0\r\n\r\n'],
  ['two Content-Length', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok'],
  ['Content-Length list', 'HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok'],
  ['Content-Length with plus', 'HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok'],
  ['both framings', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
  ['unknown coding', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n'],
  ['chunked in HTTP/1.0', 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
  ['broken chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\nok\r\n0\r\n\r\n'],
  ['folded field', 'HTTP/1.1 200 OK\r\nX: 1\r\n 2\r\nContent-Length: 0\r\n\r\n'],
  ['space before a colon', 'HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n'],
  ['NUL in a value', 'HTTP/1.1 200 OK\r\nX: \x00\r\nContent-Length: 0\r\n\r\n'],
  ['101', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n'],
  ['endless interim answers', 'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(40)],
  ['endless head', `HTTP/1.1 200 OK\r\nX: ${'a'.repeat(70_000)}`],
  ['too many fields', `HTTP/1.1 200 OK\r\n${'a: b\r\n'.repeat(300)}\r\n`],
]

for (const [name, bytes] of BROKEN) {
  const options = name in READ_BY_NODE ? nativeAlone(READ_BY_NODE[name]!) : {}
  test(`an invalid answer is not passed on: ${name}`, options, async (t) => {
    const { gateway, caller } = await start(t, (socket) => {
      socket.write(Buffer.from(bytes, 'latin1'))
    })
    const text = await caller.ask(GET, /upstream_invalid_response$/)
    assert.match(text, /(^|\r\n\r\n)HTTP\/1.1 502 Bad Gateway\r\n/)
    assert.equal(gateway.upstream.open, 0)
    caller.received = ''
    await caller.ask(GET, /upstream_invalid_response$/)
    assert.equal(gateway.finished.length, 2)
  })
}

test('an answer is the same however it is cut on its way', async (t) => {
  const random = createRandom(0xcafe)
  let pieces: string[] = []
  const { caller } = await start(t, (socket) => {
    socket.setNoDelay(true)
    const next = (): void => {
      const piece = pieces.shift()
      if (piece === undefined) return
      socket.write(piece)
      setImmediate(() => setImmediate(next))
    }
    next()
  })
  const hints = `HTTP/1.1 103 Early Hints\r\nLink: <${'a'.repeat(150)}>\r\n\r\n`
  const answers = [
    'HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\na\r\n\r\nend',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\na\r\n\r\n\r\n3\r\nend\r\n0\r\n\r\n',
  ]
  for (let i = 0; i < 300; i++) {
    const before = hints.repeat(random(3))
    const text = before + answers[random(2)]!
    pieces = []
    for (let at = 0; at < text.length; ) {
      const end = at + 1 + random(text.length)
      pieces.push(text.slice(at, end))
      at = end
    }
    caller.received = ''
    const what = JSON.stringify(pieces)
    const got = await caller.ask(GET, /HTTP\/1\.1 (?!103).*(a\r\n\r\nend$|\r\n0\r\n\r\n$)/s)
    const [head, ...body] = got.slice(before.length).split('\r\n\r\n')
    assert.ok(got.startsWith(before), what)
    assert.match(head!, /^HTTP\/1.1 200 OK\r\n/, what)
    const data = body.join('\r\n\r\n')
    if (/chunked/.test(head!)) assert.equal(dechunked(data), 'a\r\n\r\nend', what)
    else assert.equal(data, 'a\r\n\r\nend', what)
  }
})

/** Data of a chunked body without extensions and trailers. */
function dechunked(text: string): string {
  let data = ''
  let at = 0
  for (;;) {
    const line = text.indexOf('\r\n', at)
    const size = Number.parseInt(text.slice(at, line), 16)
    if (!(size > 0)) return data
    data += text.slice(line + 2, line + 2 + size)
    at = line + 2 + size + 2
  }
}

test('bytes after an answer close the upstream connection and reach nobody', async (t) => {
  const { origin, caller } = await start(t, (socket) => {
    socket.write(`${OK}HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil`)
  })
  await caller.ask(GET, /ok$/)
  caller.received = ''
  await caller.ask(GET, /ok$/)
  assert.equal(origin.sockets.length, 2)
})

test('bytes on an idle upstream connection close it', async (t) => {
  const { origin, gateway, caller } = await start(t)
  await caller.ask(GET, /ok$/)
  origin.sockets[0]?.write(OK)
  await eventually(
    () => gateway.upstream.open === 0,
    () => 'the close',
  )
})

test('an upstream that says close, or speaks HTTP/1.0, is not asked again on that connection', async (t) => {
  const answers = [
    'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok',
    'HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok',
    OK,
  ]
  const { origin, caller } = await start(t, (socket) => {
    socket.write(answers.shift()!)
  })
  caller.send(GET.repeat(3))
  await eventually(
    () => caller.answers === 3,
    () => caller.received,
  )
  assert.equal(origin.sockets.length, 3)
})

test('an answer that breaks off is visible as such', async (t) => {
  const { gateway, caller } = await start(t, (socket, bytes) => {
    const path = bytes.toString().split(' ')[1]
    if (path === '/length') socket.end('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf')
    else socket.end('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n')
  })
  caller.send('GET /length HTTP/1.1\r\nHost: a\r\n\r\n')
  assert.match(await caller.closed(), /half$/)
  const other = new Caller(gateway.port)
  other.send('GET /chunked HTTP/1.1\r\nHost: a\r\n\r\n')
  assert.match(await other.closed(), /\r\n4\r\nhalf\r\n$/)
  assert.deepEqual(
    gateway.finished.map(({ outcome }) => [outcome.truncated, outcome.aborted, outcome.status]),
    [
      [true, false, 200],
      [true, false, 200],
    ],
  )
})

test('nobody listening, and a name that does not exist, are unreachable', async (t) => {
  const origin = new Origin()
  const port = await origin.listen()
  origin.close()
  for (const host of ['127.0.0.1', 'no-such-host.invalid']) {
    const gateway = await startGateway({ host, port })
    t.after(() => gateway.close())
    const caller = new Caller(gateway.port)
    await caller.ask(GET, /^HTTP\/1.1 502 .*upstream_unreachable$/s)
    caller.received = ''
    await caller.ask(GET, /upstream_unreachable$/)
    assert.equal(gateway.upstream.open, 0)
  }
})

test('a name is resolved', async (t) => {
  const origin = new Origin()
  const gateway = await startGateway({ host: 'localhost', port: await origin.listen() })
  t.after(() => {
    gateway.close()
    origin.close()
  })
  await new Caller(gateway.port).ask(GET, /ok$/)
})

test('a stale kept connection is noticed and the request sent once more, unless it may have had an effect', async (t) => {
  const { origin, gateway, caller } = await start(t, (socket, bytes) => {
    // Every second request on a connection meets a server that has given it up
    if (origins.has(socket)) socket.resetAndDestroy()
    else {
      origins.add(socket)
      assert.ok(bytes.length > 0)
      socket.write(OK)
    }
  })
  const origins = new Set<Socket>()
  await caller.ask(GET, /ok$/)
  caller.received = ''
  assert.match(await caller.ask(GET, /ok$/), /^HTTP\/1.1 200 /)
  assert.equal(origin.sockets.length, 2)
  caller.received = ''
  await caller.ask(
    'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx',
    /^HTTP\/1.1 502 .*upstream_unreachable$/s,
  )
  assert.equal(origin.sockets.length, 2, 'a POST is not sent twice')
  assert.equal(gateway.finished.length, 3)
})

test('a request that a kept connection did not answer counts as handed to nobody when no other takes it', async (t) => {
  const { origin, gateway, caller } = await start(t, (socket) => {
    if (gateway.finished.length === 0) socket.write(OK)
    else origin.close()
  })
  await caller.ask(GET, /ok$/)
  caller.received = ''
  await caller.ask(GET, /upstream_unreachable$/)
  assert.equal(gateway.finished[1]!.outcome.upstreamAt, 0)
})

test('no call fails although the server closes each connection at its second request', async (t) => {
  const origins = new Set<Socket>()
  let received = 0
  const { caller } = await start(t, (socket) => {
    received++
    if (origins.has(socket)) socket.resetAndDestroy()
    else socket.write(OK)
    origins.add(socket)
  })
  const sent = 300
  for (let i = 1; i <= sent; i++) {
    caller.send(GET)
    await eventually(
      () => caller.answers === i,
      () => `answer ${i}`,
    )
  }
  assert.equal(caller.received.match(/HTTP\/1.1 200 /g)?.length, sent)
  assert.ok(received < sent * 2, 'the first request of a connection is sent once')
})

const NEW_ON_REPEAT = nativeAlone('this engine takes any free connection for a request that has waited')

test('a repeat that has waited in line gets a new connection', NEW_ON_REPEAT, async (t) => {
  const used = new Set<Socket>()
  const { gateway } = await start(
    t,
    (socket) => {
      if (used.has(socket)) socket.resetAndDestroy()
      else socket.write(OK)
      used.add(socket)
    },
    { upstream: { connectionsMax: 1 } },
  )
  const callers = Array.from({ length: 3 }, () => new Caller(gateway.port))
  await callers[0]!.ask(GET, /ok$/)
  callers[0]!.received = ''
  // One takes the kept connection, which closes; the others wait in line, and the repeat behind them
  for (const caller of callers) caller.send(GET)
  for (const caller of callers) assert.match(await caller.receive(/(ok|unreachable)$/), /^HTTP\/1.1 200 /)
})

test('a request that fails on a fresh connection is not repeated', async (t) => {
  const { origin, caller } = await start(t, (socket) => socket.destroy())
  await caller.ask(GET, /upstream_unreachable$/)
  assert.equal(origin.sockets.length, 1)
})

test('requests wait in line at the cap; a full line and a long wait are busy', async (t) => {
  const waiting: Socket[] = []
  const { origin, gateway } = await start(t, (socket) => void waiting.push(socket), {
    upstream: { connectionsMax: 1, waitingMax: 2 },
  })
  const callers = Array.from({ length: 4 }, () => new Caller(gateway.port))
  for (const [index, caller] of callers.entries()) {
    caller.send(GET)
    await eventually(
      () => gateway.seen.length === index + 1,
      () => 'the request',
    )
  }
  assert.match(await callers[3]!.receive(/upstream_unavailable$/), /^HTTP\/1.1 503 /)
  await eventually(
    () => waiting.length === 1,
    () => 'the request at the upstream',
  )
  waiting[0]!.write(OK)
  await callers[0]!.receive(/ok$/)
  await eventually(
    () => waiting.length === 2,
    () => 'the next in line',
  )
  assert.equal(origin.sockets.length, 1)
  gateway.pass(2500)
  assert.match(await callers[2]!.receive(/upstream_unavailable$/), /^HTTP\/1.1 503 /)
  waiting[1]!.write(OK)
  await callers[1]!.receive(/ok$/)
})

test('a caller that leaves the line is forgotten', async (t) => {
  const waiting: Socket[] = []
  const { gateway } = await start(t, (socket) => void waiting.push(socket), {
    upstream: { connectionsMax: 1, waitingMax: 1 },
  })
  const [first, second, third] = [
    new Caller(gateway.port),
    new Caller(gateway.port),
    new Caller(gateway.port),
  ]
  first.send(GET)
  await eventually(
    () => waiting.length === 1,
    () => 'the first',
  )
  second.send(GET)
  await eventually(
    () => gateway.seen.length === 2,
    () => 'the second',
  )
  second.socket.destroy()
  await eventually(
    () => gateway.finished.length === 1,
    () => 'the end of the second',
  )
  third.send(GET)
  await eventually(
    () => gateway.seen.length === 3,
    () => 'the third',
  )
  waiting[0]!.write(OK)
  await eventually(
    () => waiting.length === 2,
    () => 'the third at the upstream',
  )
  waiting[1]!.write(OK)
  await third.receive(/ok$/)
})

test('an upstream on a Unix socket', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'wire-'))
  const socketPath = join(folder, 'origin')
  const origin = new Origin()
  await origin.listen({ path: socketPath })
  const gateway = await startGateway({ socketPath })
  t.after(() => {
    gateway.close()
    origin.close()
    rmSync(folder, { recursive: true })
  })
  await new Caller(gateway.port).ask(GET, /ok$/)
})

test('closing an upstream ends idle connections at once and others with their request', async (t) => {
  const waiting: Socket[] = []
  const { gateway, caller } = await start(t, (socket) => void waiting.push(socket))
  const other = new Caller(gateway.port)
  for (const one of [caller, other]) one.send(GET)
  await eventually(
    () => waiting.length === 2,
    () => 'the requests',
  )
  const [idle, busy] = waiting as [Socket, Socket]
  idle.write(OK)
  await eventually(
    () => caller.answers + other.answers === 1,
    () => 'the first answer',
  )
  assert.equal(gateway.upstream.open, 2)
  gateway.upstream.close()
  assert.equal(gateway.upstream.open, 1)
  await eventually(
    () => idle.destroyed,
    () => 'the end of the idle connection',
  )
  assert.equal(busy.destroyed, false)
  busy.write(OK)
  await Promise.all([caller.receive(/ok$/), other.receive(/ok$/)])
  assert.equal(gateway.upstream.open, 0)
  await eventually(
    () => busy.destroyed,
    () => 'the end of the other connection',
  )
})

const CALL: CallRequest = {
  method: 'POST',
  target: '/x?y',
  host: 'h',
  fields: 'X-A: 1\r\n',
  responseFields: 'X-Request-ID: r\r\n',
  responseNames: ['x-request-id'],
  body: Buffer.from('{}'),
  keepBytesMax: 1000,
  readBytesMax: 10_000,
}

function call(gateway: Gateway, request: Partial<CallRequest> = {}): Promise<CallResult> {
  return new Promise((resolve) => gateway.upstream.call({ ...CALL, ...request }, resolve))
}

test('a call from within gathers the answer', async (t) => {
  const { origin, gateway } = await start(t, (socket) => {
    socket.write(
      'HTTP/1.1 200 OK\r\nX-B: 2\r\nx-request-id: theirs\r\nServer: s\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n2\r\ncd\r\n0\r\n\r\n',
    )
  })
  const result = await call(gateway)
  assert.ok(result.ok)
  assert.equal(origin.received, 'POST /x?y HTTP/1.1\r\nHost: h\r\nX-A: 1\r\nContent-Length: 2\r\n\r\n{}')
  assert.equal(result.status, 200)
  assert.equal(result.fields, 'X-B: 2\r\nX-Request-ID: r\r\n')
  assert.equal(Buffer.from(result.body).toString(), 'abcd')
  assert.deepEqual([result.bodyBytes, result.truncated], [4, false])
  assert.ok(result.upstreamAt > 0 && result.upstreamHeadAt >= result.upstreamAt)
  const short = await call(gateway, { keepBytesMax: 3 })
  assert.ok(short.ok)
  assert.equal(Buffer.from(short.body).toString(), 'abc')
  assert.deepEqual([short.bodyBytes, short.truncated], [4, true])
  assert.equal(origin.sockets.length, 1)
})

test('a call with a large body, and one with a large answer, which is cut off', async (t) => {
  const { origin, gateway } = await start(t, (socket) => {
    if (origin.received.length < 100_000) return
    origin.received = ''
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n${'x'.repeat(500_000)}`)
  })
  const result = await call(gateway, { body: Buffer.alloc(100_000, 'b') })
  assert.ok(result.ok)
  assert.equal(result.body.length, 1000)
  assert.ok(result.bodyBytes >= 10_000)
  assert.equal(result.truncated, true)
  await eventually(
    () => gateway.upstream.open === 0,
    () => 'the connection to close',
  )
})

test('a call fails, is given up, and a busy upstream says so', async (t) => {
  const waiting: Socket[] = []
  const { gateway } = await start(t, (socket) => void waiting.push(socket), {
    upstream: { connectionsMax: 1, waitingMax: 0 },
  })
  let count = 0
  const handle = gateway.upstream.call(CALL, () => count++)
  await eventually(
    () => waiting.length === 1,
    () => 'the call',
  )
  const busy = await call(gateway)
  assert.deepEqual(busy.ok ? null : busy.failure, 'busy')
  handle.abort()
  handle.abort()
  assert.equal(gateway.upstream.open, 0)
  gateway.upstream.call(CALL, () => count++).abort()
  const slow = call(gateway)
  await eventually(
    () => waiting.length === 2,
    () => 'the slow call',
  )
  gateway.pass(6000)
  const result = await slow
  assert.deepEqual(result.ok ? null : result.failure, 'timeout')
  assert.equal(count, 0)
})
