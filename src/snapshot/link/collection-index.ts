import { NO_MOUNTS, toMounts } from '../find/mounts.ts'
import type { LinkedCollection } from '../linked/collection.ts'
import type { Snapshot } from '../snapshot.ts'
import { byId, type KindIndex } from './kind-index.ts'

const collectionsById = byId('collections')

/** Collections by id, and by the paths and hosts at which they are mounted. */
export function collectionIndex(
  before: Partial<Snapshot>,
): KindIndex<LinkedCollection, Pick<Snapshot, 'collections' | 'mounts'>> {
  const ids = collectionsById(before)
  return {
    add: ids.add,
    remove: ids.remove,
    get isChanged() {
      return ids.isChanged
    },
    members() {
      const { collections } = ids.members()
      const mounts = ids.isChanged ? toMounts(collections.values()) : (before.mounts ?? NO_MOUNTS)
      return { mounts, collections }
    },
  }
}
