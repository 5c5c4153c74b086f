import type { Clock } from '../base/clock.ts'
import type { RunnerPlace } from '../base/net/runner-address.ts'
import type { CodeRunner } from '../sandbox/port.ts'
import type { ServiceRunner } from '../services/port.ts'
import type { KeptValues } from '../shared-state/ports/kept-values.ts'
import type { CallerMemory } from '../wire/caller-memory.ts'
import type { CallHandle } from '../wire/port.ts'
import type { Counters } from './admit/counters.ts'
import type { AnswerCache } from './cache/answer-cache.ts'
import type { Captures } from './captures/armed.ts'
import type { Exchange } from './exchange.ts'
import type { Connections } from './forward/connections.ts'
import type { Pools } from './forward/pools.ts'
import type { Tokens } from './forward/tokens.ts'
import type { Webhooks } from './guardrails/webhooks.ts'
import type { IdempotencyKeys } from './idempotency/keys.ts'
import type { Issuers } from './identify/issuers.ts'
import type { SignIns } from './identify/sign-ins.ts'
import type { MessageOutcome } from './port.ts'
import type { CalledTool, ToolAnswer } from './workflow/tool-port.ts'

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
  /** Accounts at origins; null where there are none. */
  readonly connections: Connections | null
  /** Kept answers and idempotency keys. */
  readonly keptAnswers: KeptAnswers
  /** Values that workflows keep, the same for all threads. */
  readonly keptValues: KeptValues
  /** Fetches tokens for upstreams. */
  readonly tokens: Tokens
  /** Counts the bytes that this thread keeps in memory for callers. */
  readonly memory: CallerMemory
  /** Where stdio servers are run; null where the settings name no runner. */
  readonly runner: RunnerPlace | null
  /** Captures that wait for requests. */
  readonly captures: Captures
  /** Connections to upstreams. */
  readonly pools: Pools
  readonly records: RecordWriter
  /** Runs the code of workflows; null where none can be run. */
  readonly code: CodeRunner | null
  /** Asks databases and mail servers for workflows; null where none can be asked. */
  readonly services: ServiceRunner | null
  /** Asks the webhooks of guardrails. */
  readonly webhooks: Webhooks
  /**
   * Calls a tool of an origin for the workflow of an exchange; null where none can be called. `done` is told once, never at once, and
   * never of a call that was given up.
   */
  readonly callTool:
    | ((outer: Exchange, tool: CalledTool, done: (answer: ToolAnswer) => void) => CallHandle)
    | null
  /** Told of what the program itself did wrong, and of what is configured and cannot be used. */
  readonly fault: (fault: unknown) => void
  /** Hosts that serve pages beside the published APIs; null where no pages are served. */
  readonly pageHosts: ReadonlySet<string> | null
}
