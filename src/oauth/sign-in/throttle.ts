/** Slows down failed sign-ins, by name and by source. */
import { refuse } from '../../base/refusal.ts'
import type { Attempt, BackoffKey, Throttle } from '../../shared-state/ports/throttle.ts'

const FORGOTTEN_MS = 60 * 60_000
/**
 * A name waits for at most five minutes: whoever wants to keep its owner out by failing on purpose keeps having to, and
 * whoever guesses has 300 guesses a day. A success starts the name anew.
 */
const OF_A_NAME = {
  kind: 'sign_in_name',
  backoff: { free: 5, waitMsMax: 5 * 60_000, forgottenMs: FORGOTTEN_MS },
  isClearedBySuccess: true,
} as const satisfies Partial<BackoffKey>
/**
 * A source may be an office with many people. A success forgets this one attempt alone, so that nobody clears the way for
 * guesses by signing in as themselves.
 */
const OF_A_SOURCE = {
  kind: 'sign_in_source',
  backoff: { free: 30, waitMsMax: 15 * 60_000, forgottenMs: FORGOTTEN_MS },
  isClearedBySuccess: false,
} as const satisfies Partial<BackoffKey>

/** Attempts to sign in, by the name that was given and by where they came from. */
export interface SignInThrottle {
  /**
   * Counts an attempt as failed before it is made, so that many at once are no way around. Rejects with auth_throttled while a
   * wait is on.
   */
  take(name: string, ip: string | null): Promise<Attempt>
}

/** @param networkOf whom an address stands for. */
export function createSignInThrottle(throttle: Throttle, networkOf: (ip: string) => string): SignInThrottle {
  return {
    async take(name, ip) {
      const attempted = await throttle.attempt([
        { ...OF_A_NAME, key: name.normalize('NFKC').trim().toLowerCase().slice(0, 320) },
        { ...OF_A_SOURCE, key: ip === null ? '' : networkOf(ip) },
      ])
      if (attempted.admitted) return attempted.attempt
      const [ofName = 0, ofSource = 0] = attempted.waitsMs
      throw refuse('auth_throttled', {
        detail: 'Too many attempts have failed. Wait before the next one.',
        members: { retry_after_ms: Math.ceil(Math.max(ofName, ofSource)) },
        inner: ofName > 0 ? 'too many failures for the name' : 'too many failures from there',
      })
    },
  }
}
