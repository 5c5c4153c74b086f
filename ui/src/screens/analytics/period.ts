/** The time that charts show, and the period before it. Times are milliseconds since 1970. */
import { one, type Search } from '../../app/search.ts'

/** Members of the address that shape the page and are not sent to every question. */
const VIEW = ['by', 'order', 'compare', 'p99', 'limit']
const USUAL_FROM = '-24h'

const DAY_MS = 86_400_000
const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** What every question is asked with: the filters of the address, and the last 24 hours unless it says otherwise. */
export function askedOf(search: Search): Readonly<Record<string, string>> {
  const filters = Object.entries(search).flatMap(([name, value]) => {
    const text = one(value)
    return VIEW.includes(name) || text === undefined ? [] : [[name, text] as const]
  })
  return { from: USUAL_FROM, ...Object.fromEntries(filters) }
}

/** True if the time goes on: it ends now. */
export function isMoving(search: Search): boolean {
  const to = one(search['to'])
  return to === undefined || to === 'now'
}

/** Milliseconds of a width such as `15m` or `1h30m`, as the server writes it. Zero if it is not one. */
export function widthMs(width: string): number {
  return [...width.matchAll(/(\d+)(ms|s|m|h|d)/g)].reduce(
    (sum, [, count, unit]) => sum + Number(count) * (UNITS[unit!] ?? 0),
    0,
  )
}

export interface Period {
  readonly from: number
  readonly to: number
}

/**
 * The period of the same length just before, moved by whole points of `width` milliseconds, so that each of its points lies
 * below one of this period. Days are compared with whole days before, so that the hours of a day lie below each other.
 */
export function periodBefore({ from, to }: Period, width: number): Period & { readonly shift: number } {
  const start = Math.floor(from / width) * width
  const end = Math.ceil(to / width) * width
  const whole = Math.max(width, end - start)
  const days = Math.floor((to - from) / DAY_MS) * DAY_MS
  const isDays = days > 0 && DAY_MS % width === 0 && whole - days <= 2 * width
  const shift = isDays ? days : whole
  return { from: start - shift, to: Math.min(to - shift, start), shift }
}

/** A part that was chosen with the pointer, out to whole points of `width` milliseconds. */
export function brushed({ from, to }: Period, width: number): Period {
  const start = Math.floor(from / width) * width
  return { from: start, to: Math.max(start + width, Math.ceil(to / width) * width) }
}

/** Three times the time, about its middle, and not beyond `now`. */
export function zoomedOut({ from, to }: Period, now: number): Period {
  const span = to - from
  const end = Math.min(now, to + span)
  return { from: end - 3 * span, to: end }
}
