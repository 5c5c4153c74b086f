import { scatter } from '../../snapshot/find/limit-key.ts'
import { advanceRate, countRate, rateResetMs } from './rate.ts'
import { type CounterTable, ENTRY_WORDS, RATE, TOTAL } from './table.ts'

const FAILURES_MAX = 20
const FAILURES_WINDOW_MS = 60_000
const FAILURES_SLOT_MS = 1000
const VERIFICATION_WINDOW_MS = 1000
const VERIFICATION_SLOT_MS = 20
/** Tells the verifications of a source from its failures. */
const VERIFICATIONS = 0x2c1b3c6d

/** Failed authentications of all threads. */
export interface Failures {
  /** False when no thread has counted a failed authentication lately: then no source must wait. */
  hasFailures(now: number): boolean
  /** Milliseconds for which a source must wait after too many failures; 0 when it need not. */
  throttledMs(low: number, high: number, now: number): number
  /** Counts a failed authentication. False when it was one too many. */
  countFailure(low: number, high: number, now: number): boolean
  /** Takes the one new verification that a throttled source has in a second. False when it is taken, or when there is no place. */
  mayVerify(low: number, high: number, now: number): boolean
}

/**
 * @param lastFailure when a failure was last counted by any thread, seconds since the epoch; saves the common request a
 * look-up.
 */
export function createFailures(table: CounterTable, lastFailure: Int32Array): Failures {
  const totalOf = (entry: number): number => table.words[entry * ENTRY_WORDS + TOTAL]!

  function hasFailures(now: number): boolean {
    return Math.floor(now / 1000) - Atomics.load(lastFailure, 0) <= FAILURES_WINDOW_MS / 1000 + 1
  }

  /** Counts one more, unless `max` have been counted in the window. */
  function count(
    low: number,
    high: number,
    now: number,
    max: number,
    windowMs: number,
    slotMs: number,
  ): boolean {
    const key = scatter(low) || 1
    const stripe = table.stripeOf(key)
    if (!table.stripes.lock(stripe)) return false
    const time = table.timeOf(key, now)
    const entry = table.find(key, high, RATE, time)
    let admits = false
    if (entry !== -1) {
      advanceRate(table, entry, time, windowMs, slotMs)
      admits = totalOf(entry) < max
      if (admits) countRate(table, entry, time, windowMs, slotMs)
    }
    table.stripes.unlock(stripe)
    return admits
  }

  return {
    hasFailures,
    throttledMs(low, high, now) {
      if (!hasFailures(now)) return 0
      const key = scatter(low) || 1
      const stripe = table.stripeOf(key)
      if (!table.stripes.lock(stripe)) return 1000
      let waitMs = 0
      const time = table.timeOf(key, now)
      const entry = table.peek(key, high, RATE)
      if (entry !== -1) {
        advanceRate(table, entry, time, FAILURES_WINDOW_MS, FAILURES_SLOT_MS)
        if (totalOf(entry) >= FAILURES_MAX)
          waitMs = rateResetMs(table, entry, now, FAILURES_WINDOW_MS, FAILURES_SLOT_MS)
      }
      table.stripes.unlock(stripe)
      return waitMs
    },
    countFailure(low, high, now) {
      Atomics.store(lastFailure, 0, Math.floor(now / 1000))
      return count(low, high, now, FAILURES_MAX, FAILURES_WINDOW_MS, FAILURES_SLOT_MS)
    },
    mayVerify(low, high, now) {
      return count(low ^ VERIFICATIONS, high, now, 1, VERIFICATION_WINDOW_MS, VERIFICATION_SLOT_MS)
    },
  }
}
