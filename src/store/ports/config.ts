/**
 * The port of the configuration store. It consists of questions and names no database. Configuration and audit share one
 * transaction, so a change and its audit entry cannot be separated.
 */
import type { AuditEntry } from '../../model/access/audit.ts'
import type { ResourceType } from '../../model/resource-types.ts'
import type { AccessRequestReader, AccessRequestWriter } from './access-requests.ts'
import type {
  AuditLink,
  AuditPlace,
  StoredAnchor,
  StoredCheckpoint,
  StoredKeyAnchor,
  TrailSeal,
} from './audit-chain.ts'
import type { ChangeRequestReader, ChangeRequestWriter } from './change-requests.ts'
import type { ConnectionReader } from './connections.ts'
import type { OAuthReader, OAuthWriter } from './oauth.ts'
import type { FacetName, Fields, Resource, TEXT_FACETS, TimeOrder } from './resource.ts'
import type { Probed } from './unavailable.ts'

/**
 * How lists may be ordered: by creation, by slug, or by the last change with the latest first. Items that are alike in it are
 * in the order of their ids.
 */
export const LIST_ORDERS = ['oldest', 'newest', 'slug', 'updated'] as const
export type ListOrder = (typeof LIST_ORDERS)[number]

/** One page of a list. */
export interface ListQuery<T extends ResourceType = ResourceType> {
  readonly type: T
  readonly limit: number
  /** `oldest` when absent. */
  readonly order?: ListOrder
  /** Id of the last item of the page before. */
  readonly after?: string
  /** With `after`: what that item has in the column of the order, for `slug` and `updated`. */
  readonly afterValue?: string
  /** Part of the name, the slug, or one of the {@link TEXT_FACETS}; upper and lower case are alike. */
  readonly text?: string
  readonly parent?: string
  /** Of which a resource must have all. */
  readonly tags?: readonly string[]
  /** Top-level members of the spec that must have these values. */
  readonly where?: Readonly<Partial<Record<FacetName, string | number | boolean>>>
  /** Members of the spec that are arrays and must hold these values. */
  readonly holds?: Readonly<Partial<Record<FacetName, string>>>
  /** Of which a resource must fit one; an empty list fits nothing. */
  readonly within?: readonly Part[]
}

/** Resources of a type that match both lists; an empty list matches all. */
export interface Part {
  /** Ids of collections and virtual MCPs: the resource itself, or what it belongs to. */
  readonly collections: readonly string[]
  /** Tags, of which the resource, or what it belongs to, has one. */
  readonly tags: readonly string[]
}

/**
 * An issued token of a profile, or a secret that its callers sign with; that secret itself is sealed under its id.
 * Times in milliseconds since the epoch.
 */
export interface StoredToken {
  readonly id: string
  readonly profile: string
  readonly lookup: string
  readonly hash: string
  readonly created_at: number
  readonly expires_at: number | null
  readonly retires_at: number | null
  readonly revoked_at: number | null
}

/** True for a secret that callers sign with, false for a token that they send. */
export function isSigningSecret({ id }: Pick<StoredToken, 'id'>): boolean {
  return id.startsWith('sec_')
}

/** A sealed secret field of a resource. */
export interface StoredSecret {
  readonly owner: string
  readonly field: string
  readonly sealed: string
  readonly last4: string | null
  readonly updated_at: string
}

/**
 * What is kept of a resource beside what was written of it: the catalogue of an origin, the public names of a virtual MCP. It is no
 * part of revisions: a rollback leaves it as it is.
 */
interface ResourceState {
  readonly owner: string
  /** Name of the part, of the kind of resource alone. */
  readonly part: string
  readonly json: string
}

/** A grant of a token: a role, over everything without a scope. */
export interface StoredGrant {
  /** One that is always there, or the id of one that was made here. */
  readonly role: string
  /** What the role held when it was granted; absent for one that is always there. */
  readonly permissions?: readonly string[]
  readonly scope?: Part & { readonly types: readonly string[]; readonly verbs: readonly string[] }
}

