import { hash } from 'node:crypto'
import { connect as connectTcp, type NetConnectOpts, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'
import { ANSWER_HEAD_BYTES_MAX, INTERIM_MAX } from '../limits.ts'
import type { FieldNames, UpstreamFailure, UpstreamOptions } from '../port.ts'
import { connectFault } from '../upstream-tls.ts'
import { BodyReader, CHUNKED, UNTIL_CLOSE } from './body-reader.ts'
import type { Context, JudgedAddress } from './context.ts'
import { readInto } from './direct.ts'
import { KnownFields } from './field-table.ts'
import { headEnd } from './grammar.ts'
import { createOutlet, type Outlet, Unread } from './outlet.ts'
import { isBroken } from './request-head.ts'
import type { KnownAnswers, ResponseHead } from './response-head.ts'
import type { Timed } from './sweep.ts'

/** The pool as its connections see it. */
export interface ConnectionOwner {
  readonly context: Context
  readonly options: UpstreamOptions
  /** Made once for all connections; null without TLS. */
  readonly tls: ConnectionOptions | null
  readonly address: JudgedAddress
  /** Connected, or done with a request: takes the next user or goes idle. */
  release(connection: UpstreamConnection): void
  /** Closed, for whatever reason. */
  gone(connection: UpstreamConnection): void
  /** Sends a request once more, on a fresh connection. */
  retry(user: UpstreamUser): void
}

const CONNECTING = 0
const IDLE = 1
const HEAD = 2
const BODY = 3
const GONE = 4

const NOTHING = Buffer.alloc(0)

/**
 * One connection to an upstream, for one request after another. Invariants:
 * 1. It has a user from `begin` to the last byte of the answer; bytes that come without one close it.
 * 2. It goes back to the pool only when request and answer both ended where their framing said. Any doubt closes it:
 *    more bytes than announced, an answer before the request was sent, a framing fault, a timeout.
 */
export class UpstreamConnection implements RequestConnection, Timed {
  deadline: number
  /** In whose share of the pool it counts; null while it is idle. The pool's to set. */
  holder: string | null = null
  readonly #owner: ConnectionOwner
  readonly #context: Context
  readonly #socket: Socket
  readonly #outlet: Outlet
  readonly #reader = new BodyReader()
  readonly #unread = new Unread()
  readonly #fields: KnownAnswers = new KnownFields()
  #user: UpstreamUser | null
  #state = CONNECTING
  #close = false
  /** For how long it may stay unused after the answer in progress. */
  #pooledMs = 0
  #used = 0
  #interims = 0
  /** Longest pause of the request in progress. */
  #idleTimeoutMs = 0
  #error = ''

  /** Connects; the first request is that of `user`. */
  constructor(owner: ConnectionOwner, user: UpstreamUser) {
    this.#owner = owner
    this.#context = owner.context
    this.#user = user
    this.deadline = this.#context.clock.monotonic() + owner.options.connectTimeoutMs
    this.#context.sweep.add(this)
    this.#socket = this.#open()
    this.#outlet = createOutlet(this.#socket, () => this.#drained())
    this.#socket.on('error', (error: NodeJS.ErrnoException) => {
      this.#error = connectFault(error)
    })
    this.#socket.on('end', () => this.#ended())
    this.#socket.on('close', () => this.#end('unreachable', this.#error || 'closed'))
  }

  #open(): Socket {
    const { address } = this.#owner.options
    const { tls } = this.#owner
    const onConnect = (): void => this.#connected()
    const where: NetConnectOpts =
      'socketPath' in address
        ? { path: address.socketPath }
        : { host: address.host, port: address.port, noDelay: true, lookup: this.#owner.address.lookup }
    const socket = tls === null ? connectTcp(where, onConnect) : connectTls({ ...where, ...tls }, onConnect)
    readInto(socket, this.#context.readBuffer, (bytes, length) => this.#data(bytes, length))
    return socket
  }

  /** Sends the request of `user`. Only on an idle connection. */
  begin(user: UpstreamUser): void {
    this.#user = user
    this.#state = HEAD
    this.#used++
    this.#interims = 0
    this.#idleTimeoutMs = user.idleTimeoutMs ?? this.#owner.options.idleTimeoutMs
    const now = this.#context.clock.monotonic()
    // While the body comes, the caller's own timeouts hold
    this.deadline = user.complete ? now + this.#owner.options.firstByteTimeoutMs : Infinity
    this.#outlet.write(user.message)
    user.started(this, now)
  }

  send(data: string | Buffer, last: boolean): boolean {
    const taken = this.#outlet.write(data)
    const { options } = this.#owner
    if (this.#state === BODY) this.deadline = this.#context.clock.monotonic() + this.#idleTimeoutMs
    else if (last) this.deadline = this.#context.clock.monotonic() + options.firstByteTimeoutMs
    else this.deadline = taken ? Infinity : this.#context.clock.monotonic() + this.#idleTimeoutMs
    return taken
  }

  resume(): void {
    if (this.#state !== BODY) return
    this.deadline = this.#context.clock.monotonic() + this.#idleTimeoutMs
    this.#socket.resume()
  }

  abandon(): void {
    this.#user = null
    this.#end('unreachable', '')
  }

  expired(): void {
    if (this.#state === CONNECTING) this.#end('timeout', 'connect')
    else if (this.#state === HEAD) this.#end('timeout', 'first byte')
    else this.#end('timeout', 'idle')
  }

  #connected(): void {
    if (this.#state !== CONNECTING) return
    const user = this.#user
    this.#state = IDLE
    this.#user = null
    if (user === null) this.#owner.release(this)
    else this.begin(user)
  }

  #drained(): void {
    const user = this.#user
    if (user === null) return
    if (this.#state === HEAD && !user.complete) this.deadline = Infinity
    user.writable()
  }

  #data(bytes: Buffer, length: number): void {
    if (this.#state === HEAD) this.#readHead(bytes, length)
    else if (this.#state === BODY) this.#readBody(bytes, length)
    else this.#end('invalid_response', 'unsolicited bytes')
  }

  #readHead(arrived: Buffer, length: number): void {
    const unread = this.#unread
    const user = this.#user!
    let searched = unread.length
    unread.add(arrived, length)
    for (;;) {
      const { bytes, at, end } = unread
      const stop = headEnd(bytes, Math.max(at, at + searched - 3), end)
      if (stop < 0) {
        if (end - at > ANSWER_HEAD_BYTES_MAX) {
          this.#end('invalid_response', 'head is too long')
          return
        }
        if (isBroken(bytes, at, Math.max(at, at + searched - 1), end)) {
          this.#end('invalid_response', 'line end')
          return
        }
        unread.keep()
        return
      }
      if (stop - at > ANSWER_HEAD_BYTES_MAX) {
        this.#end('invalid_response', 'head is too long')
        return
      }
      const head = this.#context.responseHead
      const { refusesCookie = null } = this.#owner.options
      if (!head.parse(bytes, at, stop + 2, user.responseNames, this.#fields, refusesCookie)) {
        this.#end('invalid_response', head.inner)
        return
      }
      unread.at = stop + 4
      if (head.status === 101 && user.upgrade === true && !agreesToWebSocket(user.message, head.pass)) {
        this.#end('invalid_response', 'switched protocols without Sec-WebSocket-Accept for the key')
        return
      }
      if (head.status >= 200 || (head.status === 101 && user.upgrade === true)) {
        this.#answered(user)
        return
      }
      if (head.status === 101) {
        this.#end('invalid_response', 'switched protocols unasked')
        return
      }
      if (++this.#interims > INTERIM_MAX) {
        this.#end('invalid_response', 'too many interim answers')
        return
      }
      // RFC 9110 15.2.1: an unasked 100 means nothing to a caller
      if (head.status > 101) user.interim(head)
      if (this.#user !== user) return
      searched = 0
      if (unread.length === 0) {
        unread.clear()
        return
      }
    }
  }

  #answered(user: UpstreamUser): void {
    const { responseHead: head, clock } = this.#context
    const unread = this.#unread
    const reader = this.#reader
    const isBodiless = user.headOnly || head.status === 204 || head.status === 304
    if (head.status === 101) reader.reset(UNTIL_CLOSE)
    else reader.reset(isBodiless ? 0 : head.chunked ? CHUNKED : head.length >= 0 ? head.length : UNTIL_CLOSE)
    this.#close = head.close || reader.left === UNTIL_CLOSE
    this.#pooledMs = head.pooledMs
    this.#state = BODY
    const { bytes } = unread
    let from = 0
    let to = 0
    if (!reader.done && unread.length > 0) {
      if (!reader.read(bytes, unread.at, unread.end)) {
        // Nothing of it was passed on yet
        this.#end('invalid_response', 'chunked framing')
        return
      }
      from = reader.from
      to = reader.to
      unread.at = reader.next
    }
    const now = clock.monotonic()
    const last = reader.done
    if (last) this.#finish(user, unread.length > 0, now)
    else this.deadline = now + this.#idleTimeoutMs
    unread.clear()
    if (!user.answered(head, now, bytes, from, to, last) && this.#user === user) this.#pause()
  }

  #readBody(bytes: Buffer, length: number): void {
    const reader = this.#reader
    const user = this.#user!
    if (!reader.read(bytes, 0, length)) {
      this.#end('invalid_response', 'chunked framing')
      return
    }
    const last = reader.done
    const now = this.#context.clock.monotonic()
    if (last) this.#finish(user, reader.next < length, now)
    else this.deadline = now + this.#idleTimeoutMs
    if (!user.piece(bytes, reader.from, reader.to, last) && this.#user === user) this.#pause()
  }

  /** The answer is complete. Before the user hears of it, so that its next request finds this connection free. */
  #finish(user: UpstreamUser, hasMore: boolean, now: number): void {
    this.#user = null
    if (this.#close || hasMore || !user.complete) {
      this.#end('unreachable', '')
      return
    }
    this.#state = IDLE
    this.deadline = now + this.#pooledMs
    this.#owner.release(this)
  }

  #pause(): void {
    // The caller is slow: its own timeout holds
    this.deadline = Infinity
    this.#socket.pause()
    this.#outlet.watch()
  }

  /** The upstream sends no more. */
  #ended(): void {
    const user = this.#user
    if (user !== null && this.#state === BODY && this.#reader.left === UNTIL_CLOSE) {
      this.#user = null
      this.#end('unreachable', '')
      user.piece(NOTHING, 0, 0, true)
    } else if (this.#state === HEAD && this.#unread.length > 0)
      this.#end('invalid_response', 'head breaks off')
    else if (this.#state === HEAD && this.#owner.tls !== null)
      // An alert ends the stream first, and is told as an error after that
      setImmediate(() => this.#end('unreachable', this.#error || 'closed'))
    else this.#end('unreachable', 'closed')
  }

  #end(failure: UpstreamFailure, inner: string): void {
    if (this.#state === GONE) return
    // Closed by the upstream while nothing but the request was on its way: the usual race of kept connections
    const isStale =
      this.#state === HEAD &&
      this.#used > 1 &&
      this.#interims === 0 &&
      this.#unread.length === 0 &&
      failure === 'unreachable'
    const user = this.#user
    this.#state = GONE
    this.#user = null
    this.#unread.clear()
    this.#context.sweep.delete(this)
    this.#socket.destroy()
    this.#owner.gone(this)
    if (user === null) return
    if (isStale && user.retryable && !user.retried) {
      user.retried = true
      this.#owner.retry(user)
    } else user.failed(failure, inner)
  }
}

// Decides whether an upstream has accepted a WebSocket (RFC 6455 section 4.1). Bytes after that are not read. A server that
// answers 101 for another reason, such as a status that a caller chose, would read the following bytes as further requests,
// which no check has seen.

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
const KEY = /\r\nsec-websocket-key:[\t ]*([^\r\n]*?)[\t ]*(?=\r\n)/gi
const ACCEPT = /(?:^|\r\n)sec-websocket-accept:[\t ]*([^\r\n]*?)[\t ]*(?=\r\n)/gi

/** @param request Head of the request as it was sent. @param answer Header lines of the answer. */
function agreesToWebSocket(request: string, answer: string): boolean {
  const keys = [...request.matchAll(KEY)]
  const accepts = [...answer.matchAll(ACCEPT)]
  if (keys.length !== 1 || accepts.length !== 1) return false
  return accepts[0]![1] === hash('sha1', `${keys[0]![1]}${GUID}`, 'base64')
}

/** The connection to an upstream that carries a request, as its {@link UpstreamUser} uses it. */
export interface RequestConnection {
  /** Sends a piece of the request's body. False when no more should follow before {@link UpstreamUser.writable}. */
  send(data: string | Buffer, last: boolean): boolean
  /** Reads on after a pause. */
  resume(): void
  /** Ends the request: its user is told nothing more. */
  abandon(): void
}

/** One request towards an upstream and whoever waits for its answer. */
export interface UpstreamUser {
  /** Head and, when it is at hand and small, body: latin1. */
  readonly message: string
  /** As in `ForwardRequest`; empty for none. */
  readonly holder: string
  /** The whole request was handed over. */
  readonly complete: boolean
  /** May be sent again when a kept connection turns out to be dead: idempotent, and all of it is in `message`. */
  readonly retryable: boolean
  /** The answer to HEAD has no body, whatever its head says. */
  readonly headOnly: boolean
  /** Header lines that replace those of the answer. */
  readonly responseNames: FieldNames
  /** See `StreamRequest`; the upstream's where it is absent. */
  readonly idleTimeoutMs?: number | undefined
  /** It offers a WebSocket, so that a 101 opens a tunnel. */
  readonly upgrade?: boolean
  /** It was sent again already. */
  retried: boolean

  /** A connection is being made for it. */
  connecting(connection: RequestConnection): void
  /** `message` was written to `connection` at `now`; a body may follow by {@link RequestConnection.send}. */
  started(connection: RequestConnection, now: number): void
  /** An interim answer (1xx) came. */
  interim(head: ResponseHead): void
  /** The final head, with the first data of the body; `last` when the body ends with it. False asks for a pause. */
  answered(head: ResponseHead, now: number, bytes: Buffer, from: number, to: number, last: boolean): boolean
  /** More data. False asks for a pause, ended by {@link RequestConnection.resume}. */
  piece(bytes: Buffer, from: number, to: number, last: boolean): boolean
  /** Nothing more comes. */
  failed(failure: UpstreamFailure, inner: string): void
  /** The upstream takes more of the body again. */
  writable(): void
}
