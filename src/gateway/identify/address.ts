import type { RefusalCode } from '../../base/refusal.ts'
import { isIn } from '../../snapshot/network.ts'
import type { Exchange } from '../exchange.ts'

/** Check 7. The address of the caller is in the allow list of the profile, if it has one. */
export function addressAllowed(exchange: Exchange): RefusalCode | null {
  const networks = exchange.profile === null ? null : exchange.profile.networks
  return networks === null || isIn(networks, exchange.ip) ? null : 'ip_not_allowed'
}
