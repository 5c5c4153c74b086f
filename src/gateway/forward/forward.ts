import { FAILURE_CODES } from '../../wire/port.ts'
import { watchOf } from '../answer/watch.ts'
import { answerBudgetOf } from '../caller-memory.ts'
import { holdsAnswer } from '../contract/collect.ts'
import type { Exchange, Routed, Targeted } from '../exchange.ts'
import { keepBytesOf } from '../guardrails/answer.ts'
import { isRelayed, relay } from '../guardrails/guarded-response.ts'
import type { Life } from '../rows.ts'
import { forwardRequest } from './request.ts'

/**
 * Sends an admitted request to the server that was chosen. The answer is streamed to the caller unless its end, or a row
 * that judges answers, needs it gathered first.
 */
export function forward(exchange: Exchange, life: Life): void {
  // The check `target` has set all of it
  const sent = exchange as Targeted
  const { end, outcome } = sent
  const upstream = sent.lane.pools.of(sent.target, sent.shownCertificate)
  const request = forwardRequest(sent, watchOf(life.watching, sent))
  if (end.stream !== null && !isGathered(sent)) {
    if (sent.guard !== null && isRelayed(sent)) relay(sent, upstream, request, life)
    else end.stream(sent, upstream, request)
    return
  }
  const body = sent.bodyBytes === 0 ? null : sent.body
  const { readBytesMax } = end
  const keepBytesMax = sent.guard === null ? end.keepBytesMax : keepBytesOf(sent)
  const budget = answerBudgetOf(sent)
  sent.gathering = upstream.call({ ...request, body, keepBytesMax, readBytesMax, budget }, (result) => {
    sent.gathering = null
    outcome.upstreamAt = result.upstreamAt
    if (result.ok) life.answered(sent, request, result)
    else life.failed(sent, FAILURE_CODES[result.failure], result.inner)
  })
}

/** True for an exchange whose answer is passed on only when it is judged. */
function isGathered({ proxy, method }: Routed): boolean {
  const { features } = proxy.fragment
  return features !== null && method !== 'HEAD' && holdsAnswer(features)
}
