/** Origins and virtual MCPs as a thread has linked them. */
import type { LimitKey } from '../find/limit-key.ts'
import type { OriginFragment, VirtualMcpFragment } from '../fragments.ts'
import type { LinkedCollection } from './collection.ts'

/**
 * An origin. One of kind `http` or `stdio` is linked as a collection with one route, so that limits, credential, servers and record of a call
 * are those of any other request.
 */
export interface LinkedOrigin {
  readonly kind: 'origin'
  readonly id: string
  readonly fragment: OriginFragment
  /** Null for an origin of another kind. */
  readonly route: LinkedCollection | null
  /** Path of the MCP endpoint, and its query without `?`; empty without an upstream. */
  readonly path: string
  readonly query: string
  /** Of kind `stdio`: header lines by which the runner knows origin and parameters; null for any other kind. */
  readonly runnerFields: string | null
}

export interface LinkedVirtualMcp {
  readonly kind: 'virtual_mcp'
  readonly id: string
  readonly fragment: VirtualMcpFragment
  readonly key: LimitKey
}

/** The virtual MCP and the origin of kind `collection` through which an endpoint is called. */
export interface CalledThrough {
  readonly virtualMcp: LinkedVirtualMcp
  readonly origin: LinkedOrigin
}
