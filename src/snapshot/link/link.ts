import { Lru } from '../../base/lru.ts'
import type { Opener } from '../../vault/opener.ts'
import { createLimitPlans } from '../find/limit-plan.ts'
import { NO_MOUNTS, toMounts } from '../find/mounts.ts'
import type {
  ContractsFragment,
  Fragment,
  FragmentKey,
  SchemasFragment,
  SnapshotDelta,
} from '../fragments.ts'
import type { LinkedClient, LinkedProfile, LinkedToken } from '../linked/client.ts'
import type { LinkedCollection } from '../linked/collection.ts'
import type { LinkedCredential } from '../linked/credential.ts'
import type { LinkedPolicy } from '../linked/policy.ts'
import type { HeldFragment, Linked, Snapshot } from '../snapshot.ts'
import { linkClient } from './client.ts'
import { closedCollection, linkCollection } from './collection.ts'
import { linkCredential } from './credential.ts'
import { linkPolicy } from './policy.ts'

/** Proved tokens that one thread remembers. */
const VERIFIED_MAX = 10_000
/** Tokens that one thread remembers to have failed. */
const FAILED_MAX = 1000

/** The snapshot before the first one: nothing is found in it. */
export const EMPTY_SNAPSHOT: Snapshot = {
  revision: 0,
  mounts: NO_MOUNTS,
  collections: new Map(),
  clients: new Map(),
  profiles: new Map(),
  tokens: new Map(),
  proved: new Map(),
  issuers: new Map(),
  introspecting: new Map(),
  verified: new Lru(VERIFIED_MAX),
  failed: new Lru(FAILED_MAX),
  bindings: new Map(),
  bound: new WeakMap(),
  policies: new Map(),
  plans: createLimitPlans(),
  credentials: new Map(),
  contracts: new Map(),
  schemas: new Map(),
  faults: [],
  held: new Map(),
}

/**
 * The snapshot after a delta. Only fragments whose hash changed are linked; maps are copied where something in them
 * changed. `current` is untouched. Never throws for a bad fragment: it is quarantined and named in `faults`.
 */
export function applyDelta(current: Snapshot, delta: SnapshotDelta, open: Opener): Snapshot {
  const held = delta.full ? new Map<FragmentKey, HeldFragment>() : new Map(current.held)
  const draft = new Draft(delta.full ? EMPTY_SNAPSHOT : current)
  for (const key of delta.drop) {
    const gone = held.get(key)
    if (gone === undefined) continue
    draft.remove(gone.linked)
    held.delete(key)
  }
  const added: Linked[] = []
  for (const { key, hash, fragment } of delta.put) {
    const before = current.held.get(key)
    const same = before !== undefined && before.hash === hash
    if (same && held.has(key)) continue
    const linked = same ? before.linked : link(fragment, open, before?.linked)
    const replaced = held.get(key)
    if (replaced !== undefined) draft.remove(replaced.linked)
    held.set(key, { hash, linked })
    added.push(linked)
  }
  // All removals first: a slug may have moved from one client to another.
  for (const linked of added) draft.add(linked)
  return draft.toSnapshot(delta.revision, held)
}

function link(fragment: Fragment, open: Opener, before: Linked | undefined): Linked {
  try {
    switch (fragment.kind) {
      case 'collection':
        return linkCollection(fragment, before?.kind === 'collection' ? before : null, open)
      case 'client':
        return linkClient(fragment, open)
      case 'policy':
        return linkPolicy(fragment)
      case 'credential':
        return linkCredential(fragment, open)
      case 'contracts':
      case 'schemas':
        return fragment
      default:
        throw new RangeError('the kind of the fragment is not known')
    }
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'unknown reason'
    const isMountable = fragment.kind === 'collection' && typeof fragment.base_path === 'string'
    if (isMountable) {
      const fault = `collection ${fragment.slug} cannot be used: ${reason}`
      return closedCollection({ ...fragment, hosts: hostsOf(fragment.hosts) }, fault)
    }
    const name = 'slug' in fragment ? fragment.slug : fragment.id
    return { kind: 'quarantined', fragment, fault: `${fragment.kind} ${name} cannot be used: ${reason}` }
  }
}

function hostsOf(hosts: readonly string[]): readonly string[] {
  return Array.isArray(hosts) ? hosts : []
}

/** A map that is copied at the first write. */
class Copied<V> {
  #map: ReadonlyMap<string, V>
  #own: Map<string, V> | null = null

  constructor(map: ReadonlyMap<string, V>) {
    this.#map = map
  }

  get map(): ReadonlyMap<string, V> {
    return this.#own ?? this.#map
  }

  get isChanged(): boolean {
    return this.#own !== null
  }

  #writable(): Map<string, V> {
    this.#own ??= new Map(this.#map)
    return this.#own
  }

  set(key: string, value: V): void {
    this.#writable().set(key, value)
  }

  /** Deletes the entry if it is still this value. */
  delete(key: string, value: V): void {
    if (this.map.get(key) === value) this.#writable().delete(key)
  }
}

type Lists = Copied<readonly LinkedProfile[]>

function include(lists: Lists, key: string, profile: LinkedProfile): void {
  lists.set(key, [...(lists.map.get(key) ?? []), profile])
}

function exclude(lists: Lists, key: string, profile: LinkedProfile): void {
  const known = lists.map.get(key)
  const rest = known?.filter((one) => one !== profile) ?? []
  if (rest.length > 0) lists.set(key, rest)
  else if (known !== undefined) lists.delete(key, known)
}

function namesOf({ certificates }: LinkedProfile): ReadonlySet<string> {
  return new Set(certificates?.bindings.map(({ name }) => name))
}

