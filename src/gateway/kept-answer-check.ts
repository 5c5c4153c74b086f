/** The check `kept answer`: a request gets the answer of an earlier one, by the response cache or by its idempotency key. */
import { cached } from './cache/cached.ts'
import type { Routed } from './exchange.ts'
import { type Explain, open, pass, proxyName } from './explain/judged.ts'
import { repeated } from './idempotency/repeated.ts'
import type { Verdict } from './verdict.ts'

/** Methods whose repetition may do the work twice, or undo what happened in between. */
const REPEATABLE: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH', 'DELETE'])

/** A request with a used idempotency key gets the answer of the first one; a read gets the answer in the response cache. */
export function keptAnswerGiven(exchange: Routed): Verdict | Promise<Verdict> {
  const { shape } = exchange.proxy.fragment
  if (shape === null) return null
  if (shape.idempotency && REPEATABLE.has(exchange.method)) return repeated(exchange)
  if (shape.cache !== null && (exchange.method === 'GET' || exchange.method === 'HEAD'))
    return cached(exchange)
  return null
}

export const explainKeptAnswer: Explain = (exchange) => {
  if (exchange.proxy === null) return open('depends on the route')
  const { shape } = exchange.proxy.fragment
  return shape === null || (shape.cache === null && !shape.idempotency)
    ? pass('no answer is given again')
    : open('depends on earlier calls', `${proxyName(exchange)} cache, idempotency`)
}
