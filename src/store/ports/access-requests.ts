import type { TimeOrder } from './resource.ts'

/** What somebody asks for a client. Ids are kept, times are milliseconds since the epoch. */
export interface StoredAccessRequest {
  readonly id: string
  readonly requester: string
  /** As the requester was called then. */
  readonly requester_name: string
  readonly client: string
  readonly collections: readonly string[]
  readonly message: string
  /** An open one whose time is over is expired, whatever it says here. */
  readonly state: 'open' | 'rejected' | 'expired' | 'applied'
  readonly created_at: number
  readonly expires_at: number
  readonly decided_at: number | null
  /** Name of who decided. */
  readonly decided_by: string | null
  readonly reason: string | null
}

/** The state of a request at a moment. */
export function stateAt(
  { state, expires_at }: StoredAccessRequest,
  now: number,
): StoredAccessRequest['state'] {
  return state === 'open' && expires_at <= now ? 'expired' : state
}

export interface AccessRequestReader {
  accessRequest(id: string): Promise<StoredAccessRequest | undefined>
  /** By creation, the oldest first unless another order is asked for. */
  accessRequests(query: {
    readonly limit: number
    readonly order?: TimeOrder
    /** Id of the last one of the page before. */
    readonly after?: string
    readonly requester?: string
    readonly client?: string
    /** At `now`. */
    readonly state?: StoredAccessRequest['state']
    readonly now: number
  }): Promise<readonly StoredAccessRequest[]>
}

export interface AccessRequestWriter {
  /** Stores it, and forgets those made before `since`, in milliseconds since the epoch. */
  putAccessRequest(request: StoredAccessRequest, since: number): Promise<void>
}
