/**
 * What a gateway thread serves: linked fragments and the maps that find them. Immutable once published; a request
 * keeps the one it started with. Linked fragments hold ids of each other, never references, so that a fragment is
 * linked once however often the others change.
 */
import type { KeyObject } from 'node:crypto'
import type { AwsSigner } from '../base/aws-signature.ts'
import type { Certificate } from '../base/certificate.ts'
import type { Crl } from '../base/crl.ts'
import type { Lru } from '../base/lru.ts'
import type { Plain } from '../base/plain.ts'
import type { Secret } from '../base/secret.ts'
import type {
  ClientFragment,
  CollectionFragment,
  ContractsFragment,
  Fragment,
  FragmentKey,
  LimitFragment,
  PolicyFragment,
  ProfileFragment,
  ProxyFragment,
  SchemasFragment,
  TargetFragment,
  TokenFragment,
  UpstreamFragment,
  UpstreamRules,
  UpstreamTlsFragment,
  VerifyFragment,
} from './fragments.ts'
import type { LimitPlans } from './limit-plan.ts'
import type { Mounts } from './mounts.ts'
import type { Networks } from './network.ts'
import type { Routes } from './routes.ts'

export interface Snapshot {
  readonly revision: number
  readonly mounts: Mounts
  readonly collections: ReadonlyMap<string, LinkedCollection>
  /** By id and by slug; an id holds an underscore, a slug cannot. */
  readonly clients: ReadonlyMap<string, LinkedClient>
  readonly profiles: ReadonlyMap<string, LinkedProfile>
  /** By the lookup part of the token. */
  readonly tokens: ReadonlyMap<string, LinkedToken>
  /**
   * Tokens that requests have proved, by the whole value of their Authorization field, so that the next request needs no
   * hash. A look-up compares contents only where a seeded hash of them is equal: its time tells nothing of the secret.
   */
  readonly proved: Map<string, LinkedToken>
  /** Profiles of signed tokens by the issuer (`iss`) of these. */
  readonly issuers: ReadonlyMap<string, readonly LinkedProfile[]>
  /** Profiles that have opaque tokens introspected. */
  readonly introspecting: ReadonlyMap<string, LinkedProfile>
  /** Signed and introspected tokens that requests have proved, by a hash of them and of the ids sent beside. */
  readonly verified: Lru<string, Verified>
  /**
   * Signed and introspected tokens that have failed, by the same hash, and until when that is remembered (milliseconds
   * since the epoch). A throttled source cannot have them verified again before.
   */
  readonly failed: Lru<string, number>
  /** Profiles of client certificates, by the names of their bindings. */
  readonly bindings: ReadonlyMap<string, readonly LinkedProfile[]>
  /** What certificates came to, by what holds them: a connection, or a header value that is remembered. */
  readonly bound: WeakMap<object, readonly Bound[] | string>
  readonly policies: ReadonlyMap<string, LinkedPolicy>
  /** Limits of calls, made when a pair of profile and proxy is first seen; see limit-plan. */
  readonly plans: LimitPlans
  readonly credentials: ReadonlyMap<string, LinkedCredential>
  /** By collection id. */
  readonly contracts: ReadonlyMap<string, ContractsFragment>
  readonly schemas: ReadonlyMap<string, SchemasFragment>
  /** One sentence for each fragment that could not be linked and fails closed; no secrets. */
  readonly faults: readonly string[]
  /** What was linked, by key. */
  readonly held: ReadonlyMap<FragmentKey, HeldFragment>
}

export interface HeldFragment {
  readonly hash: string
  readonly linked: Linked
}

export type Linked =
  | LinkedCollection
  | LinkedClient
  | LinkedPolicy
  | LinkedCredential
  | ContractsFragment
  | SchemasFragment
  | Quarantined

/** A fragment that could not be linked. What refers to it finds nothing, and is refused. */
interface Quarantined {
  readonly kind: 'quarantined'
  readonly fragment: Fragment
  readonly fault: string
}

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
  /** Set when the fragment is broken: every call is refused with 503. */
  readonly fault: string | null
  /** Secret headers that cannot be sent, as a sentence: calls that need them are refused. */
  readonly unresolved: string | null
  readonly key: LimitKey
}

/** Cross-origin rules, with the lines of answers made. */
export interface LinkedCors {
  /** Every origin, without credentials. */
  readonly any: boolean
  readonly origins: ReadonlySet<string>
  /** Scheme and the end of the host: `['https://', '.example.com:8443']`. */
  readonly below: readonly (readonly [string, string])[]
  /** Lines of the answer to a preflight, after that of the origin. */
  readonly preflight: string
  /** Lines of other answers, after that of the origin. */
  readonly lines: string
}

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
  /** The same as a URL, for people. */
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
  heldClient: string
  /** Requests and errors of each client in the window of the breaker. */
  readonly clients: Map<string, { requests: number; errors: number }>
  /** Number of the last request that tried the upstream while the breaker was open. */
  trial: number
  /** Number of the first trial since the breaker opened; earlier ones do not count. */
  firstTrial: number
  /** By client, while the breaker is open. */
  readonly trials: Map<string, BreakerTrials>
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
  /** Credential id after inheritance, or null. */
  readonly credential: string | null
  readonly policy: string | null
  /** The collection's with other timeouts; null: the collection's itself. */
  readonly upstream: LinkedUpstream | null
  /** Values of path parameters by name, in each way that they can be read; null when nothing looks at them. */
  readonly parameters: ((below: string) => readonly ReadonlyMap<string, string>[]) | null
  readonly key: LimitKey
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

