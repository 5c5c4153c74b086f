/** Relative times of a list, such as `from=-1h`, and links that keep what they show. */
import { one, type Search } from '../../app/search.ts'

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
