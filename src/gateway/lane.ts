import type { Clock } from '../base/clock.ts'
import type { RunnerPlace } from '../base/runner-address.ts'
import type { CallerMemory } from '../wire/caller-memory.ts'
import type { Counters } from './admit/counters.ts'
import type { AnswerCache } from './cache/answer-cache.ts'
import type { Exchange } from './exchange.ts'
import type { Pools } from './forward/pools.ts'
import type { Tokens } from './forward/tokens.ts'
import type { IdempotencyKeys } from './idempotency/keys.ts'
import type { Issuers } from './identify/issuers.ts'
import type { SignIns } from './identify/sign-ins.ts'
import type { MessageOutcome } from './port.ts'

/** What a gateway thread remembers of answers. */
interface KeptAnswers {
  readonly cache: AnswerCache
  readonly keys: IdempotencyKeys
}

/** Writes the records of a thread. A record that cannot be kept never fails a request. */
export interface RecordWriter {
  /** Writes the record of a request or call. A record that cannot be kept never fails a request. */
  request(exchange: Exchange): void
  /** Writes one record for each message of a request at `/mcp` that led to no call. */
  messages(exchange: Exchange, messages: readonly MessageOutcome[]): void
}

/** The services of one gateway thread that its requests share. */
export interface Lane {
  readonly clock: Clock
  readonly counters: Counters
  readonly issuers: Issuers
  /** Sign-ins of people at MCP endpoints; null where there are none. */
  readonly signIns: SignIns | null
  /** Kept answers and idempotency keys. */
  readonly keptAnswers: KeptAnswers
  /** Fetches tokens for upstreams. */
  readonly tokens: Tokens
  /** Counts the bytes that this thread keeps in memory for callers. */
  readonly memory: CallerMemory
  /** Where stdio servers are run; null where the settings name no runner. */
  readonly runner: RunnerPlace | null
  /** Connections to upstreams. */
  readonly pools: Pools
  readonly records: RecordWriter
  /** Told of what the program itself did wrong, and of what is configured and cannot be used. */
  readonly fault: (fault: unknown) => void
  /** Hosts that serve pages beside the published APIs; null where no pages are served. */
  readonly pageHosts: ReadonlySet<string> | null
}
