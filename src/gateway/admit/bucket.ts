import { type CounterTable, ENTRY_FLOATS, EXPIRES, LATEST, OLDEST } from './table.ts'

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
