import { createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer, TLSSocket, type Server as TlsServer } from 'node:tls'
import { Drain, type Draining, type IdleBounds } from '../drain.ts'
import { UNSENT_BYTES_MAX } from '../limits.ts'
import type { Engine, ListenOptions, TlsOptions, Upstream, UpstreamOptions, WireLimits } from '../port.ts'
import { drainStreams } from '../streamed-answer.ts'
import { Connection } from './connection.ts'
import type { Context } from './context.ts'
import { createContext, type NativeEngineOptions } from './create-context.ts'
import { Http2Connection } from './http2-connection.ts'
import { peerCertificate } from './peer-certificate.ts'
import { answerPlainRequest } from './plain-request.ts'
import { Pool } from './pool.ts'
import { endsOf, Proxied } from './proxied.ts'
import { plainAddress } from './proxy-header.ts'
import { Certificates } from './tls.ts'

const BACKLOG = 4096
/** How long a handshake may take once the listeners are closed. */
const LAST_HANDSHAKE_MS = 1000

/** A strict HTTP/1.1 engine on plain sockets, with HTTP/2 towards callers under TLS: listeners, connections and upstream pools of one thread. */
export function createNativeEngine<State>(options: NativeEngineOptions<State>): Engine {
  return new NativeEngine(createContext(options))
}

class NativeEngine implements Engine, Draining {
  readonly #context: Context
  readonly #limits: WireLimits
  readonly #servers: Server[] = []
  readonly #connections = new Set<Connection | Http2Connection>()
  readonly #pools = new Set<Pool>()
  /** What lies under TLS, also while a handshake lasts; by its ends, since TLS hides it. */
  readonly #encrypted = new Map<string, Socket>()
  /** Listeners with TLS, by their index. */
  readonly #secure = new Map<number, { readonly server: TlsServer; readonly certificates: Certificates }>()
  /** When handshakes of TLS that are in progress began, by the ends of their sockets. */
  readonly #handshakes = new Map<string, number>()
  readonly #drain = new Drain()
  #isClosed = false
  readonly #proxied = new Proxied()

  constructor(context: Context) {
    this.#context = context
    this.#limits = context.limits
  }

  get connections(): number {
    return this.#connections.size
  }

