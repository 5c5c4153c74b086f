import type { ConnectionOptions } from 'node:tls'
import { PoolShare, WaitingLine } from '../../base/memory/pool-share.ts'
import { type CallAnswer, CUT, Gathering, MORE, PAUSE } from '../gathering.ts'
import { HandingOver, ReuseBudget } from '../handing-over.ts'
import type {
  AnswerReader,
  CallHandle,
  CallRequest,
  CallResult,
  FieldNames,
  ForwardRequest,
  StreamHandle,
  StreamRequest,
  Upstream,
  UpstreamFailure,
  UpstreamOptions,
} from '../port.ts'
import { isIdempotent } from '../target.ts'
import { tlsConnectionOptions } from '../upstream-tls.ts'
import { type Context, type JudgedAddress, judgeAddress } from './context.ts'
import { latin1, STRING_BYTES_MAX } from './grammar.ts'
import { type ResponseHead, requestMessage } from './response-head.ts'
import type { Timed } from './sweep.ts'
import {
  type ConnectionOwner,
  type RequestConnection,
  UpstreamConnection,
  type UpstreamUser,
} from './upstream-connection.ts'

/**
 * The kept connections to one server. The one used last is used next, so that surplus ones grow old and are closed.
 * Each holder has a share of them. Beyond it, and at the cap, requests wait in line, no longer than a connection may take; a full
 * line is `busy`.
 */
export class Pool implements Upstream, ConnectionOwner, Timed {
  deadline = Infinity
  readonly context: Context
  readonly options: UpstreamOptions
  readonly tls: ConnectionOptions | null
  readonly address: JudgedAddress
  readonly #idle: UpstreamConnection[] = []
  readonly #waiting: WaitingLine<UpstreamUser>
  readonly #share: PoolShare
  readonly #all = new Set<UpstreamConnection>()
  readonly #reuse = new ReuseBudget()
  readonly #onClosed: (pool: Pool) => void
  #isClosed = false

  constructor(context: Context, options: UpstreamOptions, onClosed: (pool: Pool) => void) {
    this.context = context
    this.options = options
    this.tls = options.tls === null ? null : tlsConnectionOptions(options.tls)
    this.#onClosed = onClosed
    this.#share = new PoolShare(options.connectionsMax)
    this.#waiting = new WaitingLine(options.waitingMax)
    this.address = judgeAddress(context, options)
    context.sweep.add(this)
  }

  get open(): number {
    return this.#all.size
  }

  get idle(): number {
    return this.#idle.length
  }

  call(request: CallRequest, done: (result: CallResult) => void): CallHandle {
    return this.#send(request, new Gathering(request, done, this.context.fault))
  }

  stream(request: StreamRequest, reader: AnswerReader): StreamHandle {
    return this.#send(request, new HandingOver(request, reader, this.context.fault))
  }

