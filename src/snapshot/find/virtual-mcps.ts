/**
 * What virtual MCPs have of their origins. A virtual MCP is joined with its origins and their catalogues when it is first asked for
 * in a snapshot: fragments hold ids of each other, so that one of them is linked anew without the others.
 */
import type { Approved, Catalogue } from '../../model/capability-drift.ts'
import type { OfferedEndpoints } from '../../model/offered-endpoint.ts'
import type { CatalogueFragment } from '../fragments.ts'
import type { LinkedProxy } from '../linked/collection.ts'
import type { CalledThrough, LinkedOrigin, LinkedVirtualMcp } from '../linked/mcp.ts'
import { type Capabilities, linkCapabilities } from './capabilities.ts'
import type { Caller } from './capability-caller.ts'
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
}

/** A virtual MCP with everything that it has. */
export interface JoinedVirtualMcp {
  readonly virtualMcp: LinkedVirtualMcp
  /** By id of the origin; those that are switched off are left out. */
  readonly members: ReadonlyMap<string, Member>
  readonly capabilities: Capabilities
}

/** What the join looks up in a snapshot. */
interface Linked {
  readonly origins: ReadonlyMap<string, LinkedOrigin>
  readonly catalogues: ReadonlyMap<string, CatalogueFragment>
  /** Ids of origins that cannot be reached. */
  readonly originsDown: ReadonlySet<string>
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

function join({ origins, catalogues, originsDown }: Linked, virtualMcp: LinkedVirtualMcp): JoinedVirtualMcp {
  const { fragment } = virtualMcp
  const members = new Map<string, Member>()
  const policies = fragment.members.flatMap(({ origin: id, prefix, rules, approved }) => {
    const origin = origins.get(id)
    if (origin === undefined || !origin.fragment.active) return []
    const listed = catalogues.get(id)
    const endpoints = endpointsOf(origin, listed)
    members.set(id, {
      origin,
      route: routeOf(origin, virtualMcp),
      endpoints,
      through: { virtualMcp, origin },
    })
    // Written by the compiler from this very type
    const catalogue = listed === undefined ? NOTHING : (JSON.parse(listed.json) as Catalogue)
    const reach = endpoints && ((caller: Caller) => endpoints.reach(caller.access ?? null))
    const hashes = listed?.hashes === undefined ? {} : { hashes: JSON.parse(listed.hashes) as Approved }
    const isDown = originsDown.has(id)
    const reached = reach === null ? {} : { reach }
    return [{ id, prefix, rules, catalogue, ...hashes, approved, isDown, ...reached }]
  })
  return { virtualMcp, members, capabilities: linkCapabilities(policies, fragment.names) }
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
