import type { Plain } from '../../base/json/plain.ts'
import { type CapabilityRules, type CapabilityType, KEY_OF } from '../../model/mcp/capability.ts'
import { itemsByKey } from '../../model/mcp/capability-drift.ts'
import { toMatch } from './capability-match.ts'

/**
 * What the public names of items are made of: the name that the first allow rule with a name projects, else what the server calls
 * the item. It does not depend on callers: an item has one public name.
 */
export function basesOf(
  type: CapabilityType,
  rules: CapabilityRules,
  items: readonly Plain[],
): { readonly key: string; readonly base: string }[] {
  const naming =
    KEY_OF[type] === 'name'
      ? (rules[type] ?? []).flatMap(({ effect, match, projection }) =>
          effect === 'allow' && projection?.name !== undefined
            ? [{ name: projection.name, matches: toMatch(type, match) }]
            : [],
        )
      : []
  return [...itemsByKey(type, items)].map(([key, item]) => ({
    key,
    base: naming.find(({ matches }) => matches(item))?.name ?? key,
  }))
}
