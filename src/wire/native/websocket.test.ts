import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import { eventually } from '../../../test/support/eventually.ts'
import { Caller, type Gateway, Origin, startGateway } from '../../../test/wire/peers.ts'
import type { Incoming, Upstream } from '../port.ts'

const OFFER =
  'GET /chat HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n'
const TAKEN =
  'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n'

const open: { close(): void }[] = []
afterEach(() => {
  for (const one of open.splice(0)) one.close()
})

function withOffer(incoming: Incoming, upstream: Upstream): void {
  incoming.forward(upstream, {
    method: incoming.method,
    target: incoming.path,
    host: 'origin',
    fields: incoming.pass,
    responseFields: '',
    responseNames: [],
    upgrade: true,
  })
}

/** An origin that takes the offer and then does what `onData` says with bytes of the tunnel. */
async function start(
  onData: (socket: Parameters<Origin['onData']>[0], bytes: Buffer) => void,
  options: Parameters<typeof startGateway>[1] = {},
  first = TAKEN,
): Promise<{ gateway: Gateway; origin: Origin }> {
  const origin = new Origin((socket, bytes) => {
    if (bytes.toString('latin1').startsWith('GET ')) socket.write(first)
    else onData(socket, bytes)
  })
  const port = await origin.listen()
  const gateway = await startGateway({ host: '127.0.0.1', port }, { request: withOffer, ...options })
  open.push(origin, gateway)
  return { gateway, origin }
}

function call(gateway: Gateway): Caller {
  const caller = new Caller(gateway.port)
  open.push({ close: () => caller.socket.destroy() })
  return caller
}

test('an offer that is taken becomes a tunnel, counted both ways and finished once', async () => {
  const { gateway, origin } = await start((socket, bytes) =>
    socket.write(`<${bytes.toString('latin1')}>`, 'latin1'),
  )
  const caller = call(gateway)
  await caller.ask(OFFER, /\r\n\r\n$/)
  assert.match(caller.received, /^HTTP\/1\.1 101 Switching Protocols\r\n/)
  assert.match(caller.received, /Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\n/)
  assert.match(caller.received, /Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n$/)
  assert.match(origin.received, /Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n$/)
  assert.equal(origin.received.match(/upgrade: /gi)?.length, 1)
  caller.received = ''
  // What looks like a request is bytes like all others
  await caller.ask('GET /secret HTTP/1.1\r\n\r\n'.slice(1), /HTTP\/1\.1\r\n\r\n>$/)
  await caller.ask('\0\xff', />.*>$/s)
  assert.equal(gateway.seen.length, 1)
  assert.equal(gateway.finished.length, 0)
  origin.sockets[0]!.end()
  await caller.closed()
  await eventually(
    () => gateway.finished.length === 1,
    () => 'finished',
  )
  const { outcome } = gateway.finished[0]!
  assert.deepEqual([outcome.status, outcome.bytesIn, outcome.bytesOut], [101, 25, 29])
  assert.deepEqual([outcome.aborted, outcome.truncated], [false, false])
})

test('bytes that come with the offer wait for the answer, and go nowhere else when it is refused', async () => {
  const { gateway, origin } = await start(
    () => {},
    {},
    'HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno',
  )
  const caller = call(gateway)
  await caller.ask(`${OFFER}\x81\x01x\r\n\r\n`, /403 [\s\S]*400 /)
  assert.equal(origin.received.includes('\x81'), false)
  const taken = await start((socket, bytes) => socket.write(bytes))
  const other = call(taken.gateway)
  await other.ask(`${OFFER}\x81\x01x`, /\r\n\r\n\x81\x01x$/)
})

test('an upstream that answers 101 without agreeing to the offer gets nothing more, so nobody speaks with it unchecked', async () => {
  const ACCEPT = 'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n'
  const withoutKey = OFFER.replace(/Sec-WebSocket-Key.*?\r\n/, '')
  for (const [offer, taken] of [
    [OFFER, TAKEN.replace(ACCEPT, '')],
    [OFFER, TAKEN.replace('s3pP', 'S3pP')],
    [OFFER, TAKEN.replace(ACCEPT, ACCEPT + ACCEPT)],
    [OFFER.replace('Sec-WebSocket-Key', 'Sec-WebSocket-Key: k\r\nSec-WebSocket-Key'), TAKEN],
    [withoutKey, TAKEN],
  ] as const) {
    const { gateway, origin } = await start(() => {}, {}, taken)
    const caller = call(gateway)
    await caller.ask(`${offer}\x81\x01x\r\n\r\n`, /^HTTP\/1\.1 502 [\s\S]*HTTP\/1\.1 400 /)
    assert.doesNotMatch(caller.received, /Switching Protocols/)
    assert.equal(origin.received.includes('\x81'), false, offer + taken)
  }
})