/** An access token of the management surfaces. Times in milliseconds since the epoch. */
export interface StoredAccessToken {
  readonly id: string
  readonly lookup: string
  readonly hash: string
  readonly name: string
  readonly grants: readonly StoredGrant[]
  readonly audience: string
  /** How it came about, such as `access_token` or `local_token`. */
  readonly method: string
  readonly created_at: number
  readonly expires_at: number
  readonly revoked_at: number | null
}

/** A personal token: at most what its owner may do, or what of that its grants allow where it has some. */
export interface StoredPersonalToken extends StoredAccessToken {
  readonly owner: string
  readonly last_used_at: number | null
}

/** What a set of documents was found to change, kept so that exactly that can be applied. */
export interface StoredPlan {
  readonly id: string
  /** Name of the set. */
  readonly owner: string
  /** Id of the principal; empty for plans from before that was kept. */
  readonly made_by: string
  /** Fingerprint of the documents and of how they are to be applied. */
  readonly documents: string
  readonly steps: readonly {
    readonly action: string
    readonly item: string
    readonly revision: number | null
  }[]
  /** Of the configuration. */
  readonly revision: number
  /** Milliseconds since the epoch. */
  readonly created_at: number
}

/** What a set of documents last said of a resource, so that it can be told which side has changed since. */
export interface StoredApplied {
  readonly owner: string
  /** Such as `proxy/orders:get-order`. */
  readonly address: string
  readonly resource: string
  readonly spec: Fields
}

/** A link by which someone chooses a password, once. */
export interface StoredSetUpLink {
  /** Of the token in it. */
  readonly hash: string
  /** The local user whose password is chosen; null makes an administrator. */
  readonly user: string | null
  /** `first` while nobody administers, `reset` from the data directory, `invite` by who may change the user. */
  readonly purpose: 'first' | 'reset' | 'invite'
  /** Milliseconds since the epoch. */
  readonly expires_at: number
}

/** The first answer to a call that named an idempotency key. */
interface StoredAnswer {
  readonly scope: string
  readonly fingerprint: string
  /** Null when the answer held a secret that is shown only once. */
  readonly answer: Fields | null
  readonly expires_at: number
}

export interface AuditFilter {
  readonly limit: number
  /** `newest` when absent. */
  readonly order?: TimeOrder
  /** Number of the last item of the page before, whichever the order. */
  readonly last?: number
  readonly resource_type?: string
  /** Id or slug of the resource. */
  readonly resource?: string
  /** Of which it must be one. */
  readonly actions?: readonly string[]
  /** Id or name of the actor. */
  readonly actor?: string
  /** Id or name of who approved it. */
  readonly approver?: string
  readonly operation?: string
  readonly surface?: string
  readonly outcome?: string
  readonly actor_type?: string
  readonly auth_method?: string
  /** Name that an agent gave itself. */
  readonly agent?: string
  readonly agent_version?: string
  readonly session_id?: string
  readonly conversation_id?: string
  /** Of HTTP. */
  readonly method?: string
  readonly ip?: string
  readonly request_id?: string
  readonly plan_id?: string
  /** Problem code. */
  readonly error?: string
  /** HTTP statuses, and hundreds (4 for 4xx), of which one must fit. */
  readonly statuses?: { readonly exact: readonly number[]; readonly hundreds: readonly number[] }
  /** Revision of the resource before or after the change. */
  readonly revision?: number
  readonly config_revision?: number
  /** Part of the reason; so are the others of the path, the user agent, and what follows. */
  readonly reason?: string
  readonly path_contains?: string
  readonly user_agent?: string
  readonly detail?: string
  readonly diff?: string
  readonly request?: string
  readonly response?: string
  /** Id or slug of the collection. */
  readonly collection?: string
  /** Ids of collections, of which it must be one. */
  readonly collections?: readonly string[]
  /** Part of any text in the entry. */
  readonly text?: string
  /** With `request` and `response`. */
  readonly bodies?: boolean
  readonly from?: string
  readonly to?: string
}

