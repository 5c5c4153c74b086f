import type { BreakerRules } from '../../snapshot/fragments.ts'
import type { UpstreamState } from '../../snapshot/snapshot.ts'

/** Checks that wait, for a body, a place or a token, give up sooner. */
const HELD_UP_MS = 60_000

/**
 * Milliseconds for which the breaker of an upstream lets nothing pass; 0 lets this request pass. When its time is over
 * it lets one request try the upstream, and another when nothing came of that for as long.
 */
export function breakerWaitMs(state: UpstreamState, rules: BreakerRules, now: number): number {
  if (state.openedAt === 0) return 0
  const waitedFrom = state.triedAt === 0 ? state.openedAt : state.triedAt
  const passed = now - waitedFrom
  // One from before may have been held up by its checks; a clock that was set back must not keep it open for longer
  if (passed < rules.open_ms && passed > -HELD_UP_MS) return rules.open_ms - Math.max(passed, 0)
  state.triedAt = now
  return 0
}

/**
 * Counts what became of a request; opens or closes the breaker by it.
 * @param begunAt when its head had arrived
 */
export function breakerCount(
  state: UpstreamState,
  rules: BreakerRules,
  begunAt: number,
  now: number,
  failed: boolean,
): void {
  if (state.openedAt !== 0) {
    // Those that were under way when it opened say nothing of how the upstream is now: the trial does
    if (state.triedAt === 0 || begunAt < state.triedAt) return
    state.openedAt = failed ? now : 0
    state.triedAt = 0
    startWindow(state, now)
    return
  }
  if (now - state.windowAt >= rules.window_ms || now < state.windowAt) startWindow(state, now)
  state.requests++
  if (!failed) return
  state.errors++
  if (state.requests < rules.requests || state.errors * 100 < state.requests * rules.errors_percent) return
  state.openedAt = now
  state.triedAt = 0
}

/** A request came to nothing that speaks for or against the upstream: where it was the one to try, the next one is. */
export function breakerForget(state: UpstreamState, begunAt: number): void {
  if (begunAt === state.triedAt) state.triedAt = 0
}

function startWindow(state: UpstreamState, now: number): void {
  state.windowAt = now
  state.requests = 0
  state.errors = 0
}
