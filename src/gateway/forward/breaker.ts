import type { BreakerRules } from '../../snapshot/fragments.ts'
import type { UpstreamState } from '../../snapshot/snapshot.ts'

/** Checks that wait, for a body, a place or a token, give up sooner. */
const HELD_UP_MS = 60_000
/** The other clients can speak for the upstream from this part of the requests that the breaker needs. */
const OTHERS_SHARE = 0.25

/**
 * Milliseconds for which the breaker of an upstream refuses the requests of a client; 0 lets this request pass. When its time
 * is over it lets one request of each client try the upstream, and another when nothing came of that for as long.
 */
export function breakerWaitMs(
  state: UpstreamState,
  rules: BreakerRules,
  client: string,
  now: number,
): number {
  if (!isHeld(state, client)) return 0
  const passed = now - (state.trials.get(client)?.at ?? state.openedAt)
  // One from before may have been held up by its checks; a clock that was set back must not keep it open for longer
  if (passed < rules.open_ms && passed > -HELD_UP_MS) return rules.open_ms - Math.max(passed, 0)
  state.trials.set(client, { at: now, isUnderWay: true })
  return 0
}

/**
 * Counts what became of a request; opens or closes the breaker by it.
 * @param begunAt when its head had arrived
 */
export function breakerCount(
  state: UpstreamState,
  rules: BreakerRules,
  client: string,
  begunAt: number,
  now: number,
  failed: boolean,
): void {
  if (isHeld(state, client)) {
    const trial = state.trials.get(client)
    // Those that were under way when it opened say nothing of how the upstream is now: the trial does
    if (trial === undefined || !trial.isUnderWay || begunAt < trial.at) return
    if (failed) state.trials.set(client, { at: now, isUnderWay: false })
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
export function breakerForget(state: UpstreamState, client: string, begunAt: number): void {
  const trial = state.trials.get(client)
  if (trial?.isUnderWay === true && trial.at === begunAt) state.trials.delete(client)
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
  state.heldClient = isKnown || state.openedAt !== 0 ? '' : suspect
  state.openedAt = now
  state.trials.clear()
  startWindow(state, now)
}

function isHeld({ openedAt, heldClient }: UpstreamState, client: string): boolean {
  return openedAt !== 0 && (heldClient === '' || heldClient === client)
}

function isTooMuch(errors: number, requests: number, rules: BreakerRules): boolean {
  return errors * 100 >= requests * rules.errors_percent
}

function close(state: UpstreamState, now: number): void {
  state.openedAt = 0
  state.heldClient = ''
  state.trials.clear()
  startWindow(state, now)
}

function startWindow(state: UpstreamState, now: number): void {
  state.windowAt = now
  state.requests = 0
  state.errors = 0
  state.clients.clear()
}