test('an offer is ignored unless it is forwarded, whole, and by GET', async () => {
  const origin = new Origin()
  const port = await origin.listen()
  const plain = await startGateway({ host: '127.0.0.1', port })
  open.push(origin, plain)
  await call(plain).ask(OFFER, /200 OK[\s\S]*ok$/)
  assert.doesNotMatch(origin.received, /upgrade/i)
  const offered = await startGateway({ host: '127.0.0.1', port }, { request: withOffer })
  open.push(offered)
  for (const head of [
    OFFER.replace('WebSocket', 'h2c'),
    OFFER.replace('WebSocket', 'websocket, h2c'),
    OFFER.replace('keep-alive, Upgrade', 'keep-alive'),
    OFFER.replace('HTTP/1.1', 'HTTP/1.0'),
    OFFER.replace('GET', 'POST'),
    OFFER.replace('\r\n\r\n', '\r\nContent-Length: 1\r\n\r\nx'),
  ]) {
    origin.received = ''
    await call(offered).ask(head, /200 OK[\s\S]*ok$/)
    assert.doesNotMatch(origin.received, /upgrade:/i, head)
  }
})

test('a caller that leaves closes the upstream, and an upstream that breaks closes the caller', async () => {
  const { gateway, origin } = await start(() => {})
  const caller = call(gateway)
  await caller.ask(OFFER, /\r\n\r\n$/)
  caller.socket.destroy()
  await eventually(
    () => origin.sockets[0]!.destroyed || origin.sockets[0]!.readableEnded,
    () => 'the end at the origin',
  )
  await eventually(
    () => gateway.finished.length === 1,
    () => 'finished',
  )
  assert.equal(gateway.finished[0]!.outcome.aborted, true)
  const other = call(gateway)
  await other.ask(OFFER, /\r\n\r\n$/)
  origin.sockets[1]!.resetAndDestroy()
  await other.closed()
})

test('a tunnel ends when nothing moves for the idle time, and bytes of either side put it off', async () => {
  const { gateway, origin } = await start((socket, bytes) => socket.write(bytes))
  const caller = call(gateway)
  await caller.ask(OFFER, /\r\n\r\n$/)
  for (let i = 0; i < 4; i++) {
    gateway.pass(4000)
    caller.received = ''
    await caller.ask('a', /^a$/)
  }
  gateway.pass(4000)
  caller.received = ''
  origin.sockets[0]!.write('b')
  await caller.receive(/^b$/)
  gateway.pass(5500)
  await caller.closed()
})

test('a side that does not read stops the other one', async () => {
  const MB = Buffer.alloc(1 << 20, 'x')
  let isStuck = false
  const { gateway, origin } = await start((socket) => {
    if (isStuck) socket.pause()
  })
  const caller = call(gateway)
  await caller.ask(OFFER, /\r\n\r\n$/)
  const outcome = gateway.seen[0]!.outcome
  caller.socket.pause()
  for (let i = 0; i < 64; i++) origin.sockets[0]!.write(MB)
  isStuck = true
  for (let i = 0; i < 64; i++) caller.socket.write(MB)
  // Both come to rest far from the end: what could still be read is read before another caller is answered
  let before = -1
  while (before !== outcome.bytesIn + outcome.bytesOut) {
    before = outcome.bytesIn + outcome.bytesOut
    await call(gateway).ask(OFFER, /\r\n\r\n$/)
  }
  assert.ok(outcome.bytesIn < 48 * MB.length, `in ${outcome.bytesIn}`)
  assert.ok(outcome.bytesOut < 48 * MB.length, `out ${outcome.bytesOut}`)
  isStuck = false
  caller.received = ''
  caller.socket.resume()
  origin.sockets[0]!.resume()
  await eventually(
    () => outcome.bytesIn === 64 * MB.length && outcome.bytesOut === 64 * MB.length,
    () => `all of it: ${outcome.bytesIn} ${outcome.bytesOut}`,
  )
})