export interface LinkedClient {
  readonly kind: 'client'
  readonly id: string
  readonly fragment: ClientFragment
  readonly collections: ReadonlySet<string>
  /** By id and by slug. */
  readonly profiles: ReadonlyMap<string, LinkedProfile>
  /** The profile that ids alone name when only the client is given; active ones go first. */
  readonly lone: LinkedProfile | null
  /** Those of its profiles that ask for no proof: the active ones, or all when none is active. */
  readonly unproved: readonly LinkedProfile[]
  readonly tokens: readonly LinkedToken[]
  /** Those of its profiles that judge signed tokens. */
  readonly verifying: readonly LinkedProfile[]
  /** Those of its profiles that client certificates are bound to. */
  readonly bound: readonly LinkedProfile[]
  readonly key: LimitKey
}

export interface LinkedProfile {
  readonly id: string
  readonly fragment: ProfileFragment
  readonly client: LinkedClient
  readonly methods: number
  /** Null allows every address. */
  readonly networks: Networks | null
  /** The client's assignments as far as the profile keeps them. */
  readonly collections: ReadonlySet<string>
  /** Methods of a proxy that the endpoint rules leave; null when there are none. */
  readonly endpoints: ((collection: LinkedCollection, proxy: LinkedProxy) => number) | null
  /** Routes that the rules close and that a path of the proxy may be taken for; null when there are no rules. */
  readonly closedBeside: ((collection: LinkedCollection, proxy: LinkedProxy) => readonly ClosedRoute[]) | null
  /** X-Postern-Client and X-Postern-Profile, or empty. */
  readonly identityLines: string
  readonly verifier: LinkedVerifier | null
  readonly certificates: LinkedCertificates | null
  readonly key: LimitKey
}

/** A more specific route with a protection of its own: credential, headers, policy or checks of the request. */
export interface GuardedRoute extends ClosedRoute {
  readonly route: string
}

/** A route that is closed for paths of another one, with these methods. */
export interface ClosedRoute {
  readonly methods: number
  /** For a path by `looseParts`. */
  readonly matches: (parts: readonly string[]) => boolean
}

/** Which client certificates are of a profile. */
export interface LinkedCertificates {
  readonly bindings: readonly LinkedBinding[]
  /** Null where revocation is not asked for. */
  readonly crls: readonly Crl[] | null
  readonly softFail: boolean
}

export interface LinkedBinding {
  readonly id: string
  /** As in the fragment. */
  readonly name: string
  readonly authorities: readonly Certificate[]
  readonly retiresAt: number | null
}

/** A binding that has the name of a certificate, and what became of that certificate's chain. Times in milliseconds since the epoch. */
export interface Bound {
  readonly profile: LinkedProfile
  readonly binding: LinkedBinding
  /** Fingerprint of the certificate. */
  readonly sha256: string
  /** Set when a request of this connection was let in by it. */
  hasProved: boolean
  /** Empty when an authority of the binding has issued it. */
  readonly fault: string
  /** All certificates of the chain are valid in between. */
  readonly from: number
  readonly until: number
  /** A revocation list is out of date from then on; nobody knows what it would say. */
  readonly listedUntil: number
}

/** How signed tokens of a profile are judged. */
export interface LinkedVerifier {
  readonly fragment: VerifyFragment
  readonly algs: ReadonlySet<string>
  /** Null when they are fetched. */
  readonly keys: readonly VerifyKey[] | null
  /** Where they are fetched: `jwks <url>` or `discovery <issuer>`; empty when they are held. */
  readonly source: string
  readonly match: readonly ((claims: Plain) => boolean)[]
  readonly required: readonly ((claims: Plain) => boolean)[]
  readonly specificity: Specificity
}

/** What decides between profiles that fit one token: see `mostSpecific`. */
export interface Specificity {
  /** Claims that the profile selects by. */
  readonly selectors: number
  /** Those of them that must have exact values. */
  readonly exact: number
  /** Required claims and scopes. */
  readonly requirements: number
}

export interface VerifyKey {
  /** Stands as the credential in request records. */
  readonly id: string
  readonly kid: string | null
  readonly alg: string | null
  readonly key: KeyObject
  readonly retiresAt: number | null
  /** Set when its issuer has withdrawn it: what it has proved counts no longer. */
  isGone: boolean
}

/** A token that was proved, and what is kept of it. Times in milliseconds since the epoch. */
export interface Verified {
  readonly profile: LinkedProfile
  /** Null for an introspected token. */
  readonly key: VerifyKey | null
  readonly credentialId: string
  /** It holds from here on, until there; after that it is judged anew. */
  readonly from: number
  readonly until: number
  readonly subject: string
  /** OAuth client that the token was issued to (`azp` or `client_id`); empty when it does not say. */
  readonly agentHost: string
  readonly claims: Claims
}

