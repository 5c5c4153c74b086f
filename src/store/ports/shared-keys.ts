/** Idempotency keys that all nodes on one database share. */
import type { NodeIdentity } from './nodes.ts'
import type { KeyRow } from './places.ts'

/** A request that is about to be made under a key. */
interface SharedClaim {
  readonly key: string
  /** In whose room the key is. */
  readonly client: string
  /** Of the request; tells another one under the same key. */
  readonly fingerprint: string
  /** The process that makes it, and the number of the claim: no other claim has both. */
  readonly process: string
  readonly number: number
  /** The node of the process. */
  readonly node: NodeIdentity
  /** Room that the key takes without an answer. */
  readonly bytes: number
}

/** What is known of a key that cannot be claimed. */
export interface FoundKey {
  readonly fingerprint: string
  /** `open`: a live node makes the request. `cut_off`: its thread or its node has ended. */
  readonly state: 'open' | 'cut_off' | 'unkept' | 'answered'
  /** The answer; null unless `answered`. */
  readonly sealed: Uint8Array | null
}

/** How a request ended. */
interface EndedClaim extends Pick<SharedClaim, 'key' | 'process' | 'number' | 'bytes'> {
  readonly state: 'cut_off' | 'unkept' | 'answered'
  readonly sealed: Uint8Array | null
}

/**
 * The rows of keys. A row is kept for a day after its claim, and after its end. Each method rejects with StoreUnavailable while the
 * database cannot be used.
 */
export interface SharedKeyRows {
  /** Null for a key that is claimed now: of any number of claims at the same time, one gets it. */
  claim(claim: SharedClaim): Promise<FoundKey | null>
  /** Keeps how a request ended. Nothing where the key is another request's by now. */
  end(ended: EndedClaim): Promise<void>
  /** Frees the key of a request that had no effect, or was never made. */
  release(claim: Pick<SharedClaim, 'key' | 'process' | 'number'>): Promise<void>
  /** Frees the keys of a process but for these claims, and claims from `next` on: the process has not heard of what it claimed. */
  releaseOthers(process: string, next: number, claims: readonly number[]): Promise<void>
  /** Takes over the rows of a file, whose requests are over. Those that are known stay. */
  takeOver(rows: readonly (KeyRow & Pick<SharedClaim, 'client' | 'bytes'>)[]): Promise<void>
  /**
   * Deletes what has had its time. Then, while all keys take more room than `bytesMax`, deletes the oldest of the clients that take the
   * most; none whose request is under way.
   */
  trim(bytesMax: number): Promise<void>
  /** Reads a little, to find out whether the rows can be used. */
  probe(): Promise<void>
}
