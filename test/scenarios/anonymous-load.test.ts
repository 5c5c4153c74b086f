import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { ask } from '../gateway/serve.ts'
import { ConsoleBrowser } from '../support/console-browser.ts'
import { eventually } from '../support/eventually.ts'
import { addUser } from '../support/sign-in.ts'
import { CERTIFICATE, PRIVATE_KEY } from '../wire/certificate.ts'
import { callSecurely, connectionShowing } from './secure.ts'
import { call, startTestServer, type TestServer } from './server.ts'

const METADATA = '/.well-known/oauth-authorization-server'
const COLLECTIONS = '/management/v1/collections'
const CALLS = 45

let server: TestServer
let gatewayPort = 0
let controlPort = 0

before(async () => {
  server = await startTestServer({ workers: 2 })
  gatewayPort = Number(new URL(server.running.gatewayUrl).port)
  controlPort = Number(new URL(server.running.controlUrl).port)
})
after(() => server.stop())

/** A raw connection that keeps all that it was sent. */
class Caller {
  readonly socket: Socket
  text = ''
  isClosed = false

  constructor(port: number, from = '127.0.0.1', reads = true) {
    this.socket = connect({ port, host: '127.0.0.1', localAddress: from })
    this.socket.on('error', () => {})
    this.socket.on('close', () => {
      this.isClosed = true
    })
    if (reads) this.socket.on('data', (bytes: Buffer) => (this.text += bytes.toString('latin1')))
  }

  get status(): string {
    return this.text.slice(9, 12)
  }
}

/** Sends the head of a form and the first bytes of its body, and no more. */
function sendSlowly(port: number, path: string, more = '', from?: string): Caller {
  const caller = new Caller(port, from)
  caller.socket.write(
    `POST ${path} HTTP/1.1\r\nHost: localhost:${port}\r\n${more}Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 2000\r\n\r\ntoken=`,
  )
  return caller
}

/** How many calls an administrator has answered with 200 on a listener, each on a connection of its own. */
async function administer(base: string, calls = CALLS): Promise<number> {
  let answered = 0
  const ask = async (): Promise<void> => {
    const headers = { connection: 'close' }
    const reply = await call('GET', `${base}${COLLECTIONS}`, { token: server.adminToken, headers }).catch(
      () => null,
    )
    if (reply?.status === 200) answered++
  }
  for (let asked = 0; asked < calls; asked += 9)
    await Promise.all(Array.from({ length: Math.min(9, calls - asked) }, ask))
  return answered
}

function endAll(callers: readonly Caller[]): void {
  for (const { socket } of callers) socket.destroy()
}

test('400 slow anonymous requests on each listener leave an administrator of the same address all answers on both', async () => {
  const attackers = [gatewayPort, controlPort].flatMap((port) =>
    Array.from({ length: 400 }, () => sendSlowly(port, '/oauth/introspect')),
  )
  const drip = setInterval(() => {
    for (const { socket } of attackers) if (socket.writable) socket.write('a')
  }, 200)
  try {
    // 64 of each listener are read on; the others are refused at once
    const unanswered = (): number => attackers.filter(({ text }) => text === '').length
    await eventually(() => unanswered() <= 2 * 64)
    assert.equal((await ask(gatewayPort, METADATA, { from: '127.0.0.2' })).status, 200)
    assert.equal(await administer(server.running.gatewayUrl), CALLS)
    assert.equal(await administer(server.running.controlUrl), CALLS)

    // A body must be whole in ten seconds, however steadily it comes
    server.moveClock(10_001)
    await eventually(
      () => unanswered() === 0,
      () => `${unanswered()} without an answer`,
    )
    assert.deepEqual(new Set(attackers.map(({ status }) => status)), new Set(['429', '408']))
    const refused = attackers.filter(({ status }) => status === '429')
    for (const { text } of refused) assert.match(text, /"code":"concurrency_exceeded"/)
    await eventually(async () => (await ask(gatewayPort, METADATA)).status === 200)
  } finally {
    clearInterval(drip)
    endAll(attackers)
  }
})

