/**
 * Sessions that were ended. Several threads answer, so whoever wires them tells each `add` to the others. A
 * forgotten tombstone lets an ended id be used again by its own principal, which gains it nothing.
 */
export interface Tombstones {
  add(hashedId: string): void
  has(hashedId: string): boolean
}

/** Ended sessions that are remembered; at the bound the oldest is forgotten. */
const TOMBSTONES_MAX = 16_384

/** @param told called for each session that ended here, to pass it on to the other threads' `learn`. */
export function createTombstones(
  told: (hashedId: string) => void = () => {},
): Tombstones & { learn(hashedId: string): void } {
  const ended = new Set<string>()
  function learn(hashedId: string): void {
    ended.add(hashedId)
    if (ended.size > TOMBSTONES_MAX) ended.delete(ended.values().next().value!)
  }
  return {
    learn,
    add(hashedId) {
      learn(hashedId)
      told(hashedId)
    },
    has: (hashedId) => ended.has(hashedId),
  }
}
