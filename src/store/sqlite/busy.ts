/** Waits without blocking the thread while another process holds the database file. */
import { setTimeout } from 'node:timers/promises'
import { StoreUnavailable } from '../ports/unavailable.ts'

/** How long a statement waits for another process that holds the file, milliseconds. */
export const BUSY_MS = 5000
const PAUSE_MS = 10

/**
 * Repeats work on a database while another process holds the file. SQLite would wait too, but with the whole thread.
 * Rejects with StoreUnavailable `locked` after `waitMs`, and at once with any other error.
 */
export async function patiently<T>(work: () => T, waitMs: number): Promise<T> {
  const until = performance.now() + waitMs
  for (;;) {
    try {
      return work()
    } catch (error) {
      if (!(error instanceof StoreUnavailable) || error.fault !== 'locked' || performance.now() > until)
        throw error
    }
    await setTimeout(PAUSE_MS)
  }
}