/** What may be asked of the audit trail. */
export interface AuditReader {
  auditEntry(id: string): Promise<AuditEntry | undefined>
  /** Entries and links by their numbers, from `after` on, at most `count` numbers; empty when there are no more. */
  auditLinks(after: number, count: number): Promise<readonly AuditLink[]>
  /** The last link; undefined before the first entry. */
  lastAuditLink(): Promise<{ readonly seq: number; readonly hash: string } | undefined>
  /** In their order. */
  checkpoints(): Promise<readonly StoredCheckpoint[]>
  /** Undefined for a trail of an older version, whose links are all plain. */
  auditKeyAnchor(): Promise<StoredKeyAnchor | undefined>
  /** What retention has signed, in its order. */
  auditAnchors(): Promise<readonly StoredAnchor[]>
  /** The first entry that is there. */
  oldestAudit(): Promise<{ readonly seq: number; readonly time: string } | undefined>
  /** The number up to which every entry is from before the time; null when the first is not. */
  lastAuditBefore(time: string): Promise<number | null>
  /** Newest first, unless the filter asks for another order. */
  auditEntries(filter: AuditFilter): Promise<{
    readonly items: readonly AuditEntry[]
    /** Number of each item, for {@link AuditFilter.last}. */
    readonly seqs: readonly number[]
    /** Number of the last item where there are more; null at the end. */
    readonly next: number | null
  }>
}

/** How resources are read, before the type of what is found follows from the type that was asked for. */
interface ResourceReads {
  byId(type: ResourceType, id: string): Promise<Resource | undefined>
  bySlug(
    type: ResourceType,
    slug: string,
    parent?: string,
    within?: readonly Part[],
  ): Promise<readonly Resource[]>
  byKey(type: ResourceType, key: string, parent: string | null): Promise<readonly Resource[]>
  list(query: ListQuery): Promise<readonly Resource[]>
  all(type: ResourceType, parent?: string): Promise<readonly Resource[]>
  below(type: ResourceType, parents: readonly string[]): Promise<readonly Resource[]>
}

/** The reads with the types of {@link ConfigReader}. For what finds only resources of the type that it is asked for. */
export function typedReads<Name extends keyof ResourceReads>(
  reads: Pick<ResourceReads, Name>,
): Pick<ConfigReader, Name> {
  // A spec was parsed by the schema of its type before it was stored
  return reads as Pick<ConfigReader, Name>
}

/** What may be asked at any time. */
export interface ConfigReader
  extends AuditReader,
    RevisionReader,
    AccessRequestReader,
    ChangeRequestReader,
    FragmentReader {
  readonly oauth: OAuthReader
  readonly connections: ConnectionReader
  /** Revision of the whole configuration; 0 before the first change. */
  revision(): Promise<number>
  byId<T extends ResourceType>(type: T, id: string): Promise<Resource<T> | undefined>
  /**
   * Slugs of proxies and profiles are unique only below their parent, so several may come back.
   * @param parent empty for what is below none
   * @param within as of {@link ListQuery}
   */
  bySlug<T extends ResourceType>(
    type: T,
    slug: string,
    parent?: string,
    within?: readonly Part[],
  ): Promise<readonly Resource<T>[]>
  byKey<T extends ResourceType>(type: T, key: string, parent: string | null): Promise<readonly Resource<T>[]>
  list<T extends ResourceType>(query: ListQuery<T>): Promise<readonly Resource<T>[]>
  /** All resources of a type, or those below one parent, in order of creation. */
  all<T extends ResourceType>(type: T, parent?: string): Promise<readonly Resource<T>[]>
  /** Those below any of several parents; below each of them in order of creation. */
  below<T extends ResourceType>(type: T, parents: readonly string[]): Promise<readonly Resource<T>[]>
  slugs(ids: readonly string[]): Promise<ReadonlyMap<string, string>>
  /** Resources that refer to this one, in their live or pending version. */
  usersOf(id: string): Promise<readonly Resource[]>
  tokensOf(profiles: readonly string[]): Promise<readonly StoredToken[]>
  /** The token of any profile that has this lookup, revoked or not. */
  tokenByLookup(lookup: string): Promise<StoredToken | undefined>
  secretsOf(owners: readonly string[]): Promise<readonly StoredSecret[]>
  /** What is kept of resources, in order of owner and part. @param part only that part, for parts may be large */
  statesOf(owners: readonly string[], part?: string): Promise<readonly ResourceState[]>
  /** Every sealed secret there is. */
  secrets(): Promise<readonly StoredSecret[]>
  /** JSON text of shared schemas by content hash. */
  schema(hash: string): Promise<string | undefined>
  meta(name: string): Promise<string | undefined>
  accessToken(lookup: string): Promise<StoredAccessToken | undefined>
  /** Also one that is revoked. */
  personalToken(
    by: { readonly id: string } | { readonly lookup: string },
  ): Promise<StoredPersonalToken | undefined>
  /** Those that are not revoked, of one owner or of all, by creation: the oldest first unless another order is asked for. */
  personalTokens(query: {
    readonly owner: string | null
    readonly limit: number
    readonly order?: TimeOrder
    readonly after?: string
  }): Promise<readonly StoredPersonalToken[]>
  /** What is kept of the password of a local user. */
  password(user: string): Promise<string | undefined>
  setUpLink(hash: string): Promise<StoredSetUpLink | undefined>
  answer(scope: string): Promise<StoredAnswer | undefined>
  plan(id: string): Promise<StoredPlan | undefined>
  /** All of a set of documents. */
  applied(owner: string): Promise<readonly StoredApplied[]>
}

