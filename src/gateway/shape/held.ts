import type { RefusalCode, RefusalFacts } from '../../base/refusal.ts'
import {
  type CallResult,
  FAILURE_CODES,
  type ForwardRequest,
  type Incoming,
  type Upstream,
  withoutFields,
} from '../../wire/port.ts'
import { holdsAnswer } from '../contract/collect.ts'
import type { Exchange } from '../exchange.ts'
import { answerRoomOf } from '../holding.ts'
import { kindLines } from './shared-origin.ts'
import { answerFault, staleAnswer } from './watch.ts'

/** Bytes of an answer that is gathered before it is passed on; a longer one cannot be judged. */
const HELD_BYTES_MAX = 16 * 1024 * 1024
const UNHELD: RefusalFacts = {
  detail: 'The call was made, and its answer could not be kept: too much is kept for callers at the moment.',
}
const DATE: ReadonlySet<string> = new Set(['date'])

/** True for an exchange whose answer is gathered, and passed on only when it is judged. */
export function isHeld(exchange: Exchange): boolean {
  const { shape } = exchange.proxy!.fragment
  return shape !== null && exchange.method !== 'HEAD' && holdsAnswer(shape)
}

/**
 * Sends a request whose body is at hand and answers it when the whole answer is there.
 * @param refuse answers with a problem
 */
export function callHeld(
  exchange: Exchange,
  incoming: Incoming<Exchange>,
  upstream: Upstream,
  request: ForwardRequest,
  refuse: (code: RefusalCode, inner: string) => void,
): void {
  // The caller left while the checks were made.
  if (exchange.isOver) return
  exchange.held = upstream.call(
    {
      ...request,
      body: exchange.bodyBytes === 0 ? null : exchange.body,
      keepBytesMax: HELD_BYTES_MAX,
      readBytesMax: HELD_BYTES_MAX + 1,
      room: answerRoomOf(exchange),
    },
    (result) => {
      exchange.held = null
      const { outcome } = incoming
      outcome.upstreamAt = result.upstreamAt
      if (!result.ok) {
        refuse(FAILURE_CODES[result.failure], result.inner)
        return
      }
      outcome.upstreamHeadAt = result.upstreamHeadAt
      outcome.upstreamStatus = result.status
      const judged = judgeHeld(exchange, request, result)
      if (judged === result && result.truncated)
        refuse('response_invalid', 'the answer is too long to be gathered')
      else if (typeof judged === 'string') refuse(judged, exchange.reason)
      else {
        const { status, fields, body } = judged
        const lines = judged === result ? kindLines(exchange, status, fields) : ''
        incoming.answer(status, withoutFields(fields, DATE) + lines, body)
      }
    },
  )
}

/** An answer that is at hand, as it may be passed on, or the code of the refusal in its place. */
export function judgeHeld(
  exchange: Exchange,
  { tap, responseFields }: ForwardRequest,
  result: Extract<CallResult, { ok: true }>,
): { readonly status: number; readonly fields: string; readonly body: string | Uint8Array } | RefusalCode {
  const { status, truncated, isUnheld } = result
  const fields = result.fields.slice(0, result.fields.length - responseFields.length)
  const other = tap?.head(status, fields) ?? null
  if (other !== null) return other
  if (isUnheld) {
    exchange.facts = UNHELD
    exchange.reason = 'no room for the answer'
    return 'overloaded'
  }
  const body = truncated ? null : result.body
  const { shape } = exchange.proxy!.fragment
  let fault: string | null = null
  if (shape?.response_validation === 'enforce')
    fault =
      body === null ? 'the answer is too long to be judged' : answerFault(exchange, status, fields, body)
  if (fault !== null) {
    exchange.reason = fault
    // It had its effect, so its key stays used.
    if (exchange.claim !== '') {
      exchange.replays!.keys.settle(exchange.claim, null)
      exchange.claim = ''
    }
    return 'response_invalid'
  }
  tap?.end(status, fields, body)
  return result
}

/** The kept answer in the place of a failure of the upstream, or null. */
export function insteadOf(exchange: Exchange, code: RefusalCode): ReturnType<typeof staleAnswer> {
  return code.startsWith('upstream_') ? staleAnswer(exchange) : null
}
