import { type AnswerRow, COPY_BYTES_MAX } from '../answer/rows.ts'
import { toKept } from '../kept-answer.ts'
import { lifetimeOf } from './cache-rules.ts'
import { credentialOf, guardrailsOf } from './cached.ts'

/** Keeps answers in the cache of the thread (RFC 9111 section 3). */
export const keptForLater: AnswerRow = {
  name: 'cache',
  wants: ({ cacheKey }) => (cacheKey === '' ? -1 : COPY_BYTES_MAX),
  end(exchange, status, fields, body) {
    if (exchange.method !== 'GET' || body === null) return
    const { proxy, now } = exchange
    const { cache } = proxy.fragment.features!
    const lifetime = lifetimeOf(status, fields, cache!, exchange.collection.cors !== null, now)
    if (lifetime === null) return
    const freshUntil = now + lifetime.freshMs
    exchange.lane.keptAnswers.cache.put(exchange.cacheKey, {
      ...toKept(status, fields, body),
      proxy,
      credential: credentialOf(exchange),
      guardrails: guardrailsOf(exchange),
      keptAt: now,
      bornAt: now - lifetime.ageMs,
      freshUntil,
      staleUntil: freshUntil + lifetime.staleMs,
    })
  },
}
