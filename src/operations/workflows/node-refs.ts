import { REFERENCES } from '../../nodes/known.ts'
import type { RefField } from '../engine/kind-schema.ts'

/**
 * References of the nodes of a definition: stored as ids, and held against the deletion of what they name.
 * @param member Of the spec, that has the definition.
 */
export function nodeRefs(member: string): readonly RefField[] {
  return Object.entries(REFERENCES).map(([field, type]) => ({
    field,
    type,
    within: [member, 'nodes', 'config'],
    isInner: true,
  }))
}
