/** What each phase of a start gets: settings, clock, log, threads, and the parts that are closed in reverse. */
import type { Clock, ClockCell } from '../base/clock.ts'
import type { Settings } from '../settings.ts'
import type { Workers } from '../threads/worker.ts'

/** What each phase of a start is given. */
export interface Start {
  readonly settings: Settings
  readonly clock: Clock
  /** Moves the clock of all threads; null outside of tests. */
  readonly clockCell: ClockCell | null
  /** Takes the process log. Lines hold no secrets. */
  readonly log: (level: 'info' | 'warn' | 'error', message: string) => void
  /** Logs a fault with its stack. @param at the id of the request, or what was being done. */
  readonly fault: (error: unknown, at: string) => void
  readonly workers: Workers
  /** They end in the reverse of the order in which they are given here, after a failed start as on SIGTERM. */
  readonly parts: AsyncDisposableStack
}
