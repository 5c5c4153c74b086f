import { periodStart } from './period.ts'
import { NOBODY } from './shares.ts'
import { STRIPES } from './stripes.ts'
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
} from './table.ts'

/**
 * A count that survives a restart: of a calendar quota one, of a rolling quota one for each slot. The key is the owner of the
 * counter, unless that is nobody, its key and a suffix: `d`, `w` or `m` for a day, week or month in UTC, `z` for a period of
 * another time zone, `r`, window and cell for a slot.
 */
export interface QuotaCount {
  readonly key: string
  /** Start of the period; of a slot its last admission. Milliseconds since the epoch. */
  readonly period: number
  readonly count: number
}

/** No period is longer. */
const PERIOD_MS_MAX = 32 * 86_400_000

const KEY = /^(?:([0-9a-f]{8})\.)?([0-9a-f]{8})([0-9a-f]{8})(?:([dwmz])|r([1-9][0-9]{0,11})\.[0-9]{1,2})$/

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
      else if (table.kindOf(entry) === QUOTA) exportPeriod(table, entry, counts)
    }
    table.stripes.unlock(1 << stripe)
  }
  return counts
}

function exportPeriod(table: CounterTable, entry: number, counts: QuotaCount[]): void {
  const at = entry * ENTRY_FLOATS
  const period = table.floats[at + LATEST]!
  const suffix = suffixOf(period, table.floats[at + EXPIRES]!)
  counts.push({ key: nameOf(table, entry) + suffix, period, count: totalOf(table, entry) })
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
    counts.push({ key, period: slot * slotMs + words[cell + CELLS]!, count })
  }
}

/** Puts back counts of an earlier run, beyond the share of their owner too; those of periods that have ended are left out. */
export function importQuotas(table: CounterTable, counts: readonly QuotaCount[], now: number): void {
  for (const { key, period, count } of counts) {
    const match = KEY.exec(key)
    if (match === null || count <= 0) continue
    const [, ownerHex, lowHex, highHex, suffix, windowMs] = match
    const owner = ownerHex === undefined ? NOBODY : wordOf(ownerHex)
    const low = wordOf(lowHex!)
    const high = wordOf(highHex!)
    const stripe = table.stripeOf(low)
    if (!table.stripes.lock(stripe)) continue
    const find = (kind: number): number => table.find(low, high, kind, table.timeOf(low, now), owner, false)
    if (suffix === undefined) importSlot(table, find, Number(windowMs), period, count, now)
    else importPeriod(table, find, suffix, period, count, now)
    table.stripes.unlock(stripe)
  }
}

function importPeriod(
  table: CounterTable,
  find: (kind: number) => number,
  suffix: string,
  period: number,
  count: number,
  now: number,
): void {
  // Of another time zone the first request finds out whether the period still lasts.
  if (suffix === 'z' ? period <= now - PERIOD_MS_MAX : periodStart(suffix as 'd' | 'w' | 'm', now) !== period)
    return
  const entry = find(QUOTA)
  if (entry === -1) return
  const at = entry * ENTRY_FLOATS
  const totalAt = entry * ENTRY_WORDS + TOTAL
  table.words[totalAt] = table.floats[at + LATEST] === period ? Math.max(table.words[totalAt]!, count) : count
  table.floats[at + LATEST] = period
  table.floats[at + EXPIRES] = Math.min(period + PERIOD_MS_MAX, now + PERIOD_MS_MAX)
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

function nameOf(table: CounterTable, entry: number): string {
  const { low, high } = table.keyOf(entry)
  const owner = table.ownerOf(entry)
  return (owner === NOBODY ? '' : `${hex(owner)}.`) + hex(low) + hex(high)
}

function totalOf(table: CounterTable, entry: number): number {
  return table.words[entry * ENTRY_WORDS + TOTAL]!
}

function wordOf(text: string): number {
  return Number.parseInt(text, 16) | 0
}

function hex(word: number): string {
  return (word >>> 0).toString(16).padStart(8, '0')
}

/** By its length a period is a day, a week or a month of UTC, unless it does not begin where those do. */
function suffixOf(start: number, end: number): string {
  const days = Math.round((end - start) / 86_400_000)
  const kind = days === 1 ? 'd' : days === 7 ? 'w' : 'm'
  return periodStart(kind, start) === start ? kind : 'z'
}
