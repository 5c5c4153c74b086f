/**
 * HTTP/2 below the strict HTTP/1.1 parser, so that no rule exists twice. ALPN chooses once for each connection. Trailers are
 * not passed on.
 */
import {
  constants,
  performServerHandshake,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2'
import type { Socket } from 'node:net'
import type { ByteBudget } from '../../base/memory/bytes.ts'
import type { IdleBounds } from '../drain.ts'
import { LINGER_MS } from '../limits.ts'
import { Connection, type Origin } from './connection.ts'
import type { Context } from './context.ts'
import { requestHead } from './http2-head.ts'
import { StreamSocket } from './http2-stream.ts'
import { DISTURBANCES_MAX, DISTURBANCES_MS, STREAMS_MAX } from './limits.ts'
import type { Timed } from './sweep.ts'

/** The largest stream identifier (RFC 9113 5.1.1). */
const STREAM_ID_MAX = 2 ** 31 - 1

/**
 * One caller's connection that speaks HTTP/2 (RFC 9113). `node:http2` has the frames, the windows and the compression;
 * each of its streams is a {@link Connection} of one request, so that whatever holds for requests holds for these.
 */
export class Http2Connection implements Timed {
  deadline: number
  readonly #context: Context
  readonly #session: ServerHttp2Session
  readonly #from: Origin
  readonly #listener: number
  /** Counts what its streams have not sent. */
  readonly #unsent: ByteBudget | null
  #streams = 0
  #isClosing = false
  readonly #openedAt: number
  #disturbances = 0
  #countedSince = 0

  constructor(
    context: Context,
    socket: Socket,
    from: Origin,
    listener: number,
    onGone: (gone: Http2Connection) => void,
  ) {
    const { clock, limits, sweep } = context
    this.#context = context
    this.#listener = listener
    this.#from = from
    this.#unsent = context.keep?.(from.peer) ?? null
    this.#openedAt = clock.monotonic()
    this.deadline = this.#openedAt + limits.headTimeoutMs
    sweep.add(this)
    const session = performServerHandshake(socket, {
      settings: { maxConcurrentStreams: STREAMS_MAX },
      // So that the reader of heads counts them, and answers
      maxHeaderListPairs: limits.fieldsMax * 2,
      // Upstreams repeat fields that should stand once; what passes over HTTP/1.1 passes here
      strictSingleValueFields: false,
    })
    this.#session = session
    session.on('stream', (stream, _headers, _flags, pairs: string[]) => this.#stream(stream, pairs))
    session.on('ping', () => this.#disturbed())
    session.on('remoteSettings', () => this.#disturbed())
    // 'close' follows
    session.on('error', () => {})
    session.on('close', () => {
      sweep.delete(this)
      onGone(this)
    })
    if (context.draining) this.announceEnd()
  }

  /** Asks for no more requests; those on their way are still answered (RFC 9113 6.8). */
  announceEnd(): void {
    if (!this.#session.destroyed) this.#session.goaway(constants.NGHTTP2_NO_ERROR, STREAM_ID_MAX)
  }

  /**
   * Takes no more requests if the connection was open for long enough, and ends with the last one in progress. True when that
   * begins now. A request that crosses the end is safe: the caller learns that it was not processed (RFC 9113 6.8).
   */
  drain(now: number, { idleMs }: IdleBounds): boolean {
    if (this.#openedAt > now - idleMs || this.#isClosing) return false
    this.#end()
    return true
  }

  #end(): void {
    this.#isClosing = true
    this.#session.close()
  }

  destroy(): void {
    this.#session.destroy()
  }

  /** No request for too long. */
  expired(): void {
    if (this.#isClosing) {
      this.destroy()
      return
    }
    this.deadline = this.#context.clock.monotonic() + LINGER_MS
    this.#end()
  }

  #stream(stream: ServerHttp2Stream, pairs: readonly string[]): void {
    // 'close' follows
    stream.on('error', () => {})
    const hasBody = !stream.endAfterHeaders
    const head = requestHead(pairs, hasBody)
    if (head === null) {
      stream.close(constants.NGHTTP2_PROTOCOL_ERROR)
      this.#disturbed()
      return
    }
    this.#streams++
    this.deadline = Infinity
    const isChunked = hasBody && !pairs.some((name, i) => i % 2 === 0 && name === 'content-length')
    const socket = new StreamSocket(stream, head, isChunked, this.#unsent)
    stream.on('close', () => {
      this.#streams--
      if (!socket.writableFinished) this.#disturbed()
      if (this.#streams > 0) return
      const { clock, limits } = this.#context
      this.deadline = clock.monotonic() + (this.#isClosing ? LINGER_MS : limits.idleTimeoutMs)
    })
    new Connection(this.#context, socket as unknown as Socket, this.#from, this.#listener, () => {})
  }

  /** What costs the caller next to nothing, requests given up above all (CVE-2023-44487), is bounded. */
  #disturbed(): void {
    const now = this.#context.clock.monotonic()
    if (now - this.#countedSince >= DISTURBANCES_MS) {
      this.#countedSince = now
      this.#disturbances = 0
    }
    if (++this.#disturbances > DISTURBANCES_MAX && !this.#session.destroyed)
      this.#session.destroy(new Error('too much for nothing'), constants.NGHTTP2_ENHANCE_YOUR_CALM)
  }
}
