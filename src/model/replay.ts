import type { OwnedBytes } from '../base/memory/bytes.ts'
import type { RequestRecord, Surface } from './record.ts'

/** A recorded request that is to be made again. */
export interface ReplayAsked {
  /** Id of its record. */
  readonly of: string
  /** Id that the new request gets. */
  readonly requestId: string
  /** Over which surface it was asked for. */
  readonly over: Surface
  /** As it was recorded. */
  readonly surface: RequestRecord['surface']
  readonly tool: string
  readonly method: string
  /** Ids. */
  readonly client: string
  readonly profile: string
  readonly proxy: string
  /** Id of the token that proved the caller; empty where none did. */
  readonly credentialId: string
  /** Id of the user who asks for it; empty where no user does. */
  readonly user: string
  /** A host that the collection answers on; empty for one that answers on all. */
  readonly host: string
  /** Path and query. */
  readonly target: string
  /** Header lines ending in CRLF. */
  readonly fields: string
  readonly body: OwnedBytes | null
  /** Of who asks for it: the request comes from there now. */
  readonly ip: string
}

/** What became of it. */
export interface ReplayAnswer {
  readonly status: number
  readonly code: string | null
  /** What callers are not told. */
  readonly reason: string
  /** Null when no check ended it. */
  readonly stoppedAt: number | null
  /** Name of the check of `stoppedAt`. */
  readonly check: string | null
  readonly upstreamStatus: number | null
  readonly durationMs: number
  /** Those that are shown, names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  /** As much of it as is kept. */
  readonly body: OwnedBytes
  /** Bytes of the whole body. */
  readonly bodyBytes: number
}
