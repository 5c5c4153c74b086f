/**
 * Takes the limits of a request, and gives back what it holds when the request ends. The limits of a profile at a
 * proxy, with their keys and header line, are computed once for each snapshot (`snapshot/find/limit-plan`).
 */
import { toTime } from '../../base/clock.ts'
import type { RefusalCode } from '../../base/refusal.ts'
import { keyFor, type LimitPlan, type PlannedLimit } from '../../snapshot/find/limit-plan.ts'
import type { LinkedLimit } from '../../snapshot/linked/policy.ts'
import type { Exchange, Routed } from '../exchange.ts'
import { keyValueOf } from './key-value.ts'
import { limitLines, tightestOf } from './limit-lines.ts'

/** Requests of one thread that wait for a place; further ones are refused at once. */
const WAITING_MAX = 1000
let waiting = 0

/** Every limit of profile, client, collection, proxy and what the call goes through admits the request, or none counts it. */
export function limitsAdmit(exchange: Routed): RefusalCode | null | Promise<RefusalCode | null> {
  const { counters } = exchange.lane
  const plan = planOf(exchange)
  if (plan.missing !== null) {
    exchange.reason = `policy ${plan.missing} is not available`
    return 'route_unavailable'
  }
  if (plan.limits.length === 0) return null
  if (plan.keyed.length > 0) nameKeys(exchange, plan)
  const refused = counters.take(plan, exchange.now)
  if (refused === 'ask') return takeLater(exchange, plan)
  const waitMs = refused === -1 || counters.wasFull ? 0 : plan.limits[refused]!.limit.waitMs
  if (waitMs > 0 && waiting < WAITING_MAX) return takeLater(exchange, plan)
  return conclude(exchange, plan, refused)
}

function planOf({ snapshot, identity, collection, proxy, through, capability }: Routed): LimitPlan {
  if (capability !== null && capability.isStep === true)
    return snapshot.plans.ofStep(snapshot, identity.profile, collection)
  return snapshot.plans.of(snapshot, identity.profile, collection, proxy, through?.of ?? null)
}

/** At the end: gives back what the limits hold for a request, by the status of its answer. */
export function endLimits(exchange: Exchange): void {
  const { heldLimits, outcome, lane } = exchange
  if (heldLimits === null) return
  exchange.heldLimits = null
  lane.counters.release(heldLimits, outcome.status)
}

function nameKeys(exchange: Exchange, plan: LimitPlan): void {
  const { counters } = exchange.lane
  for (const index of plan.keyed) {
    const planned = plan.limits[index]!
    const value = keyValueOf(exchange, planned.limit)
    const { low, high } = value === null ? planned : keyFor(planned, value)
    counters.key(index, low, high)
  }
}

/**
 * Tries again when a missing share has been fetched, and whenever something under way has ended, until the request is admitted
 * or has waited long enough.
 */
async function takeLater(exchange: Exchange, plan: LimitPlan): Promise<RefusalCode | null> {
  const { counters } = exchange.lane
  const startedAt = performance.now()
  waiting++
  try {
    for (;;) {
      const seen = counters.released
      const passedMs = performance.now() - startedAt
      // The list of keys is scratch memory that other requests have used meanwhile.
      nameKeys(exchange, plan)
      const refused = counters.take(plan, exchange.now + Math.floor(passedMs))
      if (refused === 'ask') await counters.ask(plan)
      else {
        const leftMs = refused === -1 || counters.wasFull ? 0 : plan.limits[refused]!.limit.waitMs - passedMs
        if (leftMs <= 0) return conclude(exchange, plan, refused)
        await counters.untilReleased(seen, leftMs)
      }
      // The caller left: nobody would give back what is taken now.
      if (exchange.isOver) return 'concurrency_exceeded'
    }
  } finally {
    waiting--
  }
}

function conclude(exchange: Exchange, plan: LimitPlan, refused: number): RefusalCode | null {
  const { counters } = exchange.lane
  if (plan.policyLine !== '') {
    exchange.limitLines = limitLines(counters, plan)
    exchange.nearestLimit = plan.limits[refused === -1 ? tightestOf(plan) : refused]!.name
    exchange.hasXLimits = plan.hasXLines
  }
  if (refused !== -1) return refusedBy(exchange, plan.limits[refused]!, refused)
  if (plan.holds) exchange.heldLimits = counters.hold(plan)
  if (plan.observes) observed(exchange, plan)
  return null
}

/** As people read it. */
const nounOf = (attachedTo: string): string => (attachedTo === 'virtual_mcp' ? 'virtual MCP' : attachedTo)

/** Says in the record what would have been refused. */
function observed(exchange: Exchange, plan: LimitPlan): void {
  const index = plan.limits.findIndex((_, at) => exchange.lane.counters.wouldRefuse(at))
  if (index === -1) return
  const { limit, attachedTo } = plan.limits[index]!
  exchange.reason = `would be refused by limit "${limit.fragment.name}" of policy "${limit.policy.slug}" of the ${nounOf(attachedTo)}`
}

function refusedBy(exchange: Exchange, { limit, attachedTo }: PlannedLimit, index: number): RefusalCode {
  const { lane, now } = exchange
  const { counters } = lane
  const { fragment, policy, max, cost } = limit
  const waitMs = Math.max(1, Math.ceil(counters.resetMs(index)))
  exchange.retryAfterMs = waitMs
  const name = `limit "${fragment.name}" of policy "${policy.slug}"`
  if (counters.wasFull) exchange.reason = 'the counters, or the share of the client in them, are used up'
  exchange.facts = {
    detail: counters.wasFull
      ? `No counter is free for ${name} of the ${nounOf(attachedTo)}.`
      : `The ${nounOf(attachedTo)} is limited to ${amountOf(limit)} by ${name}.`,
    members: {
      policy: policy.slug,
      limit_name: fragment.name,
      attached_to: attachedTo,
      max,
      remaining: counters.remaining(index),
      ...(cost === 1 ? {} : { cost }),
      ...(fragment.kind === 'concurrency' ? {} : { reset_at: toTime(now + waitMs) }),
      retry_after_ms: waitMs,
    },
  }
  return limitRefusal(limit)
}

/** What a request is refused with by a limit. */
export function limitRefusal({ fragment: { kind } }: LinkedLimit): RefusalCode {
  if (kind === 'concurrency') return 'concurrency_exceeded'
  return kind === 'rate' ? 'rate_limit_exceeded' : 'quota_exceeded'
}

function amountOf(limit: LinkedLimit): string {
  const { max, cost } = limit
  if (cost === 1) return `${max} ${max === 1 ? 'request' : 'requests'} ${spanOf(limit)}`
  return `${max} units ${spanOf(limit)}, of which a request takes ${cost},`
}

function spanOf({ algorithm, windowMs, burst }: LinkedLimit): string {
  if (algorithm === 'concurrent') return 'at once'
  if (algorithm === 'rate') return `in ${windowMs / 1000} s`
  if (algorithm === 'bucket') return `in ${windowMs / 1000} s with a burst of ${burst}`
  if (algorithm === 'rolling') return `in any ${windowMs / 3_600_000} h`
  const days = windowMs / 86_400_000
  return days === 1 ? 'a day' : days === 7 ? 'a week' : 'a month'
}
