import type { Clock } from '../../base/clock.ts'
import { Lru } from '../../base/memory/lru.ts'
import type { Attempted, Backoff, BackoffKey, Links, Throttle, ThrottleKey } from '../ports/memory.ts'

/** Keys of one kind that are told apart; beyond that, those not seen for longest are forgotten. */
const KEYS_MAX = 10_000

interface Failures {
  count: number
  /** Monotonic, as all times of failures. */
  lastAt: number
  /** Nothing is tried before. */
  until: number
}

interface Counted {
  readonly window: number
  count: number
}

/** A throttle in the memory of this thread. A restart forgets all attempts. */
export function createThrottle(clock: Clock): Throttle {
  const failures = tables<Failures>()
  const counts = tables<Counted>()

  function failuresOf({ kind, key, backoff }: BackoffKey, now: number): Failures {
    const table = failures[kind]
    const known = table.get(key)
    if (known !== undefined && now - known.lastAt < backoff.forgottenMs) return known
    const fresh = { count: 0, lastAt: now, until: now }
    table.set(key, fresh)
    return fresh
  }

  return {
    count({ kind, key }, { max, windowMs }) {
      const now = clock.now()
      const window = Math.floor(now / windowMs)
      const known = counts[kind].get(key)
      if (known?.window !== window) counts[kind].set(key, { window, count: 1 })
      else if (++known.count > max) return (window + 1) * windowMs - now
      return 0
    },
    attempt(keys): Attempted {
      const now = clock.monotonic()
      const found = keys.map((key) => failuresOf(key, now))
      if (found.some(({ until }) => until > now))
        return { admitted: false, waitsMs: found.map(({ until }) => until - now) }
      for (const [index, { backoff }] of keys.entries()) fail(found[index]!, backoff, now)
      return {
        admitted: true,
        attempt: {
          succeeded() {
            for (const [index, { kind, key, isClearedBySuccess }] of keys.entries())
              if (isClearedBySuccess) failures[kind].delete(key)
              else forget(found[index]!, now)
          },
          withdraw() {
            for (const one of found) forget(one, now)
          },
        },
      }
    },
  }
}

function tables<Value>(): Record<ThrottleKey['kind'], Lru<string, Value>> {
  return {
    sign_in_name: new Lru(KEYS_MAX),
    sign_in_source: new Lru(KEYS_MAX),
    oauth_request: new Lru(KEYS_MAX),
  }
}

function fail(failures: Failures, { free, waitMsMax }: Backoff, now: number): void {
  failures.count++
  failures.lastAt = now
  const beyond = failures.count - free
  if (beyond >= 0) failures.until = now + Math.min(waitMsMax, 1000 * 2 ** Math.min(beyond, 30))
}

function forget(failures: Failures, now: number): void {
  failures.count = Math.max(0, failures.count - 1)
  failures.until = now
}

export interface LinkBounds {
  /** Links that are kept at once. */
  readonly max: number
  /** Of one owner. */
  readonly ownMax?: number
  /** At `max`, a new link pushes out the oldest one, and is not refused. */
  readonly dropsOldest?: boolean
}

interface Kept<Value> {
  readonly value: Value
  readonly owner: string | null
  /** Monotonic. */
  readonly endsAt: number
}

/** Links in the memory of this thread. A restart ends all of them. */
export function createLinks<Value>(clock: Clock, bounds: LinkBounds): Links<Value> {
  const { max, ownMax = max, dropsOldest = false } = bounds
  const kept = new Map<string, Kept<Value>>()

  function find(key: string): Kept<Value> | undefined {
    const found = kept.get(key)
    return found !== undefined && found.endsAt > clock.monotonic() ? found : undefined
  }

  function ownOf(owner: string): number {
    let count = 0
    for (const link of kept.values()) if (link.owner === owner) count++
    return count
  }

  return {
    put(key, value, lifeMs, owner) {
      const now = clock.monotonic()
      for (const [old, { endsAt }] of kept) if (endsAt <= now) kept.delete(old)
      if (owner !== null && ownOf(owner) >= ownMax) return false
      if (kept.size >= max) {
        if (!dropsOldest) return false
        kept.delete(kept.keys().next().value!)
      }
      kept.set(key, { value, owner, endsAt: now + lifeMs })
      return true
    },
    look: (key) => find(key)?.value ?? null,
    take(key) {
      const found = find(key)
      kept.delete(key)
      return found?.value ?? null
    },
  }
}
