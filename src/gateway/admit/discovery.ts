import { type LimitPlan, planLimit, toPlan } from '../../snapshot/find/limit-plan.ts'
import { linkPolicy } from '../../snapshot/link/small-kinds.ts'
import type { LinkedProfile } from '../../snapshot/linked-types/client.ts'
import type { Counters } from './port.ts'

/** Discovery calls of one profile in any minute: lists and contracts cost no upstream, but they are not free. */
const DISCOVERY_MAX = 300

const [LIMIT] = linkPolicy({
  kind: 'policy',
  id: 'discovery',
  slug: 'discovery',
  active: true,
  limits: [{ name: 'discovery', kind: 'rate', max: DISCOVERY_MAX, window_ms: 60_000 }],
}).limits

/** Made once for each profile of a snapshot. */
const plans = new WeakMap<LinkedProfile, LimitPlan>()

/** Counts a discovery call of a profile, over all threads. Milliseconds to wait when it is one too many, else 0. */
export function admitDiscovery(counters: Counters, profile: LinkedProfile, now: number): number {
  let plan = plans.get(profile)
  if (plan === undefined) {
    plan = toPlan([planLimit(LIMIT!, 'profile', profile.key, profile.client.key)])
    plans.set(profile, plan)
  }
  // Each process counts this limit alone: no share of it is elsewhere
  return counters.take(plan, now) === -1 ? 0 : Math.max(1, Math.ceil(counters.resetMs(0)))
}
