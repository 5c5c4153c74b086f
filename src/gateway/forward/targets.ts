/**
 * Chooses the server of an upstream; the last check. The result of the request is counted against the server when the
 * response has ended. While the breaker tries the upstream again, the head of the response counts. Each thread decides
 * by the results that it has seen itself, so that a request shares nothing with other threads. These results move to
 * the next linked upstream when the collection changes.
 */

import { toTime } from '../../base/clock.ts'
import type { RefusalCode } from '../../base/refusal.ts'
import type { TargetHealth, UpstreamHealth } from '../../model/api/upstream.ts'
import { limitKeyOf, scatter } from '../../snapshot/find/limit-key.ts'
import type { BreakerRules } from '../../snapshot/fragments.ts'
import { RETRIES_MAX } from '../../snapshot/link/upstream.ts'
import type {
  BreakerTrials,
  LinkedTarget,
  LinkedUpstream,
  UpstreamState,
} from '../../snapshot/linked-types/collection.ts'
import { isIdempotent } from '../../wire/target.ts'
import { staleReply } from '../answer/answer-stages.ts'
import type { Called, Exchange, Located, Routed } from '../exchange.ts'
import { collectionName, type Judged, open, pass } from '../explain/judged.ts'
import { fieldValue } from '../request-headers.ts'
import { ANSWERED, type Verdict } from '../verdict.ts'

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
  return open(
    `depends on the state of its servers: ${names}`,
    `${collectionName(exchange.collection)} upstream`,
  )
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
function isEjected({ ejectedAt, ejectedUntil }: LinkedTarget['state'], now: number): boolean {
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

// The circuit breaker of an upstream. Each thread counts failures by client. Failures of one client never open the
// breaker of an upstream that answers the other clients.

/** Checks that wait, for a body, a place or a token, give up sooner. */
const HELD_UP_MS = 60_000

/** For how long a trial whose body its caller still sends keeps other requests with a body waiting. */
const BODY_TRIAL_MS = 1000

/** The other clients can speak for the upstream from this part of the requests that the breaker needs. */
const OTHERS_SHARE = 0.25

/** True when the breaker is open for requests of this client. */
function isOpenFor({ openedAt, openedFor }: UpstreamState, client: string): boolean {
  return openedAt !== 0 && (openedFor === '' || openedFor === client)
}

/**
 * Milliseconds for which the breaker of an upstream lets nothing of a client pass; 0 lets this request pass. When its time is
 * over it lets one request of each client try the upstream, and another when nothing came of that for as long. While the caller
 * of that one may still send its body, requests without one try at once, and others after {@link BODY_TRIAL_MS}.
 * @param isStreamed the caller may still send a part of the body
 */
function breakerWaitMs(
  state: UpstreamState,
  rules: BreakerRules,
  client: string,
  now: number,
  isStreamed: boolean,
): number {
  if (!isOpenFor(state, client)) return 0
  const own = trialsOf(state, client)
  const isTried = own.triedAt !== 0
  if (!(isTried && own.isStreamed && !isStreamed)) {
    const openMs = isTried && own.isStreamed ? Math.min(BODY_TRIAL_MS, rules.open_ms) : rules.open_ms
    const passed = now - (isTried ? own.triedAt : own.since)
    // One from before may have been held up by its checks; a clock that was set back must not keep it open for longer
    if (passed < openMs && passed > -HELD_UP_MS) return openMs - Math.max(passed, 0)
  }
  own.triedAt = now
  own.last = ++state.trial
  own.isStreamed = isStreamed
  return 0
}

/**
 * Counts what became of a request; opens or closes the breaker by it.
 * @param trial number of the trial that the request was; 0 for none
 */
function breakerCount(
  state: UpstreamState,
  rules: BreakerRules,
  client: string,
  trial: number,
  now: number,
  failed: boolean,
): void {
  if (isOpenFor(state, client)) {
    const own = trialsOf(state, client)
    // A request that was sent before the breaker opened does not show the present state of the upstream; a later trial does
    if (trial < own.first) return
    if (failed) Object.assign(own, { since: now, triedAt: 0, first: state.trial + 1 })
    else close(state, now)
    return
  }
  if (now - state.windowAt >= rules.window_ms || now < state.windowAt) startWindow(state, now)
  let own = state.clients.get(client)
  if (own === undefined) {
    own = { requests: 0, errors: 0 }
    state.clients.set(client, own)
  }
  state.requests++
  own.requests++
  if (!failed) return
  state.errors++
  own.errors++
  if (state.requests >= rules.requests && isTooMuch(state.errors, state.requests, rules))
    judge(state, rules, now)
}

/** A request came to nothing that speaks for or against the upstream: where it was the one to try, the next one is. */
function breakerForget(state: UpstreamState, client: string, trial: number): void {
  const own = state.trials.get(client)
  if (own?.last === trial) own.triedAt = 0
}

/**
 * Too many requests have failed. The client with the most errors may be their cause, so that the others decide: if they get
 * answers the breaker stays closed. If too few of theirs are known it opens for that client alone, which cannot close the
 * upstream for the others; if it is open for one client already, two have failed, and it opens for all.
 */
function judge(state: UpstreamState, rules: BreakerRules, now: number): void {
  let suspect = ''
  let most = { requests: 0, errors: 0 }
  for (const [client, counts] of state.clients)
    if (counts.errors > most.errors) {
      suspect = client
      most = counts
    }
  const requests = state.requests - most.requests
  const isKnown = requests >= rules.requests * OTHERS_SHARE
  if (isKnown && !isTooMuch(state.errors - most.errors, requests, rules)) return
  state.openedFor = isKnown || state.openedAt !== 0 ? '' : suspect
  state.openedAt = now
  state.firstTrial = state.trial + 1
  state.trials.clear()
  startWindow(state, now)
}

function trialsOf({ trials, openedAt, firstTrial }: UpstreamState, client: string): BreakerTrials {
  const known = trials.get(client)
  if (known !== undefined) return known
  const own = { since: openedAt, triedAt: 0, first: firstTrial, last: 0, isStreamed: false }
  trials.set(client, own)
  return own
}

function isTooMuch(errors: number, requests: number, rules: BreakerRules): boolean {
  return errors * 100 >= requests * rules.errors_percent
}

function close(state: UpstreamState, now: number): void {
  state.openedAt = 0
  state.openedFor = ''
  state.trials.clear()
  startWindow(state, now)
}

function startWindow(state: UpstreamState, now: number): void {
  state.windowAt = now
  state.requests = 0
  state.errors = 0
  state.clients.clear()
}

/** What this thread knows of an upstream. */
export function healthOf({ rules, state, targets }: LinkedUpstream, now: number): UpstreamHealth {
  const { breaker } = rules
  return {
    breaker:
      breaker === null
        ? 'off'
        : state.openedAt === 0
          ? 'closed'
          : isWaiting(state, breaker.open_ms, now)
            ? 'open'
            : 'trying',
    targets: targets.map((target) => targetHealth(target, now)),
  }
}

/** Nothing tries the upstream, and nothing may yet. */
function isWaiting({ openedAt, trials }: UpstreamState, openMs: number, now: number): boolean {
  const all = [...trials.values()]
  return (
    all.every(({ triedAt }) => triedAt === 0) &&
    now - Math.max(openedAt, ...all.map(({ since }) => since)) < openMs
  )
}

function targetHealth({ fragment, weight, state }: LinkedTarget, now: number): TargetHealth {
  const ejected = isEjected(state, now)
  return {
    server: `${fragment.scheme}://${fragment.authority}${fragment.path}`,
    weight,
    state: state.isDown ? 'down' : ejected ? 'ejected' : 'healthy',
    until: ejected && !state.isDown ? toTime(state.ejectedUntil) : null,
    threads: state.isDown || ejected ? 1 : 0,
    pending: state.pending,
    failures: state.failures,
  }
}
