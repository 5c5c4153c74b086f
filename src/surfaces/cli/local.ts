import { request } from 'node:http'
import { findSocket, LOCAL_SOCKET } from '../../base/net/socket-path.ts'

const TIMEOUT_MS = 10_000
const ANSWER_BYTES_MAX = 64 * 1024

/** The running process refused what was asked on its socket. */
class LocalRefusal extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'LocalRefusal'
  }
}

/**
 * Asks the process that serves a data directory over its private socket.
 * @returns The answer, or null when nothing listens there or the directory is not readable.
 * @throws LocalRefusal when it answers with a failure, or when the socket is not of the user of the data directory.
 */
export function askLocal(
  dataDir: string,
  method: 'GET' | 'POST',
  path: string,
  body?: unknown,
): Promise<Record<string, unknown> | null> {
  let socketPath: string | null
  try {
    socketPath = findSocket(dataDir, LOCAL_SOCKET)
  } catch (error) {
    // Not ours to look at
    if ((error as NodeJS.ErrnoException).code !== undefined) return Promise.resolve(null)
    return Promise.reject(new LocalRefusal((error as Error).message))
  }
  if (socketPath === null) return Promise.resolve(null)
  const { promise, resolve: done, reject } = Promise.withResolvers<Record<string, unknown> | null>()
  const text = body === undefined ? undefined : JSON.stringify(body)
  const headers =
    text === undefined
      ? {}
      : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }
  const asked = request({ socketPath, method, path, headers, timeout: TIMEOUT_MS }, (response) => {
    const pieces: Buffer[] = []
    let size = 0
    response.on('data', (piece: Buffer) => {
      size += piece.length
      if (size > ANSWER_BYTES_MAX)
        asked.destroy(new LocalRefusal('The running process gave too long an answer.'))
      else pieces.push(piece)
    })
    response.on('end', () => {
      const answer = toObject(Buffer.concat(pieces).toString())
      const status = response.statusCode ?? 0
      if (answer !== null && status < 300) done(answer)
      else
        reject(
          new LocalRefusal(
            String(answer?.['detail'] ?? `The running process answered with status ${status}.`),
          ),
        )
    })
    response.on('error', reject)
  })
  asked.on('timeout', () => asked.destroy(new LocalRefusal('The running process did not answer in time.')))
  // No socket, nobody behind it, or not ours to open: nothing that can be asked
  asked.on('error', (error) => (error instanceof LocalRefusal ? reject(error) : done(null)))
  asked.end(text)
  return promise
}

function toObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text)
    // An object of JSON has no other keys than texts
    return value !== null && typeof value === 'object' ? (value as Record<string, unknown>) : null
  } catch {
    return null
  }
}
