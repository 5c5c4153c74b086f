import { toTime } from '../../base/clock.ts'
import type { TargetHealth, UpstreamHealth } from '../../model/upstream-health.ts'
import type { LinkedTarget, LinkedUpstream } from '../../snapshot/linked/upstream.ts'
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
          : state.triedAt === 0 && now - state.openedAt < breaker.open_ms
            ? 'open'
            : 'trying',
    targets: targets.map((target) => targetHealth(target, now)),
  }
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
