import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventually } from '../../../test/support/eventually.ts'
import { Caller, forwardAll, type Gateway, startBetween } from '../../../test/wire/peers.ts'

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'

/** So many more callers, once the gateway has accepted them. */
async function flood(gateway: Gateway, count: number): Promise<Caller[]> {
  const before = gateway.engine.connections
  const callers = Array.from({ length: count }, () => new Caller(gateway.port))
  await eventually(
    () => gateway.engine.connections === before + count,
    () => `${gateway.engine.connections} connections, and ${count} more than ${before}`,
  )
  return callers
}

test('a flood of silent connections is held at the cap, ends at the time for a head, and leaves room again', async (t) => {
  const limits = { connectionsMax: 201, headTimeoutMs: 10_000, idleTimeoutMs: 65_000 }
  const { gateway, caller } = await startBetween(t, undefined, { limits })
  await caller.ask(GET, /ok$/)
  const silent = await flood(gateway, 200)
  assert.equal(await new Caller(gateway.port).closed(), '', 'one too many')
  caller.received = ''
  await caller.ask(GET, /ok$/)
  assert.equal(gateway.engine.connections, 201)
  gateway.pass(10_500)
  for (const one of silent) assert.equal(await one.closed(), '')
  assert.equal(gateway.engine.connections, 1, 'the one that asks stays')
  await new Caller(gateway.port).ask(GET, /ok$/)
  assert.equal(gateway.finished.length, 3, 'silence leaves no record')
})

test('connections that sit idle behind an answer end at the idle time', async (t) => {
  const { gateway, caller } = await startBetween(t, undefined, { limits: { idleTimeoutMs: 65_000 } })
  await caller.ask(GET, /ok$/)
  const idle = await flood(gateway, 50)
  for (const one of idle) await one.ask(GET, /ok$/)
  gateway.pass(64_000)
  await caller.ask(GET, /ok.*ok$/s)
  gateway.pass(2000)
  await Promise.all(idle.map((one) => one.closed()))
  assert.equal(caller.isClosed, false)
  assert.equal(gateway.engine.connections, 1)
})

test('a caller that ends its side with its request still gets an answer that the gateway gives at once', async (t) => {
  const { gateway, caller } = await startBetween(t, undefined, {
    request: (incoming) => incoming.answer(403, '', 'no'),
  })
  caller.socket.end(GET + GET)
  assert.match(await caller.closed(), /no[\s\S]*no$/)
  assert.deepEqual(
    gateway.finished.map(({ outcome }) => [outcome.status, outcome.aborted]),
    [
      [403, false],
      [403, false],
    ],
  )
})

test('an upstream that ends its side without an answer is a 502 at once', async (t) => {
  const { gateway, caller } = await startBetween(t, (socket) => socket.end())
  assert.match(await caller.ask(GET, /upstream_unreachable$/), /^HTTP\/1\.1 502 /)
  assert.equal(gateway.upstream.open, 0)
  assert.equal(caller.isClosed, false)
})

test('an upstream that ends its side behind an answer is not asked again on that connection', async (t) => {
  const { origin, gateway, caller } = await startBetween(t, (socket) => socket.end(OK))
  await caller.ask(GET, /ok$/)
  await eventually(
    () => gateway.upstream.open === 0,
    () => 'the close',
  )
  caller.received = ''
  await caller.ask(GET, /ok$/)
  assert.equal(origin.sockets.length, 2)
})

test('an upstream that answers before the body and closes is heard, and the caller told that this was all', async (t) => {
  const { gateway, caller } = await startBetween(t, (socket) =>
    socket.end('HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 3\r\n\r\nbig'),
  )
  caller.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nab')
  await caller.receive(/big$/)
  // What still comes is read and dropped, so that no reset destroys the answer (RFC 9112 9.6)
  caller.send(Buffer.alloc(500_000))
  caller.send(GET)
  const text = await caller.closed()
  assert.match(text, /^HTTP\/1\.1 413 [\s\S]*\r\nConnection: close\r\n\r\nbig$/)
  assert.equal(gateway.seen.length, 1, 'nothing behind it is read as a request')
  assert.equal(gateway.upstream.open, 0)
})

