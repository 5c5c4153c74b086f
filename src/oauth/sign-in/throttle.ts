import type { Clock } from '../../base/clock.ts'
import { Lru } from '../../base/lru.ts'
import { refuse } from '../../base/refusal.ts'

interface Bounds {
  /** Failures that cost nothing. */
  readonly free: number
  /** Longest wait after one, milliseconds. */
  readonly waitMsMax: number
}

/**
 * A name waits for at most five minutes: whoever wants to keep its owner out by failing on purpose keeps having to, and
 * whoever guesses has 300 guesses a day. A source may be an office with many people.
 */
const OF_A_NAME: Bounds = { free: 5, waitMsMax: 5 * 60_000 }
const OF_A_SOURCE: Bounds = { free: 30, waitMsMax: 15 * 60_000 }
/** A failure is forgotten so long after the last one, milliseconds. */
const FORGOTTEN_MS = 60 * 60_000
/** Names, and sources, that are told apart; beyond that, those not seen for longest are forgotten. */
const KEYS_MAX = 10_000

interface Failures {
  count: number
  lastAt: number
  /** Monotonic; nothing is tried before. */
  until: number
}

/** Attempts to sign in, by the name that was given and by where they came from. Kept in the memory of the process. */
export interface Throttle {
  /**
   * Counts an attempt as failed before it is made, so that many at once are no way around, and refuses with
   * auth_throttled while a wait is on.
   */
  take(name: string, ip: string | null): Attempt
}

interface Attempt {
  /**
   * It did not fail. The name starts anew; of the source this one attempt alone is forgotten, so that nobody clears the
   * way for guesses by signing in as themselves.
   */
  succeeded(): void
  /** It was not made. */
  withdraw(): void
}

/** @param networkOf whom an address stands for. */
export function createThrottle(clock: Clock, networkOf: (ip: string) => string): Throttle {
  const names = new Lru<string, Failures>(KEYS_MAX)
  const sources = new Lru<string, Failures>(KEYS_MAX)

  function failuresOf(table: Lru<string, Failures>, key: string, now: number): Failures {
    const known = table.get(key)
    if (known !== undefined && now - known.lastAt < FORGOTTEN_MS) return known
    const fresh = { count: 0, lastAt: now, until: now }
    table.set(key, fresh)
    return fresh
  }

  return {
    take(name, ip) {
      const now = clock.monotonic()
      const key = name.normalize('NFKC').trim().toLowerCase().slice(0, 320)
      const ofName = failuresOf(names, key, now)
      const ofSource = failuresOf(sources, ip === null ? '' : networkOf(ip), now)
      const waitMs = Math.max(ofName.until, ofSource.until) - now
      if (waitMs > 0)
        throw refuse('auth_throttled', {
          detail: 'Too many attempts have failed. Wait before the next one.',
          members: { retry_after_ms: Math.ceil(waitMs) },
          inner: ofName.until > now ? 'too many failures for the name' : 'too many failures from there',
        })
      fail(ofName, OF_A_NAME, now)
      fail(ofSource, OF_A_SOURCE, now)
      return {
        succeeded() {
          names.delete(key)
          forget(ofSource, now)
        },
        withdraw() {
          forget(ofName, now)
          forget(ofSource, now)
        },
      }
    },
  }
}

/** From the last free failure on each makes the next wait twice as long, from a second. */
function fail(failures: Failures, { free, waitMsMax }: Bounds, now: number): void {
  failures.count++
  failures.lastAt = now
  const beyond = failures.count - free
  if (beyond >= 0) failures.until = now + Math.min(waitMsMax, 1000 * 2 ** Math.min(beyond, 30))
}

function forget(failures: Failures, now: number): void {
  failures.count = Math.max(0, failures.count - 1)
  failures.until = now
}
