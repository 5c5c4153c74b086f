import type { RefusalCode } from '../base/refusal.ts'
import type { Tally } from '../guardrails/tally.ts'
import type { LinkedProxy } from '../snapshot/linked/collection.ts'
import type { CalledThrough, LinkedOrigin } from '../snapshot/linked/mcp.ts'

/** What guardrails make of a message that leads to a call. The record of the call is written once its answer was judged. */
export interface CallGuard {
  readonly tally: Tally
  /** Why the answer is not passed on, once it was judged; null while it is. */
  readonly refusal: { readonly code: RefusalCode; readonly reason: string } | null
  /** Settles when an answer is judged that cannot be judged at once; null where it can. */
  readonly judging: Promise<unknown> | null
}

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
  /** Null where no guardrail applies. */
  readonly guard?: CallGuard | null
  /** A workflow makes the call: the limits of its caller were taken with the request that the workflow answers. */
  readonly isStep?: true
  /**
   * Set by the gateway for an origin with connections: whose token or key is sent. The id of a person, SHARED for the one that all callers
   * share; null for a caller who is no person.
   */
  readonly account?: string | null
}

/** An endpoint that is called as a capability of a virtual MCP. Its path leads to it, as over REST. */
export interface CalledThroughVirtualMcp {
  /** One object for all calls of a member, since plans of limits are kept by it. */
  readonly of: CalledThrough
  /** Id of the proxy that the capability stands for: a path that its arguments make must lead to no other. */
  readonly proxy: string
  /** Bytes of the JSON of the arguments, in UTF-8; 0 where it has none. */
  readonly argumentBytes: number
  /** Null where no guardrail applies beside those of the endpoint. */
  readonly guard?: CallGuard | null
}
