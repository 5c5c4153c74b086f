import type { Clock } from '../base/clock.ts'
import type { RefusalCode } from '../base/refusal.ts'
import { DEFAULT_LIMITS } from '../wire/limits.ts'
import {
  type CallHandle,
  type CallResult,
  FAILURE_CODES,
  type ForwardRequest,
  type Incoming,
  type Substitute,
} from '../wire/port.ts'
import { canonicalTarget } from '../wire/target.ts'
import { endLimits } from './admit/limits.ts'
import type { Exchange } from './exchange.ts'
import type { Pools } from './forward/pools.ts'
import { forwardRequest } from './forward/request.ts'
import { endTarget, goesElsewhere } from './forward/targets.ts'
import { answerRoomOf } from './holding.ts'
import type { InnerAnswer, InnerCall } from './port.ts'
import type { Measured } from './record.ts'
import { answerFields } from './shape/answer-fields.ts'
import { insteadOf, judgeHeld } from './shape/held.ts'
import { problemAnswer } from './shape/problem.ts'
import { endWatch } from './shape/watch.ts'
import { ANSWER, admits, CANONICAL, FORWARD, IDENTIFY, type Row, WIRE } from './stages.ts'

/** Bytes of an answer that are read before a call from within the process is cut off. */
const READ_BYTES_MAX = 64 * 1024 * 1024

export interface InnerOptions {
  readonly clock: Clock
  readonly pools: Pools
  /** The checks that the calls go through. */
  readonly rows: readonly Row[]
  readonly record: (exchange: Exchange, measured: Measured) => void
  /** An exchange in the snapshot of this moment. */
  readonly toExchange: (call: InnerCall, path: string, query: string) => Exchange
}

/** Runs calls from within the process: the same checks, counters and records as over REST. */
export function createInnerCalls(
  options: InnerOptions,
): (call: InnerCall, done: (answer: InnerAnswer) => void) => CallHandle {
  return (call, done) => {
    const run = new InnerRun(options, call, done)
    run.begin()
    return run
  }
}

/** One call from its checks to its answer, which is given once, or never when the caller gives up. */
class InnerRun implements CallHandle {
  readonly #options: InnerOptions
  readonly #call: InnerCall
  readonly #done: (answer: InnerAnswer) => void
  readonly #startedAt: number
  readonly #exchange: Exchange
  readonly #isCanonical: boolean
  /** The request whose message led to the call; null where there is none. */
  readonly #outer: Exchange | null
  #upstreamStatus = 0
  /** The call of the upstream that is under way. */
  #handle: CallHandle | null = null
  #isAccounted = false

