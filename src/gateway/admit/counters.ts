import { isLeased, type LimitPlan, type PlannedLimit } from '../../snapshot/find/limit-plan.ts'
import type { LinkedLimit } from '../../snapshot/linked-types/client.ts'
import { Calendars } from './calendar.ts'
import { openCounterTables } from './counter-memory.ts'
import {
  BUCKET,
  COUNT_MAX,
  type CounterTable,
  ENTRY_FLOATS,
  ENTRY_WORDS,
  EXPIRES,
  IN_FLIGHT,
  LATEST,
  QUOTA,
  QUOTA_COST,
  QUOTA_MAX,
  RATE,
  REFUSALS,
  ROLLING,
  TOTAL,
  WINDOW,
} from './counter-table.ts'
import { NOBODY } from './entry-shares.ts'
import {
  ASKED_FOR,
  type ENOUGH,
  heldLease,
  LEASES_DOWN,
  LEASES_UP,
  type LeaseCells,
  type LeaseState,
  leaseLeft,
  leaseResetMs,
  lookAtLease,
  NONE_FREE,
  returnToLease,
  useLease,
  wasLeased,
} from './leases.ts'
import { NodeParts, partOfLimit } from './node-parts.ts'
import { enterPeriod, giveBackQuota } from './periods.ts'
import type { Counters, HeldLimit, HeldLimits, Reading } from './port.ts'
import { createQuotaCounts, type QuotaCounts } from './quota-counts.ts'
import { ownOf, quotaLeft } from './quota-shares.ts'
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

/** Limits that can apply to one request: 4 attachments of at most 8 limits. */
export const LIMITS_AT_ONCE_MAX = 32
/** Where nothing says how long it takes: something under way ends, or a place in the table gets free. */
const GUESS_MS = 1000
/** How long a request waits for a lease, milliseconds. The thread that fetches it has 50. */
const ASK_MS = 60
/** Where no wait has been answered for so long, the thread that fetches leases does not run. */
const UNANSWERED_MS = 250

/** Attaches a thread. Each thread has a slot of its own (0 to 126); a replacement takes that of the thread it replaces. */
export function createCounters(buffer: SharedArrayBuffer, slot: number): Counters {
  return new SharedCounters(buffer, slot)
}

class SharedCounters implements Counters {
  readonly #slot: number
  readonly #nodes: Int32Array
  readonly #cells: LeaseCells
  /** Read in each request, also where there are no leases. */
  readonly #leaseState: Int32Array
  readonly #parts = new NodeParts()
  readonly #table: CounterTable
  /** Counters that requests choose. */
  readonly #keyed: CounterTable
  readonly #failures: CounterTable
  readonly hasFailures: Failures['hasFailures']
  readonly throttledMs: Failures['throttledMs']
  readonly countFailure: Failures['countFailure']
  readonly mayVerify: Failures['mayVerify']
  readonly exportQuotas: QuotaCounts['exportQuotas']
  readonly importQuotas: QuotaCounts['importQuotas']
  readonly shareQuotas: QuotaCounts['shareQuotas']
  readonly allowQuotas: QuotaCounts['allowQuotas']
  readonly #lows = new Int32Array(LIMITS_AT_ONCE_MAX)
  readonly #highs = new Int32Array(LIMITS_AT_ONCE_MAX)
  readonly #entries = new Int32Array(LIMITS_AT_ONCE_MAX)
  readonly #times = new Float64Array(LIMITS_AT_ONCE_MAX)
  readonly #remaining = new Float64Array(LIMITS_AT_ONCE_MAX)
  readonly #resets = new Float64Array(LIMITS_AT_ONCE_MAX)
  readonly #would = new Uint8Array(LIMITS_AT_ONCE_MAX)
  /** Of the leases that were used. */
  readonly #slots = new Float64Array(LIMITS_AT_ONCE_MAX)
  /** What had been granted when {@link take} looked. */
  #seen = 0
  /** Since when waits end without any answer, in the time of the thread; null while they are answered. */
  #unansweredSince: number | null = null
  readonly #calendars = new Calendars()
  /** What could not be released yet. */
  #owed: HeldLimit[] = []
  wasFull = false
  wasShort = false

