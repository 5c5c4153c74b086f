import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ByteBudget } from '../../base/memory/bytes.ts'
import type { RefusalCode } from '../../base/refusal.ts'
import { kindFieldsOf } from '../content-kind.ts'
import { wholeBody } from '../kept-bytes.ts'
import { BODY_BYTES_MAX, DROP_BYTES_MAX, PIECE_BYTES_MAX } from '../limits.ts'
import { isTrailerName } from '../native/body-reader.ts'
import type { RequestHead } from '../native/request-head.ts'
import { type ResponseHead, statusLine } from '../native/response-head.ts'
import { Tapped } from '../native/tapped.ts'
import {
  type AnswerStream,
  type AnswerWriter,
  type BodyWatch,
  FAILURE_CODES,
  type ForwardRequest,
  type Incoming,
  type KeptBytes,
  type Outcome,
  type Upstream,
  type UpstreamFailure,
} from '../port.ts'
import { Collecting, Progress } from '../progress.ts'
import { type AnswerCarrier, StreamedAnswer } from '../streamed-answer.ts'
import type { NodeConnection } from './connection.ts'
import type { NodeContext } from './context.ts'
import { flushBodiless, flushHead, pairsOf, reasonOf } from './lines.ts'
import { NodePool } from './pool.ts'
import { type Receiver, Sending, type SendingPool } from './sending.ts'

// Stages of an exchange, in their order; a failure before the answer began goes back from FORWARDING to OPEN
const OPEN = 0
const FORWARDING = 1
const ANSWERING = 2
const OVER = 3

const EMPTY = Buffer.alloc(0)

/** One request and its answer: what the handler sees, and what carries bytes between caller and upstream. */
export class NodeExchange implements Incoming, Receiver, AnswerCarrier {
  readonly method: string
  readonly path: string
  readonly query: string
  readonly host: string
  readonly minor: 0 | 1
  readonly pass: string
  readonly withheld: string
  readonly taken: readonly (string | undefined)[]
  readonly bodyBytes: number
  readonly peer: string
  readonly listener: number
  bodyBytesMax = BODY_BYTES_MAX
  state: unknown = null
  readonly outcome: Outcome

  readonly #context: NodeContext
  readonly #connection: NodeConnection
  /** Null for a head that Node could not read. */
  readonly #incoming: IncomingMessage | null
  readonly #response: ServerResponse | null
  #expectsContinue: boolean
  #phase = OPEN
  #isToTheClose = false
  #sending: Sending | null = null
  #streamed: StreamedAnswer | null = null
  /** The answer has no body. */
  #isBodiless = false
  #request: ForwardRequest | null = null
  /** The body that was sent, for sending it again; null when it is not at hand. */
  #sent: Uint8Array | null = null
  #again: ForwardRequest['again'] = null
  #tap: Tapped | null = null
  #collecting: Collecting | null = null
  /** Sees the body while it comes; null from its end on. */
  #bodyWatch: BodyWatch | null = null
  /** The whole body, when the handler wanted to see it before it forwards. */
  #collected: Buffer | null = null
  #isBodyWanted = false
  /** What of an answer at hand has not left yet. */
  #rest: Uint8Array = EMPTY

  constructor(
    context: NodeContext,
    connection: NodeConnection,
    head: RequestHead,
    incoming: IncomingMessage | null,
    response: ServerResponse | null,
    now: number,
  ) {
    this.method = head.method
    this.path = head.path
    this.query = head.query
    this.host = head.host
    this.minor = head.minor
    this.pass = head.pass
    this.withheld = head.withheld
    this.taken = head.taken
    this.bodyBytes = head.bodyBytes
    this.#expectsContinue = head.expectsContinue
    this.peer = connection.peer
    this.listener = connection.listener
    this.outcome = new Progress(now)
    this.#context = context
    this.#connection = connection
    this.#incoming = incoming
    this.#response = response
  }

  get isOpen(): boolean {
    return this.#phase === OPEN
  }

