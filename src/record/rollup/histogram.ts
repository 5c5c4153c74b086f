/** Durations in steps of growing width, as rollups keep them: few enough to be stored for each hour and endpoint. */

/** Four steps of {@link Latency}: the middle of a step is within 4.1 % of what fell into it. */
const GROWTH = 1.02 ** 4
const SMALLEST_MS = 0.01
/** Up to more than an hour; what takes longer counts as that. */
export const STEPS = 256

/** The step of a duration in milliseconds. */
export function stepOf(ms: number): number {
  if (ms <= SMALLEST_MS) return 0
  return Math.min(STEPS - 1, Math.ceil(Math.log(ms / SMALLEST_MS) / Math.log(GROWTH)))
}

/**
 * The duration that this part (0 to 1) does not exceed, milliseconds within 5 %; null when nothing was counted.
 * @param counts of each step
 */
export function percentileOf(counts: Float64Array, part: number): number | null {
  const all = counts.reduce((sum, count) => sum + count, 0)
  if (all === 0) return null
  const rank = Math.max(1, Math.ceil(part * all))
  let seen = 0
  const step = counts.findIndex((count) => {
    seen += count
    return seen >= rank
  })
  return step === 0 ? SMALLEST_MS : Number((SMALLEST_MS * GROWTH ** (step - 0.5)).toPrecision(3))
}
