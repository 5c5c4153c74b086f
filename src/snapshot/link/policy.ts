import {
  BURST_MAX,
  isTimeZone,
  LIMITS_MAX,
  MAX_MAX,
  RATE_WINDOW,
  ROLLING_WINDOW,
  WAIT_MS_MAX,
} from '../../model/bounds.ts'
import { limitKeyOf } from '../find/limit-key.ts'
import type { LimitFragment, PolicyFragment } from '../fragments.ts'
import type { Algorithm, LinkedLimit, LinkedPolicy } from '../linked/policy.ts'

/** Slots of a sliding window. */
const SLOTS = 60

const CALENDAR_MS = [86_400_000, 7 * 86_400_000, 30 * 86_400_000]

/** Links a policy; an inactive one limits nothing. Throws a RangeError that names what is wrong. */
export function linkPolicy(fragment: PolicyFragment): LinkedPolicy {
  if (fragment.limits.length > LIMITS_MAX) throw new RangeError(`a policy has at most ${LIMITS_MAX} limits`)
  const limits = fragment.limits.map((limit) => linkLimit(fragment, limit))
  return { kind: 'policy', id: fragment.id, fragment, limits: fragment.active ? limits : [] }
}

/** Links one limit of a policy, whether or not the policy is active. */
export function linkLimit(policy: PolicyFragment, limit: LimitFragment): LinkedLimit {
  const { name, max, window_ms, burst = 0, cost = 1, timezone = null, wait_ms = 0, key } = limit
  if (!/^[a-z0-9][a-z0-9_-]{0,31}$/.test(name)) throw new RangeError(`"${name}" is no name of a limit`)
  const within = (what: string, value: number, least: number, most: number): void => {
    if (!Number.isInteger(value) || value < least || value > most)
      throw new RangeError(`limit ${name} has a ${what} that is not ${least} to ${most}`)
  }
  within('max', max, 1, MAX_MAX)
  within('burst', burst, 0, BURST_MAX)
  within('cost', cost, 1, burst > 0 ? burst : max)
  within('wait', wait_ms, 0, WAIT_MS_MAX)
  const algorithm = algorithmOf(limit)
  if (algorithm === null || (timezone !== null && (algorithm !== 'quota' || !isTimeZone(timezone))))
    throw new RangeError(`limit ${name} has a kind or window that is not known`)
  const [by, byName] = keyOf(key)
  if (by === null) throw new RangeError(`limit ${name} has a key that is not known`)
  return {
    fragment: limit,
    policy,
    // A changed window starts a new count; a changed max goes on with the old one.
    key: limitKeyOf(
      `${policy.id}/${name}/${limit.kind}/${window_ms}` +
        (algorithm === 'bucket' || algorithm === 'rolling' ? `/${algorithm}` : '') +
        (timezone === null ? '' : `/${timezone}`) +
        (key === undefined ? '' : `/${key}`),
    ),
    algorithm,
    max,
    windowMs: window_ms,
    slotMs: Math.ceil(window_ms / SLOTS),
    burst,
    cost,
    isObserved: limit.observe === true,
    timezone,
    waitMs: wait_ms,
    statuses: limit.count ?? null,
    by,
    byName,
    policyItem: policyItemOf(limit),
  }
}

function algorithmOf({ kind, window_ms, rolling, burst, count }: LimitFragment): Algorithm | null {
  const fits = ({ min, max }: { readonly min: number; readonly max: number }): boolean =>
    Number.isInteger(window_ms) && window_ms >= min && window_ms <= max
  if (kind === 'rate' && fits(RATE_WINDOW)) return burst === undefined ? 'rate' : 'bucket'
  if (kind === 'quota' && rolling === true) return fits(ROLLING_WINDOW) ? 'rolling' : null
  if (kind === 'quota' && CALENDAR_MS.includes(window_ms)) return 'quota'
  return kind === 'concurrency' && count === undefined ? 'concurrent' : null
}

function keyOf(key: string | undefined): readonly [LinkedLimit['by'] | null, string] {
  if (key === undefined) return ['attachment', '']
  if (key === 'ip' || key === 'global' || key === 'tool' || key === 'user') return [key, '']
  const match = /^(claim|header):(.+)$/.exec(key)
  if (match === null) return [null, '']
  return match[1] === 'claim' ? ['claim', match[2]!] : ['header', match[2]!.toLowerCase()]
}

/** Items of draft-ietf-httpapi-ratelimit-headers, in requests: of a bucket `q` and `w` say its refill. */
function policyItemOf({ name, kind, max, window_ms, cost = 1 }: LimitFragment): string {
  const requests = Math.floor(max / cost)
  if (kind === 'concurrency') return `"${name}";q=${requests};qu="concurrent-requests"`
  // A request may take more than is refilled in a window.
  const windows = requests === 0 ? cost / max : 1
  return `"${name}";q=${Math.max(1, requests)};w=${Math.ceil((windows * window_ms) / 1000)}`
}
