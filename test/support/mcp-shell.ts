/** Transport shells on node:http for the MCP doors, so that their tests need no wire of ours. */
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { McpAnswer } from '../../src/mcp/protocol/answer.ts'
import { wholeBody } from '../../src/wire/kept-bytes.ts'
import type { Incoming, Outcome } from '../../src/wire/port.ts'

/** The names that the shell takes out of a head, as a gateway thread does. */
export const TAKEN = ['authorization', 'x-client-id', 'x-profile-id'] as const

export interface Shell {
  readonly url: string
  close(): Promise<void>
}

/** Serves a handler of wire requests. */
export async function serveIncoming(handle: (incoming: Incoming) => void): Promise<Shell> {
  return listen(
    createServer((request, response) => {
      const url = new URL(request.url ?? '/', 'http://shell')
      const taken = TAKEN.map((name) => request.headers[name] as string | undefined)
      let pass = ''
      for (let at = 0; at < request.rawHeaders.length; at += 2) {
        const name = request.rawHeaders[at]!
        if (!TAKEN.some((item) => item === name.toLowerCase()))
          pass += `${name}: ${request.rawHeaders[at + 1]}\r\n`
      }
      const outcome: Outcome = {
        startedAt: 0,
        status: 0,
        bytesIn: 0,
        bytesOut: 0,
        upstreamAt: 0,
        upstreamHeadAt: 0,
        isStream: false,
        upstreamStatus: 0,
        endedAt: 0,
        aborted: false,
        truncated: false,
      }
      handle({
        method: request.method ?? '',
        path: url.pathname,
        query: url.search.slice(1),
        host: request.headers.host ?? '',
        minor: 1,
        pass,
        taken,
        bodyBytes: -1,
        peer: '127.0.0.1',
        listener: 0,
        bodyBytesMax: Number.POSITIVE_INFINITY,
        state: null,
        outcome,
        watchBody() {},
        answer(status, fields, body) {
          const headers = fields.split('\r\n').filter((line) => line !== '')
          response.writeHead(
            status,
            headers.flatMap((line) => [
              line.slice(0, line.indexOf(':')),
              line.slice(line.indexOf(':') + 1).trim(),
            ]),
          )
          response.end(wholeBody(body))
        },
        stream(status, fields, writer) {
          const names = fields.split('\r\n').filter((line) => line !== '')
          response.writeHead(
            status,
            names.map((line) => line.split(/: */, 2)),
          )
          response.flushHeaders()
          response.on('drain', () => writer.drained())
          response.on('close', () => response.writableFinished || writer.gone())
          return {
            write: (piece) => response.write(piece),
            end: () => void response.end(),
            abort: () => void response.destroy(),
          }
        },
        forward() {
          throw new Error('an MCP door does not forward')
        },
        collect(_bytesMax, _room, done) {
          void collected(request).then(done)
        },
      })
    }),
  )
}

export interface Handled {
  readonly method: string
  readonly path: string
  readonly query: string
  readonly host: string
  readonly ip: string
  readonly header: (name: string) => string | undefined
  readonly body: () => Promise<Uint8Array>
}

/** Serves a handler that answers with status, headers and body. */
export async function serveHandler(handle: (request: Handled) => Promise<McpAnswer>): Promise<Shell> {
  return listen(
    createServer((request, response) => {
      const url = new URL(request.url ?? '/', 'http://shell')
      void handle({
        method: request.method ?? '',
        path: url.pathname,
        query: url.search.slice(1),
        host: request.headers.host ?? '',
        ip: '127.0.0.1',
        header: (name) => {
          const value = request.headers[name]
          return Array.isArray(value) ? value.join(', ') : value
        },
        body: () => collected(request),
      }).then(({ status, headers, body, pieces }) => {
        response.writeHead(status, headers)
        if (pieces === undefined) return response.end(body)
        const left = pieces({ write: (piece) => response.write(piece), end: () => response.end() })
        return response.once('close', left)
      })
    }),
  )
}

async function collected(request: IncomingMessage): Promise<Uint8Array> {
  const pieces: Buffer[] = []
  for await (const piece of request) pieces.push(piece as Buffer)
  return Buffer.concat(pieces)
}

async function listen(server: Server): Promise<Shell> {
  // On a busy machine a test may think for longer than the few seconds after which Node closes what idles
  server.keepAliveTimeout = 60_000
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
