/** Clients, profiles, hosts and tokens as a thread has linked them. */
import type { KeyObject } from 'node:crypto'
import type { Certificate, Crl } from '../../base/crypto/certificate.ts'
import type { Plain } from '../../base/json/storable.ts'
import type { LimitKey } from '../find/limit-key.ts'
import type { Networks } from '../find/network.ts'
import type {
  BoundFragment,
  ClientFragment,
  HostFragment,
  LimitFragment,
  PolicyFragment,
  ProfileFragment,
  TokenFragment,
  VerifyFragment,
} from '../fragments.ts'
import type { ClosedRoute, LinkedCollection, LinkedProxy } from './collection.ts'

/** What a thread keeps of the fragment itself: what it makes lookups of is not kept twice, since there may be 100,000 clients. */
type ClientFacts = Omit<ClientFragment, 'kind' | 'id' | 'collections' | 'profiles'>

/** As {@link ClientFacts}. */
type ProfileFacts = Omit<
  ProfileFragment,
  | 'id'
  | 'tokens'
  | 'verify'
  | 'certificates'
  | 'allowed_methods'
  | 'ip_allowlist'
  | 'collections'
  | 'endpoints'
  | 'binding'
>

export interface LinkedClient {
  readonly kind: 'client'
  readonly id: string
  readonly fragment: ClientFacts
  readonly collections: ReadonlySet<string>
  /** By id and by slug. */
  /** Ids of the virtual MCPs that it may call. */
  readonly virtualMcps: ReadonlySet<string>
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
  readonly fragment: ProfileFacts
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
  /** Of a binding of a host: what its tokens open; null for any other profile. */
  readonly binding: BoundFragment | null
  /** X-Postern-Client and X-Postern-Profile, or empty. */
  readonly identityLines: string
  readonly verifier: LinkedVerifier | null
  readonly certificates: LinkedCertificates | null
  readonly key: LimitKey
}

/** An AI application in which people sign in, as a client of its own. */
export interface LinkedHost {
  readonly kind: 'host'
  readonly id: string
  readonly fragment: HostFragment
  readonly client: LinkedClient
  readonly profile: LinkedProfile
  /** Where people may not use it by signing in: ids of virtual MCPs, followed by that of a user where one alone may not. */
  readonly off: ReadonlySet<string>
}

export interface LinkedToken {
  readonly fragment: TokenFragment
  readonly profile: LinkedProfile
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
  /** When the proof itself ends, whether it is judged anew before or not: milliseconds since the epoch, infinite where it names no end. */
  readonly endsAt: number
  readonly subject: string
  /** OAuth client that the token was issued to (`azp` or `client_id`); empty when it does not say. */
  readonly agentHost: string
  readonly claims: Claims
  /** Of a token of Postern's own authorization server; absent for others. */
  readonly signIn?: SignedIn
}

/** Who has signed in, and what they have allowed. */
export interface SignedIn {
  /** Id of the user; null for an agent that acts for itself. */
  readonly user: string | null
  /** Id of the grant, which ends all tokens of it; null for a token that an agent got for itself. */
  readonly grant: string | null
  readonly scopes: ReadonlySet<string>
  /** Of the memory of revoked grants, when the token was proved. */
  readonly epoch: number
  /** Of an agent: name of what it proved itself by; absent for people at a host. */
  readonly credential?: string
  /** Of a token that an agent got by exchange: id of the host with which the person had signed in. */
  readonly subjectHost?: string
}

/** Claims of a caller that the profile lists, as text. `lists` has those that are lists: the text joins items that may have commas. */
export type Claims = ReadonlyMap<string, string> & { readonly lists?: ReadonlyMap<string, readonly string[]> }

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
  /** Each call is counted in Valkey, where nodes count there. */
  readonly isExact: boolean
  readonly onStoreFailure: 'local' | 'deny' | 'allow'
  readonly by: 'attachment' | 'ip' | 'global' | 'tool' | 'user' | 'claim' | 'header'
  /** Of the claim or header, the latter in lower case. */
  readonly byName: string
  /** Item of the RateLimit-Policy field. */
  readonly policyItem: string
}
