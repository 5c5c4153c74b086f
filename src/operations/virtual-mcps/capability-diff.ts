import type { Plain } from '../../base/plain.ts'
import type { CapabilityType } from '../../model/capability.ts'
import { approvable } from '../../model/capability-drift.ts'
import { diffOf } from '../engine/diff.ts'
import type { DiffEntry } from '../engine/write-options.ts'

/**
 * What has changed in an item since it was approved, member by member; values over 8,192 characters of JSON are named by their
 * length. Members that approval is not about are left out.
 */
export function capabilityDiff(type: CapabilityType, approved: Plain, current: Plain): DiffEntry[] {
  return diffOf(approvable(type, approved), approvable(type, current))
}