  constructor(buffer: SharedArrayBuffer, slot: number) {
    const tables = openCounterTables(buffer, slot)
    this.#slot = slot
    this.#nodes = tables.nodesCell
    this.#cells = tables.cells
    this.#leaseState = tables.cells.stateCell
    this.#table = tables.table
    this.#failures = tables.failures
    this.#keyed = tables.keyed
    const counted = createFailures(this.#failures, tables.lastFailure)
    this.hasFailures = counted.hasFailures
    this.throttledMs = counted.throttledMs
    this.countFailure = counted.countFailure
    this.mayVerify = counted.mayVerify
    const quotas = createQuotaCounts(this.#table, this.#keyed)
    this.exportQuotas = quotas.exportQuotas
    this.importQuotas = quotas.importQuotas
    this.shareQuotas = quotas.shareQuotas
    this.allowQuotas = quotas.allowQuotas
  }

  setNodes(nodes: number): void {
    if (!Number.isInteger(nodes) || nodes < 1) throw new RangeError('there is at least one node')
    Atomics.store(this.#nodes, 0, nodes)
  }

  get nodes(): number {
    return this.#nodes[0]!
  }

  partOf(plan: LimitPlan): LimitPlan {
    const nodes = this.#nodes[0]!
    return nodes === 1 && this.#leaseState[0] !== LEASES_DOWN
      ? plan
      : this.#parts.of(plan, nodes, this.#cells.state)
  }

  get leaseState(): LeaseState {
    return this.#cells.state
  }

  setLeaseState(state: LeaseState): void {
    this.#cells.setState(state)
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

  take(plan: LimitPlan, now: number, isLast = false): number | 'ask' {
    const { limits } = plan
    const leases = this.#leaseState[0] === LEASES_UP
    let misses = false
    this.wasFull = false
    this.wasShort = false
    if (leases) this.#seen = this.#cells.granted
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
      let lacks = this.#remaining[i]! < limit.cost
      if (leases && !lacks && isLeased(limit)) {
        const found = this.#lookAtLease(planned, i)
        misses ||= found === ASKED_FOR
        lacks = found === NONE_FREE || (isLast && found === ASKED_FOR)
      }
      this.#would[i] = lacks && limit.isObserved ? 1 : 0
      if (refused === -1 && lacks && !limit.isObserved) refused = i
    }
    if (misses && refused === -1) {
      this.#unlock(stripes, keyedStripes)
      return 'ask'
    }
    if (refused === -1) {
      for (let i = 0; i < limits.length; i++) {
        this.#count(limits[i]!, i)
        if (this.#would[i] === 1) this.#countRefusal(limits[i]!, i)
      }
    } else {
      this.#countRefusal(limits[refused]!, refused)
      if (this.#nodes[0] !== 1) this.#noteShort(limits[refused]!, refused)
    }
    for (let i = 0; i < limits.length; i++) this.#settle(limits[i]!, i, now)
    this.#unlock(stripes, keyedStripes)
    return refused
  }

  async ask(): Promise<void> {
    const seen = this.#seen
    await this.#cells.untilGranted(seen, ASK_MS)
    const now = performance.now()
    if (this.#cells.granted !== seen) this.#unansweredSince = null
    else if (this.#unansweredSince === null) this.#unansweredSince = now
    // The thread that asks Valkey for all has a shorter deadline: it is blocked, or has ended
    else if (this.#cells.isUp && now - this.#unansweredSince > UNANSWERED_MS) {
      this.#unansweredSince = null
      this.#cells.setState('down')
    }
  }

  #lookAtLease(planned: PlannedLimit, index: number): typeof ENOUGH | typeof NONE_FREE | typeof ASKED_FOR {
    const table = this.#tableOf(planned)
    const bit = planned.isKeyed ? 1 : 0
    return lookAtLease(table, this.#entries[index]!, planned.limit, this.#cells, bit, this.#times[index]!)
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
        return this.#advanceQuota(table, entry, limit, time)
      case 'bucket':
        advanceBucket(table, entry, time, limit.max)
        return bucketRemaining(table, entry, windowMs, limit.burst)
    }
    return limit.max - totalOf(table, entry)
  }

  #advanceQuota(table: CounterTable, entry: number, limit: LinkedLimit, now: number): number {
    const { floats, words } = table
    const at = entry * ENTRY_FLOATS
    const calendar = this.#calendars.of(limit)
    calendar.at(now)
    const { start, end } = calendar
    if (floats[at + LATEST] !== start) enterPeriod(table, entry, start, end)
    floats[at + EXPIRES] = end
    words[entry * ENTRY_WORDS + QUOTA_MAX] = limit.max
    words[entry * ENTRY_WORDS + QUOTA_COST] = limit.cost
    const left = limit.max - totalOf(table, entry)
    const nodes = this.#nodes[0]!
    return nodes === 1 || limit.isObserved ? left : quotaLeft(table, entry, limit, nodes, left)
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
    this.#slots[index] =
      this.#leaseState[0] === LEASES_UP && isLeased(limit)
        ? useLease(table, entry, limit, this.#cells, planned.isKeyed ? 1 : 0, time)
        : 0
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

  /** Asks for another share of a quota that is not used up yet. */
  #noteShort(planned: PlannedLimit, index: number): void {
    const { limit } = planned
    const table = this.#tableOf(planned)
    const entry = this.#entries[index]!
    if (limit.algorithm !== 'quota' || limit.max - totalOf(table, entry) < limit.cost) return
    this.wasShort = true
    if (table.dirty[entry] === 0) table.dirty[entry] = 1
  }

  #settle(planned: PlannedLimit, index: number, now: number): void {
    const entry = this.#entries[index]!
    const nodes = this.#nodes[0]!
    let left = this.#remaining[index]!
    if (nodes !== 1 && entry !== -1) left = this.#shareOfRest(planned, entry, nodes, left)
    const isShared = this.#leaseState[0] === LEASES_UP && entry !== -1 && isLeased(planned.limit)
    if (isShared) left = Math.min(left, leaseLeft(this.#tableOf(planned), entry, planned.limit, now))
    const lacks = Math.max(1, planned.limit.cost - left)
    this.#resets[index] = entry === -1 ? GUESS_MS : this.#resetOf(planned, entry, now, lacks)
    if (isShared)
      this.#resets[index] = Math.max(this.#resets[index]!, leaseResetMs(this.#tableOf(planned), entry, now))
    this.#remaining[index] = left < 0 ? 0 : left
  }

  /** What is left after a request: of a quota that others count too, nothing when the share of this node is used up. */
  #shareOfRest(planned: PlannedLimit, entry: number, nodes: number, left: number): number {
    const { limit } = planned
    if (limit.algorithm !== 'quota' || limit.isObserved) return left
    return quotaLeft(this.#tableOf(planned), entry, limit, nodes, left)
  }

  /** Milliseconds until `wanted` more are left. The counter was advanced. */
  #resetOf(planned: PlannedLimit, entry: number, now: number, wanted: number): number {
    const table = this.#tableOf(planned)
    const { limit } = planned
    switch (limit.algorithm) {
      case 'quota':
        // Of its share the next exchange tells more
        if (this.#nodes[0] !== 1 && this.#isShort(table, limit, entry)) return GUESS_MS
        return this.#calendars.of(limit).end - now
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

  #isShort(table: CounterTable, limit: LinkedLimit, entry: number): boolean {
    const whole = limit.max - totalOf(table, entry)
    if (limit.isObserved || whole < limit.cost) return false
    return quotaLeft(table, entry, limit, this.#nodes[0]!, whole) < limit.cost
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
        slot: this.#slots[index]!,
        era: this.#slots[index] === 0 ? 0 : this.#cells.era,
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

  #releaseOne({ planned, low, high, time, slot, era }: HeldLimit): boolean {
    const table = this.#tableOf(planned)
    const stripe = table.stripeOf(low)
    if (!table.stripes.lock(stripe)) return false
    const entry = table.peek(low, high, kindOf(planned.limit))
    if (entry !== -1) {
      this.#giveBack(table, planned.limit, entry, time)
      if (slot !== 0) returnToLease(table, entry, planned.limit.cost, slot, era)
    }
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
    const calendar = this.#calendars.of(limit)
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
    const { low, high } = planned
    const nodes = this.#nodes[0]!
    const limit = partOfLimit(planned.limit, nodes, this.#cells.state)
    const isUp = this.#cells.isUp && isLeased(limit)
    const stripe = table.stripeOf(low)
    if (!table.stripes.lock(stripe)) return null
    const entry = table.peek(low, high, kindOf(limit))
    let reading: Reading | null = null
    if (entry !== -1) {
      const time = table.timeOf(low, now)
      const whole = this.#advance(table, limit, entry, time)
      const isShared = isUp && wasLeased(table, entry, this.#cells.era)
      const left = isShared ? Math.min(whole, leaseLeft(table, entry, limit, time)) : whole
      const capacity = limit.algorithm === 'bucket' ? limit.burst : limit.max
      const used = limit.algorithm === 'quota' ? totalOf(table, entry) : capacity - left
      reading = {
        used,
        remaining: Math.max(0, left),
        resetMs: used <= 0 ? 0 : Math.max(0, this.#resetOf({ ...planned, limit }, entry, now, 1)),
        refused: table.words[entry * ENTRY_WORDS + REFUSALS]!,
        held: isUp ? heldLease(table, entry, this.#cells.era, time) : null,
        ...(limit.algorithm === 'quota'
          ? ownOf(table, entry, limit, nodes)
          : { own: capacity - whole, ownMax: capacity }),
      }
    }
    table.stripes.unlock(stripe)
    return reading
  }

  releaseDead(slot: number): void {
    this.#table.releaseDead(slot)
    this.#keyed.releaseDead(slot)
    this.#failures.releaseDead(slot)
  }
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
