import type { LimitPlan } from '../../snapshot/find/limit-plan.ts'
import { type Counters, LIMITS_AT_ONCE_MAX } from './counters.ts'

/**
 * RateLimit-Policy, and RateLimit with the tightest limit first (draft-ietf-httpapi-ratelimit-headers), after a take; and
 * X-RateLimit-* of the tightest where that is wanted. Limits that only observe are not shown. All are told in requests,
 * whatever one takes.
 */
export function limitLines(counters: Counters, plan: LimitPlan): string {
  const { shown } = plan
  if (shown.length === 1) {
    const only = shown[0]!
    const lines = `${plan.policyLine}RateLimit: ${itemOf(counters, plan, only)}\r\n`
    return plan.hasXLines ? lines + xLines(counters, plan, only) : lines
  }
  sortByTightness(counters, plan)
  const lines = plan.hasTwins ? twinLines(counters, plan) : plan.policyLine + stateLine(counters, plan)
  return plan.hasXLines ? lines + xLines(counters, plan, order[0]!) : lines
}

/** Index of the limit that has the fewest requests left; right after {@link limitLines} was asked for the same plan. */
export function tightestOf({ shown }: LimitPlan): number {
  return shown.length === 1 ? shown[0]! : order[0]!
}

function stateLine(counters: Counters, plan: LimitPlan): string {
  let states = ''
  for (let i = 0; i < plan.shown.length; i++)
    states += (i === 0 ? '' : ', ') + itemOf(counters, plan, order[i]!)
  return `RateLimit: ${states}\r\n`
}

/** Items are told apart by name alone: of two limits with one name only the tighter is shown. */
function twinLines(counters: Counters, plan: LimitPlan): string {
  const names = new Set<string>()
  const policies: string[] = []
  const states: string[] = []
  for (let i = 0; i < plan.shown.length; i++) {
    const { fragment, policyItem } = plan.limits[order[i]!]!.limit
    if (names.has(fragment.name)) continue
    names.add(fragment.name)
    policies.push(policyItem)
    states.push(itemOf(counters, plan, order[i]!))
  }
  return `RateLimit-Policy: ${policies.join(', ')}\r\nRateLimit: ${states.join(', ')}\r\n`
}

function xLines(counters: Counters, plan: LimitPlan, index: number): string {
  const { limit } = plan.limits[index]!
  const reset = Math.ceil(counters.resetMs(index) / 1000)
  const most = Math.floor((limit.burst === 0 ? limit.max : limit.burst) / limit.cost)
  return `X-RateLimit-Limit: ${most}\r\nX-RateLimit-Remaining: ${requestsLeft(counters, plan, index)}\r\nX-RateLimit-Reset: ${reset}\r\n`
}

/** Indexes of the shown limits of the request at hand, the tightest first. Scratch memory. */
const order = new Uint8Array(LIMITS_AT_ONCE_MAX)

/** Insertion sort: there are rarely more than three. */
function sortByTightness(counters: Counters, plan: LimitPlan): void {
  const { shown } = plan
  for (let i = 0; i < shown.length; i++) {
    let at = i
    while (at > 0 && isTighter(counters, plan, shown[i]!, order[at - 1]!)) {
      order[at] = order[at - 1]!
      at--
    }
    order[at] = shown[i]!
  }
}

function isTighter(counters: Counters, plan: LimitPlan, a: number, b: number): boolean {
  const difference = requestsLeft(counters, plan, a) - requestsLeft(counters, plan, b)
  return difference < 0 || (difference === 0 && counters.resetMs(a) > counters.resetMs(b))
}

function requestsLeft(counters: Counters, plan: LimitPlan, index: number): number {
  return Math.floor(counters.remaining(index) / plan.limits[index]!.limit.cost)
}

/** What is under way ends when it ends, so a limit on that has no `t`. */
function itemOf(counters: Counters, plan: LimitPlan, index: number): string {
  const { fragment } = plan.limits[index]!.limit
  const item = `"${fragment.name}";r=${requestsLeft(counters, plan, index)}`
  return fragment.kind === 'concurrency' ? item : `${item};t=${Math.ceil(counters.resetMs(index) / 1000)}`
}
