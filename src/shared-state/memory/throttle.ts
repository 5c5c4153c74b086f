import type { Clock } from '../../base/clock.ts'
import { Lru } from '../../base/memory/lru.ts'
import type { Attempted, Backoff, BackoffKey, Throttle, ThrottleKey } from '../ports/memory.ts'

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
