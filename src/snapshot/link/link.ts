/** Makes the next snapshot from a delta: links changed fragments, and copies the maps that they change. */
import type { Opener } from '../../vault/vault.ts'
import { createGuardrailIndex } from '../find/guardrails.ts'
import { createLimitPlans } from '../find/limit-plan.ts'
import { NO_MOUNTS, toMounts } from '../find/paths.ts'
import { createVirtualMcpIndex } from '../find/virtual-mcps.ts'
import {
  type CollectionFragment,
  FORM,
  type Fragment,
  type FragmentKey,
  type FragmentKind,
  type Fragments,
} from '../fragments.ts'
import type { LinkedHost, LinkedToken } from '../linked-types/client.ts'
import type { LinkedCollection } from '../linked-types/collection.ts'
import type { LinkedVirtualMcp } from '../linked-types/mcp.ts'
import type { SnapshotDelta } from '../packed-fragments.ts'
import type { Linked, LinkedFragments, Quarantined, Snapshot, SnapshotEntry } from '../snapshot.ts'
import { linkClient } from './client.ts'
import { clientIndex } from './client-index.ts'
import { closedCollection, linkCollection } from './collection.ts'
import { linkCredential } from './credential.ts'
import { byId, CopiedMap, type KindIndex } from './kind-index.ts'
import {
  closedGuardrail,
  linkGuardrail,
  linkHost,
  linkOrigin,
  linkPolicy,
  linkVirtualMcp,
  linkWorkflow,
} from './small-kinds.ts'

/** The kinds that a plan of limits is made of. */
const PLANNED: readonly FragmentKind[] = ['policy', 'collection', 'client', 'origin', 'virtual_mcp']

/** The kinds that the capabilities of virtual MCPs are joined from. */
const JOINED: readonly FragmentKind[] = ['origin', 'catalogue', 'virtual_mcp', 'guardrail']

/**
 * The snapshot after a delta. Only fragments whose hash changed are linked; maps are copied where something in them
 * changed. `current` is untouched. Never throws for a bad fragment: it is quarantined and named in `faults`.
 */
export function applyDelta(current: Snapshot, delta: SnapshotDelta, open: Opener): Snapshot {
  const next = nextSnapshot(current, delta.full, open)
  next.take(delta)
  return next.finish(delta.revision)
}

/** A delta that arrives in parts, so that the text of a whole configuration is never in memory at once. */
export interface NextSnapshot {
  take(part: Pick<SnapshotDelta, 'put' | 'drop'>): void
  /** The snapshot after all parts. To be called once. */
  finish(revision: number): Snapshot
}

/** As {@link applyDelta}, part by part. @param full see {@link SnapshotDelta} */
export function nextSnapshot(current: Snapshot, full: boolean, open: Opener): NextSnapshot {
  const entries = full ? new Map<FragmentKey, SnapshotEntry>() : new Map(current.entries)
  const draft = new Draft(full ? EMPTY_SNAPSHOT : current)
  const added: Linked[] = []
  return {
    take({ put, drop }) {
      for (const key of drop) {
        const gone = entries.get(key)
        if (gone === undefined) continue
        draft.remove(gone.linked)
        entries.delete(key)
      }
      for (const entry of put) {
        const { key, hash } = entry
        const before = current.entries.get(key)
        const same = before !== undefined && before.hash === hash
        if (same && entries.has(key)) continue
        const linked = same ? before.linked : link(entry.fragment, open, before?.linked)
        const replaced = entries.get(key)
        if (replaced !== undefined) draft.remove(replaced.linked)
        entries.set(key, { hash, linked })
        added.push(linked)
      }
    },
    finish(revision) {
      // All removals first: a slug may have moved from one client to another.
      for (const linked of added) draft.add(linked)
      return { ...draft.toSnapshot(revision, entries), originsDown: current.originsDown }
    },
  }
}

/** A kind that a later version has put into `serving.db` is quarantined too. */
function link(fragment: Fragment, open: Opener, before: Linked | undefined): Linked {
  const row = Object.hasOwn(LINK, fragment.kind) ? rowOf(fragment.kind) : null
  try {
    if (row === null) throw new RangeError('the kind of the fragment is not known')
    demandForm(fragment)
    return row.link(fragment as never, open, before?.kind === fragment.kind ? (before as never) : null)
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'unknown reason'
    return row?.closed?.(fragment as never, reason) ?? quarantined(fragment, reason)
  }
}

