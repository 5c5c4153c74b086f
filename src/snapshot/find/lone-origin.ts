import type { PublicNames } from '../../model/mcp/public-names.ts'
import type { LinkedOrigin, LinkedVirtualMcp } from '../linked-types/mcp.ts'
import { linkCapabilities } from './capabilities.ts'
import { limitKeyOf } from './limit-key.ts'
import type { JoinedVirtualMcp } from './virtual-mcps.ts'

const NO_NAMES: PublicNames = { tools: [], prompts: [], resources: [], resource_templates: [] }

const known = new WeakMap<LinkedOrigin, JoinedVirtualMcp>()

/**
 * An origin that is called by itself, as calls see their virtual MCP. It has no id, nobody can open it, and it lists nothing: names and
 * URIs are those of the origin.
 */
export function joinedAlone(origin: LinkedOrigin): JoinedVirtualMcp {
  const before = known.get(origin)
  if (before !== undefined) return before
  const { slug, name } = origin.fragment
  const virtualMcp: LinkedVirtualMcp = {
    kind: 'virtual_mcp',
    id: '',
    key: limitKeyOf(`origin:${origin.id}`),
    fragment: {
      kind: 'virtual_mcp',
      id: '',
      slug,
      name,
      description: '',
      instructions: null,
      mcp_view: 'expanded',
      members: [],
      names: NO_NAMES,
      policy: null,
    },
  }
  const route = origin.route?.proxies[0] ?? null
  const member = {
    origin,
    route,
    endpoints: null,
    through: { virtualMcp, origin },
    guardrails: null,
    instructions: '',
  }
  const joined = {
    virtualMcp,
    members: new Map([[origin.id, member]]),
    capabilities: linkCapabilities([], NO_NAMES),
    listTallies: [],
  }
  known.set(origin, joined)
  return joined
}
