import type { LimitPlan, PlannedLimit } from '../../snapshot/find/limit-plan.ts'
import type { LinkedLimit } from '../../snapshot/linked-types/client.ts'
import { Calendar, periodKindOf } from './calendar.ts'
import {
  BUCKET,
  CounterTable,
  ENTRIES_DEFAULT,
  ENTRY_FLOATS,
  ENTRY_WORDS,
  EXPIRES,
  IN_FLIGHT,
  LATEST,
  QUOTA,
  RATE,
  REFUSALS,
  ROLLING,
  TOTAL,
  tableBytes,
  toEntries,
  WINDOW,
} from './counter-table.ts'
import { NOBODY } from './entry-shares.ts'
import { enterPeriod, giveBackQuota } from './periods.ts'
import { exportQuotas, importQuotas, type QuotaCount } from './persisted-quotas.ts'
import {
  advanceBucket,
  advanceRate,
  bucketRemaining,
  bucketResetMs,
  countBucket,
  countRate,
  rateResetMs,
  uncountRate,
} from './rate.ts'
import { createFailures, type Failures } from './source-counts.ts'

/**
 * Limits of all gateway threads, and the failed authentications of each source.
 *
 * 1. A rate never admits more than its max in any trailing window, over all threads; a rate with a burst never more than
 *    the burst and what was refilled in the window.
 * 2. All limits of a request are looked at and counted under their locks at once: all of them, or none.
 * 3. A limit whose counter finds no place in the table refuses (fail closed), unless it only observes.
 * 4. What callers choose lives in tables of its own: neither failed authentications nor invented header values push
 *    out the counters of clients. Values count for the share of the client that sends them, so that it is refused itself.
 * 5. What is under way is counted for each thread, so that it is given back when the thread ends, however it ends.
 */
export interface Counters extends Failures {
  /** Names the counter of a limit that depends on the request; before {@link take}, for each of `plan.keyed`. */
  key(index: number, low: number, high: number): void
  /**
   * Takes from every limit of the plan, or nothing. -1 when admitted, else the index of the first limit that refuses. `ask` when
   * a share of a limit that processes share is missing here: then nothing is taken, and {@link ask} comes first.
   */
  take(plan: LimitPlan, now: number): number | 'ask'
  /** Fetches the missing shares of a plan. Resolves when {@link take} can tell more, and never rejects. */
  ask(plan: LimitPlan): Promise<void>
  /** After {@link take}: what is left of a limit, and milliseconds until more is. */
  remaining(index: number): number
  resetMs(index: number): number
  /** After {@link take}: a limit that only observes would have refused. */
  wouldRefuse(index: number): boolean
  /** True when the last refusal came from a table without a free place. */
  readonly wasFull: boolean
  /** After {@link take} has admitted: what is to be settled when the answer has ended; for plans that hold something. */
  hold(plan: LimitPlan): HeldLimits
  /**
   * Ends what was held, once: gives back what was under way, and what was counted for a status that does not count.
   * @param status what the caller was sent; 0 when it left before, which counts.
   */
  release(heldLimits: HeldLimits, status: number): void
  /** A number that changes whenever something under way has ended in any thread. */
  readonly released: number
  /** Resolves when {@link released} is no longer `seen`, or after `timeoutMs`. */
  untilReleased(seen: number, timeoutMs: number): Promise<void>
  /** What a counter holds; null when nothing was counted yet. Takes nothing. */
  read(planned: PlannedLimit, now: number): Reading | null

  /** Quotas that changed since the last call of any thread, or all of them. */
  exportQuotas(isAll?: boolean): QuotaCount[]
  /** Puts back counts of an earlier run: of calendar quotas every period, of rolling ones what is still in the window. */
  importQuotas(counts: readonly QuotaCount[], now: number): void
  /** Gives back what a thread held when it ended. Call it before another starts under its slot. */
  releaseDead(slot: number): void
  readonly facts: { readonly full: number; readonly brokenLocks: number }
}

/** What one request holds of its limits. */
export type HeldLimits = readonly HeldLimit[]

interface HeldLimit {
  readonly planned: PlannedLimit
  readonly low: number
  readonly high: number
  /** When it was counted, in the time of its counter. */
  readonly time: number
}

