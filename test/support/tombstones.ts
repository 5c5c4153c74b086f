import type { Tombstones } from '../../src/mcp/protocol/tombstones.ts'

/** Tombstones of a door that one thread alone answers. */
export function createTombstones(): Tombstones {
  const ended = new Set<string>()
  return { add: (hashedId) => void ended.add(hashedId), has: (hashedId) => ended.has(hashedId) }
}
