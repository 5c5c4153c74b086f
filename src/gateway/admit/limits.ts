import { toTime } from '../../base/clock.ts'
import type { RefusalCode } from '../../base/refusal.ts'
import type { Attachment } from '../../model/policy.ts'
import type { LimitKey, LinkedLimit } from '../../snapshot/snapshot.ts'
import type { Exchange } from '../exchange.ts'
import { type Counters, LIMITS_MAX } from './counters.ts'

/** Where each limit of the request at hand is attached, beside the list of the counters. */
const attachments: Attachment[] = []

/** Check 13. Every limit of profile, client, collection and proxy admits the request, or none counts it. */
export function limitsAdmit(exchange: Exchange): RefusalCode | null {
  const profile = exchange.profile!
  const client = exchange.client!
  const collection = exchange.collection!
  const proxy = exchange.proxy!
  const { counters } = exchange
  counters.begin()
  const isKnown =
    addPolicy(exchange, profile.fragment.policy, 'profile', profile.key, null) &&
    addPolicy(exchange, client.fragment.policy, 'client', client.key, null) &&
    addPolicy(exchange, collection.fragment.policy, 'collection', collection.key, client.key) &&
    addPolicy(exchange, proxy.policy, 'proxy', proxy.key, client.key)
  if (!isKnown) return 'not_ready'
  if (counters.length === 0) return null
  const refused = counters.take(exchange.now)
  exchange.limitLines = limitLines(counters)
  return refused === -1 ? null : refusedBy(exchange, refused)
}

/** False when the policy is named but not there: it could not be linked, and no limit at all would be the wrong answer. */
function addPolicy(
  exchange: Exchange,
  id: string | null,
  attachment: Attachment,
  key: LimitKey,
  within: LimitKey | null,
): boolean {
  if (id === null) return true
  const policy = exchange.snapshot.policies.get(id)
  if (policy === undefined) {
    exchange.reason = `policy ${id} is not available`
    return false
  }
  const { counters } = exchange
  const low = within === null ? key.low : key.low ^ Math.imul(within.low, 0x2c1b3c6d)
  const high = within === null ? key.high : key.high ^ Math.imul(within.high, 0x297a2d39)
  for (let i = 0; i < policy.limits.length; i++) {
    attachments[counters.length] = attachment
    counters.add(policy.limits[i]!, low, high)
  }
  return true
}

function refusedBy(exchange: Exchange, index: number): RefusalCode {
  const { counters, now } = exchange
  const { fragment, policy } = counters.limit(index)
  const waitMs = Math.max(1, Math.ceil(counters.resetMs(index)))
  const attachedTo = attachments[index]!
  exchange.retryAfterMs = waitMs
  if (counters.wasFull) exchange.reason = 'the counter table is full'
  exchange.facts = {
    detail: `The ${attachedTo} is limited to ${fragment.max} requests ${perWindow(fragment.window_ms, fragment.kind)} by limit "${fragment.name}" of policy "${policy.slug}".`,
    members: {
      policy: policy.slug,
      limit_name: fragment.name,
      attached_to: attachedTo,
      max: fragment.max,
      remaining: 0,
      reset_at: toTime(now + waitMs),
      retry_after_ms: waitMs,
    },
  }
  return fragment.kind === 'rate' ? 'rate_limit_exceeded' : 'quota_exceeded'
}

function perWindow(windowMs: number, kind: 'rate' | 'quota'): string {
  if (kind === 'rate') return `in ${windowMs / 1000} s`
  const days = windowMs / 86_400_000
  return days === 1 ? 'a day' : days === 7 ? 'a week' : 'a month'
}

/** RateLimit-Policy and RateLimit, the tightest limit first (draft-ietf-httpapi-ratelimit-headers). */
function limitLines(counters: Counters): string {
  if (counters.length === 1)
    return `RateLimit-Policy: ${counters.limit(0).policyItem}\r\nRateLimit: ${itemOf(counters, 0)}\r\n`
  sortByTightness(counters)
  let policies = ''
  let states = ''
  for (let i = 0; i < counters.length; i++) {
    const index = order[i]!
    if (isNamedBefore(counters, i)) continue
    policies += (i === 0 ? '' : ', ') + counters.limit(index).policyItem
    states += (i === 0 ? '' : ', ') + itemOf(counters, index)
  }
  return `RateLimit-Policy: ${policies}\r\nRateLimit: ${states}\r\n`
}

/** Indexes of the limits of the request at hand, the tightest first. Scratch memory. */
const order = new Uint8Array(LIMITS_MAX)

/** Insertion sort: there are rarely more than three. */
function sortByTightness(counters: Counters): void {
  for (let i = 0; i < counters.length; i++) {
    let at = i
    while (at > 0 && isTighter(counters, i, order[at - 1]!)) {
      order[at] = order[at - 1]!
      at--
    }
    order[at] = i
  }
}

function isTighter(counters: Counters, a: number, b: number): boolean {
  const difference = counters.remaining(a) - counters.remaining(b)
  return difference < 0 || (difference === 0 && counters.resetMs(a) > counters.resetMs(b))
}

function itemOf(counters: Counters, index: number): string {
  const { fragment }: LinkedLimit = counters.limit(index)
  return `"${fragment.name}";r=${counters.remaining(index)};t=${Math.ceil(counters.resetMs(index) / 1000)}`
}

/** Items are told apart by name alone: of two limits with one name only the tighter is shown. */
function isNamedBefore(counters: Counters, at: number): boolean {
  const { name } = counters.limit(order[at]!).fragment
  for (let i = 0; i < at; i++) if (counters.limit(order[i]!).fragment.name === name) return true
  return false
}