export interface Reading {
  readonly used: number
  readonly remaining: number
  /** Until more is left; 0 when all is. */
  readonly resetMs: number
  /** Requests that it refused, or would have, since the counter began. */
  readonly refused: number
}

/** Limits that can apply to one request: 4 attachments of at most 8 limits. */
export const LIMITS_AT_ONCE_MAX = 32
/** Before the tables: number of entries, last failure, and the time that the tables have seen. */
const RESERVED_BYTES = 64
/** Where nothing says how long it takes: something under way ends, or a place in the table gets free. */
const GUESS_MS = 1000
/** Counts go no further: a limit that only observes would count on and on. */
const COUNT_MAX = 2_000_000_000

/** Memory for {@link createCounters}, shared by all threads. `entries` bounds how many limits of how many subjects count at once. */
export function createCounterMemory(entries: number = ENTRIES_DEFAULT): SharedArrayBuffer {
  const { end, limits } = layoutOf(entries)
  const buffer = new SharedArrayBuffer(end)
  new Float64Array(buffer, 0, 1)[0] = limits
  return buffer
}

function layoutOf(entries: number) {
  const limits = toEntries(entries)
  const failures = toEntries(limits / 4)
  // As large as the other: a client alone gets half of it.
  const keyed = limits
  const failuresAt = RESERVED_BYTES + tableBytes(limits)
  const keyedAt = failuresAt + tableBytes(failures)
  return { limits, failures, failuresAt, keyed, keyedAt, end: keyedAt + tableBytes(keyed, true) }
}

/** Attaches a thread. Each thread has a slot of its own (0 to 126); a replacement takes that of the thread it replaces. */
export function createCounters(buffer: SharedArrayBuffer, slot: number): Counters {
  return new SharedCounters(buffer, slot)
}

class SharedCounters implements Counters {
  readonly #slot: number
  readonly #table: CounterTable
  /** Counters that requests choose. */
  readonly #keyed: CounterTable
  readonly #failures: CounterTable
  readonly hasFailures: Failures['hasFailures']
  readonly throttledMs: Failures['throttledMs']
  readonly countFailure: Failures['countFailure']
  readonly mayVerify: Failures['mayVerify']
  readonly #lows = new Int32Array(LIMITS_AT_ONCE_MAX)
  readonly #highs = new Int32Array(LIMITS_AT_ONCE_MAX)
  readonly #entries = new Int32Array(LIMITS_AT_ONCE_MAX)
  readonly #times = new Float64Array(LIMITS_AT_ONCE_MAX)
  readonly #remaining = new Float64Array(LIMITS_AT_ONCE_MAX)
  readonly #resets = new Float64Array(LIMITS_AT_ONCE_MAX)
  readonly #would = new Uint8Array(LIMITS_AT_ONCE_MAX)
  /** By time zone and length of the period. */
  readonly #calendars = new Map<string, Calendar>()
  readonly #days = new Calendar('d', null)
  readonly #weeks = new Calendar('w', null)
  readonly #months = new Calendar('m', null)
  /** What could not be released yet. */
  #owed: HeldLimit[] = []
  wasFull = false

