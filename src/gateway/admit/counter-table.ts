import { FREE, NOBODY, SHARE_WORDS, Shares } from './entry-shares.ts'
import { LOCK_WORDS, SLOTS_MAX, SPACING, STRIPES, Stripes } from './stripe-locks.ts'

/**
 * The memory of the counters: a fixed hash table in one SharedArrayBuffer for all threads.
 *
 * 1. Everything about an entry is read and written under the lock of its stripe. A key belongs to one stripe.
 * 2. An entry is never emptied, only taken over once it has expired, so that a probe ends at the first empty one. An
 *    expired quota gives way only if no other entry of the probes is free, except in a table with shares.
 * 3. `total` is the sum of the cells of a rate, the count of a quota, or what is under way in all threads.
 * 4. The time of a stripe does not go back: threads that read the clock a little earlier count at the time of the
 *    one ahead. That holds up to {@link BACK_MS_MAX}; a clock that is further behind was set back, and nobody knows
 *    for how long, so counting goes on by it (see rate.ts and periods.ts for what that must not give away).
 * 5. When no entry is free within the probes of a key, the table is full for it: the caller fails closed, and it
 *    is counted.
 * 6. The probes of a key go their own way through its stripe, so that no keys can crowd the places of others.
 * 7. In a table with shares each owner has its own (see shares.ts).
 */
export const RATE = 1
export const QUOTA = 2
export const BUCKET = 3
/** Laid out like a rate, and kept over a restart. */
export const ROLLING = 4
/** What is under way: one word for each thread slot, so that those of a dead thread can be given back. */
export const IN_FLIGHT = 5

/** Counts go no further: a limit that only observes would count on and on. */
export const COUNT_MAX = 2_000_000_000

/** A window of 60 slots touches 61 of them. */
export const CELLS = 61

/**
 * An entry is one block of memory, so that a request touches few cache lines. Floats of it, then 32-bit words of it:
 * its counts, and as many times of the last admission in each slot, milliseconds from the start of the slot.
 */
const ENTRY_BYTES = 576
export const ENTRY_FLOATS = ENTRY_BYTES / 8
export const ENTRY_WORDS = ENTRY_BYTES / 4
export const EXPIRES = 0
/** Rate: number of the latest slot with an admission. Quota: start of the current period. Bucket: when it was last brought to now. */
export const LATEST = 1
/** Rate: number of the first slot that can hold admissions. Quota: place of the current period (see periods.ts). Bucket: its debt. */
export const OLDEST = 2
const KEY_LOW = 6
const KEY_HIGH = 7
const KIND = 8
/** Whose share the entry counts for. */
const OWNER = 14
export const TOTAL = 9
/** Rate: 1 when it was last looked at by a clock that is behind. */
export const BEHIND = 10
/** Requests that the limit refused, or would have. */
export const REFUSALS = 11
/** Float: window of a rolling quota, milliseconds. */
export const WINDOW = 6
/** Words in the same place: what the limit of a calendar quota admits, and what one request takes of it; 0 before it was looked at. */
export const QUOTA_MAX = 12
export const QUOTA_COST = 13
/** Where the cells of a rate begin, or what a quota keeps of its periods. */
export const FIRST_CELL = 16

/** Floats of the line that an entry has for its lease; leases.ts tells what they are. */
export const LEASE_FLOATS = 24

/** {@link LATEST} of a quota that has no period yet. No period starts at this millisecond. */
export const NO_PERIOD = -1

const PROBES_MAX = 256
/** How far the clock of a thread may be behind the latest time seen and still count at that time, milliseconds. */
const BACK_MS_MAX = 1000
const SEEN_STEP_MS = 100
/** Where the counters' memory has a float for the tables. */
const SEEN_OFFSET = 16
/** No counter lives longer: one that expires later was written by a clock that has been set back since. */
const LIFE_MS_MAX = 32 * 86_400_000

const CONTROL_WORDS = 16
const FULL = 0
const BROKEN = 1
const RELEASED = 2

export const ENTRIES_DEFAULT = 65_536

/** What a table has beside its entries. */
export interface TableParts {
  readonly hasShares?: boolean
  readonly hasLeases?: boolean
}

/** The table as one thread uses it. */
export class CounterTable {
  readonly stripes: Stripes
  /** A power of two. */
  readonly #perStripe: number
  readonly #probes: number
  readonly #shares: Shares | null
  readonly #control: Int32Array
  /** The latest time seen in each stripe, in the cache line of its lock. */
  readonly #latest: Float64Array
  /** The latest time seen in any stripe, but for {@link SEEN_STEP_MS}. */
  readonly #seen: Float64Array
  readonly floats: Float64Array
  readonly words: Int32Array
  /** 1 for a quota that changed since it was last exported; 2 when more than its current period or its latest slots did. */
  readonly dirty: Int32Array
  /** Lines of leases, see leases.ts; none where limits are not counted in Valkey. */
  readonly leases: Float64Array
  /** How much each thread has under way; only the thread of a slot writes it, or who buries that thread. */
  readonly #inFlight: Int32Array