test('a refusal while the body is still coming arrives whole, and nothing of the body is read as a request', async (t) => {
  const { origin, gateway, caller } = await startBetween(t, undefined, {
    request: (incoming, upstream) => {
      if (incoming.path !== '/private') forwardAll(incoming, upstream)
      else incoming.answer(401, '', 'who?')
    },
  })
  caller.send('POST /private HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n')
  await caller.receive(/who\?$/)
  for (let i = 0; i < 20; i++) caller.send(`2000\r\n${'x'.repeat(0x2000)}\r\n`)
  caller.send(`0\r\n\r\n${GET}`)
  assert.match(await caller.closed(), /^HTTP\/1\.1 401 [\s\S]*\r\nConnection: close\r\n\r\nwho\?$/)
  assert.deepEqual([gateway.seen.length, origin.sockets.length], [1, 0])
})

test('a caller that goes on for ever behind a refusal is cut off', async (t) => {
  const { gateway, caller } = await startBetween(t, undefined, {
    request: (incoming) => incoming.answer(413, '', 'big'),
  })
  caller.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4000000000\r\n\r\n')
  await caller.receive(/big$/)
  caller.socket.on('drain', () => caller.send(Buffer.alloc(65_536)))
  caller.send(Buffer.alloc(262_144))
  await caller.closed()
  assert.ok(caller.socket.bytesWritten < 64 * 1024 ** 2, `${caller.socket.bytesWritten} bytes were taken`)
  await eventually(
    () => gateway.engine.connections === 0,
    () => 'the end of the connection',
  )
})

const EVIL = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil'
/** Answers that have no body (RFC 9112 6.3), from upstreams that send one all the same. */
const LIES: readonly (readonly [name: string, ask: string, answer: string])[] = [
  ['HEAD', 'HEAD / HTTP/1.1\r\nHost: a\r\n\r\n', `HTTP/1.1 200 OK\r\nContent-Length: ${EVIL.length}\r\n\r\n`],
  [
    'HEAD in chunks',
    'HEAD / HTTP/1.1\r\nHost: a\r\n\r\n',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n',
  ],
  ['204', GET, 'HTTP/1.1 204 No Content\r\n\r\n'],
  ['304', GET, `HTTP/1.1 304 Not Modified\r\nContent-Length: ${EVIL.length}\r\n\r\n`],
]

for (const [name, ask, head] of LIES) {
  for (const isLate of [false, true]) {
    const when = isLate ? 'a moment later' : 'at once'
    test(`bytes behind the answer to ${name}, ${when}, never become the next answer`, async (t) => {
      const { origin, gateway, caller } = await startBetween(t, (socket) => {
        if (origin.sockets.length > 1) socket.write(OK)
        else if (isLate) socket.write(head)
        else socket.write(head + EVIL)
      })
      caller.send(ask)
      await caller.receive(/\r\n\r\n$/)
      if (isLate) origin.sockets[0]!.write(EVIL)
      await eventually(
        () => gateway.upstream.open === 0,
        () => 'the connection in doubt to be closed',
      )
      caller.received = ''
      assert.match(await caller.ask(GET, /ok$/), /^HTTP\/1\.1 200 OK\r\n(?![\s\S]*evil)/)
      assert.equal(origin.sockets.length, 2)
    })
  }
}

test('of pipelined requests the ones before a broken one are answered, in order, and none behind it', async (t) => {
  const { origin, gateway, caller } = await startBetween(t, (socket, bytes) => {
    const path = bytes.toString('latin1').split(' ')[1]!
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${path.length}\r\n\r\n${path}`)
  })
  const post = 'POST /b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n'
  const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`
  caller.send(`${get('/a')}${post}${get('/c')}GET /d HTTP/1.1\r\nHost: a\r\nno field\r\n\r\n${get('/e')}`)
  const text = await caller.closed()
  assert.deepEqual(
    [...text.matchAll(/\r\n\r\n(\/\w|malformed_request)/g)].map(([, body]) => body),
    ['/a', '/b', '/c', 'malformed_request'],
  )
  assert.equal(gateway.finished.length, 4)
  assert.doesNotMatch(origin.received, /\/[de] /)
})
