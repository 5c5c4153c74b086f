const UNIT_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

/** Durations on the wire: a whole number and a unit, such as `200ms`, `30s`, `1m`, `24h`, `30d`. */
export const DURATION_PATTERN = /^([1-9][0-9]{0,8})(ms|s|m|h|d)$/

/** Milliseconds of a duration string. Throws a RangeError when the text is not one (callers parse first). */
export function toMs(duration: string): number {
  const match = DURATION_PATTERN.exec(duration)
  if (match === null) throw new RangeError(`"${duration}" is not a duration such as 30s, 1m, 24h or 30d`)
  return Number(match[1]) * UNIT_MS[match[2] as keyof typeof UNIT_MS]
}
