/**
 * Stores the counts of quotas, for a restart. The recorder writes them once a second. Stored counts expire by the
 * clock and by running time together, so that a clock that is set forward alone deletes none.
 */

import {
  CELLS,
  type CounterTable,
  ENTRY_FLOATS,
  ENTRY_WORDS,
  EXPIRES,
  LATEST,
  OLDEST,
  QUOTA,
  ROLLING,
  TOTAL,
  WINDOW,
} from './counter-table.ts'
import { NOBODY } from './entry-shares.ts'
import { mergePeriod, periodsOf, restorePeriod } from './periods.ts'
import { STRIPES } from './stripe-locks.ts'

/**
 * A count that survives a restart: of a calendar quota one for each period that it keeps, of a rolling quota one for each slot.
 * The key is the owner of the counter, unless that is nobody, its key and a suffix: `q` and the place of a period, or `r`,
 * window and cell of a slot. A place is used again, so that the number of keys of a counter has a bound.
 */
export interface QuotaCount {
  readonly key: string
  /** Start of the period; of a slot its last admission. Milliseconds since the epoch. */
  readonly period: number
  /** From when on it no longer counts, milliseconds since the epoch. */
  readonly ends: number
  /** Rises with each change of the period of a counter; 0 for a slot. */
  readonly entered: number
  readonly count: number
}

/** No period is longer. */
const PERIOD_MS_MAX = 32 * 86_400_000

export const QUOTA_KEY =
  /^(?:([0-9a-f]{8})\.)?([0-9a-f]{8})([0-9a-f]{8})(?:q([0-7])|r([1-9][0-9]{0,11})\.[0-9]{1,2})$/

/** Quotas that changed since the last call of any thread, or all of them. */
export function exportQuotas(table: CounterTable, isAll: boolean): QuotaCount[] {
  const counts: QuotaCount[] = []
  for (let stripe = 0; stripe < STRIPES; stripe++) {
    const { from, to } = table.rangeOf(stripe)
    let first = from
    while (!isAll && first < to && table.dirty[first] === 0) first++
    if (first === to || !table.stripes.lock(1 << stripe)) continue
    for (let entry = first; entry < to; entry++) {
      const dirty = isAll ? 2 : table.dirty[entry]!
      if (dirty === 0) continue
      table.dirty[entry] = 0
      if (table.kindOf(entry) === ROLLING) exportSlots(table, entry, dirty === 2, counts)
      else if (table.kindOf(entry) === QUOTA) exportPeriods(table, entry, dirty === 2, counts)
    }
    table.stripes.unlock(1 << stripe)
  }
  return counts
}

function exportPeriods(table: CounterTable, entry: number, all: boolean, counts: QuotaCount[]): void {
  const name = nameOf(table, entry)
  for (const { place, start, end, order, count } of periodsOf(table, entry, all))
    counts.push({ key: `${name}q${place}`, period: start, ends: end, entered: order, count })
}

/** Slots are at least a minute wide and exports a second apart, so that without `all` only the latest two can have changed. */
function exportSlots(table: CounterTable, entry: number, all: boolean, counts: QuotaCount[]): void {
  const { floats, words } = table
  const at = entry * ENTRY_FLOATS
  const windowMs = floats[at + WINDOW]!
  const slotMs = Math.ceil(windowMs / (CELLS - 1))
  const latest = floats[at + LATEST]!
  const oldest = all ? Math.max(0, latest - CELLS + 1) : Math.max(0, latest - 1)
  for (let slot = oldest; slot <= latest; slot++) {
    const cell = table.cellOf(entry, slot)
    const count = words[cell]!
    if (count === 0 && !all) continue
    const key = `${nameOf(table, entry)}r${windowMs}.${slot % CELLS}`
    const period = slot * slotMs + words[cell + CELLS]!
    counts.push({ key, period, ends: period + windowMs, entered: 0, count })
  }
}

/**
 * Puts back counts of an earlier run, beyond the share of their owner too. Periods that have ended or not begun are put back as
 * well: the clock may be wrong now, or may have been. Slots that have left their window are left out.
 */
export function importQuotas(table: CounterTable, counts: readonly QuotaCount[], now: number): void {
  /** Entries that hold nothing but what is put back here. */
  const made = new Set<number>()
  for (const stored of counts.toSorted((one, other) => one.entered - other.entered)) {
    const match = QUOTA_KEY.exec(stored.key)
    if (match === null || stored.count <= 0) continue
    const [, ownerHex, lowHex, highHex, place, windowMs] = match
    const owner = ownerHex === undefined ? NOBODY : wordOf(ownerHex)
    const low = wordOf(lowHex!)
    const high = wordOf(highHex!)
    const stripe = table.stripeOf(low)
    if (!table.stripes.lock(stripe)) continue
    const find = (kind: number): number => table.find(low, high, kind, table.timeOf(low, now), owner, false)
    if (place === undefined) importSlot(table, find, Number(windowMs), stored.period, stored.count, now)
    else {
      const isNew = table.peek(low, high, QUOTA) === -1
      const entry = find(QUOTA)
      if (isNew && entry !== -1) made.add(entry)
      if (entry !== -1) importPeriod(table, entry, made.has(entry), Number(place), stored, now)
    }
    table.stripes.unlock(stripe)
  }
}

function importPeriod(
  table: CounterTable,
  entry: number,
  isMade: boolean,
  place: number,
  { period, ends, entered, count }: QuotaCount,
  now: number,
): void {
  const stored = { start: period, end: ends, order: entered, count }
  if (!isMade) {
    mergePeriod(table, entry, stored)
    return
  }
  restorePeriod(table, entry, place, stored)
  let expires = now + 1
  for (const { end } of periodsOf(table, entry, true)) expires = Math.max(expires, end)
  table.floats[entry * ENTRY_FLOATS + EXPIRES] = Math.min(expires, now + PERIOD_MS_MAX)
}

function importSlot(
  table: CounterTable,
  find: (kind: number) => number,
  windowMs: number,
  period: number,
  count: number,
  now: number,
): void {
  if (period + windowMs <= now || windowMs > PERIOD_MS_MAX) return
  const entry = find(ROLLING)
  if (entry === -1) return
  const { floats, words } = table
  const at = entry * ENTRY_FLOATS
  const totalAt = entry * ENTRY_WORDS + TOTAL
  const slotMs = Math.ceil(windowMs / (CELLS - 1))
  const slot = Math.floor(period / slotMs)
  const cell = table.cellOf(entry, slot)
  const isFirst = words[totalAt] === 0
  // Two slots of one cell cannot both be in the window.
  if (words[cell]! >= count) return
  words[totalAt] = words[totalAt]! + count - words[cell]!
  words[cell] = count
  words[cell + CELLS] = period - slot * slotMs
  floats[at + WINDOW] = windowMs
  floats[at + LATEST] = isFirst ? slot : Math.max(slot, floats[at + LATEST]!)
  floats[at + OLDEST] = isFirst ? slot : Math.min(slot, floats[at + OLDEST]!)
  floats[at + EXPIRES] = Math.max(floats[at + EXPIRES]!, period + windowMs)
}

/** The key of a counter, without a suffix. */
export function nameOf(table: CounterTable, entry: number): string {
  const { low, high } = table.keyOf(entry)
  const owner = table.ownerOf(entry)
  return (owner === NOBODY ? '' : `${hex(owner)}.`) + hex(low) + hex(high)
}

/** A word of such a key. */
export function wordOf(text: string): number {
  return Number.parseInt(text, 16) | 0
}

function hex(word: number): string {
  return (word >>> 0).toString(16).padStart(8, '0')
}
