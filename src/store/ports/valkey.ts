/**
 * The connection to Valkey (or Redis), which has counters of limits that several nodes share. Nothing else is kept there: it may be lost
 * without losing anything that was written.
 */
import type { ValkeyAddress } from '../../base/net/valkey-url.ts'

/** A call of a script. All keys of one call share one hash tag. */
export interface ScriptCall {
  /** Name of the script. */
  readonly script: string
  readonly keys: readonly string[]
  readonly args: readonly (string | number)[]
}

/** What a script answered: a Lua table of whole numbers and strings. */
export type ScriptAnswer = readonly (number | string)[]

export interface Valkey {
  /**
   * Runs the calls in one pipeline, and resolves to their answers in the order of the calls. The order in which they run is not told.
   * Rejects with StoreUnavailable when an answer is missing after `deadlineMs`, and at once while {@link isUp} is false. It is then not
   * known which of the calls have run: an answer that comes later is dropped with its connection. Rejects with another error when a
   * script has failed, which is a fault of the script.
   * @param deadlineMs milliseconds
   */
  run(calls: readonly ScriptCall[], deadlineMs: number): Promise<readonly ScriptAnswer[]>
  /**
   * False from the first missed deadline or lost connection, until a new connection was made and has answered. That is tried in the
   * background about every second, and never by a call.
   */
  readonly isUp: boolean
  /**
   * Names the data: of the primary, or of each primary of a cluster. Another one after a restart or a failover, before {@link run}
   * succeeds again. Empty before the first connection.
   */
  readonly era: string
  /** @param listener called when {@link isUp} or {@link era} has changed */
  whenChanged(listener: () => void): void
  /** Ends the connections. Calls that wait reject with StoreUnavailable. */
  close(): Promise<void>
}

/** What a server says of itself. */
export interface ValkeyFacts {
  readonly product: 'Valkey' | 'Redis'
  readonly version: string
  readonly role: 'primary' | 'replica'
  readonly isCluster: boolean
  /** What it does when its memory is full: `maxmemory-policy`. */
  readonly policy: string
  /** Its clock minus the clock of this machine, milliseconds. */
  readonly clockMs: number
}

/** Looks at each server of an address. Resolves for servers that cannot be reached too. */
export type LookAtValkey = (address: ValkeyAddress) => Promise<readonly ValkeyLook[]>

/** A server, and what it says of itself or why it cannot be used. */
export interface ValkeyLook {
  /** `host:port`. */
  readonly server: string
  readonly facts: ValkeyFacts | string
}
