import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import type { RequestListener } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { Caller, startGateway } from '../../test/wire/peers.ts'
import { closeServer, listenPrivately } from './private-server.ts'

/** A private server behind a gateway's wire, as the control plane is. */
async function start(context: TestContext, listener: RequestListener) {
  const directory = await mkdtemp(join(tmpdir(), 'postern-sockets-'))
  const path = join(directory, 'control.sock')
  const server = await listenPrivately(path, listener, 100)
  const gateway = await startGateway(
    { socketPath: path },
    { rules: { ...RULES }, upstream: { connectionsMax: 1 } },
  )
  context.after(async () => {
    gateway.close()
    await closeServer(server, 0)
    await rm(directory, { recursive: true })
  })
  return gateway
}

const RULES = { take: [], peek: [], identity: [], strip: [], stripPrefixes: [] }

const echo: RequestListener = (request, response) => {
  let length = 0
  request.on('data', (piece: Buffer) => {
    length += piece.length
  })
  request.on('error', () => {})
  request.on('end', () => response.end(String(length)))
}

test('a request whose body does not end in time is told so and gives its connection back', async (context) => {
  const gateway = await start(context, echo)
  const slow = new Caller(gateway.port)
  slow.send('POST / HTTP/1.1\r\nHost: h\r\nX-Postern-Request-ID: req_1\r\nContent-Length: 100000\r\n\r\n{')
  // It stops before the answer: bytes that meet a closed socket can take the answer with them
  let sent = 0
  const trickle = setInterval(() => {
    if (++sent < 5) slow.send(' ')
  }, 10)
  context.after(() => clearInterval(trickle))
  const answer = await slow.receive(/"code":"request_timeout","request_id":"req_1"/)
  assert.match(answer, /^HTTP\/1\.1 408 /)
  assert.match(answer, /content-type: application\/problem\+json/i)
  await slow.closed()
  // There is one connection to the server; the slow request does not hold it any more.
  const next = new Caller(gateway.port)
  assert.match(
    await next.ask('POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}', /\r\n\r\n2$/),
    /^HTTP\/1\.1 200 /,
  )
  next.socket.destroy()
  assert.deepEqual(gateway.faults, [])
})

test('an answer that takes long is waited for once the request is whole', async (context) => {
  const gateway = await start(context, (request, response) => {
    request.resume()
    setTimeout(() => response.end('late'), 400)
  })
  const caller = new Caller(gateway.port)
  assert.match(await caller.ask('GET / HTTP/1.1\r\nHost: h\r\n\r\n', /late$/), /^HTTP\/1\.1 200 /)
  caller.socket.destroy()
})
