import {
  COUNT_MAX,
  type CounterTable,
  ENTRY_FLOATS,
  ENTRY_WORDS,
  FIRST_CELL,
  LATEST,
  NO_PERIOD,
  OLDEST,
  TOTAL,
} from './counter-table.ts'

/**
 * The calendar periods that a quota keeps a count of, so that a clock that comes back finds the count of the period it
 * comes back to. They lie in the entry where a rate has its cells: starts and ends as floats, then counts and orders as
 * words. The count of the current period is in {@link TOTAL}, its start in {@link LATEST}, its place in {@link OLDEST}.
 */
const PERIODS_KEPT = 8

const STARTS = FIRST_CELL / 2
const ENDS = STARTS + PERIODS_KEPT
const COUNTS = 2 * (ENDS + PERIODS_KEPT)
/** Rises with each change of the period, so that the lowest is the one that was left first; 0 for an empty place. */
const ORDERS = COUNTS + PERIODS_KEPT
/** What other nodes have counted of the count of a period, as far as this one knows. */
const OTHERS = ORDERS + PERIODS_KEPT
/** What this node itself may count in a period, plus one; 0 before an exchange with the others. */
const CAPS = OTHERS + PERIODS_KEPT

/** What a quota keeps of one period. Times are milliseconds since the epoch. */
export interface KeptPeriod {
  readonly start: number
  readonly end: number
  readonly order: number
  readonly count: number
}

/** What a node knows of the current period that several nodes count together. */
export interface SharedPeriod {
  /** What this node has counted, and what the others had counted when they were last heard. */
  readonly own: number
  readonly others: number
  /** What `own` may come to; null before an exchange with the others. */
  readonly cap: number | null
}

/** Of the current period, which there is. */
export function sharedPeriod(table: CounterTable, entry: number): SharedPeriod {
  const { words } = table
  const place = entry * ENTRY_WORDS + currentPlace(table, entry)
  const others = words[place + OTHERS]!
  const cap = words[place + CAPS]!
  return { own: words[entry * ENTRY_WORDS + TOTAL]! - others, others, cap: cap === 0 ? null : cap - 1 }
}

/** Notes what the others have counted in the current period: its count is that and what this node has counted. */
export function setOthers(table: CounterTable, entry: number, others: number): void {
  const { words } = table
  const at = entry * ENTRY_WORDS + OTHERS + currentPlace(table, entry)
  const totalAt = entry * ENTRY_WORDS + TOTAL
  const own = words[totalAt]! - words[at]!
  const counted = Math.min(others, COUNT_MAX - own)
  words[at] = counted
  words[totalAt] = own + counted
}

/** Sets what this node may come to in the current period. */
export function setCap(table: CounterTable, entry: number, cap: number): void {
  table.words[entry * ENTRY_WORDS + CAPS + currentPlace(table, entry)] = Math.min(cap, COUNT_MAX) + 1
}

/** What this node itself has counted in a period that is kept. */
function ownAt(table: CounterTable, entry: number, place: number): number {
  return countAt(table, entry, place) - table.words[entry * ENTRY_WORDS + OTHERS + place]!
}

/**
 * Makes another period the current one. A period that is kept goes on with its count, any other begins with none. When the
 * clock was set back, the calls of the later period count in the earlier one too: they were made before now.
 */
export function enterPeriod(table: CounterTable, entry: number, start: number, end: number): void {
  const { floats, words } = table
  const before = floats[entry * ENTRY_FLOATS + LATEST]!
  const known = placeOf(table, entry, start)
  const others = known === -1 ? 0 : words[entry * ENTRY_WORDS + OTHERS + known]!
  const kept = known === -1 ? 0 : words[entry * ENTRY_WORDS + COUNTS + known]!
  const current = currentPlace(table, entry)
  const own = current === -1 ? 0 : ownAt(table, entry, current)
  // The counts since the last export belong to the period that has just ended.
  if (before !== NO_PERIOD) table.dirty[entry] = 2
  const order = orderOf(table, entry) + 1
  const count = start < before ? Math.max(kept, own + others) : kept
  makeCurrent(table, entry, known === -1 ? lowestPlace(table, entry) : known, { start, end, order, count })
}

/** Gives back calls that were counted in the period that starts at `start`, unless it is no longer kept. */
export function giveBackQuota(table: CounterTable, entry: number, start: number, cost: number): void {
  const { floats, words } = table
  if (floats[entry * ENTRY_FLOATS + LATEST] === start) {
    const at = entry * ENTRY_WORDS + TOTAL
    const others = words[entry * ENTRY_WORDS + OTHERS + currentPlace(table, entry)]!
    words[at] = Math.max(others, words[at]! - cost)
    if (table.dirty[entry] === 0) table.dirty[entry] = 1
    return
  }
  const place = placeOf(table, entry, start)
  if (place === -1) return
  const at = entry * ENTRY_WORDS + COUNTS + place
  words[at] = Math.max(words[entry * ENTRY_WORDS + OTHERS + place]!, words[at]! - cost)
  table.dirty[entry] = 2
}