/** What may be done inside of one transaction. */
export interface ConfigWriter
  extends ConfigReader,
    RevisionWriter,
    AccessRequestWriter,
    ChangeRequestWriter,
    FragmentWriter {
  /**
   * Enters the write lane of OAuth too, until the transaction ends, and returns what writes there. Waits for a write of that lane that
   * runs. Lanes are entered in this order only, so that no two transactions wait for each other.
   */
  joinOAuth(): Promise<OAuthWriter>
  insert(resource: Resource): Promise<void>
  replace(resource: Resource): Promise<void>
  /** Also forgets its tokens, secrets, state, password and references, and ends what is asked for by it or for it. */
  remove(id: string): Promise<void>
  /** Replaces what a resource refers to. */
  link(from: string, to: readonly string[]): Promise<void>
  putToken(token: StoredToken): Promise<void>
  putSecret(secret: StoredSecret): Promise<void>
  removeSecret(owner: string, field: string): Promise<void>
  /** Keeps a part of the state of a resource; null forgets it. Fragments that are compiled from it need a note of a change. */
  putState(owner: string, part: string, json: string | null): Promise<void>
  putSchema(hash: string, json: string): Promise<void>
  setMeta(name: string, value: string): Promise<void>
  /** Adds one to the revision of the configuration and returns it. */
  nextRevision(): Promise<number>
  putAccessToken(token: StoredAccessToken | StoredPersonalToken): Promise<void>
  /** Notes when a personal token was used. A later use that is noted already stays. */
  usedPersonalToken(id: string, at: number): Promise<void>
  /** Its links to choose another are forgotten. */
  putPassword(user: string, hash: string, now: number): Promise<void>
  /** Forgets the password of a local user, and links to choose one. */
  removePassword(user: string): Promise<void>
  /**
   * Earlier links of the same purpose and user are forgotten, and so are all that expired before `now`. In a shared store, links of
   * purpose `first` stay: each process has one.
   * @param before hash of the link of purpose `first` that this process has made before; it is forgotten
   */
  putSetUpLink(link: StoredSetUpLink, now: number, before?: string | null): Promise<void>
  /** Forgets a link, and with one that makes an administrator all such. True when it was there. */
  spendSetUpLink(link: StoredSetUpLink): Promise<boolean>
  /** Stores an answer and forgets those that expired before `now`. */
  putAnswer(answer: StoredAnswer, now: number): Promise<void>
  /** Stores a plan and forgets those made before `since`, in milliseconds since the epoch, and all but the last `max` of who made it. */
  putPlan(plan: StoredPlan, since: number, max: number): Promise<void>
  putApplied(applied: StoredApplied): Promise<void>
  removeApplied(owner: string, address: string): Promise<void>
  /**
   * Also links it to the entry before. Throws before {@link ConfigStore.sealTrail}. Refuses with store_unavailable when the
   * last entry is not the one that the mark knows, or in a shared store does not follow from it by entries that were linked with the
   * key: another program has changed the trail.
   */
  appendAudit(entry: AuditEntry, collectionSlug?: string | null): Promise<void>
  /** The last entry of the trail, which follows from the mark. Refuses as {@link appendAudit}. */
  auditEnd(): Promise<AuditPlace>
  /** Writes anew what filters find entries by, where it is not what the entries say. */
  mendAuditFilters(): Promise<void>
  putCheckpoint(checkpoint: StoredCheckpoint): Promise<void>
  /** Once for a store. */
  putAuditKeyAnchor(anchor: StoredKeyAnchor): Promise<void>
  /** Keeps the anchor, and removes entries, links and checkpoints up to it. */
  cutAudit(anchor: StoredAnchor): Promise<void>
}

