/** Ids of grants and of accounts at origins that count no longer, as all threads of the process know them. */
import type { Claimed } from '../ports/once.ts'
import { openKeyMemory } from './key-memory.ts'

export interface EndedIds {
  /** Remembers the end of an id until a time. Times are milliseconds since the epoch. */
  claim(id: string, until: number, now: number): Claimed
  /** True while the end of the id is remembered. */
  has(id: string, now: number): boolean
  /**
   * Grows whenever the end of an id found no place. Nobody can say then which ids have ended: what was asked of the main thread while the
   * number was another one counts no longer, and is asked again.
   */
  epoch(): number
}

/** Memory for the epoch of {@link openEndedIds}, shared by all threads. */
export function createEpochCell(): SharedArrayBuffer {
  return new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)
}

/** @param keys of createKeyMemory */
export function openEndedIds(keys: SharedArrayBuffer, epochCell: SharedArrayBuffer): EndedIds {
  const ended = openKeyMemory(keys)
  const epoch = new Int32Array(epochCell)
  return {
    claim(id, until, now) {
      const claimed = ended.claim(id, until, now)
      if (claimed === 'unavailable') Atomics.add(epoch, 0, 1)
      return claimed
    },
    has: (id, now) => ended.has(id, now),
    epoch: () => Atomics.load(epoch, 0),
  }
}
