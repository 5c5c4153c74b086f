import type { ChangeRequest } from '../../model/access/approval.ts'
import type { Fields, TimeOrder } from './resource.ts'

/** A thing that a change request touches, as it was when that was asked for. */
export interface RequestTouch {
  /** A type of resources; or `keys`, `records`, `settings` for what is none. */
  readonly type: string
  /** Null for what is none, and for what it would make. */
  readonly id: string | null
  readonly slug: string | null
  readonly parent: string | null
  readonly tags: readonly string[]
  /** Revision before; null for what it would make. */
  readonly revision: number | null
}

/** A write that waits for another person, or did, without what was sent. Times in milliseconds since the epoch. */
export interface ChangeRequestFacts
  extends Omit<ChangeRequest, 'diff_entries' | 'created_at' | 'expires_at' | 'decided_at'> {
  /** Whoever asks again under this name for the same asks for this. */
  readonly asker: string
  /** Of the operation and all it was called with. */
  readonly fingerprint: string
  /** Of what it would do: the same request about another state is another one. */
  readonly base: string
  readonly touches: readonly RequestTouch[]
  /** Set where the diff shows every value whole. Requests of earlier versions may name values by their length. */
  readonly is_whole?: true
  /** Whether the diff says what would be done, or only what would be affected. */
  readonly is_foretold: boolean
  /** What narrowed the requester then, in addition to what they may do; null for nothing. */
  readonly ceiling: readonly Fields[] | null
  readonly auth_method: string
  /** Where it came from, as for the trail. */
  readonly via: Fields
  readonly created_at: number
  readonly expires_at: number
  readonly decided_at: number | null
}

export interface StoredChangeRequest extends ChangeRequestFacts {
  /** Input and options of the write; null once it has come to its end. */
  readonly sealed: string | null
}

export interface ChangeRequestReader {
  changeRequest(id: string): Promise<StoredChangeRequest | undefined>
  /** By creation, the newest first unless another order is asked for. */
  changeRequests(query: {
    readonly limit: number
    readonly order?: TimeOrder
    /** Id of the last one of the page before. */
    readonly last?: string
    readonly asker?: string
  }): Promise<readonly ChangeRequestFacts[]>
  /** Those that are not decided, or approved and not carried out. */
  pendingChangeRequests(asker?: string): Promise<readonly ChangeRequestFacts[]>
  /** Characters that are kept of what somebody has sent. */
  pendingSize(asker: string): Promise<number>
}

export interface ChangeRequestWriter {
  /** Makes it, or replaces what was there. */
  putChangeRequest(request: StoredChangeRequest): Promise<void>
  /** Forgets those that came to their end before a time, in milliseconds since the epoch. */
  forgetChangeRequests(before: number): Promise<void>
}
