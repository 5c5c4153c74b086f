/** Ids of revoked grants and ended accounts, in memory that all threads of the process share. */
import type { Claimed } from '../ports/once.ts'
import { openKeyMemory } from './key-memory.ts'

export interface EndedIds {
  /** Notes that threads were told that some id counts. Times are milliseconds since the epoch. */
  vouched(now: number): void
  /**
   * Remembers the end of an id. @param lifeMs for which a thread counts on what it was told. The clock may have been set back since: it is
   * remembered for as long after the latest time of {@link vouched} as after now
   */
  end(id: string, lifeMs: number, now: number): Claimed
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
  let latest = 0
  return {
    vouched(now) {
      latest = Math.max(latest, now)
    },
    end(id, lifeMs, now) {
      const claimed = ended.claim(id, Math.max(latest, now) + lifeMs, now)
      if (claimed === 'unavailable') Atomics.add(epoch, 0, 1)
      return claimed
    },
    has: (id, now) => ended.has(id, now),
    epoch: () => Atomics.load(epoch, 0),
  }
}
