/**
 * Takes the limits of a request, and gives back what it holds when the request ends. The limits of a profile at a
 * proxy, with their keys and header line, are computed once for each snapshot (`snapshot/find/limit-plan`).
 */
import { toTime } from '../../base/clock.ts'
import type { RefusalCode } from '../../base/refusal.ts'
import type { Hypothetical } from '../../model/explanation.ts'
import { isLeased, keyFor, type LimitPlan, type PlannedLimit } from '../../snapshot/find/limit-plan.ts'
import type { LinkedLimit } from '../../snapshot/linked-types/client.ts'
import type { Exchange, Routed } from '../exchange.ts'
import { type Explain, NO_CALLER, open, pass, refuse } from '../explain/judged.ts'
import { firstFieldValue } from '../request-headers.ts'
import { LIMITS_AT_ONCE_MAX } from './counters.ts'
import type { Counters } from './port.ts'

/** Requests of one thread that wait for a place, and for a lease; further ones are refused at once. */
const PLACE_WAITS_MAX = 1000
const LEASE_WAITS_MAX = 10_000
const waits = { place: 0, lease: 0 }
/** So often a request that waits for a place looks for one that another node has given back, milliseconds. */
const LOOK_MS = 100
/** So often a request waits for a lease, where others use up what comes. */
const LEASE_WAITS_EACH_MAX = 4
/** For a caller that left: nobody would give back what is taken now, and nobody reads the code. */
const LEFT: RefusalCode = 'concurrency_exceeded'

/** Every limit of profile, client, collection, proxy and what the call goes through admits the request, or none counts it. */
export function limitsAdmit(exchange: Routed): RefusalCode | null | Promise<RefusalCode | null> {
  const { counters } = exchange.lane
  const whole = planOf(exchange)
  if (whole.closed !== null) return closed(exchange, whole.closed)
  if (whole.limits.length === 0) return null
  const plan = counters.partOf(whole)
  if (plan.closed !== null) return closed(exchange, plan.closed)
  if (plan.keyed.length > 0) nameKeys(exchange, plan)
  let refused = counters.take(plan, exchange.now)
  if (refused === 'ask') {
    if (waits.lease < LEASE_WAITS_MAX) return takeLater(exchange, whole, plan, true)
    refused = takeLast(exchange, plan)
  }
  const waitMs = refused === -1 || counters.wasFull ? 0 : plan.limits[refused]!.limit.waitMs
  if (waitMs > 0 && waits.place < PLACE_WAITS_MAX) return takeLater(exchange, whole, plan, false)
  return conclude(exchange, plan, refused)
}

/** As `take`, where a lease that is missing refuses. */
function takeLast(exchange: Exchange, plan: LimitPlan): number {
  nameKeys(exchange, plan)
  return exchange.lane.counters.take(plan, exchange.now, true) as number
}

