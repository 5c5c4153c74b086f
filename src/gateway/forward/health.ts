import { toTime } from '../../base/clock.ts'
import type { TargetHealth, UpstreamHealth } from '../../model/api/upstream.ts'
import type { LinkedTarget, LinkedUpstream, UpstreamState } from '../../snapshot/linked/upstream.ts'
import { isEjected } from './targets.ts'

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
