/** Counts what the rules did to one exchange. It never contains a value. */
import { addHit, type Hits } from '../detectors/act.ts'
import type { Leg, Rule } from './rule.ts'

/** One line of a tally. */
export interface Hit {
  /** Id. */
  readonly rule: string
  readonly detector: string
  readonly leg: Leg
  /** The action of the rule; `failed` for contents that the rule could not look at. */
  readonly action: string
  /** The rule only observes: nothing was done. */
  readonly observed: boolean
  readonly count: number
}

/** Of one rule on one leg. */
export interface TallyEntry {
  readonly rule: Rule
  readonly leg: Leg
  /** By detector and kind. Detectors count into it. */
  readonly hits: Hits
  failures: number
}

export class Tally {
  readonly entries: TallyEntry[] = []

  of(rule: Rule, leg: Leg): TallyEntry {
    // A rule that a webhook decides about is another object for each answer
    const known = this.entries.find(
      (entry) => entry.rule.id === rule.id && entry.rule.action === rule.action && entry.leg === leg,
    )
    if (known !== undefined) return known
    const entry: TallyEntry = { rule, leg, hits: {}, failures: 0 }
    this.entries.push(entry)
    return entry
  }

  /** Adds what another tally has. */
  add({ entries }: Tally): void {
    for (const { rule, leg, hits, failures } of entries) {
      const entry = this.of(rule, leg)
      addHits(entry.hits, hits)
      entry.failures += failures
    }
  }

  /** What was found and what failed, in the order of the rules. */
  list(): readonly Hit[] {
    return this.entries.flatMap(({ rule, leg, hits, failures }) => {
      const line = { rule: rule.id, detector: rule.detector, leg, observed: rule.isObserved }
      const count = countOf(hits)
      return [
        ...(count > 0 ? [{ ...line, action: rule.action, count }] : []),
        ...(failures > 0 ? [{ ...line, action: 'failed', count: failures }] : []),
      ]
    })
  }
}

/** How much was found. */
export function countOf(hits: Hits): number {
  let count = 0
  for (const kinds of Object.values(hits)) for (const found of Object.values(kinds)) count += found
  return count
}

/** Adds what was found in a part to what was found before. */
export function addHits(sum: Hits, more: Hits): void {
  for (const [detector, kinds] of Object.entries(more)) {
    sum[detector] ??= {}
    for (const [kind, count] of Object.entries(kinds)) addHit(sum[detector], kind, count)
  }
}
