/**
 * Chooses the server of an upstream; the last check. The result of the request is counted against the server when the
 * response has ended. While the breaker tries the upstream again, the head of the response counts. Each thread decides
 * by the results that it has seen itself, so that a request shares nothing with other threads. These results move to
 * the next linked upstream when the collection changes.
 */
import type { RefusalCode } from '../../base/refusal.ts'
import { limitKeyOf, scatter } from '../../snapshot/find/limit-key.ts'
import { RETRIES_MAX } from '../../snapshot/link/upstream.ts'
import type { LinkedTarget, LinkedUpstream } from '../../snapshot/linked/upstream.ts'
import { isIdempotent } from '../../wire/methods.ts'
import { staleReply } from '../answer/stale.ts'
import type { Called, Exchange, Located, Routed } from '../exchange.ts'
import { collectionName, type Judged, open, pass } from '../explain/judged.ts'
import { fieldValue } from '../header-lines.ts'
import { ANSWERED, type Verdict } from '../verdict.ts'
import { breakerCount, breakerForget, breakerWaitMs, isOpenFor } from './breaker.ts'

/** Share of a retry that each request earns: a failing upstream gets at most a fifth more requests. */
const RETRY_SHARE = 0.2

/** Failures of the forwarding that speak against the server that was asked. */
const AGAINST: ReadonlySet<RefusalCode> = new Set([
  'upstream_unreachable',
  'upstream_invalid_response',
  'upstream_timeout',
])
/** Of those, the ones after which another server may be asked when the request was never handed over. */
const ELSEWHERE: ReadonlySet<RefusalCode> = new Set(['upstream_unreachable', 'upstream_timeout'])

/**
 * Chooses the server that is asked. While the breaker is open, and when no server may be asked, a kept answer stands in
 * where the cache has one; else the request is refused.
 */
export function targetChosen(exchange: Routed): Verdict {
  const code = targetFault(exchange)
  if (code === null) return null
  const reply = staleReply(exchange)
  if (reply === null) return code
  exchange.reply = reply
  return ANSWERED
}

export function explainTarget(exchange: Located): Judged {
  if (exchange.proxy === null) return open('depends on the route')
  const targets = upstreamOf(exchange as Routed)?.targets ?? []
  if (targets.length < 2) return pass('the upstream has one server')
  const names = targets.map(({ fragment }) => fragment.authority).join(', ')
  return open(`depends on how its servers are: ${names}`, `${collectionName(exchange.collection)} upstream`)
}

function targetFault(exchange: Routed): RefusalCode | null {
  const upstream = upstreamOf(exchange)!
  const { rules, state, targets } = upstream
  if (upstream.fragment.runner === true && exchange.lane.runner === null) {
    exchange.reason = 'the origin is an entry of the runner, and POSTERN_RUNNER is not set'
    return 'upstream_unavailable'
  }
  if (rules.breaker !== null) {
    const isStreamed = exchange.bodyBytes !== 0 && exchange.body === null
    const wait = breakerWaitMs(state, rules.breaker, clientOf(exchange), exchange.now, isStreamed)
    if (wait > 0) {
      exchange.retryAfterMs = wait
      exchange.facts = { members: { retry_after_ms: wait } }
      exchange.reason = 'the breaker is open'
      return 'upstream_unavailable'
    }
    if (isOpenFor(state, clientOf(exchange))) exchange.trial = state.trial
  }
  if (targets.length > 1) earnRetry(upstream)
  const target = pick(exchange, upstream, exchange.now)
  if (target === null) {
    breakerForget(state, clientOf(exchange), exchange.trial)
    exchange.reason = 'no target is healthy'
    return 'upstream_unavailable'
  }
  begin(exchange, target)
  return null
}

/** As many may be made in a row as there are requests under way: a server that goes fails all that it has, at once. */
function earnRetry({ state, targets }: LinkedUpstream): void {
  let underWay = 0
  for (const target of targets) underWay += target.state.pending
  if (state.retries < Math.max(RETRIES_MAX, underWay)) state.retries += RETRY_SHARE
}

/** The upstream that a matched exchange goes to; null when its collection has none. */
export function upstreamOf({ proxy, collection }: Routed): LinkedUpstream | null {
  return proxy.upstream ?? collection.upstream
}

/**
 * After a failure: counts it against the server that was asked, and chooses another one when the request may go there:
 * it was not handed over, its method is idempotent, and retries are left. The exchange then has its target.
 */
export function goesElsewhere(exchange: Exchange, code: RefusalCode): boolean {
  if (exchange.target === null || !AGAINST.has(code)) return false
  const now = exchange.lane.clock.now()
  // A connection has taken the request
  const handed = exchange.outcome.upstreamAt > 0
  const upstream = upstreamOf(exchange as Routed)!
  endAttempt(exchange, upstream, true, now)
  const mayGo = !handed && ELSEWHERE.has(code) && isIdempotent(exchange.method) && !exchange.isOver
  const target = mayGo ? another(exchange, upstream, now) : null
  if (target === null) {
    count(exchange, upstream, true, now)
    return false
  }
  upstream.state.retries--
  exchange.retries++
  begin(exchange, target)
  return true
}

