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
import { DISTURBANCES_MAX, DISTURBANCES_MS, isToken, STREAMS_MAX } from './grammar.ts'
import { StreamSocket } from './http2-stream.ts'
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

/** Connection-specific fields (RFC 9113 8.2.2). HTTP/2 frames its messages itself: a request that has one is malformed. */
const OF_CONNECTIONS: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
])

const PSEUDO: ReadonlySet<string> = new Set([':method', ':scheme', ':authority', ':path'])

/** What fits on the first line of a head: neither spaces nor control characters. */
const VISIBLE = /^[\x21-\x7e\x80-\xff]+$/
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/

/**
 * The head of an HTTP/2 request as a head of HTTP/1.1, for the one reader that judges targets, hosts and fields.
 * `pairs` are names and values in turn, as received; `hasBody` says that data follows. Null for a request that is
 * malformed in ways which only HTTP/2 has (RFC 9113 8.1.1): its stream is reset.
 */
export function requestHead(pairs: readonly string[], hasBody: boolean): Buffer | null {
  const pseudo = new Map<string, string>()
  let lines = ''
  let cookie = ''
  let host: string | undefined
  let length: string | undefined
  for (let i = 0; i < pairs.length; i += 2) {
    const name = pairs[i]!
    const value = pairs[i + 1]!
    if (name.startsWith(':')) {
      // Pseudo-header fields stand before all others, each once
      if (lines !== '' || cookie !== '' || host !== undefined || pseudo.has(name) || !PSEUDO.has(name))
        return null
      pseudo.set(name, value)
      continue
    }
    if (!isToken(name) || name !== name.toLowerCase() || !VALUE.test(value)) return null
    if (OF_CONNECTIONS.has(name) || (name === 'te' && value.toLowerCase() !== 'trailers')) return null
    // RFC 9113 8.2.3: crumbs of one cookie
    if (name === 'cookie') cookie = cookie === '' ? value : `${cookie}; ${value}`
    else if (name === 'host' && host === undefined) host = value
    else {
      if (name === 'content-length') length = value
      lines += `${name}: ${value}\r\n`
    }
  }
  const target = targetOf(pseudo)
  if (target === null || (!hasBody && length !== undefined && Number(length) !== 0)) return null
  const authority = pseudo.get(':authority')
  if (authority !== undefined && !VALUE.test(authority)) return null
  let head = `${pseudo.get(':method')} ${target} HTTP/1.1\r\n`
  if (authority !== undefined) head += `Host: ${authority}\r\n`
  // Two that differ stay two, and are refused as such
  if (host !== undefined && host.toLowerCase() !== authority?.toLowerCase()) head += `Host: ${host}\r\n`
  if (cookie !== '') head += `Cookie: ${cookie}\r\n`
  if (hasBody && length === undefined) head += 'Transfer-Encoding: chunked\r\n'
  return Buffer.from(`${head}${lines}Connection: close\r\n\r\n`, 'latin1')
}

/** What stands on the first line; null when the pseudo-header fields make no request (RFC 9113 8.3.1). */
function targetOf(pseudo: ReadonlyMap<string, string>): string | null {
  const method = pseudo.get(':method') ?? ''
  if (!isToken(method)) return null
  const scheme = pseudo.get(':scheme')
  const path = pseudo.get(':path')
  const isConnect = method === 'CONNECT'
  const target = (isConnect ? pseudo.get(':authority') : path) ?? ''
  if (!VISIBLE.test(target)) return null
  // RFC 9113 8.5: no scheme and no path then
  if (isConnect) return scheme === undefined && path === undefined ? target : null
  const isForm = target.startsWith('/') || target === '*'
  return isForm && (scheme === 'https' || scheme === 'http') ? target : null
}