function closed(exchange: Exchange, { code, reason }: NonNullable<LimitPlan['closed']>): RefusalCode {
  exchange.reason = reason
  return code
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
 * Tries again when a missing lease has been fetched, and whenever something under way has ended, until the request is admitted
 * or has waited long enough.
 */
async function takeLater(
  exchange: Exchange,
  whole: LimitPlan,
  part: LimitPlan,
  isAsked: boolean,
): Promise<RefusalCode | null> {
  const { counters } = exchange.lane
  const startedAt = performance.now()
  let plan = part
  let asks = 0
  let refused: number | 'ask' = isAsked ? 'ask' : -1
  for (;;) {
    if (refused === 'ask') {
      asks++
      await counted('lease', () => counters.ask())
      if (exchange.isOver) return LEFT
      // Valkey may have been lost meanwhile
      plan = counters.partOf(whole)
      if (plan.closed !== null) return closed(exchange, plan.closed)
    }
    const seen = counters.released
    const passedMs = performance.now() - startedAt
    // The list of keys is scratch memory that other requests have used meanwhile.
    nameKeys(exchange, plan)
    refused = counters.take(plan, exchange.now + Math.floor(passedMs), asks >= LEASE_WAITS_EACH_MAX)
    if (refused === 'ask') continue
    const leftMs = refused === -1 || counters.wasFull ? 0 : plan.limits[refused]!.limit.waitMs - passedMs
    if (leftMs <= 0) return conclude(exchange, plan, refused)
    // What ends at other nodes is not told
    const lookMs = counters.leaseState === 'up' ? Math.min(leftMs, LOOK_MS) : leftMs
    await counted('place', () => counters.untilReleased(seen, lookMs))
    if (exchange.isOver) return LEFT
  }
}

async function counted(kind: keyof typeof waits, wait: () => Promise<void>): Promise<void> {
  waits[kind]++
  try {
    await wait()
  } finally {
    waits[kind]--
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
  // All nodes count it together
  const nodes = counters.leaseState === 'up' && isLeased(limit) ? 1 : counters.nodes
  const { fragment, policy, max, cost } = limit
  const waitMs = Math.max(1, Math.ceil(counters.resetMs(index)))
  exchange.retryAfterMs = waitMs
  const name = `limit "${fragment.name}" of policy "${policy.slug}"`
  if (counters.wasFull) exchange.reason = 'no counter is free, in total or in the share of the client'
  else if (counters.wasShort) exchange.reason = `this node has used up its share of ${name}`
  exchange.facts = {
    detail: counters.wasFull
      ? `No counter is free for ${name} of the ${nounOf(attachedTo)}. Wait for Retry-After.`
      : `The ${nounOf(attachedTo)} is limited to ${amountOf(limit, nodes)} by ${name}.${counters.wasShort ? ' This node has used up its share of it. Wait for Retry-After.' : ''}`,
    members: {
      policy: policy.slug,
      limit_name: fragment.name,
      attached_to: attachedTo,
      max,
      remaining: counters.remaining(index),
      ...(nodes === 1 ? {} : { nodes, max_of_all_nodes: fragment.max }),
      ...(cost === 1 ? {} : { cost }),
      ...(fragment.kind === 'concurrency' ? {} : { reset_at: toTime(now + waitMs) }),
      retry_after_ms: waitMs,
    },
  }
  return limitRefusal(limit)
}

/** What a request is refused with by a limit. */
function limitRefusal({ fragment: { kind } }: LinkedLimit): RefusalCode {
  if (kind === 'concurrency') return 'concurrency_exceeded'
  return kind === 'rate' ? 'rate_limit_exceeded' : 'quota_exceeded'
}

function amountOf(limit: LinkedLimit, nodes: number): string {
  const { max, cost } = limit
  const unit = cost > 1 ? 'units' : max === 1 ? 'request' : 'requests'
  const where = nodes === 1 || limit.algorithm === 'quota' ? '' : ` on each of ${nodes} nodes`
  return `${max} ${unit} ${spanOf(limit)}${where}${cost === 1 ? '' : ` (a request takes ${cost})`}`
}

function spanOf({ algorithm, windowMs, burst }: LinkedLimit): string {
  if (algorithm === 'concurrent') return 'at once'
  if (algorithm === 'rate') return `in ${windowMs / 1000} s`
  if (algorithm === 'bucket') return `in ${windowMs / 1000} s with a burst of ${burst}`
  if (algorithm === 'rolling') return `in any ${windowMs / 3_600_000} h`
  const days = windowMs / 86_400_000
  return days === 1 ? 'a day' : days === 7 ? 'a week' : 'a month'
}

/**
 * RateLimit-Policy, and RateLimit with the tightest limit first (draft-ietf-httpapi-ratelimit-headers), after a take; and
 * X-RateLimit-* of the tightest where that is wanted. Limits that only observe are not shown. All are told in requests,
 * whatever one takes.
 */
function limitLines(counters: Counters, plan: LimitPlan): string {
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
function tightestOf({ shown }: LimitPlan): number {
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

/** A longer value is cut: it stands for one caller, not for a document. */
const VALUE_CHARS_MAX = 256

/** What a keyed limit counts by in this request; null when the request does not have it. */
function keyValueOf(exchange: Exchange, { by, byName }: LinkedLimit): string | null {
  const value = chosenBy(exchange, by, byName)
  return value === null || value === '' ? null : value.slice(0, VALUE_CHARS_MAX)
}

function chosenBy(exchange: Exchange, by: LinkedLimit['by'], name: string): string | null {
  switch (by) {
    case 'ip':
      return exchange.ip
    case 'header':
      return firstFieldValue(exchange.pass, name) ?? null
    case 'tool':
      return exchange.agent === null ? null : exchange.agent.tool
    case 'user':
      return exchange.identity.subject
    default:
      return exchange.identity.claims.get(name) ?? (name === 'sub' ? exchange.identity.subject : null)
  }
}

/** Tells what the counters hold now, of which nothing is taken. */
export const explainLimits: Explain = (exchange, asked) => {
  if (exchange.identity.profile === null) return NO_CALLER
  const { snapshot, lane, now, identity, collection, proxy } = exchange as Routed
  const plan = lane.counters.partOf(snapshot.plans.of(snapshot, identity.profile, collection, proxy, null))
  if (plan.closed !== null) return refuse(plan.closed.code, plan.closed.reason, null)
  if (plan.limits.length === 0) return pass('no policy has a limit here: unlimited')
  const sentences: string[] = []
  const settings = new Set<string>()
  let isOpen = false
  for (const planned of plan.limits) {
    const { limit } = planned
    const name = `${limit.fragment.name} (${limit.isObserved ? 'observes ' : ''}${limit.fragment.kind})`
    const place = `policies/${limit.policy.slug} of the ${planned.attachedTo}`
    settings.add(place)
    const counter = counterOf(planned, exchange, asked)
    if (counter === null) {
      isOpen = true
      sentences.push(`${name} depends on the ${limit.by} of the request`)
      continue
    }
    const max = limit.algorithm === 'bucket' ? limit.burst : limit.max
    const left = lane.counters.read(counter, now)?.remaining ?? max
    const sentence = `${name} has ${left} of ${max} left${lane.counters.nodes === 1 || (lane.counters.leaseState === 'up' && isLeased(limit)) ? '' : ' on this node'}`
    if (left < limit.cost && !limit.isObserved) return refuse(limitRefusal(limit), sentence, place)
    sentences.push(sentence)
  }
  return (isOpen ? open : pass)(sentences.join('; '), [...settings].join('; '))
}

/** The counter of a limit; null where what it is keyed by was not said. */
function counterOf(planned: PlannedLimit, exchange: Exchange, asked: Hypothetical): PlannedLimit | null {
  const { by } = planned.limit
  if (!planned.isKeyed) return planned
  if (by === 'claim' || (by === 'ip' && asked.ip === null) || (by === 'header' && asked.headers === null))
    return null
  const value = keyValueOf(exchange, planned.limit)
  return value === null ? planned : { ...planned, ...keyFor(planned, value) }
}
