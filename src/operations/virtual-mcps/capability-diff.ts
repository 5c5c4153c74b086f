import type { Plain } from '../../base/json/plain.ts'
import type { DriftType } from '../../model/mcp/capability.ts'
import { inReadingOrder } from '../../model/mcp/capability-drift.ts'
import { diffOf } from '../engine/diff.ts'
import type { DiffEntry } from '../engine/write-options.ts'

/**
 * What has changed in an item since it was approved, member by member; values over 8,192 characters of JSON are named by their
 * length. Without one of the two, the item is added or removed: each of its members is.
 */
export function capabilityDiff(
  type: DriftType,
  approved: Plain | undefined,
  current: Plain | undefined,
): DiffEntry[] {
  const ordered = (item: Plain | undefined): Plain =>
    item === undefined || type === 'instructions' || type === 'metadata'
      ? (item ?? {})
      : inReadingOrder(type, item)
  return diffOf(ordered(approved), ordered(current))
}
