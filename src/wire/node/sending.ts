import { type Agent, type ClientRequest, type IncomingMessage, request as requestPlain } from 'node:http'
import { request as requestTls } from 'node:https'
import type { Socket } from 'node:net'
import { ANSWER_HEAD_BYTES_MAX, INTERIM_MAX } from '../limits.ts'
import type { Context } from '../native/context.ts'
import type { ResponseHead } from '../native/response-head.ts'
import type { Timed } from '../native/sweep.ts'
import type { ForwardRequest, UpstreamFailure, UpstreamOptions } from '../port.ts'
import { isIdempotent } from '../target.ts'
import { connectFault } from '../upstream-tls.ts'
import { flushHead, headOf, pairsOf } from './lines.ts'

/** Who waits for an answer. */
export interface Receiver {
  /**
   * A connection is there; a body that is not at hand may follow by {@link Sending.send}.
   * @param now monotonic milliseconds; 0 when the connection was closed unanswered, and nobody has the request
   */
  started(now: number): void
  /** An interim answer (1xx, neither 100 nor 101). */
  interim(head: ResponseHead): void
  answered(head: ResponseHead, now: number): void
  /** False asks for a pause, ended by {@link Sending.resume}. */
  data(bytes: Buffer): boolean
  /** The answer is complete. */
  ended(): void
  /** Nothing more comes. */
  failed(failure: UpstreamFailure, inner: string): void
  /** The upstream takes more of the body again. */
  writable(): void
}

/** The pool as its requests use it. */
export interface SendingPool {
  readonly shared: Context
  readonly options: UpstreamOptions
  readonly agent: Agent
  /** The address of the server, as `request` of Node takes it. */
  readonly where: { readonly host: string; readonly port: number } | { readonly socketPath: string }
  /** Sockets that are connected, with TLS where that is asked for. */
  readonly known: WeakSet<Socket>
  /** Begins the request, now or when there is room. Its receiver may hear of a failure before this returns. */
  submit(sending: Sending): void
  /** The request is over, or gave up waiting. */
  done(sending: Sending): void
  /** Closes all idle connections. */
  forgetIdle(): void
}

/** One request towards an upstream. After `ended`, `failed` or {@link abandon} its receiver hears nothing more. */
export class Sending implements Timed {
  deadline = Infinity
  readonly pool: SendingPool
  readonly #receiver: Receiver
  readonly #request: ForwardRequest
  /** A length or -1 for chunked. */
  readonly #bodyBytes: number
  /** The body when it is at hand. */
  readonly #body: Uint8Array | null
  /** Longest pause between two pieces. */
  readonly #idleTimeoutMs: number
  #outgoing: ClientRequest | null = null
  #answer: IncomingMessage | null = null
  #isConnected = false
  #isComplete: boolean
  #isOver = false
  #isRetried = false
  #isReused = false
  #interims = 0

  constructor(
    pool: SendingPool,
    receiver: Receiver,
    request: ForwardRequest,
    bodyBytes: number,
    body: Uint8Array | null,
    idleTimeoutMs = pool.options.idleTimeoutMs,
  ) {
    this.pool = pool
    this.#idleTimeoutMs = idleTimeoutMs
    this.#receiver = receiver
    this.#request = request
    this.#bodyBytes = bodyBytes
    this.#body = body
    this.#isComplete = bodyBytes === 0 || body !== null
  }

  /** See {@link ForwardRequest.holder}. */
  get holder(): string {
    return this.#request.holder ?? ''
  }

  /** The whole request was handed over. */
  get isComplete(): boolean {
    return this.#isComplete
  }

