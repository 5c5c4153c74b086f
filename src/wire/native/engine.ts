import { constants, X509Certificate } from 'node:crypto'
import { createServer, type Server, type Socket } from 'node:net'
import {
  createSecureContext,
  createServer as createTlsServer,
  type DetailedPeerCertificate,
  type SecureContext,
  type SecureContextOptions,
  TLSSocket,
  type Server as TlsServer,
} from 'node:tls'
import { Drain, type Draining, type IdleBounds } from '../drain.ts'
import { UNSENT_BYTES_MAX } from '../limits.ts'
import type {
  Engine,
  ListenOptions,
  PeerCertificate,
  TlsOptions,
  Upstream,
  UpstreamOptions,
  WireLimits,
} from '../port.ts'
import { drainStreams } from '../streamed-answer.ts'
import { Connection } from './connection.ts'
import { type Context, createContext, type NativeEngineOptions } from './context.ts'
import { Http2Connection } from './http2-connection.ts'
import { Pool } from './pool.ts'
import { PROXY_PREFACE_BYTES, plainAddress, proxiedPeer, proxyRestBytes } from './proxy-header.ts'

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

/** What OpenSSL says of a handshake that begins as a request of HTTP does. */
const HTTP: ReadonlySet<unknown> = new Set(['ERR_SSL_HTTP_REQUEST', 'ERR_SSL_HTTPS_PROXY_REQUEST'])

const TEXT = 'This port speaks TLS. Use https instead of http.\n'
const ANSWER = `HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: ${TEXT.length}\r\nConnection: close\r\n\r\n${TEXT}`

/**
 * Answers a caller that spoke plain HTTP where a handshake of TLS was due. Nothing else is answered. The caller closes.
 * @param below the socket below TLS, on which nothing has been sent; undefined when it is gone.
 */
function answerPlainRequest(error: Error, below: Socket | undefined): void {
  if (HTTP.has((error as NodeJS.ErrnoException).code) && below?.writable === true) below.write(ANSWER)
}

/** Authorities that are looked at; longer chains are not built. */
const CHAIN_MAX = 8

/** TLS has found these by the system's clock; who judges the certificate has one of its own. */
const OF_TIME: readonly unknown[] = ['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID']

/**
 * The client certificate of a connection whose handshake is over, or null. TLS has seen the proof of its key. Some versions
 * of Node do not hand over the chain that was sent with it (nodejs/node 65579).
 */
function peerCertificate(socket: Socket): PeerCertificate | null {
  if (!(socket instanceof TLSSocket)) return null
  // The types know no connection without one
  const first = socket.getPeerCertificate(true) as DetailedPeerCertificate | Record<string, never> | null
  if (first === null || first.raw === undefined) return null
  const chain: Uint8Array[] = []
  let last: DetailedPeerCertificate = first as DetailedPeerCertificate
  while (
    chain.length < CHAIN_MAX &&
    last.issuerCertificate !== undefined &&
    last.issuerCertificate !== last
  ) {
    last = last.issuerCertificate
    chain.push(last.raw)
  }
  const { authorized, authorizationError } = socket
  return {
    leaf: first.raw,
    chain,
    fault: authorized || OF_TIME.includes(authorizationError) ? '' : String(authorizationError),
  }
}

/** Names that are remembered; names of strangers are many. */
const NAMES_MAX = 1000

interface Entry {
  readonly certificate: X509Certificate
  readonly context: SecureContext
}

/** The certificates of a listener, found by the name that a caller asks for (RFC 6066 3). */
class Certificates {
  #entries: readonly Entry[] = []
  #byName = new Map<string, SecureContext>()

