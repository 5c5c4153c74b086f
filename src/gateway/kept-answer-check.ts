/** The check `kept answer`: a request gets the answer of an earlier one, by the response cache or by its idempotency key. */
import { cached } from './cache/response-cache.ts'
import type { Located, Routed } from './exchange.ts'
import { type Explain, open, pass, proxyName } from './explain/judged.ts'
import { repeated } from './idempotency/repeated.ts'
import type { Verdict } from './verdict.ts'

/** Methods whose repetition may do the work twice, or undo what happened in between. */
const REPEATABLE: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH', 'DELETE'])

/** A request with a used idempotency key gets the answer of the first one; a read gets the answer in the response cache. */
export function keptAnswerGiven(exchange: Routed): Verdict | Promise<Verdict> {
  const { features } = exchange.proxy.fragment
  if (features === null) return null
  if (features.idempotency && REPEATABLE.has(exchange.method)) return repeated(exchange)
  if (features.cache !== null && (exchange.method === 'GET' || exchange.method === 'HEAD'))
    return cached(exchange)
  return null
}

export const explainKeptAnswer: Explain<Located> = (exchange) => {
  const { collection, proxy } = exchange
  if (proxy === null) return open('depends on the route')
  const { features } = proxy.fragment
  return features === null || (features.cache === null && !features.idempotency)
    ? pass('the proxy stores no responses')
    : open('depends on earlier calls', `${proxyName(collection, proxy)} cache, idempotency`)
}