  constructor(buffer: SharedArrayBuffer, slot: number) {
    const { limits, failures, failuresAt, keyed, keyedAt } = layoutOf(new Float64Array(buffer, 0, 1)[0]!)
    this.#slot = slot
    this.#table = new CounterTable(buffer, RESERVED_BYTES, limits, slot)
    this.#failures = new CounterTable(buffer, failuresAt, failures, slot)
    this.#keyed = new CounterTable(buffer, keyedAt, keyed, slot, true)
    const counted = createFailures(this.#failures, new Int32Array(buffer, 8, 1))
    this.hasFailures = counted.hasFailures
    this.throttledMs = counted.throttledMs
    this.countFailure = counted.countFailure
    this.mayVerify = counted.mayVerify
  }

  get facts(): { full: number; brokenLocks: number } {
    const tables = [this.#table, this.#keyed]
    return {
      full: tables.reduce((sum, table) => sum + table.full, 0),
      brokenLocks: [...tables, this.#failures].reduce((sum, table) => sum + table.broken, 0),
    }
  }

  key(index: number, low: number, high: number): void {
    this.#lows[index] = low
    this.#highs[index] = high
  }

  remaining(index: number): number {
    return this.#remaining[index]!
  }

  resetMs(index: number): number {
    return this.#resets[index]!
  }

  wouldRefuse(index: number): boolean {
    return this.#would[index] === 1
  }

  take(plan: LimitPlan, now: number): number {
    const { limits } = plan
    this.wasFull = false
    let stripes = 0
    let keyedStripes = 0
    for (let i = 0; i < limits.length; i++) {
      const planned = limits[i]!
      if (planned.isKeyed) keyedStripes |= this.#keyed.stripeOf(this.#lows[i]!)
      else {
        this.#lows[i] = planned.low
        this.#highs[i] = planned.high
        stripes |= this.#table.stripeOf(planned.low)
      }
    }
    if (!this.#lock(stripes, keyedStripes)) return this.#refuseFull(limits.length, 0)
    let refused = -1
    for (let i = 0; i < limits.length; i++) {
      const planned = limits[i]!
      if (!this.#look(planned, i, now)) {
        this.#unlock(stripes, keyedStripes)
        return this.#refuseFull(limits.length, i)
      }
      const { limit } = planned
      const lacks = this.#remaining[i]! < limit.cost
      this.#would[i] = lacks && limit.isObserved ? 1 : 0
      if (refused === -1 && lacks && !limit.isObserved) refused = i
    }
    if (refused === -1) {
      for (let i = 0; i < limits.length; i++) {
        this.#count(limits[i]!, i)
        if (this.#would[i] === 1) this.#countRefusal(limits[i]!, i)
      }
    } else this.#countRefusal(limits[refused]!, refused)
    for (let i = 0; i < limits.length; i++) this.#settle(limits[i]!, i, now)
    this.#unlock(stripes, keyedStripes)
    return refused
  }

  /** The tables hold the whole of each limit: {@link take} never answers `ask`. */
  ask(): Promise<void> {
    return Promise.resolve()
  }

  /** Always in the same order, so that two threads never wait for each other. */
  #lock(stripes: number, keyedStripes: number): boolean {
    if (!this.#table.stripes.lock(stripes)) {
      this.#table.countFull()
      return false
    }
    if (keyedStripes === 0 || this.#keyed.stripes.lock(keyedStripes)) return true
    this.#table.stripes.unlock(stripes)
    this.#keyed.countFull()
    return false
  }

  #unlock(stripes: number, keyedStripes: number): void {
    if (keyedStripes !== 0) this.#keyed.stripes.unlock(keyedStripes)
    this.#table.stripes.unlock(stripes)
  }

  #tableOf(planned: PlannedLimit): CounterTable {
    return planned.isKeyed ? this.#keyed : this.#table
  }

  #refuseFull(length: number, index: number): number {
    this.wasFull = true
    for (let i = 0; i < length; i++) {
      this.#remaining[i] = 0
      this.#resets[i] = GUESS_MS
      this.#would[i] = 0
    }
    return index
  }

  /** Finds the counter of a limit and brings it to now. False when there is no place for it and it refuses. */
  #look(planned: PlannedLimit, index: number, now: number): boolean {
    const table = this.#tableOf(planned)
    const { limit } = planned
    const low = this.#lows[index]!
    const high = this.#highs[index]!
    const time = table.timeOf(low, now)
    const owner = low === planned.low && high === planned.high ? NOBODY : planned.owner
    const entry = table.find(low, high, kindOf(limit), time, owner)
    this.#entries[index] = entry
    this.#times[index] = time
    this.#remaining[index] = entry === -1 ? 0 : this.#advance(table, limit, entry, time)
    return entry !== -1 || limit.isObserved
  }

  /** Brings a counter to `time`. @returns what is left of its limit; negative when the limit was lowered. */
  #advance(table: CounterTable, limit: LinkedLimit, entry: number, time: number): number {
    const { windowMs } = limit
    switch (limit.algorithm) {
      case 'rate':
        advanceRate(table, entry, time, windowMs, limit.slotMs)
        break
      case 'rolling':
        table.floats[entry * ENTRY_FLOATS + WINDOW] = windowMs
        advanceRate(table, entry, time, windowMs, limit.slotMs)
        break
      case 'quota':
        this.#advanceQuota(table, entry, this.#calendarOf(limit), time)
        break
      case 'bucket':
        advanceBucket(table, entry, time, limit.max)
        return bucketRemaining(table, entry, windowMs, limit.burst)
    }
    return limit.max - totalOf(table, entry)
  }

