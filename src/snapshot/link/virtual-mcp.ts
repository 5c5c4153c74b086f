import { limitKeyOf } from '../find/limit-key.ts'
import type { VirtualMcpFragment } from '../fragments.ts'
import type { LinkedVirtualMcp } from '../linked/mcp.ts'

/** Links a virtual MCP. What it has of its origins is found later, see `find/capabilities.ts`. */
export function linkVirtualMcp(fragment: VirtualMcpFragment): LinkedVirtualMcp {
  if (!Array.isArray(fragment.members)) throw new RangeError('its members are missing')
  return { kind: 'virtual_mcp', id: fragment.id, fragment, key: limitKeyOf(`virtual_mcp:${fragment.id}`) }
}
