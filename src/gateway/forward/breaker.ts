import type { BreakerRules } from '../../snapshot/fragments.ts'
import type { UpstreamState } from '../../snapshot/linked/upstream.ts'

/** Checks that wait, for a body, a place or a token, give up sooner. */
const HELD_UP_MS = 60_000

/** For how long a trial whose body its caller still sends keeps other requests with a body waiting. */
const BODY_TRIAL_MS = 1000

/**
 * Milliseconds for which the breaker of an upstream lets nothing pass; 0 lets this request pass. When its time is over
 * it lets one request try the upstream, and another when nothing came of that for as long. While the caller of that one may
 * still send its body, requests without one try at once, and others after {@link BODY_TRIAL_MS}.
 * @param isStreamed the caller may still send a part of the body
 */
export function breakerWaitMs(
  state: UpstreamState,
  rules: BreakerRules,
  now: number,
  isStreamed: boolean,
): number {
  if (state.openedAt === 0) return 0
  const isTried = state.triedAt !== 0
  if (!(isTried && state.isTrialStreamed && !isStreamed)) {
    const openMs = isTried && state.isTrialStreamed ? Math.min(BODY_TRIAL_MS, rules.open_ms) : rules.open_ms
    const passed = now - (isTried ? state.triedAt : state.openedAt)
    // One from before may have been held up by its checks; a clock that was set back must not keep it open for longer
    if (passed < openMs && passed > -HELD_UP_MS) return openMs - Math.max(passed, 0)
  }
  state.triedAt = now
  state.trial++
  state.isTrialStreamed = isStreamed
  return 0
}

/**
 * Counts what became of a request; opens or closes the breaker by it.
 * @param trial number of the trial that the request was; 0 for none
 */
export function breakerCount(
  state: UpstreamState,
  rules: BreakerRules,
  trial: number,
  now: number,
  failed: boolean,
): void {
  if (state.openedAt !== 0) {
    // Those that were under way when it opened say nothing of how the upstream is now: a trial since then does
    if (trial < state.firstTrial) return
    if (failed) open(state, now)
    else state.openedAt = 0
    state.triedAt = 0
    startWindow(state, now)
    return
  }
  if (now - state.windowAt >= rules.window_ms || now < state.windowAt) startWindow(state, now)
  state.requests++
  if (!failed) return
  state.errors++
  if (state.requests < rules.requests || state.errors * 100 < state.requests * rules.errors_percent) return
  open(state, now)
}

/** A request came to nothing that speaks for or against the upstream: where it was the one to try, the next one is. */
export function breakerForget(state: UpstreamState, trial: number): void {
  if (trial === state.trial) state.triedAt = 0
}

function open(state: UpstreamState, now: number): void {
  state.openedAt = now
  state.triedAt = 0
  state.firstTrial = state.trial + 1
}

function startWindow(state: UpstreamState, now: number): void {
  state.windowAt = now
  state.requests = 0
  state.errors = 0
}
