/** HTTP servers on private Unix sockets. */
import { lstatSync, rmSync } from 'node:fs'
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http'
import type { Duplex } from 'node:stream'
import { refuse, toProblem } from '../base/refusal.ts'
import { PREAMBLE } from '../fleet/shared/preamble.ts'

/**
 * Time in which a whole request must have arrived, milliseconds. The wire only asks that bytes keep coming, as an
 * upload to a published API may take hours; here a request without end holds one of the few connections that a gateway
 * thread has to the control plane. The largest body, 64 MiB, takes this long at 9 Mbit/s.
 */
const REQUEST_MS = 60_000

/**
 * An HTTP server on a private Unix socket that only this user can open (mode 0600). A socket file that a killed
 * process left is removed first: the caller holds the lock of the data directory, so nobody listens on it.
 */
export async function listenPrivately(
  path: string,
  listener: RequestListener,
  requestMs: number = REQUEST_MS,
): Promise<Server> {
  if (lstatSync(path, { throwIfNoEntry: false })?.isSocket()) rmSync(path)
  const answers = new WeakMap<Duplex, ServerResponse<IncomingMessage>>()
  const server = createServer(
    // The peer is our own gateway thread, which enforces the other limits of the outside.
    {
      keepAliveTimeout: 0,
      requestTimeout: requestMs,
      headersTimeout: 0,
      connectionsCheckingInterval: Math.min(1000, requestMs),
      maxHeaderSize: 131_072,
    },
    (request, response) => {
      answers.set(request.socket, response)
      listener(request, response)
    },
  )
  server.on('clientError', (error, socket) => answerClientError(error, socket, answers.get(socket)))
  const mask = process.umask(0o177)
  try {
    await new Promise<void>((done, reject) => {
      server.once('error', reject)
      server.listen(path, () => done())
    })
  } finally {
    process.umask(mask)
  }
  return server
}

/** A request that took too long is told so, unless its answer has begun. Anything else is not worth an answer. */
function answerClientError(
  error: NodeJS.ErrnoException,
  socket: Duplex,
  response: ServerResponse<IncomingMessage> | undefined,
): void {
  if (error.code !== 'ERR_HTTP_REQUEST_TIMEOUT' || !socket.writable || response?.headersSent === true) {
    socket.destroy()
    return
  }
  const requestId = response?.req.headers[PREAMBLE.requestId]
  const problem = JSON.stringify(toProblem(refuse('request_timeout'), String(requestId ?? '')))
  socket.end(
    'HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Type: application/problem+json\r\n' +
      `Content-Length: ${Buffer.byteLength(problem)}\r\n\r\n${problem}`,
    () => socket.destroy(),
  )
}

/** Closes the server: idle connections at once, those at work after `deadlineMs`. */
export function closeServer(server: Server, deadlineMs: number): Promise<void> {
  return new Promise((done) => {
    const timer = setTimeout(() => server.closeAllConnections(), deadlineMs)
    server.close(() => {
      clearTimeout(timer)
      done()
    })
    server.closeIdleConnections()
  })
}
