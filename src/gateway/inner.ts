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
export function createInnerCalls({
  clock,
  pools,
  rows,
  record,
  toExchange,
}: InnerOptions): (call: InnerCall, done: (answer: InnerAnswer) => void) => CallHandle {
  return (call, done) => {
    const startedAt = clock.monotonic()
    const target = canonicalTarget(call.target)
    const exchange = toExchange(
      call,
      target === null ? pathOf(call.target) : target.path,
      target === null ? '' : target.query,
    )
    exchange.agent = call.agent
    let upstreamStatus = 0
    let handle: CallHandle | null = null
    let isAccounted = false
    const own: CallHandle = { abort: giveUp }
    // The door gets its incomings from the gateway's handler, so their state is an exchange
    const outer = (call.until as Incoming<Exchange> | null)?.state ?? null
    if (outer !== null) outer.held = own

    function account(status: number, bytesOut: number, upstreamAt: number, aborted: boolean): number {
      if (outer !== null) outer.held = null
      isAccounted = true
      const endedAt = clock.monotonic()
      endLimits(exchange, status)
      endTarget(exchange, upstreamStatus, clock.now())
      endWatch(exchange, upstreamStatus)
      exchange.holding?.release()
      const bytesIn = exchange.bodyBytes
      record(exchange, { startedAt, endedAt, upstreamAt, status, upstreamStatus, bytesIn, bytesOut, aborted })
      return endedAt - startedAt
    }

    function end(answer: Omit<InnerAnswer, 'requestId' | 'durationMs' | 'code'>, upstreamAt: number): void {
      const durationMs = account(answer.status, answer.bodyBytes, upstreamAt, false)
      const { requestId, code } = exchange
      done({ ...answer, requestId, code, durationMs })
    }

    function giveUp(): void {
      if (isAccounted) return
      // Whoever still waits to be admitted finds it over
      exchange.isOver = true
      if (handle === null) return
      handle.abort()
      account(0, 0, 0, true)
    }

    function refuse(upstreamAt: number): void {
      const { status, fields, body } = problemAnswer(exchange)
      const bytes = Buffer.from(body)
      end({ status, fields, body: bytes, bodyBytes: bytes.length, truncated: false }, upstreamAt)
    }

    function giveBytes({ status, fields, body }: Substitute, upstreamAt: number): void {
      const bytes = typeof body === 'string' ? Buffer.from(body) : body
      end(
        {
          status,
          fields,
          body: bytes.subarray(0, call.keepBytesMax),
          bodyBytes: bytes.length,
          truncated: bytes.length > call.keepBytesMax,
        },
        upstreamAt,
      )
    }

    function answered(result: CallResult, request: ForwardRequest): void {
      if (!result.ok) {
        const code = FAILURE_CODES[result.failure]
        exchange.reason = result.inner
        if (goesElsewhere(exchange, code, result.upstreamAt > 0, clock.now())) {
          send()
          return
        }
        const other = insteadOf(exchange, code)
        if (other !== null) {
          giveBytes(other, result.upstreamAt)
          return
        }
        exchange.code = code
        exchange.stoppedAt = FORWARD
        refuse(result.upstreamAt)
        return
      }
      upstreamStatus = result.status
      const judged = judgeHeld(exchange, request, result)
      if (typeof judged === 'string') {
        exchange.code = judged
        exchange.stoppedAt = ANSWER
        refuse(result.upstreamAt)
      } else if (judged === result) {
        const { status, fields, body, bodyBytes, truncated } = result
        end({ status, fields, body, bodyBytes, truncated }, result.upstreamAt)
      } else giveBytes(judged, result.upstreamAt)
    }

    const fault = boundFault(call)
    if (target === null || fault !== null) {
      exchange.code = fault ?? 'request_not_canonical'
      exchange.stoppedAt = fault === null ? CANONICAL : WIRE
      refuse(0)
      return own
    }
    if (exchange.profile === null) {
      // Deleted after the message was admitted.
      exchange.code = 'identity_rejected'
      exchange.stoppedAt = IDENTIFY
      refuse(0)
      return own
    }
    function judged(admitted: boolean): void {
      if (exchange.isOver) {
        account(0, 0, 0, true)
        return
      }
      if (!admitted) {
        if (exchange.reply === null) refuse(0)
        else giveBytes({ ...exchange.reply, fields: exchange.reply.fields + answerFields(exchange) }, 0)
        return
      }
      send()
    }

    function send(): void {
      const request = forwardRequest(exchange, exchange.pass, exchange.query)
      handle = pools.of(exchange.target!, exchange.shownCertificate).call(
        {
          ...request,
          body: call.body,
          keepBytesMax: call.keepBytesMax,
          readBytesMax: READ_BYTES_MAX,
          room: answerRoomOf(exchange),
        },
        (result) => answered(result, request),
      )
    }
    const admitted = admits(rows, exchange)
    if (typeof admitted === 'boolean') judged(admitted)
    else void admitted.then(judged)
    return own
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
