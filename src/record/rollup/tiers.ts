/** The times that rollups count: minutes, hours and days (UTC). */

const HOUR_MS = 3_600_000
export const MINUTE_MS = 60_000
export const DAY_MS = 24 * HOUR_MS

export interface Tier {
  readonly widthMs: number
  /** How long after its start such a rollup is kept, milliseconds. */
  readonly keptMs: number
}

/** Narrowest first. */
export const TIERS: readonly Tier[] = [
  { widthMs: MINUTE_MS, keptMs: 48 * HOUR_MS },
  { widthMs: HOUR_MS, keptMs: 35 * DAY_MS },
  { widthMs: DAY_MS, keptMs: 400 * DAY_MS },
]

/** A minute that has just ended its time may still be asked for by a question that was put before. */
const SPARE_MS = HOUR_MS

/** How long rollups of a width are kept, milliseconds. */
export function keptMs(widthMs: number): number {
  return TIERS.find((tier) => tier.widthMs === widthMs)!.keptMs
}

/** Before which start the rollups of each width are deleted. */
export function forgottenBefore(nowMs: number): readonly (readonly [widthMs: number, startMs: number])[] {
  return TIERS.map(({ widthMs, keptMs }) => [widthMs, nowMs - keptMs - SPARE_MS])
}

/** The start of the time of a width that holds a moment. */
export function startOf(timeMs: number, widthMs: number): number {
  return Math.floor(timeMs / widthMs) * widthMs
}

export interface Range {
  readonly fromMs: number
  readonly toMs: number
}

/** A time without gaps whose rollups of one width are added up. */
export interface Piece extends Range {
  readonly widthMs: number
}

/** Start of the first rollup of a width that can be read, milliseconds since the epoch. */
export type KeptSince = (widthMs: number) => number

/** The range, extended to full minutes, hours or days: at each end the narrowest width whose rollups lead there without a gap. */
export function alignedRange({ fromMs, toMs }: Range, keptSince: KeptSince): Range {
  const from = TIERS.find(({ widthMs }) => startOf(fromMs, widthMs) >= keptSince(widthMs)) ?? TIERS.at(-1)!
  const startMs = startOf(fromMs, from.widthMs)
  const to = TIERS.find(({ widthMs }, index) => {
    const wider = TIERS[index + 1]
    // Narrow rollups begin where the last wide one has ended, or with the range
    return wider === undefined || Math.max(startMs, startOf(toMs, wider.widthMs)) >= keptSince(widthMs)
  })!
  return { fromMs: startMs, toMs: -startOf(-toMs, to.widthMs) }
}

/**
 * The fewest rollups that add up to a range; null if there are none that do, because narrow ones are not kept so long.
 * Days are taken also where they are not kept any more.
 * @param range aligned by {@link alignedRange}
 * @param unitMs width of the points that are asked for, of which a rollup may not cover two; null for none
 */
export function piecesOf(range: Range, keptSince: KeptSince, unitMs: number | null): readonly Piece[] | null {
  const pieces: { widthMs: number; fromMs: number; toMs: number }[] = []
  for (let at = range.fromMs; at < range.toMs; ) {
    const tier = TIERS.findLast(
      ({ widthMs }) =>
        at % widthMs === 0 &&
        at + widthMs <= range.toMs &&
        (widthMs === DAY_MS || at >= keptSince(widthMs)) &&
        (unitMs === null || unitMs % widthMs === 0),
    )
    if (tier === undefined) return null
    const last = pieces.at(-1)
    if (last?.widthMs === tier.widthMs) last.toMs += tier.widthMs
    else pieces.push({ widthMs: tier.widthMs, fromMs: at, toMs: at + tier.widthMs })
    at += tier.widthMs
  }
  return pieces
}