export interface WriteSettings<T> {
  /** Undo everything at the end, as a dry run does. */
  readonly rollback?: boolean
  /** Runs right after COMMIT. The next transaction starts when it has resolved. Must not throw or reject. */
  readonly committed?: (result: T) => void | Promise<void>
}

/**
 * Configuration and audit.
 * 1. Two write lanes: the configuration with its trail, and OAuth. One transaction of a lane at a time, in order of arrival; a throw
 *    leaves nothing behind. Lanes may wait for each other, and need not.
 * 2. Reads never wait for a transaction and never see an unfinished one.
 * 3. A transaction inside of a transaction is a fault and throws.
 * 4. While the file cannot be used, writes reject with StoreUnavailable and change nothing. Reads answer where they can.
 * 5. A write that adds audit entries resolves after the mark of the trail has moved to the last of them.
 */
export interface ConfigStore extends Probed {
  readonly read: ConfigReader
  /** Several processes may write at the same time. */
  readonly isShared: boolean
  /** Gives the store the key and the mark of its audit trail. Until then it takes no audit entry. */
  sealTrail(seal: TrailSeal): void
  /** A transaction in the write lane of the configuration. */
  write<T>(work: (writer: ConfigWriter) => Promise<T>, settings?: WriteSettings<T>): Promise<T>
  /** A transaction in the write lane of OAuth: tokens need not wait for a long change of the configuration. */
  writeOAuth<T>(work: (writer: OAuthWriter) => Promise<T>): Promise<T>
  /** Several reads that see one state, with no transaction finishing in between. */
  still<T>(work: (reader: ConfigReader) => Promise<T>, done?: (result: T) => void): Promise<T>
  /**
   * Claims one run of work that one process does for all processes that share the store. Resolves to true at most once in each
   * period over all of them, if their clocks differ by less than a period. A clock that was set back by more than a period claims at
   * once. A claim is kept if its process ends without doing the work: the next period does it.
   * @param name of the work @param everyMs the period, milliseconds @param now milliseconds since the epoch
   */
  claimJob(name: string, everyMs: number, now: number): Promise<boolean>
  /** Waits for the running transaction, then closes. */
  close(): Promise<void>
}

// The transaction of a change stores the earlier state of each touched resource, for the last thousand revisions. An earlier
// state of the configuration is computed backwards from the present one.

/** Revisions of the configuration that are kept: the newest. Older ones are told by the audit trail alone. */
export const REVISIONS_KEPT = 1000

/** A revision of the whole configuration. */
export interface StoredRevision {
  readonly revision: number
  readonly time: string
  readonly actor: { readonly id: string; readonly type: string; readonly name: string }
  readonly surface: string
  readonly operation: string
  readonly reason: string | null
  readonly request_id: string
}

/** What a revision did to one resource. */
export interface RevisionItem {
  readonly id: string
  readonly type: ResourceType
  readonly slug: string
  readonly parent: string | null
  /** secrets: nothing but what is beside its fields. */
  readonly action: 'created' | 'changed' | 'removed' | 'secrets'
}

/** With the resource as it was before; null for one that was created. */
export interface RevisionImage extends RevisionItem {
  readonly before: Resource | null
}

