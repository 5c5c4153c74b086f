import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { eventually } from '../../../test/support/eventually.ts'
import {
  Caller,
  forwardAll,
  type Gateway,
  nativeAlone,
  type Origin,
  startBetween,
} from '../../../test/wire/peers.ts'

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'
const LIMITS = {
  headTimeoutMs: 10_000,
  bodyTimeoutMs: 30_000,
  idleTimeoutMs: 65_000,
  sendTimeoutMs: 20_000,
}

const start = (t: TestContext, onData?: Origin['onData']) => startBetween(t, onData, { limits: LIMITS })

async function connected(gateway: Gateway): Promise<void> {
  await eventually(
    () => gateway.engine.connections > 0,
    () => 'the connection',
  )
}

const BY_OUR_CLOCK = nativeAlone('Node times heads and unused connections by a clock that no test moves')

test('a silent connection is closed, a slow head is answered with 408', BY_OUR_CLOCK, async (t) => {
  const { gateway, caller } = await start(t)
  await connected(gateway)
  gateway.pass(11_000)
  assert.equal(await caller.closed(), '')
  assert.equal(gateway.finished.length, 0)
  const slow = new Caller(gateway.port)
  await slow.ask(GET, /ok$/)
  slow.received = ''
  slow.send('GET / HT')
  await eventually(
    () => slow.socket.bytesWritten === GET.length + 8,
    () => 'the bytes to leave',
  )
  // What left before is there when a later request was answered; an unused connection would end without an answer
  await new Caller(gateway.port).ask(GET, /ok$/)
  gateway.pass(60_000)
  // The head may still have been on its way when the clock moved: its time starts with its first byte
  await eventually(
    () => {
      gateway.pass(1000)
      return slow.isClosed
    },
    () => 'the close',
  )
  assert.match(slow.received, /^HTTP\/1.1 408 Request Timeout\r\n.*request_timeout$/s)
})

test('the time for a head runs from its first byte, whatever follows', BY_OUR_CLOCK, async (t) => {
  const { gateway, caller } = await start(t)
  await connected(gateway)
  caller.send('GET / HTTP/1.1\r\n')
  const drip = setInterval(() => {
    gateway.pass(1000)
    caller.send('a: b\r\n')
  }, 2)
  assert.match(
    await caller.closed(),
    /^HTTP\/1.1 408 Request Timeout\r\n.*Connection: close\r\n\r\nrequest_timeout$/s,
  )
  clearInterval(drip)
  assert.equal(gateway.finished.length, 1)
})

test('a body that stops is answered with 408 and never completed at the upstream', async (t) => {
  const { origin, gateway, caller } = await start(t, () => {})
  caller.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc')
  await eventually(
    () => origin.received.endsWith('abc'),
    () => origin.received,
  )
  gateway.pass(31_000)
  assert.match(await caller.closed(), /^HTTP\/1.1 408 /)
  await eventually(
    () => gateway.upstream.open === 0,
    () => 'the upstream connection to close',
  )
  assert.deepEqual(gateway.refused, [{ code: 'request_timeout', inner: 'body' }])
})

