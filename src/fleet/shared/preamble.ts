/**
 * Headers with which a gateway thread tells the control plane what it knows about a request. They can be trusted: the gateway
 * thread removes every inbound `X-Postern-*` header, and the socket is private.
 */

/**
 * Facts about a request that the gateway thread in front established. It strips every inbound `X-Postern-*` header
 * and the socket is private, so that behind it they can be trusted.
 */
export const PREAMBLE = {
  peer: 'x-postern-peer',
  requestId: 'x-postern-request-id',
  /** Present on a request whose body was left with its caller, because no valid credential came with it. */
  bodyWithheld: 'x-postern-body-withheld',
} as const

/** What the gateway thread says of a request that it hands over. */
export function factsOf({ headers }: Request): {
  readonly requestId: string
  readonly ip: string | null
  readonly isBodyWithheld: boolean
} {
  return {
    requestId: headers.get(PREAMBLE.requestId) ?? '',
    ip: headers.get(PREAMBLE.peer),
    isBodyWithheld: headers.has(PREAMBLE.bodyWithheld),
  }
}