class Draft {
  readonly #before: Snapshot
  readonly #collections: Copied<LinkedCollection>
  readonly #clients: Copied<LinkedClient>
  readonly #profiles: Copied<LinkedProfile>
  readonly #tokens: Copied<LinkedToken>
  readonly #issuers: Copied<readonly LinkedProfile[]>
  readonly #introspecting: Copied<LinkedProfile>
  readonly #bindings: Copied<readonly LinkedProfile[]>
  readonly #policies: Copied<LinkedPolicy>
  readonly #credentials: Copied<LinkedCredential>
  readonly #contracts: Copied<ContractsFragment>
  readonly #schemas: Copied<SchemasFragment>
  #faultsChanged = false

  constructor(before: Snapshot) {
    this.#before = before
    this.#collections = new Copied(before.collections)
    this.#clients = new Copied(before.clients)
    this.#profiles = new Copied(before.profiles)
    this.#tokens = new Copied(before.tokens)
    this.#issuers = new Copied(before.issuers)
    this.#introspecting = new Copied(before.introspecting)
    this.#bindings = new Copied(before.bindings)
    this.#policies = new Copied(before.policies)
    this.#credentials = new Copied(before.credentials)
    this.#contracts = new Copied(before.contracts)
    this.#schemas = new Copied(before.schemas)
  }

  add(linked: Linked): void {
    switch (linked.kind) {
      case 'collection':
        this.#collections.set(linked.id, linked)
        this.#faultsChanged ||= (linked.fault ?? linked.unresolved) !== null
        break
      case 'client':
        this.#clients.set(linked.id, linked)
        this.#clients.set(linked.fragment.slug, linked)
        for (const profile of linked.profiles.values()) this.#profiles.set(profile.id, profile)
        this.#addProvers(linked)
        for (const token of linked.tokens) this.#tokens.set(token.fragment.lookup, token)
        break
      case 'policy':
        this.#policies.set(linked.id, linked)
        break
      case 'credential':
        this.#credentials.set(linked.id, linked)
        break
      case 'contracts':
        this.#contracts.set(linked.id, linked)
        break
      case 'schemas':
        this.#schemas.set(linked.id, linked)
        break
      case 'quarantined':
        this.#faultsChanged = true
        break
    }
  }

  remove(linked: Linked): void {
    switch (linked.kind) {
      case 'collection':
        this.#collections.delete(linked.id, linked)
        this.#faultsChanged ||= (linked.fault ?? linked.unresolved) !== null
        break
      case 'client':
        this.#clients.delete(linked.id, linked)
        this.#clients.delete(linked.fragment.slug, linked)
        for (const profile of linked.profiles.values()) this.#profiles.delete(profile.id, profile)
        this.#removeProvers(linked)
        for (const token of linked.tokens) this.#tokens.delete(token.fragment.lookup, token)
        break
      case 'policy':
        this.#policies.delete(linked.id, linked)
        break
      case 'credential':
        this.#credentials.delete(linked.id, linked)
        break
      case 'contracts':
        this.#contracts.delete(linked.id, linked)
        break
      case 'schemas':
        this.#schemas.delete(linked.id, linked)
        break
      case 'quarantined':
        this.#faultsChanged = true
        break
    }
  }

  /** Nothing changed that a plan is made of. */
  get #plansHold(): boolean {
    return !this.#policies.isChanged && !this.#collections.isChanged && !this.#clients.isChanged
  }

  #addProvers({ verifying, bound }: LinkedClient): void {
    for (const profile of verifying) {
      const { issuer, introspection } = profile.verifier!.fragment
      include(this.#issuers, issuer, profile)
      if (introspection !== null) this.#introspecting.set(profile.id, profile)
    }
    for (const profile of bound) for (const name of namesOf(profile)) include(this.#bindings, name, profile)
  }

  #removeProvers({ verifying, bound }: LinkedClient): void {
    for (const profile of verifying) {
      exclude(this.#issuers, profile.verifier!.fragment.issuer, profile)
      this.#introspecting.delete(profile.id, profile)
    }
    for (const profile of bound) for (const name of namesOf(profile)) exclude(this.#bindings, name, profile)
  }

  toSnapshot(revision: number, held: ReadonlyMap<FragmentKey, HeldFragment>): Snapshot {
    return {
      revision,
      mounts: this.#collections.isChanged ? toMounts(this.#collections.map.values()) : this.#before.mounts,
      collections: this.#collections.map,
      clients: this.#clients.map,
      profiles: this.#profiles.map,
      tokens: this.#tokens.map,
      proved: this.#tokens.isChanged ? new Map() : this.#before.proved,
      issuers: this.#issuers.map,
      introspecting: this.#introspecting.map,
      // A change may leave a token to another profile, or to several.
      verified: this.#issuers.isChanged ? new Lru(VERIFIED_MAX) : this.#before.verified,
      failed: this.#issuers.isChanged ? new Lru(FAILED_MAX) : this.#before.failed,
      bindings: this.#bindings.map,
      bound: this.#bindings.isChanged ? new WeakMap() : this.#before.bound,
      policies: this.#policies.map,
      plans: this.#plansHold ? this.#before.plans : createLimitPlans(),
      credentials: this.#credentials.map,
      contracts: this.#contracts.map,
      schemas: this.#schemas.map,
      faults: this.#faultsChanged ? faultsOf(held) : this.#before.faults,
      held,
    }
  }
}

function faultsOf(held: ReadonlyMap<FragmentKey, HeldFragment>): string[] {
  const faults: string[] = []
  for (const { linked } of held.values()) {
    if ('fault' in linked && linked.fault !== null) faults.push(linked.fault)
    if (linked.kind === 'collection' && linked.unresolved !== null) faults.push(linked.unresolved)
  }
  return faults.sort()
}
