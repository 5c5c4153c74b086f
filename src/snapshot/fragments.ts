/**
 * The configuration as gateway threads receive it: plain data in pieces, each known by the hash of its content. A secret that
 * is read elsewhere is hashed by its text and the key that seals it, because its ciphertext differs at each sealing. The same
 * state therefore has the same hashes in every process. A fragment contains no closure, no class and no plain-text secret, so
 * it survives structured clone and disk. It contains only what is published; references are ids.
 */
import type { ClaimRule } from '../base/crypto/jwt.ts'
import type { DetectorSettings } from '../detectors/settings.ts'
import type { Leg, RuleAction } from '../guardrails/rule.ts'
import type { CheckedSwitches } from '../model/api/collection.ts'
import type { CredentialType } from '../model/api/credential.ts'
import type { LimitKind } from '../model/api/policy.ts'
import type { EndpointCapability, GraphqlLimits, JsonSchema, Parameter } from '../model/api/proxy.ts'
import type { SecretReference } from '../model/api/secret.ts'
import type { CapabilityRules, CapabilitySelection } from '../model/mcp/capability.ts'
import type { Approved } from '../model/mcp/capability-drift.ts'
import type { PublicNames } from '../model/mcp/public-names.ts'
import type { HttpMethod } from '../model/members.ts'
import type { PlanFragment, ServerFragment, WorkflowFragment } from './plan.ts'

/** The kinds of fragments. Each has a row in `compile/kinds.ts`, which the main thread loads, and in `link/link.ts`. */
export interface Fragments {
  readonly collection: CollectionFragment
  /** Of a collection, and with its id. */
  readonly contracts: ContractsFragment
  /** By content hash: `schemas:sha256-…`. */
  readonly schemas: SchemasFragment
  readonly client: ClientFragment
  readonly policy: PolicyFragment
  readonly credential: CredentialFragment
  readonly origin: OriginFragment
  /** Of an origin, and with its id. */
  readonly catalogue: CatalogueFragment
  readonly virtual_mcp: VirtualMcpFragment
  readonly host: HostFragment
  readonly person: PersonFragment
  readonly team: TeamFragment
  readonly workflow: WorkflowFragment
  readonly guardrail: GuardrailFragment
}

/**
 * The newest form of fragments that this version links. A new member that restricts what is served takes the next number:
 * its rule in `needs` of `compile/kinds.ts` makes fragments that carry it need that form.
 */
export const FORM = 1

/** What all fragments have. */
export interface Formed {
  /**
   * The form that a linker must know to keep all restrictions of the fragment; absent for 1. A linker of an older version
   * quarantines the fragment, because it would ignore the restriction.
   */
  readonly needs?: number
}

export type FragmentKind = keyof Fragments
export type Fragment = Fragments[FragmentKind]

/** `collection:col_…`, `schemas:sha256-…` and so on. */
export type FragmentKey = `${FragmentKind}:${string}`

/** A header the gateway sets on the request to the upstream. */
export interface HeaderFragment {
  readonly name: string
  /** Null: a secret of the collection fragment, by `placeOf`. */
  readonly value: string | null
}

export interface CollectionFragment extends Formed, CheckedSwitches {
  readonly kind: 'collection'
  readonly id: string
  readonly slug: string
  readonly name: string
  readonly description: string
  readonly tags: readonly string[]
  readonly base_path: string
  readonly hosts: readonly string[]
  /** Null while none is set: its calls are answered with upstream_unavailable. */
  readonly upstream: UpstreamFragment | null
  readonly headers: readonly HeaderFragment[]
  readonly credential: string | null
  readonly policy: string | null
  readonly body_bytes_max: number
  readonly cors: CorsFragment | null
  /** Ids of the teams whose members may call it by signing in; there only where other people may not. */
  readonly teams?: readonly string[]
  /** Names of request headers that are passed on although they are removed by default; there only where one is. */
  readonly pass_headers?: readonly string[]
  /** Where callers may send their token beside `Authorization`; there only where one is. */
  readonly key_places?: { readonly headers: readonly string[]; readonly query: readonly string[] }
  readonly proxies: readonly ProxyFragment[]
  /** Sealed texts of secret headers by `placeOf`; there only where one is set, as the next two. */
  readonly sealed?: Readonly<Record<string, string>>
  /** Where the others are read, as of a credential. */
  readonly references?: Readonly<Record<string, SecretReference>>
  /** Why some of them could not be read; set for the threads alone. */
  readonly unresolved?: Readonly<Record<string, string>>
}

