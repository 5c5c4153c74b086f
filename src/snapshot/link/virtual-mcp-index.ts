import type { LinkedVirtualMcp } from '../linked/mcp.ts'
import type { Snapshot } from '../snapshot.ts'
import { CopiedMap } from './copied-map.ts'
import type { KindIndex } from './kind-index.ts'

/** Virtual MCPs by id and slug. */
export function virtualMcpIndex(
  before: Partial<Snapshot>,
): KindIndex<LinkedVirtualMcp, Pick<Snapshot, 'virtualMcps'>> {
  const map = new CopiedMap(before.virtualMcps)
  return {
    add(one) {
      map.set(one.id, one)
      map.set(one.fragment.slug, one)
    },
    remove(one) {
      map.delete(one.id, one)
      map.delete(one.fragment.slug, one)
    },
    get isChanged() {
      return map.isChanged
    },
    members: () => ({ virtualMcps: map.map }),
  }
}
