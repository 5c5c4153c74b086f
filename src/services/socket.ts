/**
 * Connections to databases and mail servers. Each passes the egress rule with the address that it goes to: the name is resolved once,
 * and the socket gets the address that was judged.
 */
import { lookup } from 'node:dns'
import { connect, isIP, type LookupFunction, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'
import { type Egress, EgressRefusal } from '../base/net/egress.ts'
import type { ServiceAddress } from './port.ts'

/** From the question for an address to the connection, and again for a handshake, milliseconds. */
export const CONNECT_MS = 10_000
/** To have a server end what it does for a question, milliseconds. */
export const CANCEL_MS = 5000

export type Connect = (to: Pick<ServiceAddress, 'host' | 'port'>, signal: AbortSignal) => Promise<Socket>

/** @param resolve Resolves names, such as `lookup` of node:dns. */
export function createConnect(egress: Egress, resolve: LookupFunction = lookup): Connect {
  return ({ host, port }, signal) => {
    const to = { host, port, from: 'typed' } as const
    const fault = egress.faultOf(to)
    if (fault !== null) return Promise.reject(new ServiceFailure('egress', fault))
    const socket = connect({ host, port, lookup: egress.lookup(to, resolve, 'leave_out'), noDelay: true })
    return settled(socket, 'connect', signal)
  }
}

/** A driver that throws at what comes ends its connection, and not the thread with all others. */
function guarded<Stream extends Duplex>(stream: Stream, admits: (piece: Buffer) => boolean): Stream {
  const emit = stream.emit.bind(stream) as (...event: unknown[]) => boolean
  return Object.assign(stream, {
    emit: (...event: unknown[]): boolean => {
      try {
        if (event[0] === 'data' && !admits(event[1] as Buffer)) return true
        return emit(...event)
      } catch (error) {
        stream.destroy(error instanceof Error ? error : undefined)
        return true
      }
    },
  })
}

/** Bytes that a server may send until somebody has signed in. */
const OPENING_BYTES_MAX = 1024 * 1024
/** Bytes that a server may send while it is asked nothing, such as notices. */
const IDLE_BYTES_MAX = 64 * 1024

/**
 * Bounds the bytes that a server sends to a driver, on the socket and on the TLS stream that takes its place. A driver gathers what it
 * gets, so bytes beyond the bound do not reach it.
 */
export class Inflow {
  readonly #connection: { stream: Duplex }
  #left = OPENING_BYTES_MAX
  #exceeded: (() => void) | null = null

  /** @param connection Of a driver, before anything has come. */
  constructor(connection: { stream: Duplex }) {
    this.#connection = connection
    const admits = (piece: Buffer): boolean => this.#admits(piece.length)
    let stream = guarded(connection.stream, admits)
    Object.defineProperty(connection, 'stream', {
      get: () => stream,
      set(next: Duplex) {
        stream = guarded(next, admits)
      },
    })
  }

  /** @param exceeded is told once that more has come, and ends the connection. */
  allow(bytesMax: number, exceeded: () => void): void {
    this.#left = bytesMax
    this.#exceeded = exceeded
  }

  /** The server is asked nothing. */
  rest(exceeded: () => void): void {
    this.allow(IDLE_BYTES_MAX, exceeded)
  }

  /** Reads nothing more. */
  stop(): void {
    this.#connection.stream.pause()
  }

  #admits(bytes: number): boolean {
    if (this.#left < 0) return false
    this.#left -= bytes
    if (this.#left >= 0) return true
    if (this.#exceeded === null) this.#connection.stream.destroy()
    else this.#exceeded()
    return false
  }
}

/** Settings by which a server proves that it is the one of the address. */
export function tlsOptions({ host, ca }: ServiceAddress): ConnectionOptions {
  return {
    host,
    ...(isIP(host) === 0 ? { servername: host } : {}),
    ...(ca === null ? {} : { ca }),
    minVersion: 'TLSv1.2',
    rejectUnauthorized: true,
  }
}

/** Speaks TLS on a connection. Rejects with a {@link ServiceFailure} unless the server proves who it is. */
export function secured(socket: Socket, to: ServiceAddress, signal: AbortSignal): Promise<Socket> {
  return settled(connectTls({ ...tlsOptions(to), socket }), 'secureConnect', signal)
}

function settled(socket: Socket, event: 'connect' | 'secureConnect', signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const end = (error: ServiceFailure | null): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', abort)
      socket.off('error', failed)
      socket.off('close', closed)
      // An error that comes later, or with the end, ends the socket, which is seen by `close`
      socket.on('error', () => {})
      if (error === null) resolve(socket)
      else {
        socket.destroy()
        reject(error)
      }
    }
    const abort = (): void => end(new ServiceFailure('timeout', 'the call was cancelled'))
    const closed = (): void => end(new ServiceFailure('connect', 'the server closed the connection'))
    const failed = (error: Error): void => end(connectFailure(error))
    const timer = setTimeout(
      () => end(new ServiceFailure('connect', `no connection in ${CONNECT_MS / 1000} s`)),
      CONNECT_MS,
    )
    if (signal.aborted) return abort()
    signal.addEventListener('abort', abort)
    socket.on('error', failed)
    socket.on('close', closed)
    socket.once(event, () => end(null))
  })
}

/** Why there is no connection, without an address. */
function connectFailure(error: Error & { readonly code?: unknown }): ServiceFailure {
  if (error instanceof EgressRefusal) return new ServiceFailure('egress', error.message)
  const code = typeof error.code === 'string' && /^[A-Z0-9_]{1,64}$/.test(error.code) ? error.code : 'error'
  return new ServiceFailure('connect', `the server cannot be reached (${code})`)
}

/** A question to a server that had no answer. The message has no value of the question or of a row, and no secret. */
export class ServiceFailure extends Error {
  /** See `ServiceResult` in port.ts. */
  readonly kind: string
  constructor(kind: string, message: string) {
    super(message)
    this.kind = kind
  }
}

/** The connection has ended before the answer was whole. */
export function lost(): ServiceFailure {
  return new ServiceFailure('connect', 'the server closed the connection')
}

export function tooLong(bytesMax: number): ServiceFailure {
  return new ServiceFailure('size', `the answer is longer than ${bytesMax / 1024 / 1024} MiB`)
}

/** What a driver says of a connection, without what the text repeats. */
export function connectionFailure(text: unknown): ServiceFailure {
  if (/SSL|TLS|certificate/i.test(String(text)))
    return new ServiceFailure('connect', 'TLS with the server failed')
  return /^SASL|plaintext|authentication/.test(String(text))
    ? new ServiceFailure('login', 'signing in to the server failed')
    : lost()
}
