/** What a guardrail applies to, and what it found in calls, from the hits of their records. */
import type { JsonObject } from '../../../build/document.ts'

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

/** Kinds of places that a guardrail names: one of them, and several. */
const PLACES = [
  ['collections', 'collection', 'collections'],
  ['proxies', 'proxy', 'proxies'],
  ['virtual_mcps', 'virtual MCP', 'virtual MCPs'],
  ['origins', 'origin', 'origins'],
] as const

/** Where a guardrail applies: `virtual MCPs support-desk, shopping`. */
export function scopeWords({ scope }: JsonObject): string {
  const places = (scope ?? {}) as Readonly<Record<string, readonly string[] | boolean>>
  if (places['everywhere'] === true) return 'everywhere'
  return PLACES.flatMap(([member, one, several]) => {
    const slugs = (places[member] ?? []) as readonly string[]
    return slugs.length === 0 ? [] : [`${slugs.length === 1 ? one : several} ${slugs.join(', ')}`]
  }).join('; ')
}
