/** Counters of a policy, gathered by limit. */

interface Counted {
  readonly limit: string
  readonly used: number | null
  readonly max: number
  readonly refused: number
}

export interface LimitUsage<T> {
  readonly limit: string
  /** Counters with use or refusals, the fullest first. */
  readonly used: readonly T[]
  /** Counters that nothing has touched. */
  readonly idle: readonly T[]
}

/** Counters of each limit, in the order of the limits of the policy. Those at zero stand apart. */
export function byLimit<T extends Counted>(
  counters: readonly T[],
  limits: readonly string[],
): readonly LimitUsage<T>[] {
  const groups = Map.groupBy(counters, ({ limit }) => limit)
  const place = (limit: string): number => (limits.includes(limit) ? limits.indexOf(limit) : limits.length)
  return [...groups]
    .sort(([one], [other]) => place(one) - place(other))
    .map(([limit, own]) => {
      const isIdle = ({ used, refused }: T): boolean => used === 0 && refused === 0
      const share = ({ used, max }: T): number => (used ?? 0) / max
      return {
        limit,
        used: own.filter((one) => !isIdle(one)).sort((one, other) => share(other) - share(one)),
        idle: own.filter(isIdle),
      }
    })
}
