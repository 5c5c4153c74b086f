/**
 * The periods of calendar quotas. A quota keeps the counts of its last 8 periods (`periods.ts`), in its table entry
 * and in `records.db`, so that a clock that comes back finds them, also after a restart.
 */

const DAY_MS = 86_400_000
/** Local time is at most this far from UTC. */
const OFFSET_MS_MAX = 16 * 3_600_000

/** The periods of one time zone. Keeps the one that was asked for last, so that a request makes no Date. */
export class Calendar {
  readonly #kind: PeriodKind
  readonly #format: Intl.DateTimeFormat | null
  /** Of the period that {@link at} found, milliseconds since the epoch: from `start` on, and before `end`. */
  start = 0
  end = 0

  /** @param timezone IANA name, or null for UTC. */
  constructor(kind: PeriodKind, timezone: string | null) {
    this.#kind = kind
    this.#format =
      timezone === null
        ? null
        : new Intl.DateTimeFormat('en', {
            timeZone: timezone,
            calendar: 'gregory',
            numberingSystem: 'latn',
            year: 'numeric',
            month: 'numeric',
            day: 'numeric',
          })
  }

  /** Finds the period that holds `now`. */
  at(now: number): void {
    if (now >= this.start && now < this.end) return
    if (this.#format === null) {
      this.start = periodStart(this.#kind, now)
      this.end = periodEnd(this.#kind, this.start)
      return
    }
    const first = periodStart(this.#kind, this.#localDay(now))
    this.start = this.#firstOf(first)
    this.end = this.#firstOf(periodEnd(this.#kind, first))
  }

  /** The local date, as 00:00 UTC of that date. */
  #localDay(time: number): number {
    const found = { year: 0, month: 0, day: 0 }
    for (const { type, value } of this.#format!.formatToParts(time))
      if (type === 'year' || type === 'month' || type === 'day') found[type] = Number(value)
    return Date.UTC(found.year, found.month - 1, found.day)
  }

  /** When a local date begins: not always at 00:00, as a clock may be set forward at midnight. */
  #firstOf(day: number): number {
    let before = day - OFFSET_MS_MAX - DAY_MS
    let within = day + OFFSET_MS_MAX
    while (within - before > 1) {
      const middle = Math.floor((before + within) / 2)
      if (this.#localDay(middle) >= day) within = middle
      else before = middle
    }
    return within
  }
}

/** Calendars of all time zones. */
export class Calendars {
  readonly #days = new Calendar('d', null)
  readonly #weeks = new Calendar('w', null)
  readonly #months = new Calendar('m', null)
  /** By time zone and length of the period. */
  readonly #others = new Map<string, Calendar>()

  /** @param timezone IANA name, or null for UTC @param windowMs of a quota */
  of({ timezone, windowMs }: { readonly timezone: string | null; readonly windowMs: number }): Calendar {
    const kind = periodKindOf(windowMs)
    if (timezone === null) return kind === 'd' ? this.#days : kind === 'w' ? this.#weeks : this.#months
    const name = `${kind} ${timezone}`
    let calendar = this.#others.get(name)
    if (calendar === undefined) {
      calendar = new Calendar(kind, timezone)
      this.#others.set(name, calendar)
    }
    return calendar
  }
}

/** Calendar periods of quotas in UTC: days from 00:00, weeks from Monday, months from the 1st. */
export type PeriodKind = 'd' | 'w' | 'm'

const WEEK_MS = 7 * DAY_MS
/** 1970-01-01 was a Thursday, three days into its week. */
const EPOCH_INTO_WEEK_MS = 3 * DAY_MS

/** The period that a quota's window means. */
function periodKindOf(windowMs: number): PeriodKind {
  return windowMs === DAY_MS ? 'd' : windowMs === WEEK_MS ? 'w' : 'm'
}

/** Start of the period that holds `now`, milliseconds since the epoch. */
function periodStart(kind: PeriodKind, now: number): number {
  if (kind === 'd') return now - mod(now, DAY_MS)
  if (kind === 'w') return now - mod(now + EPOCH_INTO_WEEK_MS, WEEK_MS)
  const date = new Date(now)
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), 1)
}

/** End of the period that starts at `start`. */
function periodEnd(kind: PeriodKind, start: number): number {
  if (kind === 'd') return start + DAY_MS
  if (kind === 'w') return start + WEEK_MS
  const date = new Date(start)
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 1)
}

function mod(value: number, by: number): number {
  return ((value % by) + by) % by
}
