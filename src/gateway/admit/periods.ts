import {
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

/** What a quota keeps of one period. Times are milliseconds since the epoch. */
export interface KeptPeriod {
  readonly start: number
  readonly end: number
  readonly order: number
  readonly count: number
}

/**
 * Makes another period the current one. A period that is kept goes on with its count, any other begins with none. When the
 * clock was set back, the calls of the later period count in the earlier one too: they were made before now.
 */
export function enterPeriod(table: CounterTable, entry: number, start: number, end: number): void {
  const { floats, words } = table
  const before = floats[entry * ENTRY_FLOATS + LATEST]!
  const total = words[entry * ENTRY_WORDS + TOTAL]!
  const known = placeOf(table, entry, start)
  const kept = known === -1 ? 0 : words[entry * ENTRY_WORDS + COUNTS + known]!
  // The counts since the last export belong to the period that has just ended.
  if (before !== NO_PERIOD) table.dirty[entry] = 2
  const order = orderOf(table, entry) + 1
  const count = start < before ? Math.max(kept, total) : kept
  makeCurrent(table, entry, known === -1 ? lowestPlace(table, entry) : known, { start, end, order, count })
}

/** Gives back calls that were counted in the period that starts at `start`, unless it is no longer kept. */
export function giveBackQuota(table: CounterTable, entry: number, start: number, cost: number): void {
  const { floats, words } = table
  if (floats[entry * ENTRY_FLOATS + LATEST] === start) {
    const at = entry * ENTRY_WORDS + TOTAL
    words[at] = Math.max(0, words[at]! - cost)
    if (table.dirty[entry] === 0) table.dirty[entry] = 1
    return
  }
  const place = placeOf(table, entry, start)
  if (place === -1) return
  const at = entry * ENTRY_WORDS + COUNTS + place
  words[at] = Math.max(0, words[at]! - cost)
  table.dirty[entry] = 2
}

/** The current period, or with `all` every one that is kept, by its place. */
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
    const at = entry * ENTRY_WORDS + (place === current ? TOTAL : COUNTS + place)
    yield { place, start, end, order, count: words[at]! }
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
  if (current !== -1) words[entry * ENTRY_WORDS + COUNTS + current] = words[totalAt]!
  floats[entry * ENTRY_FLOATS + STARTS + place] = start
  floats[entry * ENTRY_FLOATS + ENDS + place] = end
  words[entry * ENTRY_WORDS + ORDERS + place] = order
  words[totalAt] = count
  floats[entry * ENTRY_FLOATS + OLDEST] = place
  floats[entry * ENTRY_FLOATS + LATEST] = start
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
