/** What a guardrail found in calls, from the hits of their records. */

interface Hit {
  /** Id of the guardrail. */
  readonly rule: string
  readonly detector: string
  readonly leg: string
  readonly action: string
  readonly observed: boolean
  readonly count: number
}

export interface Finding {
  readonly key: string
  readonly detector: string
  readonly leg: string
  readonly action: string
  readonly observed: boolean
  /** In which it was found. */
  readonly calls: number
  /** Values that were found. */
  readonly values: number
}

/** Findings of one guardrail by detector, leg and action, the most calls first. @param rule its id */
export function findingsOf(
  records: readonly { readonly guardrail_hits: readonly Hit[] | null }[],
  rule: string,
): readonly Finding[] {
  const found = new Map<string, Finding>()
  for (const { guardrail_hits: hits } of records) {
    const seen = new Set<string>()
    for (const { rule: of, detector, leg, action, observed, count } of hits ?? []) {
      if (of !== rule) continue
      const key = [detector, leg, action, observed].join(' ')
      const before = found.get(key) ?? { key, detector, leg, action, observed, calls: 0, values: 0 }
      found.set(key, {
        ...before,
        calls: before.calls + (seen.has(key) ? 0 : 1),
        values: before.values + count,
      })
      seen.add(key)
    }
  }
  return [...found.values()].sort((one, other) => other.calls - one.calls || other.values - one.values)
}
