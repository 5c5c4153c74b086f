import type { Socket } from 'node:net'
import { type IdleBounds, idleSince } from '../drain.ts'
import { BodyPace, DROP_BYTES_MAX, FIRST_REQUEST_MS, LINGER_MS } from '../limits.ts'
import type { PeerCertificate } from '../port.ts'
import { BodyReader, CHUNKED } from './body-reader.ts'
import type { Context } from './context.ts'
import { INTERNALS, readInto } from './direct.ts'
import type { FieldSection } from './field-section.ts'
import { KnownFields } from './field-table.ts'
import { CR, headEnd, LF, LINGER_BYTES_MAX, latin1, STRING_BYTES_MAX } from './grammar.ts'
import { createOutlet, type Outlet, Unread } from './outlet.ts'
import { isBroken } from './request-head.ts'
import { ServerExchange } from './server-exchange.ts'
import type { Timed } from './sweep.ts'

/** Between requests, or in the middle of a head. */
const HEAD = 0
/** Bytes wait: the body is not wanted yet, or the request is complete and its answer is not. */
const HOLD = 1
/** The body goes to the exchange. */
const BODY = 2
/** The rest of a body is dropped after an early answer. */
const DROP = 3
/** The last answer was given, or the caller broke a rule: what still comes is dropped unread. */
const CLOSING = 4
const GONE = 5
/** A WebSocket: bytes go on as they come, and this is the last exchange. */
const TUNNEL = 6

const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n'

/** Whom a connection, or each stream of it, comes from. */
export interface Origin {
  /** IP address. */
  readonly peer: string
  /** One object for a connection: what is judged of it is remembered by its identity. */
  readonly certificate: PeerCertificate | null
}

/**
 * One caller's connection. Invariants:
 * 1. At most one exchange at a time; the next head is read after the last byte of the answer before it was handed
 *    to the socket, and not while the caller leaves answers unread.
 * 2. After a refusal of a head or body no further byte is interpreted.
 * 3. An end of the stream during an exchange means that the caller left: half-closed callers are not served.
 */
export class Connection implements Timed {
  deadline: number
  readonly peer: string
  readonly certificate: PeerCertificate | null
  readonly listener: number
  /** The connection ends with the answer in progress. */
  closes = false
  readonly #context: Context
  readonly #socket: Socket
  readonly #outlet: Outlet
  readonly #onGone: (connection: Connection) => void
  readonly #unread = new Unread()
  readonly #reader = new BodyReader()
  /** From the second request on. */
  #fields: KnownFields<FieldSection> | null = null
  /** Of the first body that does not come at once. */
  #pace: BodyPace | null = null
  /** When the whole body must have come. */
  #bodyUntil = Infinity
  #mode = HEAD
  #exchange: ServerExchange | null = null
  /** Bytes of the unread head that were looked at. */
  #searched = 0
  #skippedLine = false
  /** The time for a head runs. */
  #inHead = true
  /** Since when the connection waits for a request, beyond the time for the first one. */
  #idleFrom: number
  /** From the last answer to the request after it; Infinity before the second request. */
  #pauseMs = Infinity
  #isRunning = false
  #isPaused = false
  /** The caller takes no more of its answers for now. */
  #isFull = false
  /** The upstream takes no more of the body for now. */
  #isBlocked = false
  #expectsContinue = false
  /** Data that was read before it was wanted. */
  #ahead: Buffer | null = null
  #dropped = 0