  /** Attaches the thread of `slot` to the memory at `offset`. */
  constructor(
    buffer: SharedArrayBuffer,
    offset: number,
    entries: number,
    slot: number,
    { hasShares = false, hasLeases = false }: TableParts = {},
  ) {
    const bytes = entries * ENTRY_BYTES
    this.floats = new Float64Array(buffer, offset, bytes / 8)
    this.words = new Int32Array(buffer, offset, bytes / 4)
    let at = offset + bytes
    const words = (length: number): Int32Array => {
      const view = new Int32Array(buffer, at, length)
      at += length * 4
      return view
    }
    this.dirty = words(entries)
    this.#control = words(CONTROL_WORDS)
    const locks = words(LOCK_WORDS)
    this.#seen = new Float64Array(buffer, SEEN_OFFSET, 1)
    this.#latest = new Float64Array(buffer, locks.byteOffset, LOCK_WORDS / 2)
    this.stripes = new Stripes(locks, words(SLOTS_MAX + 1), slot)
    this.#inFlight = words(SLOTS_MAX + 1)
    this.#perStripe = entries / STRIPES
    this.#probes = Math.min(PROBES_MAX, this.#perStripe)
    this.#shares = hasShares ? new Shares(words(SHARE_WORDS), this.#perStripe) : null
    this.leases = new Float64Array(buffer, at, hasLeases ? entries * LEASE_FLOATS : 0)
    this.releaseDead(slot)
  }

