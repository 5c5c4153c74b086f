import type { LinkedCredential } from '../../snapshot/linked-types/credential.ts'
import { type AnswerRow, COPY_BYTES_MAX } from '../answer/answer-stages.ts'
import type { Exchange, Reply, Routed } from '../exchange.ts'
import { toKept } from '../kept-answer.ts'
import { giveKept, type Verdict } from '../verdict.ts'
import type { CacheEntry } from './cache-entries.ts'
import { cacheKey, isKnown, lifetimeOf, wishOf } from './cache-rules.ts'

/** Answers a request from the cache of the thread, or notes under which key its answer may be kept. */
export function cached(exchange: Routed): Verdict {
  const { cache } = exchange.proxy.fragment.features!
  const wish = wishOf(exchange.pass)
  const keyed = wish === 'none' ? null : cacheKey(exchange, cache!)
  if (keyed === null) {
    exchange.cacheLine = 'X-Cache: BYPASS\r\n'
    return null
  }
  exchange.cacheKey = keyed.key
  exchange.pass = keyed.pass
  exchange.conditions = keyed.conditions
  // Free text of the caller, like the lines that are left out
  exchange.traceState = ''
  const entry = exchange.lane.keptAnswers.cache.get(
    keyed.key,
    { proxy: exchange.proxy, credential: credentialOf(exchange), guardrails: guardrailsOf(exchange) },
    exchange.now,
  )
  if (entry === null || wish === 'fresh' || exchange.now >= entry.freshUntil) {
    exchange.stale = entry
    exchange.cacheLine = 'X-Cache: MISS\r\n'
    return null
  }
  exchange.cacheLine = 'X-Cache: HIT\r\n'
  return giveKept(exchange, fromCache(exchange, entry))
}

/** What the upstream answers to: another credential may be of another account. */
function credentialOf({ snapshot, proxy }: Routed): LinkedCredential | null {
  const id = proxy.credential
  return id === null ? null : (snapshot.credentials.get(id) ?? null)
}

/** What an answer is kept under: a changed guardrail may leave another one. */
export function guardrailsOf({ guard }: Exchange): string {
  return guard === null ? '' : guard.rules.hash
}

/** The kept answer, or 304 where the caller has it already. */
export function fromCache(exchange: Exchange, entry: CacheEntry): Reply {
  const age = `Age: ${Math.max(0, Math.floor((exchange.now - entry.bornAt) / 1000))}\r\n`
  const { status, fields, body } = entry
  if (status === 200 && isKnown(exchange.conditions, fields, exchange.now))
    return { status: 304, fields: fields + age, body: '' }
  return { status, fields: fields + age, body }
}

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