  /** Hands the request to the handler, unless a fault was found meanwhile. */
  begin(): void {
    if (this.#phase === OPEN) this.#context.request(this)
  }

  answer(status: number, fields: string, body: string | Uint8Array | KeptBytes): void {
    if (this.#phase !== OPEN) return
    this.#phase = ANSWERING
    this.#collecting = null
    const isBodiless = status === 204 || status === 304
    const bytes = wholeBody(body)
    const length = isBodiless ? '' : `Content-Length: ${bytes.length}\r\n`
    this.#settle()
    this.outcome.status = status
    const isSent = !isBodiless && this.method !== 'HEAD'
    this.#head(status, `${fields}${this.#context.shared.dateLine}${length}`)
    if (isSent) this.#rest = bytes
    this.#sendRest()
  }

  /** So that what waits for a caller is the answer itself, which the handler has counted, and never a copy of all of it. */
  #sendRest(): void {
    const response = this.#response
    while (response !== null && this.#rest.length > PIECE_BYTES_MAX) {
      const piece = this.#rest.subarray(0, PIECE_BYTES_MAX)
      this.#rest = this.#rest.subarray(PIECE_BYTES_MAX)
      this.outcome.bytesOut += piece.length
      if (response.write(piece)) continue
      this.#connection.full(true)
      return
    }
    const last = this.#rest
    this.#rest = EMPTY
    this.outcome.bytesOut += last.length
    this.#end(last)
  }

  giveUpStream(): void {
    this.#streamed?.giveUp()
  }

  stream(status: number, fields: string, writer: AnswerWriter, budget: ByteBudget): AnswerStream {
    const streamed = new StreamedAnswer(this, writer, budget, this.#context.shared)
    if (this.#phase !== OPEN) {
      streamed.missed()
      return streamed
    }
    this.#phase = ANSWERING
    this.#collecting = null
    // The answer may last for hours
    this.#collected = null
    this.#streamed = streamed
    this.#settle()
    this.outcome.status = status
    let framing = ''
    if (status === 204 || status === 304 || this.method === 'HEAD') this.#isBodiless = true
    else if (this.minor === 1 && this.#response !== null) framing = 'Transfer-Encoding: chunked\r\n'
    else {
      this.#isToTheClose = true
      this.#connection.closes = true
    }
    this.#head(status, `${fields}${this.#context.shared.dateLine}${framing}`)
    if (this.#response === null)
      this.#connection.socket.on('drain', () => {
        if (this.#streamed === null) return
        this.#connection.full(false)
        this.drained()
      })
    else if (this.#isBodiless) flushBodiless(this.#response)
    else flushHead(this.#response)
    streamed.opened(true)
    return streamed
  }

  collect(
    bytesMax: number,
    budget: ByteBudget,
    done: (body: Uint8Array | null) => void,
    withinMs = Infinity,
  ): void {
    // Otherwise the caller has left already
    if (this.#phase !== OPEN || this.#collecting !== null) done(null)
    else if (this.bodyBytes === 0) done(EMPTY)
    else {
      this.#collecting = new Collecting(Math.min(bytesMax, this.bodyBytesMax), budget, done)
      if (this.bodyBytes > this.#collecting.bytesMax) this.refuse('body_too_large', 'Content-Length')
      else this.#wantBody(withinMs)
    }
  }

  watchBody(watch: BodyWatch): void {
    if (this.#phase === OVER) watch.end(false)
    else this.#bodyWatch = watch
  }

  #bodyOver(isWhole: boolean): void {
    const watch = this.#bodyWatch
    this.#bodyWatch = null
    watch?.end(isWhole)
  }

  forward(upstream: Upstream, request: ForwardRequest): void {
    if (this.#phase !== OPEN) return
    if (!(upstream instanceof NodePool)) throw new TypeError('the upstream belongs to another engine')
    if (this.bodyBytes > this.bodyBytesMax) {
      this.refuse('body_too_large', 'Content-Length')
      return
    }
    this.#phase = FORWARDING
    this.#request = request
    if (request.tap != null) this.#tap = new Tapped(request.tap)
    // Kept for another attempt
    this.#sent ??= this.bodyBytes === 0 ? EMPTY : this.#collected
    const body = this.bodyBytes === 0 ? null : this.#sent
    this.#collected = null
    if (request.again != null) this.#again = request.again
    this.#sending = new Sending(upstream, this, request, body?.length ?? this.bodyBytes, body)
    upstream.submit(this.#sending)
  }

  /** Refuses this request and, since its head or body is in doubt or too much, the connection with it. */
  refuse(code: RefusalCode, inner: string): void {
    if (this.#phase === OVER) return
    this.#connection.closes = true
    this.#leaveUpstream()
    if (this.#phase === ANSWERING) {
      // The head of the answer is gone already: breaking off is all that is left to say
      this.#connection.destroy()
      return
    }
    const collecting = this.#collecting
    this.#collecting = null
    this.#phase = OPEN
    this.#context.refused(this, code, inner)
    if (collecting !== null) this.#tell(collecting, null)
  }

  /** The caller has left, or will not take the answer. */
  abort(): void {
    if (this.#phase === OVER) return
    this.outcome.aborted = !this.outcome.truncated
    this.#leaveUpstream()
    const collecting = this.#collecting
    this.#collecting = null
    this.#over()
    if (collecting !== null) this.#tell(collecting, null)
  }

  /** The caller's socket takes more again. */
  drained(): void {
    if (this.#rest.length > 0) this.#sendRest()
    else if (this.#streamed !== null) this.#streamed.resume()
    else this.#sending?.resume()
  }

  // What the upstream side says

  started(now: number): void {
    this.outcome.upstreamAt = now
    if (this.#sending?.isComplete === false) this.#wantBody()
  }

  interim(head: ResponseHead): void {
    // Before the head of its answer a response has nothing on its way: the order holds
    if (this.minor === 1)
      this.#connection.socket.write(`${statusLine(head.status)}${head.pass}\r\n`, 'latin1')
  }

  answered(head: ResponseHead, now: number): void {
    const { outcome } = this
    const { status, length } = head
    outcome.upstreamHeadAt = now
    outcome.upstreamStatus = status
    outcome.isStream = head.isStream
    this.#request!.began?.(status)
    if (this.#again !== null && this.#goesAgain(head)) return
    const other = this.#tap?.begin(status, head.pass) ?? null
    if (other !== null) {
      this.#tap = null
      this.#leaveUpstream()
      this.#phase = OPEN
      this.answer(other.status, other.fields, other.body)
      return
    }
    this.#phase = ANSWERING
    outcome.status = status
    const { responseFields, kindFields } = this.#request!
    let fields = head.pass + responseFields
    if (kindFields !== undefined) fields += kindFieldsOf(kindFields, status, head.kind)
    if (!head.hasDate) fields += this.#context.shared.dateLine
    // An answer before the end of the request leaves the rest of it in doubt
    if (this.#sending?.isComplete === false || this.#context.shared.draining) this.#connection.closes = true
    const isBodiless = status === 204 || status === 304 || this.method === 'HEAD'
    if (length >= 0 && status !== 204) fields += `Content-Length: ${length}\r\n`
    else if (!isBodiless && this.minor === 1) fields += 'Transfer-Encoding: chunked\r\n'
    else if (!isBodiless) {
      this.#isToTheClose = true
      this.#connection.closes = true
    }
    this.#head(status, fields)
    flushHead(this.#response!)
  }

  /** True when the answer was given up, and another request takes the place of the one that was sent. */
  #goesAgain({ status, pass }: ResponseHead): boolean {
    const next = this.#again!(status, pass)
    this.#again = null
    if (next === null || this.#sent === null) return false
    const pool = this.#sending!.pool
    this.#leaveUpstream()
    this.#phase = OPEN
    void next.then((request) => this.#sendAgain(pool, request))
    return true
  }

  #sendAgain(pool: SendingPool, request: ForwardRequest | { readonly inner: string }): void {
    // The caller has left
    if (this.#phase !== OPEN) return
    if ('inner' in request) {
      this.#context.refused(this, FAILURE_CODES.credential, request.inner)
      return
    }
    const body = this.#sent!
    this.#phase = FORWARDING
    this.#sending = new Sending(pool, this, request, body.length, body)
    pool.submit(this.#sending)
  }

  data(bytes: Buffer): boolean {
    this.#tap?.piece(bytes, 0, bytes.length, false)
    this.outcome.bytesOut += bytes.length
    if (this.#response!.write(bytes)) return true
    this.#connection.full(true)
    return false
  }

  ended(): void {
    // Replaced already
    if (this.#phase !== ANSWERING) return
    this.#sending = null
    this.#tap?.piece(EMPTY, 0, 0, true)
    this.#end(EMPTY)
  }

  failed(failure: UpstreamFailure, inner: string): void {
    this.#sending = null
    if (this.#phase === FORWARDING) {
      this.#phase = OPEN
      this.#context.refused(this, FAILURE_CODES[failure], inner)
    } else if (this.#phase === ANSWERING) {
      this.outcome.truncated = true
      this.#connection.breakOff(this.#isToTheClose)
    }
  }

  // Called by a streamed answer

  piece(bytes: Buffer, from: number, to: number, last: boolean): boolean {
    // Node keeps what it is given
    const copy = Buffer.from(bytes.subarray(from, to))
    if (last) {
      this.#streamed = null
      this.#end(copy)
      return true
    }
    if (this.#isBodiless) return true
    this.outcome.bytesOut += copy.length
    const { socket } = this.#connection
    if (this.#response === null ? socket.write(copy) : this.#response.write(copy)) return true
    this.#connection.full(true)
    return false
  }

  breakOff(): void {
    this.#streamed = null
    this.failed('unreachable', '')
  }

  giveUp(): void {
    this.#connection.destroy()
  }

  writable(): void {
    const incoming = this.#incoming
    if (this.#phase >= OVER || incoming?.isPaused() !== true) return
    this.#connection.awaitBody(true)
    incoming.resume()
  }

  /** The body is wanted now, and all of it in the given time. */
  #wantBody(withinMs = Infinity): void {
    const incoming = this.#incoming
    if (this.#isBodyWanted || incoming === null) return
    this.#isBodyWanted = true
    // Also when the body has come already: Node would close a connection whose expectation was not met
    if (this.#expectsContinue) this.#response?.writeContinue()
    this.#expectsContinue = false
    this.#connection.awaitBody(true, withinMs)
    incoming.on('data', (bytes: Buffer) => {
      if (this.#phase !== OVER) this.#body(bytes)
    })
    incoming.on('end', () => {
      this.#connection.awaitBody(false)
      if (this.#phase === OVER) return
      if (incoming.rawTrailers.some((name, i) => i % 2 === 0 && !isTrailerName(name)))
        this.refuse('malformed_request', 'trailer')
      else this.#bodyEnded()
    })
  }

  #body(bytes: Buffer): void {
    const collecting = this.#collecting
    this.#connection.awaitBody(true)
    this.outcome.bytesIn += bytes.length
    if (this.outcome.bytesIn > (collecting?.bytesMax ?? this.bodyBytesMax))
      this.refuse('body_too_large', 'body')
    else {
      this.#bodyWatch?.piece(bytes, 0, bytes.length)
      this.#bodyCame(bytes, collecting)
    }
  }

  #bodyCame(bytes: Buffer, collecting: Collecting | null): void {
    if (collecting !== null) {
      if (!collecting.add(bytes, 0, bytes.length)) this.refuse('overloaded', 'no room for the body')
    } else if (this.#sending?.send(bytes, false) === false) {
      this.#connection.awaitBody(false)
      this.#incoming!.pause()
    }
  }

  #bodyEnded(): void {
    this.#bodyOver(true)
    const collecting = this.#collecting
    if (collecting === null) {
      this.#sending?.send(EMPTY, true)
      return
    }
    this.#collecting = null
    this.#collected = collecting.whole()
    this.#tell(collecting, this.#collected)
  }

  /**
   * Before an answer that the upstream did not give: a small rest of a body is dropped, and the connection lives on;
   * a larger one, or one that may never come, closes it.
   */
  #settle(): void {
    const incoming = this.#incoming
    if (this.#context.shared.draining) this.#connection.closes = true
    if (incoming === null || incoming.complete || this.#connection.closes) return
    const left = this.bodyBytes - this.outcome.bytesIn
    if (this.#expectsContinue || this.bodyBytes < 0 || left > DROP_BYTES_MAX) this.#connection.closes = true
  }

  #head(status: number, fields: string): void {
    // Node closes a connection whose expectation was not met
    if (this.#expectsContinue) this.#connection.closes = true
    const { closes, socket } = this.#connection
    const response = this.#response
    const lines = closes ? `${fields}Connection: close\r\n` : fields
    if (response === null) {
      socket.write(`${statusLine(status)}${lines}\r\n`, 'latin1')
      return
    }
    response.sendDate = false
    // Node would offer to keep alive
    response.removeHeader('connection')
    if (closes) response.shouldKeepAlive = false
    response.writeHead(status, reasonOf(status), pairsOf(lines))
  }

  #end(bytes: Uint8Array): void {
    if (this.#response !== null) this.#response.end(bytes)
    else if (bytes.length > 0) this.#connection.socket.write(bytes)
    // Nobody reads the rest of a body whose answer is given
    this.#incoming?.resume()
    this.#over()
    this.#connection.ended(this.#response !== null)
  }

  #over(): void {
    this.#phase = OVER
    this.#bodyOver(false)
    this.outcome.endedAt = this.#context.shared.clock.monotonic()
    this.#context.finished(this)
  }

  #leaveUpstream(): void {
    this.#sending?.abandon()
    this.#sending = null
    this.#streamed?.abandon()
    this.#streamed = null
  }

  #tell(collecting: Collecting, body: Uint8Array | null): void {
    try {
      collecting.done(body)
    } catch (error) {
      this.#context.shared.fault(error)
      if (this.#phase === OPEN) this.refuse('internal_error', String(error))
    }
  }
}
