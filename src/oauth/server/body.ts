import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import { isStorable, toStorable } from '../../base/json/storable.ts'

const BYTES_MAX = 56 * 1024

/** The body as text, or null when it is larger than anything here needs. */
export async function readText(request: IncomingMessage): Promise<string | null> {
  const pieces: Buffer[] = []
  let bytes = 0
  // Leaving the loop must not take the connection with it: the refusal still has to be said
  for await (const piece of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    bytes += piece.length
    if (bytes > BYTES_MAX) return null
    pieces.push(piece)
  }
  return Buffer.concat(pieces).toString('utf8')
}

/** The name of the first parameter of a query or form that no store keeps; null where there is none. */
export function unstorableField(fields: URLSearchParams): string | null {
  for (const [name, value] of fields) if (!isStorable(name) || !isStorable(value)) return toStorable(name)
  return null
}

/** The same request with another body. */
export function withBody(request: IncomingMessage, text: string): IncomingMessage {
  const bytes = Buffer.from(text)
  const { method, url, httpVersion, httpVersionMajor, httpVersionMinor, socket, rawHeaders } = request
  const headers = { ...request.headers, 'content-length': String(bytes.length) }
  delete headers['transfer-encoding']
  // All that the engine looks at; a request cannot be read twice.
  return Object.assign(Readable.from([bytes], { objectMode: false }), {
    method,
    url,
    httpVersion,
    httpVersionMajor,
    httpVersionMinor,
    socket,
    rawHeaders,
    headers,
  }) as unknown as IncomingMessage
}
