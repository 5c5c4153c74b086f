import type { ByteBudget } from '../../base/memory/bytes.ts'
import type { RefusalCode } from '../../base/refusal.ts'
import { kindFieldsOf } from '../content-kind.ts'
import { lengthOf, wholeBody } from '../kept-bytes.ts'
import { BODY_BYTES_MAX, PIECE_BYTES_MAX } from '../limits.ts'
import {
  type AnswerStream,
  type AnswerWriter,
  type BodyWatch,
  FAILURE_CODES,
  type FieldNames,
  type ForwardRequest,
  type Incoming,
  type KeptBytes,
  type Outcome,
  type PeerCertificate,
  type Upstream,
  type UpstreamFailure,
} from '../port.ts'
import { Collecting, Progress } from '../progress.ts'
import { type AnswerCarrier, StreamedAnswer } from '../streamed-answer.ts'
import { isIdempotent } from '../target.ts'
import { CHUNKED } from './body-reader.ts'
import type { Connection } from './connection.ts'
import type { Context } from './context.ts'
import { chunk, joined, latin1, STRING_BYTES_MAX } from './grammar.ts'
import { Pool } from './pool.ts'
import type { RequestHead } from './request-head.ts'
import { type ResponseHead, requestMessage, statusLine } from './response-head.ts'
import { Tapped } from './tapped.ts'
import type { RequestConnection, UpstreamUser } from './upstream-connection.ts'

// Stages of an exchange, in their order; a failure before the answer began goes back from FORWARDING to OPEN
const OPEN = 0
const FORWARDING = 1
const ANSWERING = 2
const OVER = 3

// How the body of the answer leaves
const LENGTH = 0
const CHUNKS = 1
const TO_THE_CLOSE = 2
const NOTHING = 3

const EMPTY = Buffer.alloc(0)

/** One request and its answer: what the handler sees, and what carries bytes between caller and upstream. */
export class ServerExchange implements Incoming, UpstreamUser, AnswerCarrier {
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
  readonly certificate: PeerCertificate | null
  upgrade: boolean
  readonly listener: number
  bodyBytesMax = BODY_BYTES_MAX
  state: unknown = null
  readonly outcome: Outcome

  message = ''
  holder = ''
  complete = true
  retryable = false
  headOnly = false
  responseFields = ''
  responseNames: FieldNames = []
  #kindFields: ForwardRequest['kindFields']
  retried = false
  #tap: Tapped | null = null
  /** What of an answer at hand has not left yet. */
  #rest: Buffer | null = null

  readonly #context: Context
  readonly #connection: Connection
  #phase = OPEN
  #framing = LENGTH
  #pool: Pool | null = null
  /** Source of the answer: a connection to an upstream, or a streamed answer of the handler. */
  #upstream: RequestConnection | null = null
  #collecting: Collecting | null = null
  /** Sees the body while it comes; null from its end on. */
  #bodyWatch: BodyWatch | null = null
  /** The whole body, when the handler wanted to see it before it forwards. */
  #collected: Buffer | null = null
  #again: ForwardRequest['again'] = null
  #began: ((status: number) => void) | null = null
  /** The body that was sent, for sending it again; null when it was not at hand as a whole. */
  #sent: string | null = null

  constructor(context: Context, connection: Connection, head: RequestHead, now: number) {
    this.method = head.method
    this.path = head.path
    this.query = head.query
    this.host = head.host
    this.minor = head.minor
    this.pass = head.pass
    this.withheld = head.withheld
    this.taken = head.taken
    this.bodyBytes = head.bodyBytes
    this.peer = connection.peer
    this.certificate = connection.certificate
    this.upgrade = head.upgrade
    this.listener = connection.listener
    this.outcome = new Progress(now)
    this.#context = context
    this.#connection = connection
  }

  get isOpen(): boolean {
    return this.#phase === OPEN
  }

