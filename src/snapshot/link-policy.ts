import type { LimitFragment, PolicyFragment } from './fragments.ts'
import { limitKeyOf } from './limit-key.ts'
import type { LinkedLimit, LinkedPolicy } from './snapshot.ts'

/** Slots of a sliding window. */
const SLOTS = 60

/** Limits of one policy; the counters take those of four policies at once. */
const LIMITS_MAX = 8

const QUOTA_WINDOWS = [86_400_000, 7 * 86_400_000, 30 * 86_400_000]

/** Links a policy; an inactive one limits nothing. Throws a RangeError that names what is wrong. */
export function linkPolicy(fragment: PolicyFragment): LinkedPolicy {
  if (fragment.limits.length > LIMITS_MAX) throw new RangeError(`a policy has at most ${LIMITS_MAX} limits`)
  const limits = fragment.limits.map((limit) => linkLimit(fragment, limit))
  return { kind: 'policy', id: fragment.id, fragment, limits: fragment.active ? limits : [] }
}

function linkLimit(policy: PolicyFragment, limit: LimitFragment): LinkedLimit {
  const { name, kind, max, window_ms } = limit
  if (!/^[a-z0-9][a-z0-9_-]{0,31}$/.test(name)) throw new RangeError(`"${name}" is no name of a limit`)
  if (!Number.isInteger(max) || max < 1 || max > 1_000_000_000)
    throw new RangeError(`limit ${name} has a max that is not 1 to 1000000000`)
  const fits =
    kind === 'rate'
      ? Number.isInteger(window_ms) && window_ms >= 1000 && window_ms <= 86_400_000
      : kind === 'quota' && QUOTA_WINDOWS.includes(window_ms)
  if (!fits) throw new RangeError(`limit ${name} has a kind or window that is not known`)
  return {
    fragment: limit,
    policy,
    // A changed window starts a new count; a changed max goes on with the old one.
    key: limitKeyOf(`${policy.id}/${name}/${kind}/${window_ms}`),
    slotMs: Math.ceil(window_ms / SLOTS),
    policyItem: `"${name}";q=${max};w=${Math.ceil(window_ms / 1000)}`,
  }
}