/** The current period, or with `all` every one that is kept, by its place: with what this node itself has counted. */
export function* periodsOf(
  table: CounterTable,
  entry: number,
  all: boolean,
): Generator<KeptPeriod & { readonly place: number }> {
  const { floats, words } = table
  const current = currentPlace(table, entry)
  for (let place = 0; place < PERIODS_KEPT; place++) {
    const order = words[entry * ENTRY_WORDS + ORDERS + place]!
    if (order === 0 || (!all && place !== current)) continue
    const start = floats[entry * ENTRY_FLOATS + STARTS + place]!
    const end = floats[entry * ENTRY_FLOATS + ENDS + place]!
    yield { place, start, end, order, count: ownAt(table, entry, place) }
  }
}

/**
 * Puts back a period of an earlier run into an entry that only holds such, after those that were left before it: the last one
 * becomes the current period, as it was when the run ended.
 */
export function restorePeriod(table: CounterTable, entry: number, place: number, stored: KeptPeriod): void {
  const known = placeOf(table, entry, stored.start)
  const isFree = table.words[entry * ENTRY_WORDS + ORDERS + place] === 0
  const to = known !== -1 ? known : isFree ? place : lowestPlace(table, entry)
  if (to !== place) table.dirty[entry] = 2
  const count = Math.max(stored.count, known === -1 ? 0 : countAt(table, entry, known))
  makeCurrent(table, entry, to, {
    ...stored,
    count,
    order: Math.max(stored.order, orderOf(table, entry) + 1),
  })
}

/** Adds what an earlier run has stored to an entry that counts already: its current period stays the current one. */
export function mergePeriod(table: CounterTable, entry: number, stored: KeptPeriod): void {
  const { floats, words } = table
  const current = currentPlace(table, entry)
  const known = placeOf(table, entry, stored.start)
  if (known !== -1) {
    const at = entry * ENTRY_WORDS + (known === current ? TOTAL : COUNTS + known)
    words[at] = Math.max(words[at]!, stored.count)
    return
  }
  const orders = entry * ENTRY_WORDS + ORDERS
  words[orders + current] = Math.max(words[orders + current]!, stored.order + 1)
  const place = lowestPlace(table, entry)
  if (words[orders + place]! >= stored.order && words[orders + place] !== 0) return
  forgetOthers(table, entry, place)
  floats[entry * ENTRY_FLOATS + STARTS + place] = stored.start
  floats[entry * ENTRY_FLOATS + ENDS + place] = stored.end
  words[entry * ENTRY_WORDS + COUNTS + place] = stored.count
  words[orders + place] = Math.max(1, stored.order)
  table.dirty[entry] = 2
}

function makeCurrent(
  table: CounterTable,
  entry: number,
  place: number,
  { start, end, order, count }: KeptPeriod,
): void {
  const { floats, words } = table
  const current = currentPlace(table, entry)
  const totalAt = entry * ENTRY_WORDS + TOTAL
  if (current !== -1) {
    words[entry * ENTRY_WORDS + COUNTS + current] = words[totalAt]!
    // Nothing is reserved for a period that was left
    if (current !== place) words[entry * ENTRY_WORDS + CAPS + current] = ownAt(table, entry, current) + 1
  }
  if (floats[entry * ENTRY_FLOATS + STARTS + place] !== start) forgetOthers(table, entry, place)
  floats[entry * ENTRY_FLOATS + STARTS + place] = start
  floats[entry * ENTRY_FLOATS + ENDS + place] = end
  words[entry * ENTRY_WORDS + ORDERS + place] = order
  words[totalAt] = count
  floats[entry * ENTRY_FLOATS + OLDEST] = place
  floats[entry * ENTRY_FLOATS + LATEST] = start
}

function forgetOthers(table: CounterTable, entry: number, place: number): void {
  table.words[entry * ENTRY_WORDS + OTHERS + place] = 0
  table.words[entry * ENTRY_WORDS + CAPS + place] = 0
}

function currentPlace(table: CounterTable, entry: number): number {
  const at = entry * ENTRY_FLOATS
  return table.floats[at + LATEST] === NO_PERIOD ? -1 : table.floats[at + OLDEST]!
}

/** The order of the current period, which is the highest; 0 when there is none. */
function orderOf(table: CounterTable, entry: number): number {
  const current = currentPlace(table, entry)
  return current === -1 ? 0 : table.words[entry * ENTRY_WORDS + ORDERS + current]!
}

function countAt(table: CounterTable, entry: number, place: number): number {
  const at = place === currentPlace(table, entry) ? TOTAL : COUNTS + place
  return table.words[entry * ENTRY_WORDS + at]!
}

/** The place of the period that starts at `start`; -1 when it is not kept. */
function placeOf(table: CounterTable, entry: number, start: number): number {
  for (let place = 0; place < PERIODS_KEPT; place++) {
    if (table.words[entry * ENTRY_WORDS + ORDERS + place] === 0) continue
    if (table.floats[entry * ENTRY_FLOATS + STARTS + place] === start) return place
  }
  return -1
}

/** An empty place, or that of the period which was left first. */
function lowestPlace(table: CounterTable, entry: number): number {
  const orders = entry * ENTRY_WORDS + ORDERS
  let lowest = 0
  for (let place = 1; place < PERIODS_KEPT; place++)
    if (table.words[orders + place]! < table.words[orders + lowest]!) lowest = place
  return lowest
}
