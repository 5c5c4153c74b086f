/**
 * Rates of workflow nodes, on the counters that all gateway threads share. A counter is that of one key at one node of one
 * workflow, or of one proxy with a workflow of its own. Keys count for the share of the client that calls, as other
 * values that callers choose.
 */
import type { NodeRate, RateTaken } from '../../nodes/run.ts'
import { limitKeyOf } from '../../snapshot/find/limit-key.ts'
import {
  keyFor,
  type LimitPlan,
  type PlannedLimit,
  planLimit,
  toPlan,
} from '../../snapshot/find/limit-plan.ts'
import { linkLimit } from '../../snapshot/link/policy.ts'
import type { LinkedLimit } from '../../snapshot/linked/policy.ts'
import type { Routed } from '../exchange.ts'

/** Shares that are asked for before a run gives up: another thread may take what came. */
const ASKED_MAX = 8

const limits = new WeakMap<NodeRate, Map<string, LinkedLimit>>()

/**
 * Takes `cost` units for a key; nothing where fewer are left, or where no counter is free.
 * @param place Of the node: the same in all threads.
 */
export function takeRate(
  exchange: Routed,
  place: string,
  rate: NodeRate,
  key: string,
  cost: number,
): RateTaken | Promise<RateTaken> {
  const planned = { ...plannedAt(exchange, place, limitAt(rate, place)) }
  const plan = toPlan([{ ...planned, limit: { ...planned.limit, cost } }])
  const taken = take(exchange, plan, key)
  return taken === 'ask' ? takeLater(exchange, plan, key) : taken
}

function take({ lane: { counters, clock } }: Routed, plan: LimitPlan, key: string): RateTaken | 'ask' {
  const { low, high } = keyFor(plan.limits[0]!, key)
  counters.key(0, low, high)
  const refused = counters.take(plan, clock.now())
  if (refused === 'ask') return 'ask'
  return {
    isAdmitted: refused === -1,
    remaining: counters.remaining(0),
    resetMs: Math.ceil(counters.resetMs(0)),
  }
}

async function takeLater(exchange: Routed, plan: LimitPlan, key: string): Promise<RateTaken> {
  for (let asked = 0; asked < ASKED_MAX; asked++) {
    await exchange.lane.counters.ask(plan)
    const taken = take(exchange, plan, key)
    if (taken !== 'ask') return taken
  }
  return { isAdmitted: false, remaining: 0, resetMs: 1000 }
}

function limitAt(rate: NodeRate, place: string): LinkedLimit {
  const known = limits.get(rate)
  const found = known?.get(place)
  if (found !== undefined) return found
  const { max, windowMs } = rate
  const made = linkLimit(
    { kind: 'policy', id: place, slug: 'workflow', active: true, limits: [] },
    { name: 'node', kind: 'rate', max, window_ms: windowMs },
  )
  if (known === undefined) limits.set(rate, new Map([[place, made]]))
  else known.set(place, made)
  return made
}

function plannedAt({ identity: { client } }: Routed, place: string, limit: LinkedLimit): PlannedLimit {
  const key = limitKeyOf(place)
  // The key alone chooses the counter, also for different clients
  return { ...planLimit(limit, 'proxy', key, client.key), isKeyed: true, place: key }
}
