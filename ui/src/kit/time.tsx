/** A time as people say it, with the exact time as its title. */
export function Time({ value, now = Date.now() }: { value: string; now?: number }) {
  const date = new Date(value)
  if (Number.isNaN(date.getTime())) return <span>{value}</span>
  return (
    <time dateTime={value} title={value} className="whitespace-nowrap tabular-nums">
      {agoOf(date.getTime(), now)}
    </time>
  )
}

const UNITS: readonly (readonly [unit: Intl.RelativeTimeFormatUnit, ms: number])[] = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
  ['second', 1000],
]
const DAYS_MAX = 14
const FORMAT = new Intl.RelativeTimeFormat('en', { numeric: 'auto', style: 'short' })

/** `3 min. ago`, `in 2 days`, and the date if it is more than two weeks away. Milliseconds since 1970. */
function agoOf(time: number, now: number): string {
  const distance = time - now
  if (Math.abs(distance) > DAYS_MAX * 86_400_000) return new Date(time).toISOString().slice(0, 10)
  const [unit, ms] = UNITS.find(([, size]) => Math.abs(distance) >= size) ?? UNITS.at(-1)!
  return FORMAT.format(Math.round(distance / ms), unit)
}