/** Sends pieces of a body, so many seconds apart, until the caller is refused or all are sent. */
async function pieces(t: TestContext, piece: string, count: number, stepMs: number) {
  const started = await start(t, () => {})
  const { origin, gateway, caller } = started
  caller.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${piece.length * count}\r\n\r\n`)
  let sent = 0
  while (sent < count && gateway.refused.length === 0) {
    sent++
    caller.send(piece)
    await eventually(
      () => origin.received.length > piece.length * sent || gateway.refused.length > 0,
      () => `piece ${sent}`,
    )
    // After the last one it is the upstream's turn
    if (sent === count) break
    gateway.pass(stepMs)
    // So that the sweep sees this time before the next piece comes
    await new Promise((resolve) => setImmediate(resolve))
  }
  return { ...started, sent }
}

test('a body that trickles is answered with 408, however steadily it does', async (t) => {
  const { gateway, caller, sent } = await pieces(t, 'x', 1000, 1000)
  assert.match(await caller.closed(), /^HTTP\/1.1 408 /)
  assert.ok(sent > 25, `${sent} pieces`)
  await eventually(
    () => gateway.upstream.open === 0,
    () => 'the upstream connection to close',
  )
  assert.deepEqual(gateway.refused, [{ code: 'request_timeout', inner: 'body' }])
})

test('a body that is slow, and no slower than the least, may take as long as it needs', async (t) => {
  const { origin, gateway, caller } = await pieces(t, 'x'.repeat(4000), 30, 14_000)
  origin.sockets[0]!.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
  await caller.receive(/ok$/)
  assert.equal(gateway.finished[0]!.outcome.bytesIn, 120_000)
})

test('an idle connection is closed silently', async (t) => {
  const { gateway, caller } = await start(t)
  await caller.ask(GET, /ok$/)
  caller.received = ''
  gateway.pass(20_000)
  await caller.ask(GET, /ok$/)
  caller.received = ''
  gateway.pass(66_000)
  assert.equal(await caller.closed(), '')
  assert.equal(gateway.finished.length, 2)
})

test('an upstream that does not answer in time is a 504', async (t) => {
  const { origin, gateway, caller } = await start(t, () => {})
  caller.send(GET)
  await eventually(
    () => origin.received !== '',
    () => 'the request',
  )
  gateway.pass(5500)
  assert.match(await caller.receive(/upstream_timeout$/), /^HTTP\/1.1 504 Gateway Timeout\r\n/)
  assert.equal(caller.isClosed, false)
  assert.deepEqual(gateway.refused, [{ code: 'upstream_timeout', inner: 'first byte' }])
})

test('an upstream that stops in its answer ends it', async (t) => {
  const { gateway, caller } = await start(t, (socket) => {
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf')
  })
  await caller.ask(GET, /half$/)
  gateway.pass(5500)
  await caller.closed()
  assert.equal(gateway.finished[0]?.outcome.truncated, true)
})

test('a streaming answer may take long when it does not stop', async (t) => {
  const { origin, gateway, caller } = await start(t, (socket) => {
    socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n0\r\n')
  })
  await caller.ask(GET, /1\r\n0\r\n$/)
  for (let i = 1; i < 8; i++) {
    gateway.pass(4000)
    origin.sockets[0]?.write(`1\r\n${i}\r\n`)
    await caller.receive(new RegExp(`1\\r\\n${i}\\r\\n$`))
  }
  assert.equal(caller.isClosed, false)
})

test('a caller that does not take its answer is cut off, and the upstream with it', async (t) => {
  const { gateway, caller } = await start(t, (socket) => {
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n`)
    const fill = (): void => {
      while (!socket.destroyed && socket.write(Buffer.alloc(65_536)));
    }
    socket.on('drain', fill)
    fill()
  })
  caller.socket.pause()
  caller.send(GET)
  let before = -1
  await eventually(
    () => {
      const { bytesOut } = gateway.seen[0]?.outcome ?? { bytesOut: 0 }
      const isStill = bytesOut > 0 && bytesOut === before
      before = bytesOut
      return isStill
    },
    () => 'the stream to stand still',
  )
  await eventually(
    () => {
      gateway.pass(5000)
      return gateway.finished.length === 1
    },
    () => 'the end',
  )
  assert.equal(gateway.finished[0]?.outcome.aborted, true)
  assert.ok(before < 50_000_000, `${before} bytes were taken from the upstream`)
  assert.equal(gateway.upstream.open, 0)
})

test('a pooled connection is closed when nobody needed it for long', BY_OUR_CLOCK, async (t) => {
  const { gateway, caller } = await start(t)
  await caller.ask(GET, /ok$/)
  assert.equal(gateway.upstream.idle, 1)
  gateway.pass(31_000)
  await eventually(
    () => gateway.upstream.open === 0,
    () => 'the close',
  )
  assert.equal(gateway.upstream.idle, 0)
})

/** Answers of a server that says for how long it keeps connections. */
const kept =
  (value: string): Origin['onData'] =>
  (socket) =>
    void socket.write(`HTTP/1.1 200 OK\r\nKeep-Alive: ${value}\r\nContent-Length: 2\r\n\r\nok`)

test(
  'a pooled connection takes no request in the last second that its server keeps it',
  BY_OUR_CLOCK,
  async (t) => {
    const { gateway, caller, origin } = await start(t, kept('timeout=5, max=100'))
    const ask = async (): Promise<number> => {
      caller.received = ''
      await caller.ask(GET, /ok$/)
      return origin.sockets.length
    }
    assert.equal(await ask(), 1)
    gateway.pass(3900)
    assert.equal(await ask(), 1)
    gateway.pass(4000)
    assert.equal(await ask(), 2)
  },
)

for (const value of ['timeout=0', 'timeout=1'])
  test(`a connection that its server keeps so shortly is not used again: ${value}`, async (t) => {
    const { gateway, caller, origin } = await start(t, kept(value))
    await caller.ask(GET, /ok$/)
    assert.equal(gateway.upstream.idle, 0)
    caller.received = ''
    await caller.ask(GET, /ok$/)
    assert.equal(origin.sockets.length, 2)
  })

for (const value of ['timeout=3600', 'timeout', 'max=7', 'timeout=-1', 'timeout=1e1', ''])
  test(
    `a pooled connection is closed when nobody needed it for long, whatever else is said: "${value}"`,
    BY_OUR_CLOCK,
    async (t) => {
      const { gateway, caller, origin } = await start(t, kept(value))
      await caller.ask(GET, /ok$/)
      gateway.pass(29_000)
      caller.received = ''
      await caller.ask(GET, /ok$/)
      assert.equal(origin.sockets.length, 1)
      gateway.pass(31_000)
      await eventually(
        () => gateway.upstream.open === 0,
        () => 'the close',
      )
    },
  )

test(
  'a connection that was made in time serves its request, though the thread was held for longer than it may take',
  BY_OUR_CLOCK,
  async (t) => {
    const held: { gateway?: Gateway } = {}
    const { gateway, caller } = await startBetween(t, undefined, {
      request(incoming, upstream) {
        forwardAll(incoming, upstream)
        held.gateway!.pass(5000)
        // The timer of deadlines is due when the thread goes on, before any event of a socket
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50)
      },
    })
    held.gateway = gateway
    await caller.ask(GET, /ok$/)
    assert.deepEqual(gateway.refused, [])
  },
)
