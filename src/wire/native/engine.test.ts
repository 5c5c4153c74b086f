import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { test } from 'node:test'
import { eventually } from '../../../test/support/eventually.ts'
import {
  Caller,
  forwardAll,
  NO_BOUND,
  nativeAlone,
  Origin,
  startBetween as start,
  startGateway,
} from '../../../test/wire/peers.ts'

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'
const respond =
  (text: string) =>
  (socket: Socket): void => {
    socket.write(Buffer.from(text, 'latin1'))
  }

test('a request is forwarded canonically and its answer comes back', async (t) => {
  const { origin, gateway, caller } = await start(
    t,
    respond(
      'HTTP/1.1 201 whatever\r\nServer: x\r\nDate: D\r\nX-A: 1\r\nx-request-id: theirs\r\nKeep-Alive: timeout=5\r\nContent-Length: 5\r\n\r\nhello',
    ),
  )
  const text = await caller.ask(
    'POST /%61/b%2c?q=%61&q=2 HTTP/1.1\r\nhost: EXAMPLE.com:8080\r\nX-Client-ID: c \r\nX-Client-Name: n\r\nUser-Agent: u\r\nCookie2: z\r\nTE: trailers\r\nX-Postern-Role: admin\r\nConnection: keep-alive, X-Drop\r\nX-Drop: 1\r\nAccept: a\r\nAccept: b\r\nUpgrade: websocket\r\nHTTP2-Settings: x\r\nContent-Length: 3\r\n\r\nabc',
    /hello$/,
  )
  assert.equal(
    origin.received,
    'POST /a/b%2C?q=%61&q=2 HTTP/1.1\r\nHost: origin\r\nX-Client-Name: n\r\nUser-Agent: u\r\nAccept: a\r\nAccept: b\r\nContent-Length: 3\r\n\r\nabc',
  )
  assert.equal(
    text,
    'HTTP/1.1 201 Created\r\nDate: D\r\nX-A: 1\r\nX-Request-ID: r1\r\nContent-Length: 5\r\n\r\nhello',
  )
  const [incoming] = gateway.finished
  assert.ok(incoming)
  assert.deepEqual(
    [
      incoming.method,
      incoming.path,
      incoming.query,
      incoming.host,
      incoming.minor,
      incoming.bodyBytes,
      incoming.peer,
    ],
    ['POST', '/a/b%2C', 'q=%61&q=2', 'example.com:8080', 1, 3, '127.0.0.1'],
  )
  assert.deepEqual(incoming.taken, [undefined, 'c', 'u'])
  const { outcome } = incoming
  assert.deepEqual(
    [
      outcome.status,
      outcome.upstreamStatus,
      outcome.bytesIn,
      outcome.bytesOut,
      outcome.aborted,
      outcome.truncated,
    ],
    [201, 201, 3, 5, false, false],
  )
  assert.ok(outcome.startedAt > 0 && outcome.upstreamAt >= outcome.startedAt)
  assert.ok(outcome.upstreamHeadAt >= outcome.upstreamAt && outcome.endedAt >= outcome.upstreamHeadAt)
})

test('an answer without Date gets one', async (t) => {
  const { caller } = await start(t, respond('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'))
  assert.match(await caller.ask(GET, /\r\n\r\n$/), /\r\nDate: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r\n/)
})

test('connections to caller and upstream are kept, and pipelined requests are answered in order', async (t) => {
  let count = 0
  const { origin, gateway, caller } = await start(t, (socket) => {
    const body = `n${++count}`
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
  })
  caller.send(GET.repeat(50))
  await caller.receive(/n50$/)
  assert.deepEqual(
    [...caller.received.matchAll(/n(\d+)/g)].map((match) => Number(match[1])),
    Array.from({ length: 50 }, (_, i) => i + 1),
  )
  assert.equal(origin.sockets.length, 1)
  assert.equal(gateway.finished.length, 50)
  assert.equal(gateway.upstream.open, 1)
  assert.equal(gateway.upstream.idle, 1)
})

test('thousands of pipelined requests that are answered at once do not pile up', async (t) => {
  const { caller } = await start(t, undefined, { request: (incoming) => incoming.answer(200, '', 'x') })
  caller.send(GET.repeat(20_000))
  await eventually(
    () => caller.answers >= 20_000 || caller.isClosed,
    () => `${caller.answers} answers`,
  )
  assert.equal(caller.answers, 20_000)
})

