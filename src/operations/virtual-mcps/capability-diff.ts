import type { Plain } from '../../base/plain.ts'
import type { CapabilityType } from '../../model/capability.ts'
import { approvable } from '../../model/capability-drift.ts'
import { diffOf } from '../engine/diff.ts'
import type { DiffEntry } from '../engine/write-options.ts'

/**
 * What has changed in an item since it was approved, member by member; values over 8,192 characters of JSON are named by their
 * length. Members that approval is not about are left out. Without one of the two, the item is added or removed: each of its members is.
 */
export function capabilityDiff(
  type: CapabilityType,
  approved: Plain | undefined,
  current: Plain | undefined,
): DiffEntry[] {
  if (approved !== undefined && current !== undefined)
    return diffOf(approvable(type, approved), approvable(type, current))
  if (current !== undefined) return diffOf({}, approvable(type, current))
  return approved === undefined ? [] : diffOf(approvable(type, approved), {})
}
