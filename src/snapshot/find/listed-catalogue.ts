/** Catalogues after the guardrails of the leg `list`. */
import type { Plain } from '../../base/json/plain.ts'
import { listedItem } from '../../guardrails/listed.ts'
import type { Chain } from '../../guardrails/rule.ts'
import { Tally } from '../../guardrails/tally.ts'
import { type CapabilityType, KEY_OF } from '../../model/mcp/capability.ts'
import type { CatalogueFragment } from '../fragments.ts'

/** The items of one catalogue under one chain of rules. */
export interface ListedCatalogue {
  /** What was found in the items of each type that were asked for so far. */
  readonly tallies: Readonly<Record<CapabilityType, Tally>>
  /** The item as lists have it; null for one that is left out. */
  of(type: CapabilityType, item: Plain): Plain | null
}

/** Chains that are kept for a catalogue: virtual MCPs with the same rules share one. */
const CHAINS_MAX = 8

const known = new WeakMap<CatalogueFragment, { readonly chain: Chain; readonly listed: ListedCatalogue }[]>()

/** Items are judged once, for as long as neither the catalogue nor the rules change. */
export function listedCatalogue(catalogue: CatalogueFragment, chain: Chain): ListedCatalogue {
  const before = known.get(catalogue) ?? []
  const same = before.find((one) => isSame(one.chain, chain))
  if (same !== undefined) return same.listed
  const listed = listedBy(chain)
  known.set(catalogue, [...before.slice(1 - CHAINS_MAX), { chain, listed }])
  return listed
}

function listedBy(chain: Chain): ListedCatalogue {
  const tallies = {
    tools: new Tally(),
    prompts: new Tally(),
    resources: new Tally(),
    resource_templates: new Tally(),
  }
  const judged = new Map<string, Plain | null>()
  return {
    tallies,
    of(type, item) {
      const name = `${type} ${String(item[KEY_OF[type]])}`
      const before = judged.get(name)
      if (before !== undefined) return before
      const after = listedItem(chain, item, KEY_OF[type], tallies[type])
      judged.set(name, after)
      return after
    },
  }
}

function isSame(one: Chain, other: Chain): boolean {
  return one.length === other.length && one.every((rule, index) => rule === other[index])
}
