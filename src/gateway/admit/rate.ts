import { CELLS, type CounterTable } from './table.ts'

/** A clock that runs back further than this was set back; less is the difference between threads. */
const JITTER_MS = 1000

/**
 * Brings a rate to `now`: admissions that left the window (now - window, now] no longer count. A slot counts whole
 * until its last admission has left, so what counts is never less than what was admitted in the window.
 * @returns the time to go on with: `now`, or a little later when another thread was ahead.
 */
export function advanceRate(
  table: CounterTable,
  entry: number,
  now: number,
  windowMs: number,
  slotMs: number,
): number {
  const { totals, cells, latest, oldest } = table
  let total = totals[entry]!
  if (total === 0) return now
  let time = now
  const newest = latest[entry]!
  const newestAt = newest * slotMs + cells[table.cellOf(entry, newest) + CELLS]!
  if (newestAt > now) {
    if (newestAt - now > JITTER_MS) return rebase(table, entry, now, slotMs, total)
    time = newestAt
  }
  const reach = Math.floor(time / slotMs) - (CELLS - 1)
  const left = time - windowMs
  let slot = oldest[entry]!
  while (total > 0) {
    const cell = table.cellOf(entry, slot)
    const count = cells[cell]!
    if (count > 0) {
      if (slot >= reach && slot * slotMs + cells[cell + CELLS]! > left) break
      total -= count
      cells[cell] = 0
    }
    slot++
  }
  oldest[entry] = slot
  totals[entry] = total
  return time
}

/** The clock was set back: all that counts is taken to have happened now, so that it leaves after one window. */
function rebase(table: CounterTable, entry: number, now: number, slotMs: number, total: number): number {
  const { cells, latest, oldest } = table
  const slot = Math.floor(now / slotMs)
  const first = table.cellOf(entry, 0)
  cells.fill(0, first, first + CELLS * 2)
  const cell = table.cellOf(entry, slot)
  cells[cell + CELLS] = now - slot * slotMs
  latest[entry] = slot
  oldest[entry] = slot
  cells[cell] = total
  return now
}

/** Counts one admission at `time`, to which the rate was advanced before. */
export function countRate(
  table: CounterTable,
  entry: number,
  time: number,
  windowMs: number,
  slotMs: number,
): void {
  const { totals, cells, latest, oldest, expires } = table
  const slot = Math.floor(time / slotMs)
  const cell = table.cellOf(entry, slot)
  if (totals[entry] === 0) oldest[entry] = slot
  latest[entry] = slot
  cells[cell + CELLS] = time - slot * slotMs
  cells[cell] = cells[cell]! + 1
  totals[entry] = totals[entry]! + 1
  expires[entry] = time + windowMs
}

/** Milliseconds until the first admissions leave the window; 0 when none count. */
export function rateResetMs(
  table: CounterTable,
  entry: number,
  now: number,
  windowMs: number,
  slotMs: number,
): number {
  if (table.totals[entry] === 0) return 0
  const slot = table.oldest[entry]!
  const last = slot * slotMs + table.cells[table.cellOf(entry, slot) + CELLS]!
  return Math.max(0, last + windowMs - now)
}