  listen({ host, port, reusePort, tls = null, announces = null }: ListenOptions): Promise<number> {
    const listener = this.#servers.length
    let open = 0
    const accept = (socket: Socket): void => {
      // A handshake was let in before it began
      const isIn = tls !== null || this.#isAdmitted(socket, listener)
      if (tls !== null) this.#handshakes.delete(endsOf(socket))
      if (open >= this.#limits.connectionsMax || this.#isClosed || !isIn) {
        socket.destroy()
        return
      }
      open++
      const gone = (connection: Connection | Http2Connection): void => {
        open--
        this.#connections.delete(connection)
        if (this.isEmpty()) this.#drain.emptied()
      }
      const from = { peer: this.#proxied.peerOf(socket), certificate: peerCertificate(socket) }
      const isHttp2 = socket instanceof TLSSocket && socket.alpnProtocol === 'h2'
      this.#connections.add(
        isHttp2
          ? new Http2Connection(this.#context, socket, from, listener, gone)
          : new Connection(this.#context, socket, from, listener, gone),
      )
    }
    const inner =
      tls === null
        ? createServer({ noDelay: true, highWaterMark: UNSENT_BYTES_MAX }, accept)
        : this.#secureServer(tls, listener, accept)
    const server = announces === null ? inner : this.#announcedServer(announces, inner)
    server.on('connection', () => this.#drain.accepted())
    this.#servers.push(server)
    return new Promise((resolve, reject) => {
      server.once('error', reject)
      server.listen({ host, port, reusePort, backlog: BACKLOG }, () => {
        server.off('error', reject)
        // Accepting fails when descriptors run out: the next attempt comes with the next caller
        server.on('error', (error) => this.#context.fault(error))
        const address = server.address()
        resolve(typeof address === 'object' && address !== null ? address.port : 0)
      })
    })
  }

  setTls(options: TlsOptions, listener: number): void {
    const secure = this.#secure.get(listener)
    if (secure === undefined) return
    secure.server.setSecureContext(secure.certificates.replace(options))
    secure.server.setTicketKeys(Buffer.from(options.ticketKeys))
  }

  /** Whether the source of a new connection may have one more. */
  #isAdmitted(socket: Socket, listener: number): boolean {
    const { admits } = this.#context
    if (admits === null) return true
    const closed = admits(this.#proxied.peerOf(socket), listener)
    if (closed !== null) socket.once('close', closed)
    return closed !== null
  }

  /** TLS before the very same connections. A handshake has the time of a head, and counts as a connection. */
  #secureServer(tls: TlsOptions, listener: number, accept: (socket: Socket) => void): Server {
    const certificates = new Certificates()
    const server = createTlsServer(
      {
        ...certificates.replace(tls),
        noDelay: true,
        highWaterMark: UNSENT_BYTES_MAX,
        ALPNProtocols: ['h2', 'http/1.1'],
        SNICallback: (name, done) => done(null, certificates.of(name)),
        requestCert: tls.clientAuthorities !== null,
        // Who has no certificate, or one that counts for nothing, may prove itself otherwise
        rejectUnauthorized: false,
        handshakeTimeout: this.#limits.headTimeoutMs,
        ticketKeys: Buffer.from(tls.ticketKeys),
      },
      accept,
    )
    server.maxConnections = this.#limits.connectionsMax
    server.on('connection', (socket: Socket) => {
      if (!this.#isAdmitted(socket, listener)) {
        socket.destroy()
        return
      }
      const ends = endsOf(socket)
      this.#encrypted.set(ends, socket)
      this.#handshakes.set(ends, this.#context.clock.monotonic())
      socket.on('close', () => {
        if (this.#encrypted.get(ends) !== socket) return
        this.#encrypted.delete(ends)
        this.#handshakes.delete(ends)
        if (this.isEmpty()) this.#drain.emptied()
      })
    })
    server.on('tlsClientError', (error, socket) => {
      answerPlainRequest(error, this.#encrypted.get(endsOf(socket)))
      // A handshake that takes too long is only told of
      socket.destroy()
    })
    this.#secure.set(listener, { server, certificates })
    return server
  }

  /** The PROXY protocol before everything else. Its header has the time of a head. */
  #announcedServer(announces: (peer: string) => boolean, inner: Server): Server {
    const { connectionsMax, headTimeoutMs } = this.#limits
    const server = createServer({ noDelay: true, highWaterMark: UNSENT_BYTES_MAX }, (socket) => {
      if (announces(plainAddress(socket.remoteAddress ?? '')))
        this.#proxied.read(socket, headTimeoutMs, () => inner.emit('connection', socket))
      else inner.emit('connection', socket)
    })
    server.maxConnections = connectionsMax
    return server
  }

  upstream(options: UpstreamOptions): Upstream {
    const pool = new Pool(this.#context, options, (closed) => this.#pools.delete(closed))
    this.#pools.add(pool)
    return pool
  }

  drain(deadlineMs: number): Promise<void> {
    this.#context.draining = true
    for (const connection of this.#connections)
      if (connection instanceof Http2Connection) connection.announceEnd()
    return this.#drain.run(this, deadlineMs)
  }

  isEmpty(): boolean {
    return this.#connections.size === 0 && this.#handshakes.size === 0
  }

  closeListeners(): void {
    for (const server of this.#servers) server.close()
  }

  closeIdle(bounds: IdleBounds, count: number): boolean {
    const now = this.#context.clock.monotonic()
    let closed = 0
    for (const connection of this.#connections)
      if (connection.drain(now, bounds) && ++closed === count) return true
    for (const [ends, began] of this.#handshakes)
      if (began <= now - LAST_HANDSHAKE_MS) this.#encrypted.get(ends)?.destroy()
    return false
  }

  drainStreams(): void {
    drainStreams(this.#context)
  }

  close(): void {
    this.#context.draining = true
    this.#isClosed = true
    this.closeListeners()
    for (const connection of this.#connections) connection.destroy()
    for (const socket of this.#encrypted.values()) socket.destroy()
    this.#proxied.destroy()
    for (const pool of this.#pools) pool.destroy()
    this.#context.sweep.stop()
  }
}