export interface CorsFragment {
  readonly origins: readonly string[]
  /** Empty: all. */
  readonly methods: readonly HttpMethod[]
  readonly headers: readonly string[]
  readonly expose: readonly string[]
  readonly credentials: boolean
  readonly max_age_s: number
}

/** One server of an upstream. */
export interface TargetFragment {
  readonly scheme: 'http' | 'https'
  readonly host: string
  readonly port: number
  /** Path of its URL without a trailing slash; put before the path of every call. */
  readonly path: string
  /** Value of the Host field when `host_header` is target. */
  readonly authority: string
  /** 1 when absent. */
  readonly weight?: number
  /** The server is the runner that the settings name; host, port and authority lead nowhere. */
  readonly runner?: true
}

/** The first server, the others, and what holds for all. */
export interface UpstreamFragment extends TargetFragment {
  readonly others?: readonly TargetFragment[]
  readonly rules: UpstreamRules
  readonly host_header: 'target' | 'preserve'
  readonly connect_ms: number
  readonly first_byte_ms: number
  readonly idle_ms: number
  readonly pool_max: number
  /** There only where something is set; members likewise. */
  readonly tls?: UpstreamTlsFragment
}

export interface UpstreamTlsFragment {
  /** PEM; those of the system without. */
  readonly ca?: string
  readonly server_name?: string
  readonly min_version?: '1.3'
  readonly verify?: false
}

/** How a server is chosen, and when it is left alone. Null and 0 mean off. */
export interface UpstreamRules {
  readonly balance: 'round_robin' | 'least_pending' | 'hash'
  /** `client`, `ip` or `header:name`. */
  readonly hash_key: string
  readonly retries: number
  /** Failures in a row after which a server is ejected. */
  readonly eject_after: number
  readonly eject_ms: number
  readonly active: ActiveRules | null
  readonly breaker: BreakerRules | null
}

export interface ActiveRules {
  readonly path: string
  readonly interval_ms: number
  readonly timeout_ms: number
  readonly failures: number
  readonly successes: number
}

export interface BreakerRules {
  readonly errors_percent: number
  readonly requests: number
  readonly window_ms: number
  readonly open_ms: number
}

/** Timeouts of a proxy in the place of those of its upstream. */
export interface TimeoutsFragment {
  readonly connect_ms?: number
  readonly first_byte_ms?: number
  readonly idle_ms?: number
}

export interface ProxyFragment {
  readonly id: string
  readonly slug: string
  readonly name: string
  readonly tags: readonly string[]
  readonly methods: readonly HttpMethod[]
  /** Pattern below the base path. */
  readonly path: string
  readonly target_path: string
  readonly headers: readonly HeaderFragment[]
  /** `inherit`, `none` or a credential id. */
  readonly credential: string
  readonly policy: string | null
  readonly deprecated: boolean
  /** Null when nothing of its requests is looked at beyond the checks that hold for all. */
  readonly contract: ContractFragment | null
  /** Null when none of them is on. */
  readonly features: FeaturesFragment | null
  readonly timeouts?: TimeoutsFragment
  /** Runs in the place of the call of the upstream: id of a {@link WorkflowFragment}, or a plan of its own. Absent for none. */
  readonly workflow?: string | PlanFragment
}

/** How requests are held to the contract, which itself is in {@link ContractsFragment}. */
export interface ContractFragment {
  readonly mode: 'report' | 'enforce'
  readonly strict_query: boolean
}

/** The optional features of a proxy. */
export interface FeaturesFragment {
  /** Bodies of both directions are gathered before they go on. */
  readonly gathers: boolean
  readonly response_validation: 'off' | 'report' | 'enforce'
  readonly cache: CacheFragment | null
  readonly idempotency: boolean
  readonly graphql: GraphqlLimits | null
  /** Requests open tunnels; there for proxies of that kind alone. */
  readonly websocket?: true
}

export interface CacheFragment {
  readonly ttl_ms: number
  readonly vary: readonly string[]
  readonly scope: 'profile' | 'client' | 'shared'
  readonly stale_if_error_ms: number
}

/**
 * What `inspect_contract` needs, apart from the routes because it is large and rarely read: JSON text of
 * {@link Contracts}, packed by `packJson` and parsed on first use.
 */