/** Claims of a caller that the profile lists, as text. */
export type Claims = ReadonlyMap<string, string>

export interface LinkedToken {
  readonly fragment: TokenFragment
  readonly profile: LinkedProfile
}

export interface LinkedPolicy {
  readonly kind: 'policy'
  readonly id: string
  readonly fragment: PolicyFragment
  /** Empty when the policy is inactive. */
  readonly limits: readonly LinkedLimit[]
}

/**
 * How a limit counts: in a sliding window, by a bucket, per calendar period, in a sliding window that survives a restart, or
 * what is under way.
 */
export type Algorithm = 'rate' | 'bucket' | 'quota' | 'rolling' | 'concurrent'

export interface LinkedLimit {
  readonly fragment: LimitFragment
  readonly policy: PolicyFragment
  readonly key: LimitKey
  readonly algorithm: Algorithm
  readonly max: number
  readonly windowMs: number
  /** Width of one of the 60 slots of a sliding window, milliseconds. */
  readonly slotMs: number
  /** What the bucket holds; 0 without one. */
  readonly burst: number
  readonly cost: number
  readonly isObserved: boolean
  /** Of a calendar quota; null for UTC. */
  readonly timezone: string | null
  /** How long a call waits for a place; 0: not at all. */
  readonly waitMs: number
  /** Statuses that count; null for every admitted call. */
  readonly statuses: LimitFragment['count'] | null
  readonly by: 'attachment' | 'ip' | 'global' | 'tool' | 'claim' | 'header'
  /** Of the claim or header, the latter in lower case. */
  readonly byName: string
  /** Item of the RateLimit-Policy field. */
  readonly policyItem: string
}

/** Half of a counter's key; two halves are mixed for each request. */
export interface LimitKey {
  readonly low: number
  readonly high: number
}

/** What is put into the request to an upstream. */
export interface Sent {
  /** Header that is sent; empty for a query parameter. */
  readonly line: string
  /** Lower-case name of that header; empty for a query parameter. */
  readonly name: string
  /** `name=value`, percent-encoded, for the query; else empty. */
  readonly pair: string
  /** Name of the query parameter, decoded. */
  readonly parameter: string
}

/** A credential; its own line and pair are empty where `grant` fetches what is sent. */
export interface LinkedCredential extends Sent {
  readonly kind: 'credential'
  readonly id: string
  /** Null for one that is sent as it stands. */
  readonly grant: LinkedGrant | null
  /** Null for one that is not shown in handshakes. */
  readonly certificate: ClientCertificate | null
  /** Null for one that signs no requests. */
  readonly signing: AwsSigner | null
  /** What it was before a rotation: tried where the present one is refused, until then (milliseconds since the epoch). */
  readonly previous: { readonly credential: LinkedCredential; readonly until: number } | null
  /** When a request last used it, milliseconds since the epoch; 0 for never. */
  usedAt: number
}

/** What the gateway shows in handshakes with upstreams. */
export interface ClientCertificate {
  /** Fingerprints (SHA-256) of it and of `ca`; what differs shares no connections. */
  readonly id: string
  /** The certificate and those that lead to its authority. */
  readonly pem: string
  readonly key: Secret
  /** Authorities that are trusted where the upstream names none of its own; null for those of the system. */
  readonly ca: string | null
}

/** How tokens for an upstream are fetched, and those that this thread holds. */
export interface LinkedGrant {
  readonly url: string
  /** Empty where an assertion alone says who asks. */
  readonly clientId: string
  /** What the token endpoint is shown: a secret in a header or in the form, or an assertion about the client or as the grant. */
  readonly method: 'client_secret_basic' | 'client_secret_post' | 'private_key_jwt' | 'jwt_bearer'
  readonly secret: Secret | null
  readonly key: KeyObject | null
  readonly keyId: string | null
  /** What each assertion says beside its times. */
  readonly claims: Readonly<Record<string, string>>
  /** The caller's own token goes into the form, and what comes back is for this caller alone. */
  readonly exchanges: boolean
  /** Members of the form beside those of the client. */
  readonly form: Readonly<Record<string, string>>
  /** Asks in its place, until then, where the endpoint refuses it; see {@link LinkedCredential.previous}. */
  readonly previous: { readonly grant: LinkedGrant; readonly until: number } | null
  /** Tokens by a hash of the caller's; the empty name is the client itself. */
  readonly held: Lru<string, HeldToken>
}

/** One token of a grant as a thread holds it. Times are monotonic milliseconds. */
export interface HeldToken {
  /** Null before the first answer. */
  sent: Sent | null
  /** A new one is fetched in the background from here on, is waited for from here on, and it ends here. */
  refreshAt: number
  waitAt: number
  endsAt: number
  /** Of the last attempt that failed; empty when none did since the last good one. */
  failure: string
  failedAt: number
  /** When a refused token last made a new one be fetched. */
  forcedAt: number
  flight: Promise<void> | null
}
