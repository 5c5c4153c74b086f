/**
 * Facts about a request that the gateway thread in front established. It strips every inbound `X-Postern-*` header
 * and the socket is private, so that behind it they can be trusted.
 */
export const PREAMBLE = { peer: 'x-postern-peer', requestId: 'x-postern-request-id' } as const