  #send(request: StreamRequest, answer: CallAnswer): Call {
    const call = new Call(this, request, answer)
    call.begin()
    return call
  }

  /** Finds a connection for the request. The user may hear of it, or of a failure, before this returns. */
  submit(user: UpstreamUser): void {
    if (this.address.fault !== null) {
      user.failed('unreachable', this.address.fault)
      return
    }
    this.#reuse.earn(this.#all.size)
    if (this.#share.mayTake(user.holder)) this.#begin(user)
    else this.#wait(user)
  }

  retry(user: UpstreamUser): void {
    this.#reuse.spend()
    if (!this.#share.mayTake(user.holder)) this.#wait(user)
    // The other kept connections may have been closed as well
    else this.#connectFresh(user)
  }

  #begin(user: UpstreamUser): void {
    const connection = this.#mayReuse(user) ? this.#kept() : undefined
    if (connection === undefined) this.#connectFresh(user)
    else this.#use(connection, user)
  }

  /** The connection that was used last, unless its time is over: the sweep closes those up to its period late. */
  #kept(): UpstreamConnection | undefined {
    const connection = this.#idle.at(-1)
    if (connection === undefined || connection.deadline <= this.context.clock.monotonic()) return undefined
    return this.#idle.pop()
  }

  /** A repeat that has waited gets a new connection too: a second close would fail it. */
  #mayReuse(user: UpstreamUser): boolean {
    return !user.retried && this.#reuse.mayReuse
  }

  /** Opens a connection, in the place of an idle one at the cap. */
  #connectFresh(user: UpstreamUser): void {
    if (this.#all.size >= this.options.connectionsMax) this.#idle.shift()?.abandon()
    this.#connect(user)
  }

  #use(connection: UpstreamConnection, user: UpstreamUser): void {
    this.#share.take(user.holder)
    connection.holder = user.holder
    connection.begin(user)
  }

  #wait(user: UpstreamUser): void {
    const until = this.context.clock.monotonic() + this.options.connectTimeoutMs
    if (!this.#waiting.add(user, until)) {
      user.failed('busy', 'waiting line is full')
      return
    }
    // A closed pool may have left the sweep
    this.context.sweep.add(this)
    if (this.#waiting.size === 1) this.deadline = until
  }

  /** A user that waits gives up. */
  cancel(user: UpstreamUser): void {
    this.#waiting.delete(user)
  }

  release(connection: UpstreamConnection): void {
    this.#give(connection)
    const next = this.#waiting.next(this.#share)
    const isReused = next !== null && this.#mayReuse(next)
    if (isReused) this.#use(connection, next)
    else if (this.#isClosed) connection.abandon()
    else this.#idle.push(connection)
    if (next !== null && !isReused) this.#connectFresh(next)
    this.#serve()
  }

  gone(connection: UpstreamConnection): void {
    this.#give(connection)
    this.#all.delete(connection)
    const index = this.#idle.lastIndexOf(connection)
    if (index >= 0) this.#idle.splice(index, 1)
    this.#serve()
    this.#settle()
  }

  #give(connection: UpstreamConnection): void {
    if (connection.holder === null) return
    this.#share.give(connection.holder)
    connection.holder = null
  }

  /** Serves those that wait and may take a connection now. */
  #serve(): void {
    if (this.#waiting.size === 0) return
    for (;;) {
      const next = this.#waiting.next(this.#share)
      if (next === null) return
      this.#begin(next)
    }
  }

  close(): void {
    this.#isClosed = true
    while (this.#idle.length > 0) this.#idle.pop()!.abandon()
    this.#settle()
  }

  /** Ends everything at once; users hear nothing more. */
  destroy(): void {
    this.#isClosed = true
    this.#waiting.clear()
    for (const connection of this.#all) connection.abandon()
    this.#settle()
  }

  expired(): void {
    this.deadline = this.#waiting.expire(this.context.clock.monotonic(), (user) =>
      user.failed('busy', 'waited too long for a connection'),
    )
  }

  #connect(user: UpstreamUser): void {
    this.#share.take(user.holder)
    const connection = new UpstreamConnection(this, user)
    connection.holder = user.holder
    this.#all.add(connection)
    user.connecting(connection)
  }

  #settle(): void {
    if (!this.#isClosed || this.#all.size > 0 || this.#waiting.size > 0) return
    this.context.sweep.delete(this)
    this.#onClosed(this)
  }
}

/** The pool as its calls use it. */
interface CallPool {
  /** Finds a connection for the request. The call may hear of a failure before this returns. */
  submit(user: UpstreamUser): void
  /** A request that still waits for a connection is given up. */
  cancel(user: UpstreamUser): void
}

/** One request from within the process, whose body is at hand. */
export class Call implements UpstreamUser, StreamHandle {
  message: string
  readonly holder: string
  readonly complete = true
  readonly retryable: boolean
  readonly headOnly: boolean
  readonly responseFields: string
  readonly responseNames: FieldNames
  readonly idleTimeoutMs: number | undefined
  retried = false
  readonly #pool: CallPool
  readonly #answer: CallAnswer
  /** Null once the answer has begun, which may last for hours. */
  #body: Buffer | null
  /** The body is not in `message`. */
  readonly #isApart: boolean
  #connection: RequestConnection | null = null
  #isOver = false
  /** The caller does not hold its handle yet. */
  #isBeginning = false
  readonly #began: ForwardRequest['began']
  #again: ForwardRequest['again']

