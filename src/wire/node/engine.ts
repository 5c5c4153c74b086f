import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { Server as NetServer, type Socket } from 'node:net'
import type { RefusalCode } from '../../base/refusal.ts'
import { Drain, type Draining, type IdleBounds } from '../drain.ts'
import { SWEEP_MS, UNSENT_BYTES_MAX } from '../limits.ts'
import type { NativeEngineOptions } from '../native/context.ts'
import { plainAddress } from '../native/proxy-header.ts'
import type { Engine, ListenOptions, Upstream, UpstreamOptions } from '../port.ts'
import { drainStreams } from '../streamed-answer.ts'
import { NodeConnection } from './connection.ts'
import { createNodeContext, type NodeContext } from './context.ts'
import { NodePool } from './pool.ts'

const BACKLOG = 4096
const NO_TLS = 'the engine on node:http speaks no TLS to callers'

/**
 * The engine on `node:http`: Node's parser (llhttp) reads and frames on both sides, the rules for heads are the same.
 * Tests compare the native engine with it. It speaks no TLS to callers, and ignores offers of WebSockets (RFC 9110 7.8).
 */
export function createNodeEngine<State>(options: NativeEngineOptions<State>): Engine {
  return new NodeEngine(createNodeContext(options), options.sweepMs ?? SWEEP_MS)
}

class NodeEngine implements Engine, Draining {
  readonly #context: NodeContext
  readonly #sweepMs: number
  readonly #servers: Server[] = []
  readonly #connections = new Map<Socket, NodeConnection>()
  readonly #pools = new Set<NodePool>()
  readonly #drain = new Drain()
  #isClosed = false

  constructor(context: NodeContext, sweepMs: number) {
    this.#context = context
    this.#sweepMs = sweepMs
  }

  get connections(): number {
    return this.#connections.size
  }

  listen({ host, port, reusePort, tls }: ListenOptions): Promise<number> {
    // Never plain HTTP where TLS was asked for
    if (tls != null) return Promise.reject(new Error(NO_TLS))
    const { limits, fault } = this.#context.shared
    const server = createServer({
      noDelay: true,
      highWaterMark: UNSENT_BYTES_MAX,
      insecureHTTPParser: false,
      maxHeaderSize: limits.headBytesMax,
      // Judged by the rules, with everything else about the head
      requireHostHeader: false,
      headersTimeout: limits.headTimeoutMs,
      requestTimeout: 0,
      keepAliveTimeout: limits.idleTimeoutMs,
      connectionsCheckingInterval: this.#sweepMs,
    })
    // Not cut by Node, which would hide the rest: the rules count them
    server.maxHeadersCount = 0
    const listener = this.#servers.length
    this.#servers.push(server)
    this.#serve(server, listener)
    return new Promise((resolve, reject) => {
      server.once('error', reject)
      server.listen({ host, port, reusePort, backlog: BACKLOG }, () => {
        server.off('error', reject)
        server.on('error', (error) => fault(error))
        const address = server.address()
        resolve(typeof address === 'object' && address !== null ? address.port : 0)
      })
    })
  }

  upstream(options: UpstreamOptions): Upstream {
    const pool = new NodePool(this.#context.shared, options, (closed) => this.#pools.delete(closed))
    this.#pools.add(pool)
    return pool
  }

  setTls(): void {
    throw new Error(NO_TLS)
  }

  drain(deadlineMs: number): Promise<void> {
    this.#context.shared.draining = true
    return this.#drain.run(this, deadlineMs)
  }

  isEmpty(): boolean {
    return this.#connections.size === 0
  }

  closeListeners(): void {
    // Without closing idle connections, which `close` of node:http does at once
    for (const server of this.#servers) NetServer.prototype.close.call(server)
  }

  closeIdle({ idleMs }: IdleBounds): boolean {
    const since = this.#context.shared.clock.monotonic() - idleMs
    for (const connection of [...this.#connections.values()]) connection.drain(since)
    return false
  }

  drainStreams(): void {
    drainStreams(this.#context.shared)
  }

  close(): void {
    this.#context.shared.draining = true
    this.#isClosed = true
    this.closeListeners()
    for (const connection of [...this.#connections.values()]) connection.destroy()
    for (const pool of this.#pools) pool.destroy()
    this.#context.shared.sweep.stop()
  }

  #serve(server: Server, listener: number): void {
    const { limits, admits } = this.#context.shared
    let open = 0
    server.on('connection', (socket: Socket) => {
      const closed = admits === null ? null : admits(plainAddress(socket.remoteAddress ?? ''), listener)
      if (closed !== null) socket.once('close', closed)
      const isIn = admits === null || closed !== null
      this.#drain.accepted()
      if (open >= limits.connectionsMax || this.#isClosed || !isIn) {
        socket.destroy()
        return
      }
      open++
      const connection = new NodeConnection(this.#context, socket, listener, () => {
        open--
        this.#connections.delete(socket)
        if (this.isEmpty()) this.#drain.emptied()
      })
      this.#connections.set(socket, connection)
    })
    const arrived = (incoming: IncomingMessage, response: ServerResponse): void =>
      this.#connections.get(incoming.socket)?.arrived(incoming, response)
    server.on('request', arrived)
    server.on('checkContinue', arrived)
    server.on('checkExpectation', arrived)
    server.on('connect', (incoming) => this.#connections.get(incoming.socket)?.tunnel(incoming))
    server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
      // Node types the socket of a listener as a stream
      const connection = this.#connections.get(socket as Socket)
      if (connection === undefined) socket.destroy()
      else connection.broken(refusalOf(error.code ?? ''))
    })
  }
}

/** The refusal for what Node says of a message, or null where the caller is gone. */
function refusalOf(code: string): RefusalCode | null {
  if (code === 'HPE_HEADER_OVERFLOW') return 'headers_too_large'
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return 'request_timeout'
  if (code === 'HPE_INVALID_EOF_STATE') return null
  return code.startsWith('HPE_') ? 'malformed_request' : null
}
