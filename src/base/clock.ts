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

/**
 * Shared memory that holds the offsets, in milliseconds, which tests add to the clocks of all threads: one to both times of a clock,
 * and one to its wall clock alone.
 */
export type ClockCell = SharedArrayBuffer

/** Makes a cell for {@link createClock}, {@link moveClock} and {@link jumpClock}. */
export function createClockCell(): ClockCell {
  return new SharedArrayBuffer(2 * Float64Array.BYTES_PER_ELEMENT)
}

/** A clock; with a cell it runs `offset` milliseconds ahead of the system, whatever the cell holds at that moment. */
export function createClock(cell?: ClockCell): Clock {
  if (cell === undefined) return { now: Date.now, monotonic: () => performance.now() }
  const offset = new Float64Array(cell)
  return {
    now: () => Date.now() + offset[0]! + offset[1]!,
    monotonic: () => performance.now() + offset[0]!,
  }
}

/** Moves every clock that shares `cell` by `ms` (negative steps the clock back). */
export function moveClock(cell: ClockCell, ms: number): void {
  const offset = new Float64Array(cell)
  offset[0] = offset[0]! + ms
}

/** Sets the wall clocks that share `cell` forward by `ms` (negative sets them back), as whoever sets the clock of a machine: no time passes. */
export function jumpClock(cell: ClockCell, ms: number): void {
  const offset = new Float64Array(cell)
  offset[1] = offset[1]! + ms
}

/** How far tests have moved a clock, milliseconds: what is timed by another clock, such as that of a database, moves along. 0 in production. */
export function movedOf(clock: Pick<Clock, 'monotonic'>): () => number {
  return () => Math.round(clock.monotonic() - performance.now())
}

/**
 * The wall clock as it was at the call, and the time that has passed since: who sets the clock does not move it. For what is kept for a
 * time, and is not to be lost or kept longer because the clock jumps.
 */
export function steadyOf(clock: Clock): Pick<Clock, 'now'> {
  const origin = clock.now() - clock.monotonic()
  return { now: () => origin + clock.monotonic() }
}

/**
 * True for what has ended: its time is over, or it was made further ahead of the clock than it lives, so that the clock was set back
 * since. Without that, what was made while the clock was far ahead would count until the clock is there again.
 * @param madeAt milliseconds since the epoch, as all times here
 */
export function hasEnded(madeAt: number, endsAt: number, now: number): boolean {
  return now >= endsAt || now < madeAt - (endsAt - madeAt)
}

/**
 * The time by which something old is deleted for good: that of the wall clock, but no more ahead than what has passed since the call, so
 * that a clock that jumps deletes nothing early.
 */
export function agingOf(clock: Clock): Pick<Clock, 'now'> {
  const steady = steadyOf(clock)
  return { now: () => Math.min(clock.now(), steady.now()) }
}

/**
 * True for what was kept ahead of the clock, which was set back since: nobody knows how old it is. A second is left to what happens at
 * once. @param keptAt milliseconds since the epoch, as `now`
 */
export function isFromAhead(keptAt: number, now: number): boolean {
  return now < keptAt - 1000
}

/** RFC 3339 in UTC with milliseconds, the form of every time on the wire. */
export function toTime(ms: number): string {
  return new Date(ms).toISOString()
}

const UNIT_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

/** Durations on the wire: a whole number and a unit, such as `200ms`, `30s`, `1m`, `24h`, `30d`. */
export const DURATION_PATTERN = /^([1-9][0-9]{0,8})(ms|s|m|h|d)$/

/** Milliseconds of a duration string. Throws a RangeError when the text is not one (callers parse first). */
export function toMs(duration: string): number {
  const match = DURATION_PATTERN.exec(duration)
  if (match === null) throw new RangeError(`"${duration}" is not a duration such as 30s, 1m, 24h or 30d`)
  return Number(match[1]) * UNIT_MS[match[2] as keyof typeof UNIT_MS]
}

/** What repeated work is part of. */
export interface Repeating {
  /** The work ends with these. */
  readonly parts: AsyncDisposableStack
  /** Told of a fault. @param at what was being done */
  readonly fault: (error: unknown, at: string) => void
}

/** Does something every `ms` milliseconds, never twice at once. A fault is told, and the next turn comes all the same. */
export function repeat({ parts, fault }: Repeating, ms: number, what: string, work: () => unknown): void {
  let isAtIt = false
  const timer = setInterval(async () => {
    if (isAtIt) return
    isAtIt = true
    try {
      await work()
    } catch (error) {
      fault(error, what)
    } finally {
      isAtIt = false
    }
  }, ms)
  parts.defer(() => clearInterval(timer))
}

/** Longer timers fire at once. */
const TIMER_MS_MAX = 2 ** 31 - 1

/** A duration as a timer takes it, milliseconds: one of more than 24 days is cut. */
export function timerMs(ms: number): number {
  return Math.min(TIMER_MS_MAX, ms)
}
