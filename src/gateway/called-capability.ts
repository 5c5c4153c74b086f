import type { LinkedProxy } from '../snapshot/linked/collection.ts'
import type { CalledThrough, LinkedOrigin } from '../snapshot/linked/mcp.ts'

/**
 * The capability of an origin that is called. The route to the origin stands as collection and proxy of the exchange, so that limits,
 * credential and servers of the call are those of any request.
 */
export interface CalledCapability {
  readonly origin: LinkedOrigin
  readonly route: LinkedProxy
  /** Path and query of the MCP endpoint of the origin. */
  readonly path: string
  readonly query: string
  /** Id; empty for what Postern itself asks. */
  readonly virtualMcp: string
  /** Method of MCP; empty for what Postern itself asks. */
  readonly method: string
  /** Public name or URI of the capability; empty where the method has none. */
  readonly name: string
  /** Bytes of the JSON of the arguments, in UTF-8; 0 where it has none. */
  readonly argumentBytes: number
}

/** An endpoint that is called as a capability of a virtual MCP. Its path leads to it, as over REST. */
export interface CalledThroughVirtualMcp {
  /** One object for all calls of a member, since plans of limits are kept by it. */
  readonly of: CalledThrough
  /** Id of the proxy that the capability stands for: a path that its arguments make must lead to no other. */
  readonly proxy: string
  /** Bytes of the JSON of the arguments, in UTF-8; 0 where it has none. */
  readonly argumentBytes: number
}