/** Throws for a fragment with a restriction that this version does not know, and would not keep. */
function demandForm({ needs = 1 }: Fragment): void {
  // Not the other way round: what is no number is not known either
  if (!(Number.isInteger(needs) && needs <= FORM))
    throw new RangeError(
      `it was written by a newer Postern (form ${needs}; this version supports forms up to ${FORM}). Start the newer Postern`,
    )
}

/** The row of a kind; only fragments and linked fragments of that kind are handed to it. */
function rowOf(kind: FragmentKind): LinkRow<FragmentKind> {
  return LINK[kind] as unknown as LinkRow<FragmentKind>
}

function quarantined(fragment: Fragment, reason: string): Quarantined {
  const name = 'slug' in fragment ? fragment.slug : fragment.id
  return { kind: 'quarantined', fragment, fault: `${fragment.kind} ${name} cannot be used: ${reason}` }
}

const NONE_DOWN: ReadonlySet<string> = new Set()

/** The next snapshot while a delta is applied. */
class Draft {
  readonly #before: Partial<Snapshot>
  readonly #indexes: ReadonlyMap<string, KindIndex<LinkedFragments[FragmentKind]>>
  #faultsChanged = false

  constructor(before: Partial<Snapshot>) {
    this.#before = before
    const kinds = Object.keys(LINK) as FragmentKind[]
    this.#indexes = new Map(kinds.map((kind) => [kind, rowOf(kind).index(before)]))
  }

  add(linked: Linked): void {
    this.#faultsChanged ||= faultsIn(linked).length > 0
    if (linked.kind !== 'quarantined') this.#indexes.get(linked.kind)!.add(linked)
  }

  remove(linked: Linked): void {
    this.#faultsChanged ||= faultsIn(linked).length > 0
    if (linked.kind !== 'quarantined') this.#indexes.get(linked.kind)!.remove(linked)
  }

