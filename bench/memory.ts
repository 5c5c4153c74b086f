/** Claim: a body of 1 GB streams through in less than 64 MB, and 10,000 idle connections cost less than 200 MB. */

import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { CERTIFICATE, PRIVATE_KEY } from '../test/wire/certificate.ts'
import { missingTools } from './measure/machine.ts'
import type { Postern, PosternOptions } from './measure/postern.ts'
import { createProcesses, type Processes, usageOf } from './measure/processes.ts'
import { type Outcome, skipped } from './measure/results.ts'
import { scratchDirectory } from './measure/scratch.ts'
import { openClient, publishOrders, startManaged } from './measure/stand.ts'

const MB = 1024 ** 2
const BODY_BYTES = 1024 * MB
const WARM_BYTES = 16 * MB
const CONNECTIONS = 10_000
const BODY_MB_MAX = 64
const IDLE_MB_MAX = 200
const PIECE = Buffer.alloc(64 * 1024, 'x')
const CHUNK = Buffer.concat([Buffer.from(`${PIECE.length.toString(16)}\r\n`), PIECE, Buffer.from('\r\n')])

/** Ways of a body, each through a Postern of its own: what one has grown by, the next would not grow by again. */
const BODIES = [
  { name: 'up', isUp: true, chunked: false, tls: false },
  { name: 'up in chunks', isUp: true, chunked: true, tls: false },
  { name: 'down', isUp: false, chunked: false, tls: false },
  { name: 'down in chunks', isUp: false, chunked: true, tls: false },
  { name: 'up under TLS', isUp: true, chunked: false, tls: true },
  { name: 'down under TLS', isUp: false, chunked: false, tls: true },
] as const

export async function memory(quick: boolean): Promise<Outcome> {
  const missing = missingTools(['taskset'])
  if (missing.length > 0) return skipped('memory', missing)
  const upstream = createServer(answer).listen(0, '127.0.0.1')
  await once(upstream, 'listening')
  const { port } = upstream.address() as AddressInfo

  const bodyBytes = quick ? BODY_BYTES / 16 : BODY_BYTES
  const bodies: Record<string, number> = {}
  for (const { name, isUp, chunked, tls } of BODIES)
    bodies[name] = await throughAnother(port, tls, async (postern) => {
      const pass = (bytes: number): Promise<void> => (isUp ? upload : download)(postern, bytes, chunked)
      await pass(WARM_BYTES)
      return growth(postern, () => pass(bodyBytes))
    })
  const connections = quick ? CONNECTIONS / 10 : CONNECTIONS
  const idle = await throughAnother(port, false, async (postern) => {
    await upload(postern, WARM_BYTES, false)
    const sockets: Socket[] = []
    const grown = await growth(postern, async () => {
      for (let made = 0; made < connections; made += 100)
        sockets.push(...(await Promise.all(Array.from({ length: 100 }, () => idleConnection(postern)))))
    })
    for (const socket of sockets) socket.destroy()
    return grown
  })
  upstream.closeAllConnections()
  upstream.close()
  const grown = Object.entries(bodies).map(([name, mb]) => [
    `growth while ${bodyBytes / MB} MB passed ${name}, MB`,
    Math.round(mb),
  ])
  return {
    name: 'memory',
    title: 'Memory, one gateway thread',
    bar: `a body of 1 GB below ${BODY_MB_MAX} MB of growth, ${CONNECTIONS} idle connections below ${IDLE_MB_MAX} MB`,
    met: quick ? null : Math.max(...Object.values(bodies)) < BODY_MB_MAX && idle < IDLE_MB_MAX,
    comparisons: [],
    facts: {
      ...Object.fromEntries(grown),
      [`growth by ${connections} idle connections, MB`]: Math.round(idle),
    },
  }
}

/** To a POST: how many bytes it had. To a GET: as many bytes as its path says, in chunks or not. */
function answer(request: IncomingMessage, response: ServerResponse): void {
  if (request.method === 'POST') {
    let bytes = 0
    request.on('data', (piece: Buffer) => {
      bytes += piece.length
    })
    request.on('end', () => response.end(String(bytes)))
    return
  }
  const [, size, framing] = /^\/files\/(\d+)-(\w+)/.exec(request.url!)!
  let left = Number(size)
  if (framing === 'length') response.setHeader('content-length', left)
  const pour = (): void => {
    while (left > 0) {
      const piece = PIECE.subarray(0, Math.min(left, PIECE.length))
      left -= piece.length
      if (!response.write(piece) && left > 0) return void response.once('drain', pour)
    }
    response.end()
  }
  pour()
}

