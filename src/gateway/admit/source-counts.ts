/** Connections and pending requests of each source address, counted in shared memory for all threads. */
import { scatter } from '../../snapshot/find/limit-key.ts'
import { toAddress } from '../../snapshot/find/network.ts'
import { CounterTable, ENTRY_WORDS, IN_FLIGHT, RATE, TOTAL, tableBytes } from './counter-table.ts'
import { advanceRate, countRate, rateResetMs } from './rate.ts'

/** What is counted for each source, on each of the two listeners. */
const COUNTED = ['gateway_connections', 'control_connections', 'gateway_pending', 'control_pending'] as const
export type Counted = (typeof COUNTED)[number]

/** Sources that are counted at once, powers of two. Beyond that a source is not bounded, only all sources together are. */
const ENTRIES: Readonly<Record<Counted, number>> = {
  gateway_connections: 16_384,
  control_connections: 2048,
  gateway_pending: 4096,
  control_pending: 2048,
}
/** Before the tables: see the memory of the counters. */
const RESERVED_BYTES = 64

/** Memory for {@link SourceCounts}, shared by all threads. */
export function createSourceMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(
    COUNTED.reduce((bytes, name) => bytes + tableBytes(ENTRIES[name]), RESERVED_BYTES),
  )
}

/**
 * How many connections, and how many pending requests to the control plane, each source has in all gateway threads. A
 * source is an IPv4 address or an IPv6 /64. What a thread held is given back when that thread has ended.
 */
export class SourceCounts {
  readonly #slot: number
  readonly #tables: Readonly<Record<Counted, CounterTable>>
  /** What could not be given back yet: the lock is held by a thread that has died. */
  #owed: (() => boolean)[] = []

  /** Attaches the thread of `slot`. */
  constructor(memory: SharedArrayBuffer, slot: number) {
    this.#slot = slot
    let at = RESERVED_BYTES
    this.#tables = Object.fromEntries(
      COUNTED.map((name) => {
        const table = new CounterTable(memory, at, ENTRIES[name], slot)
        at += tableBytes(ENTRIES[name])
        return [name, table]
      }),
    ) as Record<Counted, CounterTable>
  }

  /**
   * Counts one more for a source.
   * @returns What gives it back, to be called once; null when the source has `max` already.
   */
  enter(counted: Counted, ip: string, max: number, now: number): (() => void) | null {
    // Without the zone of a link-local address
    const words = toAddress(ip.replace(/%.*$/, ''))
    const low = scatter(words[0] ?? 0) || 1
    const high = words[1] ?? 0
    const table = this.#tables[counted]
    const stripe = table.stripeOf(low)
    if (!table.stripes.lock(stripe)) return () => {}
    const entry = table.find(low, high, IN_FLIGHT, table.timeOf(low, now))
    const isOver = entry !== -1 && table.words[entry * ENTRY_WORDS + TOTAL]! >= max
    if (entry !== -1 && !isOver) table.enter(entry, this.#slot, 1)
    table.stripes.unlock(stripe)
    if (isOver) return null
    return entry === -1 ? () => {} : () => this.#giveBack(() => this.#leave(table, low, high))
  }

  /** Gives back what a thread held when it ended. Call it before another starts under its slot. */
  releaseDead(slot: number): void {
    for (const table of Object.values(this.#tables)) table.releaseDead(slot)
  }

  #giveBack(leave: () => boolean): void {
    if (this.#owed.length > 0) this.#owed = this.#owed.filter((one) => !one())
    if (!leave()) this.#owed.push(leave)
  }

  #leave(table: CounterTable, low: number, high: number): boolean {
    const stripe = table.stripeOf(low)
    if (!table.stripes.lock(stripe)) return false
    const entry = table.peek(low, high, IN_FLIGHT)
    if (entry !== -1) table.leave(entry, this.#slot, 1)
    table.stripes.unlock(stripe)
    return true
  }
}

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