  toSnapshot(revision: number, entries: ReadonlyMap<FragmentKey, SnapshotEntry>): Snapshot {
    const { plans, joined, guards, faults } = this.#before
    const isChanged = (kind: FragmentKind): boolean => this.#indexes.get(kind)!.isChanged
    const arePlansStale = PLANNED.some(isChanged)
    const isJoinStale = JOINED.some(isChanged)
    const indexed = Object.assign({}, ...[...this.#indexes.values()].map((index) => index.members()))
    return {
      ...(indexed as Indexed),
      revision,
      plans: plans === undefined || arePlansStale ? createLimitPlans() : plans,
      guards:
        guards === undefined || isChanged('guardrail')
          ? createGuardrailIndex((indexed as Indexed).guardrails.values())
          : guards,
      originsDown: NONE_DOWN,
      joined: joined === undefined || isJoinStale ? createVirtualMcpIndex() : joined,
      faults: faults === undefined || this.#faultsChanged ? faultsOf(entries) : faults,
      entries,
    }
  }
}

/** The same with other origins that cannot be reached. */
export function withOriginsDown(current: Snapshot, originsDown: ReadonlySet<string>): Snapshot {
  return { ...current, originsDown, joined: createVirtualMcpIndex() }
}

/**
 * The half of the table of kinds that gateway threads load; `compile/kinds.ts` is that of the main thread. A kind without a
 * row, and a member of the snapshot that no row makes, are errors of types.
 */
const LINK = {
  collection: {
    link: (fragment, open, before) => linkCollection(fragment, before, open),
    closed: closedInPlace,
    index: collectionIndex,
  },
  client: { link: linkClient, index: clientIndex },
  policy: { link: linkPolicy, index: byId('policies') },
  credential: { link: (fragment, open) => linkCredential(fragment, open), index: byId('credentials') },
  contracts: { link: (fragment) => fragment, index: byId('contracts') },
  schemas: { link: (fragment) => fragment, index: byId('schemas') },
  origin: { link: (fragment, _open, before) => linkOrigin(fragment, before), index: byId('origins') },
  catalogue: { link: (fragment) => fragment, index: byId('catalogues') },
  virtual_mcp: { link: (fragment) => linkVirtualMcp(fragment), index: virtualMcpIndex },
  host: { link: linkHost, index: hostIndex },
  person: { link: (fragment) => fragment, index: byId('people') },
  team: { link: (fragment) => fragment, index: byId('teams') },
  workflow: {
    link: (fragment, _open, before) => linkWorkflow(fragment, before),
    index: byId('workflows'),
  },
  guardrail: {
    link: linkGuardrail,
    closed: closedGuardrail,
    index: byId('guardrails'),
  },
} as const satisfies { readonly [K in FragmentKind]: LinkRow<K> }

const NONE: readonly string[] = []

/** What a linked fragment keeps from being served, as sentences. */
function faultsIn(linked: Linked): readonly string[] {
  if (!('fault' in linked)) return NONE
  const unresolved = 'unresolved' in linked ? linked.unresolved : null
  if (linked.fault === null && unresolved === null) return NONE
  return [linked.fault, unresolved].filter((fault) => fault !== null)
}

function faultsOf(entries: ReadonlyMap<FragmentKey, SnapshotEntry>): string[] {
  return [...entries.values()].flatMap(({ linked }) => faultsIn(linked)).sort()
}

// The table of kinds of fragments, the half for gateway threads. `snapshot/compile/kinds.ts` is the half for the main thread.

/** How gateway threads link the fragments of one kind, and find them. */
interface LinkRow<K extends FragmentKind> {
  /**
   * Throws an error whose message says what is wrong.
   * @param before the fragment of the same key as it is linked until now
   */
  readonly link: (
    fragment: Fragments[K],
    open: Opener,
    before: LinkedFragments[K] | null,
  ) => LinkedFragments[K]
  /** What stands in for a fragment that cannot be linked; null, as without this member, for nothing. */
  readonly closed?: (fragment: Fragments[K], reason: string) => LinkedFragments[K] | null
  /** Starts the members of a snapshot that find the kind, with those of the snapshot before; the first one has none before. */
  readonly index: (before: Partial<Snapshot>) => KindIndex<LinkedFragments[K]>
}

/** What all rows together make of a snapshot. */
type Indexed = Intersection<
  { [K in FragmentKind]: ReturnType<ReturnType<(typeof LINK)[K]['index']>['members']> }[FragmentKind]
>

type Intersection<U> = (U extends unknown ? (one: U) => void : never) extends (all: infer I) => void
  ? I
  : never

/** It keeps its base path and refuses every call there. */
function closedInPlace(fragment: CollectionFragment, reason: string): LinkedCollection | null {
  if (typeof fragment.base_path !== 'string') return null
  const hosts = Array.isArray(fragment.hosts) ? fragment.hosts : []
  return closedCollection({ ...fragment, hosts }, `collection ${fragment.slug} cannot be used: ${reason}`)
}

const collectionsById = byId('collections')

/** Collections by id, and by the paths and hosts at which they are mounted. */
function collectionIndex(
  before: Partial<Snapshot>,
): KindIndex<LinkedCollection, Pick<Snapshot, 'collections' | 'mounts'>> {
  const ids = collectionsById(before)
  return {
    add: ids.add,
    remove: ids.remove,
    get isChanged() {
      return ids.isChanged
    },
    members() {
      const { collections } = ids.members()
      const mounts = ids.isChanged ? toMounts(collections.values()) : (before.mounts ?? NO_MOUNTS)
      return { mounts, collections }
    },
  }
}

/** Virtual MCPs by id and slug. */
function virtualMcpIndex(
  before: Partial<Snapshot>,
): KindIndex<LinkedVirtualMcp, Pick<Snapshot, 'virtualMcps'>> {
  const map = new CopiedMap(before.virtualMcps)
  return {
    add(one) {
      map.set(one.id, one)
      map.set(one.fragment.slug, one)
    },
    remove(one) {
      map.delete(one.id, one)
      map.delete(one.fragment.slug, one)
    },
    get isChanged() {
      return map.isChanged
    },
    members: () => ({ virtualMcps: map.map }),
  }
}

/** Hosts by id, and the tokens of their bindings. */
function hostIndex(before: Partial<Snapshot>): KindIndex<LinkedHost, Pick<Snapshot, 'hosts' | 'hostTokens'>> {
  const hosts = new CopiedMap(before.hosts)
  const tokens = new CopiedMap<LinkedToken>(before.hostTokens)
  return {
    add(host) {
      hosts.set(host.id, host)
      for (const token of host.client.tokens) tokens.set(token.fragment.lookup, token)
    },
    remove(host) {
      hosts.delete(host.id, host)
      for (const token of host.client.tokens) tokens.delete(token.fragment.lookup, token)
    },
    get isChanged() {
      return hosts.isChanged
    },
    members: () => ({ hosts: hosts.map, hostTokens: tokens.map }),
  }
}

/** The snapshot before the first one: nothing is found in it. */
export const EMPTY_SNAPSHOT: Snapshot = new Draft({}).toSnapshot(0, new Map())