export interface ContractsFragment extends Formed {
  readonly kind: 'contracts'
  readonly id: string
  /** Key of the schemas (`schemas:sha256-…`) that `#/$defs/…` of these contracts point into, or null. */
  readonly schemas: string | null
  readonly json: string
}

/** By proxy id. */
export type Contracts = Readonly<Record<string, Contract>>

export interface Contract {
  readonly description: string
  readonly operation_id: string | null
  readonly parameters: readonly Parameter[]
  readonly request_schema: JsonSchema | null
  /** By media type, where one has a schema of its own. */
  readonly request_schemas?: Readonly<Record<string, JsonSchema>>
  readonly request_types: readonly string[]
  readonly request_required: boolean
  readonly response_schema: JsonSchema | null
  readonly request_example?: unknown
  readonly response_example?: unknown
  /** As what MCP offers the endpoint; there only where it is set. */
  readonly mcp?: EndpointCapability
  /** What differs for single methods; read through `contractFor`. */
  readonly by_method?: Readonly<Partial<Record<HttpMethod, Partial<Contract>>>>
}

/** Shared schemas of an imported description: JSON text of `{ name: schema }`, packed by `packJson`. The id is the content hash of the JSON. */
export interface SchemasFragment extends Formed {
  readonly kind: 'schemas'
  readonly id: string
  readonly json: string
}

export interface ClientFragment extends Formed {
  readonly kind: 'client'
  readonly id: string
  readonly slug: string
  readonly name: string
  readonly active: boolean
  /** Milliseconds since the epoch, or null. */
  readonly valid_until: number | null
  readonly collections: readonly string[]
  /** Ids of virtual MCPs; there only where one is assigned. */
  readonly virtual_mcps?: readonly string[]
  readonly policy: string | null
  readonly profiles: readonly ProfileFragment[]
}

export interface ProfileFragment {
  readonly id: string
  readonly slug: string
  readonly name: string
  readonly active: boolean
  readonly auth: 'none' | 'token' | 'jwt' | 'oidc' | 'mtls'
  readonly tokens: readonly TokenFragment[]
  /** How tokens that others sign are judged; null for types without. */
  readonly verify: VerifyFragment | null
  /** Which certificates are of the profile; there for type mtls alone. */
  readonly certificates?: CertificatesFragment
  readonly allowed_methods: readonly HttpMethod[]
  readonly ip_allowlist: readonly string[]
  readonly collections: readonly string[] | null
  readonly endpoints: { readonly allow: readonly string[]; readonly deny: readonly string[] }
  readonly policy: string | null
  readonly forward_identity: boolean
  /** Whether `/mcp` lists `search_endpoints`; absent: from a number of endpoints on. */
  readonly mcp_search?: 'on' | 'off' | undefined
  /** How `/mcp` lists endpoints; absent: compact. */
  readonly mcp_view?: 'expanded' | 'auto' | undefined
  /** People who may use it by signing in; absent: nobody. Ids. */
  readonly agent_sign_in?: SignInFragment | undefined
  /** Of a binding of a host: the one virtual MCP that it opens, and for whom. Ids. */
  readonly binding?: BoundFragment
}

export interface BoundFragment {
  readonly virtual_mcp: string
  /** Null: the agent acts for itself. */
  readonly user: string | null
  /** What is left of the virtual MCP for its tokens; absent: everything. */
  readonly only?: CapabilitySelection
  /** People for whom the agent acts with tokens that it exchanges, and never for itself; absent: nobody. Ids. */
  readonly acts_for?: SignInFragment
  /** Fingerprint of the keys by which the agent proves itself; absent: it proves itself by its token. */
  readonly keys?: string
}

interface SignInFragment {
  readonly users: readonly string[]
  readonly teams: readonly string[]
}

/** An issued token: found by lookup, proved by hash. Times in milliseconds since the epoch. */
export interface TokenFragment {
  readonly id: string
  readonly lookup: string
  /** SHA-256 of the whole token, base64url. */
  readonly hash: string
  readonly expires_at: number | null
  /** End of the overlap after a rotation. */
  readonly retires_at: number | null
}