  /** Times that a key found no free entry. */
  get full(): number {
    return Atomics.load(this.#control, FULL)
  }

  /** Locks of dead threads that were broken. */
  get broken(): number {
    return Atomics.load(this.#control, BROKEN)
  }

  countFull(): void {
    Atomics.add(this.#control, FULL, 1)
  }

  /** The stripe of a key, as a bit. */
  stripeOf(low: number): number {
    return 1 << (low & (STRIPES - 1))
  }

  /** True when the clock that {@link timeOf} was last asked about was set back. */
  isBehind = false

  /** The time to count at in the stripe of a key, which is locked. */
  timeOf(low: number, now: number): number {
    const seen = this.#seen
    // Written now and then, so that threads seldom take the cache line from each other.
    if (now > seen[0]! + SEEN_STEP_MS) seen[0] = now
    // Float 0 of the line holds the lock.
    const at = (low & (STRIPES - 1)) * (SPACING / 2) + 1
    const latest = this.#latest[at]!
    this.isBehind = now < seen[0]! - BACK_MS_MAX || now < latest - BACK_MS_MAX
    if (now < latest) return this.isBehind ? now : latest
    this.#latest[at] = now
    return now
  }

  /** The entry of a key; -1 when there is none. The stripe is locked. */
  peek(low: number, high: number, kind: number): number {
    for (let probe = 0; probe < this.#probes; probe++) {
      const entry = this.#entryAt(low, high, probe)
      const keyLow = this.words[entry * ENTRY_WORDS + KEY_LOW]!
      const keyHigh = this.words[entry * ENTRY_WORDS + KEY_HIGH]!
      if (keyLow === low && keyHigh === high) return this.kindOf(entry) === kind ? entry : -1
      if (keyLow === 0 && keyHigh === 0) return -1
    }
    return -1
  }

  /**
   * The entry of a key, made when there is none; -1 when the table is full for it. The stripe is locked.
   * @param owner whose share an entry that is made counts for.
   * @param isBound false when it is made beyond the share too.
   */
  find(low: number, high: number, kind: number, now: number, owner = NOBODY, isBound = true): number {
    let free = -1
    // A quota that has expired counts again when the clock comes back: it gives way only when nothing else does.
    let quota = -1
    for (let probe = 0; probe < this.#probes; probe++) {
      const entry = this.#entryAt(low, high, probe)
      const keyLow = this.words[entry * ENTRY_WORDS + KEY_LOW]!
      const keyHigh = this.words[entry * ENTRY_WORDS + KEY_HIGH]!
      if (keyLow === low && keyHigh === high) {
        if (this.words[entry * ENTRY_WORDS + OWNER] === FREE && !this.#charge(entry, owner, now, isBound))
          return -1
        if (this.kindOf(entry) !== kind) this.#take(entry, low, high, kind)
        this.#hold(entry, now)
        return entry
      }
      if (free === -1 && this.#isOver(entry, now)) {
        if (this.#shares !== null || this.kindOf(entry) !== QUOTA) free = entry
        else if (quota === -1) quota = entry
      }
      if (keyLow === 0 && keyHigh === 0) break
    }
    if (free === -1) free = quota
    if (free === -1) {
      this.countFull()
      return -1
    }
    if (!this.#charge(free, owner, now, isBound)) return -1
    this.#take(free, low, high, kind)
    this.#hold(free, now)
    return free
  }

  /** Gives an entry that has expired to an owner. False, which is counted, when it is beyond its share. */
  #charge(entry: number, owner: number, now: number, isBound: boolean): boolean {
    const shares = this.#shares
    if (shares !== null) {
      const stripe = Math.floor(entry / this.#perStripe)
      if (isBound && owner !== NOBODY && !shares.mayTake(stripe, owner)) {
        if (shares.isDue(stripe, now)) this.#countShares(shares, stripe, now)
        if (!shares.mayTake(stripe, owner)) {
          this.countFull()
          return false
        }
      }
      shares.move(stripe, this.words[entry * ENTRY_WORDS + OWNER]!, owner)
    }
    this.words[entry * ENTRY_WORDS + OWNER] = owner
    return true
  }

  /** Counts what each owner holds in a stripe, without what has expired. */
  #countShares(shares: Shares, stripe: number, now: number): void {
    shares.clear(stripe, now)
    const { from, to } = this.rangeOf(stripe)
    for (let entry = from; entry < to; entry++) {
      const at = entry * ENTRY_WORDS + OWNER
      if (this.words[at] === FREE) continue
      if (this.#isOver(entry, now)) this.words[at] = FREE
      else shares.move(stripe, FREE, this.words[at]!)
    }
  }

  #isOver(entry: number, now: number): boolean {
    if (this.kindOf(entry) === IN_FLIGHT && this.words[entry * ENTRY_WORDS + TOTAL]! > 0) return false
    const expires = this.floats[entry * ENTRY_FLOATS + EXPIRES]!
    return expires <= now || expires > now + LIFE_MS_MAX
  }

  /** Another limit of the same request must not take the entry over before it is counted in. */
  #hold(entry: number, now: number): void {
    const at = entry * ENTRY_FLOATS + EXPIRES
    if (this.floats[at]! <= now) this.floats[at] = now + 1
  }

  /** Odd steps meet every entry of the stripe. */
  #entryAt(low: number, high: number, probe: number): number {
    const index = (low >>> 5) + Math.imul(probe, high | 1)
    return (low & (STRIPES - 1)) * this.#perStripe + (index & (this.#perStripe - 1))
  }

  /** Order matters for a thread that dies in between: the kind makes the entry valid, so it is written last. */
  #take(entry: number, low: number, high: number, kind: number): void {
    const word = entry * ENTRY_WORDS
    this.words[word + KIND] = 0
    this.dirty[entry] = 0
    this.words[word + TOTAL] = 0
    this.words[word + BEHIND] = 0
    this.words[word + REFUSALS] = 0
    this.words[word + QUOTA_MAX] = 0
    this.words[word + QUOTA_COST] = 0
    this.floats[entry * ENTRY_FLOATS + LATEST] = kind === QUOTA ? NO_PERIOD : 0
    this.floats[entry * ENTRY_FLOATS + OLDEST] = 0
    if (kind === RATE || kind === ROLLING || kind === QUOTA)
      this.words.fill(0, word + FIRST_CELL, word + FIRST_CELL + CELLS * 2)
    else if (kind === IN_FLIGHT) this.words.fill(0, word + FIRST_CELL, word + FIRST_CELL + SLOTS_MAX)
    if (this.leases.length > 0) this.leases.fill(0, entry * LEASE_FLOATS, (entry + 1) * LEASE_FLOATS)
    this.words[word + KEY_LOW] = low
    this.words[word + KEY_HIGH] = high
    this.words[word + KIND] = kind
  }

  kindOf(entry: number): number {
    return this.words[entry * ENTRY_WORDS + KIND]!
  }

  /** Index into {@link words} of the count of a slot; that of its last admission is {@link CELLS} further. */
  cellOf(entry: number, slot: number): number {
    return entry * ENTRY_WORDS + FIRST_CELL + (slot % CELLS)
  }

  keyOf(entry: number): { readonly low: number; readonly high: number } {
    const word = entry * ENTRY_WORDS
    return { low: this.words[word + KEY_LOW]!, high: this.words[word + KEY_HIGH]! }
  }

  ownerOf(entry: number): number {
    return this.words[entry * ENTRY_WORDS + OWNER]!
  }

  /** Entries of a stripe: from, and to behind the last. */
  rangeOf(stripe: number): { readonly from: number; readonly to: number } {
    return { from: stripe * this.#perStripe, to: (stripe + 1) * this.#perStripe }
  }

  /** Gives back what the thread of the slot held when it ended. */
  releaseDead(slot: number): void {
    const broken = this.stripes.release(slot, (stripe) => this.#repair(stripe))
    if (broken > 0) Atomics.add(this.#control, BROKEN, broken)
    if (Atomics.load(this.#inFlight, slot) > 0) this.#giveBack(slot)
  }

  /** Places of calls that were under way in a thread that has ended. */
  #giveBack(slot: number): void {
    let isDone = true
    for (let stripe = 0; stripe < STRIPES; stripe++) {
      if (!this.stripes.lock(1 << stripe)) {
        isDone = false
        continue
      }
      const { from, to } = this.rangeOf(stripe)
      for (let entry = from; entry < to; entry++) {
        if (this.kindOf(entry) !== IN_FLIGHT) continue
        const word = entry * ENTRY_WORDS
        const ofSlot = this.words[word + FIRST_CELL + slot]!
        this.words[word + FIRST_CELL + slot] = 0
        this.words[word + TOTAL] = this.words[word + TOTAL]! - ofSlot
      }
      this.stripes.unlock(1 << stripe)
    }
    // A stripe that is held by another dead thread is asked for again when the slot is used again.
    if (isDone) Atomics.store(this.#inFlight, slot, 0)
    this.#tellReleased()
  }

  /** Counts what is under way in this thread; the stripe is locked. What a thread dies with is never more than it says. */
  enter(entry: number, slot: number, cost: number): void {
    const word = entry * ENTRY_WORDS
    Atomics.add(this.#inFlight, slot, 1)
    this.words[word + FIRST_CELL + slot] = this.words[word + FIRST_CELL + slot]! + cost
    this.words[word + TOTAL] = this.words[word + TOTAL]! + cost
  }

  /** The opposite of {@link enter}. */
  leave(entry: number, slot: number, cost: number): void {
    const word = entry * ENTRY_WORDS
    this.words[word + FIRST_CELL + slot] = this.words[word + FIRST_CELL + slot]! - cost
    this.words[word + TOTAL] = this.words[word + TOTAL]! - cost
    Atomics.sub(this.#inFlight, slot, 1)
    this.#tellReleased()
  }

  /** A number that changes whenever something that was under way has ended, in any thread. */
  get released(): number {
    return Atomics.load(this.#control, RELEASED)
  }

  /** Resolves when {@link released} is no longer `seen`, or after `timeoutMs`. */
  async untilReleased(seen: number, timeoutMs: number): Promise<void> {
    const { async, value } = Atomics.waitAsync(this.#control, RELEASED, seen, timeoutMs)
    if (async) await value
  }

  #tellReleased(): void {
    Atomics.add(this.#control, RELEASED, 1)
    Atomics.notify(this.#control, RELEASED)
  }

  #repair(stripe: number): void {
    const { from, to } = this.rangeOf(stripe)
    for (let entry = from; entry < to; entry++) {
      const kind = this.kindOf(entry)
      if (kind === IN_FLIGHT) {
        const word = entry * ENTRY_WORDS
        let sum = 0
        for (let slot = 0; slot < SLOTS_MAX; slot++) sum += this.words[word + FIRST_CELL + slot]!
        this.words[word + TOTAL] = sum
      }
      if (kind !== RATE && kind !== ROLLING) continue
      let total = 0
      for (let slot = 0; slot < CELLS; slot++) total += this.words[this.cellOf(entry, slot)]!
      this.words[entry * ENTRY_WORDS + TOTAL] = total
      // Too early is harmless: empty slots are passed over.
      const at = entry * ENTRY_FLOATS
      this.floats[at + OLDEST] = Math.max(0, this.floats[at + LATEST]! - CELLS + 1)
    }
    if (this.#shares !== null)
      this.#countShares(this.#shares, stripe, this.#latest[stripe * (SPACING / 2) + 1]!)
  }
}

/** Bytes of a table with this many entries. */
export function tableBytes(
  entries: number,
  { hasShares = false, hasLeases = false }: TableParts = {},
): number {
  const words = CONTROL_WORDS + LOCK_WORDS + 2 * (SLOTS_MAX + 1) + (hasShares ? SHARE_WORDS : 0)
  return entries * (ENTRY_BYTES + 4 + (hasLeases ? LEASE_FLOATS * 8 : 0)) + words * 4
}

/** At least `wanted` entries, in each stripe a power of two. */
export function toEntries(wanted: number): number {
  return STRIPES * 2 ** Math.ceil(Math.log2(Math.max(1, wanted / STRIPES)))
}
