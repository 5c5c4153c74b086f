/**
 * Joins virtual MCPs with their origins and catalogues, when one is first asked for in a snapshot. Fragments have ids of each
 * other, so one can be linked again without the others.
 */

import type { Plain } from '../../base/json/storable.ts'
import { listedItem, listedText } from '../../guardrails/listed.ts'
import type { Chain } from '../../guardrails/rule.ts'
import { Tally } from '../../guardrails/tally.ts'
import { type CapabilityType, KEY_OF, type OfferedEndpoints } from '../../model/mcp/capability.ts'
import { type Approved, type Catalogue, deliveredInstructions } from '../../model/mcp/capability-drift.ts'
import type { CatalogueFragment } from '../fragments.ts'
import type { LinkedProxy } from '../linked-types/collection.ts'
import type { GuardrailIndex, McpGuardrails } from '../linked-types/guardrail.ts'
import type { CalledThrough, LinkedOrigin, LinkedVirtualMcp } from '../linked-types/mcp.ts'
import { linkCapabilities } from './capabilities.ts'
import type { Caller, Capabilities } from './capability-caller.ts'
import { type EndpointIndex, indexEndpoints } from './offered-endpoints.ts'

/** An origin as one virtual MCP calls it. */
export interface Member {
  readonly origin: LinkedOrigin
  /** The route to it, with the policy of the virtual MCP; null for an origin without a server of its own. */
  readonly route: LinkedProxy | null
  /** Of an origin of kind `collection`, the endpoints behind its items; null for any other. */
  readonly endpoints: EndpointIndex | null
  /** What calls of its endpoints go through beside the collection. */
  readonly through: CalledThrough
  /** Rules for messages between the virtual MCP and the origin; null where none applies. */
  readonly guardrails: McpGuardrails | null
  /** What its server tells clients for a model to read, as far as it is approved; empty without. */
  readonly instructions: string
}

/** A virtual MCP with everything that it has. */
export interface JoinedVirtualMcp {
  readonly virtualMcp: LinkedVirtualMcp
  /** By id of the origin; those that are switched off are left out. */
  readonly members: ReadonlyMap<string, Member>
  readonly capabilities: Capabilities
  /** What guardrails found in what is listed; none where none looks at lists. */
  readonly listTallies: readonly ListedCatalogue['tallies'][]
  /** Before a token was restricted to a part of it; absent for a token that is not restricted. */
  readonly whole?: Capabilities
}

/** What the join looks up in a snapshot. */
interface Linked {
  readonly origins: ReadonlyMap<string, LinkedOrigin>
  readonly catalogues: ReadonlyMap<string, CatalogueFragment>
  /** Ids of origins that cannot be reached. */
  readonly originsDown: ReadonlySet<string>
  readonly guards: GuardrailIndex | null
}

/** The joined virtual MCPs of one snapshot. */
export interface VirtualMcpIndex {
  of(snapshot: Linked, virtualMcp: LinkedVirtualMcp): JoinedVirtualMcp
}

export function createVirtualMcpIndex(): VirtualMcpIndex {
  const joined = new Map<LinkedVirtualMcp, JoinedVirtualMcp>()
  return {
    of(snapshot, virtualMcp) {
      const known = joined.get(virtualMcp)
      if (known !== undefined) return known
      const made = join(snapshot, virtualMcp)
      joined.set(virtualMcp, made)
      return made
    },
  }
}

const NONE: OfferedEndpoints = { tools: {}, prompts: {}, resources: {}, resource_templates: {} }
const NOTHING: Catalogue = { tools: [], prompts: [], resources: [], resource_templates: [] }

