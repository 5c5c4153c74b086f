import { createEpochCell } from './ended-ids.ts'
import { createKeptValueMemory } from './kept-values.ts'
import { createKeyMemory } from './key-memory.ts'
import { createTombstoneCells } from './tombstones.ts'

/** The memory that the main thread and the gateway threads share for what they remember together. */
export interface SharedCells {
  /** Ended MCP sessions. */
  readonly tombstones: SharedArrayBuffer
  /** Tokens that may be used once. */
  readonly usedTokens: SharedArrayBuffer
  /** Replies to MCP questions that were used. */
  readonly usedReplies: SharedArrayBuffer
  /** Proofs of callers that were verified. */
  readonly proofs: SharedArrayBuffer
  /** Values that workflows keep. */
  readonly keptValues: SharedArrayBuffer
  /** Grants of people that were revoked while tokens of them may still live. */
  readonly endedGrants: SharedArrayBuffer
  /** How often the end of one was not remembered, for want of a place. */
  readonly endedEpoch: SharedArrayBuffer
}

const REPLIES_MAX = 65_536
const PROOFS_MAX = 65_536
const GRANTS_MAX = 65_536

/** The system gives this memory to the process as it is used. */
export function createSharedCells(): SharedCells {
  return {
    tombstones: createTombstoneCells(),
    usedTokens: createKeyMemory(),
    usedReplies: createKeyMemory(REPLIES_MAX),
    proofs: createKeyMemory(PROOFS_MAX),
    keptValues: createKeptValueMemory(),
    endedGrants: createKeyMemory(GRANTS_MAX),
    endedEpoch: createEpochCell(),
  }
}
