import type { BreakerRules } from '../../snapshot/fragments.ts'
import type { UpstreamState } from '../../snapshot/snapshot.ts'

/**
 * Milliseconds for which the breaker of an upstream lets nothing pass; 0 lets this request pass. When its time is over
 * it lets one request try the upstream, and another when nothing came of that for as long.
 */
export function breakerWaitMs(state: UpstreamState, rules: BreakerRules, now: number): number {
  if (state.openedAt === 0) return 0
  const waitedFrom = state.triedAt === 0 ? state.openedAt : state.triedAt
  const left = waitedFrom + rules.open_ms - now
  // A clock that was set back must not keep it open for longer
  if (left > 0 && left <= rules.open_ms) return left
  state.triedAt = now
  return 0
}

/** Counts what became of a request; opens or closes the breaker by it. */
export function breakerCount(state: UpstreamState, rules: BreakerRules, now: number, failed: boolean): void {
  if (state.openedAt !== 0) {
    // Of those that were under way when it opened only the trial says how the upstream is now
    if (state.triedAt === 0) return
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

function startWindow(state: UpstreamState, now: number): void {
  state.windowAt = now
  state.requests = 0
  state.errors = 0
}
