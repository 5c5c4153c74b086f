/**
 * Periodic work that one process does for all processes that share a store. Each process has the timer. The store gives one
 * of them the claim for a period: no process leads, and the work continues when any of them ends.
 */
import type { Clock } from '../base/clock.ts'
import type { ConfigStore } from '../store/ports/config.ts'

/** A claim is free a little before the timer fires again: timers jitter, and a claim that is early by 1 ms would lose a whole period. */
const PERIOD_SHARE = 0.9

/**
 * What a timer runs. Claims the period and does the work, or resolves with nothing done where another process has the claim. Rejects
 * with a fault of the work, which is tried again in the next period, and with StoreUnavailable.
 * @param name of the claim: once released, it must not change @param everyMs the period of the timer, milliseconds
 */
export type ClaimedWork = (name: string, everyMs: number, work: () => unknown) => Promise<void>

/** @param store null where there is none: then nothing is done */
export function createClaimedWork(
  store: Pick<ConfigStore, 'claimJob'> | null,
  clock: Pick<Clock, 'now'>,
): ClaimedWork {
  return async (name, everyMs, work) => {
    if (await store?.claimJob(name, everyMs * PERIOD_SHARE, clock.now())) await work()
  }
}
