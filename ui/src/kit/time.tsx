import { agoOf } from './ago.ts'

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