  constructor(
    context: Context,
    socket: Socket,
    from: Origin,
    listener: number,
    onGone: (connection: Connection) => void,
  ) {
    this.#context = context
    this.#socket = socket
    this.listener = listener
    this.#onGone = onGone
    this.peer = from.peer
    this.certificate = from.certificate
    const now = context.clock.monotonic()
    this.#idleFrom = now + FIRST_REQUEST_MS
    this.deadline = now + context.limits.headTimeoutMs
    context.sweep.add(this)
    this.#outlet = createOutlet(socket, () => this.#drained())
    // What was read before, and what it left, lies with Node
    const isUntouched = socket.readableFlowing === null && socket.readableLength === 0
    const internals = isUntouched ? INTERNALS : null
    readInto(socket, context.readBuffer, (bytes, length) => this.#data(bytes, length), internals)
    socket.on('end', () => this.#leave())
    // 'close' follows and ends the exchange
    socket.on('error', () => {})
    socket.on('finish', () => this.#flushed())
    socket.on('close', () => this.#gone())
  }

  // What the exchange asks

  /** Writes to the caller. False when its socket is full; `drained` of the exchange follows. */
  write(data: string | Buffer): boolean {
    return this.#outlet.write(data) || this.#full()
  }

  /** As {@link write}: text and `bytes[from, to)` after it. */
  writeBoth(text: string, bytes: Buffer, from: number, to: number): boolean {
    return this.#outlet.writeBoth(text, bytes, from, to) || this.#full()
  }

  /** As {@link write}: bytes that are kept, between texts. */
  writeAround(before: string, bytes: Buffer, after: string): boolean {
    return this.#outlet.writeAround(before, bytes, after) || this.#full()
  }

  /** The body is wanted now, and all of it in the given time. */
  wantBody(withinMs = Infinity): void {
    if (this.#mode !== HOLD) return
    this.#bodyUntil = this.#context.clock.monotonic() + withinMs
    if (this.#expectsContinue && this.#unread.length === 0) this.write(CONTINUE)
    this.#expectsContinue = false
    const ahead = this.#ahead
    this.#ahead = null
    if (!this.#reader.done) {
      this.#mode = BODY
      this.deadline = this.#beginPace()
    }
    if (ahead !== null) this.#give(ahead, 0, ahead.length)
    if (this.#mode === BODY) this.#proceed()
  }

  /**
   * What of the body has arrived with its head is read before the upstream hears of the request: a fault in it then
   * reaches nobody. Gives the body as latin1 when it is whole and small, empty when it is to be streamed (see
   * {@link isBodyTaken}), null on a fault.
   */
  takeBody(): string | null {
    const unread = this.#unread
    const reader = this.#reader
    const { left } = reader
    // What an earlier attempt has found goes first
    if (this.#ahead !== null || unread.length === 0 || left > STRING_BYTES_MAX || left > unread.length)
      return ''
    if (!reader.read(unread.bytes, unread.at, unread.end)) return null
    unread.at = reader.next
    this.#expectsContinue = false
    const { bytes } = unread
    const { from, to } = reader
    if (!reader.done || to - from > STRING_BYTES_MAX) {
      this.#ahead = Buffer.from(bytes.subarray(from, to))
      return ''
    }
    this.#exchange!.outcome.bytesIn += to - from
    return latin1(bytes, from, to)
  }

  /** The whole body was given away. */
  get isBodyTaken(): boolean {
    return this.#reader.done && this.#ahead === null
  }

  /**
   * Before an answer that the upstream did not give: true when the connection must close with it. A small rest of
   * the body is dropped instead.
   */
  settle(): boolean {
    const reader = this.#reader
    if (this.#context.draining) this.closes = true
    if (this.closes || reader.done) return this.closes
    const unread = this.#unread
    // Without 100 Continue nobody knows whether the body will come (RFC 9110 10.1.1)
    if (this.#expectsContinue) this.closes = true
    else if (reader.left === CHUNKED) {
      this.closes = !reader.read(unread.bytes, unread.at, unread.end) || !reader.done
      unread.at = reader.next
    } else this.closes = reader.left - unread.length > DROP_BYTES_MAX
    return this.closes
  }

  /** Nothing more of this caller is interpreted; the answer to come is the last. */
  poison(): void {
    if (this.#mode === GONE) return
    this.#mode = CLOSING
    this.closes = true
    this.#unread.clear()
    this.#resume()
  }

  /** The last byte of the answer was handed over. */
  ended(now: number): void {
    this.#exchange = null
    if (this.#mode === GONE) return
    this.#isBlocked = false
    // Where draining began after the head of the answer, the caller does not know: it may send one more request
    if (this.closes) {
      this.#close(now)
      return
    }
    this.#mode = this.#reader.done ? HEAD : DROP
    this.#dropped = 0
    this.#idleFrom = now
    this.#inHead = false
    const { limits } = this.#context
    this.deadline = now + (this.#isFull ? limits.sendTimeoutMs : limits.idleTimeoutMs)
    if (this.#unread.length > 0 || this.#isPaused) this.#proceed()
  }

  /** The upstream takes more of the body. */
  unblock(): void {
    if (!this.#isBlocked) return
    this.#isBlocked = false
    if (this.#mode === TUNNEL) this.#proceed()
    else if (this.#mode === BODY) {
      this.deadline = this.#beginPace()
      this.#proceed()
    }
  }

  #beginPace(): number {
    this.#pace ??= new BodyPace(this.#context.limits)
    const now = this.#context.clock.monotonic()
    return this.#pace.begin(now, this.#exchange!.outcome.bytesIn, this.#bodyUntil)
  }

  /** Ends in the middle of an answer, so that the caller cannot take it for complete. */
  breakOff(byReset: boolean): void {
    // Under TLS an end without close_notify says the same, and there is no reset
    if (byReset && !('encrypted' in this.#socket)) this.#socket.resetAndDestroy()
    else this.#socket.destroy()
    this.#gone()
  }

  destroy(): void {
    this.#socket.destroy()
    this.#gone()
  }

  /** The upstream took the offer of a WebSocket: whatever the caller sends goes there. */
  tunnel(): void {
    if (this.#mode === GONE || this.#mode === CLOSING) return
    this.#mode = TUNNEL
    this.#proceed()
  }

  // What the engine asks

  /** Ends the connection if it has waited long enough for a request. True when it does. */
  drain(now: number, bounds: IdleBounds): boolean {
    if (this.#idleFrom > idleSince(now, bounds, this.#pauseMs)) return false
    const isIdle = (this.#mode === HEAD && this.#unread.length === 0) || this.#mode === DROP
    if (isIdle) this.#close(now)
    return isIdle
  }

  expired(): void {
    const exchange = this.#exchange
    if (this.#isFull || this.#mode === CLOSING) this.destroy()
    else if (this.#mode === BODY && exchange !== null) {
      const next = this.#pace!.expired(this.#context.clock.monotonic(), exchange.outcome.bytesIn)
      if (next === null) exchange.refuse('request_timeout', 'body')
      else this.deadline = next
    } else if (this.#mode === HEAD && this.#unread.length > 0) {
      this.#context.requestHead.clear()
      this.#refuse('request_timeout', 'head')
    } else this.destroy()
  }

  // What the socket says

  /** The bytes are on loan. */
  #data(bytes: Buffer, length: number): void {
    if (this.#mode === CLOSING || this.#mode === GONE) {
      this.#dropped += length
      if (this.#dropped > LINGER_BYTES_MAX) this.destroy()
      return
    }
    this.#unread.add(bytes, length)
    this.#run()
    this.#unread.keep()
  }

  #run(): void {
    const unread = this.#unread
    this.#isRunning = true
    while (unread.at < unread.end) {
      if (this.#mode === HEAD) {
        if (this.#isFull) break
        if (!this.#readHead()) break
      } else if (this.#mode === BODY) {
        if (this.#isBlocked) break
        this.#readBody()
      } else if (this.#mode === DROP) this.#dropBody()
      else if (this.#mode === TUNNEL) {
        if (this.#isBlocked) break
        this.#passOn()
      } else break
    }
    this.#isRunning = false
    if (unread.at === unread.end) unread.clear()
    else if (this.#mode !== HEAD || this.#isFull) {
      if (this.#isBlocked || unread.length > this.#context.limits.pipelineBytesMax) this.#pause()
    }
  }

  /** Goes on after something changed outside of a read. */
  #proceed(): void {
    if (this.#isRunning) return
    this.#resume()
    if (this.#unread.length > 0) this.#run()
  }

  /** Reads one head. False when it is not complete. */
  #readHead(): boolean {
    const unread = this.#unread
    const { limits, requestHead: head, clock } = this.#context
    const { bytes } = unread
    // RFC 9112 2.2: one empty line before the request line is ignored
    if (!this.#skippedLine && unread.length >= 2 && bytes[unread.at] === CR && bytes[unread.at + 1] === LF) {
      this.#skippedLine = true
      unread.at += 2
      this.#searched = 0
    }
    const { at, end } = unread
    const stop = headEnd(bytes, Math.max(at, at + this.#searched - 3), end)
    const isWhole = stop >= 0
    if ((isWhole ? stop + 4 : end) - at > limits.headBytesMax) {
      head.clear()
      const line = bytes.indexOf('\r\n', at)
      const isTarget = (line < 0 ? end : line) - at > limits.targetBytesMax
      this.#refuse(isTarget ? 'uri_too_long' : 'headers_too_large', 'head')
      return true
    }
    if (!isWhole) {
      // Including an empty first line whose LF has not come yet
      if (isBroken(bytes, at, Math.max(at, at + this.#searched - 1), end)) {
        head.clear()
        this.#refuse('malformed_request', 'line end')
        return true
      }
      this.#searched = end - at
      if (!this.#inHead) {
        this.#inHead = true
        this.deadline = clock.monotonic() + limits.headTimeoutMs
      }
      return false
    }
    const code = head.parse(bytes, at, stop + 2, this.#fields)
    unread.at = stop + 4
    this.#searched = 0
    this.#skippedLine = false
    if (code !== null) {
      this.#refuse(code, head.inner)
      return true
    }
    const isFirst = this.#fields === null
    this.#fields ??= new KnownFields()
    this.#reader.reset(head.bodyBytes)
    this.#ahead = null
    this.#expectsContinue = head.expectsContinue
    if (head.close || this.#context.draining) this.closes = true
    this.#mode = HOLD
    this.deadline = Infinity
    const now = clock.monotonic()
    if (!isFirst) this.#pauseMs = now - this.#idleFrom
    const exchange = new ServerExchange(this.#context, this, head, now)
    this.#exchange = exchange
    this.#context.request(exchange)
    return true
  }

  /** Refuses the head that stands in the context's reader, as far as it was understood. */
  #refuse(code: Parameters<Context['refused']>[1], inner: string): void {
    const exchange = new ServerExchange(
      this.#context,
      this,
      this.#context.requestHead,
      this.#context.clock.monotonic(),
    )
    this.#exchange = exchange
    this.#reader.reset(0)
    this.deadline = Infinity
    this.poison()
    this.#context.refused(exchange, code, inner)
  }

  #readBody(): void {
    const unread = this.#unread
    const reader = this.#reader
    const { bytes } = unread
    if (!reader.read(bytes, unread.at, unread.end)) {
      this.#exchange!.refuse('malformed_request', 'chunked framing')
      return
    }
    unread.at = reader.next
    if (reader.done) this.#mode = HOLD
    // A caller that sends but does not take its answer is held to the time for taking it
    if (!this.#isFull)
      this.deadline = reader.done ? Infinity : this.#pace!.piece(this.#context.clock.monotonic())
    this.#give(bytes, reader.from, reader.to)
  }

  /** Gives data of the body to the exchange. */
  #give(bytes: Buffer, from: number, to: number): void {
    const { done } = this.#reader
    if (from === to && !done) return
    const taken = this.#exchange!.body(bytes, from, to, done)
    if (taken || done || this.#mode !== BODY) return
    this.#isBlocked = true
    this.deadline = Infinity
    this.#pause()
  }

  #passOn(): void {
    const unread = this.#unread
    const { at, end } = unread
    unread.at = end
    if (this.#exchange!.tunnelled(unread.bytes, at, end) || this.#mode !== TUNNEL) return
    this.#isBlocked = true
    this.#pause()
  }

  #dropBody(): void {
    const unread = this.#unread
    const reader = this.#reader
    reader.read(unread.bytes, unread.at, unread.end)
    unread.at = reader.next
    if (reader.done) this.#mode = HEAD
  }

  #full(): false {
    this.#isFull = true
    this.deadline = this.#context.clock.monotonic() + this.#context.limits.sendTimeoutMs
    return false
  }

  #drained(): void {
    this.#isFull = false
    // The last answer may be on its way while nothing more is read
    if (this.#mode === GONE || (this.#mode === CLOSING && this.#exchange === null)) return
    const { clock, limits } = this.#context
    if (this.#exchange === null) {
      this.deadline = clock.monotonic() + limits.idleTimeoutMs
      this.#proceed()
      return
    }
    this.deadline = this.#mode === BODY && !this.#isBlocked ? this.#beginPace() : Infinity
    this.#exchange.drained()
  }

  /** The caller sends no more. */
  #leave(): void {
    if (this.#exchange !== null) this.destroy()
  }

  /** All of the last answer is in the hands of the system. */
  #flushed(): void {
    if (this.#mode === CLOSING) this.deadline = this.#context.clock.monotonic() + LINGER_MS
  }

  #close(now: number): void {
    this.#mode = CLOSING
    this.#unread.clear()
    this.#dropped = 0
    this.deadline = now + this.#context.limits.sendTimeoutMs
    this.#resume()
    this.#outlet.end()
  }

  #gone(): void {
    if (this.#mode === GONE) return
    this.#mode = GONE
    this.#unread.clear()
    this.#context.sweep.delete(this)
    const exchange = this.#exchange
    this.#exchange = null
    exchange?.abort()
    this.#onGone(this)
  }

  #pause(): void {
    if (this.#isPaused) return
    this.#isPaused = true
    this.#socket.pause()
    this.#outlet.watch()
  }

  #resume(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    this.#socket.resume()
  }
}
