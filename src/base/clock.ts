// The global of that name is a getter, and looked up on every call
import { performance } from 'node:perf_hooks'

/**
 * The only source of time. Production reads the system clock; tests move it by hand, in every thread at once,
 * through one shared cell.
 */
export interface Clock {
  /** Wall clock, milliseconds since 1970-01-01T00:00:00Z. May step when the system clock is set. */
  now(): number
  /** Monotonic milliseconds with an arbitrary origin; for durations and deadlines only. */
  monotonic(): number
}

/** Shared memory that holds the offset, in milliseconds, which tests add to the clocks of all threads. */
export type ClockCell = SharedArrayBuffer

/** Makes a cell for {@link createClock} and {@link moveClock}. */
export function createClockCell(): ClockCell {
  return new SharedArrayBuffer(Float64Array.BYTES_PER_ELEMENT)
}

/** A clock; with a cell it runs `offset` milliseconds ahead of the system, whatever the cell holds at that moment. */
export function createClock(cell?: ClockCell): Clock {
  if (cell === undefined) return { now: Date.now, monotonic: () => performance.now() }
  const offset = new Float64Array(cell)
  return { now: () => Date.now() + offset[0]!, monotonic: () => performance.now() + offset[0]! }
}

/** Moves every clock that shares `cell` by `ms` (negative steps the clock back). */
export function moveClock(cell: ClockCell, ms: number): void {
  const offset = new Float64Array(cell)
  offset[0] = offset[0]! + ms
}

/** RFC 3339 in UTC with milliseconds, the form of every time on the wire. */
export function toTime(ms: number): string {
  return new Date(ms).toISOString()
}
