import type { RefusalCode } from '../../base/refusal.ts'
import { isIn } from '../../snapshot/find/network.ts'
import type { Exchange } from '../exchange.ts'
import { asIs, type Explain, NO_CALLER, open, profileName } from '../explain/judged.ts'

/** The address of the caller is in the allow list of the profile, if it has one. */
export function addressAllowed({ identity: { profile }, ip }: Exchange): RefusalCode | null {
  const networks = profile === null ? null : profile.networks
  return networks === null || isIn(networks, ip) ? null : 'ip_not_allowed'
}

export const explainAddress: Explain = (exchange, asked, check) => {
  const { profile } = exchange.identity
  if (profile === null) return NO_CALLER
  if (profile.networks === null) return asIs(exchange, check, () => ({ reason: 'all addresses are allowed' }))
  const setting = `${profileName(exchange)} ip_allowlist`
  if (asked.ip === null) return open('no address was given', setting)
  const reason = `${exchange.ip} lies in the list of the profile`
  return asIs(exchange, check, () => ({ reason, setting }))
}
