/** Counts durations in steps of growing width. */

/** Widths grow by this factor, so that the middle of a step is within 1 % of whatever fell into it. */
const GROWTH = 1.02
const SMALLEST_MS = 0.01
/** Up to about an hour; what takes longer counts as that. */
const STEPS = 1000

/** Counts durations in steps of growing width: a few kilobytes, however many there are. */
export class Latency {
  readonly #counts = new Uint32Array(STEPS)
  #count = 0

  /** @param times how many took so long */
  add(ms: number, times = 1): void {
    const step = ms <= SMALLEST_MS ? 0 : Math.ceil(Math.log(ms / SMALLEST_MS) / Math.log(GROWTH))
    this.#counts[Math.min(STEPS - 1, step)]! += times
    this.#count += times
  }

  /** The duration that this part (0 to 1) does not exceed, milliseconds within 1 %; null when nothing was counted. */
  percentile(part: number): number | null {
    if (this.#count === 0) return null
    const rank = Math.max(1, Math.ceil(part * this.#count))
    let seen = 0
    const step = this.#counts.findIndex((count) => {
      seen += count
      return seen >= rank
    })
    return step === 0 ? SMALLEST_MS : toThreeDigits(SMALLEST_MS * GROWTH ** (step - 0.5))
  }
}

function toThreeDigits(value: number): number {
  return Number(value.toPrecision(3))
}
