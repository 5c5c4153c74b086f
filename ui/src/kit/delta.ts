/** How a figure compares with the period before, in words; null if there is nothing to compare with. */
export function deltaOf(now: number | null, before: number | null): string | null {
  if (now === null || before === null || before === 0) return null
  const change = (now - before) / before
  if (Math.abs(change) < 0.005) return 'as before'
  const percent =
    Math.abs(change) >= 10 ? `${(1 + change).toFixed(0)} times` : `${Math.round(Math.abs(change) * 100)} %`
  if (Math.abs(change) >= 10) return `${percent} as before`
  return change > 0 ? `${percent} more than before` : `${percent} less than before`
}
