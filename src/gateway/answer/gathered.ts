import type { RefusalCode, RefusalFacts } from '../../base/refusal.ts'
import type { ForwardRequest, Substitute } from '../../wire/port.ts'
import type { GatheredAnswer, Routed } from '../exchange.ts'
import { forgetClaim } from '../idempotency/repeated.ts'
import type { AnswerRow } from './answer-stages.ts'

const UNHELD: RefusalFacts = {
  detail: 'The call was made, but its response could not be buffered: too much memory is in use for callers.',
}

/** A gathered answer as it may be passed on, another one in its place, or the code of the refusal. */
export function judgeGathered(
  rows: readonly AnswerRow[],
  exchange: Routed,
  { tap, responseFields }: Pick<ForwardRequest, 'tap' | 'responseFields'>,
  answer: GatheredAnswer,
): GatheredAnswer | Substitute | RefusalCode {
  const { status, truncated, isUnheld } = answer
  // The plain answer, which no row wants to see
  if (tap === null && exchange.proxy.fragment.features === null && !isUnheld) return answer
  const fields = answer.fields.slice(0, answer.fields.length - responseFields.length)
  const other = tap?.head(status, fields) ?? null
  if (other !== null) return other
  if (isUnheld) {
    exchange.facts = UNHELD
    exchange.reason = 'no memory is left for the response'
    return 'overloaded'
  }
  const body = truncated ? null : answer.body
  const fault = faultOf(rows, exchange, status, fields, body)
  if (fault !== null) {
    exchange.reason = fault
    // It had its effect, so its key stays used.
    forgetClaim(exchange)
    return 'response_invalid'
  }
  tap?.end(status, fields, body)
  return answer
}

function faultOf(
  rows: readonly AnswerRow[],
  exchange: Routed,
  status: number,
  fields: string,
  body: Uint8Array | null,
): string | null {
  if (exchange.proxy.fragment.features === null) return null
  for (const row of rows) {
    const fault = row.judge?.(exchange, status, fields, body) ?? null
    if (fault !== null) return fault
  }
  return null
}
