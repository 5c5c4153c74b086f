/**
 * Leases: what a node may admit of a limit that all nodes count together in Valkey. The node holds units of the limit for a short
 * time, and uses them without asking again. All of it is in shared memory: gateway threads use units and say which counters need
 * more, and one thread fetches them (lease-desk.ts).
 *
 * 1. Units count in Valkey from when they are granted until a whole window after the last moment at which they may be used.
 * 2. A node uses units until the time at which it asked for them plus their life, by its own clock. A clock that was set back by more
 *    than a second uses none; one that was set back by less uses them for that much longer.
 * 3. Units that were not used go back once, with the next question about the counter. Those of a lost answer lapse.
 * 4. Leases of another era, or of a limit that has changed since, are not used. An era ends when Valkey may have lost data.
 * 5. Everything about a line is read and written under the lock of its stripe.
 */
import type { LinkedLimit } from '../../snapshot/linked-types/client.ts'
import { type CounterTable, ENTRY_WORDS, LEASE_FLOATS, TOTAL } from './counter-table.ts'

// Floats of a line.
/** What may be used, until when, and the slot in which Valkey counts it. For a concurrency limit: places. */
const UNITS = 0
const UNTIL = 1
const SLOT = 2
/** The same, once the first are used up or have expired. */
const NEXT_UNITS = 3
const NEXT_UNTIL = 4
const NEXT_SLOT = 5
/** Nothing was free: do not ask again before. */
const AGAIN = 6
/** What Valkey had left beyond all grants when it was last asked. */
const FREE = 7
/** When more is free, as far as is known. */
const RESET_AT = 8
/** Units of the last grant. */
const SIZE = 9
/** Units used since the last grant, and when that was. */
const USED = 10
const SINCE = 11
/** When it was last asked for; 0 once that was answered. */
const ASKED = 12
/** Units that have expired unused, to be given back. */
const BACK_UNITS = 13
const BACK_SLOT = 14
const ERA = 15
// Of the limit
const MAX = 16
const BURST = 17
const WINDOW = 18
const COST = 19
const IS_EXACT = 20
/** Units that waiting requests want. */
const WANTED = 21

// Cells of all lines.
const STATE = 0
const ERA_CELL = 1
const GRANTED = 2
const HEAD = 3
const RING_AT = 4
/** A counter whose place in the ring was taken by another one asks again after {@link ASK_AGAIN_MS}. */
const RING_SIZE = 4096
export const LEASE_CELLS = RING_AT + RING_SIZE
const ASK_AGAIN_MS = 100
/** Units live for this part of their window, within bounds, milliseconds. */
const LIFE_SHARE = 20
const LIFE_MIN_MS = 100
const LIFE_MAX_MS = 5000
/** What is asked for as requests come: it lives as long as they wait, or shorter in a bucket that is refilled with much meanwhile. */
const EXACT_LIFE_MS = 50
const BUCKET_LIFE_MIN_MS = 10
const PLACES_LIFE_MS = 10_000

/** `off`: no Valkey. `down`: it cannot be used, so each node admits its part. */
const LEASE_STATES = ['off', 'up', 'down'] as const
export const LEASES_UP = 1
export const LEASES_DOWN = 2
export type LeaseState = (typeof LEASE_STATES)[number]

/** Whether the lease of a counter is enough for a call: it is, all nodes together have used the limit up, or more was asked for. */
export const ENOUGH = 0
export const NONE_FREE = 1
export const ASKED_FOR = 2

/** What the thread that fetches leases reads of a line. */
export interface WantedLease {
  readonly max: number
  readonly burst: number
  readonly windowMs: number
  readonly cost: number
  readonly isExact: boolean
  /** Units to ask for. */
  readonly want: number
  /** How long they may be used, milliseconds. */
  readonly lifeMs: number
  readonly back: number
  readonly backSlot: number
  /** Places that this node goes on using while it asks. */
  readonly held: number
}

/** An answer of Valkey. */
export interface Grant {
  readonly units: number
  readonly free: number
  /** Until more is free, milliseconds; 0 where it is. */
  readonly waitMs: number
  readonly slot: number
}

