/**
 * The circuit breaker of an upstream. Each thread counts failures by client. Failures of one client never open the
 * breaker of an upstream that answers the other clients.
 */
import type { BreakerRules } from '../../snapshot/fragments.ts'
import type { BreakerTrials, UpstreamState } from '../../snapshot/linked/upstream.ts'

/** Checks that wait, for a body, a place or a token, give up sooner. */
const HELD_UP_MS = 60_000

/** For how long a trial whose body its caller still sends keeps other requests with a body waiting. */
const BODY_TRIAL_MS = 1000

/** The other clients can speak for the upstream from this part of the requests that the breaker needs. */
const OTHERS_SHARE = 0.25

/** True when the breaker is open for requests of this client. */
export function isOpenFor({ openedAt, openedFor }: UpstreamState, client: string): boolean {
  return openedAt !== 0 && (openedFor === '' || openedFor === client)
}

/**
 * Milliseconds for which the breaker of an upstream lets nothing of a client pass; 0 lets this request pass. When its time is
 * over it lets one request of each client try the upstream, and another when nothing came of that for as long. While the caller
 * of that one may still send its body, requests without one try at once, and others after {@link BODY_TRIAL_MS}.
 * @param isStreamed the caller may still send a part of the body
 */
export function breakerWaitMs(
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
export function breakerCount(
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
export function breakerForget(state: UpstreamState, client: string, trial: number): void {
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