  #calendarOf({ timezone, windowMs }: LinkedLimit): Calendar {
    const kind = periodKindOf(windowMs)
    if (timezone === null) return kind === 'd' ? this.#days : kind === 'w' ? this.#weeks : this.#months
    const name = `${kind} ${timezone}`
    let calendar = this.#calendars.get(name)
    if (calendar === undefined) {
      calendar = new Calendar(kind, timezone)
      this.#calendars.set(name, calendar)
    }
    return calendar
  }

  #advanceQuota(table: CounterTable, entry: number, calendar: Calendar, now: number): void {
    const at = entry * ENTRY_FLOATS
    calendar.at(now)
    const { start, end } = calendar
    if (table.floats[at + LATEST] !== start) enterPeriod(table, entry, start, end)
    table.floats[at + EXPIRES] = end
  }

  #count(planned: PlannedLimit, index: number): void {
    const table = this.#tableOf(planned)
    const { limit } = planned
    const { cost, windowMs } = limit
    const entry = this.#entries[index]!
    if (entry === -1) return
    const time = this.#times[index]!
    const total = totalOf(table, entry)
    this.#remaining[index] = this.#remaining[index]! - cost
    switch (limit.algorithm) {
      case 'bucket':
        countBucket(table, entry, time, windowMs, limit.max, cost)
        return
      case 'concurrent':
        table.enter(entry, this.#slot, cost)
        return
      case 'quota':
        table.words[entry * ENTRY_WORDS + TOTAL] = Math.min(COUNT_MAX, total + cost)
        if (table.dirty[entry] === 0) table.dirty[entry] = 1
        return
      case 'rolling':
        if (table.dirty[entry] === 0) table.dirty[entry] = 1
    }
    if (total + cost <= COUNT_MAX) countRate(table, entry, time, windowMs, limit.slotMs, cost)
  }

  #countRefusal(planned: PlannedLimit, index: number): void {
    const { words } = this.#tableOf(planned)
    const entry = this.#entries[index]!
    if (entry === -1) return
    const at = entry * ENTRY_WORDS + REFUSALS
    words[at] = Math.min(COUNT_MAX, words[at]! + 1)
  }

  #settle(planned: PlannedLimit, index: number, now: number): void {
    const left = this.#remaining[index]!
    const lacks = Math.max(1, planned.limit.cost - left)
    const entry = this.#entries[index]!
    this.#resets[index] = entry === -1 ? GUESS_MS : this.#resetOf(planned, entry, now, lacks)
    this.#remaining[index] = left < 0 ? 0 : left
  }

  /** Milliseconds until `wanted` more are left. The counter was advanced. */
  #resetOf(planned: PlannedLimit, entry: number, now: number, wanted: number): number {
    const table = this.#tableOf(planned)
    const { limit } = planned
    switch (limit.algorithm) {
      case 'quota':
        return this.#calendarOf(limit).end - now
      case 'bucket': {
        const left = bucketRemaining(table, entry, limit.windowMs, limit.burst)
        const goal = Math.min(limit.burst, Math.max(0, left) + wanted)
        return bucketResetMs(table, entry, limit.windowMs, limit.max, limit.burst, goal)
      }
      case 'concurrent':
        return totalOf(table, entry) === 0 ? 0 : GUESS_MS
      default:
        return rateResetMs(table, entry, now, limit.windowMs, limit.slotMs, wanted)
    }
  }

  hold({ limits }: LimitPlan): HeldLimits {
    const heldLimits: HeldLimit[] = []
    for (const [index, planned] of limits.entries()) {
      const { limit } = planned
      if ((limit.algorithm !== 'concurrent' && limit.statuses === null) || this.#entries[index] === -1)
        continue
      heldLimits.push({
        planned,
        low: this.#lows[index]!,
        high: this.#highs[index]!,
        time: this.#times[index]!,
      })
    }
    return heldLimits
  }

  release(heldLimits: HeldLimits, status: number): void {
    // A lock that does not come is that of a dead thread, and is broken when that is known: then it is tried again.
    if (this.#owed.length > 0) this.#owed = this.#owed.filter((one) => !this.#releaseOne(one))
    for (const one of heldLimits) {
      const { limit } = one.planned
      if (limit.algorithm !== 'concurrent' && counts(limit, status)) continue
      if (!this.#releaseOne(one)) this.#owed.push(one)
    }
  }

  #releaseOne({ planned, low, high, time }: HeldLimit): boolean {
    const table = this.#tableOf(planned)
    const stripe = table.stripeOf(low)
    if (!table.stripes.lock(stripe)) return false
    const entry = table.peek(low, high, kindOf(planned.limit))
    if (entry !== -1) this.#giveBack(table, planned.limit, entry, time)
    table.stripes.unlock(stripe)
    return true
  }

  #giveBack(table: CounterTable, limit: LinkedLimit, entry: number, time: number): void {
    const { cost } = limit
    switch (limit.algorithm) {
      case 'concurrent':
        table.leave(entry, this.#slot, cost)
        return
      case 'bucket':
        countBucket(table, entry, time, limit.windowMs, limit.max, -cost)
        return
      case 'quota':
        giveBackQuota(table, entry, this.#periodOf(limit, time), cost)
        return
      default:
        uncountRate(table, entry, time, limit.slotMs, cost)
        if (limit.algorithm === 'rolling') table.dirty[entry] = 2
    }
  }

  #periodOf(limit: LinkedLimit, time: number): number {
    const calendar = this.#calendarOf(limit)
    calendar.at(time)
    return calendar.start
  }

  get released(): number {
    return this.#table.released + this.#keyed.released
  }

  async untilReleased(seen: number, timeoutMs: number): Promise<void> {
    const table = this.#table.released
    const keyed = this.#keyed.released
    if (table + keyed !== seen) return
    await Promise.race([
      this.#table.untilReleased(table, timeoutMs),
      this.#keyed.untilReleased(keyed, timeoutMs),
    ])
  }

  read(planned: PlannedLimit, now: number): Reading | null {
    const table = this.#tableOf(planned)
    const { limit, low, high } = planned
    const stripe = table.stripeOf(low)
    if (!table.stripes.lock(stripe)) return null
    const entry = table.peek(low, high, kindOf(limit))
    let reading: Reading | null = null
    if (entry !== -1) {
      const time = table.timeOf(low, now)
      const left = this.#advance(table, limit, entry, time)
      const capacity = limit.algorithm === 'bucket' ? limit.burst : limit.max
      reading = {
        used: capacity - left,
        remaining: Math.max(0, left),
        resetMs: left >= capacity ? 0 : Math.max(0, this.#resetOf(planned, entry, now, 1)),
        refused: table.words[entry * ENTRY_WORDS + REFUSALS]!,
      }
    }
    table.stripes.unlock(stripe)
    return reading
  }

  exportQuotas(isAll = false): QuotaCount[] {
    return [...exportQuotas(this.#table, isAll), ...exportQuotas(this.#keyed, isAll).map(asKeyed)]
  }

  importQuotas(counts: readonly QuotaCount[], now: number): void {
    const isKeyed = ({ key }: QuotaCount): boolean => key.startsWith(KEYED)
    importQuotas(
      this.#table,
      counts.filter((count) => !isKeyed(count)),
      now,
    )
    const keyed = counts.filter(isKeyed).map((count) => ({ ...count, key: count.key.slice(KEYED.length) }))
    importQuotas(this.#keyed, keyed, now)
  }

  releaseDead(slot: number): void {
    this.#table.releaseDead(slot)
    this.#keyed.releaseDead(slot)
    this.#failures.releaseDead(slot)
  }
}

/** Before the names of counts of keyed limits. */
const KEYED = 'k'

function asKeyed(count: QuotaCount): QuotaCount {
  return { ...count, key: KEYED + count.key }
}

function counts(limit: LinkedLimit, status: number): boolean {
  if (limit.statuses == null || status === 0) return true
  return limit.statuses.some(([first, last]) => status >= first && status <= last)
}

function kindOf({ algorithm }: LinkedLimit): number {
  switch (algorithm) {
    case 'rate':
      return RATE
    case 'bucket':
      return BUCKET
    case 'quota':
      return QUOTA
    case 'rolling':
      return ROLLING
    case 'concurrent':
      return IN_FLIGHT
  }
}

function totalOf(table: CounterTable, entry: number): number {
  return table.words[entry * ENTRY_WORDS + TOTAL]!
}