  answer(status: number, fields: string, body: string | Uint8Array | KeptBytes): void {
    if (this.#phase !== OPEN) return
    this.#phase = ANSWERING
    this.#collecting = null
    const isBodiless = status === 204 || status === 304
    // Only ASCII may be written as latin1
    const isAscii = typeof body === 'string' && Buffer.byteLength(body) === body.length
    const isText = isAscii && body.length <= PIECE_BYTES_MAX
    const kept = typeof body !== 'string' && 'before' in body ? body : null
    const around = kept !== null && lengthOf(kept) <= PIECE_BYTES_MAX ? kept : null
    const bytes = isText || around !== null ? EMPTY : wholeBody(body)
    const length = isText ? body.length : around === null ? bytes.length : lengthOf(around)
    const close = this.#connection.settle()
    const head = `${statusLine(status)}${fields}${this.#context.dateLine}${isBodiless ? '' : `Content-Length: ${length}\r\n`}${close ? 'Connection: close\r\n\r\n' : '\r\n'}`
    this.outcome.status = status
    if (isBodiless || this.method === 'HEAD') this.#connection.write(head)
    else if (length > PIECE_BYTES_MAX) {
      this.#rest = bytes
      this.#sendRest(head)
      return
    } else {
      this.outcome.bytesOut = length
      if (isText) this.#connection.write(head + body)
      else if (around !== null) this.#connection.writeAround(head + around.before, around.bytes, around.after)
      else this.#connection.writeBoth(head, bytes, 0, length)
    }
    this.#finish()
  }

  /** So that what waits for a caller is the answer itself, which the handler has counted, and never a copy of all of it. */
  #sendRest(head: string): void {
    let before = head
    for (let rest = this.#rest; rest !== null; rest = this.#rest) {
      const to = Math.min(rest.length, PIECE_BYTES_MAX)
      this.#rest = to < rest.length ? rest.subarray(to) : null
      this.outcome.bytesOut += to
      if (!this.#connection.writeBoth(before, rest, 0, to) && this.#rest !== null) return
      before = ''
    }
    this.#finish()
  }

  giveUpStream(): void {
    if (this.#upstream instanceof StreamedAnswer) this.#upstream.giveUp()
  }

  stream(status: number, fields: string, writer: AnswerWriter, budget: ByteBudget): AnswerStream {
    const streamed = new StreamedAnswer(this, writer, budget, this.#context)
    if (this.#phase !== OPEN) {
      streamed.missed()
      return streamed
    }
    this.#phase = ANSWERING
    this.#collecting = null
    // The answer may last for hours
    this.#collected = null
    this.#upstream = streamed
    this.outcome.status = status
    const connection = this.#connection
    connection.settle()
    let framing = ''
    if (status === 204 || status === 304 || this.method === 'HEAD') this.#framing = NOTHING
    else if (this.minor === 1) {
      this.#framing = CHUNKS
      framing = 'Transfer-Encoding: chunked\r\n'
    } else {
      this.#framing = TO_THE_CLOSE
      connection.closes = true
    }
    const end = connection.closes ? 'Connection: close\r\n\r\n' : '\r\n'
    const head = `${statusLine(status)}${fields}${this.#context.dateLine}${framing}${end}`
    streamed.opened(connection.write(head))
    return streamed
  }

  collect(
    bytesMax: number,
    budget: ByteBudget,
    done: (body: Uint8Array | null) => void,
    withinMs = Infinity,
  ): void {
    if (this.#phase !== OPEN || this.#collecting !== null) {
      // The caller has left already
      done(null)
    } else if (this.bodyBytes === 0) done(EMPTY)
    else {
      this.#collecting = new Collecting(Math.min(bytesMax, this.bodyBytesMax), budget, done)
      if (this.bodyBytes > this.#collecting.bytesMax) this.refuse('body_too_large', 'Content-Length')
      else this.#connection.wantBody(withinMs)
    }
  }

  watchBody(watch: BodyWatch): void {
    if (this.#phase === OVER) watch.end(false)
    else this.#bodyWatch = watch
  }

  #seen(bytes: Uint8Array, from: number, to: number, last: boolean): void {
    const watch = this.#bodyWatch!
    if (to > from) watch.piece(bytes, from, to)
    if (!last) return
    this.#bodyWatch = null
    watch.end(true)
  }

  forward(upstream: Upstream, request: ForwardRequest): void {
    if (this.#phase !== OPEN) return
    if (!(upstream instanceof Pool)) throw new TypeError('the upstream belongs to another engine')
    if (this.bodyBytes > this.bodyBytesMax) {
      this.refuse('body_too_large', 'Content-Length')
      return
    }
    let { bodyBytes } = this
    let body: string | null = ''
    if (this.#sent !== null) {
      body = this.#sent
      bodyBytes = body.length
    } else if (this.#collected !== null) {
      bodyBytes = this.#collected.length
      if (bodyBytes <= STRING_BYTES_MAX) {
        body = latin1(this.#collected, 0, bodyBytes)
        this.#collected = null
      }
    } else if (bodyBytes !== 0) {
      body = this.#connection.takeBody()
      this.complete = this.#connection.isBodyTaken
      if (body === null) {
        this.refuse('malformed_request', 'chunked framing')
        return
      }
      if (body.length > this.bodyBytesMax) {
        this.refuse('body_too_large', 'body')
        return
      }
      if (this.complete) bodyBytes = body.length
      if (this.#bodyWatch !== null && (body !== '' || this.complete))
        this.#seen(Buffer.from(body, 'latin1'), 0, body.length, this.complete)
    }
    this.#phase = FORWARDING
    this.#pool = upstream
    this.holder = request.holder ?? ''
    this.headOnly = request.method === 'HEAD'
    this.responseFields = request.responseFields
    this.responseNames = request.responseNames
    this.#kindFields = request.kindFields
    if (request.tap != null) this.#tap = new Tapped(request.tap)
    this.upgrade = this.upgrade && request.upgrade === true
    if (request.again != null) this.#again = request.again
    if (request.began != null) this.#began = request.began
    if (this.complete && this.#collected === null) this.#sent = body
    this.message = requestMessage(request, bodyBytes, this.upgrade) + body
    this.retryable = this.complete && this.#collected === null && isIdempotent(request.method)
    upstream.submit(this)
  }

  /** Refuses this request and, since its body is in doubt or too much, the connection with it. */
  refuse(code: RefusalCode, inner: string): void {
    this.#connection.poison()
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

  /** Data of the request's body, from the connection. False asks for a pause. */
  body(bytes: Buffer, from: number, to: number, last: boolean): boolean {
    const { outcome } = this
    outcome.bytesIn += to - from
    const collecting = this.#collecting
    if (outcome.bytesIn > (collecting === null ? this.bodyBytesMax : collecting.bytesMax)) {
      this.refuse('body_too_large', 'body')
      return true
    }
    if (this.#bodyWatch !== null) this.#seen(bytes, from, to, last)
    if (collecting !== null) {
      if (!collecting.add(bytes, from, to)) this.refuse('overloaded', 'no room for the body')
      else if (last) {
        this.#collecting = null
        this.#collected = collecting.whole()
        this.#tell(collecting, this.#collected)
      }
      return true
    }
    if (this.#upstream === null) return true
    this.complete = last
    const data =
      this.bodyBytes === CHUNKED ? chunk('', bytes, from, to, last) : joined('', bytes, from, to, '')
    return (data === '' && !last) || this.#upstream.send(data, last)
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
    if (this.#rest !== null) this.#sendRest('')
    else this.#upstream?.resume()
  }

  // What the upstream side says

  connecting(connection: RequestConnection): void {
    this.#upstream = connection
    // A kept connection that had it was closed unanswered: nobody has it now
    this.outcome.upstreamAt = 0
  }

  started(connection: RequestConnection, now: number): void {
    this.#upstream = connection
    this.outcome.upstreamAt = now
    if (this.#collected !== null) {
      connection.send(this.#collected, true)
      this.#collected = null
    } else if (!this.complete) this.#connection.wantBody()
  }

  interim(head: ResponseHead): void {
    if (this.minor === 1) this.#connection.write(`${statusLine(head.status)}${head.pass}\r\n`)
  }

  answered(head: ResponseHead, now: number, bytes: Buffer, from: number, to: number, last: boolean): boolean {
    const { outcome } = this
    const { status } = head
    outcome.upstreamHeadAt = now
    outcome.upstreamStatus = status
    outcome.isStream = head.isStream
    if (this.#began !== null) this.#began(status)
    if (this.#again !== null && this.#goesAgain(head, last)) return true
    if (this.#tap !== null && this.#isReplaced(this.#tap, head, last)) return true
    this.#phase = ANSWERING
    outcome.status = status
    let text = statusLine(status) + head.pass + this.responseFields
    if (this.#kindFields !== undefined) text += kindFieldsOf(this.#kindFields, status, head.kind)
    if (!head.hasDate) text += this.#context.dateLine
    // An answer before the end of the request leaves the rest of it in doubt
    let close = this.#connection.closes || !this.complete || this.#context.draining
    if (status === 204 || status === 304 || this.method === 'HEAD') {
      this.#framing = NOTHING
      if (head.length >= 0 && status !== 204) text += `Content-Length: ${head.length}\r\n`
    } else if (head.length >= 0 || last) {
      this.#framing = LENGTH
      text += `Content-Length: ${head.length >= 0 ? head.length : to - from}\r\n`
    } else if (this.minor === 1) {
      this.#framing = CHUNKS
      text += 'Transfer-Encoding: chunked\r\n'
    } else {
      this.#framing = TO_THE_CLOSE
      close = true
    }
    if (close) this.#connection.closes = true
    if (status === 101) return this.#switch(head, bytes, from, to, last)
    text += close ? 'Connection: close\r\n\r\n' : '\r\n'
    return this.#send(text, bytes, from, to, last)
  }

  /** The upstream takes the offer: from here on bytes mean nothing to this engine. */
  #switch(head: ResponseHead, bytes: Buffer, from: number, to: number, last: boolean): boolean {
    this.#framing = TO_THE_CLOSE
    this.#connection.closes = true
    const lines = head.pass + this.responseFields
    const text = `${statusLine(101)}${lines}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`
    const taken = this.#send(text, bytes, from, to, last)
    if (!last) this.#connection.tunnel()
    return taken
  }

  /** Bytes of the caller for the other end of the tunnel. False asks for a pause. */
  tunnelled(bytes: Buffer, from: number, to: number): boolean {
    this.outcome.bytesIn += to - from
    return this.#upstream === null || this.#upstream.send(joined('', bytes, from, to, ''), false)
  }

  piece(bytes: Buffer, from: number, to: number, last: boolean): boolean {
    return this.#send('', bytes, from, to, last)
  }

  failed(failure: UpstreamFailure, inner: string): void {
    this.#upstream = null
    this.#pool = null
    if (this.#phase === FORWARDING) {
      this.#phase = OPEN
      this.#context.refused(this, FAILURE_CODES[failure], inner)
    } else if (this.#phase === ANSWERING) {
      this.outcome.truncated = true
      this.#connection.breakOff(this.#framing === TO_THE_CLOSE)
    }
  }

  writable(): void {
    this.#connection.unblock()
  }

  // Called by a streamed answer, as is `piece`

  breakOff(): void {
    this.failed('unreachable', '')
  }

  giveUp(): void {
    this.#connection.destroy()
  }

  /** True when the answer was given up, and another request takes the place of the one that was sent. */
  #goesAgain({ status, pass }: ResponseHead, last: boolean): boolean {
    const next = this.#again!(status, pass)
    this.#again = null
    if (next === null || this.#sent === null) return false
    const pool = this.#pool!
    this.#giveUp(last)
    void next.then((request) => this.#sendAgain(pool, request))
    return true
  }

  #sendAgain(pool: Pool, request: ForwardRequest | { readonly inner: string }): void {
    // The caller has left
    if (this.#phase !== OPEN) return
    if ('inner' in request) {
      this.#context.refused(this, FAILURE_CODES.credential, request.inner)
      return
    }
    const body = this.#sent!
    this.#sent = null
    this.#phase = FORWARDING
    this.#pool = pool
    this.message = requestMessage(request, body.length, this.upgrade) + body
    this.retried = false
    pool.submit(this)
  }

  /** True when another answer was given in the place of the upstream's. */
  #isReplaced(tap: Tapped, head: ResponseHead, last: boolean): boolean {
    const other = tap.begin(head.status, head.pass)
    if (other === null) return false
    this.#tap = null
    this.#giveUp(last)
    this.answer(other.status, other.fields, other.body)
    return true
  }

  /** Nothing of the upstream's answer is passed on. */
  #giveUp(last: boolean): void {
    // A connection whose answer is complete serves somebody else already
    if (last) {
      this.#upstream = null
      this.#pool = null
    } else this.#leaveUpstream()
    this.#phase = OPEN
  }

  #send(text: string, bytes: Buffer, from: number, to: number, last: boolean): boolean {
    this.#tap?.piece(bytes, from, to, last)
    let taken: boolean
    if (this.#framing === CHUNKS) {
      const data = chunk(text, bytes, from, to, last)
      taken = data === '' || this.#connection.write(data)
    } else taken = this.#connection.writeBoth(text, bytes, from, this.#framing === NOTHING ? from : to)
    if (this.#framing !== NOTHING) this.outcome.bytesOut += to - from
    if (last) this.#finish()
    return taken
  }

  #finish(): void {
    this.#upstream = null
    this.#over()
    this.#connection.ended(this.outcome.endedAt)
  }

  #over(): void {
    this.#phase = OVER
    const watch = this.#bodyWatch
    this.#bodyWatch = null
    watch?.end(false)
    this.outcome.endedAt = this.#context.clock.monotonic()
    this.#context.finished(this)
  }

  #leaveUpstream(): void {
    if (this.#upstream !== null) this.#upstream.abandon()
    else this.#pool?.cancel(this)
    this.#upstream = null
    this.#pool = null
  }

  #tell(collecting: Collecting, body: Uint8Array | null): void {
    try {
      collecting.done(body)
    } catch (error) {
      this.#context.fault(error)
      if (this.#phase === OPEN) this.refuse('internal_error', String(error))
    }
  }
}
