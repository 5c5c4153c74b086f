/** What charts and figures say: marks on an axis of time, and how a figure compares with the period before. */

const MINUTE = 60
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
/** Seconds between two marks. */
const STEPS: readonly number[] = [
  ...[1, 5, 10, 30],
  ...[1, 5, 10, 15, 30].map((minutes) => minutes * MINUTE),
  ...[1, 2, 3, 6, 12].map((hours) => hours * HOUR),
  ...[1, 2, 7, 14, 28].map((days) => days * DAY),
]

/** Round times between two times, all in seconds since 1970, at most `max` of them. */
export function ticksOf(from: number, to: number, max: number): readonly number[] {
  const step = STEPS.find((seconds) => (to - from) / seconds <= max) ?? STEPS.at(-1)!
  const ticks = []
  for (let at = Math.ceil(from / step) * step; at <= to; at += step) ticks.push(at)
  return ticks
}

const DATE = new Intl.DateTimeFormat('en', { month: 'short', day: 'numeric', timeZone: 'UTC' })

/** `14:05`, at midnight the date: `Nov 24`. `tick`: seconds since 1970. */
export function tickLabel(tick: number): string {
  const date = new Date(tick * 1000)
  if (tick % DAY === 0) return DATE.format(date)
  return date.toISOString().slice(11, tick % MINUTE === 0 ? 16 : 19)
}

/** `Nov 24, 14:05`. `seconds`: since 1970. */
export function momentLabel(seconds: number): string {
  const date = new Date(seconds * 1000)
  return `${DATE.format(date)}, ${date.toISOString().slice(11, seconds % MINUTE === 0 ? 16 : 19)}`
}

/**
 * Places of the values that a line cannot show: those between two gaps. With the last value if it still counts.
 * @param isRunning the last place still counts
 */
export function dotsOf(values: readonly (number | null)[], isRunning: boolean): number[] {
  return values.flatMap((value, place) => {
    if (value === null) return []
    const isSingle = (values[place - 1] ?? null) === null && (values[place + 1] ?? null) === null
    return isSingle || (isRunning && place === values.length - 1) ? [place] : []
  })
}

/** The value of the period before; `none` if that period had no requests. */
export type Before = number | null | 'none'

/** How a figure compares with the period before, in words; null if it is not compared. */
export function deltaOf(now: number | null, before: Before): string | null {
  if (before === 'none') return 'no requests before'
  if (now === null || before === null) return null
  if (before === 0) return now === 0 ? 'as before' : 'none before'
  const change = (now - before) / before
  if (Math.abs(change) < 0.005) return 'as before'
  const percent =
    Math.abs(change) >= 10 ? `${(1 + change).toFixed(0)} times` : `${Math.round(Math.abs(change) * 100)} %`
  if (Math.abs(change) >= 10) return `${percent} as before`
  return change > 0 ? `${percent} more than before` : `${percent} less than before`
}
