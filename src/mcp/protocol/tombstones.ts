/**
 * Sessions that were ended, known to all threads that answer. A forgotten tombstone lets an ended id be used again
 * by its own principal, which gains it nothing.
 */
export interface Tombstones {
  add(hashedId: string): void
  has(hashedId: string): boolean
}

/** Ended sessions that one thread remembers; at the bound the oldest is forgotten. */
const TOMBSTONES_MAX = 16_384

/** Tombstones of a door that one thread alone answers. */
export function createTombstones(): Tombstones {
  const ended = new Set<string>()
  return {
    add(hashedId) {
      ended.add(hashedId)
      if (ended.size > TOMBSTONES_MAX) ended.delete(ended.values().next().value!)
    },
    has: (hashedId) => ended.has(hashedId),
  }
}
