/** Longer timers fire at once. */
const TIMER_MS_MAX = 2 ** 31 - 1

/** A duration as a timer takes it, milliseconds: one of more than 24 days is cut. */
export function timerMs(ms: number): number {
  return Math.min(TIMER_MS_MAX, ms)
}
