import { request as httpRequest, type IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import type { ReadableStream } from 'node:stream/web'
import { connect, type TLSSocket } from 'node:tls'
import { isPlain } from '../../base/json/plain.ts'

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
