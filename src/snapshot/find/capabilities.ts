/**
 * The capabilities of virtual MCPs, by public name. A virtual MCP is joined with its origins and their catalogues when it is first
 * asked for in a snapshot: fragments hold ids of each other, so that one of them is linked anew without the others.
 */
import {
  CAPABILITY_TYPES,
  type CapabilityType,
  type Catalogue,
  type CatalogueItem,
  identifierOf,
} from '../../model/catalogue.ts'
import type { CatalogueFragment } from '../fragments.ts'
import type { LinkedProxy } from '../linked/collection.ts'
import type { LinkedOrigin, LinkedVirtualMcp } from '../linked/mcp.ts'

/** One capability of a virtual MCP. */
export interface Capability {
  readonly type: CapabilityType
  /** Name or URI under which callers know it. */
  readonly name: string
  /** That of the origin. */
  readonly originName: string
  /** As lists show it. */
  readonly item: CatalogueItem
  readonly member: Member
}

/** An origin as one virtual MCP calls it. */
interface Member {
  readonly origin: LinkedOrigin
  /** The route to it, with the policy of the virtual MCP; null for an origin without a server of its own. */
  readonly route: LinkedProxy | null
}

/** Everything that a virtual MCP has, by type. */
export interface Capabilities {
  readonly members: readonly Member[]
  readonly lists: Readonly<Record<CapabilityType, readonly Capability[]>>
  /** Undefined for what is not there. */
  find(type: CapabilityType, name: string): Capability | undefined
}

/** What the join looks up in a snapshot. */
interface Linked {
  readonly origins: ReadonlyMap<string, LinkedOrigin>
  readonly catalogues: ReadonlyMap<string, CatalogueFragment>
}

/** The capabilities of the virtual MCPs of one snapshot. */
export interface CapabilityIndex {
  of(snapshot: Linked, virtualMcp: LinkedVirtualMcp): Capabilities
}

export function createCapabilityIndex(): CapabilityIndex {
  const joined = new Map<LinkedVirtualMcp, Capabilities>()
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

function join({ origins, catalogues }: Linked, virtualMcp: LinkedVirtualMcp): Capabilities {
  const members: Member[] = []
  const lists: Record<CapabilityType, Capability[]> = {
    tools: [],
    prompts: [],
    resources: [],
    resource_templates: [],
  }
  const byName = Object.fromEntries(
    CAPABILITY_TYPES.map((type) => [type, new Map<string, Capability>()]),
  ) as unknown as Record<CapabilityType, Map<string, Capability>>
  for (const { origin: id } of virtualMcp.fragment.members) {
    const origin = origins.get(id)
    if (origin === undefined || !origin.fragment.active) continue
    const member: Member = { origin, route: routeOf(origin, virtualMcp) }
    members.push(member)
    const fragment = catalogues.get(id)
    if (fragment === undefined) continue
    const catalogue = JSON.parse(fragment.json) as Catalogue
    for (const type of CAPABILITY_TYPES)
      for (const item of catalogue[type]) {
        const originName = identifierOf(type, item)
        const name = publicName(virtualMcp, origin, type, originName, byName[type])
        const capability = { type, name, originName, item: renamed(type, item, name), member }
        if (byName[type].has(name)) continue
        byName[type].set(name, capability)
        lists[type].push(capability)
      }
  }
  return { members, lists, find: (type, name) => byName[type].get(name) }
}

function routeOf({ route }: LinkedOrigin, { id, fragment, key }: LinkedVirtualMcp): LinkedProxy | null {
  const only = route?.proxies[0]
  return only === undefined ? null : { ...only, id, policy: fragment.policy, key, attachment: 'virtual_mcp' }
}

function publicName(
  { fragment }: LinkedVirtualMcp,
  { fragment: { slug } }: LinkedOrigin,
  type: CapabilityType,
  name: string,
  taken: ReadonlyMap<string, unknown>,
): string {
  if (type !== 'tools' && type !== 'prompts') return name
  return fragment.prefix === 'always' || taken.has(name) ? `${slug}_${name}` : name
}

function renamed(type: CapabilityType, item: CatalogueItem, name: string): CatalogueItem {
  return type === 'tools' || type === 'prompts' ? { ...item, name } : item
}
