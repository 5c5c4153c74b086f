import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTlsServer, type ServerOptions } from 'node:https'
import type { AddressInfo } from 'node:net'

/** A request as the upstream saw it. */
export interface Seen {
  readonly method: string
  readonly url: string
  readonly headers: IncomingMessage['headers']
  readonly rawHeaders: readonly string[]
  readonly body: string
}

export interface TestUpstream extends AsyncDisposable {
  readonly url: string
  readonly port: number
  readonly seen: Seen[]
  /** Replaces the answer; the default is 200 with what was seen, as JSON. */
  answer: (seen: Seen, response: ServerResponse) => void
  /** Answers before the body has come, if set; such requests are not remembered. */
  handler: ((request: IncomingMessage, response: ServerResponse) => void) | null
  /** Ends all connections to it; it takes new ones. */
  closeConnections(): void
  close(): Promise<void>
}

/** An HTTP service on a free loopback port that remembers every request. @param tls speaks TLS with these options. */
export async function startUpstream(tls: ServerOptions | null = null): Promise<TestUpstream> {
  const take = (request: IncomingMessage, response: ServerResponse): void => {
    if (upstream.handler !== null) {
      upstream.handler(request, response)
      return
    }
    const pieces: Buffer[] = []
    request.on('data', (piece: Buffer) => pieces.push(piece))
    request.on('end', () => {
      const seen: Seen = {
        method: request.method ?? '',
        url: request.url ?? '',
        headers: request.headers,
        rawHeaders: request.rawHeaders,
        body: Buffer.concat(pieces).toString(),
      }
      upstream.seen.push(seen)
      upstream.answer(seen, response)
    })
  }
  const server = tls === null ? createServer(take) : createTlsServer(tls, take)
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as AddressInfo
  const upstream: TestUpstream = {
    url: `${tls === null ? 'http' : 'https'}://127.0.0.1:${port}`,
    port,
    seen: [],
    handler: null,
    answer: (seen, response) => {
      response.setHeader('content-type', 'application/json')
      response.end(
        JSON.stringify({ method: seen.method, url: seen.url, headers: seen.headers, body: seen.body }),
      )
    },
    closeConnections: () => server.closeAllConnections(),
    async close() {
      server.closeAllConnections()
      await new Promise<void>((done) => server.close(() => done()))
    },
    async [Symbol.asyncDispose]() {
      await upstream.close()
    },
  }
  return upstream
}
