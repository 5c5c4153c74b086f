import { chmodSync, rmSync, statSync } from 'node:fs'
import type { RequestListener } from 'node:http'
import { createServer, type Server } from 'node:http'

/**
 * An HTTP server on a private Unix socket that only this user can open (mode 0600). A socket file that a killed
 * process left is removed first: the caller holds the lock of the data directory, so nobody listens on it.
 */
export async function listenPrivately(path: string, listener: RequestListener): Promise<Server> {
  if (statSync(path, { throwIfNoEntry: false })?.isSocket()) rmSync(path)
  const server = createServer(
    // The peer is our own gateway thread, which enforces the limits of the outside.
    { keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0, maxHeaderSize: 131_072 },
    listener,
  )
  const mask = process.umask(0o177)
  try {
    await new Promise<void>((done, reject) => {
      server.once('error', reject)
      server.listen(path, () => done())
    })
  } finally {
    process.umask(mask)
  }
  chmodSync(path, 0o600)
  return server
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