/** How long units of a limit may be used, milliseconds. */
export function lifeOf(limit: {
  readonly max: number
  readonly burst: number
  readonly windowMs: number
  readonly cost: number
  readonly isExact: boolean
}): number {
  const { max, burst, windowMs, cost, isExact } = limit
  if (windowMs === 0) return PLACES_LIFE_MS
  const life = Math.min(LIFE_MAX_MS, Math.max(LIFE_MIN_MS, Math.floor(windowMs / LIFE_SHARE)))
  if (burst === 0) return isExact ? EXACT_LIFE_MS : life
  if (!isExact && storedBurst(max, burst, windowMs, life) >= Math.max(cost, burst / 2)) return life
  // In which half of the burst is refilled, and no more than a call leaves of it
  const refilled = Math.floor((Math.min(burst / 2, burst - cost) * windowMs) / max)
  return Math.min(EXACT_LIFE_MS, Math.max(BUCKET_LIFE_MIN_MS, refilled))
}

/** The burst that Valkey admits, so that what is used later than it was granted never exceeds the burst of the limit. */
export function storedBurst(max: number, burst: number, windowMs: number, lifeMs: number): number {
  return burst - Math.ceil((max * lifeMs) / windowMs)
}

/** The cells of the leases, shared by all threads. */
export class LeaseCells {
  /** Number of the first push that was not taken. */
  #taken = 0
  readonly #cells: Int32Array

  /** One word: {@link LEASES_UP} or {@link LEASES_DOWN}; another one without Valkey. */
  readonly stateCell: Int32Array

  constructor(cells: Int32Array) {
    this.#cells = cells
    this.stateCell = cells.subarray(STATE, STATE + 1)
  }