  constructor(options: InnerOptions, call: InnerCall, done: (answer: InnerAnswer) => void) {
    this.#options = options
    this.#call = call
    this.#done = done
    this.#startedAt = options.clock.monotonic()
    const target = canonicalTarget(call.target)
    this.#isCanonical = target !== null
    this.#exchange = options.toExchange(call, target?.path ?? pathOf(call.target), target?.query ?? '')
    this.#exchange.agent = call.agent
    // The door gets its incomings from the gateway's handler, so their state is an exchange
    this.#outer = (call.until as Incoming<Exchange> | null)?.state ?? null
    if (this.#outer !== null) this.#outer.held = this
  }

  begin(): void {
    const fault = boundFault(this.#call)
    if (fault !== null) this.#refuse(fault, WIRE, 0)
    else if (!this.#isCanonical) this.#refuse('request_not_canonical', CANONICAL, 0)
    // Deleted after the message was admitted
    else if (this.#exchange.profile === null) this.#refuse('identity_rejected', IDENTIFY, 0)
    else {
      const admitted = admits(this.#options.rows, this.#exchange)
      if (typeof admitted === 'boolean') this.#judged(admitted)
      else void admitted.then((yes) => this.#judged(yes))
    }
  }

  abort(): void {
    if (this.#isAccounted) return
    // Whoever still waits to be admitted finds it over
    this.#exchange.isOver = true
    if (this.#handle === null) return
    this.#handle.abort()
    this.#account(0, 0, 0, true)
  }

  #judged(admitted: boolean): void {
    const exchange = this.#exchange
    if (exchange.isOver) this.#account(0, 0, 0, true)
    else if (admitted) this.#send()
    else if (exchange.reply === null) this.#giveProblem(0)
    else this.#giveBytes({ ...exchange.reply, fields: exchange.reply.fields + answerFields(exchange) }, 0)
  }

  #send(): void {
    const exchange = this.#exchange
    const { body, keepBytesMax } = this.#call
    const request = forwardRequest(exchange, exchange.pass, exchange.query, this.#options.clock)
    const room = answerRoomOf(exchange)
    this.#handle = this.#options.pools
      .of(exchange.target!, exchange.shownCertificate)
      .call({ ...request, body, keepBytesMax, readBytesMax: READ_BYTES_MAX, room }, (result) =>
        result.ok ? this.#answered(result, request) : this.#failed(result),
      )
  }

  #failed({ failure, inner, upstreamAt }: Extract<CallResult, { ok: false }>): void {
    const exchange = this.#exchange
    const code = FAILURE_CODES[failure]
    exchange.reason = inner
    if (goesElsewhere(exchange, code, upstreamAt > 0, this.#options.clock.now())) {
      this.#send()
      return
    }
    const other = insteadOf(exchange, code)
    if (other === null) this.#refuse(code, FORWARD, upstreamAt)
    else this.#giveBytes(other, upstreamAt)
  }

  #answered(result: Extract<CallResult, { ok: true }>, request: ForwardRequest): void {
    this.#upstreamStatus = result.status
    const judged = judgeHeld(this.#exchange, request, result)
    if (typeof judged === 'string') this.#refuse(judged, ANSWER, result.upstreamAt)
    else if (judged === result) {
      const { status, fields, body, bodyBytes, truncated } = result
      this.#end({ status, fields, body, bodyBytes, truncated }, result.upstreamAt)
    } else this.#giveBytes(judged, result.upstreamAt)
  }

  #refuse(code: RefusalCode, stoppedAt: number, upstreamAt: number): void {
    this.#exchange.code = code
    this.#exchange.stoppedAt = stoppedAt
    this.#giveProblem(upstreamAt)
  }

  #giveProblem(upstreamAt: number): void {
    const { status, fields, body } = problemAnswer(this.#exchange)
    const bytes = Buffer.from(body)
    this.#end({ status, fields, body: bytes, bodyBytes: bytes.length, truncated: false }, upstreamAt)
  }

  #giveBytes({ status, fields, body }: Substitute, upstreamAt: number): void {
    const { keepBytesMax } = this.#call
    const bytes = typeof body === 'string' ? Buffer.from(body) : body
    const kept = bytes.subarray(0, keepBytesMax)
    const truncated = bytes.length > keepBytesMax
    this.#end({ status, fields, body: kept, bodyBytes: bytes.length, truncated }, upstreamAt)
  }

  #end(answer: Omit<InnerAnswer, 'requestId' | 'durationMs' | 'code'>, upstreamAt: number): void {
    const durationMs = this.#account(answer.status, answer.bodyBytes, upstreamAt, false)
    const { requestId, code } = this.#exchange
    this.#done({ ...answer, requestId, code, durationMs })
  }

  /** Counts and records the call. Answers the milliseconds that it took. */
  #account(status: number, bytesOut: number, upstreamAt: number, aborted: boolean): number {
    const exchange = this.#exchange
    const { clock, record } = this.#options
    const [startedAt, upstreamStatus] = [this.#startedAt, this.#upstreamStatus]
    if (this.#outer !== null) this.#outer.held = null
    this.#isAccounted = true
    const endedAt = clock.monotonic()
    endLimits(exchange, status)
    endTarget(exchange, upstreamStatus, clock.now())
    endWatch(exchange, upstreamStatus)
    exchange.holding?.release()
    const bytesIn = exchange.bodyBytes
    record(exchange, { startedAt, endedAt, upstreamAt, status, upstreamStatus, bytesIn, bytesOut, aborted })
    return endedAt - startedAt
  }
}

/** The bounds that a listener holds a request to hold here too (check 1). */
function boundFault(call: InnerCall): RefusalCode | null {
  const { targetBytesMax, headBytesMax } = DEFAULT_LIMITS
  if (call.target.length > targetBytesMax) return 'uri_too_long'
  if (call.fields.length > headBytesMax) return 'headers_too_large'
  return null
}

/** The path of a target that was refused, as far as it can be shown. */
function pathOf(target: string): string {
  const end = target.search(/[?#]/)
  return (end === -1 ? target : target.slice(0, end)).replace(/[^!-~]/g, '').slice(0, 2048)
}
