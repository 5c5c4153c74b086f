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