function another(exchange: Exchange, upstream: LinkedUpstream, now: number): LinkedTarget | null {
  const { rules, state, targets } = upstream
  if (exchange.retries >= rules.retries || targets.length === 1 || state.retries < 1) return null
  return pick(exchange, upstream, now)
}

/** At the end: counts the answer of the server that was asked; a request without one says nothing about it. */
export function endTarget(exchange: Exchange): void {
  if (exchange.target === null) return
  const now = exchange.lane.clock.now()
  const { upstreamStatus } = exchange.outcome
  const upstream = upstreamOf(exchange as Routed)!
  if (upstreamStatus > 0) {
    const failed = isFailure(upstreamStatus)
    endAttempt(exchange, upstream, failed, now)
    count(exchange, upstream, failed, now)
  } else {
    exchange.target.state.pending--
    exchange.target = null
    breakerForget(upstream.state, clientOf(exchange), exchange.trial)
  }
}

/** By whom the breaker counts. */
function clientOf(exchange: Exchange): string {
  return (exchange as Called).identity.client.id
}

function begin(exchange: Exchange, target: LinkedTarget): void {
  target.state.pending++
  exchange.tried |= target.bit
  exchange.target = target
  exchange.askedUrl = target.url
}

/**
 * Counts a trial of the breaker when the head of its answer has arrived. Its caller may read the body slowly, and must not delay the
 * closing of the breaker.
 */
export function answerBegan(exchange: Routed, upstreamStatus: number): void {
  if (exchange.trial <= 0 || exchange.target === null) return
  const now = exchange.lane.clock.now()
  count(exchange, upstreamOf(exchange)!, isFailure(upstreamStatus), now)
  exchange.trial = COUNTED
}

const COUNTED = -1

function isFailure(upstreamStatus: number): boolean {
  return upstreamStatus === 502 || upstreamStatus === 503 || upstreamStatus === 504
}

/** The breaker counts requests: one that another server has answered is well. */
function count(exchange: Exchange, { rules, state }: LinkedUpstream, failed: boolean, now: number): void {
  if (rules.breaker !== null && exchange.trial !== COUNTED)
    breakerCount(state, rules.breaker, clientOf(exchange), exchange.trial, now, failed)
}

function endAttempt(
  exchange: Exchange,
  { rules, targets }: LinkedUpstream,
  failed: boolean,
  now: number,
): void {
  const { state: seen } = exchange.target!
  exchange.target = null
  seen.pending--
  if (!failed) {
    seen.failures = 0
    return
  }
  seen.failures++
  if (rules.eject_after === 0 || seen.failures < rules.eject_after) return
  // Somebody must be asked: the last one stays
  if (!targets.some(({ state: other }) => other !== seen && isUsable(other, now))) return
  seen.ejectedAt = now
  seen.ejectedUntil = now + rules.eject_ms
}

function isUsable(state: LinkedTarget['state'], now: number): boolean {
  return !state.isDown && !isEjected(state, now)
}

/** A clock that was set back must not keep it out for longer. */
export function isEjected({ ejectedAt, ejectedUntil }: LinkedTarget['state'], now: number): boolean {
  return now < ejectedUntil && now >= ejectedAt
}

/** One that this exchange has not asked yet, by the rules of the upstream; null when none may be asked. */
function pick(exchange: Exchange, { rules, targets }: LinkedUpstream, now: number): LinkedTarget | null {
  if (targets.length === 1) {
    const lone = targets[0]!
    return lone.state.isDown ? null : lone
  }
  const usable = targets.filter(({ bit, state }) => (exchange.tried & bit) === 0 && isUsable(state, now))
  if (usable.length < 2) return usable[0] ?? null
  if (rules.balance === 'hash') return byHash(usable, keyOf(exchange, rules.hash_key))
  return inTurn(rules.balance === 'least_pending' ? leastPending(usable) : usable)
}

/** Smooth weighted round robin: each gains its weight, the highest goes and pays what all have gained. */
function inTurn(targets: readonly LinkedTarget[]): LinkedTarget {
  let best = targets[0]!
  let gained = 0
  for (const target of targets) {
    gained += target.weight
    target.state.turn += target.weight
    if (target.state.turn > best.state.turn) best = target
  }
  best.state.turn -= gained
  return best
}

/** Those with the fewest requests under way for their weight. */
function leastPending(targets: readonly LinkedTarget[]): readonly LinkedTarget[] {
  let least = Infinity
  for (const { state, weight } of targets) least = Math.min(least, state.pending / weight)
  return targets.filter(({ state, weight }) => state.pending / weight === least)
}

/** Weighted rendezvous hashing: when a target goes, only its own keys move. */
function byHash(targets: readonly LinkedTarget[], key: number): LinkedTarget {
  let best = targets[0]!
  let most = -1
  for (const target of targets) {
    const share = ((scatter(key ^ target.seed) >>> 0) + 1) / 2 ** 32
    const score = target.weight / -Math.log(share * (1 - 2 ** -33))
    if (score > most) {
      most = score
      best = target
    }
  }
  return best
}

function keyOf(exchange: Exchange, key: string): number {
  const text =
    key === 'client'
      ? (exchange as Called).identity.client.id
      : key === 'ip'
        ? exchange.ip
        : (fieldValue(exchange.pass, key.slice('header:'.length)) ?? (exchange as Called).identity.client.id)
  return limitKeyOf(text).low
}