/** What a signed token must be for the profile, and what an introspected one must. Durations in milliseconds. */
export interface VerifyFragment {
  readonly issuer: string
  /** Null admits every audience. */
  readonly audience: string | null
  readonly algs: readonly string[]
  readonly skew_ms: number
  /** Null for no bound but `exp` itself. */
  readonly lifetime_ms_max: number | null
  readonly required_claims: readonly ClaimRule[]
  readonly required_scopes: readonly string[]
  /** These decide whether a token is of this profile at all. */
  readonly match: readonly ClaimRule[]
  readonly accept_id_tokens: boolean
  /** A token is let in once. */
  readonly once: boolean
  /** Claims that are kept beyond the judgement. */
  readonly claims: readonly string[]
  readonly keys: KeysFragment
  /** Id of the credential for introspection, or null; the URL is null to take the one of the provider. */
  readonly introspection: { readonly credential: string; readonly url: string | null } | null
}

export interface CertificatesFragment {
  readonly bindings: readonly BindingFragment[]
  /** PEM, or null. */
  readonly crl: string | null
  readonly soft_fail: boolean
}

interface BindingFragment {
  /** Stands as the credential in request records. */
  readonly id: string
  /** `san_dns:…`, `san_uri:…`, `subject:…` or `sha256:…`; as certificates are looked up by. */
  readonly name: string
  /** PEM. */
  readonly ca: string
  readonly retires_at: number | null
}

export type KeysFragment =
  | { readonly from: 'secrets'; readonly secrets: readonly SigningSecretFragment[] }
  | { readonly from: 'profile'; readonly keys: readonly KeyFragment[] }
  | { readonly from: 'jwks' | 'discovery'; readonly url: string }

export interface SigningSecretFragment {
  readonly id: string
  /** The `kid` of its tokens, where they have one. */
  readonly lookup: string
  readonly sealed: string
  readonly retires_at: number | null
}

interface KeyFragment {
  readonly jwk: Readonly<Record<string, unknown>>
  readonly retires_at: number | null
}

export interface PolicyFragment extends Formed {
  readonly kind: 'policy'
  readonly id: string
  readonly slug: string
  readonly active: boolean
  readonly limits: readonly LimitFragment[]
  /** X-RateLimit-* as well. */
  readonly x_ratelimit?: true
  /** Each call is counted in Valkey. */
  readonly exact?: true
  /** While Valkey cannot be reached; absent: each node admits its part. */
  readonly on_store_failure?: 'deny' | 'allow'
}

/** Members beyond the first four are there only where they are set. */
export interface LimitFragment {
  readonly name: string
  readonly kind: LimitKind
  readonly max: number
  /**
   * Of a rate or a rolling quota: the window. Of another quota: 1 d, 7 d or 30 d, meaning calendar day, week, month. 0 for
   * concurrency.
   */
  readonly window_ms: number
  /** Of a rate: what the bucket holds. */
  readonly burst?: number
  readonly rolling?: true
  /** IANA name; UTC without. */
  readonly timezone?: string
  readonly wait_ms?: number
  /** `ip`, `global`, `claim:…` or `header:…`; by attachment without. */
  readonly key?: string
  readonly cost?: number
  readonly observe?: true
  /** Ranges of statuses that count, both ends inclusive. */
  readonly count?: readonly (readonly [number, number])[]
}

export interface CredentialFragment extends Formed {
  readonly kind: 'credential'
  readonly id: string
  readonly slug: string
  readonly type: CredentialType
  /** Plain settings: username, in, name, prefix; lists are joined by spaces. */
  readonly settings: Readonly<Record<string, string>>
  /** Sealed secret fields, by name; opened by the gateway thread when it links the fragment. */
  readonly sealed: Readonly<Record<string, string>>
  /** What it was before a rotation, sealed as JSON of its `auth` with the secrets; of use until then. */
  readonly previous?: { readonly until: number; readonly field: string; readonly sealed: string }
  /** Where the other secret fields are read; the main thread does that, and seals what it read for the threads. */
  readonly references?: Readonly<Record<string, SecretReference>>
  /** Why one of them could not be read, as a sentence; set for the threads alone. */
  readonly unresolved?: string
}

/** An upstream MCP server. */
export interface OriginFragment extends Formed {
  readonly kind: 'origin'
  readonly id: string
  readonly slug: string
  readonly name: string
  /** `http`: a server at {@link upstream}; `collection`: endpoints of {@link collection}; `stdio`: an entry of the runner. */
  readonly served_by: 'http' | 'collection' | 'stdio'
  readonly active: boolean
  /** Id; null for an origin of another kind. */
  readonly collection: string | null
  readonly upstream: UpstreamFragment | null
  /** Path and query of the MCP endpoint; empty without an upstream. */
  readonly target: string
  /** Bound of one request to it, from its start to the end of its answer. */
  readonly total_ms: number
  /** Of an entry of the runner: values of its parameters. */
  readonly parameters?: Readonly<Record<string, string>>
  readonly credential: string | null
  /** Calls carry the token or key of a connection: that of the person who calls, or the one that all callers share. */
  readonly connection?: 'user' | 'shared'
  readonly policy: string | null
  /** Clients share its sessions. */
  readonly shares_sessions?: true
  /** Null while no probe has found out how the server is spoken to: calls are answered with origin_unavailable. */
  readonly verdict: VerdictFragment | null
}

