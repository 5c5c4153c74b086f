import { scatter } from '../../snapshot/limit-key.ts'
import type { LinkedLimit } from '../../snapshot/snapshot.ts'
import { type PeriodKind, periodEnd, periodKindOf, periodStart } from './period.ts'
import { advanceRate, countRate, rateResetMs } from './rate.ts'
import { STRIPES } from './stripes.ts'
import {
  CounterTable,
  ENTRIES_DEFAULT,
  ENTRY_FLOATS,
  ENTRY_WORDS,
  EXPIRES,
  LATEST,
  OLDEST,
  QUOTA,
  RATE,
  TOTAL,
  tableBytes,
  toEntries,
} from './table.ts'

/**
 * Rates and quotas of all gateway threads, and the failed authentications of each source.
 *
 * 1. A rate never admits more than its max in any trailing window, over all threads.
 * 2. All limits of a request are looked at and counted under their locks at once: all of them, or none.
 * 3. A limit whose counter finds no place in the table refuses (fail closed).
 * 4. Failed authentications live in a table of their own: strangers cannot push out the counters of clients.
 */
export interface Counters {
  /** Starts the list of limits for one request. */
  begin(): void
  /** Adds a limit; `low` and `high` are who it counts for, mixed into the limit's own key. */
  add(limit: LinkedLimit, low: number, high: number): void
  /** Limits on the list. */
  readonly length: number
  limit(index: number): LinkedLimit
  /** Takes one from every limit, or nothing. -1 when admitted, else the index of the first limit that refuses. */
  take(now: number): number
  /** After {@link take}: what is left of a limit, and milliseconds until more is. */
  remaining(index: number): number
  resetMs(index: number): number
  /** True when the last refusal came from a table without a free place. */
  readonly wasFull: boolean

  /** False when no thread has counted a failed authentication lately: then no source must wait. */
  hasFailures(now: number): boolean
  /** Milliseconds for which a source must wait after too many failures; 0 when it need not. */
  throttledMs(low: number, high: number, now: number): number
  /** Counts a failed authentication. False when it was one too many. */
  countFailure(low: number, high: number, now: number): boolean

  /** Quotas that changed since the last call of any thread. */
  exportQuotas(): QuotaCount[]
  /** Puts back counts of an earlier run; those of periods that have ended are left out. */
  importQuotas(counts: readonly QuotaCount[], now: number): void
  /** Gives back what a thread held when it ended. Call it before another starts under its slot. */
  releaseDead(slot: number): void
  readonly facts: { readonly full: number; readonly brokenLocks: number }
}

export interface QuotaCount {
  readonly key: string
  /** Start of the period, milliseconds since the epoch. */
  readonly period: number
  readonly count: number
}

export const FAILURES_MAX = 20
export const FAILURES_WINDOW_MS = 60_000
const FAILURES_SLOT_MS = 1000

/** Limits that can apply to one request: 4 attachments of at most 8 limits. */
export const LIMITS_MAX = 32
/** Before the tables: number of entries, last failure, and the time that the tables have seen. */
const RESERVED_BYTES = 64

/** Memory for {@link createCounters}, shared by all threads. `entries` bounds how many limits of how many subjects count at once. */
export function createCounterMemory(entries: number = ENTRIES_DEFAULT): SharedArrayBuffer {
  const sizes = sizesOf(entries)
  const buffer = new SharedArrayBuffer(RESERVED_BYTES + tableBytes(sizes.limits) + tableBytes(sizes.failures))
  new Float64Array(buffer, 0, 1)[0] = sizes.limits
  return buffer
}

function sizesOf(entries: number): { limits: number; failures: number } {
  const limits = toEntries(entries)
  return { limits, failures: toEntries(limits / 4) }
}

/** Attaches a thread. Each thread has a slot of its own (0 to 126); a replacement takes that of the thread it replaces. */
export function createCounters(buffer: SharedArrayBuffer, slot: number): Counters {
  return new SharedCounters(buffer, slot)
}

class SharedCounters implements Counters {
  readonly #table: CounterTable
  readonly #failures: CounterTable
  /** When a failure was last counted by any thread, seconds since the epoch; saves the common request a look-up. */
  readonly #lastFailure: Int32Array
  readonly #limits: LinkedLimit[] = []
  readonly #lows = new Int32Array(LIMITS_MAX)
  readonly #highs = new Int32Array(LIMITS_MAX)
  readonly #entries = new Int32Array(LIMITS_MAX)
  readonly #times = new Float64Array(LIMITS_MAX)
  readonly #remaining = new Float64Array(LIMITS_MAX)
  readonly #resets = new Float64Array(LIMITS_MAX)
  /** Of the month, so that a request makes no Date. */
  #monthStart = 0
  #monthEnd = 0
  length = 0
  wasFull = false