  get state(): LeaseState {
    return LEASE_STATES[this.#cells[STATE]!]!
  }

  /** True where limits are counted in Valkey. */
  get isUp(): boolean {
    return this.#cells[STATE] === LEASES_UP
  }

  setState(state: LeaseState): void {
    Atomics.store(this.#cells, STATE, LEASE_STATES.indexOf(state))
    this.tellGranted()
  }

  get era(): number {
    return this.#cells[ERA_CELL]!
  }

  /** Ends all leases. */
  endEra(): void {
    Atomics.add(this.#cells, ERA_CELL, 1)
  }

  get granted(): number {
    return Atomics.load(this.#cells, GRANTED)
  }

  /** Requests that wait for units look again. */
  tellGranted(): void {
    Atomics.add(this.#cells, GRANTED, 1)
    Atomics.notify(this.#cells, GRANTED)
  }

  async untilGranted(seen: number, timeoutMs: number): Promise<void> {
    const { async, value } = Atomics.waitAsync(this.#cells, GRANTED, seen, timeoutMs)
    if (async) await value
  }

  /** @param counter its index, with the table in the lowest bit */
  push(counter: number): void {
    const at = Atomics.add(this.#cells, HEAD, 1) >>> 0
    Atomics.store(this.#cells, RING_AT + (at % RING_SIZE), counter + 1)
    Atomics.notify(this.#cells, HEAD)
  }

  get pushed(): number {
    return Atomics.load(this.#cells, HEAD)
  }

  async untilPushed(seen: number, timeoutMs: number): Promise<void> {
    const { async, value } = Atomics.waitAsync(this.#cells, HEAD, seen, timeoutMs)
    if (async) await value
  }

  /** Up to `max` counters that were pushed and not taken yet. By one thread alone. */
  take(max: number): number[] {
    const counters: number[] = []
    const head = Atomics.load(this.#cells, HEAD) >>> 0
    // The number of pushes wraps around at 2^32
    if ((head - this.#taken) >>> 0 > RING_SIZE) this.#taken = (head - RING_SIZE) >>> 0
    for (; this.#taken !== head && counters.length < max; this.#taken = (this.#taken + 1) >>> 0) {
      const at = RING_AT + (this.#taken % RING_SIZE)
      let counter = 0
      // A thread writes it right after it has taken the place. One that ended in between never does
      for (let i = 0; i < 100 && counter === 0; i++) counter = Atomics.exchange(this.#cells, at, 0)
      if (counter !== 0) counters.push(counter - 1)
    }
    return counters
  }
}

/**
 * Whether the lease of a counter has what a request costs. Asks for more where it lacks and more may be free.
 * @param bit of its table
 */
export function lookAtLease(
  table: CounterTable,
  entry: number,
  limit: LinkedLimit,
  cells: LeaseCells,
  bit: number,
  now: number,
): typeof ENOUGH | typeof NONE_FREE | typeof ASKED_FOR {
  const at = entry * LEASE_FLOATS
  const { leases } = table
  enter(leases, at, limit, cells.era)
  if (usable(table, entry, limit, now) >= limit.cost) return ENOUGH
  if (leases[at + AGAIN]! > now && leases[at + AGAIN]! <= now + LIFE_MAX_MS) return NONE_FREE
  leases[at + WANTED] = Math.min(limit.max, leases[at + WANTED]! + limit.cost)
  ask(leases, at, entry, cells, bit, now)
  return ASKED_FOR
}

/** Uses what {@link lookAtLease} has found, and asks for more ahead. @returns the slot that counts it */
export function useLease(
  table: CounterTable,
  entry: number,
  { cost, windowMs, isExact }: LinkedLimit,
  cells: LeaseCells,
  bit: number,
  now: number,
): number {
  const { leases } = table
  const at = entry * LEASE_FLOATS
  leases[at + USED] = leases[at + USED]! + cost
  if (windowMs === 0) {
    // One more is under way, which the caller counts
    const left = leases[at + UNITS]! - table.words[entry * ENTRY_WORDS + TOTAL]!
    if (left * 3 < leases[at + SIZE]! && leases[at + AGAIN]! <= now) ask(leases, at, entry, cells, bit, now)
    return 0
  }
  const slot = leases[at + SLOT]!
  const first = Math.min(cost, leases[at + UNITS]!)
  leases[at + UNITS] = leases[at + UNITS]! - first
  leases[at + NEXT_UNITS] = leases[at + NEXT_UNITS]! - (cost - first)
  const left = leases[at + UNITS]! + leases[at + NEXT_UNITS]!
  if (!isExact && left * 3 < leases[at + SIZE]! && leases[at + AGAIN]! <= now)
    ask(leases, at, entry, cells, bit, now)
  return slot
}

/** Gives units back that were used and do not count after all, as far as that can still be told. */
export function returnToLease(
  table: CounterTable,
  entry: number,
  cost: number,
  slot: number,
  era: number,
): void {
  const { leases } = table
  const at = entry * LEASE_FLOATS
  if (slot === 0 || leases[at + ERA] !== era) return
  if (leases[at + SLOT] === slot) leases[at + UNITS] = leases[at + UNITS]! + cost
  else keepForReturn(leases, at, cost, slot)
}

/** What may be used now, and what Valkey had left for all nodes: as headers tell it. */
export function leaseLeft(table: CounterTable, entry: number, limit: LinkedLimit, now: number): number {
  return Math.max(0, usable(table, entry, limit, now)) + table.leases[entry * LEASE_FLOATS + FREE]!
}

/** Milliseconds until more is free; 0 where that is not known. */
export function leaseResetMs(table: CounterTable, entry: number, now: number): number {
  return Math.max(0, table.leases[entry * LEASE_FLOATS + RESET_AT]! - now)
}

/** A line of another counter, era or limit starts anew. */
function enter(leases: Float64Array, at: number, limit: LinkedLimit, era: number): void {
  const { max, burst, windowMs, cost, isExact } = limit
  const exact = isExact ? 1 : 0
  if (
    leases[at + ERA] === era &&
    leases[at + MAX] === max &&
    leases[at + BURST] === burst &&
    leases[at + WINDOW] === windowMs &&
    leases[at + IS_EXACT] === exact
  ) {
    leases[at + COST] = cost
    return
  }
  // Places for what is under way are told of with the next question
  leases.fill(0, at, at + LEASE_FLOATS)
  leases[at + ERA] = era
  leases[at + MAX] = max
  leases[at + BURST] = burst
  leases[at + WINDOW] = windowMs
  leases[at + COST] = cost
  leases[at + IS_EXACT] = exact
}

function usable(table: CounterTable, entry: number, { windowMs }: LinkedLimit, now: number): number {
  const { leases } = table
  const at = entry * LEASE_FLOATS
  if (table.isBehind) return 0
  if (windowMs === 0)
    return leases[at + UNTIL]! > now ? leases[at + UNITS]! - table.words[entry * ENTRY_WORDS + TOTAL]! : 0
  expire(leases, at, now)
  return leases[at + UNITS]! + leases[at + NEXT_UNITS]!
}

function expire(leases: Float64Array, at: number, now: number): void {
  for (let i = 0; i < 2 && (leases[at + UNITS] === 0 || leases[at + UNTIL]! <= now); i++) {
    if (leases[at + UNITS]! > 0) keepForReturn(leases, at, leases[at + UNITS]!, leases[at + SLOT]!)
    leases[at + UNITS] = leases[at + NEXT_UNITS]!
    leases[at + UNTIL] = leases[at + NEXT_UNTIL]!
    leases[at + SLOT] = leases[at + NEXT_SLOT]!
    leases[at + NEXT_UNITS] = 0
  }
}

/** Units of one slot are kept. Others lapse, which admits too few, never too many. */
function keepForReturn(leases: Float64Array, at: number, units: number, slot: number): void {
  if (leases[at + BACK_SLOT] === slot) leases[at + BACK_UNITS] = leases[at + BACK_UNITS]! + units
  else if (leases[at + BACK_UNITS]! <= units) {
    leases[at + BACK_UNITS] = units
    leases[at + BACK_SLOT] = slot
  }
}

function ask(
  leases: Float64Array,
  at: number,
  entry: number,
  cells: LeaseCells,
  bit: number,
  now: number,
): void {
  const asked = leases[at + ASKED]!
  if (asked !== 0 && now - asked < ASK_AGAIN_MS && now >= asked) return
  leases[at + ASKED] = now
  cells.push(entry * 2 + bit)
}

// What the thread that fetches leases does.

/**
 * Reads what to ask for, and takes what is to be given back; null where nothing is asked for any more. The stripe is locked.
 * @param isRenewal of places, of which no more are asked for than are in use
 */
export function wantedLease(
  table: CounterTable,
  entry: number,
  era: number,
  nodes: number,
  now: number,
  isRenewal: boolean,
): WantedLease | null {
  const { leases } = table
  const at = entry * LEASE_FLOATS
  if (leases[at + ERA] !== era || leases[at + MAX] === 0) return null
  const max = leases[at + MAX]!
  const burst = leases[at + BURST]!
  const windowMs = leases[at + WINDOW]!
  const cost = leases[at + COST]!
  const isExact = leases[at + IS_EXACT] === 1
  const lifeMs = lifeOf({ max, burst, windowMs, cost, isExact })
  const wanted = leases[at + WANTED]!
  leases[at + WANTED] = 0
  const back = leases[at + BACK_UNITS]!
  const backSlot = leases[at + BACK_SLOT]!
  leases[at + BACK_UNITS] = 0
  const want = toWant()
  return { max, burst, windowMs, cost, isExact, want, lifeMs, back, backSlot, held: toHeld() }

  /** Places that are given back are not used from now on, and before others may have them. */
  function toHeld(): number {
    if (windowMs !== 0) return 0
    if (leases[at + UNTIL]! <= now) leases[at + UNITS] = 0
    const underWay = Math.max(0, table.words[entry * ENTRY_WORDS + TOTAL]!)
    if (isRenewal) leases[at + UNITS] = Math.min(leases[at + UNITS]!, Math.max(want, underWay))
    return Math.max(leases[at + UNITS]!, underWay)
  }

  function toWant(): number {
    const least = Math.max(cost, wanted)
    if (windowMs === 0) {
      const underWay = table.words[entry * ENTRY_WORDS + TOTAL]!
      return Math.min(max, Math.max(underWay + (isRenewal ? wanted : least), Math.ceil(underWay * 1.5)))
    }
    if (lifeMs < LIFE_MIN_MS) return Math.min(max, least)
    const sinceMs = now - leases[at + SINCE]!
    const rate = leases[at + SINCE] === 0 ? max / windowMs / nodes : leases[at + USED]! / Math.max(1, sinceMs)
    return Math.min(max, Math.max(least, Math.ceil(rate * 1.5 * lifeMs)))
  }
}

/** Puts a grant in its line, where it is still asked for. @param sentAt when Valkey was asked. The stripe is locked */
export function putGrant(
  table: CounterTable,
  entry: number,
  era: number,
  lease: WantedLease,
  { units, free, waitMs, slot }: Grant,
  sentAt: number,
  now: number,
): void {
  const { leases } = table
  const at = entry * LEASE_FLOATS
  if (leases[at + ERA] !== era || leases[at + MAX] !== lease.max || leases[at + BURST] !== lease.burst) return
  if (leases[at + WINDOW] !== lease.windowMs) return
  leases[at + ASKED] = 0
  leases[at + FREE] = Math.max(0, free)
  leases[at + RESET_AT] = waitMs > 0 ? now + waitMs : 0
  leases[at + AGAIN] = waitMs > 0 ? now + Math.min(waitMs, lease.isExact ? EXACT_LIFE_MS : lease.lifeMs) : 0
  if (lease.windowMs === 0) {
    leases[at + UNITS] = units
    leases[at + UNTIL] = sentAt + lease.lifeMs
    leases[at + SIZE] = units
    // What others give back is not told
    if (waitMs > 0) leases[at + AGAIN] = now + ASK_AGAIN_MS
    return
  }
  if (units === 0) return
  leases[at + SIZE] = units
  leases[at + USED] = 0
  leases[at + SINCE] = now
  expire(leases, at, now)
  const until = sentAt + lease.lifeMs
  if (leases[at + UNITS] === 0) put(UNITS)
  else {
    if (leases[at + NEXT_UNITS]! > 0) {
      keepForReturn(leases, at, leases[at + UNITS]!, leases[at + SLOT]!)
      leases[at + UNITS] = leases[at + NEXT_UNITS]!
      leases[at + UNTIL] = leases[at + NEXT_UNTIL]!
      leases[at + SLOT] = leases[at + NEXT_SLOT]!
    }
    put(NEXT_UNITS)
  }

  function put(first: typeof UNITS | typeof NEXT_UNITS): void {
    leases[at + first] = units
    leases[at + first + 1] = until
    leases[at + first + 2] = slot
  }
}

/** The limit that a counter was last leased for. */
export function leasedLimit(table: CounterTable, entry: number): Parameters<typeof lifeOf>[0] {
  const { leases } = table
  const at = entry * LEASE_FLOATS
  return {
    max: leases[at + MAX]!,
    burst: leases[at + BURST]!,
    windowMs: leases[at + WINDOW]!,
    cost: leases[at + COST]!,
    isExact: leases[at + IS_EXACT] === 1,
  }
}

/** True where a counter was leased in an era. */
export function wasLeased(table: CounterTable, entry: number, era: number): boolean {
  const at = entry * LEASE_FLOATS
  return table.leases[at + ERA] === era && table.leases[at + MAX]! > 0
}

/** What this node holds of a counter: units that it may use now. */
export function heldLease(table: CounterTable, entry: number, era: number, now: number): number {
  const { leases } = table
  const at = entry * LEASE_FLOATS
  if (leases[at + ERA] !== era || table.isBehind) return 0
  if (leases[at + WINDOW] === 0) return leases[at + UNTIL]! > now ? leases[at + UNITS]! : 0
  return (
    (leases[at + UNTIL]! > now ? leases[at + UNITS]! : 0) +
    (leases[at + NEXT_UNTIL]! > now ? leases[at + NEXT_UNITS]! : 0)
  )
}