  /** Takes new ones all at once. Gives the options of the default; throws when one cannot be used. */
  replace({ pairs, clientAuthorities }: TlsOptions): SecureContextOptions {
    this.#entries = pairs.map((pair) => ({
      certificate: new X509Certificate(pair.certificate),
      context: createSecureContext(contextOptions(pair, clientAuthorities)),
    }))
    this.#byName = new Map()
    return contextOptions(pairs[0]!, clientAuthorities)
  }

  of(name: string): SecureContext {
    const known = this.#byName.get(name)
    if (known !== undefined) return known
    const fits = this.#entries.find(({ certificate }) => certificate.checkHost(name) !== undefined)
    const { context } = fits ?? this.#entries[0]!
    if (this.#byName.size >= NAMES_MAX) this.#byName.clear()
    this.#byName.set(name, context)
    return context
  }
}

/**
 * A caller of TLS 1.2 could begin another handshake within its connection, with another certificate. HTTP/2 forbids it (RFC 9113
 * section 9.2.1), and nothing of HTTP/1.1 needs it.
 */
const FIRST_HANDSHAKE_ALONE = constants.SSL_OP_NO_RENEGOTIATION

function contextOptions(
  { certificate, key }: TlsOptions['pairs'][number],
  clientAuthorities: string | null,
): SecureContextOptions {
  return {
    cert: certificate,
    key,
    minVersion: 'TLSv1.2',
    honorCipherOrder: true,
    secureOptions: FIRST_HANDSHAKE_ALONE,
    ...(clientAuthorities === null
      ? {}
      : {
          ca: clientAuthorities,
          allowPartialTrustChain: true,
          // A resumed session brings the certificate without the authorities in between
          secureOptions: FIRST_HANDSHAKE_ALONE | constants.SSL_OP_NO_TICKET,
        }),
  }
}

const EMPTY = Buffer.alloc(0)

/** Callers behind connections that a proxy has announced, by the ends of the connection: TLS hides the socket below it. */
class Proxied {
  readonly #peers = new Map<string, string>()
  readonly #waiting = new Set<Socket>()

  /** The caller of a connection: whom the proxy named, or else the peer. */
  peerOf(socket: Socket): string {
    const peer = plainAddress(socket.remoteAddress ?? '')
    return this.#peers.size === 0 ? peer : (this.#peers.get(endsOf(socket)) ?? peer)
  }

  /** Reads the header and then calls `done`, with everything after it unread. Closes on any other beginning. */
  read(socket: Socket, timeoutMs: number, done: (socket: Socket) => void): void {
    let preface: Buffer | null = null
    const timer = setTimeout(() => socket.destroy(), timeoutMs)
    this.#waiting.add(socket)
    const end = (): void => {
      clearTimeout(timer)
      this.#waiting.delete(socket)
      socket.off('readable', step)
    }
    const step = (): void => {
      if (preface === null) {
        preface = take(socket, PROXY_PREFACE_BYTES)
        if (preface === null) return
      }
      const bytes = proxyRestBytes(preface)
      const rest = bytes === 0 ? EMPTY : bytes === null ? null : take(socket, bytes)
      if (bytes !== null && rest === null) return
      const peer = rest === null ? null : proxiedPeer(preface, rest)
      end()
      if (peer === null) {
        socket.destroy()
        return
      }
      if (peer !== undefined) {
        const ends = endsOf(socket)
        this.#peers.set(ends, peer)
        socket.on('close', () => this.#peers.delete(ends))
      }
      done(socket)
    }
    socket.on('readable', step)
    // 'close' follows
    socket.on('error', () => {})
    socket.once('close', end)
    step()
  }

  /** Ends the connections whose header has not come. */
  destroy(): void {
    for (const socket of this.#waiting) socket.destroy()
  }
}

/** Exactly so many bytes; null while they are not there. A sender that has ended before is closed. */
function take(socket: Socket, bytes: number): Buffer | null {
  // A socket without an encoding reads buffers
  const read = socket.read(bytes) as Buffer | null
  if (read !== null && read.length === bytes) return read
  if (read !== null || socket.readableEnded) socket.destroy()
  return null
}

/** Both ends of a connection; its TLS has the same. */
function endsOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`
}