  /** Called by the pool when it is this request's turn. */
  begin(): void {
    const { options, agent, shared } = this.pool
    this.deadline = shared.clock.monotonic() + options.connectTimeoutMs
    shared.sweep.add(this)
    const { method, target, host, fields } = this.#request
    const make = options.tls === null ? requestPlain : requestTls
    const outgoing = make({
      ...this.pool.where,
      agent,
      method,
      path: target,
      setHost: false,
      insecureHTTPParser: false,
      maxHeaderSize: ANSWER_HEAD_BYTES_MAX,
    })
    this.#outgoing = outgoing
    const mine =
      <Values extends unknown[]>(listener: (...values: Values) => void) =>
      (...values: Values): void => {
        if (outgoing === this.#outgoing && !this.#isOver) listener(...values)
      }
    // Not cut by Node, which would hide the rest: the rules count them
    outgoing.maxHeadersCount = 0
    outgoing.on('socket', mine((socket: Socket) => {
      // Node marks a kept connection as reused only where nobody waited for it
      this.#isReused = this.pool.known.has(socket)
      const connected = (): void => {
        this.pool.known.add(socket)
        this.#connected()
      }
      if (this.#isReused) connected()
      else socket.once(options.tls === null ? 'connect' : 'secureConnect', mine(connected))
    })) // biome-ignore format: reads as one
    outgoing.on('error', (error: NodeJS.ErrnoException) => mine(() => this.#broken(error))())
    outgoing.on(
      'drain',
      mine(() => this.#receiver.writable()),
    )
    outgoing.on('information', mine(({ statusCode, rawHeaders, httpVersion }) => {
      this.#interim(statusCode, httpVersion, rawHeaders)
    })) // biome-ignore format: reads as one
    outgoing.on('upgrade', (_answer, socket: Socket) => {
      socket.destroy()
      mine(() => this.#fail('invalid_response', 'switched protocols unasked'))()
    })
    outgoing.on(
      'response',
      mine((answer: IncomingMessage) => this.#answered(answer)),
    )
    for (const [name, values] of grouped(`Host: ${host}\r\n${fields}`)) outgoing.setHeader(name, values)
    if (this.#bodyBytes > 0) outgoing.setHeader('Content-Length', this.#bodyBytes)
    else if (this.#bodyBytes < 0) outgoing.setHeader('Transfer-Encoding', 'chunked')
    else if (method === 'POST' || method === 'PUT' || method === 'PATCH')
      outgoing.setHeader('Content-Length', 0)
    outgoing.removeHeader('connection')
  }

  /** Sends a piece of the body. False when no more should follow before `writable`. */
  send(bytes: Uint8Array, last: boolean): boolean {
    const outgoing = this.#outgoing
    if (outgoing === null || this.#isOver) return true
    const taken = bytes.length === 0 || outgoing.write(bytes)
    if (last) {
      this.#isComplete = true
      outgoing.end()
    }
    const { clock } = this.pool.shared
    const { firstByteTimeoutMs } = this.pool.options
    if (this.#answer !== null) this.deadline = clock.monotonic() + this.#idleTimeoutMs
    else if (last) this.deadline = clock.monotonic() + firstByteTimeoutMs
    else this.deadline = taken ? Infinity : clock.monotonic() + this.#idleTimeoutMs
    return taken
  }

  resume(): void {
    if (this.#answer === null || this.#isOver) return
    this.deadline = this.pool.shared.clock.monotonic() + this.#idleTimeoutMs
    this.#answer.resume()
  }

  /** The receiver gives up. */
  abandon(): void {
    if (this.#isOver) return
    this.#end(true)
  }

  /** For the pool: it may not begin, or waited too long. */
  refuse(failure: UpstreamFailure, inner: string): void {
    this.#fail(failure, inner)
  }

  expired(): void {
    this.#fail('timeout', !this.#isConnected ? 'connect' : this.#answer === null ? 'first byte' : 'idle')
  }

  #connected(): void {
    const now = this.pool.shared.clock.monotonic()
    this.#isConnected = true
    // While the body comes, the caller's own timeouts hold
    this.deadline = this.#isComplete ? now + this.pool.options.firstByteTimeoutMs : Infinity
    const outgoing = this.#outgoing!
    if (this.#body !== null && this.#body.length > 0) outgoing.end(this.#body)
    else if (this.#isComplete) outgoing.end()
    else flushHead(outgoing)
    this.#receiver.started(now)
  }

  #interim(status: number, version: string, rawHeaders: readonly string[]): void {
    const head = this.pool.shared.responseHead
    if (++this.#interims > INTERIM_MAX) this.#fail('invalid_response', 'too many interim answers')
    else if (!parse(head, status, version, rawHeaders, this.#request, this.pool.options))
      this.#fail('invalid_response', head.inner)
    else if (status === 101) this.#fail('invalid_response', 'switched protocols unasked')
    else if (status > 101) this.#receiver.interim(head)
  }

  #answered(answer: IncomingMessage): void {
    const head = this.pool.shared.responseHead
    const { statusCode, httpVersion, rawHeaders } = answer
    answer.on('error', () => {})
    if (statusCode! < 200) {
      this.#fail('invalid_response', 'switched protocols unasked')
      return
    }
    if (!parse(head, statusCode!, httpVersion, rawHeaders, this.#request, this.pool.options)) {
      this.#fail('invalid_response', head.inner)
      return
    }
    this.#answer = answer
    const now = this.pool.shared.clock.monotonic()
    this.deadline = now + this.#idleTimeoutMs
    answer.on('data', (bytes: Buffer) => {
      if (this.#isOver) return
      this.deadline = this.pool.shared.clock.monotonic() + this.#idleTimeoutMs
      if (this.#receiver.data(bytes) || this.#isOver) return
      // The caller is slow: its own timeout holds
      this.deadline = Infinity
      answer.pause()
    })
    answer.on('end', () => {
      if (this.#isOver) return
      if (!answer.complete) this.#fail('unreachable', 'closed')
      else {
        this.#end(!this.#isComplete)
        this.#receiver.ended()
      }
    })
    answer.on('close', () => {
      if (!this.#isOver && !answer.complete) this.#fail('unreachable', 'closed')
    })
    this.#receiver.answered(head, now)
  }

  #broken(error: NodeJS.ErrnoException): void {
    const code = error.code ?? error.message
    const isStale =
      this.#outgoing!.reusedSocket &&
      this.#answer === null &&
      this.#interims === 0 &&
      !code.startsWith('HPE_')
    const isRetryable = this.#isComplete && isIdempotent(this.#request.method)
    if (isStale && isRetryable && !this.#isRetried) {
      // The usual race of kept connections: once more, on a fresh one
      this.#isRetried = true
      this.#isConnected = false
      this.#receiver.started(0)
      this.pool.forgetIdle()
      this.begin()
      return
    }
    // An answer that is complete but for what Node has not read out is not taken back
    if (this.#answer?.complete === true) return
    this.#fail(code.startsWith('HPE_') ? 'invalid_response' : 'unreachable', connectFault(error))
  }

  #fail(failure: UpstreamFailure, inner: string): void {
    if (this.#isOver) return
    this.#end(true)
    this.#receiver.failed(failure, inner)
  }

  #end(destroys: boolean): void {
    this.#isOver = true
    this.pool.shared.sweep.delete(this)
    if (destroys) this.#outgoing?.destroy()
    this.pool.done(this)
  }
}

function parse(
  head: ResponseHead,
  status: number,
  version: string,
  rawHeaders: readonly string[],
  request: ForwardRequest,
  { refusesCookie }: UpstreamOptions,
): boolean {
  const bytes = headOf(`HTTP/${version} ${status} `, rawHeaders)
  return head.parse(bytes, 0, bytes.length, request.responseNames, null, refusesCookie ?? null)
}

/** Values by name, names as first written. */
function grouped(lines: string): Iterable<[string, string[]]> {
  const byName = new Map<string, [string, string[]]>()
  const pairs = pairsOf(lines)
  for (let i = 0; i < pairs.length; i += 2) {
    const name = pairs[i]!
    const known = byName.get(name.toLowerCase())
    if (known === undefined) byName.set(name.toLowerCase(), [name, [pairs[i + 1]!]])
    else known[1].push(pairs[i + 1]!)
  }
  return byName.values()
}
