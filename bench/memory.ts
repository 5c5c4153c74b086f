/** Claim: a body of 1 GB streams through in less than 64 MB, and 10,000 idle connections cost less than 200 MB. */

import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { connect } from 'node:net'
import { missingTools } from './measure/machine.ts'
import type { Postern } from './measure/postern.ts'
import { createProcesses, usageOf } from './measure/processes.ts'
import { type Outcome, skipped } from './measure/results.ts'
import { scratchDirectory } from './measure/scratch.ts'
import { openClient, publishOrders, startManaged } from './measure/stand.ts'

const BODY_BYTES = 1024 ** 3
const CONNECTIONS = 10_000
const BODY_MB_MAX = 64
const IDLE_MB_MAX = 200
const PIECE = Buffer.alloc(64 * 1024, 'x')

export async function memory(quick: boolean): Promise<Outcome> {
  const missing = missingTools(['taskset'])
  if (missing.length > 0) return skipped('memory', missing)
  using scratch = scratchDirectory()
  await using processes = createProcesses()
  // Answers how many bytes it got.
  const upstream = createServer((request, response) => {
    let bytes = 0
    request.on('data', (piece: Buffer) => {
      bytes += piece.length
    })
    request.on('end', () => response.end(String(bytes)))
  }).listen(0, '127.0.0.1')
  await once(upstream, 'listening')
  const { port } = upstream.address() as AddressInfo
  const { postern, call } = await startManaged(processes, scratch.path, { core: 0, workers: 1 })
  await publishOrders(call, port, {
    max_body: BODY_BYTES,
    methods: ['GET', 'POST'],
    path: '/files/{id}',
  })
  await openClient(call, ['orders'])

  const bodyBytes = quick ? BODY_BYTES / 16 : BODY_BYTES
  await upload(postern, 16 * 1024 ** 2)
  const body = await growth(postern, () => upload(postern, bodyBytes))
  const connections = quick ? CONNECTIONS / 10 : CONNECTIONS
  const sockets: Socket[] = []
  const idle = await growth(postern, async () => {
    for (let made = 0; made < connections; made += 100)
      sockets.push(...(await Promise.all(Array.from({ length: 100 }, () => idleConnection(postern)))))
  })
  for (const socket of sockets) socket.destroy()
  upstream.closeAllConnections()
  upstream.close()
  return {
    name: 'memory',
    title: 'Memory, one gateway thread',
    bar: `a body of 1 GB below ${BODY_MB_MAX} MB of growth, ${CONNECTIONS} idle connections below ${IDLE_MB_MAX} MB`,
    met: quick ? null : body < BODY_MB_MAX && idle < IDLE_MB_MAX,
    comparisons: [],
    facts: {
      [`growth while ${Math.round(bodyBytes / 1024 ** 2)} MB passed, MB`]: Math.round(body),
      [`growth by ${connections} idle connections, MB`]: Math.round(idle),
    },
  }
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

function open(postern: Postern, head: string): Promise<Socket> {
  const { hostname, port } = new URL(postern.gateway)
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => {
      socket.write(`${head}Host: ${hostname}\r\nX-Client-ID: acme\r\nX-Profile-ID: open\r\n\r\n`)
      resolve(socket)
    })
    socket.on('error', reject)
  })
}

/** A kept connection on which one request was answered. */
async function idleConnection(postern: Postern): Promise<Socket> {
  const socket = await open(postern, 'GET /orders/files/1 HTTP/1.1\r\n')
  await new Promise((answered) => socket.once('data', answered))
  return socket
}

async function upload(postern: Postern, bytes: number): Promise<void> {
  const socket = await open(postern, `POST /orders/files/1 HTTP/1.1\r\nContent-Length: ${bytes}\r\n`)
  let text = ''
  socket.setEncoding('latin1').on('data', (piece: string) => {
    text += piece
  })
  for (let sent = 0; sent < bytes; sent += PIECE.length)
    if (!socket.write(PIECE)) await new Promise((drained) => socket.once('drain', drained))
  while (!text.endsWith(`\r\n\r\n${bytes}`)) {
    if (socket.closed) throw new Error(`the upload was answered with ${text.slice(0, 200)}`)
    await new Promise((later) => setTimeout(later, 20))
  }
  socket.destroy()
}
