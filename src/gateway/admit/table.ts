import { LOCK_WORDS, SLOTS_MAX, STRIPES, Stripes } from './stripes.ts'

/**
 * The memory of the counters: a fixed hash table in one SharedArrayBuffer for all threads.
 *
 * 1. Everything about an entry is read and written under the lock of its stripe. A key belongs to one stripe.
 * 2. An entry is never emptied, only taken over once it has expired, so that a probe ends at the first empty one.
 * 3. `total` is the sum of the cells of a rate, or the count of a quota.
 * 4. When no entry is free within the probes of a key, the table is full for it: the caller fails closed, and it
 *    is counted.
 */
export const RATE = 1
export const QUOTA = 2

/** A window of 60 slots touches 61 of them. */
export const CELLS = 61
/** Counts, then times of the last admission in each slot, milliseconds from the start of the slot. */
const CELL_WORDS = CELLS * 2

const PROBES_MAX = 64
const CONTROL_WORDS = 16
const FULL = 0
const BROKEN = 1

export const ENTRIES_DEFAULT = 65_536

export class CounterTable {
  readonly stripes: Stripes
  readonly #perStripe: number
  readonly #control: Int32Array
  readonly #keys: Int32Array
  readonly #kinds: Int32Array
  readonly expires: Float64Array
  /** Rate: number of the latest slot with an admission. Quota: start of the period. */
  readonly latest: Float64Array
  /** Rate: number of the first slot that can hold admissions. */
  readonly oldest: Float64Array
  readonly totals: Int32Array
  readonly cells: Int32Array
  /** 1 for a quota that changed since it was last exported. */
  readonly dirty: Int32Array

  /** Attaches the thread of `slot` to the memory at `offset`. */
  constructor(buffer: SharedArrayBuffer, offset: number, entries: number, slot: number) {
    let at = offset
    const ints = (length: number): Int32Array => {
      const view = new Int32Array(buffer, at, length)
      at += length * 4
      return view
    }
    const floats = (length: number): Float64Array => {
      const view = new Float64Array(buffer, at, length)
      at += length * 8
      return view
    }
    this.expires = floats(entries)
    this.latest = floats(entries)
    this.oldest = floats(entries)
    this.#control = ints(CONTROL_WORDS)
    this.#keys = ints(entries * 2)
    this.#kinds = ints(entries)
    this.totals = ints(entries)
    this.dirty = ints(entries)
    this.cells = ints(entries * CELL_WORDS)
    const locks = ints(LOCK_WORDS)
    this.stripes = new Stripes(locks, ints(SLOTS_MAX + 1), slot)
    this.#perStripe = entries / STRIPES
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

  /** The entry of a key; -1 when there is none. The stripe is locked. */
  peek(low: number, high: number, kind: number): number {
    const start = this.#startOf(low)
    for (let probe = 0; probe < PROBES_MAX; probe++) {
      const entry = this.#entryAt(low, start + probe)
      const keyLow = this.#keys[entry * 2]!
      const keyHigh = this.#keys[entry * 2 + 1]!
      if (keyLow === low && keyHigh === high) return this.#kinds[entry] === kind ? entry : -1
      if (keyLow === 0 && keyHigh === 0) return -1
    }
    return -1
  }

  /** The entry of a key, made when there is none; -1 when the table is full for it. The stripe is locked. */
  find(low: number, high: number, kind: number, now: number): number {
    const start = this.#startOf(low)
    let free = -1
    for (let probe = 0; probe < PROBES_MAX; probe++) {
      const entry = this.#entryAt(low, start + probe)
      const keyLow = this.#keys[entry * 2]!
      const keyHigh = this.#keys[entry * 2 + 1]!
      if (keyLow === low && keyHigh === high) {
        if (this.#kinds[entry] !== kind) this.#take(entry, low, high, kind)
        this.#hold(entry, now)
        return entry
      }
      if (free === -1 && this.expires[entry]! <= now) free = entry
      if (keyLow === 0 && keyHigh === 0) break
    }
    if (free === -1) this.countFull()
    else {
      this.#take(free, low, high, kind)
      this.#hold(free, now)
    }
    return free
  }

  /** Another limit of the same request must not take the entry over before it is counted in. */
  #hold(entry: number, now: number): void {
    if (this.expires[entry]! <= now) this.expires[entry] = now + 1
  }

  #startOf(low: number): number {
    return (low >>> 5) % this.#perStripe
  }

  #entryAt(low: number, index: number): number {
    return (low & (STRIPES - 1)) * this.#perStripe + (index % this.#perStripe)
  }

  /** Order matters for a thread that dies in between: the kind makes the entry valid, so it is written last. */
  #take(entry: number, low: number, high: number, kind: number): void {
    this.#kinds[entry] = 0
    this.dirty[entry] = 0
    this.totals[entry] = 0
    this.latest[entry] = 0
    this.oldest[entry] = 0
    if (kind === RATE) this.cells.fill(0, entry * CELL_WORDS, (entry + 1) * CELL_WORDS)
    this.#keys[entry * 2] = low
    this.#keys[entry * 2 + 1] = high
    this.#kinds[entry] = kind
  }

  /** Index into {@link cells} of the count of a slot; that of its last admission is {@link CELLS} further. */
  cellOf(entry: number, slot: number): number {
    return entry * CELL_WORDS + (slot % CELLS)
  }

  keyOf(entry: number): { readonly low: number; readonly high: number } {
    return { low: this.#keys[entry * 2]!, high: this.#keys[entry * 2 + 1]! }
  }

  /** Entries of a stripe: from, and to behind the last. */
  rangeOf(stripe: number): { readonly from: number; readonly to: number } {
    return { from: stripe * this.#perStripe, to: (stripe + 1) * this.#perStripe }
  }

  /** Gives back what the thread of the slot held when it ended. */
  releaseDead(slot: number): void {
    const broken = this.stripes.release(slot, (stripe) => this.#repair(stripe))
    if (broken > 0) Atomics.add(this.#control, BROKEN, broken)
  }

  #repair(stripe: number): void {
    const { from, to } = this.rangeOf(stripe)
    for (let entry = from; entry < to; entry++) {
      if (this.#kinds[entry] !== RATE) continue
      let total = 0
      for (let cell = 0; cell < CELLS; cell++) total += this.cells[entry * CELL_WORDS + cell]!
      this.totals[entry] = total
      // Too early is harmless: empty slots are passed over.
      this.oldest[entry] = Math.max(0, this.latest[entry]! - CELLS + 1)
    }
  }
}

/** Bytes of a table with this many entries. */
export function tableBytes(entries: number): number {
  const words = CONTROL_WORDS + entries * (2 + 1 + 1 + 1 + CELL_WORDS) + LOCK_WORDS + SLOTS_MAX + 1
  return entries * 24 + words * 4
}

/** A number of entries that divides into the stripes. */
export function toEntries(wanted: number): number {
  return Math.max(STRIPES, Math.ceil(wanted / STRIPES) * STRIPES)
}
