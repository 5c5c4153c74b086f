/**
 * When this node last knew that it had everything in force that the database had committed. With `POSTERN_STALE_MAX`, a node without
 * such a contact for so long serves nothing: something may have been revoked that it has not heard of. Time counts by the wall clock and by
 * the time that has passed, whichever is later: a machine that was suspended, and one whose clock was set, refuse alike.
 */
import type { Clock } from '../../base/clock.ts'

/** Milliseconds. */
export interface Moment {
  readonly wall: number
  /** Of a clock that all threads of the process share, and that nobody sets. */
  readonly passed: number
}

export function momentOf(clock: Pick<Clock, 'now'>): Moment {
  return { wall: clock.now(), passed: Number(process.hrtime.bigint() / 1_000_000n) }
}

/** Two times in shared memory, at which the contact becomes stale. Before the first contact, it is. */
export function createContactMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(2 * Float64Array.BYTES_PER_ELEMENT)
}

/** Notes a contact. @param since before the database was asked @param staleMaxMs for how long it counts */
export function renewContact(memory: SharedArrayBuffer, since: Moment, staleMaxMs: number): void {
  const until = new Float64Array(memory)
  until[0] = since.wall + staleMaxMs
  until[1] = since.passed + staleMaxMs
}

/** Tells whether the contact still counts. */
export function contactCheck(memory: SharedArrayBuffer, clock: Pick<Clock, 'now'>): () => boolean {
  const until = new Float64Array(memory)
  return () => {
    const { wall, passed } = momentOf(clock)
    return wall < until[0]! && passed < until[1]!
  }
}
