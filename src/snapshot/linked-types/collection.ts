/** Collections, proxies and routes as a thread has linked them. */
import type { LimitKey } from '../find/limit-key.ts'
import type {
  CollectionFragment,
  ProxyFragment,
  TargetFragment,
  UpstreamFragment,
  UpstreamRules,
  UpstreamTlsFragment,
} from '../fragments.ts'
import type { WorkflowFragment } from '../plan.ts'

export interface LinkedCollection {
  readonly kind: 'collection'
  readonly id: string
  readonly fragment: CollectionFragment
  readonly routes: Routes
  /** In order of path, then of id. */
  readonly proxies: readonly LinkedProxy[]
  readonly upstream: LinkedUpstream | null
  /** Request headers, lower case, that are passed on although they are removed by default; null for none. */
  readonly passed: ReadonlySet<string> | null
  /** Null when no page of another origin may call. */
  readonly cors: LinkedCors | null
  /** Where callers may send their token beside `Authorization`; null: nowhere else. */
  readonly keyPlaces: LinkedKeyPlaces | null
  /** Set when the fragment is broken: every call is refused with 503. */
  readonly fault: string | null
  /** Secret headers that cannot be sent, as a sentence: calls that need them are refused. */
  readonly unresolved: string | null
  readonly key: LimitKey
  /** As what its policy is attached. The servers of nodes have none; they are asked as origins are. */
  readonly attachment: 'collection' | 'origin'
}

/** A server that a node of a workflow asks. */
export interface LinkedServer {
  /** A collection with one proxy, which is mounted nowhere. */
  readonly route: LinkedCollection
  /** Of the URL in the settings. */
  readonly path: string
  /** The same without a slash at its end: what stands before a path that a node has computed. */
  readonly stem: string
}

/** By id of the node. */
export type NodeServers = ReadonlyMap<string, LinkedServer>

/**
 * The proxies of one collection by path and method.
 *
 * 1. At each segment a literal goes before a parameter, a parameter with more literal text before one with less, any of
 *    them before a wildcard. The first path that has the method wins, else the first path.
 * 2. The result does not depend on the order in which proxies were put in.
 * 3. Escapes that are not needed make no difference; see `asRead`.
 * 4. HEAD is answered by GET where no HEAD is (the method bits say so).
 */
export interface Routes {
  /**
   * Looks up a path below the base path (empty for the base path itself). The result is {@link Found}, reused.
   * @param method its bit; 0 finds all whose path fits.
   */
  find(below: string, method: number): Found
}

/** What the last lookup found; overwritten by the next one. */
export interface Found {
  /** Null when no path fits, or none with the method. */
  proxy: LinkedProxy | null
  /** All proxies whose path fits, in order, when `proxy` is null; null when no path fits. */
  others: readonly LinkedProxy[] | null
}

/** Places of tokens. */
export interface LinkedKeyPlaces {
  /** Lower case. */
  readonly headers: ReadonlySet<string>
  /** As they are spelled. */
  readonly query: ReadonlySet<string>
}

/** Cross-origin rules, with the lines of answers made. */
export interface LinkedCors {
  /** Every origin, without credentials. */
  readonly any: boolean
  readonly origins: ReadonlySet<string>
  /** Scheme and the end of the host: `['https://', '../linked/.example.com:8443']`. */
  readonly below: readonly (readonly [string, string])[]
  /** Lines of the answer to a preflight, after that of the origin. */
  readonly preflight: string
  /** Lines of other answers, after that of the origin. */
  readonly lines: string
}

export interface LinkedProxy {
  readonly fragment: ProxyFragment
  readonly id: string
  /** Base path and pattern. */
  readonly route: string
  /** Bits of the methods it names. */
  readonly named: number
  /** The same with HEAD where GET is. */
  readonly methods: number
  /** Its path has a parameter or a wildcard: callers choose a part of what is matched. */
  readonly isOpen: boolean
  /** Routes that a lenient server may read a path of this one as, and that are protected in another way. */
  readonly guardedBeside: readonly GuardedRoute[]
  /** Others whose route a path of this one may be meant for, since nothing in it tells; see `shared-paths`. */
  readonly sharing: readonly LinkedProxy[]
  /** How the path at the upstream is built when it is not the path below the base path itself. */
  readonly target: TargetTemplate | null
  readonly headers: Injection
  /** The same without features and workflow: what a workflow calls. Null where there is no workflow. */
  readonly direct: LinkedProxy | null
  /** What nodes of its own workflow ask; null where they ask the upstream alone. */
  readonly servers: NodeServers | null
  /** Credential id after inheritance, or null. */
  readonly credential: string | null
  readonly policy: string | null
  /** The collection's with other timeouts; null: the collection's itself. */
  readonly upstream: LinkedUpstream | null
  /** Values of path parameters by name, in each way that they can be read; null when nothing looks at them. */
  readonly parameters: ((below: string) => readonly ReadonlyMap<string, string>[]) | null
  readonly key: LimitKey
  /** As what its policy is attached. */
  readonly attachment: 'proxy' | 'virtual_mcp'
}

/** Header lines to set, and the names whose inbound lines give way to them. */
export interface Injection {
  readonly lines: readonly { readonly name: string; readonly line: string }[]
  /** All lines in one string. */
  readonly text: string
  readonly names: NameSet
  /** Why one of them cannot be sent, as a sentence; null when all can. */
  readonly fault: string | null
}

/** Lower-case header names, with a quick way to say no. */
export interface NameSet {
  readonly names: ReadonlySet<string>
  /** The same by `twinOf`: a header of such a name gives way too, since many servers take it for the same. */
  readonly twins: ReadonlySet<string>
  /** Twins that the collection passes on; lower case. */
  readonly spared: ReadonlySet<string>
  /** One bit for each length modulo 32 that occurs. */
  readonly lengths: number
}

/** Pieces between parameters: `pieces[0] + value(refs[0]) + pieces[1] + …`; a ref of -1 is the wildcard's rest. */
export interface TargetTemplate {
  readonly pieces: readonly string[]
  readonly refs: readonly number[]
  /** Reads the parameter values out of a path that matched. */
  readonly values: (below: string) => readonly string[]
  /** A parameter stands for less than a segment on either side. */
  readonly isPartial: boolean
}

/** A route that is closed for paths of another one, with these methods. */
export interface ClosedRoute {
  readonly methods: number
  /** For a path by `looseParts`. */
  readonly matches: (parts: readonly string[]) => boolean
}

/** A more specific route with a protection of its own: credential, headers, policy or checks of the request. */
export interface GuardedRoute extends ClosedRoute {
  readonly route: string
}

// Upstreams as a thread has linked them, and what it has seen of their servers.

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

/** A workflow that several proxies may share. */
export interface LinkedWorkflow {
  readonly kind: 'workflow'
  readonly id: string
  readonly fragment: WorkflowFragment
  /** Null for a draft with faults. */
  readonly plan: WorkflowFragment['plan']
  readonly servers: NodeServers
}
