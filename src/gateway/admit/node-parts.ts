/**
 * The part of each limit that one of several nodes admits, while no server counts for all of them.
 * 1. A node admits the limit divided by the number of nodes, rounded up, but never less than one request costs, and never more than the limit.
 * 2. Calendar quotas have no part here: all nodes count them together (see quota-shares.ts).
 * 3. With Valkey, limits that refuse are counted there, except calendar quotas. Their parts hold while it cannot be reached.
 * 4. With one node and no Valkey every plan stays as it is, and nothing is looked up.
 */
import {
  isLeased,
  type LimitPlan,
  type PlannedLimit,
  partOf,
  toPlan,
} from '../../snapshot/find/limit-plan.ts'
import { policyItemOf } from '../../snapshot/link/small-kinds.ts'
import type { LinkedLimit } from '../../snapshot/linked-types/client.ts'
import type { LeaseState } from './leases.ts'

/**
 * A limit as one of `nodes` nodes enforces it; the same object where that is all of it.
 * @param state whether limits are counted in Valkey
 */
export function partOfLimit(limit: LinkedLimit, nodes: number, state: LeaseState): LinkedLimit {
  if (limit.algorithm === 'quota' || (state === 'up' && isLeased(limit))) return limit
  if (state === 'down' && limit.onStoreFailure === 'allow' && !limit.isObserved)
    return { ...limit, isObserved: true }
  if (nodes < 2) return limit
  const { cost, fragment } = limit
  const burst = limit.burst === 0 ? 0 : partOf(limit.burst, nodes, cost)
  // A bucket is refilled more slowly than a request costs, if need be
  const max = partOf(limit.max, nodes, limit.burst === 0 ? cost : 1)
  if (max === limit.max && burst === limit.burst) return limit
  return { ...limit, max, burst, policyItem: policyItemOf({ ...fragment, max }) }
}

/** Plans of a snapshot as one of several nodes enforces them, each computed once. */
export class NodeParts {
  #nodes = 0
  #state: LeaseState = 'off'
  #plans = new WeakMap<LimitPlan, LimitPlan>()

  of(plan: LimitPlan, nodes: number, state: LeaseState): LimitPlan {
    if (nodes !== this.#nodes || state !== this.#state) {
      this.#nodes = nodes
      this.#state = state
      this.#plans = new WeakMap()
    }
    let part = this.#plans.get(plan)
    if (part === undefined) {
      part = partOfPlan(plan, nodes, state)
      this.#plans.set(plan, part)
    }
    return part
  }
}

function partOfPlan(plan: LimitPlan, nodes: number, state: LeaseState): LimitPlan {
  const denied = plan.limits.find(
    ({ limit }) => state === 'down' && limit.onStoreFailure === 'deny' && isLeased(limit),
  )
  if (denied !== undefined)
    return toPlan([], {
      code: 'not_ready',
      reason: `policy ${denied.limit.policy.slug} refuses calls while Valkey cannot be reached`,
    })
  const limits = plan.limits.map((planned): PlannedLimit => {
    const limit = partOfLimit(planned.limit, nodes, state)
    return limit === planned.limit ? planned : { ...planned, limit }
  })
  return limits.every((limit, index) => limit === plan.limits[index]) ? plan : toPlan(limits, plan.closed)
}
