/**
 * Reads the whole body of a request, up to `max_body`. Bodies stream unless a step must see all of them: the contract,
 * a GraphQL operation, an idempotency key, or a signature over the body.
 */
import type { FeaturesFragment } from '../../snapshot/fragments.ts'
import { budgetOf } from '../caller-memory.ts'
import type { Located, Routed } from '../exchange.ts'
import { type Explain, open, pass, proxyName } from '../explain/judged.ts'
import { ANSWERED, type Verdict } from '../verdict.ts'

/**
 * The whole body of the request, at most as large as the collection takes; null when it broke a bound or the caller
 * left, of which the answer is given already. Kept, so that several steps read it once.
 */
export function bodyOf(exchange: Located): Uint8Array | Promise<Uint8Array | null> {
  if (exchange.body !== null) return exchange.body
  return new Promise((resolve) => {
    exchange.source!.collect(exchange.collection.fragment.body_bytes_max, budgetOf(exchange), (body) => {
      exchange.body = body
      resolve(body)
    })
  })
}

/** For proxies that gather bodies, judge answers before they are passed on, or sign, and where guardrails look at answers: the whole body is at hand. */
export function bodyGathered(exchange: Routed): Verdict | Promise<Verdict> {
  const { features } = exchange.proxy.fragment
  const isWanted =
    exchange.signing?.signsPayload === true ||
    (features !== null && holdsAnswer(features)) ||
    (exchange.guard !== null && exchange.guard.rules.response !== null)
  if (!isWanted || exchange.bodyBytes === 0) return null
  const body = bodyOf(exchange)
  return body instanceof Promise
    ? body.then((read) => (read === null ? (exchange.code ?? ANSWERED) : null))
    : null
}

export const explainGather: Explain<Located> = (exchange) => {
  const { collection, proxy } = exchange
  if (proxy === null) return open('depends on the route')
  const hasFeatures = proxy.fragment.features !== null
  return pass(
    'changes nothing but the way of the bodies',
    hasFeatures ? `${proxyName(collection, proxy)} streaming` : null,
  )
}

/** The answer is gathered before any of it is passed on. */
export function holdsAnswer(features: FeaturesFragment): boolean {
  return features.gathers || features.response_validation === 'enforce'
}
