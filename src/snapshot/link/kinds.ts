/**
 * The table of kinds of fragments, the half for gateway threads. `snapshot/compile/kinds.ts` is the half for the main thread.
 */
import type { Opener } from '../../vault/opener.ts'
import type { CollectionFragment, FragmentKind, Fragments } from '../fragments.ts'
import type { LinkedCollection } from '../linked/collection.ts'
import type { LinkedFragments, Snapshot } from '../snapshot.ts'
import { linkClient } from './client.ts'
import { clientIndex } from './client-index.ts'
import { closedCollection, linkCollection } from './collection.ts'
import { collectionIndex } from './collection-index.ts'
import { linkCredential } from './credential.ts'
import { closedGuardrail, linkGuardrail } from './guardrail.ts'
import { linkHost } from './host.ts'
import { hostIndex } from './host-index.ts'
import { byId, type KindIndex } from './kind-index.ts'
import { linkOrigin } from './origin.ts'
import { linkPolicy } from './policy.ts'
import { linkVirtualMcp } from './virtual-mcp.ts'
import { virtualMcpIndex } from './virtual-mcp-index.ts'
import { linkWorkflow } from './workflow.ts'

/** How gateway threads link the fragments of one kind, and find them. */
export interface LinkRow<K extends FragmentKind> {
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

/**
 * The half of the table of kinds that gateway threads load; `compile/kinds.ts` is that of the main thread. A kind without a
 * row, and a member of the snapshot that no row makes, are errors of types.
 */
export const LINK = {
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

/** What all rows together make of a snapshot. */
export type Indexed = Intersection<
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
