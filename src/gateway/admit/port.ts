/** What requests, the recorder and operations use of the counters of limits. */
import type { LimitPlan, PlannedLimit } from '../../snapshot/find/limit-plan.ts'
import type { LeaseState } from './leases.ts'
import type { QuotaCounts } from './quota-counts.ts'
import type { Failures } from './source-counts.ts'

/**
 * Limits of all gateway threads, and the failed authentications of each source.
 *
 * 1. A rate never admits more than its max in any trailing window, over all threads; a rate with a burst never more than
 *    the burst and what was refilled in the window.
 * 2. All limits of a request are looked at and counted under their locks at once: all of them, or none.
 * 3. A limit whose counter finds no place in the table refuses (fail closed), unless it only observes.
 * 4. What callers choose lives in tables of its own: neither failed authentications nor invented header values push
 *    out the counters of clients. Values count for the share of the client that sends them, so that it is refused itself.
 * 5. Running calls are counted for each thread. When a thread ends, in whatever way, its places are free again.
 */
export interface Counters extends Failures, QuotaCounts {
  /**
   * How many nodes count beside each other without a common counter, this one included; 1 at first. All threads see it at their next
   * request. Each node admits its part of every limit from then on (see node-parts.ts). Throws RangeError for less than one.
   */
  setNodes(nodes: number): void
  readonly nodes: number
  /** The plan as this node enforces it: what {@link take}, and all that is said of its limits, is given. */
  partOf(plan: LimitPlan): LimitPlan
  /** Names the counter of a limit that depends on the request; before {@link take}, for each of `plan.keyed`. */
  key(index: number, low: number, high: number): void
  /**
   * Takes from every limit of the plan, or nothing. -1 when admitted, else the index of the first limit that refuses. `ask` when
   * a lease is missing: then nothing is taken, it was asked for, and {@link ask} comes first.
   * @param isLast a missing lease refuses
   */
  take(plan: LimitPlan, now: number, isLast?: boolean): number | 'ask'
  /** Waits for the leases that {@link take} has just asked for. Resolves when it can tell more, and never rejects. */
  ask(): Promise<void>
  /** Whether limits are counted in Valkey: see leases.ts. */
  readonly leaseState: LeaseState
  setLeaseState(state: LeaseState): void
  /** After {@link take}: what is left of a limit, and milliseconds until more is. */
  remaining(index: number): number
  resetMs(index: number): number
  /** After {@link take}: a limit that only observes would have refused. */
  wouldRefuse(index: number): boolean
  /** True when the last refusal came from a table without a free place. */
  readonly wasFull: boolean
  /** True when the last refusal came from a quota of which this node has used up its share, and others have not used up theirs. */
  readonly wasShort: boolean
  /** After {@link take} has admitted: what is to be settled when the answer has ended; for plans that hold something. */
  hold(plan: LimitPlan): HeldLimits
  /**
   * Ends what was held, once: gives back what was under way, and what was counted for a status that does not count.
   * @param status what the caller was sent; 0 when it left before, which counts.
   */
  release(heldLimits: HeldLimits, status: number): void
  /** A number that changes whenever something under way has ended in any thread. */
  readonly released: number
  /** Resolves when {@link released} is no longer `seen`, or after `timeoutMs`. */
  untilReleased(seen: number, timeoutMs: number): Promise<void>
  /** What a counter holds; null when nothing was counted yet. Takes nothing. */
  read(planned: PlannedLimit, now: number): Reading | null
  /** Gives back what a thread held when it ended. Call it before another starts under its slot. */
  releaseDead(slot: number): void
  readonly facts: { readonly full: number; readonly brokenLocks: number }
}

/** What one request holds of its limits. */
export type HeldLimits = readonly HeldLimit[]

export interface HeldLimit {
  readonly planned: PlannedLimit
  readonly low: number
  readonly high: number
  /** When it was counted, in the time of its counter. */
  readonly time: number
  /** Of the lease that it was taken from; 0 where it was from none. */
  readonly slot: number
  readonly era: number
}

export interface Reading {
  readonly used: number
  /** What this node admits now. */
  readonly remaining: number
  /** Until more is left; 0 when all is. */
  readonly resetMs: number
  /** Requests that it refused, or would have, since the counter began, on this node. */
  readonly refused: number
  /** What this node counted of `used`. */
  readonly own: number
  /** What `own` may come to on this node at the moment: its part of the limit. */
  readonly ownMax: number
  /** Units that this node may use without asking Valkey; null where it is not counted there now. */
  readonly held: number | null
}
