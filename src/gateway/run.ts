/**
 * The life of a request, whatever door it came through. `stages.ts` has the rows of each part:
 *
 * 1. `begin` runs the checks. A refusal is answered with a problem, a reply is given, and an admitted request
 * 2. is sent on. A streamed answer goes from the engine to the caller. A gathered one comes to `answered`; a failure of
 *    either comes to `failed`, which asks another server, gives a kept answer in its place, or refuses.
 * 3. Rows see the answer on its way, see `answer/answer-stages.ts`.
 * 4. `over` runs the closing rows, once, also for refused requests and for callers who have left.
 *
 * The two ends, `ends/socket.ts` and `ends/in-process.ts`, make the exchange and hand its answer over.
 */
import type { RefusalCode } from '../base/refusal.ts'
import { HTTP_METHODS } from '../model/http-names.ts'
import type { ForwardRequest } from '../wire/port.ts'
import { answerFields } from './answer/answer-headers.ts'
import { staleAnswer } from './answer/answer-stages.ts'
import { judgeGathered } from './answer/gathered.ts'
import { problemAnswer } from './answer/problem.ts'
import { leavingFields } from './answer/shared-origin.ts'
import type { CheckName } from './check-names.ts'
import type { Exchange, GatheredAnswer, Routed } from './exchange.ts'
import { overloaded } from './exchange-memory.ts'
import { goesElsewhere } from './forward/targets.ts'
import { afterGuardrails } from './guardrails/answer.ts'
import type { CheckRow, Life } from './stage-types.ts'
import { ANSWER, admits, CLOSING, SEND, STEP_CHECKS } from './stages.ts'

const LIFE: Life = { watching: ANSWER, answered, failed, step: (exchange) => begin(STEP_CHECKS, exchange) }
const ALL_METHODS_LINE = HTTP_METHODS.join(', ')

/** Takes a request through the checks of its door, in their order, and on. */
export function begin(checks: readonly CheckRow[], exchange: Exchange): void {
  const admitted = admits(checks, exchange)
  if (typeof admitted === 'boolean') judged(exchange, admitted)
  else void admitted.then((yes) => judged(exchange, yes))
}

function judged(exchange: Exchange, admitted: boolean): void {
  if (exchange.isOver) return
  const { reply } = exchange
  if (admitted) SEND.send(exchange, LIFE)
  else if (reply === null) giveProblem(exchange)
  else {
    const fields = leavingFields(exchange, reply) + answerFields(exchange)
    exchange.end.answer(exchange, reply.status, fields, reply.body)
  }
}

function answered(
  exchange: Routed,
  request: Pick<ForwardRequest, 'tap' | 'responseFields'>,
  answer: GatheredAnswer,
): void {
  const { outcome } = exchange
  // What a workflow answers is no answer of the upstream
  if (exchange.proxy.direct === null) {
    outcome.upstreamHeadAt = answer.upstreamHeadAt
    outcome.upstreamStatus = answer.status
  }
  if (exchange.guard === null) give(exchange, request, answer)
  else
    afterGuardrails(exchange, request, answer, (left, asked) => {
      if (typeof left === 'string') refuse(exchange, left, 'answer')
      else if ('ok' in left) give(exchange, asked, left)
      else exchange.end.answer(exchange, left.status, left.fields, left.body)
    })
}

function give(
  exchange: Routed,
  request: Pick<ForwardRequest, 'tap' | 'responseFields'>,
  answer: GatheredAnswer,
): void {
  const { end } = exchange
  const given = judgeGathered(ANSWER, exchange, request, answer)
  if (typeof given === 'string') refuse(exchange, given, 'answer')
  else if (given !== answer) end.answer(exchange, given.status, given.fields, given.body)
  else if (answer.truncated && end.isWholeOnly) {
    exchange.reason = 'the response is too long to be buffered'
    refuse(exchange, 'response_invalid', 'answer')
  } else end.pass(exchange, answer)
}

/** Forwarding has failed, or the engine refuses the request: its head, its body, or for want of memory. */
export function failed(exchange: Exchange, code: RefusalCode, inner: string): void {
  exchange.reason = inner
  if (goesElsewhere(exchange, code)) {
    SEND.send(exchange, LIFE)
    return
  }
  const other = code.startsWith('upstream_') ? staleAnswer(exchange) : null
  if (other !== null) {
    exchange.end.answer(exchange, other.status, other.fields, other.body)
    return
  }
  if (code === 'method_not_allowed') exchange.allow = ALL_METHODS_LINE
  if (code === 'overloaded' && exchange.outcome.upstreamAt === 0) overloaded(exchange)
  // A credential could not be renewed for a reason of its own
  refuse(exchange, code === 'credential_unavailable' ? (exchange.code ?? code) : code, checkOf(code))
}

/** Ends a request that no row has refused: the engine did, or its door. */
export function refuse(exchange: Exchange, code: RefusalCode, check: CheckName): void {
  exchange.code = code
  exchange.check = check
  giveProblem(exchange)
}

function giveProblem(exchange: Exchange): void {
  const { status, fields, body } = problemAnswer(exchange)
  exchange.end.answer(exchange, status, fields, body)
}

/** Everything about the request is over: the caller has its answer, or has left. */
export function over(exchange: Exchange): void {
  exchange.isOver = true
  exchange.gathering?.abort()
  exchange.gathering = null
  const { truncated, status } = exchange.outcome
  // A guardrail breaks an answer off itself
  if (truncated && status !== 101 && exchange.code !== 'response_blocked') {
    exchange.code = 'upstream_invalid_response'
    exchange.reason = 'the answer broke off'
  }
  for (const { end } of CLOSING) end(exchange)
}

/** The check that a refusal from outside of the rows belongs to. */
function checkOf(code: RefusalCode): CheckName {
  switch (code) {
    case 'request_not_canonical':
      return 'canonical'
    case 'method_not_allowed':
      return 'method'
    case 'upstream_unreachable':
    case 'upstream_invalid_response':
    case 'upstream_unavailable':
    case 'upstream_timeout':
    case 'credential_unavailable':
      return 'forward'
    case 'response_blocked':
      return 'answer'
    case 'workflow_failed':
    case 'body_invalid':
    case 'connect_required':
    case 'rate_limit_exceeded':
    case 'quota_exceeded':
    case 'concurrency_exceeded':
      return 'workflow'
    default:
      return 'wire'
  }
}
