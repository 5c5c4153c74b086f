import type { Socket } from 'node:net'
import { type DetailedPeerCertificate, TLSSocket } from 'node:tls'
import type { PeerCertificate } from '../port.ts'

/** Authorities that are looked at; longer chains are not built. */
const CHAIN_MAX = 8

/** TLS has found these by the system's clock; who judges the certificate has one of its own. */
const OF_TIME: readonly unknown[] = ['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID']

/**
 * The client certificate of a connection whose handshake is over, or null. TLS has seen the proof of its key. Some versions
 * of Node do not hand over the chain that was sent with it (nodejs/node 65579).
 */
export function peerCertificate(socket: Socket): PeerCertificate | null {
  if (!(socket instanceof TLSSocket)) return null
  // The types know no connection without one
  const first = socket.getPeerCertificate(true) as DetailedPeerCertificate | Record<string, never> | null
  if (first === null || first.raw === undefined) return null
  const chain: Uint8Array[] = []
  let last: DetailedPeerCertificate = first as DetailedPeerCertificate
  while (
    chain.length < CHAIN_MAX &&
    last.issuerCertificate !== undefined &&
    last.issuerCertificate !== last
  ) {
    last = last.issuerCertificate
    chain.push(last.raw)
  }
  const { authorized, authorizationError } = socket
  return {
    leaf: first.raw,
    chain,
    fault: authorized || OF_TIME.includes(authorizationError) ? '' : String(authorizationError),
  }
}
