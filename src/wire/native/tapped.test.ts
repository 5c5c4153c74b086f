import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { eventually } from '../../../test/support/eventually.ts'
import {
  Caller,
  type Gateway,
  NO_BOUND,
  nativeAlone,
  Origin,
  startGateway,
} from '../../../test/wire/peers.ts'
import type { AnswerTap, Substitute } from '../port.ts'

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'

interface Tap extends AnswerTap {
  readonly heads: (readonly [number, string])[]
  readonly ends: (string | null)[]
}

function tapOf(keepBytesMax: number, substitute: (status: number) => Substitute | null = () => null): Tap {
  const heads: [number, string][] = []
  const ends: (string | null)[] = []
  return {
    heads,
    ends,
    keepBytesMax,
    budget: NO_BOUND,
    head(status, fields) {
      heads.push([status, fields])
      return substitute(status)
    },
    end: (_status, _fields, body) => ends.push(body === null ? null : Buffer.from(body).toString('latin1')),
  }
}

async function start(
  t: TestContext,
  tap: AnswerTap,
  onData: (socket: Socket) => void,
): Promise<{ origin: Origin; gateway: Gateway; caller: Caller }> {
  const origin = new Origin((socket) => onData(socket))
  const gateway = await startGateway(
    { host: '127.0.0.1', port: await origin.listen() },
    {
      request: (incoming, upstream) =>
        incoming.forward(upstream, {
          method: incoming.method,
          target: incoming.path,
          host: 'origin',
          fields: incoming.pass,
          responseFields: 'X-Own: 1\r\n',
          responseNames: ['x-own'],
          tap,
        }),
    },
  )
  t.after(() => {
    gateway.close()
    origin.close()
    assert.deepEqual(gateway.faults, [])
  })
  return { origin, gateway, caller: new Caller(gateway.port) }
}

test('a tap sees the head and a copy of the body, in whatever pieces they come', async (t) => {
  const tap = tapOf(100)
  const { caller, gateway } = await start(t, tap, (socket) => {
    socket.write('HTTP/1.1 200 OK\r\nX-Own: 2\r\nX-A: b\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n')
    void eventually(
      () => tap.heads.length === 1,
      () => 'the head',
    ).then(() => socket.write('2\r\nde\r\n0\r\n\r\n'))
  })
  await caller.ask(GET, /0\r\n\r\n$/)
  assert.deepEqual(tap.heads, [[200, 'X-A: b\r\n']])
  assert.deepEqual(tap.ends, ['abcde'])
  assert.equal(gateway.finished.length, 1)
})

test('a body longer than what is copied passes whole, and the tap is told so', async (t) => {
  const tap = tapOf(4)
  const { caller } = await start(t, tap, (socket) => {
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabcde')
  })
  assert.match(await caller.ask(GET, /abcde$/), /Content-Length: 5\r\n/)
  assert.deepEqual(tap.ends, [null])
})

test('an answer that breaks off has no end', async (t) => {
  const tap = tapOf(100)
  const { caller, gateway } = await start(t, tap, (socket) => {
    socket.end('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab')
  })
  caller.send(GET)
  await caller.closed()
  await eventually(
    () => gateway.finished.length === 1,
    () => 'the end of the request',
  )
  assert.deepEqual(tap.ends, [])
})

const OTHER: Substitute = { status: 200, fields: 'X-Own: 1\r\n', body: 'kept' }

const KEPT = nativeAlone('the connection of an answer that was replaced is closed, complete or not')

test(
  'another answer takes the place of one that is complete, and the connection stays in use',
  KEPT,
  async (t) => {
    const tap = tapOf(100, (status) => (status === 503 ? OTHER : null))
    const { caller, gateway, origin } = await start(t, tap, (socket) => {
      socket.write('HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy')
    })
    for (let i = 1; i <= 3; i++) {
      caller.send(GET)
      await eventually(
        () => caller.answers === i,
        () => `answer ${i}`,
      )
    }
    assert.equal((caller.received.match(/kept/g) ?? []).length, 3)
    assert.doesNotMatch(caller.received, /busy|503/)
    assert.equal(origin.sockets.length, 1)
    assert.equal(gateway.finished[0]!.outcome.upstreamStatus, 503)
    assert.deepEqual(tap.ends, [])
  },
)

test('another answer takes the place of one that goes on, which is given up', async (t) => {
  const tap = tapOf(100, () => OTHER)
  const { caller, gateway, origin } = await start(t, tap, (socket) => {
    socket.write('HTTP/1.1 503 Busy\r\nContent-Length: 400\r\n\r\nbusy')
  })
  await caller.ask(GET, /kept$/)
  await eventually(
    () => gateway.upstream.open === 0,
    () => 'the upstream to be left',
  )
  await caller.ask(GET, /kept[\s\S]*kept$/)
  assert.equal(origin.sockets.length, 2)
})