test('HEAD, 204 and 304 have no body, and the connections stay in step', async (t) => {
  const answers = [
    'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n',
    'HTTP/1.1 204 No Content\r\n\r\n',
    'HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\nETag: "x"\r\n\r\n',
    'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nend',
  ]
  const { origin, caller } = await start(t, (socket) => {
    socket.write(answers.shift()!)
  })
  caller.send(`HEAD / HTTP/1.1\r\nHost: a\r\n\r\n${GET}${GET}${GET}`)
  const text = await caller.receive(/end$/)
  assert.deepEqual(
    text.match(/^HTTP\/1.1 .*$|^Content-Length: .*$/gm)?.map((line) => line.trim()),
    [
      'HTTP/1.1 200 OK',
      'Content-Length: 5',
      'HTTP/1.1 204 No Content',
      'HTTP/1.1 304 Not Modified',
      'Content-Length: 7',
      'HTTP/1.1 200 OK',
      'Content-Length: 3',
    ],
  )
  assert.equal(origin.sockets.length, 1)
})

test('a chunked answer is decoded and framed anew, extensions and trailers dropped', async (t) => {
  const { origin, caller } = await start(t, (socket) => {
    socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n')
    socket.once('data', () => {})
    setImmediate(() => setImmediate(() => socket.write('1\r\n-\r\n5\r\nworld\r\n0\r\nX-Trailer: 1\r\n\r\n')))
  })
  const text = await caller.ask(GET, /\r\n0\r\n\r\n$/)
  const body = text.slice(text.indexOf('\r\n\r\n') + 4)
  assert.match(text, /\r\nTransfer-Encoding: chunked\r\n/)
  assert.equal(body.replace(/[0-9a-f]+\r\n(.*?)\r\n/gs, '$1').trim(), 'hello-world')
  assert.doesNotMatch(text, /a=b|Trailer/)
  caller.received = ''
  await caller.ask(GET, /\r\n0\r\n\r\n$/)
  assert.equal(origin.sockets.length, 1, 'the upstream connection was kept')
})

const FRAMED_BY_LENGTH = nativeAlone('Node tells of a head before its body, which is framed anew in chunks')

test('a chunked answer that came at once gets a Content-Length', FRAMED_BY_LENGTH, async (t) => {
  const { caller } = await start(
    t,
    respond('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n'),
  )
  assert.match(await caller.ask(GET, /abc$/), /\r\nContent-Length: 3\r\n\r\nabc$/)
})

test('an answer that ends with the connection is passed on, chunked for HTTP/1.1 and to the close for HTTP/1.0', async (t) => {
  const { caller, gateway } = await start(t, (socket) => {
    socket.write('HTTP/1.1 200 OK\r\n\r\n')
    setImmediate(() => setImmediate(() => socket.end('rest')))
  })
  const text = await caller.ask(GET, /\r\n0\r\n\r\n$/)
  assert.match(text, /4\r\nrest\r\n0\r\n\r\n$/)
  const old = new Caller(gateway.port)
  old.send('GET / HTTP/1.0\r\n\r\n')
  assert.match(await old.closed(), /\r\nConnection: close\r\n\r\nrest$/)
  assert.equal(gateway.seen.at(-1)?.host, '')
})

test(
  'a small chunked request is sent on with its length, a longer one chunk by chunk',
  FRAMED_BY_LENGTH,
  async (t) => {
    const { origin, caller } = await start(t, (socket, bytes) => {
      if (/(abc|\r\n0\r\n\r\n)$/.test(bytes.toString()))
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
    })
    const head = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n'
    await caller.ask(`${head}2;x="y"\r\nab\r\n1\r\nc\r\n0\r\nX-T: 1\r\n\r\n`, /ok$/)
    assert.match(origin.received, /\r\nContent-Length: 3\r\n\r\nabc$/)
    origin.received = ''
    caller.received = ''
    caller.send(`${head}2\r\nab\r\n`)
    await eventually(
      () => origin.received.endsWith('2\r\nab\r\n'),
      () => origin.received,
    )
    caller.send('3\r\ncde\r\n0\r\n\r\n')
    await caller.receive(/ok$/)
    assert.match(origin.received, /\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n$/)
    assert.equal(origin.sockets.length, 1)
  },
)

test('a GET with a body is forwarded with it', async (t) => {
  const { origin, caller } = await start(t)
  await caller.ask('GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nxy', /ok$/)
  assert.match(origin.received, /\r\nContent-Length: 2\r\n\r\nxy$/)
})