test('while anonymous requests of their own address hold all its places, a person at the console keeps the session and signs out', async () => {
  await addUser(server, server.running.origin, 'ann')
  const browser = new ConsoleBrowser()
  await browser.signIn(server.running.controlUrl, 'ann')
  const attackers = Array.from({ length: 200 }, () => sendSlowly(controlPort, '/oauth/introspect'))
  try {
    await eventually(() => attackers.filter(({ status }) => status === '429').length >= 200 - 64)
    const stranger = await new ConsoleBrowser().api(server.running.controlUrl, 'GET', '/console/session')
    assert.equal(stranger.status, 429)
    const session = await browser.api(server.running.controlUrl, 'GET', '/console/session')
    assert.deepEqual([session.status, session.text], [200, '{"signed_in":true}'])
    assert.equal((await browser.api(server.running.controlUrl, 'POST', '/console/logout')).status, 204)
  } finally {
    endAll(attackers)
  }
})

test('a token that proves nobody buys no reserved capacity: it is refused without its body', async () => {
  const bearer = `Authorization: Bearer ${'x'.repeat(40)}\r\n`
  const attackers = Array.from({ length: 100 }, () =>
    sendSlowly(gatewayPort, COLLECTIONS, bearer, '127.0.0.3'),
  )
  try {
    await eventually(() => attackers.every(({ text }) => text !== ''))
    for (const { text } of attackers) assert.match(text, /^HTTP\/1\.1 (401|429) /)
    assert.ok(attackers.some(({ text }) => /^HTTP\/1\.1 401 [\s\S]*"credential_invalid"/.test(text)))
    assert.equal(await administer(server.running.gatewayUrl, 5), 5)
  } finally {
    endAll(attackers)
  }
})

test('callers that do not read their answers hold places of their own source alone, and only until they leave', async () => {
  // More than the places that one source may hold
  await using slow = await startTestServer({ flags: ['--pending-per-source-max', '9'] })
  const port = Number(new URL(slow.running.gatewayUrl).port)
  const from = '127.0.0.4'
  const status = async (): Promise<number> => (await ask(port, METADATA, { from })).status
  const attackers = Array.from({ length: 9 }, () => {
    const caller = new Caller(port, from, false)
    caller.socket.pause()
    const one = `GET /management/openapi.json HTTP/1.1\r\nHost: localhost:${port}\r\n\r\n`
    caller.socket.write(one.repeat(30))
    return caller
  })
  try {
    // Each of them has an answer that the gateway cannot send on
    let inARow = 0
    const deadline = performance.now() + 120_000
    while (inARow < 10 && performance.now() < deadline) inARow = (await status()) === 429 ? inARow + 1 : 0
    assert.equal(inARow, 10)
    assert.equal((await ask(port, METADATA, { from: '127.0.0.5' })).status, 200)
    attackers[0]!.socket.destroy()
    await eventually(async () => (await status()) === 200)
  } finally {
    endAll(attackers)
  }
})

test('a caller that leaves in the middle of its body leaves no stack trace in the log', async () => {
  const before = server.log.length
  const lines = `Authorization: Bearer ${server.adminToken}\r\n`
  const leavers = [
    sendSlowly(gatewayPort, '/oauth/introspect'),
    sendSlowly(gatewayPort, '/oauth/token'),
    sendSlowly(gatewayPort, '/oauth/register'),
    sendSlowly(gatewayPort, COLLECTIONS, lines),
    sendSlowly(controlPort, '/management/mcp', lines),
  ]
  const large = new Caller(controlPort)
  large.socket.write(
    `POST ${COLLECTIONS} HTTP/1.1\r\nHost: localhost\r\n${lines}Content-Type: application/json\r\nContent-Length: 1000000\r\n\r\n{`,
  )
  await Promise.all([...leavers, large].map(({ socket }) => once(socket, 'connect')))
  assert.equal(await administer(server.running.controlUrl, 2), 2)
  endAll([...leavers, large])
  assert.equal(await administer(server.running.controlUrl, 2), 2)
  assert.deepEqual(server.log.slice(before), [])
})

