import {
  BEHIND,
  CELLS,
  type CounterTable,
  ENTRY_FLOATS,
  ENTRY_WORDS,
  EXPIRES,
  LATEST,
  OLDEST,
  TOTAL,
} from './counter-table.ts'

/**
 * Brings a rate to `now`: admissions that left the window (now - window, now] no longer count. A slot counts whole
 * until its last admission has left, so what counts is never less than what was admitted in the window.
 *
 * When the clock is set back, all that counts is taken to have happened now, so that it leaves after one window. The
 * same once more when the clock has caught up with the latest time seen: it may have been set forward again, and what
 * was counted meanwhile would seem older than it is. More than max get through only when the clock is set forward past
 * the time that it would have without either change, back and then forward by a part or only after it has caught up
 * by itself, or back to a time after that of the last request of all: what looks like no change.
 * @param now as {@link CounterTable.timeOf} gave it just before.
 */
export function advanceRate(
  table: CounterTable,
  entry: number,
  now: number,
  windowMs: number,
  slotMs: number,
): void {
  const { floats, words } = table
  const at = entry * ENTRY_FLOATS
  const totalAt = entry * ENTRY_WORDS + TOTAL
  const behindAt = entry * ENTRY_WORDS + BEHIND
  const caughtUp = words[behindAt] === 1 && !table.isBehind
  if (caughtUp || table.isBehind) words[behindAt] = table.isBehind ? 1 : 0
  let total = words[totalAt]!
  if (total === 0) return
  const newest = floats[at + LATEST]!
  const newestAt = newest * slotMs + words[table.cellOf(entry, newest) + CELLS]!
  if (caughtUp || newestAt > now) {
    rebase(table, entry, now, windowMs, slotMs, total)
    return
  }
  const reach = Math.floor(now / slotMs) - (CELLS - 1)
  const left = now - windowMs
  let slot = floats[at + OLDEST]!
  while (total > 0) {
    const cell = table.cellOf(entry, slot)
    const count = words[cell]!
    if (count > 0) {
      if (slot >= reach && slot * slotMs + words[cell + CELLS]! > left) break
      total -= count
      words[cell] = 0
    }
    slot++
  }
  floats[at + OLDEST] = slot
  words[totalAt] = total
}

/** All that counts is taken to have happened now, so that it leaves after one window. */
function rebase(
  table: CounterTable,
  entry: number,
  now: number,
  windowMs: number,
  slotMs: number,
  total: number,
): void {
  const { floats, words } = table
  const slot = Math.floor(now / slotMs)
  const first = table.cellOf(entry, 0)
  words.fill(0, first, first + CELLS * 2)
  const cell = table.cellOf(entry, slot)
  words[cell + CELLS] = now - slot * slotMs
  floats[entry * ENTRY_FLOATS + LATEST] = slot
  floats[entry * ENTRY_FLOATS + OLDEST] = slot
  words[cell] = total
  floats[entry * ENTRY_FLOATS + EXPIRES] = now + windowMs
  // Stored slots that no longer hold anything must not be put back after a restart.
  table.dirty[entry] = 2
}

/** Counts an admission that takes `cost` at `time`, to which the rate was advanced before. */
export function countRate(
  table: CounterTable,
  entry: number,
  time: number,
  windowMs: number,
  slotMs: number,
  cost = 1,
): void {
  const { floats, words } = table
  const at = entry * ENTRY_FLOATS
  const totalAt = entry * ENTRY_WORDS + TOTAL
  const slot = Math.floor(time / slotMs)
  const cell = table.cellOf(entry, slot)
  if (words[totalAt] === 0) floats[at + OLDEST] = slot
  floats[at + LATEST] = slot
  words[cell + CELLS] = time - slot * slotMs
  words[cell] = words[cell]! + cost
  words[totalAt] = words[totalAt]! + cost
  floats[at + EXPIRES] = time + windowMs
}

/** Takes back what was counted at `time`, as far as it still counts. */
export function uncountRate(
  table: CounterTable,
  entry: number,
  time: number,
  slotMs: number,
  cost: number,
): void {
  const { floats, words } = table
  const at = entry * ENTRY_FLOATS
  const slot = Math.floor(time / slotMs)
  if (slot < floats[at + OLDEST]! || slot > floats[at + LATEST]! || slot <= floats[at + LATEST]! - CELLS)
    return
  const cell = table.cellOf(entry, slot)
  const back = Math.min(cost, words[cell]!)
  words[cell] = words[cell]! - back
  words[entry * ENTRY_WORDS + TOTAL] = words[entry * ENTRY_WORDS + TOTAL]! - back
}

/** Milliseconds until `wanted` have left the window; 0 when none count. */
export function rateResetMs(
  table: CounterTable,
  entry: number,
  now: number,
  windowMs: number,
  slotMs: number,
  wanted = 1,
): number {
  const { floats, words } = table
  let rest = Math.min(wanted, words[entry * ENTRY_WORDS + TOTAL]!)
  if (rest <= 0) return 0
  let slot = floats[entry * ENTRY_FLOATS + OLDEST]!
  const latest = floats[entry * ENTRY_FLOATS + LATEST]!
  for (; slot < latest; slot++) {
    rest -= words[table.cellOf(entry, slot)]!
    if (rest <= 0) break
  }
  const last = slot * slotMs + words[table.cellOf(entry, slot) + CELLS]!
  return Math.max(0, last + windowMs - now)
}

/**
 * A bucket that holds `burst` calls and is refilled with `max` in each window. It is kept as its debt, what was taken and is
 * not refilled yet, in units of 1 / window of a call: then all of it is whole numbers below 2^53, and an empty
 * counter is a full bucket.
 */
const DEBT = OLDEST

/** Brings a bucket to now. A clock that was set back refills nothing until it has gone on from there. */
export function advanceBucket(table: CounterTable, entry: number, now: number, max: number): void {
  const { floats } = table
  const at = entry * ENTRY_FLOATS
  const debt = floats[at + DEBT]!
  if (debt > 0) {
    const passed = now - floats[at + LATEST]!
    if (passed > 0) floats[at + DEBT] = Math.max(0, debt - passed * max)
  }
  floats[at + LATEST] = now
}

/** Calls that the bucket has now. */
export function bucketRemaining(table: CounterTable, entry: number, windowMs: number, burst: number): number {
  return Math.floor((burst * windowMs - table.floats[entry * ENTRY_FLOATS + DEBT]!) / windowMs)
}

/** Takes calls out of a bucket, or with a negative number puts them back. */
export function countBucket(
  table: CounterTable,
  entry: number,
  now: number,
  windowMs: number,
  max: number,
  cost: number,
): void {
  const { floats } = table
  const at = entry * ENTRY_FLOATS
  const debt = Math.max(0, floats[at + DEBT]! + cost * windowMs)
  floats[at + DEBT] = debt
  floats[at + EXPIRES] = now + Math.ceil(debt / max)
}

/** Milliseconds until the bucket has `wanted` calls. */
export function bucketResetMs(
  table: CounterTable,
  entry: number,
  windowMs: number,
  max: number,
  burst: number,
  wanted: number,
): number {
  const debt = table.floats[entry * ENTRY_FLOATS + DEBT]!
  return Math.max(0, Math.ceil((debt - (burst - wanted) * windowMs) / max))
}
