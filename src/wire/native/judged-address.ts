import type { LookupFunction } from 'node:net'
import { bareHost } from '../../base/net/address.ts'
import type { UpstreamOptions } from '../port.ts'
import type { Context } from './context.ts'

/** The address of a pool, as the egress rule judges it. */
export interface JudgedAddress {
  /** Why nothing is connected to; null when the address is admitted. */
  readonly fault: string | null
  /** For sockets: gives only addresses that the egress rule admits. */
  readonly lookup: LookupFunction
}

/**
 * Judges the address of a pool by the egress rule. A name is judged again with each connection, by what it resolves to;
 * a refused address beside others is left out, since some networks give each host a link-local one.
 */
export function judgeAddress(
  { egress, lookup }: Context,
  { address, from = 'typed' }: UpstreamOptions,
): JudgedAddress {
  if (from === 'own') return { fault: null, lookup }
  if ('socketPath' in address) return { fault: egress.socketFault(address.socketPath), lookup }
  const to = { host: bareHost(address.host), port: address.port, from }
  return { fault: egress.faultOf(to), lookup: egress.lookup(to, lookup, 'leave_out') }
}