test('a source has at most so many connections on each listener, over all threads; others are not concerned', async () => {
  await using bounded = await startTestServer({ workers: 2, flags: ['--connections-per-source-max', '20'] })
  const [gateway, control] = [bounded.running.gatewayUrl, bounded.running.controlUrl].map((url) =>
    Number(new URL(url).port),
  ) as [number, number]
  for (const [port, otherPort, from] of [
    [gateway, control, '127.0.0.6'],
    [control, gateway, '127.0.0.8'],
  ] as const) {
    const callers = Array.from({ length: 30 }, () => new Caller(port, from))
    await eventually(() => callers.filter(({ isClosed }) => isClosed).length === 10)
    assert.equal((await ask(port, '/healthz', { from: '127.0.0.7' })).status, 200)
    assert.equal((await ask(otherPort, '/healthz', { from })).status, 200)
    callers.find(({ isClosed }) => !isClosed)!.socket.destroy()
    await eventually(async () => (await ask(port, '/healthz', { from }).catch(() => null))?.status === 200)
    endAll(callers)
  }
  assert.ok(
    bounded.log.some((line) =>
      /closed 1 new connection, the last from 127\.0\.0\.6: the limit is 20 connections /.test(line),
    ),
  )
})

test('behind a trusted proxy the address that it names is the source, and its connections are not bounded', async () => {
  await using proxied = await startTestServer({
    flags: [
      ...['--trusted-proxies', '127.0.0.8/32', '--pending-per-source-max', '2'],
      ...['--connections-per-source-max', '5'],
    ],
  })
  const port = Number(new URL(proxied.running.gatewayUrl).port)
  const from = '127.0.0.8'
  const via = (client: string): string => `X-Forwarded-For: ${client}\r\n`
  const attackers = Array.from({ length: 8 }, () =>
    sendSlowly(port, '/oauth/introspect', via('2001:db8:1:2::7'), from),
  )
  await eventually(() => attackers.filter(({ status }) => status === '429').length === 6)
  const asked = (client: string) =>
    ask(port, METADATA, { from, headers: { 'x-forwarded-for': client } }).then(({ status }) => status)
  assert.equal(await asked('2001:db8:1:2:ffff::9'), 429)
  assert.equal(await asked('2001:db8:1:3::7'), 200)
  assert.equal(attackers.filter(({ isClosed }) => isClosed).length, 0)
  endAll(attackers)
})

test('800 slow streams on 8 HTTP/2 connections leave an administrator all answers on both listeners', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'postern-streams-'))
  await writeFile(join(directory, 'a.pem'), CERTIFICATE)
  await writeFile(join(directory, 'a.key'), PRIVATE_KEY)
  const flags = ['--tls-cert', join(directory, 'a.pem'), '--tls-key', join(directory, 'a.key')]
  await using secure = await startTestServer({ workers: 2, flags })
  const sessions = Array.from({ length: 8 }, () =>
    connectHttp2(secure.running.gatewayUrl, { ca: CERTIFICATE, servername: 'origin.test' }),
  )
  let refused = 0
  try {
    for (const session of sessions) for (let i = 0; i < 100; i++) sendStream(session, () => refused++)
    await eventually(
      () => refused === 800 - 64,
      () => `${refused} refused`,
    )
    const over = connectionShowing([], { keepAlive: true })
    const token = secure.adminToken
    for (let i = 0; i < CALLS; i++) {
      const inside = await secure.manage('GET', '/collections')
      const outside = await callSecurely(secure, 'GET', COLLECTIONS, { token, over })
      assert.deepEqual([inside.status, outside.status], [200, 200], `call ${i}`)
    }
    over.destroy()
  } finally {
    for (const session of sessions) session.destroy()
    await rm(directory, { recursive: true, force: true })
  }
})

/** Opens a stream whose body does not end. @param refused called when it is answered with 429. */
function sendStream(session: ClientHttp2Session, refused: () => void): void {
  const stream = session.request({
    ':method': 'POST',
    ':path': '/oauth/introspect',
    'content-type': 'application/x-www-form-urlencoded',
  })
  stream.on('error', () => {})
  stream.on('response', (headers) => {
    if (headers[':status'] === 429) refused()
    stream.resume()
  })
  stream.write('token=')
}