  constructor(pool: CallPool, request: StreamRequest, answer: CallAnswer) {
    this.#pool = pool
    this.#answer = answer
    this.holder = request.holder ?? ''
    this.headOnly = request.method === 'HEAD'
    this.responseFields = request.responseFields
    this.responseNames = request.responseNames
    this.idleTimeoutMs = request.idleTimeoutMs
    const body =
      request.body === null
        ? null
        : Buffer.from(request.body.buffer, request.body.byteOffset, request.body.length)
    this.#body = body
    this.#isApart = body !== null && body.length > STRING_BYTES_MAX
    this.message = this.#messageOf(request)
    this.retryable = isIdempotent(request.method) && !this.#isApart
    this.#began = request.began
    this.#again = request.again ?? null
  }

  #messageOf(request: ForwardRequest): string {
    const body = this.#body
    const head = requestMessage(request, body === null ? 0 : body.length)
    return body === null || this.#isApart ? head : head + latin1(body, 0, body.length)
  }

  /** Sends the request, once. */
  begin(): void {
    this.#isBeginning = true
    this.#pool.submit(this)
    this.#isBeginning = false
  }

  abort(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#leave()
  }

  resume(): void {
    this.#connection?.resume()
  }

  connecting(connection: RequestConnection): void {
    this.#connection = connection
    this.#answer.upstreamAt = 0
  }

  started(connection: RequestConnection, now: number): void {
    this.#connection = connection
    this.#answer.upstreamAt = now
    if (this.#body !== null && this.#isApart) connection.send(this.#body, true)
  }

  interim(): void {}

  writable(): void {}

  answered(head: ResponseHead, now: number, bytes: Buffer, from: number, to: number, last: boolean): boolean {
    this.#began?.(head.status)
    if (this.#isOver || (this.#again !== null && this.#goesAgain(head, last))) return true
    this.message = ''
    this.#body = null
    // A connection whose answer is complete serves somebody else already
    if (last) this.#connection = null
    const verdict = this.#answer.head(head.status, head.pass, now)
    if (verdict === CUT && !this.#isOver) this.#cut()
    return this.piece(bytes, from, to, last)
  }

  /** See the exchange of a listener: its own request goes again in the same way. */
  #goesAgain({ status, pass }: ResponseHead, last: boolean): boolean {
    const next = this.#again!(status, pass)
    this.#again = null
    if (next === null) return false
    if (last) this.#connection = null
    else this.#leave()
    void next.then((request) => this.#sendAgain(request))
    return true
  }

  #sendAgain(request: ForwardRequest | { readonly inner: string }): void {
    if (this.#isOver) return
    if ('inner' in request) {
      this.failed('credential', request.inner)
      return
    }
    this.message = this.#messageOf(request)
    this.#again = request.again ?? null
    this.retried = false
    this.#pool.submit(this)
  }

  piece(bytes: Buffer, from: number, to: number, last: boolean): boolean {
    if (this.#isOver) return true
    if (last) this.#connection = null
    const verdict = from === to ? MORE : this.#answer.piece(bytes, from, to, last)
    // Given up meanwhile
    if (this.#isOver) return true
    if (verdict === CUT) this.#cut()
    else if (last) {
      this.#isOver = true
      this.#answer.end()
    }
    return verdict !== PAUSE
  }

  failed(failure: UpstreamFailure, inner: string): void {
    if (this.#isBeginning) process.nextTick(() => this.failed(failure, inner))
    if (this.#isOver || this.#isBeginning) return
    this.#isOver = true
    this.#connection = null
    this.#answer.failed(failure, inner)
  }

  #cut(): void {
    this.#isOver = true
    this.#leave()
    this.#answer.cut()
  }

  #leave(): void {
    if (this.#connection === null) this.#pool.cancel(this)
    else this.#connection.abandon()
    this.#connection = null
  }
}