test('POST without a body says so to the upstream', async (t) => {
  const { origin, caller } = await start(t)
  await caller.ask('POST / HTTP/1.1\r\nHost: a\r\n\r\n', /ok$/)
  assert.match(origin.received, /\r\nContent-Length: 0\r\n\r\n$/)
})

test('100 Continue is sent when the body is wanted, and the expectation stays here', async (t) => {
  const { origin, caller } = await start(t, (socket, bytes) => {
    if (bytes.toString().endsWith('body')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
  })
  caller.send('PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n')
  assert.equal(await caller.receive(/\r\n\r\n$/), 'HTTP/1.1 100 Continue\r\n\r\n')
  await caller.ask('body', /ok$/)
  assert.doesNotMatch(origin.received, /expect/i)
})

test('a refusal instead of 100 Continue closes, since the body may or may not come', async (t) => {
  const { caller } = await start(t, undefined, { request: (incoming) => incoming.answer(401, '', 'no') })
  caller.send('PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n')
  assert.match(await caller.closed(), /^HTTP\/1.1 401 Unauthorized\r\n.*Connection: close\r\n\r\nno$/s)
})

test('interim answers pass, 100 does not', async (t) => {
  const { caller, gateway } = await start(
    t,
    respond(
      'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
    ),
  )
  const text = await caller.ask(GET, /ok$/)
  assert.match(text, /^HTTP\/1.1 103 Early Hints\r\nLink: <\/a>\r\n\r\nHTTP\/1.1 200 OK\r\n/)
  const old = new Caller(gateway.port)
  old.send('GET / HTTP/1.0\r\n\r\n')
  assert.match(await old.closed(), /^HTTP\/1.1 200 OK/)
})

test('an early answer passes while the request streams, then both connections close', async (t) => {
  const { origin, caller, gateway } = await start(
    t,
    respond('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'),
  )
  caller.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nab')
  const text = await caller.closed()
  assert.match(text, /\r\nConnection: close\r\n\r\nok$/)
  await eventually(
    () => gateway.upstream.open === 0,
    () => 'the upstream connection to close',
  )
  assert.equal(origin.sockets.length, 1)
  assert.equal(gateway.finished[0]?.outcome.aborted, false)
})

test('the handler answers ASCII, UTF-8 and bytes with the right length, and HEAD without body', async (t) => {
  const { caller } = await start(t, undefined, {
    request: (incoming) =>
      incoming.answer(
        200,
        'X-A: 1\r\n',
        incoming.path === '/utf8' ? 'né' : incoming.path === '/bytes' ? Buffer.alloc(20_000, 'x') : 'abc',
      ),
  })
  assert.match(
    await caller.ask(GET, /abc$/),
    /^HTTP\/1.1 200 OK\r\nX-A: 1\r\nDate: .*\r\nContent-Length: 3\r\n\r\nabc$/s,
  )
  caller.received = ''
  assert.match(
    await caller.ask('GET /utf8 HTTP/1.1\r\nHost: a\r\n\r\n', /n\xc3\xa9$/),
    /Content-Length: 3\r\n/,
  )
  caller.received = ''
  assert.match(
    await caller.ask('GET /bytes HTTP/1.1\r\nHost: a\r\n\r\n', /x{20000}$/),
    /Content-Length: 20000\r\n/,
  )
  caller.received = ''
  assert.match(
    await caller.ask('HEAD / HTTP/1.1\r\nHost: a\r\n\r\n', /\r\n\r\n$/),
    /Content-Length: 3\r\n\r\n$/,
  )
})

test('the small rest of a body behind an early answer is dropped, a large one closes', async (t) => {
  const { caller, gateway } = await start(t, undefined, {
    request: (incoming) => incoming.answer(401, '', 'no'),
  })
  caller.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc')
  await caller.receive(/no$/)
  caller.received = ''
  await caller.ask(`defghij${GET}`, /^HTTP\/1.1 401.*no$/s)
  caller.received = ''
  caller.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n')
  await caller.receive(/no$/)
  assert.equal(caller.isClosed, false)
  caller.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n')
  assert.match(await caller.closed(), /Connection: close\r\n\r\nno$/)
  assert.equal(gateway.finished.length, 4)
})

test('an answer arrives although the caller still sends a large body', async (t) => {
  const { caller } = await start(t, undefined, { request: (incoming) => incoming.answer(413, '', 'no') })
  caller.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n\r\n')
  caller.send(Buffer.alloc(900_000))
  assert.match(await caller.closed(), /no$/)
})

test('a body over the bound of the handler is refused, declared or chunked, and the upstream call breaks off', async (t) => {
  const { origin, gateway, caller } = await start(t, () => {}, {
    request: (incoming, upstream) => {
      incoming.bodyBytesMax = 10
      forwardAll(incoming, upstream)
    },
  })
  caller.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n')
  assert.match(await caller.closed(), /^HTTP\/1.1 413 .*Connection: close\r\n\r\nbody_too_large$/s)
  assert.equal(origin.received, '')
  const other = new Caller(gateway.port)
  other.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n123456789\r\n')
  await eventually(
    () => origin.received.includes('123456789'),
    () => origin.received,
  )
  other.send('2\r\nab\r\n0\r\n\r\n')
  assert.match(await other.closed(), /^HTTP\/1.1 413 /)
  assert.doesNotMatch(origin.received, /ab/)
  await eventually(
    () => origin.sockets.every((socket) => socket.destroyed || socket.readableEnded),
    () => 'the upstream connection to end',
  )
  assert.deepEqual(
    gateway.refused.map((refused) => refused.code),
    ['body_too_large', 'body_too_large'],
  )
  assert.equal(gateway.finished.length, 2)
})

test('a body is collected, whole, empty, too large, and not after its caller has left', async (t) => {
  const bodies: (string | null)[] = []
  const { gateway, caller } = await start(t, undefined, {
    request: (incoming) =>
      incoming.collect(5, NO_BOUND, (body) => {
        bodies.push(body === null ? null : Buffer.from(body).toString())
        if (body !== null) incoming.answer(200, '', 'ok')
      }),
  })
  caller.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab')
  caller.send('cde')
  await caller.receive(/ok$/)
  caller.received = ''
  await caller.ask(
    'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\n',
    /ok$/,
  )
  caller.received = ''
  await caller.ask(GET, /ok$/)
  caller.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nabcdef\r\n0\r\n\r\n')
  assert.match(await caller.closed(), /HTTP\/1.1 413 /)
  const leaver = new Caller(gateway.port)
  leaver.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab')
  await eventually(
    () => gateway.seen.length === 5,
    () => 'the request',
  )
  leaver.socket.destroy()
  await eventually(
    () => gateway.finished.length === 5,
    () => 'the end',
  )
  assert.deepEqual(bodies, ['abcde', 'abc', '', null, null])
  assert.equal(gateway.finished[4]?.outcome.aborted, true)
})

test('a long answer at hand waits for its caller, who may read it late or leave', async (t) => {
  // More than what lies between two sockets
  const body = Buffer.alloc(32 * 1024 * 1024, 'x')
  const { gateway, caller } = await start(t, undefined, {
    request: (incoming) => incoming.answer(200, '', body),
  })
  caller.socket.pause()
  caller.send(GET)
  const leaver = new Caller(gateway.port)
  leaver.socket.pause()
  leaver.send(GET)
  await eventually(
    () => gateway.seen.length === 2 && gateway.seen.every(({ outcome }) => outcome.bytesOut > 0),
    () => 'both answers to begin',
  )
  assert.equal(gateway.finished.length, 0)
  leaver.socket.destroy()
  await eventually(
    () => gateway.finished.length === 1,
    () => 'one to leave',
  )
  const { aborted, bytesOut } = gateway.finished[0]!.outcome
  assert.ok(aborted && bytesOut < body.length, `${aborted} ${bytesOut}`)
  let received = 0
  caller.socket.removeAllListeners('data')
  caller.socket.on('data', (bytes: Buffer) => {
    received += bytes.length
  })
  caller.socket.resume()
  await eventually(
    () => gateway.finished.length === 2 && received > body.length,
    () => `${received} bytes`,
  )
  assert.deepEqual(
    [gateway.finished[1]!.outcome.aborted, gateway.finished[1]!.outcome.bytesOut],
    [false, body.length],
  )
})

test('a long answer that a caller does not take has its time', async (t) => {
  const { gateway, caller } = await start(t, undefined, {
    request: (incoming) => incoming.answer(200, '', Buffer.alloc(32 * 1024 * 1024)),
  })
  caller.socket.pause()
  caller.send(GET)
  await eventually(
    () => gateway.seen.length === 1,
    () => 'the request',
  )
  await eventually(
    () => {
      gateway.pass(31_000)
      return gateway.finished.length === 1
    },
    () => 'the end',
  )
  assert.equal(gateway.finished[0]!.outcome.aborted, true)
})

test('a collected body can still be forwarded, small or large', async (t) => {
  const { origin, caller } = await start(
    t,
    (socket) => {
      if (/b$/.test(origin.received)) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
    },
    {
      request: (incoming, upstream) =>
        incoming.collect(100_000, NO_BOUND, () => forwardAll(incoming, upstream)),
    },
  )
  for (const body of ['aaab', `${'a'.repeat(50_000)}b`]) {
    caller.received = ''
    origin.received = ''
    const chunked = `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`
    await caller.ask(`PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${chunked}`, /ok$/)
    assert.ok(origin.received.endsWith(`\r\nContent-Length: ${body.length}\r\n\r\n${body}`))
  }
})

test('a handler may decide later; what the caller sends meanwhile waits', async (t) => {
  let decide = (): void => {}
  const { origin, caller, gateway } = await start(t, undefined, {
    request: (incoming, upstream) => {
      decide = () => forwardAll(incoming, upstream)
    },
  })
  caller.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab')
  caller.send(`cd${GET}`)
  await eventually(
    () => gateway.seen.length === 1,
    () => 'the request',
  )
  assert.equal(origin.received, '')
  decide()
  await caller.receive(/ok$/)
  assert.match(origin.received, /abcd$/)
  await eventually(
    () => gateway.seen.length === 2,
    () => 'the next request',
  )
  decide()
  await eventually(
    () => caller.answers === 2,
    () => caller.received,
  )
})

test('a fault of the handler is answered and leaves the thread alive', async (t) => {
  const origin = new Origin()
  const gateway = await startGateway(
    { host: '127.0.0.1', port: await origin.listen() },
    {
      request: () => {
        throw new Error('broken')
      },
    },
  )
  t.after(() => {
    gateway.close()
    origin.close()
  })
  const caller = new Caller(gateway.port)
  assert.match(await caller.ask(GET, /internal_error$/), /^HTTP\/1.1 500 /)
  assert.match(String(gateway.faults[0]), /broken/)
  caller.received = ''
  await caller.ask(GET, /internal_error$/)
  assert.equal(gateway.finished.length, 2)
})

test('a fault while refusing is answered with a bare 500', async (t) => {
  const origin = new Origin()
  const gateway = await startGateway(
    { host: '127.0.0.1', port: await origin.listen() },
    {
      refused: () => {
        throw new Error('broken')
      },
    },
  )
  t.after(() => {
    gateway.close()
    origin.close()
  })
  const caller = new Caller(gateway.port)
  caller.send('GET\r\n\r\n')
  assert.match(await caller.closed(), /^HTTP\/1.1 500 Internal Server Error\r\n/)
  assert.equal(gateway.finished.length, 1)
})

for (const [what, leave] of [
  ['leaves', (socket) => socket.destroy()],
  // Nobody can tell it from one that left
  ['shuts down its sending side, after its whole request,', (socket) => socket.end()],
] as readonly [string, (socket: Socket) => void][])
  test(`a caller that ${what} ends its upstream request at once`, async (t) => {
    const { origin, caller, gateway } = await start(t, () => {})
    caller.send(GET)
    await eventually(
      () => origin.received !== '',
      () => 'the request at the upstream',
    )
    const [socket] = origin.sockets
    assert.ok(socket)
    leave(caller.socket)
    if (!socket.readableEnded) await once(socket, 'end')
    await eventually(
      () => gateway.finished.length === 1,
      () => 'the end',
    )
    assert.equal(gateway.finished[0]?.outcome.aborted, true)
    assert.equal(gateway.upstream.open, 0)
    gateway.seen[0]?.answer(200, '', 'late answers are ignored')
    assert.equal(await caller.closed(), '')
  })

test('connections over the bound are closed at once', async (t) => {
  const { gateway, caller } = await start(t, undefined, { limits: { connectionsMax: 1 } })
  await caller.ask(GET, /ok$/)
  const other = new Caller(gateway.port)
  await other.closed()
  assert.equal(other.received, '')
  caller.received = ''
  await caller.ask(GET, /ok$/)
})

test('a busy port is an error of listen', async (t) => {
  const { gateway } = await start(t)
  await assert.rejects(gateway.engine.listen({ host: '127.0.0.1', port: gateway.port, reusePort: false }), {
    code: 'EADDRINUSE',
  })
})
