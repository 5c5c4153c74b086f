import type { Clock } from '../base/clock.ts'

/** Deadlines by a clock that tests move. One interval looks at all of them, so each is kept to within its period. */
export interface Timers {
  /** Does the work once, `ms` milliseconds from now, unless the returned function is called before. */
  after(ms: number, work: () => void): () => void
  close(): void
}

/** @param tickMs period in which deadlines are looked at, milliseconds */
export function createTimers(clock: Clock, tickMs: number): Timers {
  const due = new Set<{ readonly at: number; readonly work: () => void }>()
  const interval = setInterval(() => {
    const now = clock.monotonic()
    // Work of this turn may have called off what follows
    for (const one of [...due]) if (one.at <= now && due.delete(one)) one.work()
  }, tickMs)
  return {
    after(ms, work) {
      const one = { at: clock.monotonic() + ms, work }
      due.add(one)
      return () => due.delete(one)
    },
    close() {
      clearInterval(interval)
      due.clear()
    },
  }
}
