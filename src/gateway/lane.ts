import type { Clock } from '../base/clock.ts'
import type { HeldBytes } from '../wire/held-bytes.ts'
import type { Counters } from './admit/counters.ts'
import type { Pools } from './forward/pools.ts'
import type { Tokens } from './forward/tokens.ts'
import type { Issuers } from './identify/issuers.ts'
import type { RecordWriter } from './record.ts'
import type { Replays } from './replay/replay.ts'

/** The services of one gateway thread that its requests share. */
export interface Lane {
  readonly clock: Clock
  readonly counters: Counters
  readonly issuers: Issuers
  /** Kept answers and idempotency keys. */
  readonly replays: Replays
  /** Fetches tokens for upstreams. */
  readonly tokens: Tokens
  /** Counts the bytes that this thread keeps in memory for callers. */
  readonly memory: HeldBytes
  /** Connections to upstreams. */
  readonly pools: Pools
  readonly records: RecordWriter
  /** Hosts that serve pages beside the published APIs; null where no pages are served. */
  readonly pageHosts: ReadonlySet<string> | null
}
