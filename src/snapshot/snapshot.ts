/**
 * What a gateway thread serves: linked fragments and the maps that find them. A snapshot is immutable once it is published; a
 * request keeps the one with which it started. Linked fragments have ids of each other, never references, so a fragment is
 * linked once, however often the others change.
 */
import type { Lru } from '../base/memory/lru.ts'
import type { LimitPlans } from './find/limit-plan.ts'
import type { Mounts } from './find/paths.ts'
import type { VirtualMcpIndex } from './find/virtual-mcps.ts'
import type {
  CatalogueFragment,
  ContractsFragment,
  Fragment,
  FragmentKey,
  FragmentKind,
  PersonFragment,
  SchemasFragment,
  TeamFragment,
} from './fragments.ts'
import type {
  Bound,
  LinkedClient,
  LinkedHost,
  LinkedPolicy,
  LinkedProfile,
  LinkedToken,
  Verified,
} from './linked-types/client.ts'
import type { LinkedCollection, LinkedWorkflow } from './linked-types/collection.ts'
import type { LinkedCredential } from './linked-types/credential.ts'
import type { GuardrailIndex, LinkedGuardrail } from './linked-types/guardrail.ts'
import type { LinkedOrigin, LinkedVirtualMcp } from './linked-types/mcp.ts'

export interface Snapshot {
  readonly revision: number
  readonly mounts: Mounts
  readonly collections: ReadonlyMap<string, LinkedCollection>
  /** By id and by slug; an id holds an underscore, a slug cannot. */
  readonly clients: ReadonlyMap<string, LinkedClient>
  readonly profiles: ReadonlyMap<string, LinkedProfile>
  /** Tokens that Postern made, by their lookup part. */
  readonly tokens: ReadonlyMap<string, LinkedToken>
  /** Tokens whose text another program chose, by the lookup of `printOfImported`. */
  readonly importedTokens: ReadonlyMap<string, LinkedToken>
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
  readonly origins: ReadonlyMap<string, LinkedOrigin>
  /** By id of the origin. */
  readonly catalogues: ReadonlyMap<string, CatalogueFragment>
  /** By id and by slug; an id holds an underscore, a slug cannot. */
  readonly virtualMcps: ReadonlyMap<string, LinkedVirtualMcp>
  /** AI applications in which people sign in, by id. */
  readonly hosts: ReadonlyMap<string, LinkedHost>
  /** Tokens of bindings, by the lookup part. */
  readonly hostTokens: ReadonlyMap<string, LinkedToken>
  /** Users, by id. */
  readonly people: ReadonlyMap<string, PersonFragment>
  /** By id. */
  readonly teams: ReadonlyMap<string, TeamFragment>
  /** By id. */
  readonly workflows: ReadonlyMap<string, LinkedWorkflow>
  /** By id. */
  readonly guardrails: ReadonlyMap<string, LinkedGuardrail>
  /** Finds those of a place; null without guardrails. */
  readonly guards: GuardrailIndex | null
  /** Ids of origins that cannot be reached. They are none of what is published: the main thread tells them beside it. */
  readonly originsDown: ReadonlySet<string>
  /** What virtual MCPs have of their origins. */
  readonly joined: VirtualMcpIndex
  /** One sentence for each fragment that could not be linked and fails closed; no secrets. */
  readonly faults: readonly string[]
  /** What was linked, by key. */
  readonly entries: ReadonlyMap<FragmentKey, SnapshotEntry>
}

export interface SnapshotEntry {
  readonly hash: string
  readonly linked: Linked
}

/** What each kind of fragment is linked to. */
export interface LinkedFragments {
  readonly collection: LinkedCollection
  readonly contracts: ContractsFragment
  readonly schemas: SchemasFragment
  readonly client: LinkedClient
  readonly policy: LinkedPolicy
  readonly credential: LinkedCredential
  readonly origin: LinkedOrigin
  readonly catalogue: CatalogueFragment
  readonly virtual_mcp: LinkedVirtualMcp
  readonly host: LinkedHost
  readonly person: PersonFragment
  readonly team: TeamFragment
  readonly workflow: LinkedWorkflow
  readonly guardrail: LinkedGuardrail
}

export type Linked = LinkedFragments[FragmentKind] | Quarantined

/** A fragment that could not be linked. What refers to it finds nothing, and is refused. */
export interface Quarantined {
  readonly kind: 'quarantined'
  readonly fragment: Fragment
  readonly fault: string
}

/** Takes committed changes to the gateway threads, in the order of their revisions. */
export interface Publisher {
  /**
   * Sends everything up to a committed revision that was not sent before. Resolves when it is on its way to the threads and
   * kept for a later start. Rejects when the changes cannot be read; then a later publication sends them.
   */
  publish(revision: number): Promise<Sent>
  /** Whether every thread of every process runs what is committed by now. Rejects where that cannot be read. Absent where no other process can share the store. */
  readonly confirm?: () => Promise<Acknowledged>
}

export interface Sent {
  /** Resolves when every thread of every process runs the revision, or with `pending` after the deadline. */
  readonly acknowledged: Promise<Acknowledged>
}

export interface Acknowledged {
  readonly pending: boolean
  /** Names of the other processes that have not acknowledged it; absent for none. */
  readonly nodes?: readonly string[]
}
