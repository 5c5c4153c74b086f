/** Calendar periods of quotas in UTC: days from 00:00, weeks from Monday, months from the 1st. */
export type PeriodKind = 'd' | 'w' | 'm'

const DAY_MS = 86_400_000
const WEEK_MS = 7 * DAY_MS
/** 1970-01-01 was a Thursday, three days into its week. */
const EPOCH_INTO_WEEK_MS = 3 * DAY_MS

/** The period that a quota's window means. */
export function periodKindOf(windowMs: number): PeriodKind {
  return windowMs === DAY_MS ? 'd' : windowMs === WEEK_MS ? 'w' : 'm'
}

/** Start of the period that holds `now`, milliseconds since the epoch. */
export function periodStart(kind: PeriodKind, now: number): number {
  if (kind === 'd') return now - mod(now, DAY_MS)
  if (kind === 'w') return now - mod(now + EPOCH_INTO_WEEK_MS, WEEK_MS)
  const date = new Date(now)
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), 1)
}

/** End of the period that starts at `start`. */
export function periodEnd(kind: PeriodKind, start: number): number {
  if (kind === 'd') return start + DAY_MS
  if (kind === 'w') return start + WEEK_MS
  const date = new Date(start)
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 1)
}

function mod(value: number, by: number): number {
  return ((value % by) + by) % by
}
