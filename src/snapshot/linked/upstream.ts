/** Upstreams as a thread has linked them, and what it has seen of their servers. */
import type { TargetFragment, UpstreamFragment, UpstreamRules, UpstreamTlsFragment } from '../fragments.ts'

/** Where calls go. */
export interface LinkedUpstream {
  readonly fragment: UpstreamFragment
  readonly rules: UpstreamRules
  /** In the order of the configuration; never empty. */
  readonly targets: readonly LinkedTarget[]
  /** What this thread has seen of it; lives on when the collection changes. */
  readonly state: UpstreamState
}

/** One server; its identity stands for one pool of connections. */
export interface LinkedTarget {
  readonly fragment: TargetFragment
  readonly connect_ms: number
  readonly first_byte_ms: number
  readonly idle_ms: number
  readonly pool_max: number
  /** Of its upstream; null where nothing is set. */
  readonly tls: UpstreamTlsFragment | null
  /** Equal for targets that can share a pool. */
  readonly pool: string
  /** Scheme, host, port and path: the same server, whatever its timeouts. */
  readonly server: string
  /** The same as a URL, for people; `runner` for the runner. */
  readonly url: string
  readonly weight: number
  /** Its place among the targets, as a bit. */
  readonly bit: number
  /** Scatters the keys of balance `hash`. */
  readonly seed: number
  readonly state: TargetState
}

/** What one thread has seen of a server. Times are wall-clock milliseconds. */
export interface TargetState {
  /** Requests under way. */
  pending: number
  /** Failed in a row. */
  failures: number
  ejectedAt: number
  /** 0: it is not ejected. */
  ejectedUntil: number
  /** Active checks found it down. */
  isDown: boolean
  /** Active checks in a row that say otherwise. */
  contrary: number
  /** Smooth weighted round robin: the one with the most goes next. */
  turn: number
}

/** What came of the requests of one client that tried an upstream while its breaker was open. Times as in {@link UpstreamState}. */
export interface BreakerTrials {
  /** When the breaker opened, or the last trial failed. */
  since: number
  /** When the last trial was sent; 0: none is under way. */
  triedAt: number
  /** Number of the first trial that counts. */
  first: number
  /** Number of the last trial. */
  last: number
  /** The body of the last trial was not whole at hand. */
  isStreamed: boolean
}

/** What one thread has seen of an upstream. Times are wall-clock milliseconds. */
export interface UpstreamState {
  /** Retries that may be made now; see `RETRY_SHARE`. */
  retries: number
  windowAt: number
  requests: number
  errors: number
  /** When the breaker opened; 0: it is closed. */
  openedAt: number
  /** The client for which alone the breaker is open; empty: for all. */
  openedFor: string
  /** Requests and errors of each client in the window of the breaker. */
  readonly clients: Map<string, { requests: number; errors: number }>
  /** Number of the last request that tried the upstream while the breaker was open. */
  trial: number
  /** Number of the first trial since the breaker opened; earlier ones do not count. */
  firstTrial: number
  /** By client, while the breaker is open. */
  readonly trials: Map<string, BreakerTrials>
}
