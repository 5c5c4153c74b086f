/** What a list of records shows: its range of time, records that have come since, and the input of an export of it. */
import { one, type Search } from '../../app/search.ts'

// Relative times of a list, such as `from=-1h`, and links that keep what they show.

export interface Range {
  readonly from: string
  readonly label: string
}

export const RANGES: readonly Range[] = [
  { from: '-15m', label: 'Last 15 minutes' },
  { from: '-1h', label: 'Last hour' },
  { from: '-24h', label: 'Last 24 hours' },
  { from: '-7d', label: 'Last 7 days' },
]

/** Milliseconds of the units that durations of Management REST have. */
const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** A time of a filter as an RFC 3339 time. Text that is not relative stays as it is. `now`: milliseconds since 1970. */
function pinnedTime(text: string, now: number): string {
  if (text === 'now') return new Date(now).toISOString()
  const [, count, unit = ''] = /^-([1-9][0-9]{0,8})(ms|s|m|h|d)$/.exec(text) ?? []
  if (count === undefined) return text
  return new Date(Math.max(0, now - Number(count) * UNIT_MS[unit]!)).toISOString()
}

/** The same view with absolute times: whoever opens the link later sees the same entries. `now`: milliseconds since 1970. */
export function pinned(search: Search, now: number): Search {
  const { live: _live, cursor: _cursor, ...rest } = search
  const from = one(search['from'])
  return {
    ...rest,
    ...(from !== undefined && { from: pinnedTime(from, now) }),
    to: pinnedTime(one(search['to']) ?? 'now', now),
  }
}

// What a live list shows: records that have come are either shown, or wait while the list is paused.

export interface Tail<T> {
  /** Newest first. */
  readonly shown: readonly T[]
  /** Came while the list was paused; newest first. */
  readonly waiting: readonly T[]
  readonly isPaused: boolean
  /** Records came faster than they could be followed: the stored list has all of them. */
  readonly missed: boolean
}

/** Rows that a page keeps of those that it followed. */
export const KEPT_MAX = 2000

export const EMPTY_TAIL: Tail<never> = { shown: [], waiting: [], isPaused: false, missed: false }

/** @param items oldest first, as the server answers them */
export function received<T>(tail: Tail<T>, items: readonly T[], missed: boolean): Tail<T> {
  if (items.length === 0 && !missed) return tail
  const newest = items.toReversed()
  const next = { ...tail, missed: tail.missed || missed }
  return tail.isPaused
    ? { ...next, waiting: [...newest, ...tail.waiting].slice(0, KEPT_MAX) }
    : { ...next, shown: [...newest, ...tail.shown].slice(0, KEPT_MAX) }
}

export function paused<T>(tail: Tail<T>): Tail<T> {
  return tail.isPaused ? tail : { ...tail, isPaused: true }
}

export function resumed<T>(tail: Tail<T>): Tail<T> {
  return {
    ...tail,
    isPaused: false,
    shown: [...tail.waiting, ...tail.shown].slice(0, KEPT_MAX),
    waiting: [],
  }
}

/** Words of the button that shows the state. */
export function wordsOf({ isPaused, waiting }: Tail<unknown>): string {
  if (!isPaused) return 'Live'
  const count = waiting.length >= KEPT_MAX ? `${KEPT_MAX} or more` : String(waiting.length)
  return `Paused, ${count} new`
}

/** Members of the view that are no filters. */
const VIEW = ['record', 'entry', 'live', 'order', 'limit', 'cursor', 'fields', 'bodies']

/** Input of `exports.create` for what a list shows. The filter of audit entries by reason has another name there. */
export function exportInput(
  of: 'records' | 'audit',
  format: string,
  search: Search,
): Readonly<Record<string, unknown>> {
  const filters = Object.entries(search)
    .filter(([name]) => !VIEW.includes(name))
    .map(([name, value]) => [of === 'audit' && name === 'reason' ? 'with_reason' : name, value])
  return { of, format, ...Object.fromEntries(filters) }
}