  constructor(buffer: SharedArrayBuffer, slot: number) {
    const sizes = sizesOf(new Float64Array(buffer, 0, 1)[0]!)
    this.#lastFailure = new Int32Array(buffer, 8, 1)
    this.#table = new CounterTable(buffer, RESERVED_BYTES, sizes.limits, slot)
    this.#failures = new CounterTable(buffer, RESERVED_BYTES + tableBytes(sizes.limits), sizes.failures, slot)
  }

  get facts(): { full: number; brokenLocks: number } {
    return { full: this.#table.full, brokenLocks: this.#table.broken + this.#failures.broken }
  }

  begin(): void {
    this.length = 0
    this.wasFull = false
  }

  add(limit: LinkedLimit, low: number, high: number): void {
    const index = this.length
    if (index === LIMITS_MAX) throw new RangeError('too many limits for one request')
    const { key } = limit
    this.#limits[index] = limit
    // A key of two zeros marks an empty entry.
    this.#lows[index] = scatter(key.low ^ low) || 1
    this.#highs[index] = scatter((key.high ^ high) + Math.imul(low, 0x27d4eb2f))
    this.length = index + 1
  }

  limit(index: number): LinkedLimit {
    return this.#limits[index]!
  }

  remaining(index: number): number {
    return this.#remaining[index]!
  }

  resetMs(index: number): number {
    return this.#resets[index]!
  }

  take(now: number): number {
    const table = this.#table
    let stripes = 0
    for (let i = 0; i < this.length; i++) stripes |= table.stripeOf(this.#lows[i]!)
    if (!table.stripes.lock(stripes)) {
      table.countFull()
      return this.#refuseFull(0)
    }
    let refused = -1
    for (let i = 0; i < this.length; i++) {
      if (!this.#look(i, now)) {
        table.stripes.unlock(stripes)
        return this.#refuseFull(i)
      }
      if (refused === -1 && this.#remaining[i]! <= 0) refused = i
    }
    if (refused === -1) for (let i = 0; i < this.length; i++) this.#count(i)
    for (let i = 0; i < this.length; i++) this.#settle(i, now)
    table.stripes.unlock(stripes)
    return refused
  }

  #refuseFull(index: number): number {
    this.wasFull = true
    for (let i = 0; i < this.length; i++) {
      this.#remaining[i] = 0
      this.#resets[i] = 1000
    }
    return index
  }

  /** Finds the counter of a limit and brings it to now. False when there is no place for it. */
  #look(index: number, now: number): boolean {
    const table = this.#table
    const { fragment, slotMs } = this.#limits[index]!
    const isRate = fragment.kind === 'rate'
    const low = this.#lows[index]!
    const time = table.timeOf(low, now)
    const entry = table.find(low, this.#highs[index]!, isRate ? RATE : QUOTA, time)
    if (entry === -1) return false
    this.#entries[index] = entry
    if (isRate) {
      advanceRate(table, entry, time, fragment.window_ms, slotMs)
      this.#times[index] = time
    } else this.#times[index] = this.#advanceQuota(entry, periodKindOf(fragment.window_ms), time)
    this.#remaining[index] = fragment.max - totalOf(table, entry)
    return true
  }

  /** @returns the end of the period. */
  #advanceQuota(entry: number, kind: PeriodKind, now: number): number {
    const { floats, words } = this.#table
    const at = entry * ENTRY_FLOATS
    let start: number
    let end: number
    if (kind === 'm') {
      if (now < this.#monthStart || now >= this.#monthEnd) {
        this.#monthStart = periodStart('m', now)
        this.#monthEnd = periodEnd('m', this.#monthStart)
      }
      start = this.#monthStart
      end = this.#monthEnd
    } else {
      start = periodStart(kind, now)
      end = periodEnd(kind, start)
    }
    const before = floats[at + LATEST]!
    if (before !== start) {
      // A clock that was set back does not give the quota again, nor does one that returns to where it was.
      const returned = start === floats[at + OLDEST]
      if (before < start && !returned) words[entry * ENTRY_WORDS + TOTAL] = 0
      floats[at + OLDEST] = before < start ? 0 : Math.max(before, floats[at + OLDEST]!)
      floats[at + LATEST] = start
    }
    floats[at + EXPIRES] = end
    return end
  }

  #count(index: number): void {
    const table = this.#table
    const entry = this.#entries[index]!
    const { fragment, slotMs } = this.#limits[index]!
    if (fragment.kind === 'rate') countRate(table, entry, this.#times[index]!, fragment.window_ms, slotMs)
    else {
      table.words[entry * ENTRY_WORDS + TOTAL] = totalOf(table, entry) + 1
      table.dirty[entry] = 1
    }
    this.#remaining[index] = this.#remaining[index]! - 1
  }

  #settle(index: number, now: number): void {
    const { fragment, slotMs } = this.#limits[index]!
    const left = this.#remaining[index]!
    this.#remaining[index] = left < 0 ? 0 : left
    this.#resets[index] =
      fragment.kind === 'rate'
        ? rateResetMs(this.#table, this.#entries[index]!, now, fragment.window_ms, slotMs)
        : this.#times[index]! - now
  }

  hasFailures(now: number): boolean {
    const since = Math.floor(now / 1000) - Atomics.load(this.#lastFailure, 0)
    return since <= FAILURES_WINDOW_MS / 1000 + 1
  }

  throttledMs(low: number, high: number, now: number): number {
    if (!this.hasFailures(now)) return 0
    const table = this.#failures
    const key = scatter(low) || 1
    const stripe = table.stripeOf(key)
    if (!table.stripes.lock(stripe)) return 1000
    let waitMs = 0
    const time = table.timeOf(key, now)
    const entry = table.peek(key, high, RATE)
    if (entry !== -1) {
      advanceRate(table, entry, time, FAILURES_WINDOW_MS, FAILURES_SLOT_MS)
      if (totalOf(table, entry) >= FAILURES_MAX)
        waitMs = rateResetMs(table, entry, now, FAILURES_WINDOW_MS, FAILURES_SLOT_MS)
    }
    table.stripes.unlock(stripe)
    return waitMs
  }

  countFailure(low: number, high: number, now: number): boolean {
    Atomics.store(this.#lastFailure, 0, Math.floor(now / 1000))
    const table = this.#failures
    const key = scatter(low) || 1
    const stripe = table.stripeOf(key)
    if (!table.stripes.lock(stripe)) return false
    const time = table.timeOf(key, now)
    const entry = table.find(key, high, RATE, time)
    let admits = false
    if (entry !== -1) {
      advanceRate(table, entry, time, FAILURES_WINDOW_MS, FAILURES_SLOT_MS)
      admits = totalOf(table, entry) < FAILURES_MAX
      if (admits) countRate(table, entry, time, FAILURES_WINDOW_MS, FAILURES_SLOT_MS)
    }
    table.stripes.unlock(stripe)
    return admits
  }

  exportQuotas(): QuotaCount[] {
    const table = this.#table
    const counts: QuotaCount[] = []
    for (let stripe = 0; stripe < STRIPES; stripe++) {
      const { from, to } = table.rangeOf(stripe)
      let first = from
      while (first < to && table.dirty[first] === 0) first++
      if (first === to || !table.stripes.lock(1 << stripe)) continue
      for (let entry = first; entry < to; entry++) {
        if (table.dirty[entry] === 0) continue
        table.dirty[entry] = 0
        const { low, high } = table.keyOf(entry)
        const period = table.floats[entry * ENTRY_FLOATS + LATEST]!
        counts.push({
          key: `${hex(low)}${hex(high)}${kindOf(period, table.floats[entry * ENTRY_FLOATS + EXPIRES]!)}`,
          period,
          count: totalOf(table, entry),
        })
      }
      table.stripes.unlock(1 << stripe)
    }
    return counts
  }

  importQuotas(counts: readonly QuotaCount[], now: number): void {
    const table = this.#table
    for (const { key, period, count } of counts) {
      const match = /^([0-9a-f]{8})([0-9a-f]{8})([dwm])$/.exec(key)
      if (match === null) continue
      const kind = match[3] as PeriodKind // the pattern admits no other letter
      if (periodStart(kind, now) !== period) continue
      const low = Number.parseInt(match[1]!, 16) | 0
      const high = Number.parseInt(match[2]!, 16) | 0
      const stripe = table.stripeOf(low)
      if (!table.stripes.lock(stripe)) continue
      const time = table.timeOf(low, now)
      const entry = table.find(low, high, QUOTA, time)
      if (entry !== -1) {
        this.#advanceQuota(entry, kind, time)
        table.words[entry * ENTRY_WORDS + TOTAL] = Math.max(totalOf(table, entry), count)
      }
      table.stripes.unlock(stripe)
    }
  }

  releaseDead(slot: number): void {
    this.#table.releaseDead(slot)
    this.#failures.releaseDead(slot)
  }
}

function totalOf(table: CounterTable, entry: number): number {
  return table.words[entry * ENTRY_WORDS + TOTAL]!
}

function hex(word: number): string {
  return (word >>> 0).toString(16).padStart(8, '0')
}

function kindOf(start: number, end: number): PeriodKind {
  const days = Math.round((end - start) / 86_400_000)
  return days === 1 ? 'd' : days === 7 ? 'w' : 'm'
}