/** What a probe has found out about an origin. */
interface VerdictFragment {
  /** Revision of the protocol that is spoken, such as `2026-07-28`. */
  readonly version: string
  /** HTTP+SSE of 2024-11-05; absent for Streamable HTTP. */
  readonly transport?: 'http_sse'
  /** JSON of the capabilities that the server declares. */
  readonly capabilities: string
  /** Empty where it gives none. */
  readonly instructions: string
  /** The runner has a process per user. */
  readonly per_user?: true
}

/** What an origin lists. */
export interface CatalogueFragment extends Formed {
  readonly kind: 'catalogue'
  /** Of the origin. */
  readonly id: string
  readonly slug: string
  /** JSON of {@link Catalogue}. */
  readonly json: string
  /** JSON of {@link Approved}: hashes of the items, which threads compare with what is approved. Absent for kind `collection`. */
  readonly hashes?: string
  /** JSON of {@link OfferedEndpoints}, which are behind the items; there for origins of kind `collection` alone. */
  readonly endpoints?: string
}

/** A published virtual MCP. */
export interface VirtualMcpFragment extends Formed {
  readonly kind: 'virtual_mcp'
  readonly id: string
  readonly slug: string
  readonly name: string
  readonly description: string
  readonly instructions: string | null
  readonly mcp_view: 'expanded' | 'compact'
  /** Those that are active, in their order. */
  readonly members: readonly VirtualMcpMemberFragment[]
  /** Public names of capabilities, by type; the ids of members in them are those of origins. */
  readonly names: PublicNames
  readonly policy: string | null
  /** Ids of teams whose members may sign in; absent: none. */
  readonly teams?: readonly string[]
  /** Every active user may sign in. */
  readonly all_users?: true
}

/** An AI application in which people sign in, or an agent with bindings. */
export interface HostFragment extends Formed {
  readonly kind: 'host'
  readonly id: string
  readonly slug: string
  readonly name: string
  readonly active: boolean
  /** Its bindings as profiles; absent without any. */
  readonly bindings?: readonly ProfileFragment[]
}

/** A user, as far as calls need one. */
export interface PersonFragment extends Formed {
  readonly kind: 'person'
  readonly id: string
  readonly slug: string
  readonly active: boolean
  /** Of the identity provider, as of the last sign-in. */
  readonly groups: readonly string[]
}

export interface TeamFragment extends Formed {
  readonly kind: 'team'
  readonly id: string
  readonly slug: string
  /** Id, or null. */
  readonly parent: string | null
  /** Ids of users. */
  readonly members: readonly string[]
  /** Groups of the identity provider whose users are members too. */
  readonly groups: readonly string[]
}

/** An active guardrail. */
export interface GuardrailFragment extends Formed {
  readonly kind: 'guardrail'
  readonly id: string
  readonly slug: string
  readonly order: number
  /** Where it applies: everywhere, or to collections and proxies by id. */
  readonly scope: {
    readonly everywhere: boolean
    readonly collections: readonly string[]
    readonly proxies: readonly string[]
    readonly virtual_mcps: readonly string[]
    readonly origins: readonly string[]
  }
  readonly legs: readonly Leg[]
  readonly detector: DetectorSettings
  readonly action: RuleAction
  /** For the action `replace` alone. */
  readonly text?: string
  /** For the action `hash` alone: its key, sealed. */
  readonly sealed_key?: string
  /** Members below are there only where they are set. */
  readonly observe?: true
  readonly passes_failures?: true
  readonly refuses_compressed?: true
  readonly body_bytes_max: number
  /** Of the detector `webhook`. */
  readonly server?: ServerFragment
}

interface VirtualMcpMemberFragment {
  /** Id. */
  readonly origin: string
  /** What stands before names that are taken; see model/mcp/public-names. */
  readonly prefix: string
  readonly rules: CapabilityRules
  /** Hashes of approved items; null holds nothing back. */
  readonly approved: Approved | null
}
