import { request as httpRequest, type IncomingMessage, request } from 'node:http'
import { Readable } from 'node:stream'
import type { ReadableStream } from 'node:stream/web'
import { connect, type TLSSocket } from 'node:tls'
import { isPlain } from '../../base/json/storable.ts'
import { findSocket, LOCAL_SOCKET } from '../../base/net/address.ts'

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
        asked.destroy(new LocalRefusal('The response of the running process is too long.'))
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

const NO_BODY: ReadonlySet<number> = new Set([101, 204, 205, 304])

/**
 * The fetch for the control listener of this machine. When that listener speaks TLS, its certificate is compared with those
 * that the process named over its private socket: neither its names nor its issuer matter.
 * @param info answer of the process to `GET /info`.
 * @returns undefined when the listener speaks plain HTTP.
 */
export function localFetch(info: unknown): typeof fetch | undefined {
  const fingerprints = isPlain(info) ? info['management_certificates'] : undefined
  if (!Array.isArray(fingerprints) || fingerprints.length === 0) return undefined
  return createPinnedFetch(new Set(fingerprints.map(String)))
}

/** A fetch over TLS that accepts exactly these certificates, by their SHA-256 fingerprints. It follows no redirects. */
function createPinnedFetch(fingerprints: ReadonlySet<string>): typeof fetch {
  return async (input, init) => {
    const request = new Request(input, init)
    const url = new URL(request.url)
    const body = request.body === null ? null : Buffer.from(await request.arrayBuffer())
    const { promise, resolve, reject } = Promise.withResolvers<Response>()
    const asked = httpRequest(
      {
        method: request.method,
        path: url.pathname + url.search,
        headers: { ...Object.fromEntries(request.headers), host: url.host },
        signal: request.signal,
        createConnection: (_options, connected) => {
          open(url, fingerprints, connected)
          return undefined
        },
      },
      (incoming) => resolve(toResponse(incoming)),
    )
    asked.on('error', (error) => reject(new TypeError('fetch failed', { cause: error })))
    asked.end(body ?? undefined)
    return promise
  }
}

function open(
  { hostname, port }: URL,
  fingerprints: ReadonlySet<string>,
  connected: (error: Error | null, socket: TLSSocket) => void,
): void {
  const socket = connect({
    host: hostname.replace(/^\[(.*)\]$/, '$1'),
    port: Number(port || 443),
    // Compared here, before anything is sent
    rejectUnauthorized: false,
  })
  socket.once('error', (error) => connected(error, socket))
  socket.once('secureConnect', () => {
    if (fingerprints.has(socket.getPeerCertificate().fingerprint256)) connected(null, socket)
    else socket.destroy(new Error('the control listener has another certificate than the running process'))
  })
}

function toResponse(incoming: IncomingMessage): Response {
  const headers = new Headers()
  for (let i = 0; i < incoming.rawHeaders.length; i += 2)
    headers.append(incoming.rawHeaders[i]!, incoming.rawHeaders[i + 1]!)
  const status = incoming.statusCode ?? 0
  // The stream of fetch is that of node:stream/web
  const body = NO_BODY.has(status) ? null : (Readable.toWeb(incoming) as ReadableStream<Uint8Array>)
  return new Response(body, { status, headers })
}
