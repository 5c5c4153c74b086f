import { hash } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import { PROBLEMS } from '../../base/refusal.ts'
import type { LinkedCredential } from '../../snapshot/linked/credential.ts'
import { bodyOf } from '../contract/collect.ts'
import type { Exchange, Reply, Routed } from '../exchange.ts'
import { type Explain, open, pass, proxyName } from '../explain/judged.ts'
import { fieldValue, fieldValues } from '../header-lines.ts'
import { mayHold, overloaded } from '../holding.ts'
import { ANSWERED, type Verdict } from '../verdict.ts'
import type { CacheEntry } from './answer-cache.ts'
import { cacheKey, isKnown, isNameless, wishOf } from './cache-rules.ts'
import { type Claim, scopedKey } from './idempotency.ts'

/** Methods whose repetition may do the work twice, or undo what happened in between. */
const REPEATABLE: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH', 'DELETE'])
const KEY_CHARS_MAX = 255
/** The keeper of keys hears of an end just after the caller, who may ask again at once: looks before a key counts as busy. */
const ENDING_MS = [5, 20, 75]

/** A repeated request is answered as the first one was; a kept answer is given again. */
export function replayed(exchange: Routed): Verdict | Promise<Verdict> {
  const { shape } = exchange.proxy.fragment
  if (shape === null) return null
  if (shape.idempotency && REPEATABLE.has(exchange.method)) return repeated(exchange)
  if (shape.cache !== null && (exchange.method === 'GET' || exchange.method === 'HEAD'))
    return cached(exchange)
  return null
}

function cached(exchange: Routed): Verdict {
  const { cache } = exchange.proxy.fragment.shape!
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
  const entry = exchange.lane.replays.cache.get(
    keyed.key,
    exchange.proxy,
    credentialOf(exchange),
    exchange.now,
  )
  if (entry === null || wish === 'fresh' || exchange.now >= entry.freshUntil) {
    exchange.stale = entry
    exchange.cacheLine = 'X-Cache: MISS\r\n'
    return null
  }
  exchange.cacheLine = 'X-Cache: HIT\r\n'
  return given(exchange, fromCache(exchange, entry))
}

/** What the upstream answers to: another credential may be of another account. */
export function credentialOf({ snapshot, proxy }: Routed): LinkedCredential | null {
  const id = proxy.credential
  return id === null ? null : (snapshot.credentials.get(id) ?? null)
}

/** Answers with what is kept. */
function given(exchange: Exchange, reply: Reply): Verdict {
  if (!mayHold(exchange, reply.body)) return overloaded(exchange)
  exchange.reply = reply
  return ANSWERED
}

/** The kept answer, or 304 where the caller has it already. */
export function fromCache(exchange: Exchange, entry: CacheEntry): Reply {
  const age = `Age: ${Math.max(0, Math.floor((exchange.now - entry.bornAt) / 1000))}\r\n`
  const { status, fields, body } = entry
  if (status === 200 && isKnown(exchange.conditions, fields, exchange.now))
    return { status: 304, fields: fields + age, body: '' }
  return { status, fields: fields + age, body }
}

function repeated(exchange: Routed): Verdict | Promise<Verdict> {
  const sent = fieldValues(exchange.pass, 'idempotency-key')
  if (sent.length === 0) return null
  const [key] = sent
  const isUnfit = sent.length > 1 || key === '' || key!.length > KEY_CHARS_MAX
  if (isUnfit || isNameless(exchange)) {
    const reason = isUnfit
      ? `must be one value of 1 to ${KEY_CHARS_MAX} characters`
      : 'needs a token that names its subject (sub)'
    exchange.facts = {
      detail: `Idempotency-Key ${reason}.`,
      errors: [{ pointer: '/header/Idempotency-Key', reason }],
    }
    return 'parameter_invalid'
  }
  return claimed(exchange, key!)
}

async function claimed(exchange: Routed, key: string): Promise<Verdict> {
  const body = exchange.bodyBytes === 0 ? '' : await bodyOf(exchange)
  if (body === null) return exchange.code ?? ANSWERED
  // Behind one profile with tokens of others stand many people, who know nothing of each other's keys.
  const digest = hash(
    'sha256',
    JSON.stringify([exchange.identity.profile.id, exchange.identity.subject, key]),
    'base64url',
  )
  const scoped = scopedKey(exchange.identity.client.id, digest)
  const fingerprint = fingerprintOf(exchange, body)
  const { keys } = exchange.lane.replays
  let claim = await keys.claim(scoped, fingerprint)
  for (const waitMs of ENDING_MS) {
    if (claim.state !== 'busy' || exchange.isOver) break
    await wait(waitMs)
    claim = await keys.claim(scoped, fingerprint)
  }
  if (claim.state !== 'claimed') return answerOf(exchange, claim)
  // The caller may have left while the claim was made; `finished` has passed already then.
  if (exchange.isOver) keys.release(scoped)
  else exchange.claim = scoped
  return null
}

function fingerprintOf(exchange: Routed, body: Uint8Array | string): string {
  const type = fieldValue(exchange.pass, 'content-type') ?? ''
  const head = JSON.stringify([exchange.method, exchange.proxy.id, exchange.path, exchange.query, type])
  return hash('sha256', `${head}\n${hash('sha256', body, 'base64url')}`, 'base64url')
}

function answerOf(exchange: Exchange, claim: Exclude<Claim, { state: 'claimed' }>): Verdict {
  switch (claim.state) {
    case 'answered': {
      const { status, fields, body } = claim.answer
      return given(exchange, { status, fields: `${fields}Idempotency-Replayed: true\r\n`, body })
    }
    case 'busy':
      exchange.retryAfterMs = 1000
      exchange.facts = {
        detail: 'The first request with this key is still in progress. Send the request again shortly.',
      }
      return 'idempotency_conflict'
    case 'forgotten':
      exchange.facts = {
        detail:
          'The request was made, but its answer was not kept, being too large, broken off, or not as its contract says. It cannot be given again.',
      }
      return 'idempotency_conflict'
    case 'cut_off':
      exchange.facts = {
        detail:
          'The first request with this key was cut off when the gateway ended, so that nobody can tell whether it took effect. Look there, and use a new key if it has not.',
      }
      return 'idempotency_conflict'
    case 'unavailable':
      exchange.retryAfterMs = 1000
      return 'idempotency_unavailable'
    case 'conflict':
      exchange.facts = { detail: PROBLEMS.idempotency_conflict.help }
      return 'idempotency_conflict'
  }
}

export const explainReplay: Explain = (exchange) => {
  if (exchange.proxy === null) return open('depends on the route')
  const { shape } = exchange.proxy.fragment
  return shape === null || (shape.cache === null && !shape.idempotency)
    ? pass('no answer is given again')
    : open('depends on earlier calls', `${proxyName(exchange)} cache, idempotency`)
}