/** Measures a Postern that was just started, with TLS or without. */
async function throughAnother(
  upstreamPort: number,
  tls: boolean,
  measure: (postern: Postern) => Promise<number>,
): Promise<number> {
  using scratch = scratchDirectory()
  await using processes: Processes = createProcesses()
  const files = { certificate: join(scratch.path, 'tls.pem'), key: join(scratch.path, 'tls.key') }
  writeFileSync(files.certificate, CERTIFICATE)
  writeFileSync(files.key, PRIVATE_KEY)
  const options: PosternOptions = { core: 0, workers: 1, ...(tls ? { tls: files } : {}) }
  const { postern, call } = await startManaged(processes, scratch.path, options)
  await publishOrders(call, upstreamPort, {
    max_body: BODY_BYTES,
    methods: ['GET', 'POST'],
    path: '/files/{id}',
  })
  await openClient(call, ['orders'])
  // It ends when this returns
  return await measure(postern)
}

/** Highest RSS while something is done, above that before, in MB. */
async function growth(postern: Postern, work: () => Promise<unknown>): Promise<number> {
  const rss = (): number => usageOf(postern.process.pid).rssBytes / 1024 ** 2
  const before = rss()
  let highest = before
  const timer = setInterval(() => {
    highest = Math.max(highest, rss())
  }, 50)
  await work()
  clearInterval(timer)
  return Math.max(highest, rss()) - before
}

async function open(postern: Postern, head: string): Promise<Socket> {
  const { hostname, port, protocol } = new URL(postern.gateway)
  const isTls = protocol === 'https:'
  const where = { host: hostname, port: Number(port) }
  const socket = isTls ? connectTls({ ...where, rejectUnauthorized: false }) : connect(where)
  await once(socket, isTls ? 'secureConnect' : 'connect')
  socket.write(`${head}Host: ${hostname}\r\nX-Client-ID: acme\r\nX-Profile-ID: open\r\n\r\n`)
  return socket
}

/** A kept connection on which one request was answered. */
async function idleConnection(postern: Postern): Promise<Socket> {
  const socket = await open(postern, 'GET /orders/files/1-length HTTP/1.1\r\n')
  await new Promise((answered) => socket.once('data', answered))
  return socket
}

async function upload(postern: Postern, bytes: number, chunked: boolean): Promise<void> {
  const framing = chunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${bytes}`
  const socket = await open(postern, `POST /orders/files/1 HTTP/1.1\r\n${framing}\r\n`)
  let text = ''
  socket.setEncoding('latin1').on('data', (piece: string) => {
    text += piece
  })
  for (let sent = 0; sent < bytes; sent += PIECE.length)
    if (!socket.write(chunked ? CHUNK : PIECE)) await once(socket, 'drain')
  if (chunked) socket.write('0\r\n\r\n')
  while (!text.endsWith(`\r\n\r\n${bytes}`)) {
    if (socket.closed) throw new Error(`the upload was answered with ${text.slice(0, 200)}`)
    await new Promise((later) => setTimeout(later, 20))
  }
  socket.destroy()
}

async function download(postern: Postern, bytes: number, chunked: boolean): Promise<void> {
  const path = `/orders/files/${bytes}-${chunked ? 'chunks' : 'length'}`
  const socket = await open(postern, `GET ${path} HTTP/1.1\r\nConnection: close\r\n`)
  let head = ''
  let read = 0
  let end = Buffer.alloc(0)
  for await (const piece of socket as AsyncIterable<Buffer>) {
    if (head === '') head = piece.toString('latin1')
    read += piece.length
    end = Buffer.concat([end, piece]).subarray(-5)
  }
  const isWhole = chunked
    ? end.equals(Buffer.from('0\r\n\r\n'))
    : read >= bytes + head.indexOf('\r\n\r\n') + 4
  if (!head.startsWith('HTTP/1.1 200') || read < bytes || !isWhole)
    throw new Error(`the download ended after ${read} bytes of ${bytes}: ${head.slice(0, 200)}`)
}