function join(
  { origins, catalogues, originsDown, guards }: Linked,
  virtualMcp: LinkedVirtualMcp,
): JoinedVirtualMcp {
  const { fragment } = virtualMcp
  const members = new Map<string, Member>()
  const tallies: ListedCatalogue['tallies'][] = []
  const policies = fragment.members.flatMap(({ origin: id, prefix, rules, approved }) => {
    const origin = origins.get(id)
    if (origin === undefined || !origin.fragment.active) return []
    const listed = catalogues.get(id)
    const endpoints = endpointsOf(origin, listed)
    const guardrails = guards?.ofMcp(virtualMcp.id, id, endpoints !== null) ?? null
    const chain = guardrails?.list ?? null
    const isBroken = guardrails !== null && guardrails.fault !== null
    const said = deliveredInstructions(rules, approved, origin.fragment.verdict?.instructions ?? '')
    members.set(id, {
      origin,
      route: routeOf(origin, virtualMcp),
      endpoints,
      through: { virtualMcp, origin },
      guardrails,
      instructions: isBroken ? '' : saidUnder(chain, said),
    })
    // Written by the compiler from this very type
    const catalogue = listed === undefined ? NOTHING : (JSON.parse(listed.json) as Catalogue)
    const reach = endpoints && ((caller: Caller) => endpoints.reach(caller.access ?? null))
    const hashes = listed?.hashes === undefined ? {} : { hashes: JSON.parse(listed.hashes) as Approved }
    const isDown = originsDown.has(id)
    const reached = reach === null ? {} : { reach }
    const guarded = chain === null || listed === undefined ? null : listedCatalogue(listed, chain)
    if (guarded !== null) tallies.push(guarded.tallies)
    const guard = isBroken ? () => null : guarded?.of
    return [
      { id, prefix, rules, catalogue, ...hashes, approved, isDown, ...reached, ...(guard && { guard }) },
    ]
  })
  const capabilities = linkCapabilities(policies, fragment.names)
  return { virtualMcp, members, capabilities, listTallies: tallies }
}

/** What a server tells clients, as guardrails leave it. */
function saidUnder(chain: Chain | null, text: string): string {
  return chain === null || text === '' ? text : listedText(chain, text, new Tally())
}

function endpointsOf(
  { fragment: { collection } }: LinkedOrigin,
  listed: CatalogueFragment | undefined,
): EndpointIndex | null {
  if (collection === null) return null
  // Written by the compiler from this very type
  const offered = listed?.endpoints === undefined ? NONE : (JSON.parse(listed.endpoints) as OfferedEndpoints)
  return indexEndpoints(collection, offered)
}

function routeOf({ route }: LinkedOrigin, { id, fragment, key }: LinkedVirtualMcp): LinkedProxy | null {
  const only = route?.proxies[0]
  return only === undefined ? null : { ...only, id, policy: fragment.policy, key, attachment: 'virtual_mcp' }
}

// Catalogues after the guardrails of the leg `list`.

/** The items of one catalogue under one chain of rules. */
interface ListedCatalogue {
  /** What was found in the items of each type that were asked for so far. */
  readonly tallies: Readonly<Record<CapabilityType, Tally>>
  /** The item as lists have it; null for one that is left out. */
  of(type: CapabilityType, item: Plain): Plain | null
}

/** Chains that are kept for a catalogue: virtual MCPs with the same rules share one. */
const CHAINS_MAX = 8

const known = new WeakMap<CatalogueFragment, { readonly chain: Chain; readonly listed: ListedCatalogue }[]>()

/** Items are judged once, for as long as neither the catalogue nor the rules change. */
function listedCatalogue(catalogue: CatalogueFragment, chain: Chain): ListedCatalogue {
  const before = known.get(catalogue) ?? []
  const same = before.find((one) => isSame(one.chain, chain))
  if (same !== undefined) return same.listed
  const listed = listedBy(chain)
  known.set(catalogue, [...before.slice(1 - CHAINS_MAX), { chain, listed }])
  return listed
}

function listedBy(chain: Chain): ListedCatalogue {
  const tallies = {
    tools: new Tally(),
    prompts: new Tally(),
    resources: new Tally(),
    resource_templates: new Tally(),
  }
  const judged = new Map<string, Plain | null>()
  return {
    tallies,
    of(type, item) {
      const name = `${type} ${String(item[KEY_OF[type]])}`
      const before = judged.get(name)
      if (before !== undefined) return before
      const after = listedItem(chain, item, KEY_OF[type], tallies[type])
      judged.set(name, after)
      return after
    },
  }
}

function isSame(one: Chain, other: Chain): boolean {
  return one.length === other.length && one.every((rule, index) => rule === other[index])
}
