import { createKeyMemory, openKeyMemory } from '../../src/shared-state/memory/key-memory.ts'
import type { Once, Tombstones } from '../../src/shared-state/ports/memory.ts'

/** What the doors of MCP remember together, for a door that one thread alone answers. */
export function createSessionMemory(): { readonly tombstones: Tombstones; readonly usedReplies: Once } {
  return { tombstones: createTombstones(), usedReplies: openKeyMemory(createKeyMemory(1024)) }
}

/** Tombstones of a door that one thread alone answers. */
export function createTombstones(): Tombstones {
  const ended = new Set<string>()
  return { add: (hashedId) => void ended.add(hashedId), has: (hashedId) => ended.has(hashedId) }
}
