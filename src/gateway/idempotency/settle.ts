import type { AnswerRow } from '../answer/watch.ts'
import type { Exchange } from '../exchange.ts'
import { toKept } from '../kept-answer.ts'
import { ANSWER_BYTES_MAX } from './keys.ts'

/** Answers that say: not now, ask again. The next request of the key is made. */
const ASK_AGAIN: ReadonlySet<number> = new Set([408, 425, 429, 502, 503, 504])

/** Keeps the answer under the idempotency key of the request. */
export const settledClaim: AnswerRow = {
  name: 'idempotency key',
  wants: ({ claim }) => (claim === '' ? -1 : ANSWER_BYTES_MAX),
  end(exchange, status, fields, body) {
    const { keys } = exchange.lane.keptAnswers
    if (ASK_AGAIN.has(status)) keys.release(exchange.claim)
    else {
      const fits = body !== null && body.length <= ANSWER_BYTES_MAX
      keys.settle(
        exchange.claim,
        fits ? { ...toKept(status, fields, body), ...underGuardrails(exchange) } : null,
      )
    }
    exchange.claim = ''
  },
}

function underGuardrails({ guard }: Exchange): { readonly guardrails?: string } {
  return guard === null || guard.rules.hash === '' ? {} : { guardrails: guard.rules.hash }
}

/** Ends a claim whose answer is not kept, though the request had its effect: the key stays used. */
export function forgetClaim(exchange: Exchange): void {
  if (exchange.claim === '') return
  exchange.lane.keptAnswers.keys.settle(exchange.claim, null)
  exchange.claim = ''
}

/** At the end: a claim that came to no whole answer is forgotten where the request may have had its effect, else released. */
export function endClaim(exchange: Exchange): void {
  if (exchange.claim === '') return
  if (isDone(exchange.outcome.upstreamStatus)) forgetClaim(exchange)
  else {
    exchange.lane.keptAnswers.keys.release(exchange.claim)
    exchange.claim = ''
  }
}

/** The request may have had its effect, although its answer broke off on its way. 0: the upstream has not begun to answer. */
function isDone(status: number): boolean {
  return status > 0 && (status < 400 || status > 499) && !ASK_AGAIN.has(status)
}
