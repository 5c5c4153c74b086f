import { type CallAnswer, CUT, MORE, PAUSE } from '../call-answer.ts'
import { isIdempotent } from '../methods.ts'
import type { FieldNames, ForwardRequest, StreamHandle, StreamRequest, UpstreamFailure } from '../port.ts'
import { requestMessage } from './forwarded-head.ts'
import { STRING_BYTES_MAX } from './limits.ts'
import { latin1 } from './message.ts'
import type { ResponseHead } from './response-head.ts'
import type { RequestConnection, UpstreamUser } from './upstream-user.ts'

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