export interface RevisionReader {
  /** Those that follow `last` in the order; the newest first unless another order is asked for. */
  revisions(
    limit: number,
    last?: number,
    order?: TimeOrder,
  ): Promise<readonly (StoredRevision & { readonly items: number })[]>
  revisionAt(revision: number): Promise<StoredRevision | undefined>
  /** At most `limit`, by type and slug. */
  revisionItems(revision: number, limit: number): Promise<readonly RevisionItem[]>
  /** The first item of each of these revisions, by type and slug; a revision without items is left out. */
  firstItems(revisions: readonly number[]): Promise<ReadonlyMap<number, RevisionItem>>
  /** The oldest that is kept; undefined without any. */
  oldestRevision(): Promise<number | undefined>
  /**
   * What has been changed after a revision, up to another where that is given, as it was at the first: null for what
   * was not there yet. Without those of which secrets alone changed.
   */
  changedSince(revision: number, upTo?: number): Promise<readonly RevisionImage[]>
}

export interface RevisionWriter {
  /** Also forgets those beyond {@link REVISIONS_KEPT}. */
  putRevision(revision: StoredRevision, images: readonly RevisionImage[]): Promise<void>
}

/**
 * Compiled fragments, stored in the transaction of the change that made them, so that every process that shares the store
 * reads what one of them has compiled. Derived data: they can be compiled again from the configuration. A process compares
 * them at its start, and from then on they are what the configuration compiles to.
 * Secrets stand in them as the vault has sealed them at rest, or as references to where they are read; never in the clear.
 */
export interface FragmentReader {
  /**
   * Fragments in the order of their keys, page by page: those that follow a key, at most `limit`. Null unless all that are stored are
   * of this compiler. Pages are of one state inside of `still` and of a transaction alone.
   * @param compiler names what compiled them; another one may make other fragments of the same configuration
   * @param after empty for the first page
   */
  fragments(compiler: string, after: string, limit: number): Promise<readonly StoredFragment[] | null>
  /** The keys and hashes of them alone, in any order. Null as for `fragments`, and where one is of another form. */
  fragmentHashes(
    compiler: string,
    form: number,
  ): Promise<readonly Pick<StoredFragment, 'key' | 'hash'>[] | null>
  /**
   * What has changed since a revision, older changes first; of several changes of one key the last one. Null when drops since
   * then are no longer known, or when another compiler has put fragments since: the reader must compile everything anew.
   * @param compiler of the reader; absent: compilers are not told apart
   */
  fragmentsSince(revision: number, compiler?: string): Promise<FragmentChanges | null>
}

export interface FragmentWriter {
  /**
   * Stores what a revision changes; a fragment with the same hash keeps its revision. What was dropped leaves a tombstone; beyond {@link TOMBSTONES_MAX} the oldest go,
   * those of this revision excepted. Where fragments are of several compilers, each that is put counts as changed.
   * @param compiler what has compiled them; absent: compilers are not told apart
   */
  putFragments(
    revision: number,
    changes: Pick<FragmentChanges, 'put' | 'drop'>,
    compiler?: string,
  ): Promise<void>
  /**
   * Stores fragments in the place of all. Tombstones go.
   * @param fill hands over the fragments, some at a time; a key may come again. Resolves with the name of the compiler, or null where
   * some could not be compiled: then the next start compiles again
   */
  replaceFragments(
    revision: number,
    fill: (put: (some: readonly StoredFragment[]) => Promise<void>) => Promise<string | null>,
  ): Promise<void>
  /** After a change of the configuration without its fragments: the next start compiles them again. */
  doubtFragments(): Promise<void>
}

/** Tombstones that are kept, besides those of the last change. */
export const TOMBSTONES_MAX = 1000

export interface StoredFragment {
  readonly key: string
  /** SHA-256 of `json`, base64url. */
  readonly hash: string
  /** The form of fragments that its writer knew. */
  readonly form: number
  readonly json: string
}

export interface FragmentChanges {
  /** Of the configuration that holds with them. */
  readonly revision: number
  readonly put: readonly StoredFragment[]
  readonly drop: readonly string[]
}
